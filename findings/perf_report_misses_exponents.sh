#!/bin/bash
# tt-perf-report reckons with less DRAM than bfloat8_b and bfloat4_b have: their shared exponents are not in it.
#
# A good guess: the DRAM rate of a matmul is the bytes of its tensors by its time, and the bytes are those that the tensors have on the
#     device, 1,088 for a tile of bfloat8_b and 576 for one of bfloat4_b.
# Seen (tt-perf-report 1.4.1, ttnn 0.81.1, mock n150): for bfloat16 it is so. The 8 and the 4 in the names are taken for the bits of a
#     number: 1,024 and 512 bytes for a tile. The rate of a matmul with such weights, and its share of what DRAM can do, is 6 % and
#     11 % too low: one that is at the limit of DRAM seems to have room.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
on_device=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
for dtype in (ttnn.bfloat16, ttnn.bfloat8_b, ttnn.bfloat4_b):
    most, _ = dram_of(lambda: allocate(device, [8192, 8192], dtype=dtype))
    say(dtype.name, most)
PYTHON
)
new_environment perf-report 3.12 3.10
install tt-perf-report==1.4.1
seen=''
while read -r type bytes; do
    # The profiler's CSV of one matmul that took a millisecond: 32 x 8192 by 8192 x 8192, the first and the result in L1.
    run_python "$type" <<'PYTHON' >"$temporary/ops.csv"
import csv
import sys
row = {
    "OP CODE": "MatmulDeviceOperation", "OP TYPE": "tt_dnn_device", "GLOBAL CALL COUNT": 1024, "DEVICE ID": 0, "ATTRIBUTES": "{}",
    "DEVICE ARCH": "wormhole_b0", "MATH FIDELITY": "HiFi2", "CORE COUNT": 64, "HOST START TS": 1000, "HOST END TS": 2000,
    "HOST DURATION [ns]": 1000, "DEVICE FW DURATION [ns]": 1000000, "DEVICE KERNEL DURATION [ns]": 1000000, "OP TO OP LATENCY [ns]": 0,
}
for name, rows, dtype, memory in (("INPUT_0", 32, "BFLOAT16", "L1"), ("INPUT_1", 8192, sys.argv[1], "DRAM"), ("OUTPUT_0", 32, "BFLOAT16", "L1")):
    for dim, size in (("W", 1), ("Z", 1), ("Y", rows), ("X", 8192)):
        row[f"{name}_{dim}_PAD[LOGICAL]"] = f"{size}[{size}]"
    row |= {f"{name}_LAYOUT": "TILE", f"{name}_DATATYPE": dtype, f"{name}_MEMORY": f"DEV_0_{memory}_INTERLEAVED"}
csv.writer(sys.stdout).writerows((row, row.values()))
PYTHON
    "${python%/*}/tt-perf-report" "$temporary/ops.csv" --no-color --no-advice --no-summary --csv "$temporary/report.csv" >>"$temporary/log" 2>&1
    seen+="$type: $bytes bytes, $(run_python "$temporary/report.csv" <<'PYTHON'
import csv
import sys
with open(sys.argv[1]) as file:
    print(round(float(next(csv.DictReader(file))["DRAM"]) * 1000000), "reckoned with")
PYTHON
)"$'\n'
done <<<"$on_device"
conclude 'the same bytes twice' "${seen%$'\n'}" 'BFLOAT16: 134217728 bytes, 134217728 reckoned with
BFLOAT8_B: 71303168 bytes, 67108864 reckoned with
BFLOAT4_B: 37748736 bytes, 33554432 reckoned with'
