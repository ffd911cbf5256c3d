"""JAX on a mock device, whose TT-Metal is a static part of its plugin. Prints a JSON line after each step, then waits for a line on
standard input: what JAX itself says is in use on the device, in bytes. Run with testbed/run --mock p150 --jax."""

import json
import os
import sys

REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import jax  # noqa: E402
from jax import numpy  # noqa: E402

device = jax.devices()[0]


def report(step):
    line = {"step": step, "pid": os.getpid(), "in_use": device.memory_stats()["bytes_in_use"]}
    print(json.dumps(line), file=REPORT, flush=True)
    sys.stdin.readline()


x = numpy.ones((1024, 1024), numpy.bfloat16).block_until_ready()
report("ones")
product = (x @ x).block_until_ready()
report("matmul")
del product
report("delete")
