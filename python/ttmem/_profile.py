"""`ttmem.profile`: the memory of one block of code."""

from __future__ import annotations

import html
import os
import time
from types import TracebackType
from typing import Any

from . import _agent, _command, _stats
from ._stats import KINDS, Buffer, readable

#: Times of allocations in a segment are known to this many microseconds (docs/agent.md).
_CLOCK_US = 60_000


class Profile:
    """What a block of code did with device memory. Valid after the block has ended.

    Attributes:
        peaks: the most bytes at a time inside the block, by kind, summed over all chips.
        leaks: tensors that were allocated inside the block and are still live.
        ops: the live bytes of each op at the end of the block, the largest first: dictionaries with `kind`, `op`, `bytes` and
            `buffers`.
        allocated: the live bytes at the end of the block, by kind.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        self.file = None if file is None else os.fspath(file)
        self.peaks: dict[str, int] = {}
        self.leaks: list[Buffer] = []
        self.ops: list[dict[str, Any]] = []
        self.allocated: dict[str, int] = {}
        self._before: list[Buffer] = []
        self._began_us = 0

    def __enter__(self) -> Profile:
        if not _agent.is_available():
            _agent.start()
        _stats.reset_peak_memory_stats()
        self._before = _stats.buffers()
        self._began_us = now_us()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.peaks = {name: _stats.max_memory_allocated(kind=name) for name in KINDS}
        self.allocated = {name: _stats.memory_allocated(kind=name) for name in KINDS}
        live = _stats.buffers()
        self.leaks = new_tensors(self._before, self._began_us, live)
        self.ops = _ops(live)
        self._before = []
        segment = _agent.segment_path()
        if segment is not None and self.file is not None:
            _command.run("report", segment, *report_format(self.file), "-o", self.file)

    def __repr__(self) -> str:
        peaks = ", ".join(f"{name} {readable(size)}" for name, size in self.peaks.items() if size)
        return f"<ttmem.Profile: peak {peaks or 'nothing'}; {len(self.leaks)} tensors still live>"

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        rows = "".join(
            f"<tr><td>{name}</td><td>{readable(self.peaks.get(name))}</td><td>{readable(self.allocated.get(name))}</td></tr>"
            for name in KINDS
        )
        leaks = "".join(
            f"<tr><td>{html.escape(str(b['op'] or 'unknown op'))}</td><td>{b['kind']}</td><td>{readable(b['bytes'])}</td></tr>"
            for b in self.leaks[:10]
        )
        more = f"<p>and {len(self.leaks) - 10} more</p>" if len(self.leaks) > 10 else ""
        live = f"<b>Still live</b><table><tr><th>op</th><th>kind</th><th>bytes</th></tr>{leaks}</table>{more}"
        return (
            "<b>Device memory</b><table><tr><th>kind</th><th>peak</th><th>at the end</th></tr>"
            f"{rows}</table>{live if self.leaks else ''}"
        )


def profile(file: str | os.PathLike[str] | None = None) -> Profile:
    """Measures the memory of a block, and writes a report of the process so far into `file` at its end.

    The file is a page with pictures if its name ends in `.html`, JSON if in `.json`, else text. Starts the agent if it is not
    loaded; that works only before `import ttnn`. The peaks of `max_memory_allocated` are reset when the block begins.

        with ttmem.profile("run.html") as p:
            run_model()
        print(p.peaks, p.leaks)

    Raises AgentError if the agent cannot be started, CommandError if the file cannot be written.
    """
    return Profile(file)


def report_format(file: str) -> list[str]:
    """The option of `ttmem report` for the ending of a file's name."""
    ending = os.path.splitext(file)[1].lower()
    return {".html": ["--html"], ".json": ["--json"]}.get(ending, [])


def now_us() -> int:
    return time.time_ns() // 1000


def new_tensors(before: list[Buffer], began_us: int, after: list[Buffer]) -> list[Buffer]:
    """The tensors of `after` that are not in `before`, which was taken at `began_us`.

    A buffer at the address of an earlier one is another buffer if it is younger than that.
    """
    earlier = {_place(b): b for b in before}
    now = now_us()

    def is_new(buffer: Buffer) -> bool:
        if _place(buffer) not in earlier:
            return True
        age = buffer.get("age_us")
        return age is not None and now - age > began_us + _CLOCK_US

    return [b for b in after if b.get("origin", "tensor") == "tensor" and is_new(b)]


def _place(buffer: Buffer) -> Any:
    return buffer["allocator"], buffer["kind"], buffer["address"], buffer["bytes"]


def _ops(buffers: list[Buffer]) -> list[dict[str, Any]]:
    """Sums of buffers by kind and op, the largest first."""
    sums: dict[tuple[str, str | None], list[int]] = {}
    for buffer in buffers:
        entry = sums.setdefault((buffer["kind"], buffer["op"]), [0, 0])
        entry[0] += buffer["bytes"]
        entry[1] += 1
    rows = [{"kind": kind, "op": op, "bytes": size, "buffers": count} for (kind, op), (size, count) in sums.items()]
    return sorted(rows, key=lambda row: -int(str(row["bytes"])))
