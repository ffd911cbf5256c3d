#!/bin/bash
# A comparison of float32 takes four bytes for each truth value, and bernoulli gives float32 for bfloat16.
#
# A good guess: the result of eq, isfinite or logical_not is zeros and ones: uint8, as a bool of PyTorch, or at most bfloat16. bernoulli,
#     which draws zeros and ones, gives them in the type of its input.
# Seen (ttnn 0.81.1, mock n150): comparisons have the type of their first operand: a mask over 1 Mi numbers takes 4,096 KiB for float32
#     or int32. There is no dtype argument of isfinite and logical_not; that of eq makes the mask in 1,024 KiB. bernoulli of
#     bfloat16 gives float32, twice its input.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
float32, int32, bfloat16 = (allocate(device, [1024, 1024], dtype=dtype) for dtype in (ttnn.float32, ttnn.int32, ttnn.bfloat16))
for name, op in (
    ("eq of float32", lambda: ttnn.eq(float32, float32)),
    ("gt of int32 and a number", lambda: ttnn.gt(int32, 5)),
    ("isfinite of float32", lambda: ttnn.isfinite(float32)),
    ("logical_not of float32", lambda: ttnn.logical_not(float32)),
    ("eq of float32, dtype=uint8", lambda: ttnn.eq(float32, float32, dtype=ttnn.uint8)),
    ("isfinite of float32, dtype=uint8", lambda: ttnn.isfinite(float32, dtype=ttnn.uint8)),
    ("bernoulli of bfloat16", lambda: ttnn.bernoulli(bfloat16)),
):
    try:
        dtype = op().dtype.name
        say(f"{name}: {dtype}, {dram_of(op)[0] >> 10} KiB")
    except TypeError:
        say(f"{name}: TypeError")
PYTHON
)
conclude 'UINT8 or BFLOAT16, 2048 KiB at most, in all' "$seen" 'eq of float32: FLOAT32, 4096 KiB
gt of int32 and a number: INT32, 4096 KiB
isfinite of float32: FLOAT32, 4096 KiB
logical_not of float32: FLOAT32, 4096 KiB
eq of float32, dtype=uint8: UINT8, 1024 KiB
isfinite of float32, dtype=uint8: TypeError
bernoulli of bfloat16: FLOAT32, 4096 KiB'
