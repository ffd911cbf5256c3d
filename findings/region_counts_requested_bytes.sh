#!/bin/bash
# The region in /dev/shm has the bytes that were asked for; the allocator reserves up to 512 times as many.
#
# A good guess: both say how much memory is taken; or they differ by the rounding of one page.
# Seen (ttnn 0.81.1, mock n150 in fast dispatch, 64 L1 banks): for one uint32 in L1 the region has 4 B. The tensor's own aligned
#     page size says 16 B. The allocator takes 32 B at the same offset of each of the 64 banks: 2,048 B. 129 such pages, three in
#     a bank at most, take 64 B per bank: pages are padded to 16 B, the sum of a bank's pages to 32 B.
source "$(dirname -- "$0")/lib.sh"

mock_machine n150
install_ttnn 0.81.1
seen=$(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
for pages in (1, 64, 128, 129):
    tensor = allocate(device, [pages, 1], ttnn.L1_MEMORY_CONFIG, ttnn.uint32, ttnn.ROW_MAJOR_LAYOUT)
    say(
        f"{pages} pages: aligned page {tensor.buffer_aligned_page_size()}, region {region()[0]['l1']},",
        f"allocator {allocated(device, 'L1')} in each of {view(device, 'L1').num_banks}",
    )
    del tensor
PYTHON
)
conclude '1 page: region 16, allocator 16 in one bank' "$seen" '1 pages: aligned page 16, region 4, allocator 32 in each of 64
64 pages: aligned page 16, region 256, allocator 32 in each of 64
128 pages: aligned page 16, region 512, allocator 32 in each of 64
129 pages: aligned page 16, region 516, allocator 64 in each of 64'
