#!/bin/bash
# cumprod of a matrix takes 64 times its memory while it runs, cumsum no more than the result.
#
# A good guess: cumsum and cumprod walk along one dimension and write a result of the same size: 2 MiB for 2 MiB, whichever of the
#     two it is. cumsum and cumprod differ in one operation of the kernel.
# Seen (ttnn 0.81.1, mock n150): cumsum takes 2 MiB, cumprod 128 MiB. It moves the dimension to the front of a tensor of rank 4,
#     where a 1 is among the last two dimensions and is padded to the 32 of a tile, and its result is of that shape too: two
#     tensors of 64 MiB. At the end 2 MiB are left, so figures before and after the op show nothing of it.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
matrix = allocate(device, [1024, 1024])
for name in ("cumsum", "cumprod"):
    for dim in (0, 1):
        most, left = dram_of(lambda: getattr(ttnn, name)(matrix, dim))
        say(f"{name} of 2 MiB along dimension {dim}: {most >> 20} MiB at most, {left >> 20} MiB at the end")
PYTHON
)
conclude '2 MiB at most in all four' "$seen" 'cumsum of 2 MiB along dimension 0: 2 MiB at most, 2 MiB at the end
cumsum of 2 MiB along dimension 1: 2 MiB at most, 2 MiB at the end
cumprod of 2 MiB along dimension 0: 128 MiB at most, 2 MiB at the end
cumprod of 2 MiB along dimension 1: 128 MiB at most, 2 MiB at the end'
