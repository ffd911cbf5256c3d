#!/bin/bash
# A loop that slices adds a program for each start, and the host keeps them all.
#
# A good guess: the program cache has one program for slices of one size of a tensor; where a slice starts is a number that the
#     kernel gets at each call, as the position of update_cache is. 256 steps of a loop over a sequence take as much as the first.
# Seen (ttnn 0.81.1, mock n150): the start is part of the key. 256 slices of one row of tiles at 256 places are 256 programs, with at
#     least 20 KiB of the host's memory each, and none is ever dropped. 256 calls of update_cache at 256 places are one, 256 calls of
#     gelu of as many shapes too; concat has one for each shape.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [32 * 256, 1024])
cache, step = allocate(device, [1, 1, 256, 64]), allocate(device, [1, 1, 32, 64])

def host_kib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

for name, op in (
    ("slice at 256 places", lambda place: ttnn.slice(tensor, [32 * place, 0], [32 * place + 32, 1024])),
    ("update_cache at 256 places", lambda place: ttnn.update_cache(cache, step, place)),
    ("gelu of 256 shapes", lambda place: ttnn.gelu(allocate(device, [32 * place + 32, 64]))),
    ("concat of 256 shapes", lambda place: ttnn.concat([allocate(device, [32 * place + 32, 64]), step[0, 0]], 0)),
):
    programs, host = device.num_program_cache_entries(), 0
    for place in range(256):
        if place == 1:
            host = host_kib()
        op(place)
    programs, host = device.num_program_cache_entries() - programs, (host_kib() - host) // 255
    say(f"{name}: {programs} programs, {'at least 20 KiB' if host >= 20 else 'less than 20 KiB'} of the host a call")
PYTHON
)
conclude 'each of the first three: 1 programs, less than 20 KiB of the host a call' "$seen" \
    'slice at 256 places: 256 programs, at least 20 KiB of the host a call
update_cache at 256 places: 1 programs, less than 20 KiB of the host a call
gelu of 256 shapes: 1 programs, less than 20 KiB of the host a call
concat of 256 shapes: 256 programs, at least 20 KiB of the host a call'
