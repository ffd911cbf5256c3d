#!/bin/bash
# The gradient of acosh takes 17 tensors while it runs, that of gelu one.
#
# A good guess: a unary op is one kernel, and so is its gradient: the memory of its result, 2 MiB, or that of two or three tensors
#     where it is made of other ops. floor_div takes what remainder takes.
# Seen (ttnn 0.81.1, mock n150): an op that is made of others holds what each of them returns until its end: 4 tensors for
#     floor_div, 6 for silu_bw, 17 for acosh_bw. fmod and gelu_bw are one kernel. At the end 2 MiB are left of each.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
a, b = allocate(device, [1024, 1024]), allocate(device, [1024, 1024])
for name in ("gelu_bw", "tanh_bw", "exp_bw", "silu_bw", "log_bw", "acosh_bw", "remainder", "fmod", "floor_div"):
    most, left = dram_of(lambda: getattr(ttnn, name)(a, b))
    say(f"{name}: {most >> 20} MiB at most, {left >> 20} MiB at the end")
PYTHON
)
conclude '2 MiB at most for each, or 4 or 6' "$seen" 'gelu_bw: 2 MiB at most, 2 MiB at the end
tanh_bw: 2 MiB at most, 2 MiB at the end
exp_bw: 4 MiB at most, 2 MiB at the end
silu_bw: 12 MiB at most, 2 MiB at the end
log_bw: 14 MiB at most, 2 MiB at the end
acosh_bw: 34 MiB at most, 2 MiB at the end
remainder: 2 MiB at most, 2 MiB at the end
fmod: 2 MiB at most, 2 MiB at the end
floor_div: 8 MiB at most, 2 MiB at the end'
