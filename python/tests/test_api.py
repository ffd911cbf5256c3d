"""The module as programs use it: each test is a program of its own, because the agent is loaded once per process."""

import subprocess
import sys
import textwrap

from conftest import needs_ttnn

PREPARE = """
import ttnn
device = ttnn.open_device(device_id=0)
def tensor(rows, memory=ttnn.DRAM_MEMORY_CONFIG):
    shape = ttnn.Shape([1, 1, rows, 1024])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)
def view(kind):
    view = ttnn.get_memory_view(device, kind)
    return view.total_bytes_allocated_per_bank * view.num_banks
"""


def run(program, *options):
    command = [sys.executable, *options, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def passes(program):
    done = run(program)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_agent_labels_do_nothing_and_questions_raise():
    passes("""
        import ttmem
        with ttmem.label("layer"):
            pass
        assert not ttmem.is_available()
        try:
            ttmem.memory_allocated()
        except ttmem.AgentError as error:
            assert "ttmem.start()" in str(error)
        else:
            raise SystemExit("no error")
    """)


def test_the_agent_starts_without_tt_metal():
    passes("""
        import ttmem
        ttmem.start()
        ttmem.start()
        assert ttmem.is_available() and not ttmem.is_recording()
        assert ttmem.memory_allocated() == 0 and ttmem.segment_path() is None and ttmem.buffers() == []
        assert ttmem.l1_headroom() is None and ttmem.memory_capacity() is None
        for wrong in (lambda: ttmem.memory_allocated(7), lambda: ttmem.memory_allocated(kind="cb")):
            try:
                wrong()
            except ValueError:
                continue
            raise SystemExit("no error")
    """)


def test_a_missing_agent_is_named():
    done = run("import os; os.environ['TTMEM_AGENT'] = '/none.so'; import ttmem; ttmem.start()")
    assert "cannot load the agent: /none.so" in done.stderr.splitlines()[-1]


def test_a_snapshot_needs_no_agent():
    passes("""
        import ttmem
        try:
            assert ttmem.snapshot()["schema"] == "ttmem/snapshot"
        except ttmem.CommandError as error:
            assert "driver" in str(error), error
    """)


@needs_ttnn
def test_sums_are_equal_to_those_of_ttnn():
    passes("import os, ttmem; ttmem.start()" + PREPARE + textwrap.dedent("""
        kept = [tensor(1000), tensor(512, ttnn.L1_MEMORY_CONFIG)]
        kept.append(ttnn.add(kept[0], kept[0]))
        assert ttmem.memory_allocated() == view(ttnn.BufferType.DRAM) > 0
        assert ttmem.memory_allocated(device, "l1") == view(ttnn.BufferType.L1) > 0
        assert [b["kind"] for b in ttmem.buffers(kind="l1")] == ["l1"]
        assert "dram" in ttmem.memory_summary(device)
        before = ttmem.l1_headroom(device)
        more = tensor(2048, ttnn.L1_MEMORY_CONFIG)
        assert ttmem.l1_headroom() == before - 64 * 1024
        path = ttmem.segment_path()
        # L1 with programs is what the report of the whole run has.
        ttnn.matmul(tensor(512), tensor(1024))
        room = ttmem.l1_headroom(device)
        assert room < before - 64 * 1024, "the circular buffers of the matmul are in between"
        programs = ttmem._command.run_json("report", path, "--json")["processes"][0]["programs"]
        peak = programs["peaks"][0]
        assert ttmem.max_l1_allocated(device) == ttmem.max_l1_allocated() == peak["bytes"] > peak["circular_buffers"] > 0
        matmul = next(op for op in programs["ops"] if op["op"] == "ttnn.matmul")
        core = matmul["circular_buffers"] + matmul["kernel_text"] + matmul["tensors"]
        assert ttmem.max_l1_allocated(device, per_core=True) == core
        assert room == matmul["headroom"]
        stats = ttmem.memory_stats()["l1"]
        assert (stats["peak_with_programs"], stats["peak_per_core"]) == (peak["bytes"], core)
        ttmem.reset_peak_memory_stats()
        assert ttmem.max_l1_allocated(device) == ttmem.memory_allocated(device, "l1")
        ttnn.add(kept[0], kept[0])
        add = ttmem.max_l1_allocated(device, per_core=True)
        assert core > add > ttmem.memory_allocated(device, "l1") / 64
        assert os.path.exists(path)
        import atexit
        atexit.unregister(ttmem._agent._remove_segment)
        ttmem._agent._remove_segment(os.getpid())
        assert not os.path.exists(path)
    """))


@needs_ttnn
def test_a_profile_has_the_peak_the_leaks_and_a_report(tmp_path):
    report = tmp_path / "report.html"
    out = passes("import ttmem; ttmem.start()" + PREPARE + textwrap.dedent(f"""
        before = tensor(64)
        with ttmem.profile({str(report)!r}) as p:
            one = tensor(1024)
            with ttmem.label("layer 3"):
                two = ttnn.add(one, one)
            del one
        print(p.peaks["dram"] - p.allocated["dram"], [b["op"] for b in p.leaks], [o["bytes"] for o in p.ops if o["op"] == "layer 3"])
    """))
    assert out.split("\n")[-2] == "2113536 ['layer 3'] [2113536]"
    assert "<html" in report.read_text()


@needs_ttnn
def test_too_late_is_an_error_and_not_zero():
    done = run(PREPARE + "held = tensor(1024); import ttmem; ttmem.start()")
    assert "too late to start the agent: libtt_metal.so is loaded already" in done.stderr.splitlines()[-1]
    done = run(PREPARE + textwrap.dedent("""
        held = tensor(1024)
        import ctypes, os, ttmem._command
        ctypes.CDLL(ttmem._command.find_agent(), os.RTLD_GLOBAL)
        for name in [name for name in __import__("sys").modules if name.startswith("ttmem")]:
            del __import__("sys").modules[name]
        import ttmem
        assert not ttmem.is_available()
        ttmem.memory_allocated()
    """))
    assert "the agent was loaded after libtt_metal.so" in done.stderr.splitlines()[-1]


@needs_ttnn
def test_a_forked_child_does_not_say_that_its_parents_memory_is_zero():
    passes("import os, ttmem; ttmem.start()" + PREPARE + textwrap.dedent("""
        held = tensor(320)
        child = os.fork()
        if child == 0:
            try:
                ttmem.memory_allocated()
            except ttmem.AgentError as error:
                os._exit(0 if f"process {os.getppid()}" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert ttmem.memory_allocated() == view(ttnn.BufferType.DRAM)
    """))
