#!/bin/bash
# Some ops compile kernels anew for each number that they are given, others never.
#
# A good guess: the 0.1 of leaky_relu is an argument of its kernel, as the 2.0 of multiply is: other numbers use the same kernels, and
#     a rate that changes at each step of a training costs nothing.
# Seen (ttnn 0.81.1, mock n150): multiply and rand take their number as an argument, dropout its seed. leaky_relu, elu, clamp, pow,
#     fill and pad, and dropout for its probability, have it in the text of a kernel: each new number is one more program in the
#     cache and one more kernel to compile, whose files stay in the folder of kernels.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from pathlib import Path
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])

def kernels():
    return sum(1 for _ in Path(os.environ["TT_METAL_CACHE"]).glob("*/kernels/*/*"))

for name, op in (
    ("multiply", lambda number: ttnn.multiply(tensor, number)),
    ("rand", lambda number: ttnn.rand([1024, 1024], device=device, high=number)),
    ("seed of dropout", lambda number: ttnn.experimental.dropout(tensor, probability=0.6, scale=2.0, seed=int(10 * number))),
    ("probability of dropout", lambda number: ttnn.experimental.dropout(tensor, probability=number, scale=2.0, seed=1)),
    ("leaky_relu", lambda number: ttnn.leaky_relu(tensor, number)),
    ("elu", lambda number: ttnn.elu(tensor, alpha=number)),
    ("clamp", lambda number: ttnn.clamp(tensor, 0.0, number)),
    ("pow", lambda number: ttnn.pow(tensor, number)),
    ("fill", lambda number: ttnn.fill(tensor, number)),
    ("pad", lambda number: ttnn.pad(tensor, [(0, 32), (0, 0)], number)),
):
    op(0.1)
    programs, compiled = device.num_program_cache_entries(), kernels()
    for number in (0.2, 0.3, 0.4, 0.5):
        op(number)
    say(f"{name}: {device.num_program_cache_entries() - programs} programs and {kernels() - compiled} kernels for four more numbers")
PYTHON
)
none='0 programs and 0 kernels for four more numbers'
each='4 programs and 4 kernels for four more numbers'
conclude "all: $none" "$seen" "multiply: $none
rand: $none
seed of dropout: $none
probability of dropout: $each
leaky_relu: $each
elu: $each
clamp: $each
pow: $each
fill: $each
pad: $each"
