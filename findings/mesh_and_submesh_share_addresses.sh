#!/bin/bash
# A mesh and its submesh allocate the same bytes of a chip.
#
# A good guess: the chips have one allocator each, so a tensor of a submesh is put beside the tensors of the mesh it was made
#     from, or the second allocation is refused.
# Seen (ttnn 0.81.1, mock n300 as a 1 x 2 mesh): a mesh tensor and the tensors of both 1 x 1 submeshes have one address while
#     all three live. Each of the three allocators counts its own 2,048 B per bank, so none of them has the use of a chip; the
#     region in /dev/shm has the sum (16,384 B of chip 0) although 8,192 B of DRAM are in use.
source "$(dirname -- "$0")/lib.sh"

mock_machine n300
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
workers = ttnn.DispatchCoreConfig(ttnn.DispatchCoreType.WORKER)
mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 2), dispatch_core_config=workers)
submeshes = mesh.create_submeshes(ttnn.MeshShape(1, 1))
tensors = [allocate(device, [64, 64]) for device in (mesh, *submeshes)]
say("live tensors", sum(tensor.is_allocated() for tensor in tensors))
say("addresses", len({tensor.buffer_address() for tensor in tensors}))
say("bytes per bank", *(allocated(device) for device in (mesh, *submeshes)))
say("region", region()[0]["dram"])
PYTHON
)
conclude $'live tensors 3\naddresses 2 or 3\nbytes per bank 4096 2048 2048\nregion 16384' "$seen" \
    $'live tensors 3\naddresses 1\nbytes per bank 2048 2048 2048\nregion 16384'
