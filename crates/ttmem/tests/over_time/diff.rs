//! `ttmem diff`.

use std::path::Path;

use ttmem_collect::fake::{BYTES, Board, Host, PID, Process};
use ttmem_model::facts::RegionBytes;

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
        assert!(said.contains("grew by 2147483648 bytes, more than --limit allows; so did 1 more"));
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
    let said = fail(folder.path(), &["diff", "x", "x"], 2);
    assert!(said.starts_with("cannot read x: missing field `schema`"), "{said}");
    let said = fail(folder.path(), &["diff", "x", "x", "--limit", "gold=1"], 2);
    assert!(said.contains("the kinds are dram, l1, l1_small and trace"), "{said}");
}
