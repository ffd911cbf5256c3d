//! The pages of `docs/` name every option and every field of JSON.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cli::stdout;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    std::fs::read_to_string(workspace().join(name)).unwrap()
}

/// Returns the words in the code of a page.
fn code_words(page: &str) -> BTreeSet<String> {
    let code = page.split('`').skip(1).step_by(2);
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let words = code.flat_map(|piece| piece.split(move |character| !is_part(character)));
    words.map(str::to_owned).collect()
}

/// The names of all fields below a value, but those of what is `except`.
fn fields(value: &Value, except: &[&str], found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                if !except.contains(&name.as_str()) {
                    fields(value, except, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, except, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_json_is_on_the_page_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording");
    let recording = recording.to_str().unwrap();
    let capture = workspace().join("fixtures/l1/wormhole/sharded_add");
    let log = folder.path().join("log");
    let text = "Statically allocated circular buffers on core range [(x=0,y=0) - (x=7,y=7)] grow to \
                1585216 B which is beyond max L1 size of 1499136 B\n";
    std::fs::write(&log, text).unwrap();
    let record = ["--demo", "record", "-o", recording, "--for", "1ms"];
    assert!(super::cli::ttmem(&record).status().unwrap().success());
    let commands: &[&[&str]] = &[
        &["--demo", "--l1", "--json"],
        &["--demo", "l1", "--json"],
        &["--capture", capture.to_str().unwrap(), "l1", "--json"],
        &["--demo", "buffers", "--json"],
        &["--demo", "report", "52110", "--json"],
        &["report", recording, "--json"],
        &["replay", recording, "--json"],
        &["diff", recording, recording, "--json"],
        &["explain", log.to_str().unwrap(), "--json"],
    ];
    let mut names = BTreeSet::new();
    for command in commands {
        let value = serde_json::from_str(&stdout(command)).unwrap();
        // The numbers of a message are those of its wording.
        fields(&value, &["message"], &mut names);
    }
    assert!(names.len() > 150, "{}", names.len());
    let known = code_words(&page("docs/snapshot.md"));
    let unknown: Vec<&String> = names.iter().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "docs/snapshot.md does not name {unknown:?}");
}

#[test]
fn every_check_of_the_doctor_is_on_the_page_of_json() {
    let known = code_words(&page("docs/snapshot.md"));
    let output = super::cli::ttmem(&["--demo", "doctor", "--json"]).output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = value["checks"].as_array().unwrap();
    for id in checks.iter().map(|check| check["id"].as_str().unwrap()) {
        assert!(known.contains(id), "{id}");
    }
}

/// The first words of the lines of a section of the help.
fn first_words<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let (_, section) = help.split_once(&format!("\n{heading}:\n")).unwrap();
    let lines = section.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|it| !it.is_empty())
        .collect()
}

/// The help of every command, with its name.
fn helps() -> Vec<(String, String)> {
    let help = stdout(&["--help"]);
    let commands = first_words(&help, "Commands").into_iter().filter(|command| *command != "help");
    let mut found: Vec<_> =
        commands.map(|command| (command.to_owned(), stdout(&[command, "--help"]))).collect();
    found.push(("ttmem".to_owned(), help));
    found
}

/// Returns the long options in a line.
fn options(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let words = line.split(move |character| !is_part(character));
    words.filter(|word| word.starts_with("--") && word.len() > 2)
}

#[test]
fn every_option_is_on_a_page() {
    let pages = ["commands", "top", "l1", "run", "recording", "serve"];
    let text: String = pages.map(|name| page(&format!("docs/{name}.md"))).concat();
    let known = code_words(&text);
    let helps = helps();
    assert!(helps.len() > 10, "{helps:?}");
    for (command, help) in helps {
        for option in
            help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(options)
        {
            assert!(option == "--help" || known.contains(option), "{command}: {option}");
        }
    }
}

#[test]
fn every_option_on_a_page_is_one_of_a_command() {
    let helps = helps();
    let options: BTreeSet<&str> = helps.iter().flat_map(|(_, help)| options(help)).collect();
    let pages = ["README.md", "docs/commands.md", "docs/top.md", "docs/l1.md", "docs/serve.md"];
    for name in pages {
        let words = code_words(&page(name));
        let written = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
        // Those of cargo and pytest are in the README too.
        let others = ["--release", "--workspace", "--ttmem"];
        for word in written.filter(|word| !others.contains(&word.as_str())) {
            assert!(options.contains(word.as_str()), "{name}: {word}");
        }
    }
}

#[test]
fn exit_codes_are_on_the_page_of_commands() {
    let page = page("docs/commands.md");
    let table = page.split("## Exit codes").nth(1).unwrap();
    let documented: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .collect();
    let help = stdout(&["--help"]);
    let listed: Vec<(&str, &str)> = help
        .split("\nExit codes:\n")
        .nth(1)
        .unwrap()
        .lines()
        .map(|line| line.trim().split_once(' ').unwrap())
        .collect();
    assert_eq!(documented.len(), listed.len());
    for ((code, text), (listed_code, listed_text)) in documented.iter().zip(listed) {
        // The page may say more, but in the same words.
        let text = text.replace(" (`run`, `diff`)", "").replace('`', "");
        assert_eq!((*code, text.starts_with(listed_text.trim())), (listed_code, true), "{text}");
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let folder = workspace();
    let docs = std::fs::read_dir(folder.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["README.md", "contrib/README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    let pages = docs.chain(others.map(|name| folder.join(name)));
    for path in pages.filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                assert!(anchors(&text).contains(heading), "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn every_room_is_in_the_architecture() {
    let known = code_words(&page("ARCHITECTURE.md"));
    let folder = workspace();
    let folders =
        ["model", "sources", "analysis", "service"].map(|name| format!("crates/{name}/src"));
    for directory in folders.into_iter().chain(["crates".to_owned()]) {
        for entry in std::fs::read_dir(folder.join(&directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(name == "lib" || known.contains(name), "{directory}: {name}");
        }
    }
    let rooms = page("ARCHITECTURE.md");
    let rooms = rooms.split('`').filter(|piece| piece.starts_with("crates/"));
    for room in rooms.filter(|room| !room.contains(char::is_whitespace)) {
        assert!(folder.join(room).exists(), "{room}");
    }
}

/// Returns the anchors of the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |character: char| match character {
        ' ' => Some('-'),
        _ if character.is_alphanumeric() || "-_".contains(character) => Some(character),
        _ => None,
    };
    let anchor = |line: &str| {
        line.trim_start_matches('#').trim().to_lowercase().chars().filter_map(kept).collect()
    };
    headings.map(anchor).collect()
}
