#!/bin/bash
# A slice that does not start at a tile takes a copy of the whole tensor first.
#
# A good guess: tensor[5:6] of 2 MiB reads one row of tiles and writes one: 64 KiB, as tensor[0:1] and tensor[32:33] do.
# Seen (ttnn 0.81.1, mock n150): tensor[0:1] and tensor[32:33] take 64 KiB. tensor[5:6] takes 2,114 KiB: a copy of the tensor in
#     row-major layout, the row, and its tiles. What counts is the start: tensor[0:5] ends within a tile and takes 64 KiB.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])
for begin, end in ((0, 1), (32, 33), (0, 5), (5, 6), (1, 33)):
    most, left = dram_of(lambda: tensor[begin:end])
    say(f"[{begin}:{end}]: {most >> 10} KiB at most, {left >> 10} KiB at the end")
PYTHON
)
conclude '64 KiB at most in all five' "$seen" '[0:1]: 64 KiB at most, 64 KiB at the end
[32:33]: 64 KiB at most, 64 KiB at the end
[0:5]: 64 KiB at most, 64 KiB at the end
[5:6]: 2114 KiB at most, 64 KiB at the end
[1:33]: 2176 KiB at most, 64 KiB at the end'
