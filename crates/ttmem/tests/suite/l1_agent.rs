//! L1 of a host whose processes have agents, without a device that is read.

use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::{Value, json};
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{Board, Host, PID, Process};
use ttmem_model::facts::RegionBytes;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind, layout::Counter};

/// A host without readable L1 whose process has an agent: a matmul on all cores, then an add on four, whose circular buffer
/// is the tensor.
fn host_with_agent(directory: &Path) {
    let process = || Process::new(PID, "python3");
    let whole = CoreRange { start: (0, 0), end: (7, 7) };
    let corner = CoreRange { start: (0, 0), end: (1, 1) };
    let matmul = NewProgram::new("Matmul")
        .place(PartKind::DataflowBuffer, 105_824, 32_768, whole)
        .place(PartKind::Scratchpad, 138_592, 8192, whole)
        .kernel("bmm", Some(300), whole);
    let add = NewProgram::new("Add")
        .place(PartKind::CircularBuffer, 105_824, 4096, corner)
        .place_backed(1_400_832, 65_536, corner)
        .kernel("add", None, corner);
    let segment = Segment::wormhole(PID, process().start_ticks(), 0x0000_0180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
        .program(&matmul)
        .program(&add)
        .dispatch(0)
        .dispatch(1)
        .counter(Counter::ProgramsTracked, 2);
    let bytes = RegionBytes { l1: 64 * 65_536, ..RegionBytes::default() };
    let host = Host::new().board(Board::n150()).workload(process(), bytes);
    host.segment_of(PID, segment).into_tree().write_to(directory).unwrap();
}

#[test]
fn agents_know_l1_that_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    host_with_agent(directory.path());
    let root = directory.path().to_str().unwrap();
    let l1 = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
        command.args(["--root", root, "l1"]).args(arguments).env("COLUMNS", "91").output().unwrap()
    };
    let by_default = l1(&["--json"]);
    assert_eq!(by_default.status.code(), Some(0), "{by_default:?}");
    assert_eq!(by_default.stdout, l1(&["--json", "--source=agent"]).stdout);
    let report: Value = serde_json::from_slice(&by_default.stdout).unwrap();
    let chip = &report["chips"][0];
    assert_eq!((&chip["source"], &chip["grid"]), (&json!("agent"), &json!([8, 8])));
    let (add, matmul) = (&chip["cores"][0], &chip["cores"][63]);
    assert_eq!((&add["op"], &matmul["op"]), (&json!("Add"), &json!("Matmul")));
    for core in [add, matmul] {
        assert_eq!((&core["state"], &core["noc"]), (&json!("resident"), &Value::Null));
    }
    assert_eq!(add["circular_buffer_bytes"], 4096 + 65_536);
    assert_eq!(add["aliasing_bytes"], 65_536);
    assert_eq!(add["kernel_text_bytes"]["missing"], "unsupported");
    assert_eq!(add["headroom_bytes"], 1_400_832 - (105_824 + 4096));
    assert_eq!(add["circular_buffers"][1]["backed"], true);
    // L1 lists no scratchpads among circular buffers; they are in use all the same, and nothing can grow into them.
    assert_eq!(matmul["circular_buffer_bytes"], 32_768);
    assert_eq!(matmul["circular_buffers"][1]["kind"], "scratchpad");
    assert_eq!(matmul["headroom_bytes"], 1_400_832 - (138_592 + 8192));
    assert_eq!(matmul["kernel_text_bytes"], 300);
    assert_eq!(matmul["used_bytes"], 105_824 + 32_768 + 8192 + 65_536 + 32_768);
    // The first line is the time.
    let below = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    let screen = |arguments: &[&str]| below(&String::from_utf8(l1(arguments).stdout).unwrap());
    assert_snapshot!("l1_by_agent", screen(&["--source=agent"]));
    assert_snapshot!("l1_by_agent_core", screen(&["--core=0,0"]));

    let buffers = |arguments: &[&str]| -> String {
        let all = [&["--root", root, "buffers", "--program"], arguments].concat();
        crate::cli::stdout(&all)
    };
    assert_snapshot!("buffers_program_csv", buffers(&["--format=csv"]));
    // How long ago depends on today.
    let undated = |line: &str| match line.split_once("\u{d7}, ") {
        Some((before, _)) => format!("{before}\u{d7}\n"),
        None => format!("{line}\n"),
    };
    let text: String = below(&buffers(&[])).lines().map(undated).collect();
    assert_snapshot!("buffers_program", text);
    let list: Value = serde_json::from_str(&buffers(&["--json"])).unwrap();
    let cores: Vec<&Value> =
        list["programs"].as_array().unwrap().iter().map(|program| &program["cores"]).collect();
    assert_eq!(cores, [4, 60], "the add is on four cores of the matmul");

    let refused = l1(&["--source=l1"]);
    assert_eq!(refused.status.code(), Some(3), "a captured host has no devices: {refused:?}");
    assert_eq!(l1(&["--source=agent", "--save=nowhere"]).status.code(), Some(2));
    let none = tempfile::tempdir().unwrap();
    Host::n150().into_tree().write_to(none.path()).unwrap();
    let arguments = ["--root", none.path().to_str().unwrap(), "l1", "--source=agent"];
    let (code, message) = crate::cli::failure(&arguments);
    assert_eq!((code, message.contains("ttmem run")), (6, true), "{message}");
}
