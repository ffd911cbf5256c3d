//! The cost of the agent: `cargo bench --package ttmem-agent`. Runs with and without it alternate in one process, so that
//! other load on the machine affects both.
//!
//! - the C++ host: one free and one allocation, with one thread and with four;
//! - the start of a program that has nothing to do with TT-Metal;
//! - with `-- ttnn`, stock ttnn on a mock n150 (see `testbed/`): allocate and free, and an op, in several processes and in one;
//! - with `-- stacks`, the same allocate and free under Python calls, with and without stacks.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and may panic"
)]

#[path = "../tests/common/mod.rs"]
mod common;
#[expect(dead_code, reason = "it is there for the tests")]
#[path = "../tests/common/host.rs"]
mod program;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use program::{Form, Host};

const ROUNDS: usize = 25;
const PAIRS: usize = 50_000;

fn main() {
    let library = release_library();
    println!("library: {} bytes", std::fs::metadata(&library).unwrap().len());
    pairs(&library);
    dispatches(&library);
    if !std::env::args().any(|a| a == "quick") {
        start_up(&library);
    }
    if std::env::args().any(|argument| argument == "ttnn") {
        ttnn(&library);
        ops(&library);
        turns(&library);
    }
    if std::env::args().any(|argument| argument == "stacks") {
        stacks(&library);
    }
}

/// The library as it is delivered.
fn release_library() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--package", "ttmem-agent"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("release/libttmem_agent.so").canonicalize().unwrap()
}

fn pairs(library: &Path) {
    let mut hosts = [
        Host::start_with(Form::New, |_| {}),
        Host::start_with(Form::New, |command| {
            command.env("LD_PRELOAD", library);
        }),
    ];
    for host in &mut hosts {
        host.tell("open 1 0");
    }
    for (threads, live) in [(1, 100), (1, 20_000), (1, 60_000), (4, 100)] {
        let mut means = [Vec::new(), Vec::new()];
        let mut tails = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (index, host) in hosts.iter_mut().enumerate() {
                let answer = host.tell(&format!("times {threads} {PAIRS} {live}"));
                let (mean, tail) = answer.split_once(' ').unwrap();
                means[index].push(mean.parse().unwrap());
                tails[index].push(tail.parse().unwrap());
            }
        }
        let [mean, tail] = [means, tails].map(|values| values.map(typical));
        println!(
            "free and allocate, {threads} threads, {live} live buffers each: mean {:.0} -> {:.0} ns, {:+.0}; p99 {:.0} -> {:.0} ns, {:+.0}",
            mean[0],
            mean[1],
            mean[1] - mean[0],
            tail[0],
            tail[1],
            tail[1] - tail[0],
        );
    }
}

/// A cached dispatch of a program with three circular buffers on 64 cores, and of one whose buffers are tensors.
fn dispatches(library: &Path) {
    let mut hosts = [
        Host::start_with(Form::New, |_| {}),
        Host::start_with(Form::New, |command| {
            command.env("LD_PRELOAD", library);
        }),
    ];
    for host in &mut hosts {
        for command in [
            "open 1 0",
            "allocate a 1 2048 64",
            "allocate b 1 2048 64",
            "program own 0 0 7 7 4096 4096 4096 4096",
            "program backed 0 0 7 7 4096 4096 @a @b",
        ] {
            host.tell(command);
        }
    }
    for name in ["own", "backed"] {
        let mut means = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (host, means) in hosts.iter_mut().zip(&mut means) {
                let answer = host.tell(&format!("dispatch_times {name} {PAIRS}"));
                means.push(answer.parse().unwrap());
            }
        }
        let [without, with] = means.map(typical);
        println!(
            "cached dispatch, {name} buffers: mean {without:.0} -> {with:.0} ns, {:+.0}",
            with - without
        );
    }
}

fn start_up(library: &Path) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (index, times) in times.iter_mut().enumerate() {
            let mut command = Command::new("/bin/true");
            if index == 1 {
                command.env("LD_PRELOAD", library);
            }
            let start = Instant::now();
            command.status().unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [without, with] = times.map(typical);
    println!("start of /bin/true: {without:.2} -> {with:.2} ms, {:+.2}", with - without);
}

fn ttnn(library: &Path) {
    let testbed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").canonicalize().unwrap();
    assert!(Command::new(testbed.join("install")).status().unwrap().success());
    let start =
        |tracking: bool, agent: bool| Ttnn::start(&testbed, tracking, agent.then_some(library));
    let names = ["neither", "upstream tracking", "agent", "both"];
    let mut runs = [start(false, false), start(true, false), start(false, true), start(true, true)];
    for what in ["pairs", "ops"] {
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for (run, times) in runs.iter_mut().zip(&mut times) {
                times.push(run.measure(what));
            }
        }
        let times = times.map(typical);
        for (name, time) in names.iter().zip(times) {
            println!(
                "ttnn {what}, {name}: {time:.3} us, {:+.1} %",
                (time / times[0] - 1.0) * 100.0
            );
        }
    }
}

/// Allocate and free under 17 Python calls: without the agent, with it, and with it but without stacks.
fn stacks(library: &Path) {
    const PROCESSES: usize = 6;
    let testbed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").canonicalize().unwrap();
    let cases =
        [("without the agent", None), ("agent, no stacks", Some("0")), ("agent", Some("1"))];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..PROCESSES {
        let mut runs = cases.map(|(_, stacks)| {
            Ttnn::start_with(&testbed, false, stacks.map(|_| library), |command| {
                command.env("TTMEM_STACKS", stacks.unwrap_or("0"));
            })
        });
        for _ in 0..ROUNDS {
            for (run, times) in runs.iter_mut().zip(&mut times) {
                times.push(run.measure("nested"));
            }
        }
    }
    let times = times.map(typical);
    for ((name, _), time) in cases.iter().zip(times) {
        println!("ttnn nested pairs, {name}: {time:.3} us, {:+.3} us", time - times[0]);
    }
}

/// `ttnn.add` in pairs of processes, without and with the agent; and ttnn's own graph capture of the same loop.
fn ops(library: &Path) {
    const PAIRS: usize = 12;
    let testbed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").canonicalize().unwrap();
    let mut slower = Vec::new();
    let [mut plain, mut with, mut captured] = [const { Vec::new() }; 3];
    for _ in 0..PAIRS {
        let mut runs = [None, Some(library)].map(|agent| Ttnn::start(&testbed, false, agent));
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (run, times) in runs.iter_mut().zip(&mut times) {
                times.push(run.measure("ops"));
            }
        }
        times[2] = (0..3).map(|_| runs[0].measure("captured")).collect();
        let [without, agent, capture] = times.map(typical);
        slower.push((agent / without - 1.0) * 100.0);
        plain.push(without);
        with.push(agent);
        captured.push(capture);
    }
    slower.sort_unstable_by(f64::total_cmp);
    let median = (slower[PAIRS / 2 - 1] + slower[PAIRS / 2]) / 2.0;
    println!(
        "ttnn.add with the agent, median of {PAIRS} pairs of processes: {median:+.2} % {slower:.2?}"
    );
    let [plain, with, captured] = [plain, with, captured].map(typical);
    println!(
        "ttnn.add: {plain:.2} us; agent {:+.3} us, graph capture {:+.3} us",
        with - plain,
        captured - plain
    );
}

/// Measures the loops in turns inside one process, by wall time: two processes differ by more than the agent costs.
fn turns(library: &Path) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    for _ in 0..3 {
        let output = Command::new(manifest.join("../../testbed/run").canonicalize().unwrap())
            .args(["--mock", "n150", "--private-shm"])
            .arg(manifest.join("benches/turns.py"))
            .env("LD_PRELOAD", library)
            .env("TT_METAL_SHM_TRACKING_DISABLED", "1")
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            println!("in turns in one process, {line}");
        }
    }
}

/// A process with ttnn that measures on request.
struct Ttnn {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Ttnn {
    fn start(testbed: &Path, tracking: bool, agent: Option<&Path>) -> Self {
        Self::start_with(testbed, tracking, agent, |_| {})
    }

    fn start_with(
        testbed: &Path,
        tracking: bool,
        agent: Option<&Path>,
        set: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(testbed.join("run"));
        command.args(["--mock", "n150", "--private-shm"]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ttnn_loops.py"));
        if !tracking {
            command.env("TT_METAL_SHM_TRACKING_DISABLED", "1");
        }
        if let Some(library) = agent {
            command.env("LD_PRELOAD", library);
        }
        set(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut run = Self { child, input, output };
        run.measure("pairs");
        run.measure("ops");
        run
    }

    /// Microseconds of one pair or op.
    fn measure(&mut self, what: &str) -> f64 {
        writeln!(self.input, "{what}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Ttnn {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The value that a quarter of the rounds stays below: what else runs on the machine only ever adds.
fn typical(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 4]
}
