//! The binary itself: arguments, exit codes, pipes, files.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

use insta::assert_snapshot;

/// `ttmem` in an environment that says nothing about the terminal.
pub(crate) fn ttmem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.args(arguments);
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    ttmem(arguments).output().unwrap()
}

pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code, and the one line on standard error.
pub(crate) fn failure(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.matches('\n').count(), 1, "{message}");
    (output.status.code().unwrap(), message.trim_end().to_owned())
}

#[test]
fn help() {
    assert_snapshot!("help", stdout(&["--help"]));
    assert_eq!(stdout(&["--version"]), concat!("ttmem ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_demonstration() {
    assert_snapshot!("demo_91", stdout(&["--demo"]));
    let output = ttmem(&["--demo"]).env("COLUMNS", "60").output().unwrap();
    assert_snapshot!("demo_60", String::from_utf8(output.stdout).unwrap());
}

#[test]
fn no_driver_is_one_line_that_names_the_demonstration() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    for view in ["--json", "-q", "-L", "--query-device=index", "-l"] {
        let (code, message) = failure(&["--root", root, view]);
        assert_eq!(code, 9);
        assert_eq!(
            message,
            "ttmem: no Tenstorrent driver and no memory region found; \
             load tt-kmd, or try ttmem --demo"
        );
    }
}

#[test]
fn wrong_arguments_are_one_line_and_two() {
    let cases: &[&[&str]] = &[
        &["--bogus"],
        &["--quer"],
        &["--query-device=indx"],
        &["--query-processes=memory.dram.used"],
        &["--format=csv"],
        &["--query-device=index", "--format=xml"],
        &["-q", "--json"],
        &["--demo", "--root", "/"],
        &["-l", "ms"],
        &["-l", "10ms"],
        &["-c", "0"],
        &["--color=sometimes"],
        &["-L", "completions", "bash"],
        &["completions"],
        &["frobnicate"],
        &["man", "frobnicate"],
        &["buffers", "-p", "python3"],
        &["buffers", "-n", "few"],
        &["buffers", "--by", "op", "--json"],
        &["l1", "--save", "captured", "--json"],
        &["l1", "--budget", "0"],
        &["diff", "a", "b", "--limit", "dram=much"],
        &["run", "--limit", "dram=much", "true"],
    ];
    let mut text = String::new();
    for case in cases {
        let (code, message) = failure(case);
        assert_eq!(code, 2, "{case:?}");
        text += &format!("$ ttmem {}\n{message}\n", case.join(" "));
    }
    assert_snapshot!("wrong_arguments", text);
}

#[test]
fn an_unknown_chip_is_six() {
    let (code, message) = failure(&["--demo", "-i", "0,9"]);
    assert_eq!(code, 6);
    assert!(message.starts_with("ttmem: no chip `9`; there are chips 0 (0000:01:00.0), "));
}

#[test]
fn json_is_a_snapshot_once_and_a_line_a_sample() {
    let once: ttmem_model::Snapshot =
        serde_json::from_str(&stdout(&["--demo", "--json", "-i", "1"])).unwrap();
    assert!(once.demo);
    assert_eq!(once.chips.len(), 1);
    let samples = stdout(&["--demo", "--json", "-l", "100ms", "-c", "2"]);
    assert_eq!(samples.lines().count(), 2);
    for sample in samples.lines() {
        serde_json::from_str::<ttmem_model::Snapshot>(sample).unwrap();
    }
}

#[test]
fn a_loop_names_the_fields_once() {
    let text = stdout(&["--demo", "--query-gpu=index", "-l", "0.1", "-c2", "-i0"]);
    assert_eq!(text, "index\n0\n0\n");
}

#[test]
fn files_are_written_and_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("list");
    let file = path.to_str().unwrap();
    for _ in 0..2 {
        assert_eq!(stdout(&["--demo", "-L", "-f", file]), "");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), stdout(&["--demo", "-L", "-f", "-"]));
    stdout(&["--demo", "-L", "-f", file, "-l", "100ms", "-c", "1"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 8);
}

#[test]
fn colour_follows_the_flag_and_then_the_environment() {
    let is_coloured = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let output = ttmem(arguments).envs(variable).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!is_coloured(&["--demo"], None));
    assert!(is_coloured(&["--demo", "--color=always"], None));
    assert!(is_coloured(&["--demo", "--color=always"], Some(("NO_COLOR", "1"))));
    assert!(is_coloured(&["--demo"], Some(("CLICOLOR_FORCE", "1"))));
    assert!(!is_coloured(&["--demo", "--color=never"], Some(("CLICOLOR_FORCE", "1"))));
}

#[test]
fn ascii_output_is_ascii() {
    for view in [&["--demo", "--ascii"][..], &["--demo", "--ascii", "-q"]] {
        assert!(stdout(view).is_ascii());
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = ttmem(&["--demo", "-l", "100ms"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

/// A shell sees a program that SIGINT ended as exit code 130.
#[test]
fn an_interrupt_ends_a_loop() {
    // The parent of the test may ignore the signal, as a shell does for background jobs.
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_ttmem"), "--demo", "-L", "-l", "60"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

#[test]
fn completions_and_the_man_page_know_every_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&["completions", shell]).contains("query-device"), "{shell}");
    }
    let page = stdout(&["man"]);
    assert!(page.starts_with(".ie"));
    for text in ["query\\-processes", "Exit codes", "no source could be read"] {
        assert!(page.contains(text), "{text}");
    }
    let page = stdout(&["man", "run"]);
    for text in ["TH ttmem-run 1", "ttmem 0.", "\\-\\-limit", "\\-\\-ascii", "TTMEM_AGENT"] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn output_that_cannot_be_written_is_one_line_and_five() {
    let (code, message) = failure(&["--demo", "-f", "/nowhere/file"]);
    assert_eq!((code, message.starts_with("ttmem: cannot write /nowhere/file: ")), (5, true));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = ttmem(&["--help"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).unwrap();
    let remedy = "; redirect it to a place that takes it";
    assert!(said.starts_with("ttmem: cannot write") && said.trim_end().ends_with(remedy), "{said}");
}

#[test]
fn a_directory_that_cannot_be_opened_is_one_line_and_five() {
    for option in ["--root", "--capture"] {
        let (code, message) = failure(&[option, "/nowhere"]);
        assert_eq!(code, 5, "{message}");
        assert!(
            message.contains("/nowhere") && message.contains("; name a directory"),
            "{message}"
        );
    }
}

#[test]
fn a_directory_is_a_host() {
    let directory = tempfile::tempdir().unwrap();
    ttmem_fake::Host::n150().into_tree().write_to(directory.path()).unwrap();
    let text = stdout(&["--root", directory.path().to_str().unwrap(), "-L"]);
    assert!(text.starts_with("0  n150  wormhole  0000:01:00.0  0x"), "{text}");
}
