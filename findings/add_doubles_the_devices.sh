#!/bin/bash
# When add is among the captured ops, the visualizer's database has two devices for one chip.
#
# A good guess: the table of devices has a row for each chip, whatever ran on it, so that the sum of total_l1_memory is the L1 of the
#     machine; total_l1_for_tensors is the part of it that buffers can have, and a buffer's device_id is one of the table.
# Seen (ttnn 0.81.1, mock n150): of a capture of gelu so it is, up to total_l1_for_tensors, which is 0. add is of the few ops whose
#     circular buffers are in the graph, and these name the chip, where buffers name the mesh: the database has a row for each of
#     the two, with the same figures, and twice the L1. gelu's only device is 0, that of add's buffers is 1.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
import sqlite3
from pathlib import Path
from common import *
from ttnn import graph_report
device = ttnn.open_device(device_id=0)
folder = Path(os.environ["TMPDIR"])
graph = ttnn._ttnn.graph
for name, op in (("gelu", ttnn.gelu), ("add", lambda tensor: ttnn.add(tensor, tensor))):
    tensor = allocate(device, [512, 512])
    graph.begin_graph_capture(graph.RunMode.NORMAL)
    result = op(tensor)
    graph.end_graph_capture_to_file(str(folder / f"{name}.json"))
    graph_report.import_report(folder / f"{name}.json", folder / name)
    with sqlite3.connect(folder / name / "db.sqlite") as database:
        for query in (
            "SELECT device_id, num_compute_cores, total_l1_memory, total_l1_for_tensors FROM devices",
            "SELECT DISTINCT device_id FROM buffers",
        ):
            say(f"{name}: {query}: {'; '.join(' '.join(map(str, row)) for row in database.execute(query))}")
PYTHON
)
conclude 'for both one device of 64 cores, with a part of its 95944704 bytes for tensors, and the buffers are its' "$seen" \
    'gelu: SELECT device_id, num_compute_cores, total_l1_memory, total_l1_for_tensors FROM devices: 0 64 95944704 0
gelu: SELECT DISTINCT device_id FROM buffers: 0
add: SELECT device_id, num_compute_cores, total_l1_memory, total_l1_for_tensors FROM devices: 0 64 95944704 0; 1 64 95944704 0
add: SELECT DISTINCT device_id FROM buffers: 1'
