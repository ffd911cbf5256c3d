#!/bin/bash
# Whether a result is in L1 or in DRAM depends on the op and on the order of its operands.
#
# A good guess: an op without memory_config puts its result where its inputs are when they agree, and into DRAM, which has room,
#     when they do not.
# Seen (ttnn 0.81.1, mock n150): add takes the memory of its first operand, so that the sum of the same two tensors is in L1 or in
#     DRAM. gelu of an L1 tensor stays in L1; matmul and concat of two L1 tensors go to DRAM.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
l1 = allocate(device, [1024, 1024], ttnn.L1_MEMORY_CONFIG)
dram = allocate(device, [1024, 1024])
for name, op in (
    ("add L1 DRAM", lambda: ttnn.add(l1, dram)),
    ("add DRAM L1", lambda: ttnn.add(dram, l1)),
    ("gelu L1", lambda: ttnn.gelu(l1)),
    ("matmul L1 L1", lambda: ttnn.matmul(l1, l1)),
    ("concat L1 L1", lambda: ttnn.concat([l1, l1], 0)),
):
    before = allocated(device), allocated(device, "L1")
    result = op()
    grown = [kind for kind, old in zip(("DRAM", "L1"), before) if allocated(device, kind) > old]
    say(f"{name}: {' '.join(grown)}")
    ttnn.deallocate(result)
PYTHON
)
conclude 'add L1 DRAM: DRAM
add DRAM L1: DRAM
gelu L1: L1
matmul L1 L1: L1
concat L1 L1: L1' "$seen" 'add L1 DRAM: L1
add DRAM L1: DRAM
gelu L1: L1
matmul L1 L1: DRAM
concat L1 L1: DRAM'
