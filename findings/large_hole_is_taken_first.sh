#!/bin/bash
# The order of two allocations decides whether both fit: a small tensor takes the large hole though a small one fits exactly.
#
# A good guess: with a hole of 2 MiB and one of 1 MiB in each bank, a tensor of 1 MiB takes the hole that it fills, as an allocator
#     with lists by size does. Both tensors fit, in either order.
# Seen (ttnn 0.81.1, mock n150): the first hole that is large enough is taken, from the low end in DRAM and from the high end in L1. If
#     that is the large one, the small tensor divides it, and there is no room for the large tensor. In the other order both fit.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)

# allocates so many tiles in each bank.
def tiles(memory, count):
    return allocate(device, [32, 32 * count * view(device, memory.buffer_type.name).num_banks], memory)

for memory, large, small in ((ttnn.DRAM_MEMORY_CONFIG, 1024, 512), (ttnn.L1_MEMORY_CONFIG, 128, 64)):
    kind = memory.buffer_type.name
    holes = tiles(memory, large), tiles(memory, 1), tiles(memory, small), tiles(memory, 1)
    rest = tiles(memory, view(device, kind).total_bytes_free_per_bank // 2048)
    ttnn.deallocate(holes[0])
    ttnn.deallocate(holes[2])
    for order in ((small, large), (large, small)):
        tensors = []
        try:
            for count in order:
                tensors.append(tiles(memory, count))
            fit = "both fit"
        except RuntimeError:
            fit = "no room for the second"
        say(f"{kind}, {order[0] * 2} KiB and {order[1] * 2} KiB in each bank: {fit}")
        del tensors
    del holes, rest
PYTHON
)
conclude 'both fit, four times' "$seen" 'DRAM, 1024 KiB and 2048 KiB in each bank: no room for the second
DRAM, 2048 KiB and 1024 KiB in each bank: both fit
L1, 128 KiB and 256 KiB in each bank: no room for the second
L1, 256 KiB and 128 KiB in each bank: both fit'
