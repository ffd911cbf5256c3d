#!/bin/bash
# Each reshape that moves tiles leaves a tensor on the device, which lives as long as the program cache.
#
# A good guess: when the result of a reshape is deleted, the allocator is where it was before. What the program cache keeps is on
#     the host.
# Seen (ttnn 0.81.1, mock n150): a reshape of 2 MiB that changes the last dimension allocates 1 MiB besides its result, a table of
#     tiles. It stays when the result is deleted, in the list of live buffers, without a tensor that a program could free.
#     The next reshape to the same shape uses it again; each other shape adds one, half of the tensor in size.
#     clear_program_cache frees them.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])
start = allocated(device)

def left(when):
    buffers = ttnn._ttnn.reports.get_buffers([device])
    say(f"{when}: {allocated(device) - start} bytes per bank, {len(buffers) - 1} buffers more than at the start")

for shape in ((2048, 512), (2048, 512), (4096, 256), (8192, 128)):
    ttnn.deallocate(ttnn.reshape(tensor, shape))
    left(f"after {shape[0]} x {shape[1]}")
device.clear_program_cache()
left("after clear_program_cache")
PYTHON
)
conclude 'after each: 0 bytes per bank, 0 buffers more than at the start' "$seen" \
    'after 2048 x 512: 88064 bytes per bank, 1 buffers more than at the start
after 2048 x 512: 88064 bytes per bank, 1 buffers more than at the start
after 4096 x 256: 176128 bytes per bank, 2 buffers more than at the start
after 8192 x 128: 264192 bytes per bank, 3 buffers more than at the start
after clear_program_cache: 0 bytes per bank, 0 buffers more than at the start'
