//! Limits that no tensor has a part in.

use super::{Fit, Verdict, advice, contradictory, contradicts, excess, figure};
use crate::explain::fixed::{Fixed, FixedLimit};
use crate::explain::units::{bytes, grouped};

/// The words of one limit.
struct Words {
    /// What is too large, and for what.
    title: &'static str,
    meaning: &'static str,
    fit: Fit,
    /// The unit of its numbers; `None` for bytes.
    unit: Option<&'static str>,
    advice: &'static [&'static str],
}

const FABRIC: Words = Words {
    title: "The channels of the fabric are larger than their part of an Ethernet core's L1",
    meaning: "Routers of the fabric keep packets in channels in the L1 of Ethernet cores. Their number and the size of packets \
              need more than is set aside there. Tensors have no part in it: freeing them does not help.",
    fit: Fit::TooLarge,
    unit: None,
    advice: &[
        "Use smaller packets: a lower max_packet_payload_size_bytes of FabricRouterConfig.",
        "Use a fabric_config with fewer channels: one dimension instead of two, or a line instead of a ring or torus.",
    ],
};

const ARENA: Words = Words {
    title: "The ring of a socket is larger than its arena of host memory",
    meaning: "Sockets keep their rings in arenas of pinned host memory that have a fixed size. It is host memory, not device \
              memory.",
    fit: Fit::NotDeviceMemory,
    unit: None,
    advice: &["Use smaller pages, fewer pages in the ring, or fewer sockets and cores at once."],
};

const ARGS: Words = Words {
    title: "A kernel has more runtime arguments than a core takes",
    meaning: "Runtime arguments are copied to each core at launch, and their number is limited. They are counted for one core: no \
              memory is missing, and freeing tensors does not help.",
    fit: Fit::Invalid,
    unit: Some("arguments"),
    advice: &[
        "Give the op fewer inputs or parts at once: concat and split of many tensors pass arguments for each of them; do it in groups.",
        "In a kernel of your own: pass a table in a buffer instead of arguments, or use common runtime arguments once.",
    ],
};

const ENTRIES: Words = Words {
    title: "A dataflow buffer has more entries than its counter holds",
    meaning: "Entries of a dataflow buffer are counted in a register of fixed width. They are counted, not allocated: no memory is \
              missing.",
    fit: Fit::Invalid,
    unit: Some("entries"),
    advice: &["Use fewer and larger entries: num_entries lower, entry_size higher."],
};

const GLOBAL_BUFFER: Words = Words {
    title: "A global circular buffer is too small for a tensor",
    meaning: "A prefetcher passes tensors to the cores of an op through a global circular buffer, whose size in each of these cores \
              was chosen when it was created. It has to hold more at once. No memory is missing, and freeing tensors does not help.",
    fit: Fit::Invalid,
    unit: None,
    advice: &[
        "Create the global circular buffer with the needed size or more (size of ttnn.create_global_circular_buffer). Each of its cores has as much less L1.",
        "Pass less at once: a smaller data type such as ttnn.bfloat8_b, more receiver cores, or smaller blocks.",
    ],
};

const COMPILED_DRAM: Words = Words {
    title: "The buffers of a function that tt-mlir compiled are larger than a DRAM bank",
    meaning: "The compiler places the buffers of a function before it runs. What is in use at once takes more of a DRAM bank than \
              there is, so nothing was allocated: freeing tensors does not help.",
    fit: Fit::TooLarge,
    unit: None,
    advice: &[
        "Compile less at once: a smaller batch or sequence length, or fewer layers in one graph.",
        "Use a smaller data type for weights and activations, or split the model over more chips.",
    ],
};

const KV_CACHE: Words = Words {
    title: "vLLM's KV cache is too small",
    meaning: "vLLM compares the longest sequence that it is to serve with the memory that it may use for the KV cache, before it \
              allocates it. The sizes are its own estimate: TT-Metal refused nothing.",
    fit: Fit::TooLarge,
    unit: Some("tokens"),
    advice: &[
        "Lower --max-model-len (max_model_len) to what the KV cache holds.",
        "Give it more memory: a higher --gpu-memory-utilization, a smaller data type of weights or KV cache, or more chips.",
    ],
};

const SUB_DEVICES: Words = Words {
    title: "Sub-devices cannot be switched while they hold buffers",
    meaning: "Each sub-device allocates in an L1 region of its own, which another sub-device manager places anew. Buffers that \
              were allocated on the loaded sub-devices still exist. No memory is missing.",
    fit: Fit::Invalid,
    unit: None,
    advice: &[
        "Free what was allocated with a sub_device_id first: ttnn.deallocate its tensors, and let global semaphores and global circular buffers go out of scope.",
        "Or allocate what has to outlive the switch before the sub-device manager is loaded: it is then in the L1 of the whole device.",
    ],
};

const SHARED_FILE: Words = Words {
    title: "A file in /dev/shm was refused",
    meaning: "The user-mode driver keeps its locks and TT-Metal its shared regions in files in /dev/shm. The system did not let the \
              process open or make one: errno 13 (permission denied) means that it belongs to another user, 28 that no room is \
              left, 2 that /dev/shm does not exist. It is not about device memory.",
    fit: Fit::NotDeviceMemory,
    unit: None,
    advice: &[
        "See whose it is: `ls -l /dev/shm`, and `ttmem doctor` for locks. If no process uses it, its owner or root can remove it.",
        "Give a container more room: `docker run --shm-size=8g` or --ipc=host.",
    ],
};

const DRAM: Words = Words {
    title: "An op keeps its output in DRAM",
    meaning: "The op could not make shards of its output and placed it in DRAM instead of L1. No memory is missing. It is slower; \
              the result is right.",
    fit: Fit::Warning,
    unit: None,
    advice: &[
        "Give it a memory_config whose shard shape is a multiple of the tile (32 by 32) and divides the output evenly, or one that is interleaved.",
    ],
};

pub(super) fn limit(limit: &FixedLimit) -> Verdict {
    let words = match limit.what {
        Fixed::FabricChannels => FABRIC,
        Fixed::HostArena => ARENA,
        Fixed::RuntimeArgs => ARGS,
        Fixed::RuntimeArgBytes => Words { unit: None, ..ARGS },
        Fixed::Entries => ENTRIES,
        Fixed::GlobalBuffer => GLOBAL_BUFFER,
        Fixed::CompiledDram => COMPILED_DRAM,
        Fixed::KvCache => KV_CACHE,
        Fixed::DramOutput => DRAM,
        Fixed::SubDeviceSwitch => SUB_DEVICES,
        Fixed::SharedFile => SHARED_FILE,
    };
    let amount = |value: u64| match words.unit {
        Some(unit) => format!("{} {unit}", grouped(value)),
        None => bytes(value),
    };
    let over = excess(limit.need, limit.limit);
    let of = |name, value: Option<u64>| value.map(|value| figure(name, amount(value)));
    let name = match limit.what {
        Fixed::DramOutput => "op",
        Fixed::SharedFile => "file",
        _ => "kernel or buffer",
    };
    let list = [
        of("too large by", over),
        of("needed", limit.need),
        of("limit", limit.limit),
        limit.name.as_ref().map(|text| figure(name, text.clone())),
    ];
    let figures = list.into_iter().flatten().collect();
    if contradicts(limit.need, limit.limit) {
        return contradictory(words.title, figures);
    }
    let by = over.map_or(String::new(), |over| format!(" by {}", amount(over)));
    Verdict {
        title: format!("{}{by}", words.title),
        meaning: words.meaning.to_owned(),
        fit: words.fit,
        over: over.filter(|_| words.unit.is_none()),
        figures,
        advice: words.advice.iter().map(|text| advice(*text, None)).collect(),
        blockers: Vec::new(),
    }
}
