#!/bin/bash
# NaN for an unknown number empties the sum of a fleet in Prometheus, and is no sample in VictoriaMetrics.
#
# A good guess: an exporter that does not know the memory of a chip may export NaN, "not a number": sum, avg and count leave it out, as
#     min and max do, and absent() finds it. What reads the same format with the same language does the same.
# Seen (Prometheus 2.42.0 and VictoriaMetrics 1.79.5 of Debian 12, both scraping one page): in Prometheus sum and avg are NaN for one
#     unknown chip among all, count has 2, and absent() finds nothing. VictoriaMetrics drops the sample: the sum is that of the
#     known chips, count has 1, and absent() fires. An alert on little memory is silent about the chip in both.
source "$(dirname -- "$0")/lib.sh"

new_environment servers 3.12 3.10
packages=(prometheus=2.42.0+ds-5+deb12u1 victoria-metrics=1.79.5+ds1-2+b5)
(cd -- "$temporary" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" &&
    for package in ./*.deb; do dpkg -x "$package" debian; done) >&2 || unsupported "no apt-get to get ${packages[*]}"
seen=$(run_python "$temporary" <<'PYTHON'
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

folder = Path(sys.argv[1])
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
page, *servers = (f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
for each in sockets:
    each.close()
(folder / "page").mkdir()
(folder / "page/metrics").write_text('free_bytes{chip="0"} 100\nfree_bytes{chip="1"} NaN\n')
scrape = {"job_name": "chips", "scrape_interval": "1s", "static_configs": [{"targets": [page]}]}
(folder / "scrape.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
programs = folder / "debian/usr/bin"
commands = (
    [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder / "page", page.split(":")[1]],
    [programs / "prometheus", f"--config.file={folder}/scrape.yml", f"--storage.tsdb.path={folder}/p", f"--web.listen-address={servers[0]}"],
    [programs / "victoria-metrics", f"-promscrape.config={folder}/scrape.yml", f"-storageDataPath={folder}/v",
     f"-httpListenAddr={servers[1]}", "-search.latencyOffset=0s", "-search.disableCache"],
)

def query(server, expression):
    with urlopen(f"http://{server}/api/v1/query?{urlencode({'query': expression})}", timeout=10) as answer:
        result = json.load(answer)["data"]["result"]
    return " ".join(sample["value"][1] for sample in result) or "none"

def ready(server):
    try:
        return query(server, "count_over_time(free_bytes{chip='0'}[1m]) > 4") != "none"
    except OSError:
        return False

started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr) for command in commands]
try:
    end = time.monotonic() + 60
    while not all(map(ready, servers)) and time.monotonic() < end:
        time.sleep(1)
    for expression in ("sum(free_bytes)", "avg(free_bytes)", "min(free_bytes)", "count(free_bytes)",
                       'absent(free_bytes{chip="1"})', "count(free_bytes < 1000)"):
        print(f"{expression}: {', '.join(query(server, expression) for server in servers)}")
finally:
    for each in started:
        each.terminate()
    for each in started:
        each.wait()
PYTHON
)
conclude 'sum(free_bytes): 100, 100
avg(free_bytes): 100, 100
min(free_bytes): 100, 100
count(free_bytes): 1, 1
absent(free_bytes{chip="1"}): 1, 1
count(free_bytes < 1000): 1, 1' "$seen" 'sum(free_bytes): NaN, 100
avg(free_bytes): NaN, 100
min(free_bytes): 100, 100
count(free_bytes): 2, 1
absent(free_bytes{chip="1"}): none, 1
count(free_bytes < 1000): 1, 1'
