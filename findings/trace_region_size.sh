#!/bin/bash
# trace_region_size of open_device: bytes of a DRAM bank up to ttnn 0.72.0, bytes of the chip from 0.76.0 on.
#
# A good guess: the argument means one thing in all releases; every size that TT-Metal takes for a region is per bank, as
#     l1_small_size is.
# Seen (ttnn 0.72.0 and 0.76.0, mock n150 with 12 DRAM banks, 12 MiB asked): 12,582,912 B in each bank, 144 MiB in all; then
#     1,048,576 B in each bank, 12 MiB in all. The same program has a twelfth of its trace memory after the update.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
seen=''
for version in 0.72.0 0.76.0; do
    install_ttnn "$version"
    # 0.72.0 opens mock devices in slow dispatch only.
    TT_METAL_SLOW_DISPATCH_MODE=1 run_python >"$temporary/seen" <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0, trace_region_size=12 << 20)
trace = view(device, "TRACE")
say(trace.num_banks, "banks of", trace.total_bytes_per_bank)
ttnn.close_device(device)
PYTHON
    seen+="$version: $(<"$temporary/seen")"$'\n'
done
conclude '12 banks of 12582912 in both' "${seen%$'\n'}" \
    $'0.72.0: 12 banks of 12582912\n0.76.0: 12 banks of 1048576'
