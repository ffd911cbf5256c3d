#!/bin/bash
# zeros, full and arange on the device make their tensor on the host first: for bfloat8_b with eight times its memory.
#
# A good guess: zeros with device=... allocates the tensor and starts a kernel that fills it, as zeros_like does. The host needs
#     nothing for a tensor of 32 Mi numbers, or at most what the tensor has: 2 bytes a number for bfloat16, about 1 for bfloat8_b.
# Seen (ttnn 0.81.1, mock n150): zeros, ones, full and arange fill a tensor in the host's memory and copy it: 2 bytes a number for
#     bfloat16. For bfloat8_b it is more than 8: float32 twice, and the packed one. empty, rand and zeros_like of a device tensor
#     need nothing of the host.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
shape, count = [8192, 4096], 8192 * 4096

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

def host_bytes(op):
    """The most bytes that the process has at one time while an op runs, more than before."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts again
    before = status("VmRSS")
    op()
    return status("VmHWM") - before

wide = {"dtype": ttnn.bfloat16, "layout": ttnn.TILE_LAYOUT, "device": device}
narrow = wide | {"dtype": ttnn.bfloat8_b}
tensor = allocate(device, shape)
for name, op in (
    ("zeros of bfloat16", lambda: ttnn.zeros(shape, **wide)),
    ("zeros of bfloat8_b", lambda: ttnn.zeros(shape, **narrow)),
    ("full of bfloat16", lambda: ttnn.full(shape, 2.0, **wide)),
    ("full of bfloat8_b", lambda: ttnn.full(shape, 2.0, **narrow)),
    ("arange of int32", lambda: ttnn.arange(0, count, dtype=ttnn.int32, device=device)),
    ("empty of bfloat8_b", lambda: ttnn.empty(shape, **narrow)),
    ("rand of bfloat16", lambda: ttnn.rand(shape, **wide)),
    ("zeros_like of bfloat16", lambda: ttnn.zeros_like(tensor)),
):
    op()
    host = host_bytes(op) / count
    say(f"{name}: {'more than 8' if host > 8 else round(host)}")
PYTHON
)
seen="bytes of the host for a number:"$'\n'$seen
conclude '0 in all' "$seen" 'bytes of the host for a number:
zeros of bfloat16: 2
zeros of bfloat8_b: more than 8
full of bfloat16: 2
full of bfloat8_b: more than 8
arange of int32: 4
empty of bfloat8_b: 0
rand of bfloat16: 0
zeros_like of bfloat16: 0'
