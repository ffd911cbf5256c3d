#!/bin/bash
# The block table of a memory view has addresses that no tensor has.
#
# A good guess: `address` of an allocated block is the buffer's address, so the two can be joined.
# Seen (ttnn 0.81.1, mock n150): it is an offset from the start of the region. It differs from the tensor's buffer_address() by
#     105,824 B in L1 (the kernel configuration and what is reserved before it) and by 1,048,640 B in DRAM. In 0.72.0 the
#     table cannot be read from Python at all: its type has no conversion.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
seen=''
for version in 0.72.0 0.81.1; do
    install_ttnn "$version"
    # 0.72.0 opens mock devices in slow dispatch only.
    seen+="$version: $(TT_METAL_SLOW_DISPATCH_MODE=1 run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
found = []
for kind, memory in (("DRAM", ttnn.DRAM_MEMORY_CONFIG), ("L1", ttnn.L1_MEMORY_CONFIG)):
    tensor = allocate(device, [64, 64], memory)
    try:
        blocks = [block for block in view(device, kind).block_table if block["allocated"] == "yes"]
        found.append(f"{kind} {tensor.buffer_address() - int(blocks[0]['address'])}")
    except TypeError:
        found.append(f"{kind} TypeError")
say(*found)
PYTHON
)"$'\n'
done
conclude 'DRAM 0 L1 0 in both' "${seen%$'\n'}" $'0.72.0: DRAM TypeError L1 TypeError\n0.81.1: DRAM 1048640 L1 105824'
