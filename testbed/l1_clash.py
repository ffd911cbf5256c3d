"""A softmax that does not fit beside a tensor in L1, on a mock device. Prints a JSON line with TT-Metal's message, then waits for
a line on standard input."""

import json
import os
import sys

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

device = ttnn.open_device(device_id=0, l1_small_size=32768)


def tensor(shape, memory=ttnn.DRAM_MEMORY_CONFIG):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)


held = tensor([1, 1, 20480, 2048], ttnn.L1_MEMORY_CONFIG)
try:
    ttnn.softmax(tensor([1, 1, 32, 960_000]), -1)
    message = ""
except RuntimeError as error:
    message = str(error)
print(json.dumps({"step": "clash", "pid": os.getpid(), "message": message}), file=REPORT, flush=True)
sys.stdin.readline()
