"""Compares the workload's statements with the shared memory regions of stock TT-Metal. Started by testbed/selfcheck."""

import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REGION_BYTES = 8576
PROCESSES = struct.Struct("<i4x5Q")  # pid, dram, l1, l1_small, trace, circular buffers
FIRST_PROCESS, PROCESS_STRIDE, PROCESS_COUNT = 856, 120, 64
KINDS = ("dram", "l1", "l1_small", "trace")

checks = 0


def check(condition, text):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"selfcheck: {text}")


def region_of(chip, shm):
    return shm / f"tt_device_{chip['asic_id']}_memory"


def slots(region):
    """{pid: {kind: bytes}} of one region."""
    data = region.read_bytes()
    check(len(data) == REGION_BYTES and data[:4] == b"\3\0\0\0", f"{region.name} is no version 3 region")
    found = {}
    for index in range(PROCESS_COUNT):
        pid, *amounts = PROCESSES.unpack_from(data, FIRST_PROCESS + PROCESS_STRIDE * index)
        if pid:
            found[pid] = dict(zip(KINDS, amounts))
    return found


class Workload:
    """A workload that continues on request; `said` is its last statement."""

    def __init__(self, mock, shm, *arguments):
        self.shm = shm
        private = [f"--private-shm={shm}"] if shm != pathlib.Path("/dev/shm") else []
        command = [HERE / "run", "--mock", mock, *private, HERE / "workload.py", "--stepwise", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = None
        self.listen()
        self.pid = self.said["pid"]
        check(self.pid == self.process.pid, f"the script runs as {self.pid}, but {self.process.pid} was started")

    def listen(self):
        line = self.process.stdout.readline()
        check(line, f"a workload ended early, with exit code {self.process.wait() if not line else 0}")
        self.said = json.loads(line)

    def next(self):
        self.process.stdin.write("next\n")
        self.process.stdin.flush()
        self.listen()

    def verify(self):
        for chip in self.said["chips"]:
            region = region_of(chip, self.shm)
            counted = slots(region).get(self.pid)
            place = f"{region.name}, pid {self.pid}, after step {self.said['step']}"
            check(counted == chip["requested"], f"{place}: {counted} in the region, {chip['requested']} requested")

    def finish(self):
        """Through all steps to the end, verifying each."""
        while self.said["step"] != "close":
            self.verify()
            self.next()
        self.process.stdin.close()
        check(self.process.wait() == 0, f"a workload ended with {self.process.returncode}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def two_processes(mock, shm, second_arguments):
    """Two owners; one is killed and leaves its bytes behind, the other leaves none."""
    first, second = Workload(mock, shm), Workload(mock, shm, *second_arguments)
    for _ in range(3):
        for workload in (first, second):
            workload.next()
        first.verify()
        second.verify()
    second.kill()
    second.verify()
    chips = first.said["chips"]
    first.finish()
    for chip in chips:
        region = region_of(chip, shm)
        check(first.pid not in slots(region), f"pid {first.pid} is still in {region.name} after its end")
    second.verify()
    print(f"{mock}: {len(chips)} regions agree with both workloads")


def main():
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "true"]
    hermetic = subprocess.run(unshare, stderr=subprocess.DEVNULL).returncode == 0
    for mock, second_arguments in (
        ("n150", ["dram=2", "l1", "l1_small"]),
        ("t3000", ["--chip", "5", "dram=2", "l1", "l1_small"]),
    ):
        with tempfile.TemporaryDirectory() as directory:
            two_processes(mock, pathlib.Path(directory if hermetic else "/dev/shm"), second_arguments)
    print(f"selfcheck: {checks} checks agree")


main()
