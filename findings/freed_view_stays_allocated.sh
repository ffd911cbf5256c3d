#!/bin/bash
# After deallocate of one view of a tensor, another view says that it is allocated, at an address that is given out again.
#
# A good guess: deallocate of a view either leaves the memory to the others, or all of them say that it is gone.
# Seen (ttnn 0.81.1, mock n150): of a tensor, its reshape and the reshape of that, deallocate of the last frees the memory. The
#     tensor says so; the view between still says is_allocated and its old address, and the next allocation gets that address.
#     With force=False nothing is freed while a second view lives, and the tensor stays allocated.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)

def three():
    tensor = allocate(device, [1, 1, 64, 64])
    between = ttnn.reshape(tensor, [1, 1, 1, 64, 64])
    return tensor, between, ttnn.reshape(between, [64, 64])

tensor, between, last = three()
ttnn.deallocate(last, False)
say("force=False:", *(each.is_allocated() for each in (tensor, between, last)), allocated(device))
ttnn.deallocate(last)
say("force=True:", *(each.is_allocated() for each in (tensor, between, last)), allocated(device))
new = allocate(device, [1, 1, 64, 64])
say("address given out again:", between.buffer_address() == new.buffer_address())
PYTHON
)
conclude 'force=True: True True False 2048, or False False False 0' "$seen" 'force=False: True True True 2048
force=True: False True False 0
address given out again: True'
