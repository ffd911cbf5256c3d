#!/bin/bash
# device_id in the list of live buffers is the number of a mesh, not of a chip.
#
# A good guess: BufferInfo.device_id is the id that get_device_ids has, so buffers can be grouped by chip.
# Seen (ttnn 0.81.1, mock n300 as a 1 x 2 mesh with two 1 x 1 submeshes): the numbers count the meshes in the order in which
#     they were opened. The buffer of both chips has device_id 0, that of chip 0 alone has 1, and that of chip 1 has 2.
source "$(dirname -- "$0")/lib.sh"

mock_machine n300
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
workers = ttnn.DispatchCoreConfig(ttnn.DispatchCoreType.WORKER)
mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 2), dispatch_core_config=workers)
for device in (mesh, *mesh.create_submeshes(ttnn.MeshShape(1, 1))):
    tensor = allocate(device, [64, 64])
    buffers = ttnn._ttnn.reports.get_buffers([device])
    say("chips", *device.get_device_ids(), "have device_id", *(buffer.device_id for buffer in buffers))
PYTHON
)
conclude $'chips 0 1 have device_id 0 1\nchips 0 have device_id 0\nchips 1 have device_id 1' "$seen" 'chips 0 1 have device_id 0
chips 0 have device_id 1
chips 1 have device_id 2'
