"""Allocates in the C++ host from all kinds of Python code, and prints the stack of each as the interpreter has it.

The argument is the library of the host's ops.
"""

import asyncio
import contextlib
import ctypes
import json
import sys
import threading

with_lock, without_lock = ctypes.PyDLL(sys.argv[1]), ctypes.CDLL(sys.argv[1])
QUALIFIED = sys.version_info >= (3, 11)
sizes = iter(range(1, 10_000))


def stack(frame):
    while frame is not None:
        code = frame.f_code
        yield [code.co_qualname if QUALIFIED else code.co_name, code.co_filename, frame.f_lineno]
        frame = frame.f_back


def allocate(library=without_lock):
    pages = next(sizes)
    print(json.dumps([pages, list(stack(sys._getframe()))])); library.host_allocate(f"b{pages}".encode(), 0, ctypes.c_uint64(32), pages)  # noqa: E702


class Model:
    def forward(self, depth):
        if depth:
            return self.forward(depth - 1)
        return allocate(
            with_lock
        )


def generate():
    for _ in range(2):
        yield allocate()


async def awaited():
    await asyncio.sleep(0)
    allocate()


@contextlib.contextmanager
def context():
    allocate()
    yield


without_lock.host_open(1, 0)
allocate()
allocate(with_lock)
Model().forward(0)
Model().forward(3)
Model().forward(100)
list(generate())
asyncio.run(awaited())
with context():
    [(lambda: allocate())() for _ in range(2)]
sorted([2, 1], key=lambda _: allocate() or 0)
thread = threading.Thread(target=allocate)
thread.start()
thread.join()
# Code that is freed and made again, at the same addresses: as the cells of a notebook.
for cell in range(200):
    exec(compile("\n" * (cell % 7) + "def cell():\n    allocate()\ncell()", f"/tmp/cell_{cell % 13:08x}.py", "exec"))
exec(compile("allocate()", "/tmp/käse/" + "x" * 300 + "/中.py", "exec"))
exec(compile("\n" * 70_000 + "allocate()", "/tmp/long.py", "exec"))
print("done", flush=True)
sys.stdin.read()
