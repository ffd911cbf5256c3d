#!/bin/bash
# The vector that a JAX computation returns takes 32 times the memory of the same vector as its argument.
#
# A good guess: a float32 vector of 65,536 elements takes 256 KiB as argument and as result; as a column or as a row it takes no
#     more, up to rounding.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): the argument takes 256 KiB. The result is in tiles of 32 x 32, of which a
#     vector fills one row or one column: 8 MiB. The same elements as a square take 256 KiB.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
for shape in ((65536,), (65536, 1), (1, 65536), (256, 256)):
    array = jax.device_put(numpy.ones(shape, numpy.float32))
    result = jax.jit(lambda x: x + 1)(array).block_until_ready()
    both = dram()
    del result
    gc.collect()
    one = dram()
    del array
    gc.collect()
    say(f"{shape}: argument {one - dram()}, result {both - one}")
PYTHON
)
conclude 'each: argument 262144, result 262144' "$seen" '(65536,): argument 262144, result 8388608
(65536, 1): argument 262144, result 8388608
(1, 65536): argument 262144, result 8388608
(256, 256): argument 262144, result 262144'
