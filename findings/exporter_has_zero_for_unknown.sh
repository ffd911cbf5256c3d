#!/bin/bash
# A tool that knows the memory of no Tenstorrent chip says that 0 of 0 bytes are in use, in its metrics too.
#
# A good guess: tt-smi has no memory in use, so what reads tt-smi shows it as it shows utilization, which tt-smi has not either: N/A in
#     the table, and no sample for Prometheus. An alert on little free memory stays silent.
# Seen (xpustat 0.4.0, with a snapshot of tt-smi's form): so it is for utilization. Of memory, used, total and free are 0 in the table
#     and as samples, so that an alert on little free memory fires for each chip, and a sum over chips of vendors is too small.
source "$(dirname -- "$0")/lib.sh"

new_environment xpustat 3.12 3.10
install xpustat==0.4.0
# tt-smi needs a device: its snapshot of one is given out instead.
mkdir -- "$temporary/bin"
cat >"$temporary/bin/tt-smi" <<'SNAPSHOT'
#!/bin/bash
cat <<'JSON'
{"time": "2026-01-01T00:00:00", "host_info": {},
 "device_info": [{"board_info": {"bus_id": "0000:01:00.0", "board_type": "n150 L", "board_id": "0100018511732000", "dram_status": "True"},
   "telemetry": {"voltage": "0.80", "current": " 30.0", "power": " 24.0", "aiclk": "1000", "asic_temperature": " 45.2"}}],
 "processes": []}
JSON
SNAPSHOT
chmod +x -- "$temporary/bin/tt-smi"
shown() { PATH=$temporary/bin:$PATH "${python%/*}/xpustat" "$@" 2>>"$temporary/log"; }
metrics=$(shown --prometheus | grep 'vendor="tenstorrent",' | sed 's/^xpustat_//; s/{.*}//' | grep -E '^(memory|utilization)')
seen="table: $(shown --no-color | sed -n 's/.*│ *\([0-9]\+ *\/ *[0-9]\+ MB\).* \([^ ]\+\)$/\1, \2/p' | tr -s ' ')
$metrics"
conclude 'table: N/A for both, and no metric of either' "$seen" 'table: 0 / 0 MB, N/A
memory_used_bytes 0
memory_total_bytes 0
memory_free_bytes 0'
