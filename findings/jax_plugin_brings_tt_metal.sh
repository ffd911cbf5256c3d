#!/bin/bash
# A JAX process on a Tenstorrent device has TT-Metal in it, but no libtt_metal.so.
#
# A good guess: the plugin loads a libtt_metal.so as ttnn does, of its own or of an installed ttnn; what looks for that library
#     in a process's maps, or preloads one that replaces its functions, works for both.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, CPython 3.12, mock p150): TT-Metal is linked into the plugin's libtt.so, and the
#     process opens the region in /dev/shm as a ttnn process does. jax.devices() also unpacks a RISC-V compiler (SFPI) into
#     TMPDIR, which stays there after the process has ended.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
seen=$(run_python <<'PYTHON'
import os
report = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import jax
say = lambda *words: print(*words, file=report, flush=True)
say("devices", len(jax.devices()))
with open("/proc/self/maps") as maps:
    libraries = {os.path.basename(line.split()[-1]) for line in maps if ".so" in line}
say("libtt_metal.so mapped", any(name.startswith("libtt_metal") for name in libraries))
with open(os.environ["TT_METAL_MOCK_CLUSTER_DESC_PATH"]) as file:
    chip = next(line for line in file if line.startswith("chip_unique_ids")).partition("{0: ")[2].partition("}")[0]
say("region", os.path.exists(f"/dev/shm/tt_device_{chip}_memory"))
PYTHON
)
compilers=$(find "$temporary" -maxdepth 6 -path '*runtime-assets*/riscv-tt-elf-g++' | wc -l)
conclude $'devices 1\nlibtt_metal.so mapped True\nregion True\ncompilers left 0' "$seen"$'\n'"compilers left $compilers" \
    $'devices 1\nlibtt_metal.so mapped False\nregion True\ncompilers left 1'
