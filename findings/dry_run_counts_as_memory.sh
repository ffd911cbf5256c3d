#!/bin/bash
# A graph capture without dispatch puts bytes into the region in /dev/shm that are nowhere on the device.
#
# A good guess: RunMode.NO_DISPATCH allocates nothing, so no counter of memory moves.
# Seen (ttnn 0.81.1, mock n150): the allocator stays at 0 and the tensor has address 0, but says that it is allocated; the
#     region has its 2,097,152 B, also after the capture has ended, until the tensor is deleted. A dry run of a model that is
#     larger than the device shows as a device that is more than full.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
ttnn._ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NO_DISPATCH)
tensor = allocate(device, [1024, 1024])
ttnn._ttnn.graph.end_graph_capture()
say("is_allocated", tensor.is_allocated(), "address", tensor.buffer_address())
say("allocator", allocated(device), "region", region()[0]["dram"])
del tensor
say("deleted: region", region()[0]["dram"])
PYTHON
)
conclude $'allocator 0 region 0' "$seen" 'is_allocated True address 0
allocator 0 region 2097152
deleted: region 0'
