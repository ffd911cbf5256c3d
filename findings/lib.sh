# shellcheck shell=bash
# Helpers of the scripts in this folder: a temporary folder, pinned packages in it, mock machines, and the verdict.
#
# Exit codes of the scripts: 0 as described; 1 something else was seen; 3 the packages cannot be installed here.
set -euo pipefail

findings=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
temporary=$(mktemp -d)
# The ids of mock chips carry this process's id, so that runs at the same time do not share a memory region.
chip_id=9$(printf '%010d' $$)
trap 'rm -rf -- "$temporary" /dev/shm/tt_device_"${chip_id}"[0-9]_memory' EXIT

unsupported() {
    echo "$(basename -- "$0"): $*" >&2
    exit 3
}

# new_environment NAME VERSION...: sets `python` to that of a new virtual environment, made by CPython of one of the versions.
new_environment() {
    local name=$1 version candidate
    for version in "${@:2}"; do
        for candidate in "python$version" "${HOME:-/root}/.pyenv/versions/$version".*/bin/python; do
            "$candidate" -c 'import ensurepip, venv' 2>/dev/null || continue
            "$candidate" -m venv "$temporary/$name"
            python=$temporary/$name/bin/python
            return
        done
    done
    unsupported "no CPython ${*:2} with venv and ensurepip found"
}

install() { "$python" -m pip --disable-pip-version-check install --quiet --no-compile "$@" >&2 || unsupported "pip cannot install $*"; }

# install_ttnn VERSION: sets `python` to one that imports this release. TTNN_PYTHON_<VERSION with _>, if set, is used instead.
#
# Only those packages come with it that importing ttnn needs. TT-Metal asks for a compiler when it opens a device. The one here
# has the right version, and where TT-Metal builds firmware it hands out what the wheel brings. These scripts run no ops.
install_ttnn() {
    local override=TTNN_PYTHON_${1//./_} package firmware version compiler
    if [[ -n ${!override:-} ]]; then
        python=${!override}
        return
    fi
    new_environment "ttnn-$1" 3.10 3.12
    install --no-deps "ttnn==$1" loguru==0.7.3 graphviz==0.21 networkx==3.4.2
    package=$(echo "$temporary/ttnn-$1"/lib/python3.*/site-packages/ttnn)
    firmware=$(find "$package" -path '*/pre-compiled/*' -name brisc.elf -print -quit)
    version=$(grep -ao -m 1 'GCC: (tenstorrent[^)]*) [0-9.]*' "$firmware" | head -n 1)
    compiler=$package/runtime/sfpi/compiler/bin/riscv-tt-elf-g++
    mkdir -p -- "${compiler%/*}"
    cat >"$compiler" <<COMPILER
#!/bin/bash
output='' dependencies=/dev/null
while ((\$#)); do
    case \$1 in
        --version) echo 'riscv-tt-elf-g++ ${version#GCC: }' && exit ;;
        c++-header) exit 1 ;;
        -MF) dependencies=\$2 ;;
        -o) output=\$2 ;;
    esac
    shift
done
name=\${output##*/} name=\${name%%.*}
[[ \$output == *.elf ]] || { echo "\$output:" >"\$dependencies" && exec touch -- "\$output"; }
firmware=\$(find '${firmware%/*/*/*}' -path "*/\$name/\$name.elf" -print -quit)
exec cp -- "\${firmware:-$firmware}" "\$output"
COMPILER
    chmod +x -- "$compiler"
}

# Gives the ttnn of install_ttnn a compiler that makes empty kernels, with Debian's assembler and linker. All ops need it that
# are dispatched, and of the others matmul and the like.
with_empty_kernels() {
    local compiler tools=$temporary/tools/usr/bin/riscv64-unknown-elf
    compiler=$(echo "$temporary"/ttnn-*/lib/python3.*/site-packages/ttnn/runtime/sfpi/compiler/bin/riscv-tt-elf-g++)
    [[ -e $compiler ]] || return 0 # an environment of testbed/install, which has them
    (cd -- "$temporary" && apt-get download -qq -o APT::Sandbox::User=root binutils-riscv64-unknown-elf && dpkg -x binutils-*.deb tools) >&2 ||
        unsupported 'no apt-get to get binutils-riscv64-unknown-elf'
    mv -- "$compiler" "$compiler.version"
    cat >"$compiler" <<COMPILER
#!/bin/bash
[[ \$1 != --version ]] || exec '$compiler.version' --version
[[ " \$* " != *' c++-header '* ]] || exit 1
compile='' linking=() dependencies=/dev/null
while ((\$#)); do
    case \$1 in
        -c) compile=1 ;;
        -o) output=\$2 && shift ;;
        -MF) dependencies=\$2 && shift ;;
        */runtime/hw/lib/*.o) ;;
        *.o | -T* | -L*) linking+=("\$1") ;;
        -Wl,*) linking+=(\$(tr , ' ' <<<"\${1#-Wl,}")) ;;
    esac
    shift
done
[[ -n \$compile ]] || exec '$tools-ld' -m elf32lriscv --allow-multiple-definition "\${linking[@]}" -o "\$output"
echo "\$output:" >"\$dependencies"
exec '$tools-as' -march=rv32im -mabi=ilp32 -o "\$output" <<<'.section .start, "ax"; .globl _start; _start: call body; ret; .text; body: ret'
COMPILER
    chmod +x -- "$compiler"
}

# Sets `python` to one that imports JAX with the plugin for Tenstorrent: $JAX_PYTHON, or that of a new environment.
install_jax() {
    if [[ -n ${JAX_PYTHON:-} ]]; then
        python=$JAX_PYTHON
        return
    fi
    new_environment jax 3.12
    install jax-tt-plugin==0.1.3 jax==0.12.0.1 jaxlib==0.12.0.1
}

# mock_machine n150|n300|p150: TT-Metal opens mock devices of this board.
mock_machine() {
    local arch=wormhole_b0 rows harvesting
    case $1 in # The rows of cores that are switched off, as a bit mask: one on n150, two on n300, none on p150.
        n150) rows=512 ;;
        n300) rows=544 ;;
        p150) arch=blackhole rows=0 ;;
    esac
    harvesting="{noc_translation: true, harvest_mask: $rows, dram_harvesting_mask: 0, eth_harvesting_mask: 0, pcie_harvesting_mask: 0}"
    [[ $1 != p150 ]] ||
        harvesting="{noc_translation: true, harvest_mask: $rows, dram_harvesting_mask: 0, eth_harvesting_mask: 288, pcie_harvesting_mask: 2, l2cpu_harvesting_mask: 0}"
    export TT_METAL_MOCK_CLUSTER_DESC_PATH=$temporary/$1.yaml
    {
        if [[ $1 == n300 ]]; then
            echo "arch: {0: $arch, 1: $arch}"
            echo "chips: {0: [0, 0, 0, 0], 1: [1, 0, 0, 0]}"
            echo "chip_unique_ids: {0: ${chip_id}0, 1: ${chip_id}1}"
            echo "ethernet_connections: [[{chip: 0, chan: 8}, {chip: 1, chan: 0}], [{chip: 0, chan: 9}, {chip: 1, chan: 1}]]"
            echo "harvesting: {0: $harvesting, 1: $harvesting}"
            echo "chip_to_boardtype: {0: n300, 1: n300}"
            echo "boards: [[{board_id: 72058970065734929}, {board_type: n300}, {chips: [0, 1]}]]"
        else
            echo "arch: {0: $arch}"
            echo "chips: {}"
            echo "chip_unique_ids: {0: ${chip_id}0}"
            echo "ethernet_connections: []"
            echo "harvesting: {0: $harvesting}"
            echo "chip_to_boardtype: {0: $1}"
            echo "boards: [[{board_id: 4466818026509}, {board_type: $1}, {chips: [0]}]]"
        fi
        echo "chips_with_mmio: [{0: 0}]"
        [[ $1 != p150 ]] || echo "asic_locations: {0: 0}"
    } >"$TT_METAL_MOCK_CLUSTER_DESC_PATH"
}

# run_python [ARG...] <SCRIPT: runs it with `python`; prints what it says through common.say, and nothing else.
run_python() {
    cat >"$temporary/script.py"
    env -u PYTHONHOME -u TT_METAL_HOME -u TT_METAL_RUNTIME_ROOT -u TT_METAL_SIMULATOR -u TTNN_CONFIG_PATH \
        PYTHONPATH="$findings" PYTHONDONTWRITEBYTECODE=1 TMPDIR="$temporary" TT_METAL_CACHE="$temporary/cache" \
        TT_METAL_LOGS_PATH="$temporary" TT_LOGGER_LEVEL=error LOGURU_LEVEL=ERROR TT_METAL_DISABLE_BACKTRACE=1 OMPI_MCA_btl=self \
        "$python" "$temporary/script.py" "$@" 2>>"$temporary/log" || { tail -n 5 "$temporary/log" >&2 && return 1; }
}

# conclude GUESS SEEN EXPECTED: prints the first two, and whether what was seen is what this script describes.
conclude() {
    printf 'guess: %s\nseen:  %s\n' "${1//$'\n'/$'\n       '}" "${2//$'\n'/$'\n       '}"
    if [[ $2 == "$3" ]]; then
        echo ok
    else
        printf 'changed; it was:\n       %s\n' "${3//$'\n'/$'\n       '}"
        tail -n 5 "$temporary/log" >&2 || true
        exit 1
    fi
}
