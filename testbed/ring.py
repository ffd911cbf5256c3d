"""A matmul that does not fit in a kernel configuration ring of some 1024 bytes, on a mock device: it ends with TT-Metal's exception."""

import ttnn

# The ring of Wormhole begins at 35,168 in 0.81.1, and ends where the L1 that programs can get begins.
device = ttnn.open_device(device_id=0, worker_l1_size=1_499_136 - 35_168 - 1024)


def tensor(rows, columns):
    shape = ttnn.Shape([1, 1, rows, columns])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG)


ttnn.matmul(tensor(256, 512), tensor(512, 768))
