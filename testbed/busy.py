"""Allocates and frees tensors without a pause on a mock device, until standard input closes. Prints one JSON line with its pid
before it begins."""

import json
import os
import sys
import threading

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

device = ttnn.open_device(device_id=0)
print(json.dumps({"pid": os.getpid()}), file=REPORT, flush=True)
is_over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
shape = ttnn.Shape([1, 1, 32, 32])
while not is_over.is_set():
    tensors = [
        ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG)
        for _ in range(20)
    ]
    for tensor in tensors:
        ttnn.deallocate(tensor)
ttnn.close_device(device)
