//! The buffer that blocked a program is named after the process has ended: from its segment, and from a recording.

use std::process::{Command, Output};

use super::{agent_library, is_installed, testbed};

fn ttmem(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ttmem")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The names of the mock chip of a process that has ended. It is one of the host's chips only as long as another process uses it, and
/// in a recording only if that was so when the agent's record was taken.
const CHIP: [&str; 2] = ["TT-Metal device 0 (process ", "chip "];

/// The tensor of `testbed/clash.py`: 80 MiB, 1.25 MiB in each of 64 cores, from 188,416 on.
fn assert_named(shown: &str) {
    let words: Vec<&str> = shown.split_whitespace().collect();
    let shown = words.join(" ");
    for part in [
        "lowest L1 buffer begins at 0x0002e000 (188,416)",
        "blocked by address 0x0002e000 (188,416) on ",
        "1,310,720 bytes (1.3 MiB) in each bank",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let is_named = |name: &&str| shown.contains(&format!("(188,416) on {name}"));
    assert!(CHIP.iter().any(is_named), "{shown}");
}

#[test]
fn the_blocker_of_an_ended_run_is_named() {
    if !is_installed() {
        return;
    }
    agent_library::build();
    let folder = tempfile::tempdir().unwrap();
    let [recording, log, report] = ["run.ttmem", "log", "report.json"]
        .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let run = testbed().join("run");
    // A `/dev/shm` of its own, so that the segment that is kept goes with the namespace.
    let script = format!(
        "mount -t tmpfs tmpfs /dev/shm && {{ '{ttmem}' run --keep --report='{report}' -- '{run}' --mock n150 '{clash}' 2>'{log}'; \
         echo code $?; '{ttmem}' explain '{log}'; rm /dev/shm/ttmem-*; \
         '{ttmem}' record --output '{recording}' -- '{run}' --mock n150 '{clash}' 2>/dev/null; true; }}",
        ttmem = env!("CARGO_BIN_EXE_ttmem"),
        run = run.display(),
        clash = testbed().join("clash.py").display(),
    );
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "bash", "-c", &script])
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    assert!(shown.contains("code 1"), "{shown} {}", text(&output.stderr));
    assert_named(&shown);

    let recorded = ttmem(&["explain", "--from", &recording, &log]);
    assert_named(&text(&recorded.stdout));
    let empty = tempfile::tempdir().unwrap();
    let without = ttmem(&["explain", "--root", empty.path().to_str().unwrap(), &log]);
    let unnamed = text(&without.stdout);
    assert!(!unnamed.contains("blocked by"), "no process has it: {unnamed}");
    assert!(unnamed.contains("lowest L1 buffer begins at"), "{unnamed}");
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains("188416"), "the refused program is in the report: {report}");
}
