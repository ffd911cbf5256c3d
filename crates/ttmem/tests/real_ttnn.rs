//! `ttmem` beside stock ttnn: what it shows must equal, to the byte, what the workload says that it requested.
//!
//! Runs with `--features real-ttnn`; needs `testbed/install`. Where the testbed cannot be installed it says so in one
//! line and passes over.
#![cfg(feature = "real-ttnn")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what a test passes over is said")]

#[path = "real_ttnn/agent.rs"]
mod agent;
#[path = "suite/agent_library.rs"]
mod agent_library;
#[path = "real_ttnn/busy.rs"]
mod busy;
#[path = "real_ttnn/clash.rs"]
mod clash;
#[path = "real_ttnn/ends.rs"]
mod ends;
#[path = "real_ttnn/jax.rs"]
mod jax;
#[path = "real_ttnn/overlap.rs"]
mod overlap;
#[path = "real_ttnn/per_core.rs"]
mod per_core;
#[path = "real_ttnn/ranks.rs"]
mod ranks;
#[path = "real_ttnn/recording.rs"]
mod recording;
#[path = "real_ttnn/ring.rs"]
mod ring;
#[path = "real_ttnn/tensors.rs"]
mod tensors;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

const KINDS: [&str; 4] = ["dram", "l1", "l1_small", "trace"];

fn testbed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").canonicalize().unwrap()
}

/// True if stock ttnn can be run here; otherwise says what is missing.
fn is_installed() -> bool {
    is_installed_with(&[])
}

/// True if stock ttnn and what options of `testbed/install` add can be run here; otherwise says what is missing.
fn is_installed_with(options: &[&str]) -> bool {
    let output = Command::new(testbed().join("install")).args(options).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => true,
        Some(3) => {
            eprintln!("passed over: {}", error.lines().last().unwrap_or("testbed/install said no"));
            false
        }
        code => panic!("testbed/install ended with {code:?}: {error}"),
    }
}

/// A program in a mount namespace with a `/dev/shm` of its own: what processes leave there goes with it.
fn in_own_shm(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "bash", "-c"]);
    command.args(["mount -t tmpfs tmpfs /dev/shm && exec \"$@\"", "bash", program]);
    command
}

fn ttmem_in_own_shm() -> Command {
    in_own_shm(env!("CARGO_BIN_EXE_ttmem"))
}

/// A workload that pauses after each step. Its memory regions are in a directory of the test's.
struct Workload {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Workload {
    fn start(mock: &str, shm: &Path, arguments: &[&str]) -> Self {
        Self::start_with(&["--mock", mock, &format!("--private-shm={}", shm.display())], arguments)
    }

    fn start_with(run: &[&str], arguments: &[&str]) -> Self {
        Self::start_in(&[], run, arguments)
    }

    /// Starts the workload with variables added to its environment.
    fn start_in(variables: &[(&str, &str)], run: &[&str], arguments: &[&str]) -> Self {
        let mut command = Command::new(testbed().join("run"));
        Self::of(command.args(run).envs(variables.iter().copied()), arguments)
    }

    /// The workload under a command that runs it with its own standard streams.
    fn of(command: &mut Command, arguments: &[&str]) -> Self {
        let script = testbed().join("workload.py");
        let mut workload = Self::spawn(command.arg(script).arg("--stepwise").args(arguments));
        assert_eq!(workload.line()["step"], "open");
        workload
    }

    /// Another script of the testbed on a mock n150, under the agent.
    fn under_agent(script: &str, shm: &Path) -> Self {
        let mut command = Command::new(testbed().join("run"));
        command.args(["--mock", "n150", &format!("--private-shm={}", shm.display())]);
        Self::spawn(command.arg(testbed().join(script)).env("LD_PRELOAD", agent_library::build()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Lets it take a step and returns what it says then.
    fn step(&mut self) -> Value {
        self.input.write_all(b"next\n").unwrap();
        self.line()
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

fn snapshot() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem")).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn process<'a>(snapshot: &'a Value, pid: &Value) -> &'a Value {
    let mut processes = snapshot["processes"].as_array().unwrap().iter();
    processes.find(|process| &process["pid"] == pid).unwrap()
}

/// The bytes of a process on a chip, by kind.
fn bytes<'a>(process: &'a Value, chip: &str) -> Option<&'a Value> {
    let mut chips = process["chips"].as_array().unwrap().iter();
    chips.find(|on| on["chip"] == chip).map(|on| &on["memory"])
}

/// Compares what is shown of a workload with what it said.
fn assert_equal(snapshot: &Value, said: &Value) {
    assert_equal_as(snapshot, &said["pid"], said);
}

/// Returns the memory of a workload whose pid here is another than in its namespace.
fn assert_equal_as(snapshot: &Value, pid: &Value, said: &Value) {
    let process = process(snapshot, pid);
    assert_eq!(process["state"], "live");
    let chips = said["chips"].as_array().unwrap();
    assert!(!chips.is_empty());
    for chip in chips {
        let id = format!("0x{:016x}", chip["asic_id"].as_u64().unwrap());
        let step = format!("{} on {id}", said["step"]);
        let shown = bytes(process, &id).unwrap_or_else(|| panic!("{step}: no such chip"));
        for kind in KINDS {
            assert_eq!(shown[kind]["value"], chip["requested"][kind], "{kind} after {step}");
            assert_eq!(shown[kind]["quality"], "approximate", "{kind} after {step}");
        }
    }
}

fn is_empty(said: &Value) -> bool {
    let chips = said["chips"].as_array().unwrap();
    chips.iter().all(|chip| KINDS.iter().all(|kind| chip["requested"][kind] == 0))
}

#[test]
fn every_step_of_a_workload_is_shown_to_the_byte() {
    if !is_installed() {
        return;
    }
    for mock in ["n150", "t3000", "galaxy", "p150", "p300", "p100"] {
        let shm = tempfile::tempdir().unwrap();
        let steps =
            ["dram=33", "l1=5", "sharded", "l1_small", "trace", "free=l1", "dram=7", "free"];
        let mut workload = Workload::start(mock, shm.path(), &steps);
        for _ in steps {
            let said = workload.step();
            assert_equal(&snapshot(), &said);
            assert_eq!(is_empty(&said), said["step"] == "free", "{mock}: {said}");
        }
        workload.end();
    }
}

/// Returns the memory of all processes in a state on a chip: mock chips have equal ids in every test.
fn sum(snapshot: &Value, chip: &str, kind: &str, state: &str) -> u64 {
    let processes = snapshot["processes"].as_array().unwrap().iter();
    let such = processes.filter(|process| process["state"] == state);
    such.filter_map(|process| bytes(process, chip)?[kind]["value"].as_u64()).sum()
}

#[test]
fn two_processes_share_a_chip_and_one_of_them_is_killed() {
    if !is_installed() {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let mut first = Workload::start("n150", shm.path(), &["dram=20", "l1=2", "dram=1"]);
    let mut second = Workload::start("n150", shm.path(), &["dram=10", "l1_small"]);
    first.step();
    let said_by_first = first.step();
    second.step();
    let said_by_second = second.step();
    let both = snapshot();
    assert_equal(&both, &said_by_first);
    assert_equal(&both, &said_by_second);

    let (pid, id) = (said_by_second["pid"].clone(), said_by_second["chips"][0]["asic_id"].clone());
    second.kill();
    let after = snapshot();
    assert_equal(&after, &said_by_first);
    let gone = process(&after, &pid);
    assert_eq!(gone["state"], "stale");
    let id = format!("0x{:016x}", id.as_u64().unwrap());
    let left = bytes(gone, &id).unwrap();
    let chips = after["chips"].as_array().unwrap();
    let chip = chips.iter().find(|chip| chip["id"] == id.as_str()).unwrap();
    for kind in KINDS {
        let requested = |said: &Value| said["chips"][0]["requested"][kind].clone();
        assert_eq!(left[kind]["value"], requested(&said_by_second), "{kind}");
        assert_eq!(left[kind]["quality"], "stale", "{kind}");
        let memory = &chip["memory"][kind];
        assert_eq!(memory["used"]["value"], sum(&after, &id, kind, "live"), "{kind}");
        let left = sum(&after, &id, kind, "stale");
        assert_eq!(memory["stale"]["value"], left, "{kind}");
    }
    let findings = after["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|finding| finding["id"] == "stale-memory" && finding["pid"] == pid)
    );
    let said = first.step();
    assert_equal(&snapshot(), &said);
    first.end();
}

#[test]
fn a_workload_in_a_container_is_shown_by_its_number_on_the_host() {
    if !is_installed() {
        return;
    }
    let mut workload = Workload::start_with(&["--mock", "n150", "--container"], &["dram=3"]);
    let said = workload.step();
    assert_eq!(said["pid"], 1, "inside it is the first process");
    let starter = workload.child.id();
    let children = std::fs::read_to_string(format!("/proc/{starter}/task/{starter}/children"));
    let on_the_host: Value = children.unwrap().trim().parse::<i64>().unwrap().into();
    assert_ne!(on_the_host, said["pid"]);
    let shown = snapshot();
    assert_eq!(process(&shown, &on_the_host)["state"], "live");
    assert_equal_as(&shown, &on_the_host, &said);
    workload.end();
}
