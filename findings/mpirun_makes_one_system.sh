#!/bin/bash
# Two processes that mpirun starts cannot open their devices, though each opens its own.
#
# A good guess: `mpirun -n 2 python script.py` starts two ttnn processes that know nothing of each other, unless they use ttnn's
#     distributed functions; each opens its device as it does without mpirun. Debian's mpirun is Open MPI 4, and ttnn brings Open
#     MPI 5 of its own.
# Seen (ttnn 0.81.1, mpirun 4.1.4, mock n150): importing ttnn joins the job of mpirun, and TT-Metal takes the processes for the hosts
#     of one system. open_device is refused for want of TT_MESH_ID and TT_MESH_HOST_RANK. Without PMIX_NAMESPACE and PMIX_RANK
#     in the environment both open.
source "$(dirname -- "$0")/lib.sh"

command -v mpirun >/dev/null || unsupported 'no mpirun found (Debian: openmpi-bin)'
mock_machine n150
install_ttnn 0.81.1
cat >"$temporary/opens.py" <<'PYTHON'
from common import say, ttnn
try:
    device = ttnn.open_device(device_id=0)
    say("opened")
    ttnn.close_device(device)
except RuntimeError as error:
    say("refused:", "TT_MESH_ID" in str(error))
PYTHON
# run_two [COMMAND...]: what two processes say, in whatever order.
run_two() {
    env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PYTHONPATH="$findings" PYTHONDONTWRITEBYTECODE=1 \
        TMPDIR="$temporary" TT_METAL_CACHE="$temporary/cache" TT_METAL_LOGS_PATH="$temporary" TT_LOGGER_LEVEL=error \
        LOGURU_LEVEL=ERROR TT_METAL_DISABLE_BACKTRACE=1 \
        mpirun --oversubscribe -n 2 "$@" "$python" "$temporary/opens.py" 2>>"$temporary/log"
}
seen="mpirun: $(run_two)"$'\n'"without PMIX: $(run_two env -u PMIX_NAMESPACE -u PMIX_RANK)"
conclude $'mpirun: opened\nopened\nwithout PMIX: opened\nopened' "$seen" \
    $'mpirun: refused: True\nrefused: True\nwithout PMIX: opened\nopened'
