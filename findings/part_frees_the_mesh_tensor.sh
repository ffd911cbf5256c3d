#!/bin/bash
# deallocate of one chip's part of a mesh tensor frees the parts of all chips.
#
# A good guess: get_device_tensors gives a tensor for each chip, and deallocate of one frees the memory of that chip alone. The mesh
#     tensor and the other parts stay.
# Seen (ttnn 0.81.1, mock n300 as a 1 x 2 mesh): after deallocate of the second part neither part nor the mesh tensor is allocated,
#     no buffer is left, and the next tensor gets the address.
source "$(dirname -- "$0")/lib.sh"

mock_machine n300
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
workers = ttnn.DispatchCoreConfig(ttnn.DispatchCoreType.WORKER)
mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 2), dispatch_core_config=workers)
whole = allocate(mesh, [1024, 1024])
address = whole.buffer_address()
parts = ttnn.get_device_tensors(whole)
ttnn.deallocate(parts[1])
say("parts allocated:", [part.is_allocated() for part in parts])
say("mesh tensor allocated:", whole.is_allocated())
say("bytes per bank:", allocated(mesh), "buffers:", len(ttnn._ttnn.reports.get_buffers([mesh])))
say("address given out again:", allocate(mesh, [1024, 1024]).buffer_address() == address)
PYTHON
)
conclude 'parts allocated: [True, False]
mesh tensor allocated: True
bytes per bank: 176128 buffers: 1
address given out again: False' "$seen" 'parts allocated: [False, False]
mesh tensor allocated: False
bytes per bank: 0 buffers: 0
address given out again: True'
