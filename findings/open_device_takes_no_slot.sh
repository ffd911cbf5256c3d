#!/bin/bash
# The region in /dev/shm does not know a process that has opened the chip and holds no memory there yet.
#
# A good guess: open_device takes one of the region's slots, with 0 bytes, and close_device gives it back; so the slots are the
#     processes that have the chip open.
# Seen (ttnn 0.81.1, mock n150): after open_device the region's file is there, with no process. The first allocation takes the slot,
#     which stays with 0 bytes when all is freed, until the device is closed.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *

def slots(when):
    say(f"{when}: {[size for pid, size in region()[1] if pid == os.getpid()]}")

device = ttnn.open_device(device_id=0)
slots("opened")
tensor = allocate(device, [1024, 1024])
slots("allocated")
ttnn.deallocate(tensor)
slots("freed")
ttnn.close_device(device)
slots("closed")
PYTHON
)
conclude 'opened: [0]
allocated: [2097152]
freed: [0]
closed: []' "$seen" 'opened: []
allocated: [2097152]
freed: [0]
closed: []'
