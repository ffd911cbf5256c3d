#!/bin/bash
# concat of 48 tensors takes twice the memory of its result, concat of 47 no more than it.
#
# A good guess: concat allocates its result and copies the parts into it, however many they are.
# Seen (ttnn 0.81.1, mock n150): from 48 tensors on, groups of 47 are joined first, and then their results: twice the memory while
#     it runs. With 48 the second group is one tensor, which is taken as it is.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])
for count in (2, 47, 48, 49, 100):
    most, left = dram_of(lambda: ttnn.concat([tensor] * count, 0))
    say(f"{count} tensors of 2 MiB: {most >> 20} MiB at most, {left >> 20} MiB at the end")
PYTHON
)
conclude 'at most the same as at the end' "$seen" '2 tensors of 2 MiB: 4 MiB at most, 4 MiB at the end
47 tensors of 2 MiB: 94 MiB at most, 94 MiB at the end
48 tensors of 2 MiB: 190 MiB at most, 96 MiB at the end
49 tensors of 2 MiB: 196 MiB at most, 98 MiB at the end
100 tensors of 2 MiB: 400 MiB at most, 200 MiB at the end'
