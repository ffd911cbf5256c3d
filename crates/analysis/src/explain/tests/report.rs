//! TT-Metal's memory reports: as 0.76 and 0.81.1 wrote them (`fixtures/explain`), and by the headers and row formats of
//! earlier releases.

use std::path::{Path, PathBuf};

use crate::explain::report::{self, Block, Form, MemoryReport, Unit, Usage};
use crate::explain::{Findings, input};
use proptest::prelude::*;
use ttmem_model::Kind;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain").join(name)
}

fn read(name: &str) -> MemoryReport {
    report::parse(name, &std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn sizes(usage: &Usage) -> [Option<u64>; 4] {
    [usage.capacity, usage.used, usage.free, usage.largest_free]
}

#[test]
fn the_summary_has_a_row_for_each_kind() {
    for release in ["0.81.1", "0.76.0"] {
        let report = read(&format!("{release}/fragmented_memory_usage_summary.csv"));
        assert_eq!(
            (report.form, report.unit, report.usages.len()),
            (Form::Summary, Unit::Bytes, 3)
        );
        let kinds: Vec<Option<Kind>> = report.usages.iter().map(|usage| usage.kind).collect();
        assert_eq!(kinds, [Some(Kind::Dram), Some(Kind::L1), Some(Kind::L1Small)]);
        assert_eq!(report.usages[1].used, Some(655_360));
        assert_eq!(report.usages[1].largest_free, Some(131_072));
    }
    let report = read("0.81.1/fragmented_memory_usage_summary.csv");
    assert_eq!(sizes(&report.usages[1]), [1_393_312, 655_360, 737_952, 131_072].map(Some));
    // 1 - 131,072 / 737,952
    assert_eq!(report.usages[1].fragmentation, Some(0.8223));
    assert_eq!(report.usages[0].fragmentation, Some(0.0));
    assert_eq!(report.usages[2].fragmentation, None, "nothing is free");
}

#[test]
fn the_detailed_report_agrees_with_the_summary() {
    for name in ["0.81.1/fragmented_", "0.81.1/regions_", "0.81.1/program_", "0.76.0/fragmented_"] {
        let summary = read(&format!("{name}memory_usage_summary.csv"));
        let detailed = read(&format!("{name}detailed_memory_usage.csv"));
        assert_eq!(detailed.form, Form::Detailed);
        assert_eq!(summary.usages.len(), detailed.usages.len(), "{name}");
        for (left, right) in summary.usages.iter().zip(&detailed.usages) {
            assert_eq!((left.kind, left.program), (right.kind, right.program), "{name}");
            assert_eq!(sizes(left), sizes(right), "{name} {:?}", left.kind);
        }
    }
}

#[test]
fn the_block_table_is_summed_up() {
    let report = read("0.81.1/fragmented_detailed_memory_usage.csv");
    let l1 = &report.usages[1];
    let blocks = l1.blocks.unwrap();
    assert_eq!((l1.banks, blocks.allocated, blocks.holes), (Some(64), 5, 6));
    assert_eq!(blocks.largest_allocated, Some(Block { address: 1_131_168, bytes: 131_072 }));
    assert_eq!(blocks.largest_hole, Some(Block { address: 1_262_240, bytes: 131_072 }));
}

#[test]
fn the_l1_summary_tells_the_banks() {
    let report = read("0.81.1/regions_l1_usage_summary.csv");
    assert_eq!(report.form, Form::L1Summary);
    assert_eq!(
        (report.usages[0].largest_free, report.usages[0].banks),
        (Some(1_376_928), Some(64))
    );
    assert_eq!(read("0.81.1/program_l1_usage_summary.csv").usages[0].program, Some(0));
}

#[test]
fn a_folder_gives_its_reports_and_nothing_else() {
    let inputs = input::open_path(&fixture("0.81.1")).unwrap();
    let findings = Findings::of(inputs, None).unwrap();
    assert_eq!((findings.reports.len(), findings.explanations.len()), (9, 0));
    assert!(!findings.is_empty());
    assert!(input::open_path(&fixture("no-such-file")).is_err());
    assert!(Findings::of(Vec::new(), None).unwrap().is_empty());
}

#[test]
fn two_kb_in_the_header_of_0_62_are_bytes_all_the_same() {
    let text = "Program ID, Total Allocatable Size (B), Total Allocated (B), Total Free (KB), Largest Free Block (KB)\n\
                7,1000,600,400,300\n,500,0,500,500\n8,1000,0,1000,1000\n,500,0,500,500\n";
    let report = report::parse("program_memory_usage_summary.csv", text).unwrap();
    assert_eq!(report.unit, Unit::Bytes);
    let rows: Vec<_> =
        report.usages.iter().map(|usage| (usage.program, usage.kind, usage.free)).collect();
    assert_eq!(
        rows,
        [
            (Some(7), Some(Kind::Dram), Some(400)),
            (Some(7), Some(Kind::L1), Some(500)),
            (Some(8), Some(Kind::Dram), Some(1000)),
            (Some(8), Some(Kind::L1), Some(500)),
        ]
    );
}

#[test]
fn kib_of_2023_become_bytes() {
    let text = ", DRAM channel/Logical core, Bank ID, Total Allocatable Size (KB), Total Allocated (KB), Total Free (KB), \
                Largest Free Block (KB)\n,0,0,1024,24,1000,500\n,\"(x=0,y=1)\", 12,512,0,512,512\n";
    let report = report::parse("memory_usage_summary.csv", text).unwrap();
    assert_eq!(report.unit, Unit::Kib);
    let (dram, l1) = (&report.usages[0], &report.usages[1]);
    assert_eq!((dram.kind, dram.place.as_deref()), (Some(Kind::Dram), Some("channel 0 bank 0")));
    assert_eq!(sizes(dram), [1024 << 10, 24 << 10, 1000 << 10, 500 << 10].map(Some));
    assert_eq!(dram.fragmentation, Some(0.5));
    assert_eq!((l1.kind, l1.place.as_deref()), (Some(Kind::L1), Some("core (x=0,y=1) bank 12")));

    let text = "This report indicates available space for interleaving L1 buffers\n\
                , Minimum Largest Contiguous Free Block (KB), Total Free L1 Space (KB)\n,100,6400\n";
    let report = report::parse("l1_usage_summary.csv", text).unwrap();
    assert_eq!((report.usages[0].largest_free, report.usages[0].banks), (Some(102_400), Some(64)));
}

#[test]
fn the_detailed_report_of_2023_goes_bank_by_bank() {
    let text = ",DRAM channel ID,3\n,Total allocatable (KB):,1024\n,Total allocated (KB):,1\n,Total free (KB):,1023\n\
                Bank ID:,3\n,,Total allocatable (KB): 1024\n,,Total free (KB): 1023\n,,Total allocated (KB): 1\n\
                ,,Largest free block (KB): 1000\n,,Blocks:,Address (B),Size (B),Allocated (Y/N)\n,,,32,1024,Y\n\
                ,,,1056,1023968,N\n\n,\"Logical core (x=0,y=1)\"\n,Total allocatable (KB):,8\n,Total allocated (KB):,0\n\
                ,Total free (KB):,8\nBank ID:,0\n,,Total allocatable (KB): 4\n,,Total free (KB): 4\n\
                ,,Total allocated (KB): 0\n,,Largest free block (KB): 4\nBank ID:,1\n,,Total allocatable (KB): 4\n\
                ,,Total free (KB): 4\n,,Total allocated (KB): 0\n,,Largest free block (KB): 4\n";
    let report = report::parse("detailed_memory_usage.csv", text).unwrap();
    let places: Vec<&str> =
        report.usages.iter().map(|usage| usage.place.as_deref().unwrap()).collect();
    assert_eq!(places, ["channel 3 bank 3", "core (x=0,y=1) bank 0", "core (x=0,y=1) bank 1"]);
    let dram = &report.usages[0];
    assert_eq!(sizes(dram), [1024 << 10, 1 << 10, 1023 << 10, 1000 << 10].map(Some));
    assert_eq!(dram.blocks.unwrap().largest_allocated, Some(Block { address: 32, bytes: 1024 }));
    assert!(report.notes()[0].contains(", the largest 1,024 bytes at 0x00000020 (32); 1 hole"));
}

#[test]
fn the_blocks_of_2024_have_no_numbers() {
    let text = ",L1\n,Total allocatable (B):,2000\n,Total allocated (B):,200\n,Total free (B):,1800\n\
                ,,Blocks:,Address (B),Size (B),Allocated (Y/N)\n,,,500,900,N\n,,,1400,100,Y\n\n";
    let l1 = report::parse("detailed_memory_usage.csv", text).unwrap().usages.remove(0);
    assert_eq!(sizes(&l1), [1000, 100, 900, 900].map(Some));
    assert_eq!((l1.banks, l1.blocks.unwrap().holes), (Some(2), 1));
}

#[test]
fn reports_are_shown_as_a_table_or_where_it_is_narrow_as_sentences() {
    let inputs = input::open_path(&fixture("0.81.1/fragmented_detailed_memory_usage.csv")).unwrap();
    let findings = Findings::of(inputs, None).unwrap();
    let expected = "\
fragmented_detailed_memory_usage.csv: memory in use, with the table of blocks (bytes of one bank)
  memory    banks       capacity     used           free   largest free  fragmented
  dram         12  1,072,693,184        0  1,072,693,184  1,072,693,184       0.0 %
  l1           64      1,393,312  655,360        737,952        131,072      82.2 %
  l1_small                     0        0              0              0
  dram: 0 blocks allocated; 1 hole, the largest 1,072,693,184 bytes (1023.0 MiB) at offset
  0x00000000 (0).
  l1: 5 blocks allocated, the largest 131,072 bytes (128.0 KiB) at offset 0x001142a0 (1,131,168); 6
  holes, the largest 131,072 bytes (128.0 KiB) at offset 0x001342a0 (1,262,240).
";
    assert_eq!(findings.render(100, true), expected);
    let narrow = findings.render(60, true);
    assert!(
        narrow.contains(
            "  l1: banks 64, capacity 1,393,312, used 655,360, free\n    737,952, largest free 131,072, fragmented 82.2 %.\n"
        ),
        "{narrow}"
    );
    assert_eq!(narrow.lines().find(|line| line.len() > 60), None);
}

#[test]
fn what_is_no_report_is_none() {
    for text in ["", "\n\n", "a,b,c\n1,2,3\n", ",DRAM\n", "This report indicates available space"] {
        assert!(report::parse("x.csv", text).is_none(), "{text}");
    }
    let empty = report::parse("x.csv", "Program ID, Total Allocatable Size (B)\n").unwrap();
    assert!(empty.usages.is_empty());
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(
        first in prop_oneof![
            Just(",DRAM\n,Total allocatable (B):,18446744073709551615\n"),
            Just(",L1\n,Total allocatable (KB):,18446744073709551615\n"),
            Just(", Total Allocatable Size (KB), Bank ID, Total Free (KB)\n"),
            Just("This report indicates available space\n, Largest (B)\n"),
            Just(", Total Allocatable Size (B), Total Free (B)\n"),
        ],
        rows in prop::collection::vec("(,{0,3}|Bank ID:,|[0-9]{1,21} +|,Total free \\(B\\):,)([0-9]{0,21}[,: ]{0,2}){0,6}(yes|no|Y|N)?", 0..20),
    ) {
        let text = format!("{first}{}\n", rows.join("\n"));
        let report = report::parse("x.csv", &text).unwrap();
        let input = input::Input::new("x.csv", Box::new(std::io::Cursor::new(text)));
        let findings = Findings::of(vec![input], None).unwrap();
        prop_assert_eq!(&findings.reports[0], &report);
        prop_assert!(!findings.render(80, true).is_empty());
    }
}

/// The report of https://github.com/tenstorrent/tt-metal/pull/16368, pasted up to its block table.
#[test]
fn a_report_without_its_block_table_keeps_the_totals() {
    let report = read("cases/detailed_memory_usage.csv");
    let usage = &report.usages[0];
    assert_eq!(sizes(usage), [None; 4]);
    assert_eq!((usage.total_capacity, usage.total_used), (Some(12_884_901_504), Some(0)));
    let shown = crate::explain::render_reports(&[report], 200, true);
    assert!(
        shown
            .contains("dram: 0 of 12,884,901,504 bytes (12.0 GiB) allocated in all banks together"),
        "{shown}"
    );
}

#[test]
fn results_of_ttrt_are_a_report() {
    let memory = |used: u64| {
        format!(
            r#"{{"num_banks": 12, "total_bytes_per_bank": 1000, "total_bytes_allocated_per_bank": {used}, "total_bytes_free_per_bank": {}, "largest_contiguous_bytes_free_per_bank": 100, "block_table": []}}"#,
            1000 - used
        )
    };
    let text = format!(
        r#"{{"10": {{"loc": "x", "dram": {}}}, "2": {{"loc": "y", "dram": {}}}}}"#,
        memory(500),
        memory(7)
    );
    let report = report::parse("memory_results.json", &text).unwrap();
    assert_eq!(report.form, Form::Results);
    let steps: Vec<(Option<u64>, Option<u64>)> =
        report.usages.iter().map(|usage| (usage.program, usage.used)).collect();
    assert_eq!(steps, [(Some(2), Some(7)), (Some(10), Some(500))]);
    assert_eq!(report.usages[0].banks, Some(12));
    assert!(report::parse("x", r#"{"bytes_per_bank": [1, 2]}"#).is_none());
}
