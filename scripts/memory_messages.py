"""The memory-related message templates in the libraries of a ttnn wheel.

A template is a string constant with `{}` holes (the `fmt` library) or, in tt-umd and the kernel builder, a fixed text.
It is memory-related if it names a memory and says that something does not fit, is used up, is at risk, or was reduced.
"""

import pathlib
import re

LIBRARIES = ("libtt_metal.so", "_ttnncpp.so", "libtt-umd.so", "libdevice.so")

TEXT = re.compile(rb"[\t\n\x20-\x7e]{16,2000}\x00")

MEMORY = re.compile(
    r"\bL1\b|L1_SMALL|\bl1_for_cb\b|\bCBs?\b|\bDFBs?\b|\bDRAM\b|DRISC|circular buffer|CircularBuffer|dataflow buffer|[Tt]race buffer"
    r"|[Bb]uffer bank|L1_BANK|banks\b|shard grid|kernel config|worker L1|[Oo]ut of [Mm]emory|[Ss]emaphore|active trace|[Pp]ersistent L1"
    r"|\bTLB\b|[Hh]ugepage|[Ss]ysmem|NumHostMemChannels|pin(ned|ning)? (pages|memory)|RLIMIT_MEMLOCK|lock '?\{\}'?"
    r"|[Rr]ing ?buffer|memory map end|reserved L1|host memory|B (out|in)put shard|reserve_l1_to_top|PrefetcherPipe entry,|overflows region"
)
SHORTAGE = re.compile(
    r"[Oo]ut of [Mm]emory|OOM|[Nn]ot enough|[Ii]nsufficient|exceed|too (large|small)|larger than|greater than|beyond|past L1"
    r"|(does|do|would|could|can)( not|n't) (fit|place|reserve)|[Cc]annot (fit|allocate|place)|[Nn]o (available|room|place|free)|exhaust"
    r"|clash|overlaps? |overflow|fragment L1|pressure|downgrade|potentially unsafe|but only|only \{\} B|have \{\} B|budget"
    r"|[Ff]ailed (to allocate|allocation|pinning|to pin|to map)|unexpected NOC address|NOC address of a hugepage|at NOC address"
    r"|cannot hold|could not (reserve|find valid slice)|zone full|ring is only|requires \{\} L1 bytes|memory than available|overflows region"
    r"|currently held by|has no \{\} bank|less than or equal to total number|needs? ~?\{\} (B|bytes)|requires? \{\} (B|bytes)|Ran out of"
)
OTHER = re.compile(
    r"align(ed|ment)|multiple of|divisible|[Mm]emory layout|memory[ _]config|must (match|equal|be)|does not match|mismatch|runtime-arg budget"
    r"|global_id|LightMetal|[Pp]rofiler DRAM|CADICAL|uint(8|16|32)_t|\bbits\)|exceeds? (the )?(max(imum)?|HW) number|page-count cap|sender_channels"
    r"|block records|reallocating|allocating '%zu|DW_DLE|creating record|elf file|arg\[|ARC |[Ww]atcher|DPRINT|device print|noc tracing"
    r"|DFB config|tile-counter|device slot|PRODUCERS|index \S* ?exceeds|count \{\} exceeds|senders|receivers|hop_cores|markers|refcount"
    r"|[Ss]emaphore ?(ID|id|Spec|slot)|program semaphores|allocation id|Bank ID|roster|M blocks|NOC transaction|ethernet send|pack-precision"
    r"|TxnId|local-interface|tile-counter|shard-contiguous|worker cores \(|number of DRAM channels|reader core|Pool2D|nd-sharded|rescaled"
    r"|For buffer index|allocated_cb|exceeds maximum value|NumHostMemChannels: \{\} exceeds|socket config|on-disk|DRAM reader"
    r"|Number of slices|dma-buf export|data-format slot|must exceed base|num_host_mem_channels|IO window"
)
# Words of messages about missing memory, whatever else they mention.
CERTAIN = re.compile(
    r"Out of Memory|out of memory(: | on core)|zone full|ring is only|Not enough L1|region exhausted: |L1 budget|[Cc]annot fit|reserve_l1_to_top|memory than available"
)
# Messages that are listed whatever words of a memory or a shortage they have.
WHOLE = re.compile(
    r"Cannot switch sub device|Failed to mirror|cannot allocate region|shm_open\(\) failed|trace-region capacity|prefetch command size"
    r"|slot capacity|[Cc]hannel size of|suitable buffer slot|KiB arena|arena slot|cores need at least|max_total_pin_size|MiB pinned|but the driver allows"
    r"|(No available|Ran out of|No free L1) [Ss]emaphore|[Ss]emaphore.* (are already allocated|all \{\} IDs)|semaphores .*a core (has|supports)|[Ss]emaphore id \{\} exceeds"
    r"|with IOMMU disabled|pinned memory\.|SysmemBuffer for MMIO|address of a hugepage|host shared buffer|Reserved size must be less|L1 ceiling|dispatch L1 region"
    r"|full per-receiver page|HW BUFFER_CAPACITY"
)
NOT_TEXT = re.compile(r"^_?Z[NTLKS]|\(lambda|\bstd::|^/|\.[ch]pp$|==|>=|<=|&&| < | > ")


def templates_of(library):
    """Every memory-related template of one library, sorted."""
    found = set()
    for match in TEXT.finditer(pathlib.Path(library).read_bytes()):
        text = match.group()[:-1]
        if b" " in text and not text.startswith(b"_Z"):
            text = " ".join(text.decode("ascii").split())
            if is_memory_message(text):
                found.add(text)
    return sorted(found)


def is_memory_message(text):
    return bool(
        not NOT_TEXT.search(text)
        and (
            WHOLE.search(text)
            or MEMORY.search(text)
            and SHORTAGE.search(text)
            and (CERTAIN.search(text) or not OTHER.search(text))
        )
    )


def templates_below(directory):
    """Every memory-related template of the libraries below a directory, sorted."""
    found = set()
    for library in sorted(pathlib.Path(directory).rglob("*.so*")):
        if library.name in LIBRARIES:
            found.update(templates_of(library))
    return sorted(found)
