#!/bin/bash
# The mean over the first dimension takes 64 times the memory of the sum over it.
#
# A good guess: a mean is a sum with a factor, so both take the memory of their result, a quarter of the 2 MiB of four matrices of
#     512 KiB: 0.5 MiB, and the same for the maximum.
# Seen (ttnn 0.81.1, mock n150): the sum takes 0.5 MiB, mean and max 32 MiB. They first move the dimension to the last two, where it
#     is padded from 4 to the 32 of a tile, and their result is 1 padded to 32: two tensors of 16 MiB. The sum adds the matrices
#     as they are.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [4, 8, 64, 512])
for name in ("sum", "mean", "max"):
    most, left = dram_of(lambda: getattr(ttnn, name)(tensor, 0))
    say(f"{name}: {most >> 10} KiB at most, {left >> 10} KiB at the end")
PYTHON
)
conclude '512 KiB at most in all three' "$seen" 'sum: 512 KiB at most, 512 KiB at the end
mean: 32768 KiB at most, 512 KiB at the end
max: 32768 KiB at most, 512 KiB at the end'
