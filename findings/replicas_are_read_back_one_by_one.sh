#!/bin/bash
# Reading a replicated tensor back takes its bytes on the host once for each chip, though one is all there is to know.
#
# A good guess: a tensor that is replicated over two chips knows that it is, and from_device reads it from one of them: 64 MiB for 64.
# Seen (ttnn 0.81.1, mock n300): from_device makes a tensor of both copies, 128 MiB on the host, and so it does for what zeros, or
#     to_device of a plain tensor, has put on a mesh: these are replicated too. dump_tensor of the same tensor knows better, and
#     writes 64 MiB. A tensor that is sharded over the chips takes 64 in both.
source "$(dirname -- "$0")/lib.sh"

mock_machine n300
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 2))
path = os.path.join(os.environ["TMPDIR"], "tensor.tensorbin")
bfloat16 = {"dtype": ttnn.bfloat16, "layout": ttnn.TILE_LAYOUT}
tensor = ttnn.zeros([8192, 4096], **bfloat16)

def host_mib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) >> 10

for name, put in (
    ("replicated", lambda: ttnn.to_device(ttnn.distribute_tensor(tensor, ttnn.replicate_tensor_to_mesh_mapper(mesh)), mesh)),
    ("plain", lambda: ttnn.to_device(tensor, mesh)),
    ("zeros", lambda: ttnn.zeros([8192, 4096], **bfloat16, device=mesh)),
    ("sharded", lambda: ttnn.to_device(ttnn.distribute_tensor(tensor, ttnn.shard_tensor_to_mesh_mapper(mesh, 0)), mesh)),
):
    on_mesh = put()
    before = host_mib()
    back = ttnn.from_device(on_mesh)
    grown = host_mib() - before
    ttnn.dump_tensor(path, back)
    say(f"{name}: {round(grown / 16) * 16} MiB on the host, {os.path.getsize(path) >> 20} MiB in a file")
    del on_mesh, back
PYTHON
)
conclude 'each: 64 MiB on the host, 64 MiB in a file' "$seen" 'replicated: 128 MiB on the host, 64 MiB in a file
plain: 128 MiB on the host, 64 MiB in a file
zeros: 128 MiB on the host, 64 MiB in a file
sharded: 64 MiB on the host, 64 MiB in a file'
