//! Segments that the agent wrote inside stock ttnn, against what ttnn said of itself at the same moment.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ttmem_analysis::run_report::{End, ProcessReport};
use ttmem_merge::{buffers, merge};
use ttmem_model::buffers::LiveBuffer;
use ttmem_model::{AllocatorKind, Bytes, ChipId, Kind, Quality, SourceName, Timestamp};
use ttmem_root::{Clock, Root};
use ttmem_root::{Entry, Tree};
use ttmem_segment::Reader;
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

const KINDS: [(AllocatorKind, &str); 4] = [
    (AllocatorKind::Dram, "DRAM"),
    (AllocatorKind::L1, "L1"),
    (AllocatorKind::L1Small, "L1_SMALL"),
    (AllocatorKind::Trace, "TRACE"),
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/segments").join(name)
}

fn image(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(path(&format!("{name}.segment.gz"))).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn said(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// A host with the segment, and its process if that is to run.
fn host(name: &str, runs: bool) -> Collector {
    let image = image(name);
    let header = Reader::parse(&image).unwrap().header;
    let mut tree = Tree::new();
    let (pid, start) = (header.pid, header.start_ticks);
    let now = Timestamp(header.real_time / 1000 + 10_000_000);
    tree.put(format!("/dev/shm/ttmem-{pid}-{start}"), Entry::file(image));
    let mut process = |pid: u32, name: &str, start: u64| {
        let fields = "0 0 0 0 0 0 0 0 0 0 1 1 0 0 20 0 1 0";
        tree.put_line(
            format!("/proc/{pid}/stat"),
            format!("{pid} ({name}) S {fields} {start} 0 0"),
        );
        tree.put_line(format!("/proc/{pid}/comm"), name);
    };
    // Where procfs shows no process at all, nothing can be said of the others.
    process(1, "init", 1);
    if runs {
        process(pid, "python", start);
    }
    Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(now))
}

#[test]
fn bytes_per_bank_times_banks_are_what_ttnn_says() {
    for name in ["n150", "t3000", "p150"] {
        let snapshot = host(name, true).snapshot();
        let said = said(name);
        assert_eq!(snapshot.chips.len(), said["chips"].as_array().unwrap().len(), "{name}");
        assert!(snapshot.findings.is_empty(), "{name}: {:?}", snapshot.findings);
        for chip in said["chips"].as_array().unwrap() {
            let id = chip["asic_id"].as_u64().unwrap();
            let shown = snapshot.chips.iter().find(|chip| chip.id == ChipId::Known(id)).unwrap();
            for (kind, label) in KINDS {
                let view = &said["memory_view"][label];
                let number = |field: &str| view[field].as_u64().unwrap();
                let banks = number("num_banks");
                let memory = shown.memory.allocators()[kind];
                assert_eq!(
                    memory.used.value(),
                    Some(&(number("total_bytes_allocated_per_bank") * banks)),
                    "{name} {label}"
                );
                assert_eq!(memory.used.quality(), Some(Quality::Exact));
                assert_eq!(memory.used.source(), Some(SourceName::Agent));
                assert_eq!(memory.banks.value(), Some(&banks));
                assert_eq!(
                    memory.allocatable.value(),
                    Some(&(number("total_bytes_per_bank") * banks))
                );
                let largest = number("largest_contiguous_bytes_free_per_bank");
                assert_eq!(memory.largest_free.value(), Some(&largest));
            }
        }
    }
}

/// Address, bytes per bank and kind of every buffer, sorted.
fn told(said: &Value) -> Vec<(u64, u64, String)> {
    let buffers = said["buffers"].as_array().unwrap().iter();
    let mut told: Vec<_> = buffers
        .map(|buffer| {
            let number = |index: usize| buffer[index].as_u64().unwrap();
            (number(0), number(1), buffer[2].as_str().unwrap().to_lowercase())
        })
        .collect();
    told.sort();
    told
}

/// Bytes per bank without what aligns each page: TT-Metal's list has them so, and its statistics have what is reserved.
fn unaligned(buffer: &LiveBuffer) -> u64 {
    let page = u64::from(buffer.page_bytes);
    let aligned = [64, 32, 16].map(|alignment: u64| page.next_multiple_of(alignment));
    let page_reserved =
        aligned.into_iter().find(|size| buffer.bytes_per_bank.is_multiple_of(*size));
    buffer.bytes_per_bank / page_reserved.unwrap() * page
}

#[test]
fn buffers_are_those_that_ttnn_lists_also_after_a_kill() {
    for (name, runs) in [("n150", true), ("t3000", true), ("p150", true), ("n150_killed", false)] {
        let facts = host(name, runs).facts_at(Depth::Full);
        let list = buffers(&facts);
        let mut shown: Vec<_> = list
            .buffers
            .iter()
            .map(|buffer| (buffer.address, unaligned(buffer), buffer.kind.as_str().to_owned()))
            .collect();
        shown.sort();
        assert_eq!(shown, told(&said(name)), "{name}");
        // The pictures of the banks fit TT-Metal's figures of free blocks.
        for kind in list.allocators.iter().flat_map(|allocator| &allocator.kinds) {
            if kind.buffers > 0 {
                let map = kind.bank.as_ref().unwrap();
                let largest = map.free.iter().map(|block| block.bytes).max().unwrap();
                assert_eq!(Some(largest), kind.largest_free, "{name} {kind:?}");
            }
        }
    }
}

#[test]
fn memory_of_a_killed_process_is_a_finding_and_its_mock_device_no_chip() {
    let facts = host("n150_killed", false).facts();
    let snapshot = merge(&facts, None);
    let said = said("n150_killed");
    assert_eq!((snapshot.chips.len(), snapshot.processes.len()), (0, 0));
    let view = &said["memory_view"]["DRAM"];
    let held = view["total_bytes_allocated_per_bank"].as_u64().unwrap()
        * view["num_banks"].as_u64().unwrap();
    let [finding] = &snapshot.findings[..] else { panic!("{:?}", snapshot.findings) };
    assert_eq!(finding.id, "stale-region");
    assert!(finding.text.contains(&format!("left {} DRAM", Bytes(held))), "{finding:?}");
}

#[test]
fn a_report_of_a_real_run_names_ops() {
    let segment = Reader::parse(&image("n150_killed")).unwrap();
    let report = ProcessReport::of(&segment, false);
    assert_eq!(report.end, End::Killed);
    assert!(report.complete);
    let peak = report.highest(Kind::L1).unwrap();
    assert_eq!(peak.op.as_deref(), Some("BinaryNg"));
    let ops: Vec<&str> = report.held.iter().filter_map(|group| group.op.as_deref()).collect();
    assert!(ops.contains(&"Softmax") && ops.contains(&"Matmul"), "{ops:?}");
    assert!(report.largest.iter().all(|largest| largest.at_peak));
}
