//! Wordings of ttnn 0.66 to 0.81 and of tt-umd whose numbers or words are few.

use crate::explain::{self, Explanation, Fit, Message};

fn only(text: &str) -> Explanation {
    let mut found = explain::explain(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    found.remove(0)
}

/// The kind, the figures and whether the message counts as cut.
fn facts(text: &str) -> (String, Vec<String>, bool) {
    let found = only(text);
    let message = serde_json::to_value(&found.message).unwrap();
    let kind = message["kind"].as_str().unwrap().to_owned();
    (kind, found.figures.iter().map(|figure| figure.value.clone()).collect(), found.cut)
}

#[test]
fn host_memory_for_a_device() {
    for (text, figures) in [
        (
            "RuntimeError: Cannot map buffer of size 1073741824 to NOC with IOMMU disabled.",
            &["1,073,741,824 bytes (1.0 GiB)", "IOMMU disabled"][..],
        ),
        (
            "Device-read-only page pinning requires KMD 2.9.0 or newer and an active IOMMU.",
            &["IOMMU disabled or driver too old"],
        ),
        ("TT_FATAL: Failed to create SysmemBuffer for MMIO device (assert.hpp:104)", &[]),
        ("TT_FATAL: Failed to get NOC address for D2H socket pinned memory. (assert.hpp:104)", &[]),
        ("TT_FATAL: PinnedMemory has no NOC address -- the device cannot reach the region", &[]),
    ] {
        let (kind, values, cut) = facts(text);
        assert_eq!((kind.as_str(), cut), ("pin_failed", false), "{text}");
        assert_eq!(values, figures, "{text}");
    }
    let mapped =
        only("RuntimeError: Cannot map buffer of size 1073741824 to NOC with IOMMU disabled.");
    assert!(mapped.advice[0].text.contains("Enable the IOMMU"), "{:?}", mapped.advice);
    for text in [
        "TT_FATAL: Failed to mmap file \"/models/w.tensorbin\": Cannot allocate memory (assert.hpp:104)",
        "TT_FATAL: Failed to mmap shared memory: Cannot allocate memory",
        "RuntimeError: Anonymous mmap failed for D2H socket buffer (65536 B): Cannot allocate memory",
    ] {
        assert_eq!(facts(text).0, "host_memory", "{text}");
    }
    assert_eq!(
        explain::explain("TT_FATAL: Failed to mmap file \"/w\": No such file or directory"),
        []
    );
    let window = "RuntimeError: tt_tlb_map failed with error code -12 for TLB size 2097152.";
    assert_eq!(facts(window).0, "tlb_windows");
}

#[test]
fn limits_of_cores_and_of_the_fabric() {
    for (kind, text) in [
        (
            "semaphore_ids",
            "TT_FATAL: No free L1 semaphore slot (per-core 16 limit) for the requested core range set",
        ),
        (
            "semaphore_ids",
            "TT_FATAL: Unable to initialize semaphore on CoreRangeSet {[0-0 - 7-7]}: all 16 IDs are in use",
        ),
        ("semaphore_ids", "TT_FATAL: Unable to initialize semaphores on core range [0-0 - 7-7]\n"),
        (
            "semaphore_ids",
            "TT_FATAL: combine_fabric2d: 18 program semaphores per combine core exceed the 16 a core has (2 untilizers per group, 4 links)",
        ),
        (
            "semaphore_ids",
            "TT_FATAL: Ring MLA rotated Q split needs 4 handoff semaphores, but the program has already allocated 14 and a core supports 16.",
        ),
        (
            "semaphore_ids",
            "TT_FATAL: the merged program needs 18 semaphores (both halves' shared block plus the pass barrier) but a core has 16; the halves' blocks are 9 and 8 ids wide",
        ),
        (
            "fixed_limit",
            "TT_FATAL: Fabric channel allocation exceeds its slot capacity (assert.hpp:104)",
        ),
        (
            "fixed_limit",
            "TT_FATAL: Failed to find suitable buffer slot configuration. VC1 needed: 1, VC2 needed: 0, VC0 channels: 4 senders/4 receivers, VC1 channels: 3 senders/3 receivers, VC2 channels: 0 senders/0 receivers, Available space: 190000 bytes",
        ),
        (
            "trace_region_full",
            "TT_FATAL: Command-list buffers exceed the configured trace-region capacity",
        ),
    ] {
        let (known, _, cut) = facts(text);
        assert_eq!(known, kind, "{text}");
        assert!(!cut || kind == "trace_region_full", "{text}");
    }
    let space = only(
        "TT_FATAL: Failed to find suitable buffer slot configuration. VC1 needed: 1, VC0 channels: 4 senders/4 receivers, VC1 channels: 3 senders/3 receivers, Available space: 190000 bytes",
    );
    assert_eq!(space.figures.len(), 1, "{:?}", space.figures);
}

/// Global circular buffers whose size a program chose.
#[test]
fn a_global_circular_buffer_is_too_small_for_what_passes_it() {
    for (text, over) in [
        (
            "TT_FATAL: Tensor prefetcher: target per-receiver capacity (65536 B) must be at least one full per-receiver page (69632 B) for input tensor 2; a smaller ring makes the sender's free-space poll spin forever.",
            4096,
        ),
        ("TT_FATAL: largest tensor 1769472 must fit in global cb 786624 (assert.hpp:103)", 982_848),
        (
            "TT_FATAL: reader_cb_size 786688 must not be larger than global cb 786624\nbacktrace:\n",
            64,
        ),
        (
            "TT_FATAL: mcast_in0 global_cb size 69632 holds 1 whole in1 K-block pages of 65536 B; the reader needs at least 2 (assert.hpp:104)",
            61_440,
        ),
        (
            "TT_FATAL: mcast_in0 global_cb requires a two-page streaming window: size 69632 holds 1 whole in1 K-block pages of 65536 B, need at least 2 (assert.hpp:104)",
            61_440,
        ),
    ] {
        let found = only(text);
        assert_eq!((found.fit, found.over_bytes), (Fit::Invalid, Some(over)), "{text}");
        assert!(!found.advice.iter().any(|advice| advice.text.contains("deallocate")), "{text}");
    }
}

/// tenstorrent/tt-mlir, `lib/Dialect/D2M/Transforms/Allocate.cpp`; the third wording is of 2025, of L1 alone.
#[test]
fn plans_of_a_compiler() {
    for (text, kind, fit, over) in [
        (
            "error: 'func.func' op required DRAM memory usage 4605632000 exceeds memory capacity 1073741792 (usable space is [32, 1073741824))",
            "fixed_limit",
            Fit::TooLarge,
            3_531_890_208,
        ),
        (
            "error: 'func.func' op required L1 memory usage 1605632 exceeds memory capacity 1395424 (usable space is [103712, 1499136))",
            "op_limit",
            Fit::TooLarge,
            210_208,
        ),
        (
            "error: 'func.func' op required memory usage 68719476736 exceeds memory size 1395424\nfunc.func @oom() {\n",
            "op_limit",
            Fit::TooLarge,
            68_718_081_312,
        ),
    ] {
        assert_eq!(facts(text).0, kind, "{text}");
        let found = only(text);
        assert_eq!((found.fit, found.over_bytes, found.cut), (fit, Some(over), false), "{text}");
    }
    let bare =
        "2024-05-02 10:00:00.000 | FATAL    | Always          - TT_FATAL: Does not fit in L1\n";
    assert_eq!(facts(bare), ("op_limit".to_owned(), vec![], false));
}

/// vllm-project/vllm, `check_enough_kv_cache_memory`, whose source a traceback quotes.
#[test]
fn a_sequence_longer_than_the_cache_of_vllm() {
    let prefix = "(EngineCore_DP0 pid=77) ERROR 10-25 13:08:43 [core.py:708] ";
    for (message, figures) in [
        (
            "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.",
            &[][..],
        ),
        (
            "To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is needed, which is larger than the available KV cache memory (10.50 GiB). Based on the available memory, the estimated maximum model length is 86016. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
            &["45,056 tokens", "131,072 tokens", "86,016 tokens"],
        ),
        (
            "The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV cache (7344). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
            &["25,424 tokens", "32,768 tokens", "7,344 tokens"],
        ),
    ] {
        let text = format!(
            "{prefix}Traceback (most recent call last):\n{prefix}    raise ValueError(\"{}\"\n{prefix}ValueError: {message}\n",
            &message[..30]
        );
        let (kind, values, cut) = facts(&text);
        assert_eq!((kind.as_str(), cut), ("fixed_limit", false), "{text}");
        assert_eq!(values, figures, "{text}");
        assert_eq!(only(&text).over_bytes, None);
    }
}

/// ttnn 0.81.1 and tt-umd: an allocation that the allocator of one device does not take, and refusals without a number.
#[test]
fn copies_of_allocations_sub_devices_and_files() {
    let mirrored = only(
        "TT_FATAL: Failed to mirror allocation at address 1048576 of size 65536 in allocator 0 (num_allocators=65, bank_size=1395424, alloc_stats: total_alloc=1000000, total_free=395424, largest_free=300000)",
    );
    assert_eq!((mirrored.fit, mirrored.over_bytes), (Fit::Unusable, None));
    let Message::OutOfMemory(memory) = &mirrored.message else { panic!("{mirrored:#?}") };
    assert_eq!((memory.memory.as_str(), memory.per_bank), ("L1", Some(65_536)));
    assert_eq!((memory.bank_size, memory.allocated), (Some(1_395_424), Some(1_000_000)));
    assert_eq!(
        (memory.free, memory.largest_free, memory.cut),
        (Some(395_424), Some(300_000), false)
    );
    let cut = only(
        "TT_FATAL: Failed to mirror allocation at address 1048576 of size 65536 in allocator 0 (num_allocators=65, bank_size=13954",
    );
    assert!(cut.cut, "{cut:#?}");
    let applied = only(
        "TT_FATAL: Failed to apply state: cannot allocate region [1048576, 1114112) of size 65536 B at address 1048576 in DRAM buffer type. Region may already be occupied or invalid.",
    );
    let Message::OutOfMemory(memory) = &applied.message else { panic!("{applied:#?}") };
    assert_eq!((memory.memory.as_str(), memory.per_bank), ("DRAM", Some(65_536)));
    for (text, what, figures) in [
        (
            "TT_FATAL: Cannot switch sub device managers while sub devices still have local allocations (assert.hpp:104)\nRuntimeError: TT_FATAL @ /x/sub_device_manager_tracker.cpp:98: !active_sub_device_manager_->has_allocations()\ninfo:\nCannot switch sub device managers while sub devices still have local allocations\nbacktrace:\n",
            "sub_device_switch",
            &[][..],
        ),
        (
            "RuntimeError: shm_open() failed for mutex TT_UMD_LOCK.CHIP_IN_USE_0_PCIe errno: 13\n",
            "shared_file",
            &["TT_UMD_LOCK.CHIP_IN_USE_0_PCIe errno: 13"],
        ),
        (
            "TT_FATAL: Failed to create shared memory /tt_socket_0: Permission denied\n",
            "shared_file",
            &["/tt_socket_0: Permission denied"],
        ),
    ] {
        let found = only(text);
        let message = serde_json::to_value(&found.message).unwrap();
        assert_eq!((message["what"].as_str(), found.count, found.cut), (Some(what), 1, false));
        let values: Vec<&str> = found.figures.iter().map(|figure| figure.value.as_str()).collect();
        assert_eq!(values, figures, "{text}");
    }
    assert_eq!(
        facts("LOG_FATAL: HostAllocCommand: Failed to allocate host memory.").0,
        "host_memory"
    );
}

/// tenstorrent/tt-metal#46486: the size of L1 is not the end of the buffers.
#[test]
fn buffers_beyond_l1_without_their_end() {
    let found = only(
        "TT_THROW: Statically allocated circular buffers grow beyond max L1 size of 1572864 B\n(assert.hpp:104)\n",
    );
    let Message::BuffersBeyondL1(beyond) = &found.message else { panic!("{found:#?}") };
    assert_eq!((beyond.end, beyond.l1_size, found.cut), (None, Some(1_572_864), true));
    assert_eq!(found.over_bytes, None);
}

/// The end of the input may go through the limit, even where five digits of it are left.
#[test]
fn a_limit_with_far_fewer_digits_than_the_need_was_cut() {
    for text in [
        "error: 'func.func' op required L1 memory usage 4843520 exceeds memory capacity 13954",
        "conv3d: the static circular buffers need 1712480 B at out_subblock_h=3 (M_t=4) but only 13987",
    ] {
        let found = only(text);
        let Message::OpLimit(limit) = &found.message else { panic!("{found:#?}") };
        assert_eq!((limit.need.is_some(), limit.limit, found.cut), (true, None, true), "{text}");
    }
}
