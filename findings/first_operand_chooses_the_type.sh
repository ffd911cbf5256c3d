#!/bin/bash
# The first operand of add and matmul decides the type of the result, and with it the memory and the precision.
#
# A good guess: as in PyTorch, JAX and NumPy the wider of two types is that of the result, whichever comes first: float32 with bfloat16
#     gives float32, bfloat16 with bfloat8_b gives bfloat16. concat, which has no arithmetic to do, is no less lenient.
# Seen (ttnn 0.81.1, mock n150): the result has the type of the first operand. weights + x with weights of bfloat8_b rounds the sum to
#     bfloat8_b, and x + weights does not: 1,088 or 4,096 KiB for 1 Mi numbers when x is float32. matmul does so too. concat
#     of two types raises an error.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
import itertools
from common import *
device = ttnn.open_device(device_id=0)
tensors = [allocate(device, [1024, 1024], dtype=dtype) for dtype in (ttnn.bfloat8_b, ttnn.bfloat16, ttnn.float32)]
for first, second in itertools.permutations(tensors, 2):
    found = []
    for name, op in (("add", ttnn.add), ("matmul", ttnn.matmul)):
        result = op(first, second)
        _, left = dram_of(lambda: op(first, second))
        found.append(f"{name} {result.dtype.name} {left >> 10} KiB")
    say(f"{first.dtype.name} and {second.dtype.name}: {', '.join(found)}")
try:
    say("concat of the three:", ttnn.concat(tensors, 0).dtype.name)
except RuntimeError:
    say("concat of the three: an error")
PYTHON
)
conclude 'the type of the wider one, for both orders' "$seen" 'BFLOAT8_B and BFLOAT16: add BFLOAT8_B 1088 KiB, matmul BFLOAT8_B 1088 KiB
BFLOAT8_B and FLOAT32: add BFLOAT8_B 1088 KiB, matmul BFLOAT8_B 1088 KiB
BFLOAT16 and BFLOAT8_B: add BFLOAT16 2048 KiB, matmul BFLOAT16 2048 KiB
BFLOAT16 and FLOAT32: add BFLOAT16 2048 KiB, matmul BFLOAT16 2048 KiB
FLOAT32 and BFLOAT8_B: add FLOAT32 4096 KiB, matmul FLOAT32 4096 KiB
FLOAT32 and BFLOAT16: add FLOAT32 4096 KiB, matmul FLOAT32 4096 KiB
concat of the three: an error'
