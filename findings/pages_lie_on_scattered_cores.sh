#!/bin/bash
# The first page of an interleaved L1 tensor is not in bank 0, and neighbouring banks are not neighbouring cores.
#
# A good guess: page 0 is in bank 0 on core (0, 0), page 1 in bank 1 on core (1, 0), and so on row by row; a tensor of two tiles is
#     on the first two cores of the grid.
# Seen (ttnn 0.81.1, mock n150 with 64 banks and mock p150 with 130): page 0 is in bank 1, and bank 0 has the last of as many
#     pages as there are banks. The cores of the first four banks are far apart, in no order of rows or columns. The list of
#     pages has tensors in L1 only; those in DRAM are not in it.
source "$(dirname -- "$0")/lib.sh"

install_ttnn 0.81.1
seen=''
for machine in n150 p150; do
    mock_machine "$machine"
    seen+="$machine $(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
banks = view(device, "L1").num_banks
tensors = allocate(device, [32 * banks, 32], ttnn.L1_MEMORY_CONFIG), allocate(device, [32 * banks, 32])
pages = sorted(ttnn._ttnn.reports.get_buffer_pages([device]), key=lambda page: page.page_index)
say("pages", len(pages), "of", 2 * banks, "banks", [page.bank_id for page in (*pages[:2], pages[-1])])
say("cores", [(page.core_x, page.core_y) for page in pages[:4]])
PYTHON
)"$'\n'
done
conclude 'n150 pages 128 of 128 banks [0, 1, 63]
cores [(0, 0), (1, 0), (2, 0), (3, 0)]
p150 pages 260 of 260 banks [0, 1, 129]
cores [(0, 0), (1, 0), (2, 0), (3, 0)]' "${seen%$'\n'}" 'n150 pages 64 of 128 banks [1, 2, 0]
cores [(1, 4), (4, 4), (4, 1), (2, 2)]
p150 pages 130 of 260 banks [1, 2, 0]
cores [(7, 2), (7, 6), (8, 9), (6, 8)]'
