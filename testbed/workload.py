"""A workload whose memory use is known: it allocates, says what TT-Metal says of it, and waits to be looked at.

    testbed/run --mock n150 testbed/workload.py [--stepwise] [--hold] [--chip N] [STEP...]

Steps: dram[=MIB]  l1[=MIB]  sharded  l1_small  odd  trace  ops  free[=KIND], as in DEFAULT_STEPS if none is given; and
out_of_order  thread  fail  label  reopen.
It opens every chip of the machine as one mesh (each tensor is on each chip), or only chip N with --chip N.

After `open`, after each step and after `close` one JSON line goes to standard output:
    step, pid, device_ids
    requested     bytes of all live buffers of one chip by kind, computed here from shapes and data types
    chips         [{device_id, asic_id, requested}]: the same, chip by chip; asic_id is null before 0.76
    memory_view   TT-Metal's allocator statistics by kind, in bytes per bank
    buffers       [[address, bytes per bank, kind, mesh id]]: TT-Metal's list of live buffers of one chip
--stepwise: after each line it waits for a line on standard input. --hold: at the end it waits until standard input
closes. SIGTERM and SIGINT close the device and end it well.
"""

import argparse
import ctypes
import json
import math
import os
import signal
import sys
import threading

# TT-Metal logs to standard output; that is for the JSON lines alone.
REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

KINDS = ("DRAM", "L1", "L1_SMALL", "TRACE")
VIEW_FIELDS = (
    "num_banks",
    "total_bytes_per_bank",
    "total_bytes_allocated_per_bank",
    "total_bytes_free_per_bank",
    "largest_contiguous_bytes_free_per_bank",
)
STEPS = ("dram", "l1", "sharded", "l1_small", "odd", "trace", "ops", "free", "out_of_order", "thread", "fail", "label", "reopen")
DEFAULT_STEPS = ("dram", "l1", "sharded", "l1_small", "trace", "ops", "free=l1", "free")

TILE = 32
TILE_BYTES = {
    ttnn.bfloat16: 2048,
    ttnn.float32: 4096,
    ttnn.uint32: 4096,
    ttnn.bfloat8_b: 1088,  # 1024 mantissas and 64 shared exponents
    ttnn.bfloat4_b: 576,
}


def requested_bytes(tensor):
    """Bytes of a tensor's buffer on one chip: its elements where it is row-major, else whole tiles and whole shards."""
    *outer, rows, columns = tensor.shape
    bytes_per_element = TILE_BYTES[tensor.dtype] / TILE**2
    if tensor.layout == ttnn.ROW_MAJOR_LAYOUT:
        return int(math.prod(tensor.shape) * bytes_per_element)
    shard = tensor.memory_config().shard_spec
    row_step, column_step = shard.shape if shard else (TILE, TILE)
    padded_rows = round_up(round_up(rows, TILE) * math.prod(outer), row_step)
    return int(padded_rows * round_up(columns, column_step) * bytes_per_element)


def round_up(value, step):
    return -(-value // step) * step


class Workload:
    def __init__(self, chip):
        self.chip = chip
        self.device = open_device(chip)
        self.tensors = []  # (kind, tensor), the live ones

    def allocate(self, shape, memory, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT):
        tensor = ttnn.allocate_tensor_on_device(ttnn.Shape(shape), dtype, layout, self.device, memory)
        return self.keep(tensor)

    def keep(self, tensor):
        computed = requested_bytes(tensor)
        # Before 0.68 ttnn does not tell.
        is_told = hasattr(tensor, "buffer_num_pages")
        told = tensor.buffer_num_pages() * tensor.buffer_page_size() if is_told else computed
        if told != computed:
            raise SystemExit(f"workload: {tensor.shape} takes {told} bytes by TT-Metal's count, {computed} by this one's")
        self.tensors.append((tensor.memory_config().buffer_type.name, tensor))
        return tensor

    def requested(self):
        sums = dict.fromkeys(KINDS, 0)
        for kind, tensor in self.tensors:
            sums[kind] += requested_bytes(tensor)
        return {kind.lower(): total for kind, total in sums.items()}

    # The steps.

    def dram(self, mib="4"):
        """`mib` MiB, and three small ones: padded to tiles, another data type, row-major with odd rows."""
        self.allocate([1, 1, 512 * int(mib), 1024], ttnn.DRAM_MEMORY_CONFIG)
        self.allocate([1, 3, 500, 1000], ttnn.DRAM_MEMORY_CONFIG, ttnn.bfloat8_b)
        self.allocate([1, 1, 33, 65], ttnn.DRAM_MEMORY_CONFIG, ttnn.float32)
        self.allocate([1, 1, 7, 1000], ttnn.DRAM_MEMORY_CONFIG, ttnn.uint32, ttnn.ROW_MAJOR_LAYOUT)

    def l1(self, mib="1"):
        """`mib` MiB interleaved over all cores, and one tile, which takes a single core's bank."""
        self.allocate([1, 1, 512 * int(mib), 1024], ttnn.L1_MEMORY_CONFIG)
        self.allocate([1, 1, 1, 1], ttnn.L1_MEMORY_CONFIG)

    def sharded(self):
        """A block on each of 16 cores, three shards on a grid of four cores, and row-major shards of seven short rows."""
        self.allocate([1, 1, 512, 1024], sharded("L1", "BLOCK_SHARDED", (4, 4), [128, 256]))
        self.allocate([1, 1, 96, 64], sharded("L1", "HEIGHT_SHARDED", (4, 1), [32, 64]))
        rows = sharded("L1", "HEIGHT_SHARDED", (4, 1), [7, 40])
        self.allocate([1, 1, 28, 40], rows, layout=ttnn.ROW_MAJOR_LAYOUT)

    def l1_small(self):
        """L1_SMALL takes sharded tensors only. The last of the four shards is partly empty."""
        self.allocate([1, 1, 100, 64], sharded("L1_SMALL", "HEIGHT_SHARDED", (4, 1), [32, 64]))

    def odd(self):
        """Row-major pages that are aligned, in blocks that are filled up; the last of some shards is partly empty."""
        row_major = {"layout": ttnn.ROW_MAJOR_LAYOUT}
        self.allocate([1, 2, 12, 25], ttnn.DRAM_MEMORY_CONFIG, **row_major)
        self.allocate([1, 3, 5, 21], ttnn.L1_MEMORY_CONFIG, ttnn.float32, **row_major)
        self.allocate([1, 1, 9, 8], sharded("L1", "HEIGHT_SHARDED", (3, 1), [3, 8]), **row_major)
        self.allocate([1, 1, 10, 24], sharded("L1", "HEIGHT_SHARDED", (3, 1), [4, 24]), **row_major)
        self.allocate([1, 1, 10, 24], sharded("L1_SMALL", "HEIGHT_SHARDED", (2, 1), [5, 24]), ttnn.float32, **row_major)
        self.allocate([1, 1, 10, 24], sharded("DRAM", "HEIGHT_SHARDED", (2, 1), [5, 24]), **row_major)

    def trace(self):
        """A tensor in the trace region: capturing a real trace crashes on mock devices."""
        self.allocate([1, 1, 64, 128], ttnn.MemoryConfig(ttnn.TensorMemoryLayout.INTERLEAVED, ttnn.BufferType.TRACE))

    def ops(self):
        """Six ops whose results stay. Their kernels are empty and no kernel binaries go to DRAM on mock devices."""
        x = self.allocate([1, 1, 512, 1024], ttnn.DRAM_MEMORY_CONFIG)
        weights = self.allocate([1, 1, 1024, 512], ttnn.DRAM_MEMORY_CONFIG, ttnn.bfloat8_b)
        self.keep(ttnn.add(x, x))
        h = self.keep(ttnn.matmul(x, weights))
        self.keep(ttnn.gelu(h, memory_config=ttnn.L1_MEMORY_CONFIG))
        self.keep(ttnn.softmax(h, -1))
        block = self.keep(ttnn.to_memory_config(x, sharded("L1", "BLOCK_SHARDED", (4, 4), [128, 256])))
        self.keep(ttnn.add(block, block, memory_config=block.memory_config()))

    def out_of_order(self):
        """Frees every second tensor, then allocates in the gaps."""
        for _, tensor in self.tensors[::2]:
            ttnn.deallocate(tensor)
        self.tensors = self.tensors[1::2]
        self.allocate([1, 1, 32, 96], ttnn.DRAM_MEMORY_CONFIG)
        self.allocate([1, 1, 32, 96], ttnn.L1_MEMORY_CONFIG)

    def thread(self):
        """A second thread allocates, frees what the first one allocated, and keeps something."""

        def work():
            self.allocate([1, 1, 256, 256], ttnn.DRAM_MEMORY_CONFIG, ttnn.float32)
            self.allocate([1, 1, 64, 64], ttnn.L1_MEMORY_CONFIG)
            if len(self.tensors) > 2:
                ttnn.deallocate(self.tensors.pop(0)[1])

        second = threading.Thread(target=work)
        second.start()
        second.join()

    def fail(self):
        """Three allocations that do not fit. The last one is sharded over four cores."""
        for shape, memory in (
            ([1, 1, 1 << 20, 1 << 15], ttnn.DRAM_MEMORY_CONFIG),
            ([1, 1, 1 << 14, 1 << 13], ttnn.L1_MEMORY_CONFIG),
            ([1, 1, 128, 1 << 12], sharded("L1_SMALL", "HEIGHT_SHARDED", (4, 1), [32, 1 << 12])),
        ):
            try:
                self.allocate(shape, memory)
            except RuntimeError as error:
                if "Out of Memory" not in str(error):
                    raise
            else:
                raise SystemExit(f"workload: {shape} fits")

    def label(self):
        """A tensor whose allocation has a name, if the agent of ttmem is there."""
        agent = ctypes.CDLL(None)
        if hasattr(agent, "ttmem_push_label"):
            agent.ttmem_push_label(b"the label")
            self.allocate([1, 1, 32, 32], ttnn.DRAM_MEMORY_CONFIG)
            agent.ttmem_pop_label()

    def reopen(self):
        """Closes the device and opens it again. What lived is gone."""
        self.tensors = []
        ttnn.close_mesh_device(self.device)
        self.device = open_device(self.chip)
        self.allocate([1, 1, 64, 64], ttnn.DRAM_MEMORY_CONFIG)

    def free(self, kind=None):
        """Frees the tensors of one kind, or all."""
        kept = []
        for name, tensor in self.tensors:
            if kind in (None, name.lower()):
                ttnn.deallocate(tensor)
            else:
                kept.append((name, tensor))
        self.tensors = kept


def sharded(kind, layout, grid, shard):
    columns, rows = grid
    cores = ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, rows - 1))
    spec = ttnn.ShardSpec(ttnn.CoreRangeSet({cores}), shard, ttnn.ShardOrientation.ROW_MAJOR)
    return ttnn.MemoryConfig(getattr(ttnn.TensorMemoryLayout, layout), getattr(ttnn.BufferType, kind), spec)


def open_device(chip):
    settings = {
        "l1_small_size": 32 * 1024,
        "trace_region_size": 1024 * 1024,
        # By default n300 machines dispatch from Ethernet cores; ops then refuse their last row of mock cores.
        "dispatch_core_config": ttnn.DispatchCoreConfig(ttnn.DispatchCoreType.WORKER),
    }
    if chip is not None:
        return ttnn.open_device(device_id=chip, **settings)
    count = ttnn.get_num_devices()
    shape = (2, 4) if count == 8 else (1, count)
    return ttnn.open_mesh_device(ttnn.MeshShape(*shape), **settings)


def chips(device):
    """(device id, ASIC id) of each chip of the mesh."""
    for coordinate in ttnn.MeshCoordinateRange(device.shape):
        node = device.get_fabric_node_id(coordinate)
        mesh_id, chip_id = int(node.mesh_id), node.chip_id
        asic_id_of = getattr(ttnn.cluster, "get_chip_unique_id_from_fabric_node_id", None)
        if asic_id_of is None:  # before 0.76
            asic_id = None
        else:
            try:
                asic_id = asic_id_of(device, mesh_id, chip_id)
            except TypeError:  # before 0.80
                asic_id = asic_id_of(mesh_id, chip_id)
        yield device.get_device_id(coordinate), asic_id


def memory_view(device):
    for kind in KINDS:
        view = ttnn.get_memory_view(device, getattr(ttnn.BufferType, kind))
        yield kind, {field: getattr(view, field) for field in VIEW_FIELDS}


def report(step, **facts):
    print(json.dumps({"step": step, "pid": os.getpid(), **facts}), file=REPORT, flush=True)


def report_open(step, workload):
    requested = workload.requested()
    report(
        step,
        device_ids=list(workload.device.get_device_ids()),
        requested=requested,
        chips=[{"device_id": chip, "asic_id": asic, "requested": requested} for chip, asic in chips(workload.device)],
        memory_view=dict(memory_view(workload.device)),
        buffers=[
            [buffer.address, buffer.max_size_per_bank, buffer.buffer_type.name, buffer.device_id]
            for buffer in ttnn._ttnn.reports.get_buffers([workload.device])
        ],
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stepwise", action="store_true")
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--chip", type=int)
    parser.add_argument("steps", nargs="*", default=DEFAULT_STEPS, metavar="STEP")
    arguments = parser.parse_args()
    for step in arguments.steps:
        if step.partition("=")[0] not in STEPS:
            parser.error(f"no step {step}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))

    def turn():
        if arguments.stepwise and not sys.stdin.readline():
            sys.exit(0)

    workload = Workload(arguments.chip)
    try:
        report_open("open", workload)
        turn()
        for step in arguments.steps:
            name, _, argument = step.partition("=")
            getattr(workload, name)(*filter(None, [argument]))
            report_open(step, workload)
            turn()
        if arguments.hold:
            sys.stdin.read()
    finally:
        workload.tensors = []
        ttnn.close_mesh_device(workload.device)
    report("close")
    turn()


main()
