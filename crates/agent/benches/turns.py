"""Measures loops of stock ttnn with and without the agent in turns inside one process, which differs less than two processes.

Preload the agent. For the turns without it, the calls of ttnn's libraries go to TT-Metal's own functions: the addresses in
their tables of bound functions are exchanged. Prints nanoseconds of one add, and of one allocation and free, of wall time: a
tenth of the turns is below, so that what else the machine does is not in them.

The agent's thread and what the tables themselves cost are in neither."""

import ctypes
import os
import random
import subprocess
import sys
import time

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ttnn  # noqa: E402

AGENT = os.environ["LD_PRELOAD"]
TURNS = int(os.environ.get("TURNS", "1000"))
PAGE = 4096

device = ttnn.open_device(device_id=0)
allocate = ttnn.allocate_tensor_on_device.function
arguments = ttnn.Shape([1, 1, 32, 32]), ttnn.bfloat16, ttnn.TILE_LAYOUT, device, ttnn.DRAM_MEMORY_CONFIG
x = allocate(*arguments)


def adds(count):
    for _ in range(count):
        ttnn.add(x, x)


def pairs(count):
    for _ in range(count):
        allocate(*arguments)  # freed at once, because nothing keeps it


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def libraries():
    """First address of each loaded library."""
    found = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            words = line.split()
            if len(words) == 6 and ".so" in words[5]:
                found.setdefault(words[5], int(words[0].split("-")[0], 16))
    return found


def functions(path):
    words = [line.split() for line in lines("nm", "--dynamic", "--defined-only", path)]
    return {word[2].split("@")[0]: int(word[0], 16) for word in words if len(word) == 3}


def exchanges():
    """Places of addresses that the agent's functions are bound to, with both addresses."""
    loaded = libraries()
    metal = next(path for path in loaded if path.endswith("/libtt_metal.so"))
    hooks, real = functions(os.path.realpath(AGENT)), functions(metal)
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    found = []
    for path in (path for path in loaded if path.endswith(("/libtt_metal.so", "/_ttnncpp.so")) or "/_ttnn." in path):
        for words in (line.split() for line in lines("readelf", "--relocs", "--wide", path)):
            name = words[4].split("@")[0] if len(words) > 4 else ""
            if name in hooks and name in real and words[2] in ("R_X86_64_JUMP_SLOT", "R_X86_64_GLOB_DAT"):
                place = loaded[path] + int(words[0], 16)
                assert protect(place & -PAGE, PAGE, 3) == 0
                word = ctypes.c_uint64.from_address(place)
                found.append((word, loaded[metal] + real[name], loaded[os.path.realpath(AGENT)] + hooks[name]))
    return found


for loop in (adds, pairs):
    loop(500)
places = exchanges()
for name, loop, count in (("add", adds, 20), ("allocate and free", pairs, 200)):
    times = [[], []]
    for _ in range(TURNS):
        for with_agent in random.sample((0, 1), 2):
            for place in places:
                place[0].value = place[1 + with_agent]
            loop(count // 4)
            start = time.perf_counter_ns()
            loop(count)
            times[with_agent].append((time.perf_counter_ns() - start) / count)
    without, with_agent = (sorted(measured)[TURNS // 10] for measured in times)
    more = with_agent - without
    print(f"{name}: {without:.0f} ns, agent {more:+.0f} ns, {more / without * 100:+.2f} %", file=REPORT, flush=True)
os._exit(0)
