//! `ttmem replay`.

use std::path::{Path, PathBuf};
use ttmem_model::Timestamp;
use ttmem_recording::{Contents, Encoder, Header, Limits};

use super::{fail, print};

/// Recordings that earlier versions wrote, with what `--json` printed when they were made.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording").canonicalize().unwrap()
}

#[test]
fn recordings_of_every_version_open() {
    let here = fixtures();
    for version in ["1.0", "1.1", "1.1-snapshot-2.0", "1.2"] {
        let file = format!("{version}.ttmem");
        let events = print(&here, &["replay", &file, "--events"]);
        assert_eq!(
            events,
            std::fs::read_to_string(here.join(format!("{version}.events"))).unwrap()
        );
        for (number, at) in [(0, "start"), (1, "+1s"), (2, "+2.9s"), (3, "end")] {
            let json = print(&here, &["replay", &file, "--at", at, "--json"]);
            let lines = std::fs::read_to_string(here.join(format!("{version}.jsonl"))).unwrap();
            let mut line: serde_json::Value =
                serde_json::from_str(lines.lines().nth(number).unwrap()).unwrap();
            let replayed: serde_json::Value = serde_json::from_str(&json).unwrap();
            // Facts are merged by today's rules, into a snapshot of today's version with readings that there were none of.
            match version {
                "1.2" => {
                    line.as_object_mut().unwrap().remove("version");
                    assert!(has_all_of(&replayed, &line), "{version} {at}: {replayed}");
                }
                _ => assert_eq!(replayed, line, "{version} {at}"),
            }
        }
    }
}

/// True if everything in `old` is in `new`, with the same value.
fn has_all_of(new: &serde_json::Value, old: &serde_json::Value) -> bool {
    match (new, old) {
        (serde_json::Value::Object(new), serde_json::Value::Object(old)) => {
            old.iter().all(|(name, old)| new.get(name).is_some_and(|new| has_all_of(new, old)))
        }
        (serde_json::Value::Array(new), serde_json::Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| has_all_of(new, old))
        }
        _ => new == old,
    }
}

#[test]
fn a_table_of_a_moment_is_drawn() {
    let table = print(&fixtures(), &["replay", "1.0.ttmem", "--at", "end", "--ascii"]);
    assert!(table.contains("n150"), "{table}");
}

#[test]
fn a_recording_says_what_it_is() {
    let json = print(&fixtures(), &["replay", "1.0.ttmem", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["schema"], "ttmem/recording");
    assert_eq!((&summary["snapshots"], &summary["ended"]), (&4.into(), &true.into()));
}

/// A recording without facts of version 2.0 of snapshots, whose chip has the zero of a mock device in for its id.
#[test]
fn the_id_of_a_mock_device_is_null_in_an_old_recording_too() {
    let lines = std::fs::read_to_string(fixtures().join("1.1-snapshot-2.0.jsonl")).unwrap();
    let old = lines.lines().last().unwrap().replace("0x00041c5a01800001", "0x0000000000000000");
    let mut snapshot: serde_json::Value = serde_json::from_str(&old).unwrap();
    snapshot["chips"].as_array_mut().unwrap().truncate(1);
    let time = Timestamp(snapshot["time_us"].as_u64().unwrap());
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    let mut encoder = Encoder::new(Limits::default());
    encoder.push(time, &snapshot).unwrap();
    let block = encoder.flush().unwrap();
    contents.add(&block);
    bytes.extend(&block.bytes);
    bytes.extend(contents.end());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old"), bytes).unwrap();
    let json = print(folder.path(), &["replay", "old", "--at", "end", "--json"]);
    assert!(!json.contains("0x0000000000000000"), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let chip = &json["chips"][0];
    assert_eq!((&chip["id"], &chip["index"]), (&serde_json::Value::Null, &0.into()));
    assert_eq!(json["processes"][0]["chips"][0]["index"], 0);
}

#[test]
fn what_cannot_be_read_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let good = std::fs::read(fixtures().join("1.0.ttmem")).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(here.join(name), bytes).unwrap();

    assert!(fail(here, &["replay", "none"], 6).starts_with("cannot read none: No such file"));
    assert!(fail(here, &["replay", "."], 5).starts_with("cannot read .: "));
    put("text", b"a,b,c\n1,2,3\n");
    assert_eq!(fail(here, &["replay", "text"], 5), "text: not a ttmem recording");
    let mut newer = good.clone();
    newer[8] = 3;
    put("newer", &newer);
    assert_eq!(
        fail(here, &["replay", "newer"], 3),
        "newer: recording is version 3.0, this ttmem reads up to 1.2; use ttmem 0.1.0 or newer"
    );
    put("good", &good);
    let said = fail(here, &["replay", "good", "--at", "later"], 2);
    assert!(said.starts_with("`later` is not a moment; write 2026-"), "{said}");
    let said = fail(here, &["replay", "good", "--at", "1970-01-02T00:00"], 6);
    assert!(said.starts_with("good starts after that; it spans 2026-11-02T09:30:00"), "{said}");
    for late in ["2026-11-03T00:00", "+1h"] {
        let said = fail(here, &["replay", "good", "--at", late, "--json"], 6);
        assert!(said.starts_with("good ends before that; it spans 2026-11-02T09:30:00"), "{said}");
    }
    let last = print(here, &["replay", "good", "--at", "end", "--json"]);
    assert_eq!(print(here, &["replay", "good", "--at", "+4s", "--json"]), last);
}

#[test]
fn a_cut_recording_opens_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(fixtures().join("1.0.ttmem")).unwrap();
    std::fs::write(folder.path().join("cut"), &good[..good.len() - 40]).unwrap();
    let summary = print(folder.path(), &["replay", "cut"]);
    assert!(summary.contains("snapshots  4") && summary.contains("missing"), "{summary}");
}
