"""Helpers for scripts that run in the Python of a stock ttnn."""

import os
import struct

# TT-Metal logs to standard output; that is for `say` alone.
REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402


def say(*words):
    print(*words, file=REPORT, flush=True)


def view(device, kind):
    """TT-Metal's allocator statistics of one kind of memory; its bytes are per bank."""
    return ttnn.get_memory_view(device, getattr(ttnn.BufferType, kind))


def allocated(device, kind="DRAM"):
    """Allocated bytes per bank."""
    return view(device, kind).total_bytes_allocated_per_bank


def allocate(device, shape, memory=ttnn.DRAM_MEMORY_CONFIG, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), dtype, layout, device, memory)


def region():
    """TT-Metal's shared memory region of the first mock chip: totals in bytes by kind, and the slots that have a process."""
    with open(f"/dev/shm/tt_device_{chip_id()}_memory", "rb") as file:
        content = file.read()
    totals = dict(zip(("dram", "l1", "l1_small", "trace", "cb"), struct.unpack_from("<5Q", content, 48)))
    slots = [struct.unpack_from("<i4xQ", content, 856 + 120 * index) for index in range(64)]
    return totals, [slot for slot in slots if slot[0]]


def chip_id():
    with open(os.environ["TT_METAL_MOCK_CLUSTER_DESC_PATH"]) as file:
        line = next(line for line in file if line.startswith("chip_unique_ids"))
    return line.partition("{0: ")[2].partition("}")[0].partition(",")[0]


def dram_of(op):
    """Bytes of DRAM on the chip that an op allocates, from a captured graph: the most at one time, and what is left at its end."""
    graph = ttnn._ttnn.graph
    graph.begin_graph_capture(graph.RunMode.NORMAL)
    result = op()
    now = most = 0
    for node in graph.end_graph_capture():
        sign = {"buffer_allocate": 1, "buffer_deallocate": -1}.get(node["node_type"], 0)
        if sign and node["params"]["type"] == "DRAM":
            now += sign * int(node["params"]["size"])
            most = max(most, now)
    del result
    return most, now
