#!/bin/bash
# A tensor whose shards each core allocates by itself is in no memory view and in no list of buffers.
#
# A good guess: `get_memory_view` of L1 and `reports.get_buffers` have all that is allocated, also in the hybrid allocator
#     mode (`TT_METAL_ALLOCATOR_MODE_HYBRID=1`).
# Seen (ttnn 0.81.1, mock n150): four shards of 2048 B that their cores allocated leave the view at 0 B and the list empty.
#     The tensor says that it is allocated, and the next ordinary tensor gets an address below it.
source "$(dirname -- "$0")/lib.sh"

install_ttnn 0.81.1
mock_machine n150
export TT_METAL_ALLOCATOR_MODE_HYBRID=1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
cores = ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(3, 0))])
spec = ttnn.ShardSpec(cores, [32, 32], ttnn.ShardOrientation.ROW_MAJOR)


def state(what):
    buffers = ttnn._ttnn.reports.get_buffers([device])
    say(what, "view", allocated(device, "L1"), "listed", len(buffers))


def sharded(is_per_core):
    memory = ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, spec)
    if is_per_core:
        memory.experimental_set_per_core_allocation(True)
    return allocate(device, [128, 32], memory)


one = sharded(True)
state("per core, is allocated " + str(one.is_allocated()))
first = one.experimental_per_core_buffer_address(ttnn.MeshCoordinate(0, 0), ttnn.CoreCoord(0, 0))
other = sharded(False)
state("and ordinary, lower by " + str(first - other.buffer_address()))
PYTHON
)
conclude 'view 2048 listed 1, then view 4096 listed 2' "$seen" 'per core, is allocated True view 0 listed 0
and ordinary, lower by 2048 view 2048 listed 1'
