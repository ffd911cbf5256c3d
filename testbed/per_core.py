"""Tensors whose shards each core allocates by itself, in the hybrid allocator mode, on a mock device.

After each step a JSON line: the process, what TT-Metal's view and list of L1 have, and the bytes that single cores hold,
which neither has. The next step comes after a line on standard input.
"""

import json
import os
import sys

os.environ["TT_METAL_ALLOCATOR_MODE_HYBRID"] = "1"
REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

device = ttnn.open_device(device_id=0)
# Bytes on single cores, by the tensor's name.
held = {}


def say(step):
    view = ttnn.get_memory_view(device, ttnn.BufferType.L1)
    line = {
        "step": step,
        "pid": os.getpid(),
        "allocated": view.total_bytes_allocated_per_bank * view.num_banks,
        "listed": len(ttnn._ttnn.reports.get_buffers([device])),
        "per_core": [list(one) for one in held.values()],
    }
    print(json.dumps(line), file=REPORT, flush=True)
    sys.stdin.readline()


def sharded(columns, is_per_core):
    cores = ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, 0))])
    spec = ttnn.ShardSpec(cores, [64, 32], ttnn.ShardOrientation.ROW_MAJOR)
    memory = ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, spec)
    if is_per_core:
        memory.experimental_set_per_core_allocation(True)
    shape = ttnn.Shape([64 * columns, 32])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)


def per_core(name, columns):
    tensor = sharded(columns, True)
    page = tensor.buffer_aligned_page_size()
    held[name] = (columns, tensor.buffer_num_pages() // columns * page)
    return tensor


everywhere = sharded(4, False)
say("lockstep")
four = per_core("four", 4)
say("four cores")
two = per_core("two", 2)
say("and two")
again = per_core("again", 4)
say("and four more")
ttnn.deallocate(four)
del held["four"]
say("four freed")
ttnn.close_device(device)
held.clear()
