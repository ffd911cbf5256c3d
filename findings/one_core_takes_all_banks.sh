#!/bin/bash
# A tensor on one core takes its bytes from the L1 of all cores.
#
# A good guess: a tensor that is sharded to core (0, 0) takes memory of that core. One for core (1, 0) fits at the same address, and
#     one that takes nearly all of the bank leaves the other 63 cores free.
# Seen (ttnn 0.81.1, mock n150): all banks are allocated together. The second tensor gets another address, and beside a tensor
#     that fills one core no other core has room: the error names a need of bytes in each of the 64 banks.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)

def on_core(x, tiles):
    core = ttnn.CoreRange(ttnn.CoreCoord(x, 0), ttnn.CoreCoord(x, 0))
    shard = ttnn.ShardSpec(ttnn.CoreRangeSet({core}), [32 * tiles, 32], ttnn.ShardOrientation.ROW_MAJOR)
    memory = ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, shard)
    return allocate(device, [32 * tiles, 32], memory)

first, second = on_core(0, 32), on_core(1, 32)
say("same address:", first.buffer_address() == second.buffer_address())
say("bytes per bank:", allocated(device, "L1"), "of", view(device, "L1").num_banks, "banks")
large = on_core(0, 600)
try:
    on_core(1, 32)
    say("room on another core")
except RuntimeError:
    say("no room on another core, free per bank:", view(device, "L1").total_bytes_free_per_bank)
PYTHON
)
conclude 'same address: True, 65536 bytes, room on another core' "$seen" 'same address: False
bytes per bank: 131072 of 64 banks
no room on another core, free per bank: 33440'
