#!/bin/bash
# ttnn refuses NumPy arrays that cannot be written, which weights in mapped files and arrays of JAX are.
#
# A good guess: ttnn.Tensor copies what it is given, so it takes any array whose type it knows: one that reads its file when it is used
#     (GGUFReader of gguf has such for the weights of a file, and so has numpy.load with mmap_mode="r"), and one that JAX gives.
# Seen (ttnn 0.81.1, NumPy 1.26.4, gguf 0.17.1): it copies, and all the same refuses arrays that are read-only, with a TypeError about
#     "incompatible function arguments" that names neither the array nor what is wrong. numpy.array of it, a copy on the host, works.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
"$python" -m pip --disable-pip-version-check install --quiet --no-compile --no-deps --target "$temporary/site" numpy==1.26.4 gguf==0.17.1 \
    tqdm==4.67.1 pyyaml==6.0.2 >&2 || unsupported 'pip cannot install numpy and gguf'
seen=$(run_python "$temporary/site" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from common import *
import gguf
import numpy
folder = os.environ["TMPDIR"]
numbers = numpy.ones((64, 64), numpy.float32)
numpy.save(f"{folder}/weights.npy", numbers)
writer = gguf.GGUFWriter(f"{folder}/weights.gguf", "llama")
writer.add_tensor("weight", numbers)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
weight = gguf.GGUFReader(f"{folder}/weights.gguf").tensors[0].data
locked = numbers.copy()
locked.setflags(write=False)
taken = ttnn.Tensor(numbers)
for name, array in (
    ("an array", numbers),
    ("gguf", weight),
    ("numpy.load with mmap_mode='r'", numpy.load(f"{folder}/weights.npy", mmap_mode="r")),
    ("an array that cannot be written", locked),
    ("numpy.array of gguf", numpy.array(weight)),
):
    try:
        ttnn.Tensor(array)
        say(f"{name}: taken")
    except TypeError as error:
        say(f"{name}: {str(error).partition('.')[0]}")
numbers[:] = 5
say("first number after the array was changed:", taken.to_list()[0][0])
PYTHON
)
conclude 'all taken; 1.0' "$seen" "an array: taken
gguf: __init__(): incompatible function arguments
numpy.load with mmap_mode='r': __init__(): incompatible function arguments
an array that cannot be written: __init__(): incompatible function arguments
numpy.array of gguf: taken
first number after the array was changed: 1.0"
