//! `ttmem diff`.

use std::path::Path;

use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{BYTES, Board, Host, PID, Process, Region};
use ttmem_model::facts::RegionBytes;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind};

use super::{fail, print, run};

/// A snapshot of an n150 on which a process holds so much DRAM.
fn snapshot(folder: &Path, name: &str, dram: u64) {
    let process = Process::new(PID, "python3").command(&["python3", "train.py"]);
    let bytes = RegionBytes { dram, ..BYTES };
    let host = Host::new().board(Board::n150()).workload(process, bytes);
    let root = folder.join(format!("{name}.host"));
    host.into_tree().write_to(&root).unwrap();
    let root = root.to_str().unwrap();
    print(folder, &["--root", root, "--json", "-f", &format!("{name}.json")]);
    run(
        folder,
        &[
            "--root",
            root,
            "record",
            "-o",
            &format!("{name}.ttmem"),
            "-l",
            "100ms",
            "--for",
            "150ms",
        ],
    );
}

#[test]
fn growth_is_shown_and_beyond_the_limit_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    snapshot(here, "a", 1 << 30);
    snapshot(here, "b", 3 << 30);
    for (before, after) in [("a.json", "b.json"), ("a.ttmem", "b.ttmem"), ("a.json", "b.ttmem")] {
        let text = print(here, &["diff", before, after]);
        assert!(text.contains("+2147483648") && text.contains("python3 on 0x"), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        print(here, &["diff", before, after, "--limit", "dram=2GiB,l1=0"]);
        let said = fail(here, &["diff", before, after, "--limit", "dram=2047MiB"], 1);
        assert!(
            said.contains(
                "grew by 2147483648 bytes, more than --limit allows; 1 more exceed it too"
            )
        );
        assert_eq!(print(here, &["diff", before, before]), "no difference\n");
    }
    let json = print(here, &["diff", "b.json", "a.json", "--limit", "dram=1", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["schema"], &value["over_limit"]), (&"ttmem/diff".into(), &0.into()));
}

#[test]
fn what_is_neither_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x"), "{}").unwrap();
    for (content, why) in [
        ("{}", "it is neither a recording nor the JSON of a snapshot"),
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        (r#"{"schema":"ttmem/l1"}"#, "it is ttmem/l1, not ttmem/snapshot"),
        (r#"{"schema":"ttmem/snapshot"}"#, "the snapshot is damaged: missing field `version`"),
    ] {
        std::fs::write(folder.path().join("x"), content).unwrap();
        let said = fail(folder.path(), &["diff", "x", "missing"], 5);
        assert!(said.starts_with(&format!("cannot read x: {why}")), "{said}");
        assert!(said.ends_with("; name a snapshot or a recording"), "{said}");
    }
    let said = fail(folder.path(), &["diff", "x", "x", "--limit", "gold=1"], 2);
    assert!(said.contains("the kinds are dram, l1, l1_small and trace"), "{said}");
}

/// Records a host with this segment.
fn record(folder: &Path, name: &str, segment: Segment) {
    let host = Host::new().board(Board::n150()).workload(Process::new(PID, "python3"), BYTES);
    let root = folder.join(format!("{name}.host"));
    host.segment_of(PID, segment).into_tree().write_to(&root).unwrap();
    let (root, file) = (root.to_str().unwrap(), format!("{name}.ttmem"));
    run(folder, &["--root", root, "record", "-o", &file, "-l", "100ms", "--for", "150ms"]);
}

/// Returns a recording whose only agent recorded these buffers: op and MiB in a bank.
fn with_agent(folder: &Path, name: &str, buffers: &[(&str, u64)]) {
    let ticks = Process::new(PID, "python3").start_ticks();
    let segment = buffers.iter().fold(Segment::wormhole(PID, ticks, 5), |segment, (op, mib)| {
        segment.allocate(NewBuffer::new(AllocatorKind::Dram, mib << 20, op)).wait(100)
    });
    record(folder, name, segment);
}

#[test]
fn ops_are_compared_where_agents_told_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    with_agent(here, "a", &[("Embedding", 10), ("Matmul", 4), ("Softmax", 3)]);
    with_agent(here, "b", &[("Embedding", 10), ("Matmul", 9), ("Add", 1)]);
    let text = print(here, &["diff", "a.ttmem", "b.ttmem"]);
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let bank = |mib: u64| (mib * (12 << 20)).to_string();
    let growth = format!("+{}", bank(5));
    assert_eq!(row("Matmul in python3")[3..7], ["dram".to_owned(), bank(4), bank(9), growth]);
    assert_eq!(row("Add in python3")[4..6], ["-".to_owned(), bank(1)]);
    assert_eq!(row("Softmax in python3")[6], format!("-{}", bank(3)));
    assert!(row("Embedding").is_empty(), "{text}");
    let said = fail(here, &["diff", "a.ttmem", "b.ttmem", "--limit", "dram=40MiB"], 1);
    assert!(said.contains("of Matmul in python3 grew by 62914560 bytes"), "{said}");
    print(here, &["diff", "a.ttmem", "b.ttmem", "--limit", "dram=60MiB"]);
    let json = print(here, &["diff", "a.ttmem", "b.ttmem", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = value["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["op"] == "Add" && row["chip"].is_null()), "{json}");
    // Without an agent on one side there is nothing to compare ops with.
    snapshot(here, "c", 1 << 30);
    let text = print(here, &["diff", "a.ttmem", "c.ttmem"]);
    assert!(!text.contains("Matmul"), "{text}");
}

/// A recording of programs of two ops: a matmul with circular buffers of so many KiB, and an add, dispatched so often.
fn with_programs(folder: &Path, name: &str, kib: u32, dispatches: usize) {
    let ticks = Process::new(PID, "python3").start_ticks();
    let cores = CoreRange { start: (0, 0), end: (7, 7) };
    let program = |op, bytes| {
        NewProgram::new(op).place(PartKind::CircularBuffer, 105_824, bytes, cores).kernel(
            "k",
            Some(64),
            cores,
        )
    };
    let segment = Segment::wormhole(PID, ticks, 5)
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
        .program(&program("Matmul", kib << 10))
        .program(&program("Add", 2048));
    let segment = (0..dispatches).fold(segment.dispatch(0), |segment, _| segment.dispatch(1));
    record(folder, name, segment);
}

#[test]
fn the_l1_of_ops_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    with_programs(here, "a", 32, 3);
    with_programs(here, "b", 48, 3);
    let text = print(here, &["diff", "a.ttmem", "b.ttmem"]);
    let words = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let matmul = words("Matmul in python3");
    // 32 KiB of each core are set aside for l1_small.
    let peak = |kib: u64| (105_824 + (kib << 10) + 65_536 + 32_768).to_string();
    assert_eq!(matmul[3..5], [peak(32), peak(48)], "{text}");
    assert_eq!(matmul[5..7], ["32768", "49152"], "{text}");
    let room = |kib: u64| (1_400_832 - 105_824 - (kib << 10)).to_string();
    assert_eq!(matmul[7..9], [room(32), room(48)], "{text}");
    assert_eq!(matmul[9..], ["1", "1"], "{text}");
    assert!(words("Add").is_empty(), "it did not change: {text}");
    let json = print(here, &["diff", "a.ttmem", "b.ttmem", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ops = value["l1_by_op"].as_array().unwrap();
    let add = ops.iter().find(|row| row["op"] == "Add").unwrap();
    assert_eq!(add["before"], add["after"]);
    assert_eq!(add["after"]["dispatches"], 3);
    assert_eq!(print(here, &["diff", "a.ttmem", "a.ttmem"]), "no difference\n");
    // Without an agent on one side every op would look new.
    snapshot(here, "c", 1 << 30);
    assert!(!print(here, &["diff", "a.ttmem", "c.ttmem"]).contains("L1 PER CORE"));
}

#[test]
fn what_the_dead_left_is_not_what_the_next_process_holds() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let bytes = RegionBytes { dram: 1 << 30, ..BYTES };
    let host = |left: Option<i32>| {
        let host = Host::new().board(Board::n150()).workload(Process::new(PID, "python3"), bytes);
        let region = Region::new(host.region_ids()[0]).slot(PID, "python3", bytes);
        let region = left.map(|pid| region.clone().slot(pid, "python3", bytes)).unwrap_or(region);
        host.region_of(PID, region)
    };
    let name = |name: &str, host: Host| {
        let root = here.join(format!("{name}.host"));
        host.into_tree().write_to(&root).unwrap();
        let root = root.to_str().unwrap().to_owned();
        print(here, &["--root", &root, "--json", "-f", name]);
    };
    name("a", host(None));
    name("b", host(Some(PID - 1)));
    let left = std::fs::read_to_string(here.join("b")).unwrap();
    assert!(left.contains("stale"), "{left}");
    assert_eq!(print(here, &["diff", "a", "b", "--limit", "dram=0"]), "no difference\n");
}

#[test]
fn growth_to_what_is_not_seen_any_more_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    snapshot(here, "a", 1 << 30);
    let idle = here.join("idle.host");
    Host::n150().without_process(PID).into_tree().write_to(&idle).unwrap();
    print(here, &["--root", idle.to_str().unwrap(), "--json", "-f", "idle.json"]);
    let text = print(here, &["diff", "a.json", "idle.json"]);
    assert!(text.lines().any(|line| line.starts_with("python3 on") && line.contains("1073741824")));
    assert!(!text.contains("+0"), "{text}");
    let json = print(here, &["diff", "a.json", "idle.json", "--json", "--limit", "dram=99TiB"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = value["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["after"].is_null() && row["growth"].is_null()), "{rows:?}");
}

/// A figure that cannot be used is not zero: memory is not new after it, and the sum of processes of one name is not known with it.
#[test]
fn growth_from_what_is_not_known_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let wrapped = RegionBytes { l1: 4096_u64.wrapping_neg(), ..BYTES };
    for (name, other) in [("a", wrapped), ("b", BYTES)] {
        let host = Host::new().board(Board::n150());
        let region = Region::new(host.region_ids()[0]).slot(PID, "python3", BYTES);
        let host = host.region(region.slot(PID + 1, "python3", other));
        let processes = [PID, PID + 1].map(|pid| Process::new(pid, "python3"));
        let host = processes.into_iter().fold(host, Host::process);
        let host = host.owner(0, PID, 2).owner(0, PID + 1, 2);
        let root = here.join(format!("{name}.host"));
        host.into_tree().write_to(&root).unwrap();
        let root = root.to_str().unwrap();
        print(here, &["--root", root, "--json", "-f", &format!("{name}.json")]);
    }
    let both = 2 * BYTES.l1;
    for (before, after, figures) in
        [("a.json", "b.json", [None, Some(both)]), ("b.json", "a.json", [Some(both), None])]
    {
        let json = print(here, &["diff", before, after, "--json", "--limit", "l1=0"]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let rows = value["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == "l1");
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 2, "{json}");
        for row in rows {
            let peaks = ["before", "after"].map(|side| row[side]["peak"].as_u64());
            assert_eq!(peaks, figures, "{row}");
            assert!(row["growth"].is_null(), "{row}");
        }
    }
}
