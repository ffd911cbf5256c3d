#!/bin/bash
# Reading a JAX array moves it to the host; what it had on the device is freed, and stays in the memory region.
#
# A good guess: numpy.asarray copies the 4 MiB of an array to the host, and the array stays on the device, where the next computation
#     finds it. bytes_in_use and the region in /dev/shm go on saying 4 MiB.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): after the read nothing of it is in use on the device, and the next computation
#     puts it there again. The region does not see the memory go: each array that is read adds its size for good.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *

def in_use():
    gc.collect()
    return jax.devices()[0].memory_stats()["bytes_in_use"] >> 20

step = jax.jit(lambda x: x + 1)
array = step(jax.device_put(numpy.ones((1024, 1024), numpy.float32))).block_until_ready()
say(f"computed: {in_use()} MiB in use")
numpy.asarray(array)
say(f"read: {in_use()} MiB")
step(array).block_until_ready()
say(f"used again: {in_use()} MiB")
before = dram()
for _ in range(8):
    array = step(array).block_until_ready()
say(f"8 steps: {in_use()} MiB, {dram() - before >> 20} MiB more in the region")
before = dram()
for _ in range(8):
    numpy.asarray(array)
    array = step(array).block_until_ready()
grown = dram() - before >> 20
say(f"8 steps and reads: {in_use()} MiB, {'at least 28' if grown >= 28 else grown} MiB more in the region")
PYTHON
)
conclude 'always 4 MiB in use, and 0 MiB more in the region' "$seen" 'computed: 4 MiB in use
read: 0 MiB
used again: 4 MiB
8 steps: 4 MiB, 0 MiB more in the region
8 steps and reads: 4 MiB, at least 28 MiB more in the region'
