#!/bin/bash
# The bytes of a killed process stay in the region in /dev/shm, and the next process adds its own.
#
# A good guess: the next process that opens the chip finds that the writer of the slot is dead and clears the slot.
# Seen (ttnn 0.81.1, mock n150): after SIGKILL of a process with 2 MiB and a second one with 2 MiB more, the total is
#     4,194,304 B and two slots are taken, one of a process that is gone. The second process ends well and takes only its own
#     bytes with it.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(
    # SIGCONT does nothing to the second process: it closes its device.
    for end in SIGKILL SIGCONT; do
        { run_python "$end" || true; } <<'PYTHON'
import signal
import sys
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])
totals, slots = region()
say("total", totals["dram"], "slots", *(size for _, size in slots))
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
del tensor
ttnn.close_device(device)
totals, slots = region()
say("closed: total", totals["dram"], "slots", *(size for _, size in slots))
PYTHON
    done
)
conclude $'total 2097152 slots 2097152\ntotal 2097152 slots 2097152\nclosed: total 0 slots' "$seen" 'total 2097152 slots 2097152
total 4194304 slots 2097152 2097152
closed: total 2097152 slots 2097152'
