"""Measures loops of stock ttnn on request: reads `pairs`, `nested`, `ops` or `captured`, answers with microseconds of one.

The microseconds are processor time of the whole process, the agent's thread included: what else the machine does is not
in them."""

import os
import sys
import time

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

PAIRS, OPS = 20_000, 500
device = ttnn.open_device(device_id=0)
shape = ttnn.Shape([1, 1, 32, 32])


# Without the Python around it, so that the loop is as tight as it can be.
allocate = ttnn.allocate_tensor_on_device.function
arguments = shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG


def pairs():
    for _ in range(PAIRS):
        allocate(*arguments)  # freed at once, because nothing keeps it
    return PAIRS


def nested(depth=16):
    """Pairs under a stack of Python calls, by eight lines in turns: eight stacks."""
    if depth:
        return nested(depth - 1)
    for _ in range(PAIRS // 8):
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
        allocate(*arguments)
    return PAIRS


x = allocate(*arguments)


def ops():
    for _ in range(OPS):
        ttnn.add(x, x)
    return OPS


def captured():
    """The loop of ops while ttnn captures its graph: the only other way to see circular buffers."""
    graphs = ttnn._ttnn.graph  # ttnn.graph itself needs torch
    graphs.begin_graph_capture(graphs.RunMode.NORMAL)
    ops()
    graphs.end_graph_capture()
    return OPS


for line in sys.stdin:
    loop = {"pairs": pairs, "nested": nested, "ops": ops, "captured": captured}[line.strip()]
    start = time.process_time()
    count = loop()
    print((time.process_time() - start) / count * 1e6, file=REPORT, flush=True)
