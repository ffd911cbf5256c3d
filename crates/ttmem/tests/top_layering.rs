//! The pure parts of the live view do no I/O and read no clock, checked on the source text.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a module, without its tests.
fn files(module: &str) -> Vec<PathBuf> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    let mut found = vec![base.join(format!("{module}.rs"))];
    let mut folders = vec![base.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                found.push(path);
            }
        }
    }
    found
}

/// The files of the modules that have one of the words in their code.
fn offenders(modules: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in modules.iter().flat_map(|module| files(module)) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            found.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    found
}

const OUTSIDE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime",
    "rustix",
    "crossterm",
    "signal_hook",
];

#[test]
fn state_and_views_do_no_io_and_know_no_clock() {
    let pure = [
        "app", "view", "widget", "history", "track", "select", "key", "look", "export", "group",
        "picker",
    ];
    assert_eq!(offenders(&pure, &OUTSIDE), [""; 0]);
}

#[test]
fn the_state_knows_nothing_of_what_it_is_drawn_on() {
    let drawing = ["ratatui_core", "tui::view", "tui::widget::canvas", "super::view"];
    assert_eq!(offenders(&["app", "history", "track", "select", "key"], &drawing), [""; 0]);
}

#[test]
fn the_check_notices_what_it_looks_for() {
    assert!(!offenders(&["run", "terminal", "sampler"], &OUTSIDE).is_empty());
}

#[test]
fn files_fit_a_reader() {
    for module in ["app", "view", "widget", "look", "export", "select", "run", "history", "key"] {
        for path in files(module) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines < 500, "{} has {lines} lines", path.display());
        }
    }
}
