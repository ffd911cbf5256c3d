#!/bin/bash
# deallocate of a host tensor frees nothing, and says nothing.
#
# A good guess: ttnn.deallocate gives back the memory of a tensor wherever it is: for a copy of 256 MiB on the host the process has
#     256 MiB less afterwards and is_allocated says False, as on the device; or a host tensor is refused.
# Seen (ttnn 0.81.1, mock n150): the process keeps the 256 MiB, the tensor says that it is allocated and can be used. The memory goes
#     with the last Python name. A program that calls deallocate on all it no longer needs still grows on the host.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
tensor = allocate(device, [8192, 16384])

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) >> 10

def state(when):
    # In steps of 16 MiB: the interpreter takes and gives back some of its own.
    say(f"{when}: {(resident() - start + 8) // 16 * 16} MiB")

start = resident()
copy = ttnn.from_device(tensor)
state("copied")
ttnn.deallocate(copy)
state(f"deallocated, is_allocated {copy.is_allocated()}")
ttnn.deallocate(ttnn.to_device(copy, device))
state("used again")
del copy
state("name deleted")
PYTHON
)
conclude 'copied: 256 MiB
deallocated, is_allocated False: 0 MiB' "$seen" 'copied: 256 MiB
deallocated, is_allocated True: 256 MiB
used again: 256 MiB
name deleted: 0 MiB'
