"""A random sequence of ops, allocations and frees on a mock device, for comparison with TT-Metal's own words:
l1_random.py SEED:STEPS.

Equal seeds make equal sequences. Prints a JSON line after each step, then waits for a line on standard input: what ttnn's graph
capture lists of the step, with dispatch and without, TT-Metal's message if it refused something, its memory view and its list of
buffers."""

import json
import os
import random
import re
import sys
import threading

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

graphs = ttnn._ttnn.graph  # ttnn.graph itself needs torch
reports = ttnn._ttnn.reports
seed, steps = (int(number) for number in sys.argv[1].split(":"))
rng = random.Random(seed)

BF16, BF8, BF4, F32, U32 = ttnn.bfloat16, ttnn.bfloat8_b, ttnn.bfloat4_b, ttnn.float32, ttnn.uint32
TILE, ROWS = ttnn.TILE_LAYOUT, ttnn.ROW_MAJOR_LAYOUT
DRAM, L1 = ttnn.DRAM_MEMORY_CONFIG, ttnn.L1_MEMORY_CONFIG
STRATEGIES = {"h": ttnn.ShardStrategy.HEIGHT, "w": ttnn.ShardStrategy.WIDTH, "b": ttnn.ShardStrategy.BLOCK}


def open_machine():
    options = {"l1_small_size": rng.choice([0, 16384, 32768, 65536])}
    if rng.random() < 0.2:
        options["worker_l1_size"] = 1_300_000
    if rng.random() < 0.2:
        options["num_command_queues"] = 2
    chips = ttnn.get_num_devices()
    if chips == 1 or rng.random() < 0.3:
        return ttnn.open_device(device_id=0, **options)
    shape = {2: [(1, 2)], 8: [(2, 4), (1, 8), (1, 2), (2, 2), (1, 4)]}.get(chips, [(1, 1)])
    return ttnn.open_mesh_device(ttnn.MeshShape(*rng.choice(shape)), **options)


device = open_machine()
grid = device.compute_with_storage_grid_size()
live = []  # (specification, tensor)
recipes = []  # (name, specifications of the inputs, function of the inputs)


def memory(kind, shape):
    """A memory configuration: "dram", "l1", or a strategy with rows and columns of cores."""
    if kind in ("dram", "l1"):
        return DRAM if kind == "dram" else L1
    how, y, x, orientation = kind
    orientation = ttnn.ShardOrientation.COL_MAJOR if orientation else ttnn.ShardOrientation.ROW_MAJOR
    return ttnn.create_sharded_memory_config(shape, ttnn.CoreGrid(y=y, x=x), STRATEGIES[how], orientation)


def new(spec):
    shape, dtype, kind, layout = spec
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), dtype, layout, device, memory(kind, shape))


def get(spec):
    """A live tensor of this kind, or a new one."""
    held = [tensor for known, tensor in live if known == spec and tensor.is_allocated()]
    if held and rng.random() < 0.5:
        return rng.choice(held)
    tensor = new(spec)
    if rng.random() < 0.5:
        live.append((spec, tensor))
    return tensor


def tiles(least=1, most=16):
    return 32 * rng.randint(least, most)


def dtype():
    return rng.choice([BF16, BF16, BF16, BF8, BF4, F32])


def interleaved():
    return rng.choice(["dram", "dram", "l1"])


def sharded():
    """Shape and sharding that fit each other."""
    how, transposed = rng.choice("hwb"), rng.random() < 0.2
    y, x = rng.randint(1, min(8, grid.y)), rng.randint(1, grid.x)
    high, wide = rng.randint(1, 4), rng.randint(1, 4)
    rows, columns = {"h": (y * x, 1), "w": (1, y * x), "b": (x, y) if transposed else (y, x)}[how]
    return (1, 1, 32 * rows * high, 32 * columns * wide), (how, y, x, transposed), (high, wide)


def spec():
    if rng.random() < 0.4:
        shape, kind, _ = sharded()
        return shape, rng.choice([BF16, BF16, BF8]), kind, TILE
    shape = (1, rng.choice([1, 1, 2, 4]), tiles(), tiles())
    return shape, dtype(), interleaved(), TILE


def result(of):
    """Returns the memory of the result: like the input, or elsewhere."""
    kind = rng.choice(["same", "same", "dram", "l1"])
    return memory(of[2], of[0]) if kind == "same" else memory(kind, of[0])


def unary():
    one, name = spec(), rng.choice(["relu", "gelu", "exp", "sqrt", "abs", "neg", "silu", "sigmoid", "tanh"])
    where = result(one)
    return name, [one], lambda a: getattr(ttnn, name)(a, memory_config=where)


def in_place():
    one = spec()
    name = rng.choice(["relu", "add", "softmax"])
    calls = {
        "relu": lambda a: ttnn.relu(a, output_tensor=a),
        "add": lambda a: ttnn.add(a, a, output_tensor=a),
        "softmax": lambda a: ttnn.softmax_in_place(a),
    }
    return f"{name} in place", [one], calls[name]


def binary():
    one, name = spec(), rng.choice(["add", "subtract", "multiply", "maximum", "eq"])
    shape, kind, memory_kind, layout = one
    other, where = one, result(one)
    if rng.random() < 0.3 and memory_kind in ("dram", "l1"):
        other = (rng.choice([(1, 1, 1, shape[3]), (1, 1, shape[2], 1), (1, 1, 1, 1)]), kind, interleaved(), layout)
    return name, [one, other], lambda a, b: getattr(ttnn, name)(a, b, memory_config=where)


def scalar():
    one = spec()
    return "multiply scalar", [one], lambda a: ttnn.multiply(a, 2.0)


def matmul():
    m, k, n = tiles(1, 24), tiles(1, 24), tiles(1, 24)
    batch = rng.choice([1, 1, 1, 2, 4])
    a = ((1, batch, m, k), dtype(), interleaved(), TILE)
    b = ((1, rng.choice([1, batch]), k, n), dtype(), interleaved(), TILE)
    where = rng.choice([DRAM, L1])
    options = rng.choice([{}, {}, {"core_grid": ttnn.CoreGrid(y=rng.randint(1, grid.y), x=rng.randint(1, grid.x))}])
    return "matmul", [a, b], lambda a, b: ttnn.matmul(a, b, memory_config=where, **options)


def divisor(number, most):
    return rng.choice([d for d in range(1, most + 1) if number % d == 0])


def matmul_1d():
    y, x = rng.randint(1, min(grid.y, 8)), rng.randint(2, grid.x)
    m, k, n = rng.randint(1, 3), rng.randint(1, 24), y * x * rng.randint(1, 2)
    columns = n // (y * x)
    a = ((1, 1, 32 * m, 32 * k), BF16, interleaved(), TILE)
    b = ((1, 1, 32 * k, 32 * n), rng.choice([BF16, BF8]), interleaved(), TILE)
    config = ttnn.MatmulMultiCoreReuseMultiCast1DProgramConfig(
        compute_with_storage_grid_size=(x, y), in0_block_w=divisor(k, 8), out_subblock_h=1,
        out_subblock_w=divisor(columns, 4), per_core_M=m, per_core_N=columns, fuse_batch=True, fused_activation=None,
        mcast_in0=True,
    )
    return "matmul 1d", [a, b], lambda a, b: ttnn.matmul(a, b, program_config=config)


def matmul_2d():
    y, x = rng.randint(2, min(grid.y, 8)), rng.randint(2, grid.x)
    m, k, n = y * rng.randint(1, 3), rng.randint(1, 24), x * rng.randint(1, 3)
    a = ((1, 1, 32 * m, 32 * k), BF16, interleaved(), TILE)
    b = ((1, 1, 32 * k, 32 * n), rng.choice([BF16, BF8]), interleaved(), TILE)
    config = ttnn.MatmulMultiCoreReuseMultiCastProgramConfig(
        compute_with_storage_grid_size=(x, y), in0_block_w=divisor(k, 8), out_subblock_h=1, out_subblock_w=1,
        per_core_M=m // y, per_core_N=n // x, transpose_mcast=rng.random() < 0.2, fused_activation=None,
    )
    return "matmul 2d", [a, b], lambda a, b: ttnn.matmul(a, b, program_config=config)


def matmul_sharded():
    shape, kind, _ = sharded()
    n = tiles(1, 8) if kind[0] == "h" else shape[3]
    a, b = (shape, BF16, kind, TILE), ((1, 1, shape[3], n), rng.choice([BF16, BF8]), interleaved(), TILE)
    out = rng.choice([L1, DRAM, memory(kind, (1, 1, shape[2], n))])
    return "matmul sharded", [a, b], lambda a, b: ttnn.matmul(a, b, memory_config=out)


def linear():
    m, k, n = tiles(), tiles(), tiles()
    a = ((1, 1, m, k), BF16, interleaved(), TILE)
    b, bias = ((1, 1, k, n), BF16, "dram", TILE), ((1, 1, 1, n), BF16, "dram", TILE)
    activation = rng.choice([None, "gelu", "relu"])
    return "linear", [a, b, bias], lambda a, b, c: ttnn.linear(a, b, bias=c, activation=activation)


def softmax():
    one, axis = spec(), rng.choice([-1, -1, -2])
    if rng.random() < 0.1:
        one = ((1, 1, 32, tiles(100, 4000)), BF16, "dram", TILE)
    return "softmax", [one], lambda a: ttnn.softmax(a, axis)


def norm():
    name = rng.choice(["layer_norm", "rms_norm"])
    one = ((1, 1, tiles(), tiles(1, 64)), rng.choice([BF16, BF8, F32]), interleaved(), TILE)
    inputs = [one]
    if rng.random() < 0.5:
        inputs.append(((1, 1, 1, one[0][3]), BF16, "dram", TILE))
        return name, inputs, lambda a, w: getattr(ttnn, name)(a, weight=w)
    return name, inputs, lambda a: getattr(ttnn, name)(a)


def norm_sharded():
    y, x = rng.randint(1, min(8, grid.y)), rng.randint(1, min(8, grid.x))
    high, wide = rng.randint(1, 3), rng.randint(1, 4)
    one = ((1, 1, 32 * y * high, 32 * x * wide), BF16, ("b", y, x, False), TILE)
    config = ttnn.LayerNormShardedMultiCoreProgramConfig(
        compute_with_storage_grid_size=(x, y), subblock_w=divisor(wide, 4), block_h=high, block_w=wide,
        inplace=rng.random() < 0.5,
    )
    where = memory(one[2], one[0])
    return "layer_norm sharded", [one], lambda a: ttnn.layer_norm(a, memory_config=where, program_config=config)


def move_memory():
    one = spec()
    if one[2] in ("dram", "l1"):
        shape, kind, _ = sharded()
        one = (shape, one[1], one[2], TILE)
        where = memory(kind, shape)
    elif rng.random() < 0.5:
        where = rng.choice([DRAM, L1])
    else:
        rows, columns = one[0][2] // 32, one[0][3] // 32
        kind = rng.choice([("h", 1, divisor(rows, grid.x), False), ("w", 1, divisor(columns, grid.x), False)])
        where = memory(kind, one[0])
    return "to_memory_config", [one], lambda a: ttnn.to_memory_config(a, where)


def concat():
    one = (1, 1, tiles(1, 8), tiles(1, 8))
    axis, kind, layout = rng.choice([-1, -2, 1]), rng.choice([BF16, BF16, F32]), rng.choice([TILE, ROWS])
    inputs = [(one, kind, interleaved(), layout)] * rng.randint(2, 4)
    where = rng.choice([DRAM, L1])
    return "concat", inputs, lambda *all: ttnn.concat(list(all), axis, memory_config=where)


def cut():
    one = ((1, rng.choice([1, 2]), tiles(2, 8), tiles(2, 8)), BF16, interleaved(), rng.choice([TILE, ROWS]))
    end = [one[0][0], one[0][1], 32, 32 * rng.randint(1, one[0][3] // 32)]
    return "slice", [one], lambda a: ttnn.slice(a, [0, 0, 0, 0], end)


def turn():
    one = ((1, rng.choice([1, 2, 4]), tiles(1, 8), tiles(1, 8)), rng.choice([BF16, F32]), interleaved(), TILE)
    axes = rng.choice([(-1, -2), (1, 2), (0, 1)])
    if rng.random() < 0.5:
        order = rng.choice([(0, 2, 1, 3), (0, 3, 1, 2), (0, 2, 3, 1), (3, 2, 1, 0)])
        return "permute", [one], lambda a: ttnn.permute(a, order)
    return "transpose", [one], lambda a: ttnn.transpose(a, *axes)


def reduction():
    one, name = spec(), rng.choice(["sum", "mean", "max", "min"])
    axis = rng.choice([-1, -2, None])
    return name, [one], lambda a: getattr(ttnn, name)(a) if axis is None else getattr(ttnn, name)(a, axis)


def layouts():
    one = ((1, 1, tiles(1, 8), tiles(1, 16)), rng.choice([BF16, F32, U32]), interleaved(), rng.choice([TILE, ROWS]))
    other = ROWS if one[3] == TILE else TILE
    return "to_layout", [one], lambda a: ttnn.to_layout(a, other)


def pad():
    one = ((1, 1, tiles(1, 6), tiles(1, 6)), BF16, interleaved(), rng.choice([TILE, ROWS]))
    return "pad", [one], lambda a: ttnn.pad(a, [(0, 0), (0, 0), (0, 32), (0, 64)], 0.0)


def typecast():
    one, to = spec(), rng.choice([BF16, BF8, F32, U32])
    return "typecast", [one], lambda a: ttnn.typecast(a, to)


def other():
    length = tiles(1, 16)
    image = 8 * rng.randint(1, 4)
    channels = 32 * rng.randint(1, 4)
    rows = ((1, 1, 32, length), BF16, "dram", ROWS)
    tile = ((1, 1, 32 * rng.randint(1, 4), length), BF16, interleaved(), TILE)
    heads = ((1, rng.choice([1, 4, 8]), tiles(1, 8), 64), BF16, "dram", TILE)
    pixels = ((1, 1, image * image, channels), BF16, interleaved(), ROWS)
    size = dict(batch_size=1, input_h=image, input_w=image, channels=channels, kernel_size=[2, 2], stride=[2, 2])
    return rng.choice([
        ("argmax", [rows], lambda a: ttnn.argmax(a, dim=-1)),
        ("embedding", [((1, length), U32, "dram", ROWS), ((1000, 256), BF16, "dram", ROWS)], ttnn.embedding),
        ("topk", [((1, 1, 32, 2048), BF16, "dram", TILE)], lambda a: ttnn.topk(a, 32, -1)),
        ("sort", [((1, 1, 32, 64), BF16, "dram", TILE)], lambda a: ttnn.sort(a, dim=-1)),
        ("where", [tile, tile, tile], ttnn.where),
        ("clone", [tile], ttnn.clone),
        ("move", [tile], ttnn.move),
        ("repeat", [tile], lambda a: ttnn.repeat(a, ttnn.Shape([1, 2, 1, 1]))),
        ("reshape", [tile], lambda a: ttnn.reshape(a, (1, 1, tile[0][3], tile[0][2]))),
        ("sdpa", [heads, heads, heads], lambda q, k, v: ttnn.transformer.scaled_dot_product_attention(q, k, v, is_causal=True)),
        ("concat heads", [heads], ttnn.experimental.nlp_concat_heads),
        ("max_pool", [pixels], lambda a: ttnn.max_pool2d(a, padding=[0, 0], dilation=[1, 1], **size)),
        ("avg_pool", [pixels], lambda a: ttnn.avg_pool2d(a, padding=[0, 0], **size)),
        ("upsample", [((1, image, image, channels), BF16, "dram", ROWS)], lambda a: ttnn.upsample(a, 2)),
        ("fill_cache", [((2, 4, 128, 64), BF16, "dram", TILE), ((1, 4, 64, 64), BF16, "dram", TILE)],
         lambda c, a: ttnn.fill_cache(c, a, 0)),
        ("cumsum", [tile], lambda a: ttnn.cumsum(a, -1)),
        ("full_like", [tile], lambda a: ttnn.full_like(a, 1.0)),
    ])


def conv():
    image, inside, outside = 8 * rng.randint(1, 4), 32 * rng.randint(1, 4), 32 * rng.randint(1, 4)
    side, stride = rng.choice([1, 3]), rng.choice([1, 2])
    layout = rng.choice([None, ttnn.TensorMemoryLayout.BLOCK_SHARDED, ttnn.TensorMemoryLayout.HEIGHT_SHARDED])
    config = ttnn.Conv2dConfig(weights_dtype=BF16, **({"shard_layout": layout} if layout else {}))

    def call(a):
        weight = ttnn.Tensor([0.0] * (outside * inside * side * side), [outside, inside, side, side], BF16, ROWS)
        return ttnn.conv2d(
            input_tensor=a, weight_tensor=weight, device=device, in_channels=inside, out_channels=outside, batch_size=1,
            input_height=image, input_width=image, kernel_size=(side, side), stride=(stride, stride),
            padding=(side // 2, side // 2), dilation=(1, 1), groups=1, conv_config=config,
        )

    return "conv2d", [((1, 1, image * image, inside), BF16, interleaved(), ROWS)], call


KINDS = [
    (unary, 6), (in_place, 3), (binary, 6), (scalar, 1), (matmul, 5), (matmul_1d, 3), (matmul_2d, 3), (matmul_sharded, 4),
    (linear, 2), (softmax, 4), (norm, 3), (norm_sharded, 3), (move_memory, 5), (concat, 3), (cut, 2), (turn, 3), (reduction, 4),
    (layouts, 2), (pad, 1), (typecast, 2), (other, 5), (conv, 1),
]


def nodes(graph):
    """The placements of a captured graph: kind, address, bytes, whether they are the memory of a tensor, cores, device."""
    kinds = {"circular_buffer_allocate": "cb", "dataflow_buffer_allocate": "dfb", "scratchpad_allocate": "scratch"}
    found = []
    for node in graph:
        kind = kinds.get(node["node_type"])
        if kind:
            of = node["params"]
            ranges = re.findall(r"(\d+)-(\d+) - (\d+)-(\d+)", of["core_range_set"])
            backed = of.get("globally_allocated", of.get("borrows_memory", "0"))
            cores = [[int(number) for number in one] for one in ranges]
            found.append([kind, int(of["address"]), int(of["size"]), int(backed), cores, int(of["device_id"])])
    return found


def captured(mode, call):
    graphs.begin_graph_capture(mode)
    try:
        value = call()
    finally:
        graph = nodes(graphs.end_graph_capture())
    return graph, value


# The ops that are not named like their function in ttnn.
FUNCTIONS = {
    "softmax in place": "softmax_in_place",
    "sdpa": "transformer.scaled_dot_product_attention",
    "concat heads": "experimental.nlp_concat_heads",
    "max_pool": "max_pool2d",
    "avg_pool": "avg_pool2d",
}


def run_op(line):
    if recipes and rng.random() < 0.5:
        recipe = rng.choice(recipes)
    else:
        recipe = rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]()
    name, inputs, call = recipe
    line["op"] = f"{name} {inputs}"
    line["function"] = "ttnn." + FUNCTIONS.get(name, name.split(" ")[0])
    tensors = [get(one) for one in inputs]
    if len(recipes) < 60:
        recipes.append(recipe)
    chance = rng.random()
    if chance < 0.4 and name not in ("move", "conv2d"):
        try:
            line["dry"], _ = captured(graphs.RunMode.NO_DISPATCH, lambda: call(*tensors))
        except Exception:
            pass
    if chance < 0.8:
        line["wet"], value = captured(graphs.RunMode.NORMAL, lambda: call(*tensors))
    else:
        value = call(*tensors)
    if isinstance(value, ttnn.Tensor) and rng.random() < 0.4:
        live.append((None, value))
    if rng.random() < 0.1:
        tensors[0].deallocate()


def in_thread(call):
    """Makes a call on another thread, and raises here what it raises."""
    raised = []

    def run():
        try:
            call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def reopen():
    global device, grid
    live.clear()
    recipes.clear()
    ttnn.close_mesh_device(device)
    device = open_machine()
    grid = device.compute_with_storage_grid_size()


def step(line):
    chance = rng.random()
    if chance < 0.08:
        line["op"] = "allocate"
        one = spec()
        live.append((one, new(one)))
    elif chance < 0.11:
        # So much that the next programs may not fit.
        line["op"] = "fill"
        one = ((1, 1, 32 * grid.x * grid.y, 32 * rng.randint(50, 650)), BF16, "l1", TILE)
        live.append((one, new(one)))
    elif chance < 0.23 and live:
        line["op"] = "free"
        for _ in range(rng.randint(1, 3)):
            if live:
                live.pop(rng.randrange(len(live)))
    elif chance < 0.24:
        line["op"] = "free all"
        live.clear()
    elif chance < 0.25:
        line["op"] = "no program cache"
        device.disable_and_clear_program_cache()
    elif chance < 0.27:
        line["op"] = "program cache"
        device.enable_program_cache()
    elif chance < 0.28:
        line["op"] = "clear program cache"
        device.clear_program_cache()
    elif chance < 0.29:
        line["op"] = "reopen"
        reopen()
    elif chance < 0.325:
        in_thread(lambda: run_op(line))
    else:
        run_op(line)


def told():
    view = {}
    for kind in ("DRAM", "L1", "L1_SMALL", "TRACE"):
        of = ttnn.get_memory_view(device, getattr(ttnn.BufferType, kind))
        view[kind] = [of.total_bytes_allocated_per_bank, of.num_banks, of.largest_contiguous_bytes_free_per_bank]
    buffers = [
        [one.address, one.max_size_per_bank, one.buffer_type.name]
        for one in reports.get_buffers([device])
    ]
    return {"view": view, "buffers": buffers}


for number in range(steps):
    line = {"step": number, "pid": os.getpid()}
    try:
        step(line)
    except Exception as error:
        line["error"] = str(error)
    line.update(told())
    print(json.dumps(line), file=REPORT, flush=True)
    if sys.stdin.readline() == "":
        break
