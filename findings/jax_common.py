"""Helpers for scripts that run in the Python of the JAX plugin."""

import os
import struct

# The plugin logs to standard output; that is for `say` alone.
REPORT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import gc  # noqa: E402, F401

import jax  # noqa: E402
import numpy  # noqa: E402, F401

jax.devices()


def say(*words):
    print(*words, file=REPORT, flush=True)


def dram():
    """DRAM of the first mock chip in TT-Metal's shared memory region, in bytes."""
    with open(os.environ["TT_METAL_MOCK_CLUSTER_DESC_PATH"]) as file:
        line = next(line for line in file if line.startswith("chip_unique_ids"))
    with open(f"/dev/shm/tt_device_{line.partition('{0: ')[2].partition('}')[0]}_memory", "rb") as file:
        return struct.unpack_from("<Q", file.read(), 48)[0]
