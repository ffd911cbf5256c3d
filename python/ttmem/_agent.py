"""Loads the agent library into this process and calls its C functions (include/ttmem_agent.h)."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any

from . import _command

#: The first release of the C interface that has every function used here.
_ABI = 2

#: What to do where the agent is not loaded. Every error about a missing agent ends with it.
REMEDY = "call ttmem.start() before `import ttnn`, or start the program with `ttmem run -- python ...`"


class AgentError(RuntimeError):
    """The agent cannot answer; the message says why and what to do."""


def _functions() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        library.ttmem_abi_version.restype = ctypes.c_uint32
        if library.ttmem_abi_version() < _ABI:
            return None
    except (OSError, AttributeError):
        return None
    for name in ("memory_allocated", "max_memory_allocated", "buffer_count", "memory_capacity"):
        function = getattr(library, "ttmem_" + name)
        function.argtypes = [ctypes.c_int32, ctypes.c_int32]
        function.restype = ctypes.c_uint64
    for name in ("max_l1_allocated", "max_l1_per_core"):
        function = getattr(library, "ttmem_" + name)
        function.argtypes = [ctypes.c_int32]
        function.restype = ctypes.c_uint64
    library.ttmem_reset_peak.argtypes = [ctypes.c_int32]
    library.ttmem_reset_peak.restype = None
    library.ttmem_chip.argtypes = [ctypes.c_int32, ctypes.POINTER(ctypes.c_uint64)]
    library.ttmem_push_label.argtypes = [ctypes.c_char_p]
    library.ttmem_push_label.restype = None
    library.ttmem_pop_label.restype = None
    library.ttmem_segment_path.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    library.ttmem_segment_path.restype = ctypes.c_size_t
    return library


_agent = _functions()

#: The process that recorded when it forked last, here or before this process was forked from it.
_recorded_in: int | None = None


def _before_fork() -> None:
    global _recorded_in
    if _agent is not None and _agent.ttmem_is_recording():
        _recorded_in = os.getpid()


os.register_at_fork(before=_before_fork)


class _LoadedObject(ctypes.Structure):
    """The first members of `struct dl_phdr_info` of glibc, which are all that is read."""

    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]


def _loaded_objects() -> list[str]:
    """Paths of the shared objects of this process, in the order in which they were loaded."""
    names: list[str] = []

    def add(info: Any, _size: int, _data: int) -> int:
        names.append(os.fsdecode(info.contents.name or b""))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_LoadedObject), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(callback(add), None)
    return names


def _is_tt_metal(path: str) -> bool:
    return os.path.basename(path).startswith("libtt_metal")


def _unseen() -> str | None:
    """The reason why an agent that is loaded does not see TT-Metal, or None if it does or there is no TT-Metal."""
    objects = _loaded_objects()
    agent = next((i for i, path in enumerate(objects) if os.path.basename(path) == _command.AGENT), len(objects))
    early = next((path for path in objects[:agent] if _is_tt_metal(path)), None)
    if early and agent < len(objects):
        return f"the agent was loaded after {os.path.basename(early)}, so it sees none of its allocations; {REMEDY}"
    if _agent is None or _agent.ttmem_is_recording():
        return None
    if not any(map(_is_tt_metal, objects)) and _has_region():
        return (
            "TT-Metal is linked statically into a library of this process, so the agent sees none of its allocations; "
            "ttmem.snapshot() has the approximate figures of TT-Metal's own memory region"
        )
    return None


def _has_region() -> bool:
    """True if TT-Metal's memory region is mapped into this process, which it is from the first open device on."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            return any("/dev/shm/tt_device_" in line for line in maps)
    except OSError:
        return False


def start(*, keep: bool = False) -> None:
    """Loads the agent into this process, so that every allocation is counted exactly.

    Call it before `import ttnn`. A second call does nothing. At the end of the process the agent's segment in `/dev/shm` is
    removed, unless `keep` is true. Child processes are not counted; `ttmem run` counts those too.

    Raises AgentError if TT-Metal is loaded already, or if the agent library is missing.
    """
    global _agent
    if _agent is not None:
        reason = _unseen()
        if reason:
            raise AgentError(reason)
        return
    early = next(filter(_is_tt_metal, _loaded_objects()), None)
    if early or "ttnn" in sys.modules:
        what = os.path.basename(early) if early else "ttnn"
        raise AgentError(f"too late to start the agent: {what} is loaded already; {REMEDY}")
    if _has_region():
        raise AgentError(
            "TT-Metal is at work already, linked statically into a library of this process; the agent cannot see it, "
            "ttmem.snapshot() has the approximate figures of TT-Metal's own memory region"
        )
    path = _command.find_agent()
    if path is None:
        raise AgentError(f"{_command.AGENT} is not installed; pip install ttmem, or name it in $TTMEM_AGENT")
    try:
        # The linker looks a symbol up in global libraries in the order in which they were loaded.
        ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    except OSError as error:
        raise AgentError(f"cannot load the agent: {error}") from error
    _agent = _functions()
    if _agent is None:
        raise AgentError(f"{path} is not an agent of this ttmem; install both from the same release")
    if not keep:
        atexit.register(_remove_segment, os.getpid())


def _remove_segment(pid: int) -> None:
    """Removes the segment of this process. A forked child does not remove its parent's."""
    path = segment_path() if _agent is not None and os.getpid() == pid else None
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)


def is_available() -> bool:
    """Returns True if the agent is loaded into this process and can see TT-Metal."""
    return _agent is not None and _unseen() is None


def require() -> ctypes.CDLL:
    """Returns the agent's functions, or raises AgentError if it cannot answer."""
    if _agent is None:
        raise AgentError(f"the ttmem agent is not loaded; {REMEDY}")
    if not _agent.ttmem_is_recording():
        if _recorded_in not in (None, os.getpid()):
            raise AgentError(
                f"this process was forked from process {_recorded_in}, which counts the memory of the devices that it had "
                "open; ask there, or open a device here"
            )
        reason = _unseen()
        if reason:
            raise AgentError(reason)
    return _agent


def is_recording() -> bool:
    """Returns True if the agent records. It begins when the first device is opened. Raises AgentError."""
    return bool(require().ttmem_is_recording())


def segment_path() -> str | None:
    """Returns the file that the agent writes, or None before the first device is opened. Raises AgentError."""
    path = ctypes.create_string_buffer(256)
    return path.value.decode() if require().ttmem_segment_path(path, len(path)) else None


def devices() -> dict[int, int | None]:
    """Returns TT-Metal's number of each chip that was opened, with its unique id, or None where that is not known."""
    agent = require()
    found: dict[int, int | None] = {}
    for index in range(agent.ttmem_chip_count()):
        unique_id = ctypes.c_uint64()
        number = agent.ttmem_chip(index, ctypes.byref(unique_id))
        if number >= 0:
            found[number] = unique_id.value or None
    return found


@contextlib.contextmanager
def label(name: object) -> Iterator[None]:
    """Names what this thread allocates inside the block. Does nothing without the agent.

        with ttmem.label("layer 3"):
            run_layer()
    """
    agent = _agent
    if agent is None:
        yield
        return
    agent.ttmem_push_label(str(name).encode(errors="replace"))
    try:
        yield
    finally:
        agent.ttmem_pop_label()
