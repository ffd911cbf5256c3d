"""Memory of Tenstorrent devices, as this process uses it. The names are those of `torch.cuda` where it has them.

    import ttmem
    ttmem.start()                          # before `import ttnn`
    import ttnn
    ...
    ttmem.memory_allocated()               # bytes of live buffers in DRAM, summed over all chips
    ttmem.max_memory_allocated(kind="l1")  # the most bytes of L1 at a time
    print(ttmem.memory_summary())
    with ttmem.label("layer 3"):           # names what is allocated inside
        ...
    with ttmem.profile("run.html") as p:   # a report, and p.peaks, p.leaks, p.ops
        ...

The agent library counts: `start()` loads it, as does `ttmem run -- python ...`. Without it, labels do nothing and questions
raise AgentError. Bytes are what TT-Metal's allocators have reserved, in all banks; a tensor on a mesh counts on every chip.
`device` is what `ttnn.open_device` or `ttnn.open_mesh_device` returns, which is summed over its chips, or TT-Metal's number
of a chip; None is the sum over all chips.
"""

from typing import Any

from ._agent import AgentError, devices, is_available, is_recording, label, segment_path, start
from ._command import CommandError
from ._profile import Profile, profile
from ._stats import (
    KINDS,
    Buffer,
    KindStats,
    buffer_count,
    buffers,
    l1_headroom,
    max_l1_allocated,
    max_memory_allocated,
    memory_allocated,
    memory_capacity,
    memory_stats,
    memory_summary,
    reset_peak_memory_stats,
    snapshot,
)

__all__ = [
    "KINDS",
    "AgentError",
    "Buffer",
    "CommandError",
    "KindStats",
    "Profile",
    "buffer_count",
    "buffers",
    "devices",
    "is_available",
    "is_recording",
    "l1_headroom",
    "label",
    "load_ipython_extension",
    "max_l1_allocated",
    "max_memory_allocated",
    "memory_allocated",
    "memory_capacity",
    "memory_stats",
    "memory_summary",
    "profile",
    "reset_peak_memory_stats",
    "segment_path",
    "snapshot",
    "start",
]


def load_ipython_extension(shell: Any) -> None:
    """Adds the `%%ttmem` cell magic; IPython calls it for `%load_ext ttmem`."""
    from .notebook import register

    register(shell)
