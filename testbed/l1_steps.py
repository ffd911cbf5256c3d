"""The ops whose L1 is captured in fixtures/l1, on a mock device: l1_steps.py SITUATION.

Prints a JSON line after each step, then waits for a line on standard input. A situation has the name of a directory of
fixtures/l1; its steps keep the tensors alive that the capture found. The line names the circular buffers that ttnn's own
graph capture saw in the step: address, bytes, and whether they are the memory of a tensor."""

import json
import os
import sys

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

graphs = ttnn._ttnn.graph  # ttnn.graph itself needs torch
situation = sys.argv[1]
options = {
    "wormhole-large-ring": {"worker_l1_size": 1_300_000},
    "wormhole-two-queues": {"num_command_queues": 2},
}
device = ttnn.open_device(
    device_id=0, l1_small_size=32768, trace_region_size=1 << 20, **options.get(situation, {})
)
live = {}


def tensor(shape, memory=ttnn.DRAM_MEMORY_CONFIG, layout=ttnn.TILE_LAYOUT):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), ttnn.bfloat16, layout, device, memory)


def report(step, graph):
    nodes = [node["params"] for node in graph if node["node_type"] == "circular_buffer_allocate"]
    buffers = [[int(node["address"]), int(node["size"]), int(node["globally_allocated"])] for node in nodes]
    line = {"step": step, "pid": os.getpid(), "circular_buffers": buffers}
    print(json.dumps(line), file=REPORT, flush=True)
    sys.stdin.readline()


def sharded(grid, strategy):
    return ttnn.create_sharded_memory_config((1, 1, 512, 1024), grid, strategy)


def sharded_on(ranges, shard):
    cores = ttnn.CoreRangeSet({ttnn.CoreRange(ttnn.CoreCoord(*a), ttnn.CoreCoord(*b)) for a, b in ranges})
    spec = ttnn.ShardSpec(cores, shard, ttnn.ShardOrientation.ROW_MAJOR)
    return ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, spec)


def shard():
    live["sharded"] = ttnn.to_memory_config(l1, sharded(ttnn.CoreGrid(y=4, x=4), ttnn.ShardStrategy.BLOCK))


def height_shard():
    return ttnn.to_memory_config(l1, sharded(ttnn.CoreGrid(y=2, x=8), ttnn.ShardStrategy.HEIGHT))


def sharded_add():
    return ttnn.add(live["sharded"], live["sharded"], memory_config=live["sharded"].memory_config())


def sharded_layer_norm():
    config = ttnn.LayerNormShardedMultiCoreProgramConfig(
        compute_with_storage_grid_size=(4, 4), subblock_w=4, block_h=4, block_w=8, inplace=False
    )
    memory = live["sharded"].memory_config()
    return ttnn.layer_norm(live["sharded"], memory_config=memory, program_config=config)


def subrange_add():
    live["subrange"] = tensor([1, 1, 512, 128], sharded_on([((1, 1), (2, 3)), ((5, 5), (5, 6))], [64, 128]))
    return ttnn.add(live["subrange"], live["subrange"], memory_config=live["subrange"].memory_config())


def sdpa():
    query = tensor([1, 8, 256, 64])
    return ttnn.transformer.scaled_dot_product_attention(query, query, query, is_causal=True)


def max_pool():
    image = tensor([1, 1, 1024, 64], layout=ttnn.ROW_MAJOR_LAYOUT)
    return ttnn.max_pool2d(
        image, batch_size=1, input_h=32, input_w=32, channels=64, kernel_size=[2, 2], stride=[2, 2],
        padding=[0, 0], dilation=[1, 1],
    )


x = tensor([1, 1, 512, 1024])
w = tensor([1, 1, 1024, 2048])
l1 = None
if situation not in ("wormhole-fast-real", "wormhole-remote-cb"):
    l1 = tensor([1, 1, 512, 1024], ttnn.L1_MEMORY_CONFIG)
rows = ttnn.ROW_MAJOR_LAYOUT
steps = {
    "add": lambda: ttnn.add(x, x),
    "matmul": lambda: ttnn.matmul(x, w),
    "matmul_l1": lambda: ttnn.matmul(l1, w, memory_config=ttnn.L1_MEMORY_CONFIG),
    "gelu": lambda: ttnn.gelu(l1),
    "layer_norm": lambda: ttnn.layer_norm(x),
    "softmax": lambda: ttnn.softmax(x, -1),
    "shard": shard,
    "sharded_add": sharded_add,
    "height_shard": height_shard,
    "sharded_layer_norm": sharded_layer_norm,
    "small_add": lambda: ttnn.add(tensor([1, 1, 32, 96]), tensor([1, 1, 32, 96])),
    "subrange_add": subrange_add,
    "sdpa": sdpa,
    "max_pool": max_pool,
    "argmax": lambda: ttnn.argmax(tensor([1, 1, 32, 1024], layout=rows), dim=-1),
    "topk": lambda: ttnn.topk(tensor([1, 1, 32, 8192]), 32, -1),
    "concat": lambda: ttnn.concat([x, x], -1),
}
orders = {
    "wormhole-ops": list(steps),
    "blackhole-ops": list(steps),
    "wormhole": ["add", "matmul", "matmul_l1", "shard", "sharded_add"],
    "blackhole": ["add", "matmul", "matmul_l1", "shard", "sharded_add"],
    "wormhole-fast-dispatch": ["add", "matmul", "gelu"],
    "wormhole-fast-real": ["add", "matmul", "sdpa"],
    "wormhole-slow-finished": list(steps),
    "wormhole-large-ring": ["shard", "sharded_add"],
    "wormhole-two-queues": ["shard", "sharded_add"],
    "wormhole-remote-cb": ["add"],
}
for step in orders[situation]:
    graphs.begin_graph_capture(graphs.RunMode.NORMAL)
    result = steps[step]()
    graph = graphs.end_graph_capture()
    if result is not None:
        live[step] = result
    report(step, graph)
