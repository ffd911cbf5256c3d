//! `ttmem buffers` and `ttmem report`.

use insta::assert_snapshot;
use serde_json::Value;
use ttmem_fake::Host;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_model::buffers::BufferList;
use ttmem_segment::AllocatorKind;

use crate::cli::{failure, stdout, ttmem};

fn at(width: usize, arguments: &[&str]) -> String {
    let output = ttmem(arguments).env("COLUMNS", width.to_string()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn buffers_one_by_one() {
    assert_snapshot!("buffers_91", at(91, &["--demo", "buffers", "-n", "12"]));
    assert_snapshot!("buffers_60", at(60, &["--demo", "buffers", "-n", "12"]));
    assert_snapshot!("buffers_40", at(40, &["--demo", "buffers", "-n", "3"]));
    assert_snapshot!("buffers_91_ascii", at(91, &["--demo", "--ascii", "buffers", "-n", "3"]));
}

#[test]
fn names_are_cut_only_where_there_is_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttmem-7-70");
    let op = "ttnn.an_operation_with_a_name_of_some_length";
    let segment = Segment::wormhole(7, 70, 1).shape(&[8, 1024, 2048, 4096], 0, 1);
    let segment = segment.allocate(NewBuffer::new(AllocatorKind::Dram, 4096, op));
    std::fs::write(&path, segment.image()).unwrap();
    let file = path.to_str().unwrap();
    let whole = |text: &str| text.contains(op) && text.contains("[8, 1024, 2048, 4096]");
    assert!(whole(&stdout(&["report", file])), "a file has no edge");
    assert!(whole(&at(160, &["report", file])));
    let narrow = at(80, &["report", file]);
    let is_cut = |line: &str| line.ends_with('…') && line.chars().count() == 80;
    assert!(!whole(&narrow) && narrow.lines().any(is_cut), "{narrow}");
    let below = "\n              [8, 1024, 2048, 4096] bfloat16 tile\n";
    assert!(narrow.contains(below), "the shape has a line of its own: {narrow}");
    let list = stdout(&["--demo", "buffers", "--program"]);
    assert!(list.contains("reader_bmm_tile_layout_in0_sender"), "{list}");
}

#[test]
fn processes_that_are_gone_and_held_nothing_share_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    let ended = |pid| Segment::wormhole(pid, 70, 1).close();
    let held = NewBuffer::new(AllocatorKind::Dram, 4096, "Add");
    let host = Host::new().without_driver();
    let host = host.segment_of(7, ended(7)).segment_of(8, ended(8));
    let host = host.segment_of(9, Segment::wormhole(9, 70, 1).allocate(held));
    host.into_tree().write_to(directory.path()).unwrap();
    let text = stdout(&["--root", root, "buffers"]);
    assert!(text.contains("\n2 processes are gone and held nothing: 7, 8\n"), "{text}");
    assert!(text.contains("Process 9") && !text.contains("Process 7"), "{text}");
    let one = stdout(&["--root", root, "buffers", "-p", "7"]);
    assert!(one.contains("Process 7") && one.contains("no live buffer"), "{one}");
}

#[test]
fn buffers_by_op() {
    assert_snapshot!("buffers_by_op_91", at(91, &["--demo", "buffers", "--by", "op"]));
    assert_snapshot!("buffers_by_op_60", at(60, &["--demo", "buffers", "--by", "op"]));
}

#[test]
fn buffers_as_records() {
    let text = stdout(&["--demo", "buffers", "--format=csv", "--sort=age", "-n", "3"]);
    assert_snapshot!("buffers_csv", text);
    let by_op = stdout(&["--demo", "buffers", "--by=op", "--format=csv,noheader,nounits"]);
    assert_eq!(by_op.lines().next(), Some("ttnn::as_tensor,dram,tensor,64,2818572288"));
}

fn list(arguments: &[&str]) -> BufferList {
    serde_json::from_str(&stdout(&[&["--demo", "buffers", "--json"], arguments].concat())).unwrap()
}

#[test]
fn json_is_the_list_in_the_order_asked_for() {
    let all = list(&[]);
    assert_eq!((all.schema.as_str(), all.buffers.len()), ("ttmem/buffers", 82));
    assert!(all.buffers.is_sorted_by_key(|buffer| std::cmp::Reverse(buffer.bytes)));
    let by_age = list(&["--sort", "age"]);
    assert!(by_age.buffers.is_sorted_by_key(|buffer| std::cmp::Reverse(buffer.age_us)));
    let by_op = list(&["--sort", "op"]);
    assert!(by_op.buffers.is_sorted_by(|one, other| one.op <= other.op));
    assert_eq!(list(&["-n", "5"]).buffers.len(), 5);
    for (index, buffer) in all.buffers.iter().enumerate() {
        assert_eq!(buffer.bytes, buffer.bytes_per_bank * buffer.banks, "{index}");
    }
}

#[test]
fn processes_and_chips_are_chosen() {
    assert_eq!(list(&["-p", "52110"]).buffers.len(), 82);
    assert_eq!(list(&["-i", "3"]).buffers.len(), 82);
    assert!(list(&["-i", "0"]).buffers.is_empty());
    let (code, message) = failure(&["--demo", "buffers", "-p", "41377"]);
    assert_eq!(code, 6);
    assert_eq!(message, "ttmem: process 41377 runs without the agent; the agent is in 52110");
    let (code, message) = failure(&["--demo", "buffers", "-p", "1234567"]);
    assert_eq!((code, message.contains("does not exist")), (6, true));
    assert_eq!(failure(&["--demo", "buffers", "-i", "9"]).0, 6);
}

#[test]
fn no_agent_is_one_line_that_names_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    Host::n150().into_tree().write_to(directory.path()).unwrap();
    let (code, message) = failure(&["--root", directory.path().to_str().unwrap(), "buffers"]);
    assert_eq!(code, 12);
    assert_eq!(message, "ttmem: no process runs with the agent; start one with ttmem run -- CMD");
}

#[test]
fn a_report_of_a_process_and_of_a_file() {
    assert_snapshot!("report_91", at(91, &["--demo", "report", "52110"]));
    assert_snapshot!("report_60", at(60, &["--demo", "report", "52110"]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttmem-7-70");
    let killed =
        Segment::wormhole(7, 70, 1).allocate(NewBuffer::new(AllocatorKind::Dram, 4096, "Add"));
    std::fs::write(&path, killed.image()).unwrap();
    let json: Value =
        serde_json::from_str(&stdout(&["report", "--json", path.to_str().unwrap()])).unwrap();
    assert_eq!(json["schema"], "ttmem/run");
    assert_eq!(json["processes"][0]["end"], "killed");
    assert_eq!(json["processes"][0]["peaks"][0]["op"], "Add");
    assert_eq!(failure(&["report", "/nowhere/segment"]).0, 6);
    assert_eq!(failure(&["--demo", "report", "1"]).0, 6);
    std::fs::write(&path, "no segment").unwrap();
    let (code, message) = failure(&["report", path.to_str().unwrap()]);
    assert_eq!(code, 5);
    assert!(message.ends_with("neither a recording nor a complete agent segment"), "{message}");
}
