#!/bin/bash
# The second capture of an op has no circular buffers, and its peak is lower.
#
# A good guess: capturing the same op with the same shapes twice gives the same resource usage per core.
# Seen (ttnn 0.81.1, mock n150): the first capture of add has circular buffers of 12,288 bytes on a core. In the second the program
#     comes from the program cache, whose circular buffers are placed already: there are none, and the peak of the op is that of its
#     output. After clear_program_cache they are there again.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
graph = ttnn._ttnn.graph
device = ttnn.open_device(device_id=0)
x = allocate(device, [512, 512], ttnn.L1_MEMORY_CONFIG)

def usage():
    graph.begin_graph_capture(graph.RunMode.NORMAL)
    output = ttnn.add(x, x, memory_config=ttnn.L1_MEMORY_CONFIG)
    usage = graph.extract_resource_usage_per_core(graph.end_graph_capture())
    return usage.peak_cb, usage.peak_total

say("first:", *usage())
say("second:", *usage())
device.clear_program_cache()
say("cleared:", *usage())
PYTHON
)
conclude 'three times the same' "$seen" 'first: 12288 20480
second: 0 8192
cleared: 12288 20480'
