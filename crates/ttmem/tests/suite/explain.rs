//! `ttmem explain` over real errors and reports of TT-Metal.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use insta::assert_snapshot;
use serde_json::Value;
use ttmem_fake::Host;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_segment::AllocatorKind;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain").join(name)
}

/// Explains on a host without segments: those of this machine could hold a buffer at the address of a message.
fn explain(arguments: &[&str], input: Option<&[u8]>, columns: usize) -> Output {
    let empty = tempfile::tempdir().unwrap();
    explain_on(empty.path(), arguments, input, columns)
}

/// Explains on the host below a directory, unless the arguments name another.
fn explain_on(root: &Path, arguments: &[&str], input: Option<&[u8]>, columns: usize) -> Output {
    let is_demo = arguments.contains(&"--demo");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ttmem"))
        .arg("explain")
        .args(arguments)
        .args((!is_demo).then_some(Path::new("--root")))
        .args((!is_demo).then_some(root))
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.unwrap_or_default()).unwrap();
    child.wait_with_output().unwrap()
}

fn screen(name: &str, columns: usize) -> String {
    let output = explain(&[fixture(name).to_str().unwrap()], None, columns);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(char::is_control) || text.chars().all(|c| c == '\n' || !c.is_control()));
    text
}

fn failure(arguments: &[&str], input: &[u8]) -> (i32, String) {
    let output = explain(arguments, Some(input), 91);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.matches('\n').count(), 1, "{message}");
    (output.status.code().unwrap(), message)
}

#[test]
fn messages_and_reports_at_two_widths() {
    for columns in [91, 60] {
        let name = |what: &str| format!("explain_{what}_{columns}");
        assert_snapshot!(name("clash"), screen("0.81.1/clash-sdpa.txt", columns));
        assert_snapshot!(name("fragmented"), screen("0.81.1/oom-l1-fragmented.txt", columns));
        assert_snapshot!(name("program_size"), screen("0.81.1/program-size.txt", columns));
        assert_snapshot!(name("reports"), screen("0.81.1", columns));
    }
}

#[test]
fn standard_input_is_an_input() {
    let text = std::fs::read(fixture("0.81.1/clash-sdpa.txt")).unwrap();
    let from_file = screen("0.81.1/clash-sdpa.txt", 91);
    for arguments in [&["-"][..], &[]] {
        let output = explain(arguments, Some(&text), 91);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), from_file);
    }
}

#[test]
fn json_has_the_numbers() {
    let output = explain(&["--json", fixture("0.81.1/run.log").to_str().unwrap()], None, 91);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(findings["schema"], "ttmem/explain");
    assert_eq!(findings["explanations"].as_array().unwrap().len(), 14);
}

#[test]
fn unknown_text_is_exit_code_3_and_a_missing_file_6() {
    let (code, message) = failure(&[], b"all is well\n");
    assert_eq!(code, 3);
    assert!(message.contains("no memory error, warning or report"), "{message}");
    let output = explain(&[], Some(b"error: failed to allocate a widget\n"), 91);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 line looks like a memory error and is not known"), "{text}");
    assert!(message.contains("standard input"), "{message}");
    let empty = tempfile::tempdir().unwrap();
    let (code, message) = failure(&[empty.path().to_str().unwrap()], b"");
    assert_eq!(code, 3);
    assert!(message.contains("no memory report in"), "{message}");
    let (code, message) = failure(&["/nowhere/log"], b"");
    assert_eq!(code, 6);
    assert!(message.contains("/nowhere/log"), "{message}");
}

#[test]
fn ascii_is_ascii() {
    let output = explain(&["--ascii", fixture("0.81.1").to_str().unwrap()], None, 91);
    assert!(output.stdout.is_ascii() && !output.stdout.is_empty());
}

#[test]
fn what_an_agent_lists_names_the_buffer_in_the_way() {
    let message = |allocated: u64| {
        format!(
            "TT_FATAL: Out of Memory: Not enough space to allocate 58982400 B L1 buffer across 64 banks, where each \
             bank needs to store 921600 B, but bank size is 1360544 B (allocated: {allocated} B, free: {} B, largest \
             free block: 589824 B).",
            1_360_544 - allocated
        )
    };
    let blockers = |allocated: u64| {
        let input = message(allocated);
        let output = explain(&["--demo", "--json", "-"], Some(input.as_bytes()), 91);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["explanations"][0]["blockers"].as_array().unwrap().clone()
    };
    let named = blockers(192 << 10);
    assert_eq!(named.len(), 2, "one a chip: {named:?}");
    assert_eq!(named[0]["label"], "Softmax");
    assert_eq!(named[0]["chip"], "chip 1 (process 52110)");
    assert!(blockers(191 << 10).is_empty(), "of another moment");
}

/// A message of a clash with [`kept`].
const CLASH: &str = "Statically allocated dataflow buffers in program 1 clash with L1 buffers on core range \
                     [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 155648 and static dataflow buffer region ends at \
                     240000";

/// The segment of process 7, kept after its end, with a buffer of the chip `id` at 155,648.
fn kept(folder: &Path, id: u64) -> PathBuf {
    let path = folder.join("ttmem-7-70");
    let bytes = 1_499_136 - 32_768 - 155_648;
    let segment = Segment::wormhole(7, 70, id)
        .allocate(NewBuffer::new(AllocatorKind::L1, bytes, "KvCache"))
        .close();
    std::fs::write(&path, segment.image()).unwrap();
    path
}

fn in_one_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_kept_segment_names_the_buffer_after_the_process_ended() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(folder.path(), 5);
    let output = explain(&["--from", kept.to_str().unwrap(), "-"], Some(CLASH.as_bytes()), 91);
    let blocker = "on TT-Metal device 0 (process 7): tensor of KvCache";
    assert!(in_one_line(&output).contains(blocker), "{output:?}");
}

#[test]
fn a_kept_segment_names_the_chip_as_the_host_does() {
    const N150: u64 = 0x0000_0180_0000_0001;
    let (folder, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Host::n150().into_tree().write_to(host.path()).unwrap();
    let kept = kept(folder.path(), N150);
    let arguments = ["--from", kept.to_str().unwrap(), "-"];
    let output = explain_on(host.path(), &arguments, Some(CLASH.as_bytes()), 91);
    let blocker = "on chip 0 (process 7): tensor of KvCache";
    assert!(in_one_line(&output).contains(blocker), "{output:?}");
}
