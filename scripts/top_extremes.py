#!/usr/bin/env python3
"""Runs a program in a pseudo-terminal under conditions that are rare, and prints its memory and processor time.

    scripts/top_extremes.py soak|slow|resize SECONDS -- COMMAND...
    scripts/top_extremes.py crowd HOST NEW

soak reads everything, slow 100 bytes each tenth of a second, resize changes the size all the time. At the end it presses q.
crowd copies a fake host with one process, and adds 10,000: 64 of them in every region, with every device open.
"""

import fcntl
import glob
import os
import pty
import random
import select
import shutil
import struct
import sys
import termios
import time

PROCESSES = 10_000
SLOTS, SLOT_STRIDE, SLOT_COUNT, TOTALS = 856, 120, 64, 48


def size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def use(pid):
    """Resident memory in KiB, and seconds of processor time."""
    with open(f"/proc/{pid}/status") as file:
        resident = next(line for line in file if line.startswith("VmRSS")).split()[1]
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(resident), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read(terminal, most, wait):
    ready, _, _ = select.select([terminal], [], [], wait)
    try:
        return len(os.read(terminal, most)) if ready else 0
    except OSError:
        return 0


def step(mode, terminal):
    """One turn: the bytes that were read, and the resizes."""
    if mode == "slow":
        time.sleep(0.1)
        return read(terminal, 100, 0), 0
    if mode == "resize":
        size(terminal, random.randint(10, 60), random.randint(30, 200))
        time.sleep(0.005)
        return read(terminal, 1 << 20, 0), 1
    return read(terminal, 1 << 16, 0.5), 0


def watch(mode, seconds, command):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", XDG_CONFIG_HOME="/nonexistent")
        os.execv(command[0], command)
    size(terminal, 50, 160)
    begin, told, total, resizes = time.time(), 0.0, 0, 0
    while (passed := time.time() - begin) < seconds:
        count, changes = step(mode, terminal)
        total, resizes = total + count, resizes + changes
        if passed - told >= seconds / 10:
            told = passed
            resident, spent = use(pid)
            print(f"{passed:5.0f} s  {resident} KiB  {spent:.2f} s of processor time  {total} bytes  {resizes} resizes")
    asked = time.time()
    os.write(terminal, b"q")
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        total += read(terminal, 100, 0.1) if mode == "slow" else read(terminal, 1 << 16, 0.01)
        time.sleep(0.1 if mode == "slow" else 0)
    print(f"ended {time.time() - asked:.2f} s after q")


def crowd(host, new):
    shutil.copytree(host, new, symlinks=True)
    processes = [name for name in os.listdir(f"{new}/proc") if name.isdigit()]
    model = f"{new}/proc/{max(processes, key=int)}"
    number = os.path.basename(model)

    def make(pid, has_devices):
        base = f"{new}/proc/{pid}"
        shutil.copytree(model, base, symlinks=True, ignore=None if has_devices else shutil.ignore_patterns("fd"))
        os.makedirs(f"{base}/fd", exist_ok=True)
        for name in ("stat", "status"):
            with open(f"{base}/{name}") as file:
                text = file.read()
            with open(f"{base}/{name}", "w") as file:
                file.write(text.replace(number, str(pid)))

    owners = range(PROCESSES, PROCESSES + SLOT_COUNT)
    for pid in range(PROCESSES, 2 * PROCESSES):
        make(pid, pid in owners)
    for path in glob.glob(f"{new}/dev/shm/tt_device_*_memory"):
        with open(path, "rb") as file:
            image = bytearray(file.read())
        slot, totals = bytes(image[SLOTS : SLOTS + SLOT_STRIDE]), [0] * 5
        share = [value // SLOT_COUNT for value in struct.unpack_from("<5Q", slot, 8)]
        for index, pid in enumerate(owners):
            one = bytearray(slot)
            struct.pack_into("<i", one, 0, pid)
            struct.pack_into("<5Q", one, 8, *share)
            totals = [total + value for total, value in zip(totals, share)]
            image[SLOTS + index * SLOT_STRIDE : SLOTS + (index + 1) * SLOT_STRIDE] = one
        struct.pack_into("<5Q", image, TOTALS, *totals)
        with open(path, "wb") as file:
            file.write(image)
    for path in glob.glob(f"{new}/proc/driver/tenstorrent/*/pids"):
        with open(path, "w") as file:
            file.write("".join(f"{pid}\n" for pid in owners))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "crowd":
        crowd(*sys.argv[2:])
    elif len(sys.argv) > 4 and sys.argv[1] in ("soak", "slow", "resize") and sys.argv[3] == "--":
        watch(sys.argv[1], float(sys.argv[2]), sys.argv[4:])
    else:
        sys.exit(__doc__)
