#!/bin/bash
# A tensor says that it is allocated after its device was closed.
#
# A good guess: close_device frees what is on the device; is_allocated is False and buffer_address raises, as after deallocate.
# Seen (ttnn 0.81.1, mock n150): is_allocated is True and the address is the old one, while the device is closed and after it was
#     opened again, where no memory is allocated and a new tensor gets the same address.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [64, 64])
address = tensor.buffer_address()
ttnn.close_device(device)
say("closed:", tensor.is_allocated(), tensor.buffer_address() == address)
device = ttnn.open_device(device_id=0)
say("opened again:", tensor.is_allocated(), "allocated bytes per bank:", allocated(device))
say("address given out again:", allocate(device, [64, 64]).buffer_address() == address)
PYTHON
)
conclude 'closed: False' "$seen" 'closed: True True
opened again: True allocated bytes per bank: 0
address given out again: True'
