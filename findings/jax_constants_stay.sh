#!/bin/bash
# An array that a JAX function has captured stays on the device when the function is gone.
#
# A good guess: the 4 MiB of an array that a jitted function uses from outside are part of its compiled program, and are freed with
#     it: when the function is deleted, or at the latest by jax.clear_caches().
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): neither frees them. Three functions in turn, each with an array of its own, leave
#     12 MiB. An array that was put on the device stays like one of numpy.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *

def in_use():
    gc.collect()
    return jax.devices()[0].memory_stats()["bytes_in_use"] >> 20

def captured(put):
    constant = put(numpy.random.rand(1024, 1024).astype(numpy.float32))
    jax.jit(lambda x: x + constant)(array).block_until_ready()

array = jax.device_put(numpy.ones((1024, 1024), numpy.float32))
jax.jit(lambda x: x + 1)(array).block_until_ready()
say(f"start: {in_use()} MiB")
for name, put in (("numpy", numpy.asarray), ("numpy", numpy.asarray), ("device_put", jax.device_put)):
    captured(put)
    function_gone = in_use()
    jax.clear_caches()
    say(f"{name}: {function_gone} MiB, {in_use()} MiB after clear_caches")
PYTHON
)
conclude 'each: 4 MiB after clear_caches' "$seen" 'start: 4 MiB
numpy: 8 MiB, 8 MiB after clear_caches
numpy: 12 MiB, 12 MiB after clear_caches
device_put: 16 MiB, 16 MiB after clear_caches'
