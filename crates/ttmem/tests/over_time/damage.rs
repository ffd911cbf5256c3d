//! Recordings with a flipped byte: one account of it in every command, and exit code 5.
//!
//! A few bytes as a test; `DAMAGED=1000` flips as many of each recording.

use std::path::Path;

use serde_json::Value;
use ttmem_recording::{DamageAccount, Recording};

use super::run;

fn recording() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    std::fs::read(folder.join("1.1.ttmem")).unwrap()
}

/// Returns recordings with one flipped byte: with a damaged snapshot, with a damaged segment, and as many others.
fn flipped(count: usize) -> Vec<(Vec<u8>, DamageAccount)> {
    let whole = recording();
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let account = Recording::open(bytes.clone()).ok()?.account().unwrap();
        Some((bytes, account))
    };
    let all = || (64..whole.len()).step_by(7).filter_map(flip);
    let snapshot = all().find(|(_, account)| account.snapshots > 0);
    let part = all().find(|(_, account)| account.parts > 0);
    let step = (whole.len() / count.max(1)).max(1);
    let others = (64..whole.len()).step_by(step).filter_map(flip).take(count);
    [snapshot.unwrap(), part.unwrap()].into_iter().chain(others).collect()
}

#[test]
fn every_command_gives_the_same_account_of_damage() {
    let count = std::env::var("DAMAGED").map_or(3, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("whole"), recording()).unwrap();
    std::fs::write(here.join("log"), "x").unwrap();
    for (bytes, account) in flipped(count) {
        std::fs::write(here.join("a"), bytes).unwrap();
        let line = account.to_string();
        let code = if account.is_empty() { 0 } else { 5 };
        for arguments in [
            &["report", "a"][..],
            &["report", "--json", "a"],
            &["report", "a", "-o", "a.html"],
            &["replay", "a"],
            &["replay", "a", "--json"],
            &["replay", "a", "--events"],
            &["diff", "whole", "a"],
            &["diff", "a", "whole", "--json"],
        ] {
            let output = run(here, arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {line}: {said}");
            assert_eq!(said.contains(&line), code != 0, "{arguments:?}: {said}");
        }
        let printed = |arguments: &[&str]| String::from_utf8(run(here, arguments).stdout).unwrap();
        let json = |arguments: &[&str]| serde_json::from_str::<Value>(&printed(arguments)).unwrap();
        let (report, replay) = (json(&["report", "--json", "a"]), json(&["replay", "a", "--json"]));
        for value in [&report["recordings"][0], &replay] {
            assert_eq!(value["damaged_bytes"], account.bytes);
            assert_eq!(value["damaged_snapshots"], account.snapshots);
            assert_eq!(value["damaged_parts"], account.parts);
        }
        let diff = json(&["diff", "a", "whole", "--json"]);
        assert_eq!(diff["damaged_bytes_before"], account.bytes);
        let text = printed(&["report", "a"]);
        if account.parts > 0 && report["processes"].as_array().unwrap().is_empty() {
            assert!(text.contains("The data of its agents is damaged"), "{text}");
            assert!(!text.contains("No process in it ran with the agent"), "{text}");
        }
    }
}
