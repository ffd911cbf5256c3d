"""The pytest plugin, in pytest processes of its own."""

import importlib.util
import json
import types

import pytest
from conftest import needs_ttnn

from ttmem._stats import readable
from ttmem.pytest_plugin import _Plugin, _test, parse_limit

SAMPLE = """
import pytest
import ttnn
KEPT = []

@pytest.fixture(scope="module")
def device():
    # It is not closed: that would free what the last test of a process has leaked.
    return ttnn.open_device(device_id=0)

def tensor(device, rows, memory=ttnn.DRAM_MEMORY_CONFIG):
    shape = ttnn.Shape([1, 1, rows, 1024])
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, ttnn.TILE_LAYOUT, device, memory)

def test_large(device):
    tensor(device, 1024)

@pytest.mark.limit_device_memory("dram=1MiB")
def test_over(device):
    tensor(device, 1024)

@pytest.mark.limit_device_memory("dram=1GiB", "l1=10KiB/bank")
def test_over_bank(device):
    tensor(device, 1024, ttnn.L1_MEMORY_CONFIG)

@pytest.mark.limit_device_memory("l1=32KiB/bank")
@pytest.mark.limit_device_leaks
def test_within(device):
    tensor(device, 1024, ttnn.L1_MEMORY_CONFIG)

@pytest.mark.limit_device_memory("l1=64KiB/bank")
def test_program(device):
    ttnn.matmul(tensor(device, 512), tensor(device, 1024))

@pytest.mark.limit_device_leaks
def test_leak(device):
    KEPT.append(ttnn.add(tensor(device, 64), tensor(device, 64)))
"""


@pytest.mark.parametrize("text, wanted", [
    ("dram=1GiB", ("dram", 2**30, False)),
    ("l1 = 1.5MiB/bank", ("l1", 3 * 2**19, True)),
    ("trace=1000", ("trace", 1000, False)),
    ("dram=2kB", ("dram", 2000, False)),
    ("dram=2K", ("dram", 2048, False)),
])
def test_limits_are_parsed(text, wanted):
    assert parse_limit(text) == wanted


@pytest.mark.parametrize("text", ["dram", "cb=1MiB", "dram=much", "dram=1XiB", "dram=1MiB/core", "dram=1.2.3", "dram=_"])
def test_wrong_limits_are_refused(text):
    with pytest.raises(pytest.UsageError):
        parse_limit(text)


@pytest.mark.parametrize("marker", ['limit_device_memory("dram=1XB")', 'limit_device_leaks("1XB")'])
def test_a_wrong_limit_is_one_line(pytester, marker):
    pytester.makepyfile(f"""
        import pytest
        @pytest.mark.{marker}
        def test_limited(): pass
    """)
    result = pytester.runpytest_subprocess("--ttmem")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_limited*", "limit 'dram=1XB': write KIND=SIZE, *", "*short test summary info*"], consecutive=True)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_one_test_that_the_baseline_does_not_have_is_counted_as_one():
    baseline, plugin = {"test_a": {"dram": 1}}, object.__new__(_Plugin)
    plugin.baseline, plugin.unmeasured, plugin.is_update = baseline, set(), False
    lines = []
    terminal = types.SimpleNamespace(section=lines.append, line=lines.append)
    for new, wanted in ((["test_b"], "1 test is not in the baseline; --ttmem-update-baseline adds it"),
                        (["test_b", "test_c"], "2 tests are not in the baseline; --ttmem-update-baseline adds them")):
        plugin.peaks = {name: {"dram": 1} for name in new}
        plugin.pytest_terminal_summary(terminal)
        assert lines[-1] == wanted


@pytest.mark.parametrize("size, words", [
    (None, "unknown"), (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (10_239, "10.0 KiB"), (24 << 10, "24.0 KiB"),
    (1_048_575, "1.00 MiB"), (1_499_136, "1.43 MiB"), (12 << 30, "12.0 GiB"), (1023 << 20, "1023 MiB"), (5 << 40, "5.00 TiB"),
])
def test_sizes_are_those_of_ttmem(size, words):
    assert readable(size) == words


def test_without_the_agent_tests_run_and_limits_fail_with_the_reason(pytester, monkeypatch):
    monkeypatch.setenv("TTMEM_AGENT", "/none.so")
    pytester.makepyfile("""
        import pytest
        def test_plain(): pass
        @pytest.mark.limit_device_memory("dram=1GiB")
        def test_limited(): pass
    """)
    result = pytester.runpytest_subprocess("--ttmem")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*not measured: cannot load the agent: /none.so*"])


def test_without_the_option_nothing_is_measured(pytester):
    pytester.makepyfile("""
        import pytest
        @pytest.mark.limit_device_memory("dram=1")
        def test_limited(): pass
    """)
    result = pytester.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*device memory*")


@pytest.mark.parametrize("nodeid, test", [
    ("test_a.py::test_one@group", "test_a.py::test_one"),
    ("test_a.py::test_one[x@y]", "test_a.py::test_one[x@y]"),
    ("test_a.py::test_one[x@y]@group", "test_a.py::test_one[x@y]"),
    ("tests@2/test_a.py::test_one", "tests@2/test_a.py::test_one"),
])
def test_groups_of_xdist_are_no_part_of_a_test(nodeid, test):
    assert _test(nodeid) == test


@pytest.mark.parametrize("options, line", [
    (["--ttmem-report=test_it.py"], "ERROR: cannot write test_it.py: File exists"),
    (["--ttmem-baseline=none/b.json", "--ttmem-update-baseline"], "ERROR: cannot write none/b.json: No such file or directory"),
    (["--ttmem-baseline=none.json"], "ERROR: cannot read none.json: No such file or directory; --ttmem-update-baseline writes it"),
    (["--ttmem-baseline=test_it.py", "--ttmem-update-baseline"], "ERROR: test_it.py is no baseline of ttmem (*); restore it, or remove it"),
    (["--ttmem-baseline=list.json"], "ERROR: list.json is no baseline of ttmem (*); restore it, or remove it"),
    (["--ttmem-baseline=text.json"], "ERROR: text.json is no baseline of ttmem (*); restore it, or remove it"),
])
def test_files_that_cannot_be_used_are_refused_before_any_test_runs(pytester, options, line):
    test = pytester.makepyfile(test_it="def test_plain(): pass")
    content = test.read_text()
    pytester.makefile(".json", list='{"tests": ["a"]}', text='{"tests": {"a": {"dram": "much"}}}')
    result = pytester.runpytest_subprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([line])
    assert "Traceback" not in result.stderr.str()
    assert test.read_text() == content


def test_a_new_baseline_is_not_left_empty(pytester):
    pytester.makepyfile("def test_plain(): assert False")
    pytester.runpytest_subprocess("--ttmem-baseline=new.json", "--ttmem-update-baseline").assert_outcomes(failed=1)
    assert not (pytester.path / "new.json").exists()


@needs_ttnn
def test_tracebacks_and_cycles_are_neither_memory_of_the_next_test_nor_leaks(pytester):
    pytester.makepyfile(test_it=SAMPLE + """
@pytest.mark.limit_device_leaks
def test_raises(device):
    held = tensor(device, 1024)
    raise ValueError("its own reason")

@pytest.mark.limit_device_memory("dram=1MiB")
@pytest.mark.limit_device_leaks
def test_after(device):
    tensor(device, 64)

@pytest.mark.limit_device_leaks
def test_cycle(device):
    class Layer: pass
    layer = Layer()
    layer.itself, layer.weights = layer, tensor(device, 64)
""")
    result = pytester.runpytest_subprocess("--ttmem", "-k", "raises or after or cycle")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*144 KiB  *::test_after", "FAILED *::test_raises - ValueError: its own reason"])


@needs_ttnn
def test_an_update_of_the_baseline_keeps_what_it_does_not_measure(pytester):
    pytester.makepyfile(test_it=SAMPLE)
    update = ["--ttmem-baseline=baseline.json", "--ttmem-update-baseline"]
    pytester.runpytest_subprocess(*update, "-k", "large").assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess(*update, "-k", "over or within")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["ttmem: held 2.02 MiB of dram; the limit is 1.00 MiB", "FAILED *::test_over*"])
    content = json.loads((pytester.path / "baseline.json").read_text())
    names = sorted(name.rpartition("::")[2] for name in content["tests"])
    assert names == ["test_large", "test_within"], "tests that failed are not in it"


@needs_ttnn
@pytest.mark.parametrize("options", [[], ["-n", "2"], ["--forked"]], ids=["plain", "xdist", "forked"])
def test_peaks_limits_and_leaks(pytester, options):
    for option, module in (("-n", "xdist"), ("--forked", "pytest_forked")):
        if option in options and importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    pytester.makepyfile(SAMPLE)
    result = pytester.runpytest_subprocess("--ttmem", "--ttmem-report=reports", "--junitxml=junit.xml", *options)
    lines = result.stdout.str()
    assert "held 2.02 MiB of dram; the limit is 1.00 MiB" in lines
    assert "held 32.0 KiB of l1 in a bank; the limit is 10.0 KiB" in lines
    assert "of l1 in a bank; the limit is 64.0 KiB" in lines, "circular buffers count"
    assert "largest peaks of l1 with programs" in lines
    result.assert_outcomes(passed=3, failed=3, errors=1)
    assert "1 tensor of 144 KiB is still live" in lines
    result.stdout.fnmatch_lines(["*2.02 MiB  *::test_large"])
    assert 'name="ttmem.dram.peak_bytes" value="2113536"' in (pytester.path / "junit.xml").read_text()
    assert 'name="ttmem.l1_with_programs.peak_bytes"' in (pytester.path / "junit.xml").read_text()
    reports = list((pytester.path / "reports").glob("*.html"))
    assert len(reports) >= (5 if "--forked" in options else 1)


@needs_ttnn
def test_growth_beyond_the_baseline_fails(pytester):
    pytester.makepyfile(SAMPLE)
    select = ["-k", "large or within", "--ttmem-baseline=baseline.json"]
    pytester.runpytest_subprocess(*select, "--ttmem-update-baseline").assert_outcomes(passed=2)
    pytester.runpytest_subprocess(*select).assert_outcomes(passed=2)
    file = pytester.path / "baseline.json"
    content = json.loads(file.read_text())
    name = next(name for name in content["tests"] if "large" in name)
    content["tests"][name]["dram"] = 2_000_000
    file.write_text(json.dumps(content))
    result = pytester.runpytest_subprocess(*select)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the peak of dram grew from 1.91 MiB to 2.02 MiB"])
    pytester.runpytest_subprocess(*select, "--ttmem-tolerance=10").assert_outcomes(passed=2)
