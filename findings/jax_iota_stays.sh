#!/bin/bash
# What a JAX program computes from nothing, such as arange and eye, stays on the device after its results are gone.
#
# A good guess: jax.numpy.eye(1024) takes 4 MiB, and nothing after its result was deleted; at the latest jax.clear_caches() frees what
#     its program holds. zeros is no different.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): so it is for zeros. The plugin computes iota, and what follows from it alone,
#     once, and keeps the value with the program: eye takes 12 MiB and leaves 8, iota takes 8 and leaves 4. The next call takes
#     4 for its result. clear_caches frees none of it.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
shape = (1024, 1024)

def mib():
    gc.collect()
    return dram() >> 20

for name, op in (
    ("zeros", lambda: jax.numpy.zeros(shape)),
    ("eye", lambda: jax.numpy.eye(1024)),
    ("iota", lambda: jax.lax.broadcasted_iota("float32", shape, 0)),
):
    start = mib()
    for call in ("first", "second"):
        result = op().block_until_ready()
        held = mib() - start
        result = None
        say(f"{name}, {call} call: {held} MiB, {mib() - start} MiB without the result")
    jax.clear_caches()
    say(f"{name}, after clear_caches: {mib() - start} MiB")
PYTHON
)
conclude 'each: 4 MiB, 0 MiB without the result, 0 MiB after clear_caches' "$seen" 'zeros, first call: 4 MiB, 0 MiB without the result
zeros, second call: 4 MiB, 0 MiB without the result
zeros, after clear_caches: 0 MiB
eye, first call: 12 MiB, 8 MiB without the result
eye, second call: 12 MiB, 8 MiB without the result
eye, after clear_caches: 8 MiB
iota, first call: 8 MiB, 4 MiB without the result
iota, second call: 8 MiB, 4 MiB without the result
iota, after clear_caches: 4 MiB'
