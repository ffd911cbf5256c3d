#!/bin/bash
# The circular buffers of most ops are no circular buffers in a captured graph.
#
# A good guess: each op with a program has circular_buffer_allocate nodes; their sum is the op's L1 use beside tensors.
# Seen (ttnn 0.81.1, mock n150, NO_DISPATCH): add and untilize have such nodes. matmul, gelu, softmax, transpose and concat
#     have none: what they reserve at the same end of L1 are dataflow_buffer_allocate nodes, and sum has one
#     scratchpad_allocate besides.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
x, y = allocate(device, [64, 64]), allocate(device, [64, 64])
ops = {
    "add": lambda: ttnn.add(x, y),
    "untilize": lambda: ttnn.to_layout(x, ttnn.ROW_MAJOR_LAYOUT),
    "matmul": lambda: ttnn.matmul(x, y),
    "gelu": lambda: ttnn.gelu(x),
    "softmax": lambda: ttnn.softmax(x, -1),
    "transpose": lambda: ttnn.transpose(x, -1, -2),
    "concat": lambda: ttnn.concat([x, y], -1),
    "sum": lambda: ttnn.sum(x, -1),
}
for name, op in ops.items():
    ttnn._ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NO_DISPATCH)
    op()
    kinds = {node["node_type"] for node in ttnn._ttnn.graph.end_graph_capture()}
    say(name, *sorted(kind for kind in kinds if kind.endswith("_allocate") and kind != "buffer_allocate"))
PYTHON
)
conclude 'circular_buffer_allocate for each op' "$seen" 'add circular_buffer_allocate
untilize circular_buffer_allocate
matmul dataflow_buffer_allocate
gelu dataflow_buffer_allocate
softmax dataflow_buffer_allocate
transpose dataflow_buffer_allocate
concat dataflow_buffer_allocate
sum dataflow_buffer_allocate scratchpad_allocate'
