#!/bin/bash
# The L1 peak of a captured graph counts each buffer twice.
#
# A good guess: extract_peak_L1_memory_usage gives the bytes of the L1 buffers that lived at one time. A tensor of 64 KiB on one
#     core gives 65,536, one of four interleaved tiles 8,192.
# Seen (ttnn 0.81.1, mock n150): twice as much. The graph has a node for the buffer and one for its allocation, both with its size.
#     extract_resource_usage_per_core reads the second only, and agrees with the allocator: 65,536 and 2,048 bytes on a core.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
graph = ttnn._ttnn.graph
device = ttnn.open_device(device_id=0)
core = ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(0, 0))
shard = ttnn.ShardSpec(ttnn.CoreRangeSet({core}), [256, 128], ttnn.ShardOrientation.ROW_MAJOR)
sharded = ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, shard)
for shape, memory in (([256, 128], sharded), ([64, 64], ttnn.L1_MEMORY_CONFIG)):
    before = allocated(device, "L1")
    graph.begin_graph_capture(graph.RunMode.NORMAL)
    tensor = allocate(device, shape, memory)
    captured = graph.end_graph_capture()
    on_a_core = graph.extract_resource_usage_per_core(captured).peak_l1
    say(graph.extract_peak_L1_memory_usage(captured), on_a_core, allocated(device, "L1") - before)
    ttnn.deallocate(tensor)
PYTHON
)
conclude '65536 65536 65536, and 8192 2048 2048' "$seen" '131072 65536 65536
16384 2048 2048'
