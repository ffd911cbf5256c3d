//! Processes in namespaces of their own, and `ttmem` in others: no memory is given to the wrong process, and no segment
//! of a living one is removed.
//!
//! Few rounds as a test; `NAMESPACES=100` makes a campaign, and `SEED` other mixtures.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_model::snapshot::{Process, ProcessState};
use ttmem_model::{ChipId, Snapshot};
use ttmem_segment::AllocatorKind;
use ttmem_test_support::random::{Random, number};

/// The DRAM banks of the made-up chips.
const BANKS: u64 = 12;

/// Ticks of `/proc/PID/stat` in a second: `sysconf(_SC_CLK_TCK)` on x86-64 Linux.
const TICKS: u64 = 100;

/// More than the two ticks within which processes of one number are confused.
const APART: Duration = Duration::from_millis(40);

/// The most owners at a time. Their chips have the ids from 1 to this.
const MOST_OWNERS: u64 = 5;

/// Seconds by which a time namespace shifts the time since boot.
const SHIFT: u64 = 5000;

/// The namespaces in which a process starts, beside a mount namespace that always is its own.
#[derive(Clone, Copy, Debug)]
struct Namespaces {
    pid: bool,
    time: bool,
    user: bool,
}

impl Namespaces {
    fn random(random: &mut Random) -> Self {
        let bits = random.below(8);
        Self { pid: bits & 1 != 0, time: bits & 2 != 0, user: bits & 4 != 0 }
    }

    /// Returns a start in clock ticks as a process there reads it.
    fn shifted(self, start: u64) -> u64 {
        start + if self.time { SHIFT * TICKS } else { 0 }
    }

    /// Runs `arguments` there. `shm` takes the place of `/dev/shm`.
    fn command(self, shm: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--fork", "--kill-child"]);
        if self.user || !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        if self.pid {
            command.args(["--pid", "--mount-proc"]);
        }
        if self.time {
            command.args(["--time", "--boottime", &SHIFT.to_string()]);
        }
        // The machine's own server is out of sight.
        let script = "if [ -d /run/ttmem ]; then mount -t tmpfs tmpfs /run/ttmem; fi && \
                      mount --bind \"$0\" /dev/shm && exec \"$@\"";
        command.args(["bash", "-c", script]).arg(shm).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A process with a segment.
struct Owner {
    parent: Child,
    /// Pid outside the namespace.
    pid: i32,
    /// Pid in its own namespace, and start in clock ticks outside of it.
    number: i32,
    start: u64,
    segment: String,
    bytes: u64,
}

impl Owner {
    /// Starts a process that sleeps, and writes its segment. Gives the words of `unshare` where such namespaces are not
    /// allowed. A process that is like another is started again.
    fn start(namespaces: Namespaces, shm: &Path, others: &[Self]) -> Result<Self, String> {
        let index = others.len() as u64;
        loop {
            let parent = namespaces.command(shm, &["sleep", "1000"]).spawn().unwrap();
            let Some(pid) = sleeper(parent.id()) else {
                let error = parent.wait_with_output().unwrap().stderr;
                return Err(format!("{namespaces:?}: {}", String::from_utf8_lossy(&error)));
            };
            let (number, start) = (inner_number(pid), start_ticks(pid));
            let bytes = (index + 1) << 20;
            let segment = Segment::wormhole(number, namespaces.shifted(start), index + 1)
                .allocate(NewBuffer::new(AllocatorKind::Dram, bytes, "Matmul"));
            let name = segment.name();
            let owner = Self { parent, pid, number, start, segment: name, bytes: bytes * BANKS };
            if others.iter().any(|other| owner.is_like(other)) {
                owner.kill();
                continue;
            }
            fs::write(shm.join(&owner.segment), segment.image()).unwrap();
            return Ok(owner);
        }
    }

    /// True if it began within two ticks of a process with its number: the ticks of a time namespace are rounded, so that
    /// the name of a segment does not tell whose it is.
    fn is_like(&self, other: &Self) -> bool {
        self.number == other.number && self.start.abs_diff(other.start) <= 2
    }

    /// Kills the process. Its parent then collects it and ends.
    fn kill(mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        self.parent.wait().unwrap();
    }
}

/// Waits for the `sleep` below a process; `None` if that one ends.
fn sleeper(parent: u32) -> Option<i32> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    loop {
        let pid: Option<i32> = fs::read_to_string(&children).ok()?.trim().parse().ok();
        let name = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        if name.is_some_and(|name| name == "sleep\n") {
            return pid;
        }
        let stat = fs::read_to_string(format!("/proc/{parent}/stat")).ok()?;
        if stat.contains(") Z ") {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Returns the number of a process in its innermost namespace.
fn inner_number(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// Returns the start of a process in clock ticks since boot.
fn start_ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let field = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    field.parse().unwrap()
}

fn ttmem(namespaces: Namespaces, shm: &Path, arguments: &[&str]) -> Output {
    let program = [&[env!("CARGO_BIN_EXE_ttmem")], arguments].concat();
    namespaces.command(shm, &program).output().unwrap()
}

/// Every living process that is listed with a chip of these owners has its own number and its own bytes. From the first
/// namespace, all are listed, and other processes of the machine with the chips that they use.
fn assert_memory_is_of_its_owner(seen_from: Namespaces, snapshot: &Snapshot, owners: &[Owner]) {
    let live = snapshot.processes.iter().filter(|process| process.state == ProcessState::Live);
    let has_chip_of_owner = |process: &&Process| {
        let mut chips = process.chips.iter();
        chips.any(|on| matches!(on.chip, ChipId::Known(id) if id <= MOST_OWNERS))
    };
    let mut listed = 0;
    for process in live.filter(has_chip_of_owner) {
        let owner = owners.iter().find(|owner| owner.pid == process.pid.0);
        let owner = owner.unwrap_or_else(|| panic!("{seen_from:?} names {process:?}"));
        let [chip] = &process.chips[..] else { panic!("{process:?}") };
        assert_eq!(chip.memory.dram.value(), Some(&owner.bytes), "{seen_from:?}: {process:?}");
        listed += 1;
    }
    let expected = if is_first_namespace() && !seen_from.pid { owners.len() } else { listed };
    assert_eq!(listed, expected, "{seen_from:?}: {:?}", snapshot.processes);
    assert!(!seen_from.pid || listed == 0, "{seen_from:?}: {:?}", snapshot.processes);
}

/// True if every process of the machine is visible here. The kernel gives its first pid namespace this number.
fn is_first_namespace() -> bool {
    fs::read_link("/proc/self/ns/pid").unwrap().as_os_str() == "pid:[4026531836]"
}

fn round(random: &mut Random) -> Result<usize, String> {
    let shm = tempfile::tempdir().unwrap();
    let shm = shm.path();
    let mut owners = Vec::new();
    for _ in 0..2 + random.below(MOST_OWNERS - 1) {
        owners.push(Owner::start(Namespaces::random(random), shm, &owners)?);
    }
    // `ttmem` is the first process of its namespace, as an owner may be of another: it must not begin in the same tick.
    std::thread::sleep(APART);
    let dead = owners.remove(0);
    let stale = shm.join(&dead.segment);
    dead.kill();

    for _ in 0..3 {
        let seen_from = Namespaces::random(random);
        let output = ttmem(seen_from, shm, &["--json"]);
        let error = String::from_utf8_lossy(&output.stderr);
        let snapshot = serde_json::from_slice(&output.stdout);
        let snapshot = snapshot.unwrap_or_else(|_| panic!("{seen_from:?}: {error}"));
        assert_memory_is_of_its_owner(seen_from, &snapshot, &owners);

        let output = ttmem(seen_from, shm, &["doctor", "--clean", "--yes"]);
        assert_eq!(output.status.code(), Some(0), "{seen_from:?}: {output:?}");
        for owner in &owners {
            assert!(
                shm.join(&owner.segment).exists(),
                "{seen_from:?} removed that of {}",
                owner.pid
            );
        }
        if seen_from.pid || !is_first_namespace() {
            continue;
        }
        assert!(!stale.exists(), "{seen_from:?}: {output:?}");
    }
    let living = owners.len();
    owners.into_iter().for_each(Owner::kill);
    Ok(living)
}

#[test]
fn memory_in_other_namespaces_is_of_its_owner() {
    let (mut random, rounds) = (Random::from_environment(), number("NAMESPACES", 2));
    let mut processes = 0;
    for _ in 0..rounds {
        match round(&mut random) {
            Ok(living) => processes += living,
            Err(why) => {
                println!("passed over: {why}");
                return;
            }
        }
    }
    println!("{rounds} rounds, {processes} processes");
    assert!(processes > 0);
}
