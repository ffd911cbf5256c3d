//! JAX, whose TT-Metal is a static part of its plugin: every figure comes from the memory region.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{agent_library, bytes, is_installed_with, process, snapshot, testbed};

/// The id of the mock chip.
const CHIP: &str = "0x00000410031a0c0d";
const MIB: u64 = 1 << 20;

/// `testbed/jax_steps.py`, or a command with it as its end.
struct Steps {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Steps {
    fn start(command: &mut Command, shm: &Path) -> Self {
        let mut child = command
            .args(["--mock", "p150", "--jax", &format!("--private-shm={}", shm.display())])
            .arg(testbed().join("jax_steps.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// The next step: what JAX says.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }
}

#[test]
fn memory_of_jax_is_shown_as_jax_reports_it() {
    if !is_installed_with(&["--jax"]) {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let mut steps = Steps::start(&mut Command::new(testbed().join("run")), shm.path());
    let mut shown = Vec::new();
    while let Some(said) = steps.next() {
        let snapshot = snapshot();
        let dram = &bytes(process(&snapshot, &said["pid"]), CHIP).unwrap()["dram"];
        assert_eq!(dram["value"], said["in_use"], "{said}");
        assert_eq!(
            (&dram["quality"], &dram["source"]),
            (&"approximate".into(), &"upstream".into())
        );
        shown.push(dram["value"].as_u64().unwrap() / MIB);
        steps.go_on();
    }
    assert_eq!(shown, [2, 4, 2]);
    assert!(steps.child.wait().unwrap().success());
}

/// Runs JAX under `ttmem run` with these options. Returns the exit code and standard error.
fn run(options: &[&str]) -> (Option<i32>, String) {
    let shm = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.arg("run").args(options).arg("--").arg(testbed().join("run"));
    let mut steps = Steps::start(&mut command, shm.path());
    while steps.next().is_some() {
        // The peak lasts longer than the time between two samples.
        std::thread::sleep(Duration::from_millis(600));
        steps.go_on();
    }
    let output = steps.child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_run_of_jax_is_reported_from_samples_of_the_region() {
    if !is_installed_with(&["--jax"]) {
        return;
    }
    agent_library::build();
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let target = format!("--report={}", file.path().display());
    let (code, error) = run(&[&target, "--limit", "dram=64MiB"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("checked against samples of TT-Metal's memory region"), "{error}");
    assert!(error.contains("linked statically"), "{error}");
    let report: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
    let peak = &report["uncounted"][0]["region"][0];
    assert_eq!(peak["kind"], "dram");
    // While it multiplies, JAX holds more than between the steps.
    let bytes = peak["bytes"].as_u64().unwrap();
    assert!((4 * MIB..=16 * MIB).contains(&bytes), "{bytes}");
    assert_eq!(peak["quality"], "approximate");
    assert!(report["processes"].as_array().unwrap().is_empty());

    let (code, error) = run(&["--report", "--limit", "dram=3MiB"]);
    assert_eq!(code, Some(1), "{error}");
    for words in
        ["DRAM ~", "at most (approximate, sampled)", "limit exceeded: process", "of DRAM on chip"]
    {
        assert!(error.contains(words), "{words}: {error}");
    }
}
