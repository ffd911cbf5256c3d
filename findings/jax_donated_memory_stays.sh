#!/bin/bash
# The memory of an array that was donated to a JAX computation stays taken while a Python name refers to the array.
#
# A good guess: donate_argnums lets the result take the memory of the argument; at the latest when the argument says that it is
#     deleted, its 4 MiB are free. A chain of donating steps needs one array or two.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): after two steps the first two arrays say that they are deleted, and the device
#     has three arrays of 4 MiB. Each is freed when its last Python name goes.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
step = jax.jit(lambda x: x + 1, donate_argnums=0)
arrays = [jax.device_put(numpy.ones((1024, 1024), numpy.float32))]
for _ in range(2):
    arrays.append(step(arrays[-1]).block_until_ready())
    say("deleted:", [array.is_deleted() for array in arrays], "arrays of 4 MiB on the device:", dram() // 4194304)
while arrays:
    arrays.pop(0)
    gc.collect()
    say("names:", len(arrays), "arrays of 4 MiB on the device:", dram() // 4194304)
PYTHON
)
conclude 'deleted: [True, False] arrays of 4 MiB on the device: 1
deleted: [True, True, False] arrays of 4 MiB on the device: 1
names: 2 arrays of 4 MiB on the device: 1
names: 1 arrays of 4 MiB on the device: 1
names: 0 arrays of 4 MiB on the device: 0' "$seen" 'deleted: [True, False] arrays of 4 MiB on the device: 2
deleted: [True, True, False] arrays of 4 MiB on the device: 3
names: 2 arrays of 4 MiB on the device: 2
names: 1 arrays of 4 MiB on the device: 1
names: 0 arrays of 4 MiB on the device: 0'
