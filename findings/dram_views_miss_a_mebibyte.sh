#!/bin/bash
# 1 MiB of every DRAM bank is in no memory view of TT-Metal.
#
# A good guess: the views of DRAM and TRACE add up to the bank, but for an aligned word or so at its start.
# Seen (ttnn 0.81.1): DRAM and TRACE together are 1,048,640 B less than the bank that the wheel's SoC descriptor has on a mock
#     n150 (12,583,680 B of the chip), and the first tensor's address is 1,048,640. On a mock p150 it is 1,048,704 B.
source "$(dirname -- "$0")/lib.sh"

install_ttnn 0.81.1
seen=''
for machine in n150 p150; do
    mock_machine "$machine"
    seen+="$machine $(run_python "$machine" <<'PYTHON'
import re
import sys
from pathlib import Path
from common import *
device = ttnn.open_device(device_id=0, trace_region_size=8 << 20)
name = {"n150": "wormhole_b0_80_arch.yaml", "p150": "blackhole_140_arch.yaml"}[sys.argv[1]]
descriptor = next(Path(ttnn.__file__).parent.rglob(f"soc_descriptors/{name}")).read_text()
bank = int(re.search(r"^dram_view_size:\s*(\d+)", descriptor, re.MULTILINE).group(1))
views = sum(view(device, kind).total_bytes_per_bank for kind in ("DRAM", "TRACE"))
say("bank", bank, "in no view", bank - views, "first address", allocate(device, [32, 32]).buffer_address())
PYTHON
)"$'\n'
done
conclude 'in no view 32' "${seen%$'\n'}" 'n150 bank 1073741824 in no view 1048640 first address 1048640
p150 bank 4278190080 in no view 1048704 first address 1048704'
