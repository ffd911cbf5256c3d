#!/bin/bash
# The memory region forgets a process when it closes one of its meshes, whatever it still has open.
#
# A good guess: a process that has two meshes open, of one chip each, and closes the second, stays in the region of the first chip
#     with the bytes of its tensor there; what it allocates next is added.
# Seen (ttnn 0.81.1, mock n300): closing the second mesh takes the process out of the first chip's region. Its tensor is still in
#     the allocator's figures, the region has 0 bytes and no process, and what it allocates after that is not counted.
source "$(dirname -- "$0")/lib.sh"

mock_machine n300
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import allocate, allocated, region, say, ttnn
first, second = (ttnn.open_mesh_device(ttnn.MeshShape(1, 1), physical_device_ids=[chip]) for chip in (0, 1))
tensors = [allocate(first, [1, 1, 1024, 1024]), allocate(second, [1, 1, 512, 1024])]
def state(when):
    totals, slots = region()
    say(when, totals["dram"], "in the region, of", len(slots), "processes;", allocated(first), "per bank allocated")
state("both open:")
ttnn.close_mesh_device(second)
state("one closed:")
tensors.append(allocate(first, [1, 1, 1024, 1024]))
state("one more tensor:")
PYTHON
)
conclude 'both open: 2097152 in the region, of 1 processes; 176128 per bank allocated
one closed: 2097152 in the region, of 1 processes; 176128 per bank allocated
one more tensor: 4194304 in the region, of 1 processes; 352256 per bank allocated' "$seen" \
    'both open: 2097152 in the region, of 1 processes; 176128 per bank allocated
one closed: 0 in the region, of 0 processes; 176128 per bank allocated
one more tensor: 0 in the region, of 0 processes; 352256 per bank allocated'
