#!/bin/bash
# max of a row-major tensor makes a copy in tiles first; sum did so up to 0.76.0, and its result had another layout.
#
# A good guess: sum and max walk over the tensor in the same way, in each release. They read a row-major tensor where it is, and the
#     result of 1,024 numbers is row-major too, 2 KiB.
# Seen (ttnn 0.76.0 and 0.81.1, mock n150): max and min make a copy of the 2 MiB in tiles, and their result is in tiles, of which a
#     vector fills one row: 64 KiB. So did sum and mean in 0.76.0; in 0.81.1 they take 4 KiB, and their result is row-major.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
seen=''
for version in 0.76.0 0.81.1; do
    rm -rf -- "$temporary"/ttnn-* "$temporary"/tools "$temporary"/*.deb
    install_ttnn "$version"
    with_empty_kernels
    seen+="$version $(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024], layout=ttnn.ROW_MAJOR_LAYOUT)
for name in ("sum", "max"):
    op = lambda: getattr(ttnn, name)(tensor, 1)
    layout = op().layout.name  # a first call, which also leaves a table in the program cache
    most, left = dram_of(op)
    say(f"{name}: {most >> 10} KiB at most, {left >> 10} KiB at the end, {layout}")
PYTHON
)"$'\n'
done
conclude 'each: 4 KiB at most, 2 KiB at the end, ROW_MAJOR' "${seen%$'\n'}" '0.76.0 sum: 2112 KiB at most, 64 KiB at the end, TILE
max: 2112 KiB at most, 64 KiB at the end, TILE
0.81.1 sum: 4 KiB at most, 2 KiB at the end, ROW_MAJOR
max: 2112 KiB at most, 64 KiB at the end, TILE'
