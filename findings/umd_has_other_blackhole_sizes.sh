#!/bin/bash
# UMD and TT-Metal have different memory sizes for one Blackhole chip.
#
# A good guess: TT-Metal opens devices through UMD, so the sizes of DRAM banks and L1 that UMD has for an architecture are those
#     that TT-Metal's allocator starts from.
# Seen (tt-umd 0.9.14; ttnn 0.81.1, its SoC descriptors read by the same UMD): for Wormhole they agree. For Blackhole UMD alone
#     has DRAM banks of 4 GiB and Ethernet cores with 256 KiB of L1, TT-Metal 4 GiB less 16 MiB and 512 KiB: 128 MiB of DRAM
#     less, and twice the L1.
source "$(dirname -- "$0")/lib.sh"

new_environment umd 3.12 3.10
install tt-umd==0.9.14
install --no-deps ttnn==0.81.1
seen=$(run_python <<'PYTHON'
from pathlib import Path
import sysconfig
import tt_umd

descriptors = Path(sysconfig.get_path("purelib")) / "ttnn/tt_metal/soc_descriptors"
for arch, name in (("WORMHOLE_B0", "wormhole_b0_80_arch"), ("BLACKHOLE", "blackhole_140_arch")):
    for source, argument in (("UMD", getattr(tt_umd.ARCH, arch)), ("TT-Metal", str(descriptors / f"{name}.yaml"))):
        soc = tt_umd.SocArchDescriptor(argument)
        print(f"{arch} {source}: DRAM {len(soc.dram_cores)} x {soc.dram_bank_size}, L1 {soc.worker_l1_size}, Ethernet {soc.eth_l1_size}")
PYTHON
)
conclude 'UMD and TT-Metal have the same four values' "$seen" 'WORMHOLE_B0 UMD: DRAM 6 x 2147483648, L1 1499136, Ethernet 262144
WORMHOLE_B0 TT-Metal: DRAM 6 x 2147483648, L1 1499136, Ethernet 262144
BLACKHOLE UMD: DRAM 8 x 4294967296, L1 1572864, Ethernet 262144
BLACKHOLE TT-Metal: DRAM 8 x 4278190080, L1 1572864, Ethernet 524288'
