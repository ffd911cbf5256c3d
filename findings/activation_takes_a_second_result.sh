#!/bin/bash
# matmul with an activation takes its result twice, unless it is told the grid that it uses anyway.
#
# A good guess: `activation` is fused into matmul, that is what it is for: the result is written once, 2 MiB. core_grid with all
#     cores of the chip changes nothing.
# Seen (ttnn 0.81.1, mock n150): matmul runs, and then the activation as an op of its own, with a second tensor of 2 MiB. With
#     core_grid of all 8 x 8 cores it is fused. The same with linear, also for relu.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
a, b = allocate(device, [1024, 1024]), allocate(device, [1024, 1024])
grid = device.compute_with_storage_grid_size()
whole = ttnn.CoreGrid(x=grid.x, y=grid.y)
for name in ("matmul", "linear"):
    for how in ({}, {"activation": "relu"}, {"activation": "gelu"}, {"activation": "gelu", "core_grid": whole}):
        most, left = dram_of(lambda: getattr(ttnn, name)(a, b, **how))
        with_grid = f" on {grid.x} x {grid.y} cores" if "core_grid" in how else ""
        say(f"{name} {how.get('activation', 'alone')}{with_grid}: {most >> 20} MiB at most")
PYTHON
)
conclude '2 MiB at most in all cases' "$seen" 'matmul alone: 2 MiB at most
matmul relu: 4 MiB at most
matmul gelu: 4 MiB at most
matmul gelu on 8 x 8 cores: 2 MiB at most
linear alone: 2 MiB at most
linear relu: 4 MiB at most
linear gelu: 4 MiB at most
linear gelu on 8 x 8 cores: 2 MiB at most'
