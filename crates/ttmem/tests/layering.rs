//! The floors and rules of ARCHITECTURE.md, checked on manifests and source text.
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
        .filter(|(name, _)| !is_test(name) && !except.iter().any(|prefix| name.starts_with(prefix)))
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

/// The crates of the workspace that each crate may use, from the lowest floor up.
const FLOORS: [(&str, &[&str]); 11] = [
    ("segment", &[]),
    ("agent", &["segment"]),
    ("model", &["segment"]),
    ("root", &["model"]),
    ("recording", &["model"]),
    ("merge", &["model", "segment"]),
    ("fake", &["model", "root", "segment"]),
    ("sources", &["fake", "merge", "model", "root", "segment"]),
    ("analysis", &["merge", "model", "recording", "segment"]),
    ("service", &["model", "recording", "root", "segment", "sources"]),
    ("doctor", &["merge", "model", "root", "segment", "service", "sources"]),
];

/// Crates that run on plain values: no files, no clock, no threads.
const PURE: [&str; 5] = ["segment", "model", "recording", "merge", "analysis"];

/// The other crates that ship.
const REST: [&str; 5] = ["root", "fake", "sources", "service", "doctor"];

fn source_folder(name: &str) -> String {
    format!("crates/{name}/src")
}

fn dependencies(name: &str) -> Vec<String> {
    let path = workspace().join(format!("crates/{name}/Cargo.toml"));
    let text = fs::read_to_string(path).unwrap();
    let all = text.split("\n[dependencies]").nth(1).unwrap_or_default();
    let lines = all.split("\n[").next().unwrap().lines();
    lines
        .filter_map(|line| line.strip_prefix("ttmem-")?.split(['.', ' ']).next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_depend_on_lower_floors_only() {
    for (name, allowed) in FLOORS {
        let used = dependencies(name);
        let above: Vec<&String> =
            used.iter().filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(above.is_empty(), "{name} may not use {above:?}");
    }
}

#[test]
fn pure_crates_do_no_io_and_know_no_clock() {
    let forbidden =
        ["std::fs", "std::net", "std::thread", "std::process", "SystemTime", "Instant", "rustix"];
    // The log that a user names, or standard input.
    let named = ["crates/analysis/src/explain/input.rs"];
    for name in PURE {
        assert_eq!(offenders(&source_folder(name), &forbidden, &named), [""; 0]);
    }
}

#[test]
fn paths_of_a_host_are_opened_in_one_place() {
    // A device and a socket are no files that a capture could hold: these open them on the system only.
    let ports = ["crates/sources/src/port/kmd/sys", "crates/sources/src/port/simulator/transport"];
    // Files that the user names are no files of the host: a capture, a recording, a socket.
    let named = [
        "crates/sources/src/port/image",
        "crates/service/src/recorder",
        "crates/service/src/server/socket.rs",
    ];
    let except = [ports.as_slice(), named.as_slice(), &["crates/root/src"]].concat();
    for name in REST {
        assert_eq!(offenders(&source_folder(name), &["std::fs", "rustix::fs"], &except), [""; 0]);
    }
}

#[test]
fn one_file_reads_the_clock() {
    for name in REST {
        let words = ["SystemTime", "Instant::now"];
        assert_eq!(offenders(&source_folder(name), &words, &["crates/root/src/clock.rs"]), [""; 0]);
    }
}

#[test]
fn only_the_agent_the_port_to_the_driver_and_what_starts_processes_have_unsafe_code() {
    let except = [
        "crates/root/src/readers/copy.rs",
        "crates/sources/src/port/kmd/sys",
        "crates/ttmem/src/cmd/run/inherited",
        "crates/ttmem/src/cmd/run/usage",
    ];
    for name in [PURE.as_slice(), &REST, &["ttmem"]].concat() {
        let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
        assert_eq!(offenders(&source_folder(name), &words, &except), [""; 0]);
    }
}

#[test]
fn files_stay_readable() {
    let mut lengths = Vec::new();
    for (name, text) in sources("crates") {
        let lines = text.lines().count();
        assert!(lines < 500, "{name} has {lines} lines");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn the_check_notices_what_it_looks_for() {
    let found = offenders("crates/root/src", &["rustix::fs"], &[]);
    assert!(found.contains(&r#"crates/root/src/lib.rs: ["rustix::fs"]"#.to_owned()), "{found:?}");
}
