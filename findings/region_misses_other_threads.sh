#!/bin/bash
# The region in /dev/shm counts what one thread does: the allocations of another are missing, and what it frees stays.
#
# A good guess: the counters are of the process, whichever thread allocates or frees; so they return to 0.
# Seen (ttnn 0.81.1, mock n150): 2 MiB of a second thread are in the allocator and not in the region. 2 MiB of the thread that
#     opened the device are in both, and stay in the region after a second thread freed them.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
import threading
from common import *
device = ttnn.open_device(device_id=0)
tensors = {}

def on_second_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

def report(step):
    say(f"{step}: allocator {allocated(device)} per bank, region {region()[0]['dram']}")

on_second_thread(lambda: tensors.update(second=allocate(device, [1024, 1024])))
report("second thread allocated")
ttnn.deallocate(tensors["second"])
tensors["first"] = allocate(device, [1024, 1024])
report("first thread allocated")
on_second_thread(lambda: ttnn.deallocate(tensors["first"]))
report("second thread freed")
PYTHON
)
conclude 'region 2097152, 2097152, 0' "$seen" 'second thread allocated: allocator 176128 per bank, region 0
first thread allocated: allocator 176128 per bank, region 2097152
second thread freed: allocator 0 per bank, region 2097152'
