#!/bin/bash
# to_numpy of a bfloat16 tensor, ttnn's usual type, is not an array of numbers; the type with half the bits is.
#
# A good guess: NumPy has no bfloat16, so to_numpy gives float32 for bfloat16 and for bfloat8_b, or raises an error for both. int64 numbers
#     become INT32, so that -1 stays -1.
# Seen (ttnn 0.81.1, NumPy 1.26.4): bfloat8_b becomes float32, twice the bytes of bfloat16. For bfloat16 there is no error: the result
#     is an array of no dimensions whose only element is an object. On the way in, int64 becomes UINT32: -1, or the -100 that
#     many losses ignore, comes back as a number near 4,294,967,296.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
"$python" -m pip --disable-pip-version-check install --quiet --no-compile --no-deps --target "$temporary/numpy" numpy==1.26.4 >&2 ||
    unsupported 'pip cannot install numpy'
seen=$(run_python "$temporary/numpy" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from common import *
import numpy
for dtype in (ttnn.float32, ttnn.bfloat8_b, ttnn.bfloat16):
    array = ttnn.ones([64, 64], dtype=dtype, layout=ttnn.TILE_LAYOUT).to_numpy()
    say(f"{dtype.name}: {array.dtype} {array.shape}")
for dtype in (numpy.int32, numpy.int64):
    tensor = ttnn.Tensor(numpy.array([[1, -1, -100]], dtype))
    say(f"{dtype.__name__}: {tensor.dtype.name} {tensor.to_list()}")
PYTHON
)
conclude 'float32 (64, 64) for the first three, INT32 [[1, -1, -100]] for the other two' "$seen" 'FLOAT32: float32 (64, 64)
BFLOAT8_B: float32 (64, 64)
BFLOAT16: object ()
int32: INT32 [[1, -1, -100]]
int64: UINT32 [[1, 4294967295, 4294967196]]'
