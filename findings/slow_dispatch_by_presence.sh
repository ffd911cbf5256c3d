#!/bin/bash
# TT_METAL_SLOW_DISPATCH_MODE=0 switches slow dispatch on, and that changes the number of L1 banks.
#
# A good guess: 0 and the empty value mean off, and the way programs are sent to a chip leaves its memory as it is.
# Seen (ttnn 0.81.1): set to 1, to 0 or to nothing, the variable gives slow dispatch; only its absence gives fast dispatch. Fast
#     dispatch takes cores away: a row of 8 on a mock n150 (64 of 72 L1 banks remain), a column of 10 on a mock p150 (130 of
#     140). An interleaved L1 tensor then has another size per bank.
source "$(dirname -- "$0")/lib.sh"

install_ttnn 0.81.1
seen=''
for machine in n150 p150; do
    mock_machine "$machine"
    for setting in absent empty 0 1; do
        unset TT_METAL_SLOW_DISPATCH_MODE
        case $setting in
            absent) ;;
            empty) export TT_METAL_SLOW_DISPATCH_MODE= ;;
            *) export TT_METAL_SLOW_DISPATCH_MODE=$setting ;;
        esac
        seen+="$machine $setting: $(run_python <<'PYTHON'
from common import *
device = ttnn.open_device(device_id=0)
grid = device.compute_with_storage_grid_size()
say(f"{grid.x} x {grid.y} cores, {view(device, 'L1').num_banks} L1 banks")
PYTHON
)"$'\n'
    done
done
conclude 'n150 8 x 9 cores, p150 14 x 10 cores, always' "${seen%$'\n'}" 'n150 absent: 8 x 8 cores, 64 L1 banks
n150 empty: 8 x 9 cores, 72 L1 banks
n150 0: 8 x 9 cores, 72 L1 banks
n150 1: 8 x 9 cores, 72 L1 banks
p150 absent: 13 x 10 cores, 130 L1 banks
p150 empty: 14 x 10 cores, 140 L1 banks
p150 0: 14 x 10 cores, 140 L1 banks
p150 1: 14 x 10 cores, 140 L1 banks'
