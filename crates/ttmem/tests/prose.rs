//! The words of docs/glossary.md are used, and the paths in ARCHITECTURE.md are true.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn page(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// Returns the paths in backquotes: words with a slash and an extension.
fn paths(text: &str) -> Vec<&str> {
    let code = text.split('`').skip(1).step_by(2);
    code.flat_map(str::split_whitespace)
        .filter(|word| !word.starts_with('/') && word.contains('/'))
        .filter(|word| {
            Path::new(word)
                .extension()
                .is_some_and(|it| ["rs", "py", "json", "md"].iter().any(|known| it == *known))
        })
        .collect()
}

fn exists(path: &str) -> bool {
    [workspace(), workspace().join("crates")].iter().any(|folder| folder.join(path).exists())
}

/// Returns a section by its heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("## {heading}\n")).unwrap();
    rest.split("\n## ").next().unwrap()
}

#[test]
fn prose_stays_within_its_limits() {
    let script = workspace().join("scripts/prose");
    let Ok(output) = Command::new("python3").arg(script).arg("--check").output() else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("skipped: python3 is missing");
        return;
    };
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}{errors}", String::from_utf8(output.stdout).unwrap());
}

#[test]
fn every_path_of_the_architecture_exists() {
    for name in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = page(name);
        let missing: Vec<&str> = paths(&text).into_iter().filter(|path| !exists(path)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn recipes_cover_the_common_changes() {
    let text = page("ARCHITECTURE.md");
    let table = section(&text, "Where to add what");
    for recipe in ["a release", "a column", "a source", "a finding", "a command"] {
        let row = table.lines().find(|line| line.starts_with(&format!("| {recipe}"))).unwrap();
        let (change, held) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        assert!(!paths(change).is_empty() && !paths(held).is_empty(), "{recipe}: {row}");
    }
}

#[test]
fn walks_name_one_file_a_step_and_never_go_back() {
    let text = page("ARCHITECTURE.md");
    let walks = section(&text, "Three walks").split("\n**").skip(1).collect::<Vec<_>>();
    assert_eq!(walks.len(), 3);
    for walk in walks {
        let mut seen = BTreeSet::new();
        let steps =
            walk.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
        for step in steps {
            let [file] = paths(step)[..] else { panic!("one file a step: {step}") };
            assert!(seen.insert(file), "goes back to {file}");
        }
        assert!(seen.len() > 5, "{walk}");
    }
}

/// A command's arguments, its work and its page are where the recipe of ARCHITECTURE.md puts them.
#[test]
fn commands_have_their_parts() {
    let workspace = workspace();
    let pages = fs::read_dir(workspace.join("docs")).unwrap();
    let docs: String = pages
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let dispatch = page("crates/ttmem/src/dispatch.rs");
    for entry in fs::read_dir(workspace.join("crates/ttmem/src/cmd")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let arguments = workspace.join(format!("crates/ttmem/src/cli/{name}.rs"));
        if !arguments.exists() || name == "snapshot" {
            continue;
        }
        assert!(dispatch.contains(&format!("cmd::{name}::")), "{name} is not called");
        assert!(docs.contains(&format!("ttmem {name}")), "{name} has no page");
    }
}
