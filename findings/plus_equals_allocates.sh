#!/bin/bash
# `tensor += other` takes a second tensor, and other names of the tensor do not see it.
#
# A good guess: += works in place, as it does for arrays of numpy and tensors of PyTorch, which ttnn follows: no memory, and each name
#     of the tensor has the sum. A residual stream that is added to with += needs one tensor.
# Seen (ttnn 0.81.1, mock n150): the sum is a new tensor of 2 MiB. While another name refers to the first, a caller's for instance, both
#     are on the device. ttnn.add_ works in place.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
import operator
from common import *
device = ttnn.open_device(device_id=0)
other = allocate(device, [1024, 1024])
for name, op in (
    ("+=", lambda tensor: operator.iadd(tensor, other)),
    ("-=", lambda tensor: operator.isub(tensor, other)),
    ("*= 2", lambda tensor: operator.imul(tensor, 2.0)),
    ("add_", lambda tensor: ttnn.add_(tensor, other)),
):
    tensor = allocate(device, [1024, 1024])
    before = allocated(device)
    result = op(tensor)
    same = result.buffer_address() == tensor.buffer_address()
    say(f"{name}: {'the same memory' if same else 'other memory'}, {allocated(device) - before} bytes per bank more")
    del tensor, result
PYTHON
)
conclude 'each: the same memory, 0 bytes per bank more' "$seen" '+=: other memory, 176128 bytes per bank more
-=: other memory, 176128 bytes per bank more
*= 2: other memory, 176128 bytes per bank more
add_: the same memory, 0 bytes per bank more'
