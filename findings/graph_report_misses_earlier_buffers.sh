#!/bin/bash
# The database that ttnn makes of a captured graph for ttnn-visualizer has only buffers that were allocated during the capture.
#
# A good guess: the rows of a moment in the table of buffers are all that is live on the device then, each with the bytes that
#     the allocator has set aside per bank; so their sum is how full L1 is.
# Seen (ttnn 0.81.1, mock n150): a tensor of 512 tiles that lived before the capture is in no row, though L1 has 16,384 bytes of it
#     in each bank. Of 129 pages of 4 bytes the row has 48 bytes a bank, the list of live buffers 12, the allocator 64.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
import sqlite3
from pathlib import Path
from common import *
from ttnn import graph_report
device = ttnn.open_device(device_id=0)
earlier = allocate(device, [512, 1024], ttnn.L1_MEMORY_CONFIG)
folder = Path(os.environ["TMPDIR"])
graph = ttnn._ttnn.graph
graph.begin_graph_capture(graph.RunMode.NORMAL)
during = allocate(device, [129, 1], ttnn.L1_MEMORY_CONFIG, ttnn.uint32, ttnn.ROW_MAJOR_LAYOUT)
graph.end_graph_capture_to_file(str(folder / "report.json"))
graph_report.import_report(folder / "report.json", folder / "database")
with sqlite3.connect(folder / "database/db.sqlite") as database:
    rows = dict(database.execute("SELECT address, max_size_per_bank FROM buffers"))
live = {buffer.address: buffer.max_size_per_bank for buffer in ttnn._ttnn.reports.get_buffers([device])}
for name, tensor in ("earlier", earlier), ("during", during):
    address = tensor.buffer_address()
    before = allocated(device, "L1")
    ttnn.deallocate(tensor)
    say(f"{name}: row {rows.get(address)}, live buffer {live[address]}, allocator {before - allocated(device, 'L1')}")
PYTHON
)
conclude 'earlier: row 16384, live buffer 16384, allocator 16384
during: row 64, live buffer 64, allocator 64' "$seen" 'earlier: row None, live buffer 16384, allocator 16384
during: row 48, live buffer 12, allocator 64'
