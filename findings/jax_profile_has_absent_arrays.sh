#!/bin/bash
# JAX's profile of device memory has arrays that are not on the device, and programs of -1 bytes.
#
# A good guess: jax.profiler.device_memory_profile(), JAX's own tool for device memory, has the arrays that are on the device, so that
#     their sum is bytes_in_use of memory_stats; and it has programs with the bytes of their code.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, mock p150): an array of 4 MiB is in it from device_put on, when the device has nothing, and
#     after the read that moves it to the host. Each compiled program has -1 bytes: its code is not in the sum, which is a byte
#     less for each.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
import gzip
from jax_common import *

def number(data):
    value = shift = 0
    while True:
        byte = data.pop(0)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value

def fields(data):
    """Fields of a Protocol Buffers message: numbers and bytes."""
    data = bytearray(data)
    while data:
        key = number(data)
        if key & 7:
            size = number(data)
            yield key >> 3, data[:size]
            del data[:size]
        else:
            yield key >> 3, number(data)

def profile():
    """Bytes of each sample by its kind."""
    content = list(fields(gzip.decompress(jax.profiler.device_memory_profile())))
    strings = [value.decode() for key, value in content if key == 6]
    sizes = {"buffer": [], "executable": []}
    for sample in (list(fields(value)) for key, value in content if key == 2):
        labels = [dict(fields(value)) for key, value in sample if key == 3]
        kind = next(strings[label[2]] for label in labels if strings[label[1]] == "kind")
        values = next(value for key, value in sample if key == 2)
        size = (number(values), number(values))[1]
        sizes[kind].append(size - (size >> 63 << 64))
    return sizes

def report(when):
    gc.collect()
    in_use = jax.devices()[0].memory_stats()["bytes_in_use"] >> 20
    sizes = profile()
    say(f"{when}: {in_use} MiB in use, profile: arrays {sum(sizes['buffer']) >> 20} MiB, programs {sizes['executable']}")

array = jax.device_put(numpy.ones((1024, 1024), numpy.float32)).block_until_ready()
report("put")
step = jax.jit(lambda x: x + 1)
result = step(array).block_until_ready()
report("used")
numpy.asarray(result)
report("read")
PYTHON
)
conclude 'put: 0 MiB in use, profile: arrays 0 MiB, programs []
used: 8 MiB in use, profile: arrays 8 MiB, programs [some KiB]
read: 4 MiB in use, profile: arrays 4 MiB, programs [some KiB]' "$seen" 'put: 0 MiB in use, profile: arrays 4 MiB, programs []
used: 8 MiB in use, profile: arrays 8 MiB, programs [-1]
read: 4 MiB in use, profile: arrays 8 MiB, programs [-1]'
