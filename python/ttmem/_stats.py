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


class _Stats(TypedDict):
    allocated: int
    peak: int
    capacity: int | None
    buffers: int


class KindStats(_Stats, total=False):
    """The figures of one kind of memory, in bytes but for `buffers`. Of L1 also the peaks with programs (`max_l1_allocated`)."""

    peak_with_programs: int
    peak_per_core: int


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
    stats: dict[str, KindStats] = {
        kind: {
            "allocated": memory_allocated(device, kind),
            "peak": max_memory_allocated(device, kind),
            "capacity": memory_capacity(device, kind),
            "buffers": buffer_count(device, kind),
        }
        for kind in KINDS
    }
    stats["l1"]["peak_with_programs"] = max_l1_allocated(device)
    stats["l1"]["peak_per_core"] = max_l1_allocated(device, per_core=True)
    return stats


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
        if "peak_with_programs" in stats:
            lines.append(f"{'  programs':<24}{readable(stats['peak_with_programs']):>14}")
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


def max_l1_allocated(device: Any = None, *, per_core: bool = False) -> int:
    """Returns the most L1 in use at a time since the start, or since `reset_peak_memory_stats`, programs included.

    At a dispatch that is the tensors in L1 and what the program has beside them: circular buffers, scratchpads and kernel text. A
    circular buffer that is the memory of a tensor counts once. Bytes are those of all cores of a chip, added up over the chips;
    with `per_core` those of the fullest core, which is also a bank.

    After a reset it may be too high, never too low, if a trace was replayed or very many programs ran since.
    """
    agent = _agent.require()
    chips = tuple(_agent.devices()) if device is None else _chips(device)
    if per_core:
        return max((int(agent.ttmem_max_l1_per_core(chip)) for chip in chips), default=0)
    return sum(int(agent.ttmem_max_l1_allocated(chip)) for chip in chips)


def l1_headroom(device: Any = None) -> int | None:
    """Returns the bytes of L1 between what the programs have that ran last and the lowest L1 buffer, on the fullest core.

    A tensor in L1 that needs more in a core makes TT-Metal refuse the next run of such a program: "circular buffers clash with L1
    buffers". Negative if they overlap already. Of several chips the least. None before a device is open, while the allocator's
    figures are not known, or if another process may have run programs on the chip.
    """
    chips = None if device is None else _chips(device)
    if _agent.segment_path() is None:
        return None
    for _attempt in range(_ATTEMPTS):
        try:
            report = _command.run_json("l1", "--source", "agent", "--json")
        except _command.CommandError:
            # The agent asks the allocator up to 100 ms after a device was opened.
            time.sleep(_WAIT_SECONDS)
            continue
        rooms = [core["headroom_bytes"] for chip in _own(report["chips"], chips) for core in chip["cores"]]
        return None if not rooms or None in rooms else min(rooms)
    return None


def _own(reported: list[dict[str, Any]], chips: Iterable[int] | None) -> list[dict[str, Any]]:
    """The chips of a report that are these of TT-Metal's, or any of this process."""
    unique = _agent.devices()
    wanted = {identity for chip, identity in unique.items() if chips is None or chip in chips}
    if wanted == {None}:
        # This release does not tell the chip's id: the only chip it must be.
        return reported if len(unique) == len(reported) == 1 else []
    return [chip for chip in reported if chip["id"] is not None and int(chip["id"], 0) in wanted]


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
        if any(chip["id"] and int(chip["id"], 0) in wanted for chip in allocator["chips"])
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
    """A size in words with three digits, as ttmem prints it, such as `2.02 MiB`; `unknown` for None."""
    if count is None:
        return "unknown"
    if abs(count) < 1024:
        return f"{count} B"
    size = count / 1024
    units = ["KiB", "MiB", "GiB", "TiB"]
    # Rounded to three digits, 1023.6 would print as a four-digit 1024.
    while abs(size) >= 1023.5 and len(units) > 1:
        size /= 1024
        del units[0]
    decimals = 2 if abs(size) < 9.995 else 1 if abs(size) < 99.95 else 0
    return f"{size:.{decimals}f} {units[0]}"
