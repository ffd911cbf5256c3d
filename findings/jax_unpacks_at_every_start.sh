#!/bin/bash
# Each JAX process that opens a device writes its kernel compiler anew, over the one that other processes use.
#
# A good guess: the folder in TMPDIR is named by a digest of its content, so it is unpacked once; later processes find it and use
#     the same files.
# Seen (jax-tt-plugin 0.1.3, jax 0.12.0.1, CPython 3.12, mock p150): the second process unpacks all of it again, about 400 MB in
#     11,000 files, into the same folder. Each file is another one afterwards, with the same bytes. Kernels that an earlier process
#     compiles in the meantime fail now and then, since a program that is being written cannot be run.
source "$(dirname -- "$0")/lib.sh"

mock_machine p150
install_jax
opening='import jax; jax.devices()'
folders() { find "$temporary" -maxdepth 6 -name 'libtt-tt-metal-runtime-assets-*' -prune "$@"; }

run_python <<<"$opening" >/dev/null
compiler=$(find "$(folders)" -path '*/sfpi/compiler/bin/riscv-tt-elf-g++')
# A second name keeps the first file, so that its number is not given to another.
ln -- "$compiler" "$temporary/first"
run_python <<<"$opening" >/dev/null
same() { "$@" && echo same || echo other; }
conclude $'folders 1\nbytes same\nfile same' "folders $(folders -print | wc -l)
bytes $(same cmp --quiet -- "$compiler" "$temporary/first")
file $(same test "$compiler" -ef "$temporary/first")" $'folders 1\nbytes same\nfile other'
