"""Compares what ttmem.py says with what TT-Metal says, inside ttnn. The argument is the directory of ttmem.py."""

import os
import sys
import time

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, sys.argv[1])

import ttnn  # noqa: E402

import ttmem  # noqa: E402


def expect(found, wanted):
    if found != wanted:
        print(f"found {found}, wanted {wanted}", file=REPORT, flush=True)
        sys.exit(1)


def allocated(device, kind):
    view = ttnn.get_memory_view(device, getattr(ttnn.BufferType, kind.upper()))
    return view.total_bytes_allocated_per_bank * view.num_banks, view.total_bytes_per_bank * view.num_banks


def compare(device):
    numbers = device.get_device_ids()
    for kind in ttmem.KINDS:
        here, capacity = allocated(device, kind)
        for number in numbers:
            expect(ttmem.memory_allocated(number, kind), here)
            expect(ttmem.memory_capacity(number, kind), capacity)
        expect(ttmem.memory_allocated(kind=kind), here * len(numbers))
        expect(ttmem.memory_allocated(device, kind), here * len(numbers))
        expect(ttmem.memory_capacity(device, kind), capacity * len(numbers))


def allocate(device, memory, rows=256):
    shape = ttnn.Shape([1, 1, rows, 1024])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)


expect(ttmem.is_available(), True)
expect(ttmem.is_recording(), False)
expect(ttmem.memory_allocated(), 0)
expect(ttmem.segment_path(), None)

count = ttnn.get_num_devices()
device = ttnn.open_mesh_device(
    ttnn.MeshShape(*((2, 4) if count == 8 else (1, count))),
    l1_small_size=32768,
    trace_region_size=1 << 20,
    dispatch_core_config=ttnn.DispatchCoreConfig(ttnn.DispatchCoreType.WORKER),
)
time.sleep(0.2)  # the capacity is known 100 ms after opening
expect(ttmem.is_recording(), True)
expect(sorted(ttmem.devices()), sorted(device.get_device_ids()))
compare(device)
kept = allocate(device, ttnn.DRAM_MEMORY_CONFIG)
compare(device)
passing = [allocate(device, ttnn.DRAM_MEMORY_CONFIG, 1024), allocate(device, ttnn.L1_MEMORY_CONFIG)]
compare(device)
peak = allocated(device, "dram")[0]
for tensor in passing:
    ttnn.deallocate(tensor)
compare(device)
first = device.get_device_ids()[0]
expect(ttmem.max_memory_allocated(first), peak)
expect(ttmem.max_memory_allocated(), peak * count)
expect(ttmem.buffer_count(first), 1)
expect(ttmem.max_memory_allocated(device), peak * count)
expect(ttmem.buffer_count(device), count)
ttmem.reset_peak_memory_stats(device)
expect(ttmem.max_memory_allocated(first), allocated(device, "dram")[0])
expect(ttmem.max_memory_allocated(), allocated(device, "dram")[0] * count)
expect(ttmem.max_memory_allocated(first, ttnn.BufferType.L1), 0)
summary = ttmem.memory_summary(first)
rows = [line.split()[0] for line in summary.splitlines()[2:]]
expect([row for row in rows if row != "programs"], list(ttmem.KINDS))
expect(rows[rows.index("programs") - 1], "l1")
numbers = ", ".join(map(str, device.get_device_ids()))
expect(ttmem.memory_summary(device).splitlines()[0], f"ttmem memory summary, device {numbers}")
expect(os.path.exists(ttmem.segment_path()), True)
with ttmem.label("kept for later"):
    allocate(device, ttnn.DRAM_MEMORY_CONFIG)
try:
    ttmem.memory_allocated(kind="sram")
    expect("no error", "an error")
except ValueError:
    pass
ttnn.close_mesh_device(device)
expect(ttmem.memory_allocated(), 0)
print("equal", file=REPORT, flush=True)
