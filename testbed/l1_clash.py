"""Two softmaxes that do not fit beside a tensor in L1, on a mock device: one on a core, one on cores that are no rectangle. Prints
a JSON line with TT-Metal's message of each, then waits for a line on standard input."""

import json
import os
import sys

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

device = ttnn.open_device(device_id=0, l1_small_size=32768)


def tensor(shape, memory=ttnn.DRAM_MEMORY_CONFIG, data_type=ttnn.bfloat16):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), data_type, ttnn.TILE_LAYOUT, device, memory)


held = tensor([1, 1, 20480, 2048], ttnn.L1_MEMORY_CONFIG)
for shape, data_type, axis in [([1, 1, 32, 960_000], ttnn.bfloat16, -1), ([1, 2, 384, 352], ttnn.float32, -2)]:
    try:
        ttnn.softmax(tensor(shape, data_type=data_type), axis)
        message = ""
    except RuntimeError as error:
        message = str(error)
    print(json.dumps({"step": "clash", "pid": os.getpid(), "message": message}), file=REPORT, flush=True)
    sys.stdin.readline()
