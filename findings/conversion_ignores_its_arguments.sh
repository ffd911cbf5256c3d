#!/bin/bash
# to_layout, to_device and to_memory_config ignore half of what is asked when the other half holds already.
#
# A good guess: to_layout(tensor, TILE_LAYOUT, memory_config=L1) gives a tensor in tiles and in L1 whatever the tensor was. So with
#     dtype, with to_device and its memory_config, and with to_memory_config and its dtype. What cannot be done raises an error.
# Seen (ttnn 0.81.1, mock n150): a tensor that is in tiles, on the device or in DRAM already comes back as it is, bfloat16 in DRAM,
#     without an error. to_layout logs a warning, the other two say nothing. When the first thing takes work, the second is done
#     with it.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
with_empty_kernels
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tiles, rows = allocate(device, [1024, 1024]), allocate(device, [1024, 1024], layout=ttnn.ROW_MAJOR_LAYOUT)
l1, dram = ttnn.L1_MEMORY_CONFIG, ttnn.DRAM_MEMORY_CONFIG
for name, tensor, op in (
    ("to_layout rows to tiles, L1", rows, lambda: ttnn.to_layout(rows, ttnn.TILE_LAYOUT, memory_config=l1)),
    ("to_layout tiles to tiles, L1", tiles, lambda: ttnn.to_layout(tiles, ttnn.TILE_LAYOUT, memory_config=l1)),
    ("to_layout rows to tiles, BFLOAT8_B", rows, lambda: ttnn.to_layout(rows, ttnn.TILE_LAYOUT, ttnn.bfloat8_b)),
    ("to_layout tiles to tiles, BFLOAT8_B", tiles, lambda: ttnn.to_layout(tiles, ttnn.TILE_LAYOUT, ttnn.bfloat8_b)),
    ("to_device, L1", tiles, lambda: ttnn.to_device(tiles, device, memory_config=l1)),
    ("to_memory_config L1, BFLOAT8_B", tiles, lambda: ttnn.to_memory_config(tiles, l1, dtype=ttnn.bfloat8_b)),
    ("to_memory_config DRAM, BFLOAT8_B", tiles, lambda: ttnn.to_memory_config(tiles, dram, dtype=ttnn.bfloat8_b)),
):
    result = op()
    same = "the same tensor, " * (result.buffer_address() == tensor.buffer_address())
    say(f"{name}: {same}{result.memory_config().buffer_type.name} {result.dtype.name}")
PYTHON
)
conclude 'each has the memory or the type that its name has' "$seen" 'to_layout rows to tiles, L1: L1 BFLOAT16
to_layout tiles to tiles, L1: the same tensor, DRAM BFLOAT16
to_layout rows to tiles, BFLOAT8_B: DRAM BFLOAT8_B
to_layout tiles to tiles, BFLOAT8_B: the same tensor, DRAM BFLOAT16
to_device, L1: the same tensor, DRAM BFLOAT16
to_memory_config L1, BFLOAT8_B: L1 BFLOAT8_B
to_memory_config DRAM, BFLOAT8_B: the same tensor, DRAM BFLOAT16'
