"""Amounts of memory of this process, with the names of `torch.cuda`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

from . import _agent, _command

#: The kinds of memory that TT-Metal's allocators hand out.
KINDS: tuple[str, ...] = ("dram", "l1", "l1_small", "trace")
_ALL_CHIPS = (-1,)
#: The agent looks up the names of new ops, and asks the allocators, on a thread of its own, some 100 ms later.
_ATTEMPTS = 5
_WAIT_SECONDS = 0.1
_NAMING_US = 1_000_000


class KindStats(TypedDict):
    """The figures of one kind of memory, in bytes but for `buffers`."""

    allocated: int
    peak: int
    capacity: int | None
    buffers: int


class Buffer(TypedDict, total=False):
    """A live buffer, as `ttmem buffers --json` lists it (docs/snapshot.md has every key)."""

    pid: int
    allocator: int
    address: int
    bytes: int
    bytes_per_bank: int
    banks: int
    requested: int
    kind: str
    layout: str | None
    origin: str
    age_us: int | None
    thread: int
    op: str | None
    op_quality: str | None


def memory_allocated(device: Any = None, kind: object = "dram") -> int:
    """Returns the bytes of the live buffers. Raises AgentError, and ValueError for a chip that is not open."""
    return _sum(_agent.require().ttmem_memory_allocated, device, kind)


def max_memory_allocated(device: Any = None, kind: object = "dram") -> int:
    """Returns the most bytes at a time since the start, or since `reset_peak_memory_stats`.

    Where several meshes are open on a chip, such as a mesh and its submesh, it is the sum of their peaks, an upper bound.
    """
    return _sum(_agent.require().ttmem_max_memory_allocated, device, kind)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Sets the peaks of all kinds to the bytes that are live now."""
    agent = _agent.require()
    for chip in _chips(device):
        agent.ttmem_reset_peak(chip)


def buffer_count(device: Any = None, kind: object = "dram") -> int:
    """Returns the number of live buffers."""
    return _sum(_agent.require().ttmem_buffer_count, device, kind)


def memory_capacity(device: Any = None, kind: object = "dram") -> int | None:
    """Returns the bytes that can be allocated in all, or None until 100 ms after a device was opened."""
    agent = _agent.require()
    total = _sum(agent.ttmem_memory_capacity, device, kind)
    # A kind may have no room at all, such as L1_SMALL. DRAM always has, once the allocators were asked.
    is_known = total or _sum(agent.ttmem_memory_capacity, device, "dram")
    return total if is_known else None


def memory_stats(device: Any = None) -> dict[str, KindStats]:
    """Returns the figures of every kind."""
    return {
        kind: {
            "allocated": memory_allocated(device, kind),
            "peak": max_memory_allocated(device, kind),
            "capacity": memory_capacity(device, kind),
            "buffers": buffer_count(device, kind),
        }
        for kind in KINDS
    }


def memory_summary(device: Any = None) -> str:
    """Returns a table of all kinds, of one device or summed over all chips."""
    which = "all chips" if device is None else f"device {', '.join(map(str, _chips(device)))}"
    lines = [
        f"ttmem memory summary, {which}",
        f"{'kind':<10}{'allocated':>14}{'peak':>14}{'capacity':>14}{'buffers':>10}",
    ]
    for kind, stats in memory_stats(device).items():
        sizes = [stats["allocated"], stats["peak"], stats["capacity"]]
        columns = "".join(f"{readable(size):>14}" for size in sizes)
        lines.append(f"{kind:<10}{columns}{stats['buffers']:>10}")
    return "\n".join(lines)


def buffers(device: Any = None, kind: object = None) -> list[Buffer]:
    """Returns the live buffers of this process, the largest first, each with the op that allocated it.

    It runs `ttmem buffers`, which takes some milliseconds. Raises AgentError, CommandError, FileNotFoundError.
    """
    listing = own_listing()
    if listing is None:
        return []
    wanted = None if kind is None else KINDS[_kind(kind)]
    found = [b for b in listing["buffers"] if wanted in (None, b["kind"])]
    if device is not None:
        allocators = _allocators_of(listing, _chips(device))
        found = [b for b in found if b["allocator"] in allocators]
    return sorted(found, key=lambda b: -b["bytes"])


def l1_headroom(device: Any = None) -> int | None:
    """Returns the bytes of a core's L1 that circular buffers can have: those below the lowest L1 buffer.

    Of several chips the least. None before a device is open, or while the allocator's figures are not known. A program whose
    circular buffers need more makes TT-Metal fail with "circular buffers clash with L1 buffers".
    """
    for _attempt in range(_ATTEMPTS):
        listing = own_listing()
        if listing is None:
            return None
        rows = _l1_rows(listing, device)
        # The allocator's own figures are up to 100 ms old; then they do not add up with the live buffers.
        if rows and all(row["used_per_bank"] + (row["free_per_bank"] or 0) == row["allocatable_per_bank"] for row in rows):
            rooms = [_open_end(row) for row in rows]
            return None if None in rooms else min(room for room in rooms if room is not None)
        time.sleep(_WAIT_SECONDS)
    return None


def _l1_rows(listing: dict[str, Any], device: Any) -> list[dict[str, Any]]:
    """What the allocators of a device, or all of them, have of L1."""
    allocators = None if device is None else _allocators_of(listing, _chips(device))
    return [
        row
        for allocator in listing["allocators"]
        if allocators is None or allocator["number"] in allocators
        for row in allocator["kinds"]
        if row["kind"] == "l1"
    ]


def _open_end(row: dict[str, Any]) -> int | None:
    """The free bytes at the low end of L1, where circular buffers grow from."""
    if row["used_per_bank"] == 0:
        free: int | None = row["free_per_bank"]
        return free
    bank = row["bank"]
    if bank is None:
        return None
    return next((int(gap["bytes"]) for gap in bank["free"] if gap["address"] == bank["start"]), 0)


def snapshot() -> dict[str, Any]:
    """Returns what `ttmem --json` says of this host: all chips and processes (docs/snapshot.md). It needs no agent."""
    found: dict[str, Any] = _command.run_json("--json")
    return found


def own_listing() -> dict[str, Any] | None:
    """Returns `ttmem buffers --json` of this process, or None before a device is open."""
    if _agent.segment_path() is None:
        return None
    for _attempt in range(_ATTEMPTS):
        listing: dict[str, Any] = _command.run_json("buffers", "--json", "--pid", str(os.getpid()))
        if not any(b["op"] is None and (b["age_us"] or 0) < _NAMING_US for b in listing["buffers"]):
            break
        time.sleep(_WAIT_SECONDS)
    return listing


def _allocators_of(listing: dict[str, Any], chips: Iterable[int]) -> list[int]:
    """Numbers of the allocators that hand out memory of these chips."""
    unique = _agent.devices()
    wanted = {unique.get(chip) for chip in chips}
    return [
        allocator["number"]
        for allocator in listing["allocators"]
        if any(int(chip["id"], 0) in wanted for chip in allocator["chips"])
    ]


def _sum(function: Callable[[int, int], int], device: Any, kind: object) -> int:
    number = _kind(kind)
    return sum(function(chip, number) for chip in _chips(device))


def _chips(device: Any) -> tuple[int, ...]:
    """TT-Metal's numbers of the chips. A mesh, also of one chip, has an id of its own, which is no chip's number."""
    if device is None:
        return _ALL_CHIPS
    if hasattr(device, "get_device_ids"):
        chips = tuple(int(number) for number in device.get_device_ids())
    else:
        chips = (int(device.id() if hasattr(device, "id") else device),)
    known = _agent.devices()
    for chip in chips:
        if chip not in known:
            opened = ", ".join(map(str, sorted(known))) or "none"
            raise ValueError(f"chip {chip} is not open in this process (open: {opened})")
    return chips


def _kind(kind: object) -> int:
    name = str(getattr(kind, "name", kind)).lower()
    if name not in KINDS:
        raise ValueError(f"no kind of memory {kind!r} (there are: {', '.join(KINDS)})")
    return KINDS.index(name)


def readable(count: int | None) -> str:
    """A size in words, such as `2.02 MiB`; `unknown` for None."""
    if count is None:
        return "unknown"
    if abs(count) < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} TiB"
