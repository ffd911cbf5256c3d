"""A softmax whose circular buffers do not fit below a tensor in L1, on a mock device: it ends with TT-Metal's exception."""

import ttnn

device = ttnn.open_device(device_id=0)


def tensor(shape, memory=ttnn.DRAM_MEMORY_CONFIG):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)


cores = ttnn.CoreRangeSet({ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(7, 7))})
spec = ttnn.ShardSpec(cores, [32, 20 * 1024], ttnn.ShardOrientation.ROW_MAJOR)
held = tensor([1, 1, 64 * 32, 20 * 1024], ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, spec))
ttnn.softmax(tensor([1, 1, 4096, 1024]), -1)
