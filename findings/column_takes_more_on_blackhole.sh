#!/bin/bash
# A column in row-major layout takes 16 times its bytes in the DRAM of a Wormhole, 32 times in that of a Blackhole, 8 times in L1.
#
# A good guess: a row-major tensor takes its bytes, 128 KiB, up to the rounding of the whole; or each row is padded to a word of 16 or
#     32 bytes, and that is the same in DRAM and L1 and for each chip.
# Seen (ttnn 0.81.1, mock n150 and p150): each row of one bfloat16 number is padded to 16 bytes in L1, to 32 in Wormhole's DRAM, and to
#     64 in Blackhole's. A tensor that fits on a Wormhole may take twice as much after the move to the newer chip.
source "$(dirname -- "$0")/lib.sh"

install_ttnn 0.81.1
seen=''
for machine in n150 p150; do
    mock_machine "$machine"
    seen+="$machine: $(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
found = []
for memory in (ttnn.DRAM_MEMORY_CONFIG, ttnn.L1_MEMORY_CONFIG):
    kind = memory.buffer_type.name
    tensor = allocate(device, [65536, 1], memory, layout=ttnn.ROW_MAJOR_LAYOUT)
    size = allocated(device, kind) * view(device, kind).num_banks
    found.append(f"{kind} {round(size / 65536 / 2)} times, {tensor.buffer_aligned_page_size()} bytes in a row")
say(", ".join(found))
PYTHON
)"$'\n'
done
conclude 'both: DRAM 16 times, 32 bytes in a row, L1 16 times, 32 bytes in a row' "${seen%$'\n'}" \
    'n150: DRAM 16 times, 32 bytes in a row, L1 8 times, 16 bytes in a row
p150: DRAM 32 times, 64 bytes in a row, L1 8 times, 16 bytes in a row'
