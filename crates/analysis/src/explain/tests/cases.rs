//! Messages of public reports (`fixtures/explain/cases`) and the right answer to each.

use std::path::{Path, PathBuf};

use crate::explain::{
    self, Explanation, Findings, Fit, KernelMemory, LiveBuffer, LiveChip, LiveMap, Message, input,
};
use ttmem_model::Kind;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain/cases").join(name)
}

fn findings(name: &str) -> Findings {
    Findings::of(input::open_path(&path(name)).unwrap(), None).unwrap()
}

fn only(name: &str) -> Explanation {
    let mut findings = findings(name);
    assert_eq!(findings.explanations.len(), 1, "{:#?}", findings.explanations);
    assert_eq!(findings.unknown.count, 0, "{:?}", findings.unknown);
    findings.explanations.remove(0)
}

fn advice(explanation: &Explanation) -> Vec<&str> {
    explanation.advice.iter().map(|advice| advice.text.as_str()).collect()
}

#[test]
fn a_circular_buffer_beyond_its_tensor() {
    let explanation = only("cb-larger-than-buffer.log");
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Invalid, Some(16_384)));
    assert!(explanation.meaning.contains("No memory is missing"));
}

#[test]
fn a_clash_at_the_top_of_l1_is_no_tensor() {
    let explanation = only("clash-top-of-l1.log");
    assert_eq!((explanation.over_bytes, explanation.core_count), (Some(192), Some(110)));
    let advice = advice(&explanation);
    assert!(advice[0].contains("l1_small_size"), "{advice:?}");
    assert!(advice[1].contains("9,792 bytes") && advice[1].contains("use_l1_small_for_semaphores"));
    assert!(advice[2].contains("1,451,520 bytes"), "{}", advice[2]);
    assert!(advice[3].contains("ttnn.deallocate"));
}

#[test]
fn grouped_digits_and_a_middle_left_out() {
    let explanation = only("commas.log");
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Fragmented, Some(5_267_830)));
    let Message::OutOfMemory(memory) = &explanation.message else { panic!() };
    assert_eq!((memory.per_bank, memory.per_bank_is_least), (Some(13_981_014), true));
    assert_eq!((memory.free, memory.largest_free), (Some(55_185_344), Some(8_713_184)));
}

#[test]
fn a_message_that_was_cut_gives_what_it_has() {
    let explanation = only("cut-oom.log");
    assert!(explanation.cut);
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Fragmented, None));
    let Message::OutOfMemory(memory) = &explanation.message else { panic!() };
    assert_eq!(memory.free, Some(183_397_344));
    assert!(explanation.meaning.contains("was cut"), "{}", explanation.meaning);
    assert!(explanation.text.ends_with("(allocated: 888424448 B, fr..."), "{}", explanation.text);
}

/// The input ends within a number: what stands before it is used, and the number is not believed.
#[test]
fn a_message_that_ends_within_a_number_is_cut() {
    let clash = "TT_THROW: Statically allocated circular buffers in program 41 clash with L1 buffers on core range [(x=0,y=0) - (x=7,y=6)]. L1 buffer allocated at 1086016 and static circular buffer region ends at 1145";
    let full = "TT_FATAL: Creating trace buffers of size 61234120B on MeshDevice 2, but only 5000";
    let ring = "TT_FATAL: Program size (71234) too large for kernel config buffer (706";
    let beyond = "TT_THROW: Statically allocated circular buffers on core range [(x=0,y=0) - (x=7,y=6)] grow to 1724384 B which is beyond max L1 size of 149";
    let tensor = "TT_FATAL: Cannot set to globally allocated buffer. Circular buffer size 32768 B exceeds allocated L1 buffer bank size of 163";
    let overlap = "TT_FATAL: Trace buffer at address 1046576 overlaps with buffers allocated during trace capture (allocation high water mark: 2096";
    let below =
        "TT_THROW: Out of Memory: Cannot allocate at an address below 524288. Allocation at 50";
    let memory = "TT_THROW: Out of Memory: Not enough space to allocate 131072 B L1 buffer across 64 banks, where each bank needs to store 20";
    let first = "TT_THROW: Out of Memory: Not enough space to allocate 1310";
    let op = "TT_FATAL: ttnn.concat: required DFB entry size (1957120 B) exceeds per-core L1 capacity (1394";
    let address = "TT_THROW: Statically allocated circular buffers in program 41 clash with L1 buffers on core range [(x=0,y=0) - (x=7,y=6)]. L1 buffer allocated at 1086";
    let service = "TT_THROW: Circular buffers on service-core range [11-0 - 11-1] in program 9 clash with ServiceCoreManager-allocated L1 (lowest service allocation at 1400000, CB region ends at 14";
    for (text, advised) in [
        (clash, "at 0x00109240 (1,086,016)"),
        (full, "trace_region_size=61234120 or more"),
        (ring, "get_max_worker_l1_unreserved_size() - 71234"),
        (beyond, "The circular buffers have to shrink."),
        (tensor, "Use a shard shape"),
        (overlap, "non-zero trace_region_size"),
        (below, "DRAM_MEMORY_CONFIG"),
        (memory, "at least 2,048 bytes"),
        (first, "ttnn.deallocate"),
        (op, "ttnn.ROW_MAJOR_LAYOUT"),
        (address, "Free or move the lowest L1 buffer before this op"),
        (service, "without these cores"),
    ] {
        for end in ["", "\n", "\n\n"] {
            let explanation = of(&format!("{text}{end}"));
            assert!(explanation.cut && explanation.fit != Fit::Contradictory, "{explanation:#?}");
            assert!(explanation.meaning.contains("was cut"), "{}", explanation.meaning);
            assert_eq!(explanation.over_bytes, None, "{explanation:#?}");
            let advice = advice(&explanation);
            assert!(advice.iter().any(|text| text.contains(advised)), "{text}: {advice:?}");
        }
    }
    let log = format!("{clash}\n2026-06-06 03:15:40.174 | info | Op | next\n");
    assert!(of(&log).cut, "a line that was cut inside the log");
}

#[test]
fn two_ranks_in_one_line_are_one_message() {
    let explanation = only("interleaved-oom.log");
    assert_eq!((explanation.count, explanation.cut), (2, false));
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Fragmented, Some(1_511_776)));
}

#[test]
fn placeable_ranges_are_read() {
    let explanation = only("dependencies-windows.log");
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Fragmented, Some(65_536)));
    assert!(
        explanation
            .figures
            .iter()
            .any(|figure| figure.value.contains("401,408 bytes (392.0 KiB) in 3 ranges"))
    );
}

#[test]
fn a_share_larger_than_any_core_is_certain() {
    let explanation = only("l1-share-over-any-core.log");
    assert_eq!(explanation.fit, Fit::TooLarge);
    let advice = advice(&explanation);
    assert!(advice[0].contains("DRAM_MEMORY_CONFIG"));
    assert!(advice[1].contains("171 cores, and no chip has more than 140"), "{}", advice[1]);
}

#[test]
fn a_kernel_that_does_not_link() {
    let explanation = only("kernel-link.log");
    let Message::KernelLink(link) = &explanation.message else { panic!() };
    assert_eq!((link.memory, link.processor.as_deref()), (KernelMemory::LocalData, Some("trisc2")));
    assert!(explanation.meaning.contains("neither L1 nor the kernel configuration ring"));
}

#[test]
fn an_ops_own_check_is_a_clash() {
    let explanation = only("op-layernorm.log");
    assert_eq!((explanation.over_bytes, explanation.count), (Some(40_322), 1));
    assert!(
        explanation
            .figures
            .iter()
            .any(|figure| figure.value.contains("begins at 0x0002e000 (188,416) on a Wormhole"))
    );
    assert!(advice(&explanation)[0].contains("at least 42,444 bytes"), "{:?}", explanation.advice);
    assert!(advice(&explanation).iter().any(|text| text.contains("already fitted its blocks")));
    let buffer =
        LiveBuffer { address: 188_416, bytes: 1_310_720, kind: Kind::L1, label: "held".to_owned() };
    let live = LiveMap {
        chips: vec![LiveChip { name: "chip 0".to_owned(), buffers: vec![buffer], refused: None }],
    };
    let text = std::fs::read_to_string(path("op-layernorm.log")).unwrap();
    let named = explain::explain_with(&text, &live).remove(0);
    assert_eq!(named.blockers[0].label, "held");
}

#[test]
fn memory_states_of_a_compiler_are_a_report() {
    let findings = findings("mlir-memory-view.log");
    let states: Vec<_> =
        findings.courses.iter().map(|course| (course.memory, course.last.banks)).collect();
    assert_eq!(states, [(Kind::Dram, Some(12)), (Kind::L1, Some(64))]);
    let shown = findings.render(200, true);
    assert!(shown.contains("dram, 12 banks: 0.008 MiB of 1024.000 MiB"), "{shown}");
    assert!(shown.contains("l1, 64 banks: 0.000 MiB of 1.270 MiB"), "{shown}");
}

#[test]
fn the_state_before_the_failure_is_kept() {
    let view = |used: &str| {
        format!(
            "Device DRAM memory state: MemoryView{{numBanks: 12, totalBytesPerBank: 1024.000 MB, totalBytesAllocatedPerBank: {used} MB, totalBytesFreePerBank: 1.000 MB, largestContiguousBytesFreePerBank: 0.500 MB}}\n"
        )
    };
    let failure = "Out of Memory: Not enough space to allocate 1200 B DRAM buffer across 12 banks, where each bank needs to store 100 B\n";
    let text = [&view("10.000"), &view("700.000"), failure, &view("20.000")].concat();
    let input = input::Input::new("log", Box::new(std::io::Cursor::new(text)));
    let course = Findings::of(vec![input], None).unwrap().courses.remove(0);
    assert_eq!((course.count, course.peak.line), (3, 2));
    assert_eq!(course.before_failure.unwrap().used, Some(700 << 20));
    assert_eq!(course.last.used, Some(20 << 20));
}

#[test]
fn semaphores_are_the_likely_cause_of_a_later_clash() {
    let warning = std::fs::read_to_string(path("semaphores-warning.log")).unwrap();
    let alone = explain::explain(&warning);
    assert_eq!((alone.len(), alone[0].fit), (1, Fit::Warning));
    let clash = std::fs::read_to_string(path("clash-top-of-l1.log")).unwrap();
    let both = explain::explain(&format!("{warning}{clash}"));
    assert!(
        both[1]
            .figures
            .iter()
            .any(|figure| figure.name == "likely cause" && figure.value.contains("line 1"))
    );
}

#[test]
fn a_core_outside_the_grid_is_named() {
    let explanation = only("shard-grid-0.81.log");
    assert_eq!(explanation.fit, Fit::Invalid);
    assert_eq!(explanation.title, "Core (0,8) of a shard grid is none of the 64 of this device");
}

#[test]
fn tlb_windows_are_no_device_memory() {
    let explanation = only("tlb-window.log");
    assert_eq!((explanation.fit, explanation.count), (Fit::NotDeviceMemory, 1));
    assert!(explanation.title.ends_with("is left on /dev/tenstorrent/16"));
    assert!(explanation.figures.iter().any(|figure| figure.value.contains("ENOMEM")));
}

#[test]
fn traces_that_do_not_fit() {
    let overlap = only("trace-overlap.log");
    assert_eq!((overlap.fit, overlap.over_bytes), (Fit::Blocked, Some(1_048_576)));
    assert!(advice(&overlap)[0].contains("non-zero trace_region_size"));
    let region = only("trace-region-mpi.log");
    assert_eq!((region.over_bytes, region.line, region.count), (Some(3_813_888), 4, 1));
    assert!(advice(&region)[0].contains("trace_region_size=123813888"));
    let unsafe_allocation = only("trace-unsafe-warning.log");
    assert_eq!(unsafe_allocation.fit, Fit::Warning);
    assert!(unsafe_allocation.meaning.contains("not an out-of-memory error"));
}

#[test]
fn grouped_digits_may_touch_their_unit() {
    let text = "TT_FATAL: Creating trace buffers of size 52,428,800B on device 0, but only 0B is allocated for trace region.";
    let explanation = explain::explain(text).remove(0);
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::NoRegion, Some(52_428_800)));
}

#[test]
fn where_no_trace_region_is_set_aside_none_can_be_released() {
    let releases = |text: &str| {
        let explanation = explain::explain(text).remove(0);
        advice(&explanation).iter().any(|advice| advice.contains("Release traces"))
    };
    let region = |bytes: &str| {
        format!(
            "TT_FATAL: Creating trace buffers of size 52,428,800B on device 0, but only {bytes}B is allocated for trace region."
        )
    };
    assert!(!releases(&region("0")));
    assert!(releases(&region("1,048,576")));
    let memory = |bank: &str| {
        format!(
            "Out of Memory: Not enough space to allocate 1048576 B TRACE buffer across 12 banks, where each bank needs to store 87382 B, but bank size is {bank} B (allocated: {bank} B, free: 0 B, largest free block: 0 B)"
        )
    };
    assert!(!releases(&memory("0")));
    assert!(releases(&memory("65536")));
}

#[test]
fn lines_that_look_like_memory_errors_are_counted() {
    let text =
        "ok\nRuntimeError: failed to allocate 5 things\nok\nERROR: out of device memory in foo\n";
    let input = input::Input::new("log", Box::new(std::io::Cursor::new(text.to_owned())));
    let findings = Findings::of(vec![input], None).unwrap();
    assert_eq!(findings.unknown.count, 2);
    assert_eq!(findings.unknown.examples[0].line, 2);
    assert!(!findings.is_recognised() && !findings.is_empty());
    assert!(
        findings.render(80, true).contains("2 lines look like memory errors and are not known")
    );
}

/// The only message of a text.
fn of(text: &str) -> Explanation {
    let mut found = explain::explain(text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    found.remove(0)
}

#[test]
fn the_device_of_a_window_is_in_every_path() {
    let advice = only("tlb-window.log").advice;
    assert!(advice[0].text.contains("/sys/kernel/debug/tenstorrent/16/mappings"), "{advice:?}");
}

#[test]
fn where_l1_is_full_smaller_circular_buffers_are_not_advised() {
    let full = of(
        "Statically allocated circular buffers in program 12 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 104960 and static circular buffer region ends at 108320",
    );
    assert!(full.meaning.contains("smaller circular buffers do not help"), "{}", full.meaning);
    assert!(!advice(&full).iter().any(|text| text.starts_with("Make the op's circular buffers")));
}

#[test]
fn a_size_of_l1_small_is_enough_whatever_was_free() {
    let printed = of(
        "Out of Memory: Not enough space to allocate 24576 B L1_SMALL buffer across 64 banks, where each bank needs to store 384 B, but bank size is only 24576 B",
    );
    assert!(advice(&printed)[0].contains("l1_small_size=24960 or more instead of 24576"));
    let never = of(
        "Out of Memory: Not enough space to allocate 24576 B L1_SMALL buffer across 64 banks, where each bank needs to store 384 B",
    );
    assert!(never.meaning.contains("the default is 0"), "{}", never.meaning);
    assert!(advice(&never)[0].contains("l1_small_size=384 or more if it was not set"));
}

/// As the agent records the refusal `num_cores.has_value()` of an interleaved buffer (ttnn 0.81.1).
#[test]
fn a_larger_l1_small_is_not_advised_where_enough_was_free() {
    let interleaved = of(
        "Out of Memory: Not enough space to allocate 2048 B L1_SMALL buffer across 64 banks, where each bank needs to store 2048 B, but bank size is 16384 B (allocated: 0 B, free: 16384 B, largest free block: 16384 B)",
    );
    assert!(interleaved.meaning.contains("interleaved one is refused"), "{}", interleaved.meaning);
    assert_eq!(advice(&interleaved), ["Shard the tensor, or keep it in L1 or DRAM."]);
}

#[test]
fn the_cores_of_a_shard_grid_are_not_those_of_the_chip() {
    let sharded = of(
        "Out of Memory: Not enough space to allocate 24883200 B L1 buffer across 48 banks, where each bank needs to store 518400 B, but bank size is 1329888 B (allocated: 417792 B, free: 912096 B, largest free block: 507904 B)",
    );
    assert!(
        advice(&sharded).iter().any(|text| text.starts_with("Shard it over at least 49 cores")),
        "{:?}",
        sharded.advice
    );
}

#[test]
fn an_op_is_advised_by_its_own_parameters() {
    let concat = of(
        "TT_FATAL: ttnn.concat: required CB page size (1720320 B) exceeds per-core L1 capacity (1394912 B); op cannot fit on this device.",
    );
    assert_eq!((concat.fit, concat.over_bytes), (Fit::TooLarge, Some(325_408)));
    assert!(advice(&concat)[0].contains("ttnn.ROW_MAJOR_LAYOUT"), "{:?}", concat.advice);
    let conv = of(
        "TT_FATAL: conv3d: the static circular buffers need 912384 B at out_subblock_h=2 (M_t=4, K_t=98, N_t=1, C_in blocks=2) but only 655360 B of L1 lie above the allocator base; shrink the blocking",
    );
    assert!(advice(&conv).iter().any(|text| text.contains("T_out_block")), "{:?}", conv.advice);
}

#[test]
fn rows_beyond_an_output_shard_are_no_lack_of_memory() {
    let explanation = of(
        "RuntimeError: TT_FATAL @ /src/ttnn/cpp/ttnn/operations/embedding/device/embedding_device_operation.cpp:71: fits\ninfo:\nEmbedding sharded output: 48 rows of 2048 B do not fit in the 65536 B output shard\nbacktrace:\n",
    );
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Invalid, Some(32_768)));
    assert_eq!(
        explanation.title,
        "The output of embedding does not fit in its shards by 32,768 bytes (32.0 KiB)"
    );
    assert!(explanation.meaning.contains("No memory is missing"), "{}", explanation.meaning);
    assert!(advice(&explanation)[0].contains("shards of at least 98,304 bytes"));
}

/// Cases without a logger's prefix: nothing but the wording divides messages from each other and from other output.
#[test]
fn an_ops_check_is_found_below_any_output() {
    let check =
        "ttnn.concat: required CB page size (1720320 B) exceeds per-core L1 capacity (1394912 B)\n";
    let plain = "Requirement already satisfied: numpy<2 in ./venv/lib/python3.10/site-packages\n"
        .repeat(20);
    let clash = "Statically allocated circular buffers in program 2 clash with L1 buffers on core range [0-0 - 7-6]. L1 buffer allocated at 100000 and static circular buffer region ends at 140000\n";
    let overs = |text: &str| -> Vec<Option<u64>> {
        explain::explain(text).iter().map(|found| found.over_bytes).collect()
    };
    assert_eq!(overs(&format!("{plain}{check}{plain}")), [Some(325_408)]);
    assert_eq!(overs(&format!("{clash}{check}")), [Some(40_000), Some(325_408)]);
    assert_eq!(overs(&format!("{plain}{check}{clash}")), [Some(325_408), Some(40_000)]);
}

#[test]
fn redacted_numbers_are_no_release_that_does_not_print_them() {
    let explanation = of(
        "Out of Memory: Not enough space to allocate *** B DRAM buffer across 12 banks, where each bank needs to store *** B, but bank size is 1071821792 B (allocated: <redacted> B, free: 20480 B, largest free block: 10240 B)",
    );
    assert!(explanation.cut);
    assert!(!explanation.meaning.contains("This release"), "{}", explanation.meaning);
    assert!(explanation.meaning.contains("redacted"), "{}", explanation.meaning);
}

#[test]
fn a_condition_is_no_second_error_beside_its_message() {
    let explanation = of(
        "RuntimeError: TT_THROW @ /src/bank_manager.cpp:140: tt::exception\ninfo:\nOut of Memory: Cannot allocate at an address below 786432. Allocation at 720896\nbacktrace:\n",
    );
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Full, Some(65_536)));
}

#[test]
fn a_killer_that_is_named_is_certain() {
    let killed = of("reason: OOMKilled, exitCode: 137");
    assert_eq!(killed.title, "A process was killed: the host ran out of memory");
    assert_eq!(killed.count, 1);
}

#[test]
fn what_can_be_placed_is_what_counts() {
    let explanation = of(
        "Out of Memory: Not enough space after considering dependencies to allocate 4194304 B L1 across 64 banks (65536 B per bank), bank size is 1393312 B (allocated: 1343488 B, free: 49824 B, largest free block: 49824 B). After subtracting 1 dependency range(s) and 0 additional occupied range(s), 16384 B remained placeable across 1 window(s), largest 16384 B.",
    );
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Full, Some(49_152)));
}

#[test]
fn a_launcher_names_the_process_that_was_killed() {
    for text in [
        "mpirun noticed that process rank 5 with PID 4711 on node galaxy-7 exited on signal 9 (Killed).",
        "E0702 10:00:00.123000 140123 torch/distributed/elastic/multiprocessing/api.py:874] failed (exitcode: -9) local_rank: 1 (pid: 4711) of binary: /usr/bin/python3",
        "  rank      : 1 (local_rank: 1)\n  exitcode  : -9 (pid: 4711)\n  error_file: <N/A>\n",
    ] {
        let killed = of(text);
        assert!(killed.figures.iter().any(|figure| figure.value == "4711"), "{text}");
    }
}

#[test]
fn one_kill_and_one_link_are_counted_once() {
    let killed = of(
        "run.sh: line 51:  4711 Killed                  pytest models\nError: Process completed with exit code 137.\n",
    );
    assert_eq!(killed.count, 1);
    let link = of(
        "ld: x.elf section `.bss' will not fit in region `TRISC1_LOCAL_DATA_MEM'\nld: region `TRISC1_LOCAL_DATA_MEM' overflowed by 36 bytes\n",
    );
    assert_eq!((link.count, link.over_bytes), (1, Some(36)));
}
