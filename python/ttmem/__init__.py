"""Memory of Tenstorrent devices, as this process uses it. In the manner of torch.cuda's functions.

    import ttmem
    ttmem.memory_allocated()              # bytes of live buffers in DRAM, summed over all chips
    ttmem.max_memory_allocated(kind="l1") # the most there ever were in L1
    ttmem.reset_peak_memory_stats()
    print(ttmem.memory_summary())
    with ttmem.label("layer 3"):          # names what is allocated inside
        ...

It asks the agent that `ttmem run -- python ...` (or LD_PRELOAD=libttmem_agent.so) loads into the process; without the agent
every function but `is_available` raises RuntimeError. Bytes are what TT-Metal's allocators have reserved, in all banks; a
tensor on a mesh counts on every chip. `device` is what `ttnn.open_device` or `ttnn.open_mesh_device` gives, which sums over its
chips, or TT-Metal's number of a chip; None sums over all chips.
"""

import contextlib
import ctypes

KINDS = ("dram", "l1", "l1_small", "trace")
_ALL_CHIPS = (-1,)


def _load():
    try:
        library = ctypes.CDLL(None)
        library.ttmem_abi_version.restype = ctypes.c_uint32
        if library.ttmem_abi_version() < 1:
            return None
    except (OSError, AttributeError):
        return None
    for name in ("memory_allocated", "max_memory_allocated", "buffer_count", "memory_capacity"):
        function = getattr(library, "ttmem_" + name)
        function.argtypes = [ctypes.c_int32, ctypes.c_int32]
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


_agent = _load()


def is_available():
    """Is the agent loaded into this process?"""
    return _agent is not None


def is_recording():
    """Does it record? It begins when the first device is opened."""
    return bool(_require().ttmem_is_recording())


def memory_allocated(device=None, kind="dram"):
    """Bytes of the live buffers."""
    return _sum(_require().ttmem_memory_allocated, device, kind)


def max_memory_allocated(device=None, kind="dram"):
    """The most bytes there ever were, or since `reset_peak_memory_stats`. Of several meshes that are open on a chip at the same
    time, such as a mesh and its submesh, the sum of their peaks, which is more if they were not at the same moment."""
    return _sum(_require().ttmem_max_memory_allocated, device, kind)


def reset_peak_memory_stats(device=None):
    """Lets the peaks begin anew at what lives now."""
    agent = _require()
    for chip in _chips(device):
        agent.ttmem_reset_peak(chip)


def buffer_count(device=None, kind="dram"):
    """Number of live buffers."""
    return _sum(_require().ttmem_buffer_count, device, kind)


def memory_capacity(device=None, kind="dram"):
    """Bytes that can be allocated in all; 0 until a moment after a device was opened."""
    return _sum(_require().ttmem_memory_capacity, device, kind)


def devices():
    """TT-Metal's numbers of the chips that were opened, each with its unique id (None if TT-Metal did not tell)."""
    agent = _require()
    found = {}
    for index in range(agent.ttmem_chip_count()):
        unique_id = ctypes.c_uint64()
        number = agent.ttmem_chip(index, ctypes.byref(unique_id))
        if number >= 0:
            found[number] = unique_id.value or None
    return found


def segment_path():
    """The file that the agent writes, or None before the first device is opened."""
    path = ctypes.create_string_buffer(256)
    return path.value.decode() if _require().ttmem_segment_path(path, len(path)) else None


@contextlib.contextmanager
def label(name):
    """What this thread allocates inside goes under this name."""
    agent = _require()
    agent.ttmem_push_label(str(name).encode())
    try:
        yield
    finally:
        agent.ttmem_pop_label()


def memory_stats(device=None):
    """All numbers as a dictionary: `allocated`, `peak`, `capacity` in bytes and `buffers`, by kind."""
    return {
        kind: {
            "allocated": memory_allocated(device, kind),
            "peak": max_memory_allocated(device, kind),
            "capacity": memory_capacity(device, kind),
            "buffers": buffer_count(device, kind),
        }
        for kind in KINDS
    }


def memory_summary(device=None):
    """A table of all kinds, of one chip or summed over all."""
    which = "all chips" if device is None else f"device {', '.join(map(str, _chips(device)))}"
    lines = [
        f"ttmem memory summary, {which}",
        f"{'kind':<10}{'allocated':>14}{'peak':>14}{'capacity':>14}{'buffers':>10}",
    ]
    for kind, stats in memory_stats(device).items():
        sizes = "".join(f"{_readable(stats[name]):>14}" for name in ("allocated", "peak", "capacity"))
        lines.append(f"{kind:<10}{sizes}{stats['buffers']:>10}")
    return "\n".join(lines)


def _require():
    if _agent is None:
        raise RuntimeError("the ttmem agent is not loaded: start the program with `ttmem run -- python ...`")
    return _agent


def _sum(function, device, kind):
    number = _kind(kind)
    return sum(function(chip, number) for chip in _chips(device))


def _chips(device):
    """TT-Metal's numbers of the chips. A mesh, of one chip too, has an id of its own that is no chip's number."""
    if device is None:
        return _ALL_CHIPS
    if hasattr(device, "get_device_ids"):
        return tuple(device.get_device_ids())
    number = device.id() if hasattr(device, "id") else device
    return (int(number),)


def _kind(kind):
    name = str(getattr(kind, "name", kind)).lower()
    if name not in KINDS:
        raise ValueError(f"no kind of memory {kind!r} (there are: {', '.join(KINDS)})")
    return KINDS.index(name)


def _readable(count):
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.2f} {unit}"
        size /= 1024
