//! `--json`: the names of the contract.

use crate::output::json::{Layout, write};
use serde_json::Value;
use ttmem_model::Snapshot;

use super::made;

fn print(snapshot: &Snapshot, layout: Layout) -> String {
    let mut bytes = Vec::new();
    write(snapshot, layout, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn what_is_printed_is_the_snapshot() {
    for snapshot in [made::none(), made::four(), made::nasty_names(), made::reasons()] {
        for layout in [Layout::Pretty, Layout::Line] {
            let read: Snapshot = serde_json::from_str(&print(&snapshot, layout)).unwrap();
            assert_eq!(read, snapshot);
        }
    }
}

#[test]
fn a_line_is_one_line() {
    let text = print(&made::nasty_names(), Layout::Line);
    assert_eq!(text.matches('\n').count(), 1);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_names_of_the_contract_stand() {
    let json: Value = serde_json::from_str(&print(&made::four(), Layout::Line)).unwrap();
    assert_eq!(json["schema"], "ttmem/snapshot");
    assert_eq!(json["version"], "2.4");
    assert_eq!(
        keys(&json),
        [
            "chips",
            "demo",
            "findings",
            "host",
            "processes",
            "schema",
            "sources",
            "time_us",
            "version"
        ]
    );
    assert_eq!(keys(&json["sources"][0]), ["cost_us", "detail", "name", "status"]);
    let chip = &json["chips"][0];
    for name in ["id", "index", "arch", "board", "bdf", "remote", "worker_cores", "telemetry"] {
        assert!(chip.get(name).is_some(), "{name}");
    }
    assert_eq!(
        keys(&chip["memory"]),
        ["circular_buffers", "dram", "kernels", "l1", "l1_small", "l1_total", "reserved", "trace"]
    );
    assert_eq!(keys(&chip["memory"]["dram"]["used"]), ["age_us", "quality", "source", "value"]);
    assert_eq!(keys(&chip["memory"]["l1_total"]["used"]), ["detail", "missing"]);
    let held = &json["processes"][0]["chips"][0];
    assert_eq!(
        keys(&held["memory"]),
        ["circular_buffers_reported", "dram", "l1", "l1_small", "trace", "upstream"]
    );
    assert_eq!(keys(held), ["chip", "index", "memory"]);
    assert_eq!(
        keys(&json["findings"][0]),
        ["chip", "chip_index", "id", "pid", "remedy", "severity", "text"]
    );
}
