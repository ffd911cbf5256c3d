"""The pytest plugin: `pytest --ttmem` measures the device memory of each test (docs/pytest.md).

Each test is measured in the process that runs it, and the figures travel as user properties of its reports: so they reach the
summary and junit files also from workers of pytest-xdist and from children of pytest-forked.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import _agent, _command, _profile, _stats
from ._stats import KINDS, readable

#: Sizes as ttmem's own options take them.
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS.update({unit + ending: 1024 ** (1 + "kmgt".index(unit)) for unit in "kmgt" for ending in ("", "ib")})
_LARGEST = 10
#: L1 with what programs have beside tensors.
_PROGRAMS = "l1_with_programs"
#: Marks an error that says what a test held: its traceback has no frame of the test.
_OURS = "is_of_ttmem"
_PROPERTY = re.compile(r"ttmem\.(\w+)\.peak_bytes$")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ttmem", "device memory of Tenstorrent chips")
    group.addoption("--ttmem", action="store_true", help="Measure the device memory of each test.")
    group.addoption("--ttmem-report", metavar="DIR", help="Write a report of each test process into DIR, as a page and as JSON.")
    group.addoption("--ttmem-baseline", metavar="FILE", help="Fail tests whose peak has grown beyond that in FILE.")
    group.addoption("--ttmem-update-baseline", action="store_true", help="Write the peaks of this run to --ttmem-baseline.")
    group.addoption(
        "--ttmem-tolerance", metavar="PERCENT", type=float, default=1.0, help="Growth that --ttmem-baseline allows [default: 1]."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        'limit_device_memory(*limits): fail if the test holds more, such as "dram=1GiB" or "l1=1MiB/bank" (with --ttmem).',
    )
    config.addinivalue_line("markers", "limit_device_leaks(limit=0): fail if more bytes of tensors stay live (with --ttmem).")
    wanted = ("ttmem", "ttmem_report", "ttmem_baseline", "ttmem_update_baseline")
    if any(config.getoption(name) for name in wanted):
        if config.getoption("ttmem_update_baseline") and not config.getoption("ttmem_baseline"):
            raise pytest.UsageError("--ttmem-update-baseline needs --ttmem-baseline=FILE")
        config.pluginmanager.register(_Plugin(config), "ttmem-measuring")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Loads the agent before a conftest imports ttnn."""
    known = early_config.known_args_namespace
    if getattr(known, "ttmem", False) or getattr(known, "ttmem_report", None) or getattr(known, "ttmem_baseline", None):
        _start()


def _start() -> str | None:
    """Starts the agent, or returns the reason why there are no figures."""
    try:
        _agent.start()
    except (_agent.AgentError, FileNotFoundError) as error:
        return str(error)
    return None


def parse_limit(text: str) -> tuple[str, int, bool]:
    """Parses `KIND=SIZE` or `KIND=SIZE/bank` into the kind, bytes, and whether they are of one bank."""
    match = re.fullmatch(r"\s*(\w+)\s*=\s*([\d_.]+)\s*([a-zA-Z]*)\s*(/bank)?\s*", text)
    unit = match and _UNITS.get(match[3].lower())
    try:
        if match and unit and match[1] in KINDS:
            return match[1], int(float(match[2]) * unit), bool(match[4])
    except ValueError:
        pass
    raise pytest.UsageError(f"limit {text!r}: write KIND=SIZE, such as dram=1GiB or l1=1MiB/bank; KIND is {', '.join(KINDS)}")


def _limits(item: pytest.Item) -> list[tuple[str, int, bool]]:
    """The limits of a test's memory."""
    return [parse_limit(str(text)) for marker in item.iter_markers("limit_device_memory") for text in marker.args]


def _leaks_allowed(item: pytest.Item) -> int | None:
    """The bytes of tensors that a test may leave, or None if it may leave any."""
    marker = item.get_closest_marker("limit_device_leaks")
    if marker is None:
        return None
    limit = marker.kwargs.get("limit", marker.args[0] if marker.args else 0)
    return parse_limit(f"dram={limit}")[1]


def _wrong_limit(item: pytest.Item) -> str | None:
    """What is wrong with the limits of a test, or None."""
    try:
        _limits(item)
        _leaks_allowed(item)
    except pytest.UsageError as error:
        return str(error)
    return None


class _Plugin:
    """The plugin of one process: the only one, a controller of workers, or a worker."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.reason = _start()
        self.is_worker = hasattr(config, "workerinput")
        self.worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.pid = os.getpid()
        self.peaks: dict[str, dict[str, int]] = {}
        self.unmeasured: set[str] = set()
        self.unfinished: set[str] = set()
        self.has_raised = False
        self.live_before: dict[str, int] = {}
        self.began_us = 0
        self.buffers_before: list[_stats.Buffer] = []
        self.is_update = self.config.getoption("ttmem_update_baseline")
        self.baseline = self._read_baseline()
        self._check_places()

    def _read_baseline(self) -> dict[str, dict[str, int]]:
        """The peaks of the baseline by test and kind; none if this run writes the first."""
        file = self.config.getoption("ttmem_baseline")
        if not file:
            return {}
        try:
            tests = json.loads(Path(file).read_text(encoding="utf-8"))["tests"]
            return {str(test): {str(kind): int(peak) for kind, peak in peaks.items()} for test, peaks in tests.items()}
        except FileNotFoundError as error:
            if self.is_update:
                return {}
            raise pytest.UsageError(f"cannot read {file}: {error.strerror}; --ttmem-update-baseline writes it") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise pytest.UsageError(f"{file} is no baseline of ttmem ({error}); restore it, or remove it") from error

    def _check_places(self) -> None:
        """Refuses a baseline or a report that could not be written at the end."""
        try:
            if self.config.getoption("ttmem_report"):
                os.makedirs(self.config.getoption("ttmem_report"), exist_ok=True)
            if self.is_update and not self.is_worker:
                with open(self.config.getoption("ttmem_baseline"), "a", encoding="utf-8") as file:
                    is_new = file.tell() == 0
                if is_new:
                    os.unlink(file.name)
        except OSError as error:
            raise pytest.UsageError(f"cannot write {error.filename}: {error.strerror}") from error

    # -- In the process that runs the tests ---------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        wrong = _wrong_limit(item)
        if wrong:
            pytest.fail(wrong, pytrace=False)
        if self.reason:
            return
        try:
            self._release_traceback()
            _stats.reset_peak_memory_stats()
            self.live_before = {kind: _stats.memory_allocated(kind=kind) for kind in KINDS}
            self.buffers_before = _stats.buffers() if _leaks_allowed(item) is not None else []
            self.began_us = _profile.now_us()
        except (_agent.AgentError, _command.CommandError) as error:
            self.reason = str(error)

    def _release_traceback(self) -> None:
        """Frees the tensors that only the traceback of an earlier test holds, so that they do not count for the next one.

        pytest itself drops it later, between setup and call.
        """
        if self.has_raised:
            for name in ("last_type", "last_value", "last_traceback", "last_exc"):
                with contextlib.suppress(AttributeError):
                    delattr(sys, name)
            gc.collect()
        self.has_raised = False

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        outcome = yield
        self._measure(item)
        _fail(outcome, self._broken_limits(item))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, None]:
        outcome = yield
        _fail(outcome, self._leaks(item))
        if os.getpid() != self.pid:
            # A forked child ends without the functions that run at exit.
            self._write_report(re.sub(r"\W+", "-", item.nodeid).strip("-"))
            _agent._remove_segment(os.getpid())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> None:
        raised = call.excinfo is not None and not getattr(call.excinfo.value, _OURS, False)
        self.has_raised = self.has_raised or raised

    def _measure(self, item: pytest.Item) -> None:
        if self.reason is None:
            try:
                for kind in KINDS:
                    item.user_properties.append((f"ttmem.{kind}.peak_bytes", _stats.max_memory_allocated(kind=kind)))
                item.user_properties.append((f"ttmem.{_PROGRAMS}.peak_bytes", _stats.max_l1_allocated()))
                return
            except _agent.AgentError as error:
                self.reason = str(error)
        item.user_properties.append(("ttmem.unmeasured", self.reason))

    def _broken_limits(self, item: pytest.Item) -> list[str]:
        limits = _limits(item)
        if limits and self.reason:
            return [f"the limit was not checked: {self.reason}"]
        peaks: dict[str, Any] = dict(item.user_properties)
        messages = []
        for kind, limit, per_bank in limits:
            measured = _PROGRAMS if kind == "l1" else kind
            peak = _peak_per_bank(kind) if per_bank else int(peaks[f"ttmem.{measured}.peak_bytes"])
            if peak is None:
                messages.append(f"the limit of {kind} was not checked: the number of banks is not known")
            elif peak > limit:
                where = " in a bank" if per_bank else ""
                messages.append(f"held {_apart(peak, limit)} of {kind}{where}; the limit is {_apart(limit, peak)}")
        return messages + self._grown(item.nodeid, peaks)

    def _grown(self, nodeid: str, peaks: dict[str, Any]) -> list[str]:
        """Kinds of which the test held more than in the baseline. A test that the baseline does not have passes."""
        allowed = 1 + self.config.getoption("ttmem_tolerance") / 100
        messages = []
        baseline = {} if self.is_update else self.baseline.get(_test(nodeid), {})
        for kind, before in baseline.items():
            now = peaks.get(f"ttmem.{kind}.peak_bytes")
            if now is None:
                messages.append(f"the baseline was not compared: {self.reason}")
                break
            if now > before * allowed:
                messages.append(f"the peak of {kind} grew from {_apart(before, now)} to {_apart(now, before)}")
        return messages

    def _leaks(self, item: pytest.Item) -> list[str]:
        # The setup of a test with a wrong limit failed, and said so.
        bytes_allowed = None if _wrong_limit(item) else _leaks_allowed(item)
        if bytes_allowed is None:
            return []
        if self.reason:
            return [f"leaks were not checked: {self.reason}"]
        # The traceback of a test that raised holds its tensors.
        if self.has_raised or not self._holds_more():
            return []
        gc.collect()
        if not self._holds_more():
            return []
        found = _profile.new_tensors(self.buffers_before, self.began_us, _stats.buffers())
        total = sum(b["bytes"] for b in found)
        if total <= bytes_allowed:
            return []
        tensors, are = ("tensor", "is") if len(found) == 1 else ("tensors", "are")
        lines = [f"{len(found)} {tensors} of {readable(total)} {are} still live after the test:"]
        lines += [f"{readable(b['bytes'])} of {b['kind']} by {b['op'] or 'an unknown op'}" for b in found[:_LARGEST]]
        return lines

    def _holds_more(self) -> bool:
        """True if more is live than before the test."""
        return any(_stats.memory_allocated(kind=kind) > before for kind, before in self.live_before.items())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        try:
            if not self.config.getoption("numprocesses", None):
                self._write_report(self.worker)
            if not self.is_worker:
                self._write_baseline()
        except (OSError, _command.CommandError) as error:
            # A report or baseline that is missing without a word would be taken for that of an earlier run.
            print(f"ttmem: {error}", file=sys.stderr)
            session.exitstatus = session.exitstatus or pytest.ExitCode.INTERNAL_ERROR

    def _write_report(self, name: str) -> None:
        directory = self.config.getoption("ttmem_report")
        segment = None if self.reason or not directory else _agent.segment_path()
        if segment is None:
            return
        for form in ("html", "json"):
            _command.run("report", segment, f"--{form}", "-o", os.path.join(directory, f"{name}.{form}"))

    # -- In the process that prints -----------------------------------------------------------------------------------

    def pytest_report_header(self) -> str:
        return f"ttmem: device memory is not measured: {self.reason}" if self.reason else "ttmem: device memory is measured"

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call":
            return
        test = _test(report.nodeid)
        if not report.passed:
            self.unfinished.add(test)
        peaks = {}
        for name, value in report.user_properties:
            match = _PROPERTY.match(name)
            if match:
                peaks[match[1]] = value
            elif name == "ttmem.unmeasured":
                self.unmeasured.add(str(value))
        if peaks:
            self.peaks[test] = peaks

    def _write_baseline(self) -> None:
        """Writes the peaks of tests that passed. Tests that failed, or did not run, keep those that they had."""
        passed = {test: peaks for test, peaks in self.peaks.items() if test not in self.unfinished}
        if self.is_update and passed:
            text = json.dumps({"version": 1, "tests": {**self.baseline, **passed}}, indent=1, sort_keys=True)
            Path(self.config.getoption("ttmem_baseline")).write_text(text + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.peaks and not self.unmeasured:
            return
        terminalreporter.section("device memory (ttmem)")
        for reason in sorted(self.unmeasured):
            terminalreporter.line(f"not measured: {reason}")
        for kind in (*KINDS, _PROGRAMS):
            rows = sorted(((peaks[kind], name) for name, peaks in self.peaks.items() if peaks.get(kind)), reverse=True)
            if rows:
                terminalreporter.line(f"largest peaks of {kind.replace('_with_', ' with ')}, {len(rows)} of {len(self.peaks)} tests used it:")
            for size, name in rows[:_LARGEST]:
                terminalreporter.line(f"  {readable(size):>12}  {name}")
        if not any(map(any, map(dict.values, self.peaks.values()))) and self.peaks:
            terminalreporter.line(f"no test of {len(self.peaks)} used device memory")
        new = set(self.peaks) - set(self.baseline)
        if self.baseline and new and not self.is_update:
            tests, them = ("test is", "it") if len(new) == 1 else ("tests are", "them")
            terminalreporter.line(f"{len(new)} {tests} not in the baseline; --ttmem-update-baseline adds {them}")


def _peak_per_bank(kind: str) -> int | None:
    """The highest peak of a kind in one bank of any chip, or None where the number of banks is not known.

    The agent asks the allocators for their banks up to 100 ms after a device was opened. A bank of L1 is a core: what programs
    have there counts too.
    """
    if kind == "l1":
        return _stats.max_l1_allocated(per_core=True)
    for _attempt in range(5):
        listing = _stats.own_listing()
        if listing is None:
            return 0
        highest = _peak_in(listing, kind)
        if highest is not None:
            break
        time.sleep(0.1)
    return highest


def _peak_in(listing: dict[str, Any], kind: str) -> int | None:
    unique = _agent.devices()
    highest = 0
    for chip, identity in unique.items():
        banks = max(
            (
                row["banks"] or 0
                for allocator in listing["allocators"]
                if any(c["id"] and int(c["id"], 0) == identity for c in allocator["chips"])
                or len(unique) == 1
                for row in allocator["kinds"]
                if row["kind"] == kind
            ),
            default=0,
        )
        peak = _stats.max_memory_allocated(chip, kind)
        if peak and not banks:
            return None
        highest = max(highest, -(-peak // banks) if banks else 0)
    return highest


def _fail(outcome: Any, messages: list[str]) -> None:
    """Fails a test, unless it failed for a reason of its own."""
    if messages and outcome.excinfo is None:
        error = pytest.fail.Exception("\n".join(f"ttmem: {message}" for message in messages), pytrace=False)
        setattr(error, _OURS, True)
        outcome.force_exception(error)


def _test(nodeid: str) -> str:
    """The id of a test without the group that pytest-xdist appends with `--dist loadgroup`."""
    name, _, group = nodeid.rpartition("@")
    return name if name and not set(group) & set("]:") else nodeid


def _apart(size: int, other: int) -> str:
    """A size in words, or in bytes where the two would read the same."""
    return f"{size} bytes" if readable(size) == readable(other) else readable(size)
