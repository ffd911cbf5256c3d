#!/bin/bash
# JAX arrays of bool and int8 take two and four times their nbytes on the device.
#
# A good guess: an array of 1,048,576 booleans or bytes takes 1 MiB on the device, one of int32 or float32 4 MiB; nbytes of a JAX
#     array is what it takes, up to rounding.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): booleans take 2 MiB and int8 4 MiB, as much as int32 does. int8 in place of
#     int32 saves no device memory.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
for kind, op in (("bool", lambda x: ~x), ("int8", lambda x: x + 1), ("int32", lambda x: x + 1), ("float32", lambda x: x + 1)):
    array = jax.device_put(numpy.ones((1024, 1024), kind))
    result = jax.jit(op)(array).block_until_ready()
    before = dram()
    nbytes = result.nbytes
    del result
    gc.collect()
    say(f"{kind}: nbytes {nbytes}, on the device {before - dram()}")
PYTHON
)
conclude 'bool: nbytes 1048576, on the device 1048576
int8: nbytes 1048576, on the device 1048576
int32: nbytes 4194304, on the device 4194304
float32: nbytes 4194304, on the device 4194304' "$seen" 'bool: nbytes 1048576, on the device 2097152
int8: nbytes 1048576, on the device 4194304
int32: nbytes 4194304, on the device 4194304
float32: nbytes 4194304, on the device 4194304'
