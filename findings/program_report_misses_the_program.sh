#!/bin/bash
# TT-Metal's memory report of programs has no memory of the programs, and no row for one that runs again.
#
# A good guess: after EnableMemoryReports, program_memory_usage_summary.csv gets rows for each op that runs, with its "Program ID"
#     and what the program takes in L1: the circular buffers of add are 12,288 bytes on a core.
# Seen (ttnn 0.81.1, mock n150): there are rows for each program that is compiled: one set for three times add, none for a second gelu.
#     They have what the allocator holds at that time, the tensors of the whole device; circular buffers are in none of the columns.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
graph = ttnn._ttnn.graph
device = ttnn.open_device(device_id=0)
ttnn._ttnn.device.EnableMemoryReports()
tensor = allocate(device, [1024, 1024], ttnn.L1_MEMORY_CONFIG)
held = []

def run(op):
    held.append(op(tensor))
    return allocated(device, "L1")

add = lambda tensor: ttnn.add(tensor, tensor, memory_config=ttnn.L1_MEMORY_CONFIG)
graph.begin_graph_capture(graph.RunMode.NORMAL)
tensors = [run(add)]
circular = graph.extract_resource_usage_per_core(graph.end_graph_capture()).peak_cb
tensors += [run(op) for op in (add, add, ttnn.gelu, ttnn.gelu)]
say("ops:", len(tensors), "and in each bank of L1 then:", *tensors)
say("circular buffers of add on a core:", circular)
PYTHON
)
# The file is written when the process ends. It has three rows for each program: DRAM, L1 and L1_SMALL.
seen+=$'\n'$(run_python <<'PYTHON'
import csv
import os
from pathlib import Path
with next(Path(os.environ["TMPDIR"]).rglob("program_memory_usage_summary.csv")).open() as file:
    names, *rows = csv.reader(file)
allocated = [row[names.index(" Total Allocated (B)")] for row in rows[1::3]]
print("programs in the report:", len(allocated), "and allocated L1:", *allocated)
PYTHON
)
conclude 'programs in the report: 5 and allocated L1: 12288, or 77824, for the first' "$seen" \
    'ops: 5 and in each bank of L1 then: 65536 98304 131072 163840 196608
circular buffers of add on a core: 12288
programs in the report: 2 and allocated L1: 65536 163840'
