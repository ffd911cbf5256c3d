#!/bin/bash
# An op that has nothing to do gives its input again, and deallocate of the result frees the input.
#
# A good guess: ops give new tensors, so the result of slice, concat, pad or repeat can be freed when it is no longer needed. The
#     exceptions are conversions: typecast to the type that a tensor has returns the tensor.
# Seen (ttnn 0.81.1, mock n150): it is the other way around. slice of everything, concat of one tensor, pad by nothing, repeat once,
#     permute and split without a change give the memory of the input; typecast to the same type copies. A program that frees the
#     result of concat over a list of varying length frees its input when the list has one tensor.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
for name, op in (
    ("slice", lambda tensor: ttnn.slice(tensor, [0, 0], [1024, 1024])),
    ("concat", lambda tensor: ttnn.concat([tensor], 0)),
    ("pad", lambda tensor: ttnn.pad(tensor, [(0, 0), (0, 0)], 0.0)),
    ("repeat", lambda tensor: ttnn.repeat(tensor, [1, 1])),
    ("permute", lambda tensor: ttnn.permute(tensor, (0, 1))),
    ("split", lambda tensor: ttnn.split(tensor, 1024, 0)[0]),
    ("typecast", lambda tensor: ttnn.typecast(tensor, ttnn.bfloat16)),
):
    tensor = allocate(device, [1024, 1024])
    ttnn.deallocate(op(tensor))
    say(f"{name}: input {'is still allocated' if tensor.is_allocated() else 'is freed'}")
    del tensor
PYTHON
)
conclude 'typecast: input is freed; the others: input is still allocated' "$seen" 'slice: input is freed
concat: input is freed
pad: input is freed
repeat: input is freed
permute: input is freed
split: input is freed
typecast: input is still allocated'
