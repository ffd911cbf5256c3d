#!/bin/bash
# embedding copies its whole table at each call when the table is in tiles.
#
# A good guess: embedding reads the rows that are asked for, 32 of 32,000, and takes 64 KiB for its result, whatever the layout of
#     the table; a table that it cannot read is refused, as one of float32 is.
# Seen (ttnn 0.81.1, mock n150): of a table of 62 MiB in row-major layout so it is. Of one in tiles, the layout of the weights of
#     all other ops, it first makes a copy in row-major layout: 62 MiB more while it runs, at each call. Of bfloat8_b, with 33 MiB,
#     the copy is bfloat16, and has 62 MiB too.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
rows = allocate(device, [1, 32], dtype=ttnn.uint32, layout=ttnn.ROW_MAJOR_LAYOUT)
for name, dtype, layout in (
    ("row-major", ttnn.bfloat16, ttnn.ROW_MAJOR_LAYOUT),
    ("tiles", ttnn.bfloat16, ttnn.TILE_LAYOUT),
    ("tiles of bfloat8_b", ttnn.bfloat8_b, ttnn.TILE_LAYOUT),
):
    table = allocate(device, [32000, 1024], dtype=dtype, layout=layout)
    for call in ("first", "second"):
        most, left = dram_of(lambda: ttnn.embedding(rows, table))
        say(f"{name}, {call} call: {most >> 10} KiB at most, {left >> 10} KiB at the end")
    ttnn.deallocate(table)
PYTHON
)
conclude 'each: 64 KiB at most' "$seen" 'row-major, first call: 64 KiB at most, 64 KiB at the end
row-major, second call: 64 KiB at most, 64 KiB at the end
tiles, first call: 64064 KiB at most, 64 KiB at the end
tiles, second call: 64064 KiB at most, 64 KiB at the end
tiles of bfloat8_b, first call: 64064 KiB at most, 64 KiB at the end
tiles of bfloat8_b, second call: 64064 KiB at most, 64 KiB at the end'
