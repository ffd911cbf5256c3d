#!/bin/bash
# Of the three files of dump_device_memory_state one is per bank, one per chip, and one has both in one line.
#
# A good guess: the files say the same in three degrees of detail. Two columns of one name have one unit; the rows of the summary
#     have the names of their kinds of memory.
# Seen (ttnn 0.81.1, mock n150 with a tensor of 64 tiles in L1): the summary's "Total Allocated (B)" is of one bank, 2,048, and its
#     rows have no names. The detailed file's "Total allocated (B)" is of all 64 banks, 131,072. In the one line of the third file,
#     the largest free block is of a bank, and the free space beside it of the chip.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
import csv
from pathlib import Path
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [32 * 64, 32], ttnn.L1_MEMORY_CONFIG)
ttnn.dump_device_memory_state(device, "")

def rows(name):
    (path,) = Path(os.environ["TMPDIR"]).rglob(f"*{name}.csv")
    with open(path, newline="") as file:
        return [[cell.strip() for cell in row] for row in csv.reader(file)]

detailed = rows("detailed_memory_usage")
l1 = detailed[detailed.index(["", "L1"]) :]
say("detailed:", next(row[2] for row in l1 if row[1:2] == ["Total allocated (B):"]))
summary = [row for row in rows("memory_usage_summary") if row]
column = summary[0].index("Total Allocated (B)")
say("summary:", ", ".join(f"{row[0] or 'no name'} {row[column]}" for row in summary[1:]))
largest, free = [row for row in rows("l1_usage_summary") if row][-1][-2:]
statistics = view(device, "L1")
say("largest block of a bank:", int(largest) == statistics.largest_contiguous_bytes_free_per_bank)
say("free space of a bank:", int(free) == statistics.total_bytes_free_per_bank)
say("free space of the chip:", int(free) == statistics.total_bytes_free_per_bank * statistics.num_banks)
PYTHON
)
conclude 'detailed: 131072
summary: DRAM 0, L1 131072, L1_SMALL 0
largest block of a bank: True
free space of a bank: True
free space of the chip: False' "$seen" 'detailed: 131072
summary: no name 0, no name 2048, no name 0
largest block of a bank: True
free space of a bank: False
free space of the chip: True'
