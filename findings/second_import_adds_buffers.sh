#!/bin/bash
# Importing a captured graph a second time doubles the memory of each operation in the visualizer's database.
#
# A good guess: import_report into a folder that has a database replaces it, so that the command can be repeated; or the second
#     capture has operations of its own beside the first. In both cases the buffers of an operation are those of one capture.
# Seen (ttnn 0.81.1, mock n150): operations are replaced and buffers are added. After the second import the last operation has each
#     of its three buffers twice, after the third three times; nothing distinguishes the rows.
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
graph.begin_graph_capture(graph.RunMode.NORMAL)
tensor = allocate(device, [512, 512])
result = ttnn.gelu(ttnn.add(tensor, tensor))
graph.end_graph_capture_to_file(str(folder / "report.json"))
live = "SELECT count(*), sum(max_size_per_bank) FROM buffers WHERE operation_id = (SELECT max(operation_id) FROM operations)"
for time in ("first", "second", "third"):
    graph_report.import_report(folder / "report.json", folder / "database")
    with sqlite3.connect(folder / "database/db.sqlite") as database:
        operations = database.execute("SELECT count(*) FROM operations").fetchone()[0]
        buffers, size = database.execute(live).fetchone()
    say(f"{time}: operations {operations}; at the last operation {buffers} buffers, {size} bytes per bank")
PYTHON
)
conclude 'three times: operations 3; at the last operation 3 buffers, 135168 bytes per bank' "$seen" \
    'first: operations 3; at the last operation 3 buffers, 135168 bytes per bank
second: operations 3; at the last operation 6 buffers, 270336 bytes per bank
third: operations 3; at the last operation 9 buffers, 405504 bytes per bank'
