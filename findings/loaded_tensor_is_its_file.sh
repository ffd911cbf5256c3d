#!/bin/bash
# A tensor that load_tensor returns is its file: it takes no memory of the process, and up to 0.76.0 it changes with the file.
#
# A good guess: load_tensor reads the file, so that the process has 64 MiB more for a tensor of 64 MiB, and what happens to the file
#     afterwards is of no matter to the tensor.
# Seen (ttnn 0.76.0 and 0.81.1): the file is mapped, and read when the numbers are used; the process has not a mebibyte of its own
#     more. In 0.76.0 dump_tensor writes into the file that is there: a tensor that was loaded from it has the new numbers. In
#     0.81.1 dump_tensor makes a new file of the name, and the old one stays on the disk, without a name, while the tensor lives.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
seen=''
for version in 0.76.0 0.81.1; do
    install_ttnn "$version"
    seen+="$version: $(run_python <<'PYTHON'
from common import *
path = os.path.join(os.environ["TMPDIR"], "weights.tensorbin")

def dump(number, rows):
    ttnn.dump_tensor(path, ttnn.Tensor([number] * (rows * 1024), [rows, 1024], ttnn.float32, ttnn.ROW_MAJOR_LAYOUT))

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) >> 10

dump(1.0, 16384)
before = resident()
large = ttnn.load_tensor(path)
grown = resident() - before
say("MiB more:", grown if grown > 8 else "none")
del large
dump(1.0, 1)
loaded = ttnn.load_tensor(path)
dump(2.0, 1)
say("number after a dump of 2:", loaded.to_list()[0][0])
with open("/proc/self/maps") as maps:
    say("file without a name:", any("weights.tensorbin (deleted)" in line for line in maps))
PYTHON
)"$'\n'
done
conclude 'both: MiB more: 64
number after a dump of 2: 1.0
file without a name: False' "${seen%$'\n'}" '0.76.0: MiB more: none
number after a dump of 2: 2.0
file without a name: False
0.81.1: MiB more: none
number after a dump of 2: 1.0
file without a name: True'
