#!/bin/bash
# reallocate moves a tensor that has no room for a copy, and does nothing to one that has a view.
#
# A good guess: reallocate, which is for fragmented memory, allocates a new tensor and copies the old one: both are there for a
#     moment, so a tensor of 70 % of the device cannot be moved. A view of the tensor keeps the old memory, or it is an error.
# Seen (ttnn 0.81.1, mock n150): the old memory is freed first, and the tensor moved to where the next allocation goes, onto itself in
#     part. A tensor that is where it would go stays there, but the old name says that it is freed. When a view of the tensor
#     lives nothing is moved, without a word, and all names refer to the same memory.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tiles = view(device, "DRAM").total_bytes_per_bank * 7 // 10 // 2048 * 12

def moved(name, tensor, last=None):
    address = tensor.buffer_address()
    result = ttnn.reallocate(last or tensor)
    how = {True: "in place", False: "moved"}[result.buffer_address() == address]
    say(f"{name}: {how}, old name allocated: {tensor.is_allocated()}, {allocated(device)} bytes per bank")
    ttnn.deallocate(result)

hole, large = allocate(device, [32, 32]), allocate(device, [32, 32 * tiles])
ttnn.deallocate(hole)
moved("70 % of the device", large)
moved("without a hole", allocate(device, [1024, 1024]))
hole, tensor = allocate(device, [1024, 1024]), allocate(device, [1024, 1024])
between = ttnn.reshape(tensor, [1, 1024, 1024])
ttnn.deallocate(hole)
moved("with a view", tensor, between)
PYTHON
)
conclude '70 % of the device: no room
without a hole: in place, old name allocated: True, 176128 bytes per bank
with a view: moved, old name allocated: True, 352256 bytes per bank' "$seen" \
    '70 % of the device: moved, old name allocated: False, 750884864 bytes per bank
without a hole: in place, old name allocated: False, 176128 bytes per bank
with a view: in place, old name allocated: True, 176128 bytes per bank'
