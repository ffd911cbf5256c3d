#!/bin/bash
# Some ops need more memory for a bfloat8_b tensor than for a bfloat16 tensor of the same shape.
#
# A good guess: bfloat8_b has 1,088 bytes in a tile where bfloat16 has 2,048, so each op takes about half as much; at worst as much.
# Seen (ttnn 0.81.1, mock n150): so it is for gelu, matmul and concat. pad and rand take 2.5 times as much as with bfloat16, cumsum
#     50 times, repeat_interleave a fifth more: these convert the tensor to bfloat16 or from float32, and hold both. cumsum,
#     which walks through bfloat16 where it lies, moves the dimension to the front besides.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
wide, narrow = allocate(device, [1024, 1024]), allocate(device, [1024, 1024], dtype=ttnn.bfloat8_b)
for name, op in (
    ("gelu", ttnn.gelu),
    ("matmul", lambda tensor: ttnn.matmul(tensor, tensor)),
    ("concat", lambda tensor: ttnn.concat([tensor, tensor], 0)),
    ("pad", lambda tensor: ttnn.pad(tensor, [(0, 32), (0, 0)], 0.0)),
    ("cumsum", lambda tensor: ttnn.cumsum(tensor, 0)),
    ("repeat_interleave", lambda tensor: ttnn.repeat_interleave(tensor, 2, 0)),
    ("rand", lambda tensor: ttnn.rand([1024, 1024], dtype=tensor.dtype, layout=tensor.layout, device=device)),
):
    say(f"{name}: {dram_of(lambda: op(wide))[0] >> 10} KiB, {dram_of(lambda: op(narrow))[0] >> 10} KiB")
PYTHON
)
conclude 'the second number is the smaller one' "$seen" 'gelu: 2048 KiB, 1088 KiB
matmul: 2048 KiB, 1088 KiB
concat: 4096 KiB, 2176 KiB
pad: 2112 KiB, 5282 KiB
cumsum: 2048 KiB, 103488 KiB
repeat_interleave: 10240 KiB, 12416 KiB
rand: 2048 KiB, 5184 KiB'
