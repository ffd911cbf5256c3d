#!/bin/bash
# Two simulated chips of two processes are one chip in the memory region, a Wormhole and a Blackhole too.
#
# A good guess: each simulator has a chip of its own, with an id of its own; so TT-Metal makes a region for each, with the bytes of
#     the one process that uses it.
# Seen (ttnn 0.81.1, Wolfpine 2.2): both chips have id 0, and both processes write to /dev/shm/tt_device_0_memory. Its total is
#     that of both, as is the figure of the chip in it. The processes have 12 and 8 DRAM banks.
source "$(dirname -- "$0")/lib.sh"

# The region has a name that other processes use too: /dev/shm is one of its own here.
if [[ -z ${PRIVATE_SHM:-} ]]; then
    unshare --mount --map-root-user true 2>/dev/null || unsupported 'no mount namespaces'
    PRIVATE_SHM=1 unshare --mount --map-root-user "$0" && exit
    exit $?
fi
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

new_environment wolfpine 3.12 3.10
install wolfpine==2.2
simulators=$("$python" -c 'import framework.sim; print(framework.sim.simulator_dir("wormhole"), framework.sim.simulator_dir("blackhole"))')
export WOLFPINE_PYTHON=$python
install_ttnn 0.81.1
# No kernel runs here, so the simulators need no cores.
export TT_METAL_SLOW_DISPATCH_MODE=1 TT_SIM_MOCK_TENSIX=1 XDG_CACHE_HOME=$temporary
# shellcheck disable=SC2086 # two words
seen=$(run_python $simulators <<'PYTHON'
import os
import struct
import subprocess
import sys

os.environ["TT_METAL_SIMULATOR"] = sys.argv[1]
from common import *

device = ttnn.open_device(device_id=0)
tensor = allocate(device, [1024, 1024])
say(f"{device.arch().name}: {view(device, 'DRAM').num_banks} DRAM banks, {sorted(os.listdir('/dev/shm'))}")
if len(sys.argv) > 2:
    subprocess.run([sys.executable, __file__, *sys.argv[2:]], check=True, stdout=REPORT)
else:
    with open("/dev/shm/tt_device_0_memory", "rb") as file:
        content = file.read()
    chips = [struct.unpack_from("<I4xQ", content, 88 + 48 * index) for index in range(16)]
    slots = [struct.unpack_from("<i4xQ", content, 856 + 120 * index) for index in range(64)]
    say("total:", *struct.unpack_from("<Q", content, 48), "of chips:", [size for chip, size in chips if chip != 0xFFFFFFFF])
    say("of processes:", [size for process, size in slots if process])
ttnn.close_device(device)
PYTHON
)
conclude 'two regions, with 2097152 bytes each' "$seen" "WORMHOLE_B0: 12 DRAM banks, ['tt_device_0_memory']
BLACKHOLE: 8 DRAM banks, ['tt_device_0_memory']
total: 4194304 of chips: [4194304]
of processes: [2097152, 2097152]"
