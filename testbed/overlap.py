"""Tensors of a mesh and of a submesh on the same addresses of a chip, on a mock n300. Prints one JSON line with the tensors, then
waits for a line on standard input. Arguments: KiB of each tensor, 2048 and 4096 if not given."""

import json
import os
import sys

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 2))
first = mesh.create_submeshes(ttnn.MeshShape(1, 1))[0]


def tensor(device, kib):
    shape = ttnn.Shape([1, 1, int(kib) // 2, 1024])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG)


sizes = sys.argv[1:] or ["2048", "4096"]
tensors = [tensor(mesh, sizes[0]), tensor(first, sizes[1])]
said = {
    "step": "overlap",
    "pid": os.getpid(),
    "devices": list(first.get_device_ids()),
    "addresses": [tensor.buffer_address() for tensor in tensors],
    "banks": [ttnn.get_memory_view(device, ttnn.BufferType.DRAM).num_banks for device in (mesh, first)],
    "bytes_per_bank": [
        ttnn.get_memory_view(device, ttnn.BufferType.DRAM).total_bytes_allocated_per_bank for device in (mesh, first)
    ],
}
print(json.dumps(said), file=REPORT, flush=True)
sys.stdin.readline()
for one in tensors:
    one.deallocate()
ttnn.close_mesh_device(mesh)
