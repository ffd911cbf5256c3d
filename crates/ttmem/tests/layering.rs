//! The arrows of ARCHITECTURE.md, checked on the source text.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file below a folder of the workspace, with its text up to its unit tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(workspace()).unwrap().display().to_string();
                found.push((name, text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/")
}

/// The files outside `except` that have one of the words outside their tests.
fn offenders(folder: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    sources(folder)
        .into_iter()
        .filter(|(name, _)| !is_test(name) && !except.iter().any(|place| name.starts_with(place)))
        .flat_map(|(name, text)| {
            let code =
                without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: Vec<&str> = code.collect();
            let code = code.join("\n");
            let words: Vec<&&str> = words.iter().filter(|word| code.contains(**word)).collect();
            (!words.is_empty()).then(|| format!("{name}: {words:?}"))
        })
        .collect()
}

fn dependencies(manifest: &str) -> String {
    let text = fs::read_to_string(workspace().join(manifest)).unwrap();
    let all = text.split("[dependencies]").nth(1).unwrap();
    all.split("\n[").next().unwrap().to_owned()
}

#[test]
fn dependencies_point_one_way() {
    assert!(!dependencies("crates/model/Cargo.toml").contains("ttmem-"));
    let collect = dependencies("crates/collect/Cargo.toml");
    let own: Vec<&str> = collect.lines().filter(|line| line.starts_with("ttmem")).collect();
    assert_eq!(own, ["ttmem-model.workspace = true"]);
}

#[test]
fn the_model_does_no_io_and_knows_no_clock() {
    let forbidden =
        ["std::fs", "std::net", "std::thread", "std::process", "SystemTime", "Instant", "rustix"];
    assert_eq!(offenders("crates/model/src", &forbidden, &[]), [""; 0]);
}

#[test]
fn conclusions_are_pure() {
    let forbidden = ["crate::root", "crate::source", "crate::clock", "std::fs", "rustix"];
    assert_eq!(offenders("crates/collect/src/merge", &forbidden, &[]), [""; 0]);
}

#[test]
fn paths_of_a_host_are_opened_in_one_place() {
    let root = "crates/collect/src/root";
    // A device and a socket are no files that a capture could hold: these open them on the system only.
    let ports = ["crates/collect/src/port/kmd/sys", "crates/collect/src/port/simulator/transport"];
    // Files that the user names are no files of the host: a capture, a log, a recording.
    let named = [
        "crates/collect/src/port/image",
        "crates/collect/src/explain/input.rs",
        "crates/collect/src/recorder",
        "crates/collect/src/server/socket.rs",
    ];
    let forbidden = ["std::fs", "rustix::fs"];
    let except = [&[root], named.as_slice(), ports.as_slice()].concat();
    assert_eq!(offenders("crates/collect/src", &forbidden, &except), [""; 0]);
}

#[test]
fn one_file_reads_the_clock() {
    let clock = "crates/collect/src/clock.rs";
    assert_eq!(offenders("crates/collect/src", &["SystemTime", "Instant::now"], &[clock]), [""; 0]);
}

#[test]
fn unsafe_code_has_no_room_but_where_the_driver_is_called() {
    let driver = "crates/collect/src/port/kmd/sys";
    for folder in ["crates/model/src", "crates/collect/src", "crates/ttmem/src"] {
        assert_eq!(offenders(folder, &["unsafe "], &[driver]), [""; 0]);
    }
}

#[test]
fn files_stay_readable() {
    let mut lengths = Vec::new();
    for folder in ["crates/model", "crates/collect", "crates/ttmem"] {
        for (name, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 800, "{name} has {lines} lines");
            lengths.push(lines);
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn the_check_notices_what_it_looks_for() {
    let found = offenders("crates/collect/src", &["rustix::fs"], &[]);
    assert!(
        found.contains(&r#"crates/collect/src/root.rs: ["rustix::fs"]"#.to_owned()),
        "{found:?}"
    );
}
