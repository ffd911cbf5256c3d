#!/bin/bash
# An array that JAX has put on the device takes no device memory until a computation uses it.
#
# A good guess: after device_put and block_until_ready the 4 MiB of an array are on the device: in the region of TT-Metal, and as
#     bytes_in_use of the device's memory_stats. peak_bytes_in_use is the most of these.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): both are 0. The first computation with the array allocates it together with
#     its result, 8 MiB in all. Deleting both frees them. peak_bytes_in_use is -1 throughout.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
device = jax.devices()[0]
def report(when):
    stats = device.memory_stats()
    say(f"{when}: region {dram()}, in use {stats['bytes_in_use']}, peak {stats['peak_bytes_in_use']}")
array = jax.device_put(numpy.ones((1024, 1024), numpy.float32)).block_until_ready()
report("put")
result = (array + 1).block_until_ready()
report("used")
del array, result
gc.collect()
report("deleted")
PYTHON
)
conclude $'put: region 4194304, in use 4194304, peak 4194304
used: region 8388608, in use 8388608, peak 8388608
deleted: region 0, in use 0, peak 8388608' "$seen" \
    $'put: region 0, in use 0, peak -1
used: region 8388608, in use 8388608, peak -1
deleted: region 0, in use 0, peak -1'
