"""Runs ops in the C++ host as ttnn does, and others. The argument is the library of the host's ops."""

import ctypes
import sys

from ttnn.decorators import FastOperation

library = ctypes.CDLL(sys.argv[1])


def op(name):
    return FastOperation(name, lambda buffer: library.host_op(buffer)), FastOperation(name, library.host_op)


kept = []
library.host_open(1, 0)
library.host_op(b"from a module")
for name in ["ttnn.gelu", "ttnn.silu", "ttnn.experimental.gelu"]:
    kept.append(op(name))
    through_python, directly = kept[-1]
    directly(name.encode())
    through_python(b"through " + name.encode())
odd = FastOperation("odd name", library.host_op)
odd(b"odd")
gelu = op("ttnn.gelu")[1]
gelu.__dict__["extra"] = 1
for number in range(20):
    gelu(b"again %d" % number)
library.host_op(b"from a module again")
print("done", flush=True)
sys.stdin.read()
