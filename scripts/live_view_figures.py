#!/usr/bin/env python3
"""Measures `ttmem top` in a pseudo-terminal of 160x50: first frame, keys, share of a core, memory, bytes when quiet.

    scripts/live_view_figures.py target/release/ttmem --root target/hosts/galaxy
"""

import fcntl
import os
import pty
import select
import statistics
import struct
import sys
import tempfile
import termios
import time

STARTS = 15
KEYS = b"2467124671"
SECONDS = 30


class Live:
    """One `ttmem top`, and what it writes."""

    def __init__(self, arguments):
        self.start = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
            home = tempfile.gettempdir()
            os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", HOME=home, XDG_CONFIG_HOME=home + "/none")
            os.execv(arguments[0], [arguments[0], "top", *arguments[1:]])

    def read_until(self, text, patience=10):
        """Seconds until it has written a text, or anything if there is none."""
        seen, begin = b"", time.perf_counter()
        while time.perf_counter() - begin < patience:
            if select.select([self.terminal], [], [], 0.5)[0]:
                seen += os.read(self.terminal, 65536)
                if text in seen:
                    return time.perf_counter() - self.start
        sys.exit(f"waited for {text!r}, saw {seen[-300:]!r}")

    def drain(self, seconds):
        """Bytes that it writes within a time."""
        count, end = 0, time.perf_counter() + seconds
        while (rest := end - time.perf_counter()) > 0:
            if select.select([self.terminal], [], [], rest)[0]:
                try:
                    count += len(os.read(self.terminal, 65536))
                except OSError:  # it has ended
                    break
        return count

    def press(self, key):
        self.drain(0.02)
        self.start = time.perf_counter()
        os.write(self.terminal, bytes([key]))
        return self.read_until(b"\x1b[")

    def used(self):
        """Nanoseconds of processor time by thread."""
        tasks = f"/proc/{self.pid}/task"
        times = {}
        for task in os.listdir(tasks):
            name = open(f"{tasks}/{task}/comm").read().strip()
            times[name] = int(open(f"{tasks}/{task}/schedstat").read().split()[0])
        return times

    def memory(self):
        lines = open(f"/proc/{self.pid}/smaps_rollup").read().splitlines()
        return {line.split(":")[0]: line.split()[1] for line in lines[1:] if line.split()[0] in ("Rss:", "Pss:", "Anonymous:")}

    def quit(self):
        os.write(self.terminal, b"q")
        self.drain(0.05)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def milliseconds(times):
    return f"median {statistics.median(times) * 1e3:.1f} ms, worst {max(times) * 1e3:.1f} ms"


def main():
    arguments = sys.argv[1:]
    frames, keys = [], []
    for _ in range(STARTS):
        live = Live(arguments)
        frames.append(live.read_until(b"Overview"))
        live.drain(0.2)
        keys += [live.press(key) for key in KEYS]
        live.quit()
    print("first frame after start:", milliseconds(frames))
    print("key to terminal:", milliseconds(keys))
    for view in ("overview", "charts", "telemetry"):
        live = Live([*arguments, "--view", view])
        live.read_until(b"Overview")
        live.drain(3)
        before, begin = live.used(), time.perf_counter()
        count = live.drain(SECONDS)
        length = (time.perf_counter() - begin) * 1e9
        shares = {name: (time - before.get(name, 0)) / length * 100 for name, time in live.used().items()}
        parts = ", ".join(f"{name} {share:.3f}" for name, share in shares.items() if share >= 0.001)
        print(f"{view}, {SECONDS} s: {sum(shares.values()):.3f} % of a core ({parts}); "
              f"{count} bytes to the terminal; KiB {live.memory()}")
        live.quit()


main()
