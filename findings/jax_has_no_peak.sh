#!/bin/bash
# JAX's memory statistics have a peak of -1 bytes, and name a host memory that takes no array.
#
# A good guess: peak_bytes_in_use of memory_stats, which programs print as their need of memory, is the most that was in use, as on a
#     GPU; what the plugin does not know is not among the keys. A memory among addressable_memories can be given to device_put,
#     so that pinned_host takes what is to leave the device.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): the keys are there, with -1 for the peak, the number of allocations and the largest
#     one: the maximum over devices or steps is -1, a sum of them too low. Only use, limit and largest free block are numbers.
#     device_put to pinned_host raises UNIMPLEMENTED.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
from jax_common import *
device = jax.devices()[0]
array = jax.device_put(numpy.ones((1024, 1024), numpy.float32))
result = jax.jit(lambda x: x + 1)(array).block_until_ready()
stats = device.memory_stats()
say("in use:", stats["bytes_in_use"] >> 20, "MiB")
say("-1:", *sorted(name for name, value in stats.items() if value == -1))
say("memories:", *sorted(memory.kind for memory in device.addressable_memories()))
host = jax.sharding.SingleDeviceSharding(device, memory_kind="pinned_host")
try:
    say("put:", jax.device_put(result, host).block_until_ready().sharding.memory_kind)
except jax.errors.JaxRuntimeError as error:
    say("put:", str(error).partition(":")[0])
PYTHON
)
conclude 'in use: 8 MiB
-1: none
memories: device pinned_host
put: pinned_host' "$seen" 'in use: 8 MiB
-1: largest_alloc_size num_allocs peak_bytes_in_use peak_bytes_reserved
memories: device pinned_host
put: UNIMPLEMENTED'
