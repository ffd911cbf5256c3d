#!/bin/bash
# Of tensors in L1, matmul, linear, concat and stack put their result into DRAM, other ops into L1.
#
# A good guess: without memory_config the result of an op lies where its first input lies; all of a layer that starts in L1 stays there.
# Seen (ttnn 0.81.1, mock n150): so it is for element-wise ops, softmax, layer_norm, transpose, sum, sort and many more. The result of
#     matmul, linear, concat and stack is in DRAM, wherever the inputs are, and those of the ops after it are then. repeat and
#     pad, which move data as concat does, stay in L1. For matmul it is no help that its first input is sharded over cores.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
sharded = ttnn.create_sharded_memory_config([1024, 1024], ttnn.CoreGrid(x=8, y=8), ttnn.ShardStrategy.BLOCK)
tensor = allocate(device, [1024, 1024], ttnn.L1_MEMORY_CONFIG)
blocks = allocate(device, [1024, 1024], sharded)
places = {}
for name, op in (
    ("gelu", lambda: ttnn.gelu(tensor)),
    ("add", lambda: ttnn.add(tensor, tensor)),
    ("softmax", lambda: ttnn.softmax(tensor, -1)),
    ("layer_norm", lambda: ttnn.layer_norm(tensor)),
    ("transpose", lambda: ttnn.transpose(tensor, 0, 1)),
    ("sum", lambda: ttnn.sum(tensor, -1)),
    ("sort", lambda: ttnn.sort(tensor)[0]),
    ("repeat", lambda: ttnn.repeat(tensor, [2, 1])),
    ("pad", lambda: ttnn.pad(tensor, [(0, 32), (0, 0)], 0.0)),
    ("matmul", lambda: ttnn.matmul(tensor, tensor)),
    ("matmul of a sharded tensor", lambda: ttnn.matmul(blocks, tensor)),
    ("linear", lambda: ttnn.linear(tensor, tensor)),
    ("concat", lambda: ttnn.concat([tensor, tensor], 0)),
    ("stack", lambda: ttnn.stack([tensor, tensor], 0)),
):
    result = op()
    places.setdefault(result.memory_config().buffer_type.name, []).append(name)
    ttnn.deallocate(result)
for place, names in places.items():
    say(f"{place}: {', '.join(names)}")
PYTHON
)
conclude 'L1: all of them' "$seen" 'L1: gelu, add, softmax, layer_norm, transpose, sum, sort, repeat, pad
DRAM: matmul, matmul of a sharded tensor, linear, concat, stack'
