//! The table of docs/agent.md: which functions each release of TT-Metal exports, from the lists of hooks and accessors.
//!
//! `scripts/release_from_wheel VERSION` adds a release to `fixtures/agent/exports.json`;
//! `UPDATE_DOCS=1 cargo test -p ttmem-agent --test releases` writes the table.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use ttmem_segment::{Accessor, Hook};

const HOOKS: &str = include_str!("../src/ffi/hooks.rs");
const ACCESSORS: [&str; 3] = [
    include_str!("../src/ffi/program_api.rs"),
    include_str!("../src/ffi/kernel_api.rs"),
    include_str!("../src/ffi/tensor_api.rs"),
];
const BEGIN: &str = "<!-- functions: begin -->\n";
const END: &str = "<!-- functions: end -->\n";

/// The mangled name in a piece of source.
fn mangled(text: &str) -> Option<&str> {
    let start = text.find("\"_Z")? + 1;
    let length = text[start..].find('"')?;
    Some(&text[start..start + length])
}

/// The names under which TT-Metal may have each hooked function.
fn hooks() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for hook in Hook::ALL {
        let start = format!("    {hook:?}: ");
        let lines = HOOKS.lines().filter(|line| line.starts_with(&start));
        found.entry(hook.as_str()).or_default().extend(lines.filter_map(mangled));
    }
    let (_, tracker) = HOOKS.split_once("mod graph_tracker").unwrap();
    found.get_mut(Hook::GraphTracker.as_str()).unwrap().extend(mangled(tracker));
    found
}

/// The names of the functions that each accessor needs. Any of several forms will do.
fn accessors() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut found = BTreeMap::new();
    for accessor in Accessor::ALL {
        let pair = format!("Accessor::{accessor:?},");
        let source = ACCESSORS.iter().find(|source| source.contains(&pair)).unwrap();
        let (_, rest) = source.split_once(&pair).unwrap();
        // The first name in capitals is that of a symbol.
        let is_name = |word: &&str| {
            word.len() > 3
                && word.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        };
        let name =
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(is_name).unwrap();
        let (_, definition) = source.split_once(&format!("static {name}: ")).unwrap();
        let (definition, _) = definition.split_once(";\n").unwrap();
        let names = definition.split("c\"").skip(1).filter_map(|text| text.split('"').next());
        found.insert(accessor.as_str(), names.collect());
    }
    found
}

fn table() -> String {
    let exports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/agent/exports.json");
    let exports: Value = serde_json::from_slice(&std::fs::read(exports).unwrap()).unwrap();
    let releases: BTreeMap<Vec<u32>, (&String, BTreeSet<&str>)> = exports["releases"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(version, names)| {
            let key = version.split('.').map(|part| part.parse().unwrap()).collect();
            let names = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            (key, (version, names.collect()))
        })
        .collect();
    let mut lines = vec!["| Function |".to_owned(), "| --- |".to_owned()];
    for (version, _) in releases.values() {
        lines[0].push_str(&format!(" {version} |"));
        lines[1].push_str(" --- |");
    }
    let in_order = |names: Vec<&'static str>,
                    all: &BTreeMap<&'static str, BTreeSet<&'static str>>| {
        let row = |name: &&'static str| {
            let symbols = &all[name];
            assert!(!symbols.is_empty(), "{name}");
            let cells = releases.values().map(|(_, exported)| {
                if symbols.is_disjoint(exported) { " no |" } else { " yes |" }
            });
            format!("| `{name}` |{}", cells.collect::<String>())
        };
        names.iter().map(row).collect::<Vec<String>>()
    };
    let (hooks, accessors) = (hooks(), accessors());
    // The unique ids are in another library, that of UMD.
    let of_tt_metal = Hook::ALL.iter().filter(|hook| **hook != Hook::ChipUniqueIds);
    lines.extend(in_order(of_tt_metal.map(|hook| hook.as_str()).collect(), &hooks));
    lines.extend(in_order(Accessor::ALL.iter().map(|it| it.as_str()).collect(), &accessors));
    lines.join("\n") + "\n"
}

#[test]
fn the_table_of_functions_is_that_of_the_hooks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agent.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "docs/agent.md: run this test with UPDATE_DOCS=1");
}
