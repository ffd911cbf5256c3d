//! `ttmem top` over a while: ten times a second on a host of 32 chips that changes, its memory stays the same.
//!
//! It runs for 20 seconds, or for as long as `TTMEM_SOAK_SECONDS` says, and with that for a second hour of samples instead of a quarter
//! of one:
//!
//! ```sh
//! TTMEM_SOAK_SECONDS=600 cargo test --release -p ttmem --test top_soak -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ttmem_fake::{BYTES, Board, Host, PID, Process, Region};
use ttmem_model::facts::RegionBytes;

/// The seconds of a campaign.
fn asked() -> Option<u64> {
    std::env::var("TTMEM_SOAK_SECONDS").ok()?.parse().ok()
}

fn seconds() -> u64 {
    asked().unwrap_or(20)
}

/// The resources that a process of the host has used.
struct Use {
    resident_kib: u64,
    cpu: Duration,
}

fn use_of(pid: u32) -> Use {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident_kib = resident.split_whitespace().next().unwrap().parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Use { resident_kib, cpu: Duration::from_millis(ticks * 10) }
}

/// Rewrites every region of the host with other numbers.
fn change(host: &std::path::Path, ids: &[u64], round: u64) {
    for (chip, id) in (0..).zip(ids) {
        let dram = BYTES.dram + ((round * 37 + chip * 11) % 512) * (1 << 20);
        let l1 = BYTES.l1 + ((round * 13 + chip * 7) % 64) * (64 << 10);
        let bytes = RegionBytes { dram, l1, ..BYTES };
        let image = Region::new(*id).slot(PID, "python3", bytes).image();
        let path = host.join(format!("dev/shm/tt_device_{id}_memory"));
        std::fs::write(path, image).unwrap();
    }
}

/// The process whose name is `ttmem` below the one that has a pane.
fn ttmem_below(socket: &str) -> u32 {
    let output = Command::new("tmux")
        .args(["-L", socket, "display-message", "-p", "-t", "t", "#{pane_pid}"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn memory_stays_flat_while_everything_changes() {
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("host");
    let made = [0xc1, 0x81, 0x01, 0x41]
        .into_iter()
        .fold(Host::new(), |host, bus| host.board(Board::galaxy_tray(bus)))
        .workload(Process::new(PID, "python3"), BYTES);
    let ids = made.region_ids();
    made.into_tree().write_to(&host).unwrap();
    let socket = format!("ttmem-soak-{}", std::process::id());
    let command = format!(
        "exec env HOME={0} TERM=tmux-256color LANG=C.UTF-8 {1} top --root {2} --interval 100ms \
         --view charts",
        folder.path().display(),
        env!("CARGO_BIN_EXE_ttmem"),
        host.display()
    );
    let started = Command::new("tmux")
        .args(["-L", &socket, "-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50"])
        .args(["-s", "t", &command])
        .output();
    let Ok(output) = started else {
        assert!(std::env::var_os("CI").is_none(), "tmux is not installed");
        eprintln!("passed over: tmux is not installed");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    sleep(Duration::from_millis(500));
    let pid = ttmem_below(&socket);
    let begin = Instant::now();
    let long = Duration::from_secs(seconds());
    let mut resident = Vec::new();
    let mut round = 0;
    while begin.elapsed() < long {
        change(&host, &ids, round);
        round += 1;
        if round % 10 == 0 {
            resident.push(use_of(pid).resident_kib);
        }
        sleep(Duration::from_millis(100));
    }
    let end = use_of(pid);
    drop(Command::new("tmux").args(["-L", &socket, "kill-server"]).output());
    let share = end.cpu.as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0;
    let half = resident[resident.len() / 2];
    let last = resident[resident.len() - 1];
    eprintln!(
        "{} s at 100 ms, 32 chips: {share:.1} % of a core, {} KiB at first, {half} KiB half way, \
         {last} KiB at the end",
        seconds(),
        resident[0]
    );
    // The history fills for an hour. Beyond what it may take, a second half that grows is a leak.
    assert!(last <= half + 2_048, "{resident:?}");
}

#[test]
fn an_hour_of_thirty_two_chips_is_bounded() {
    let mut live = ttmem::testing::Live::galaxy(1, 3_601);
    let resident = || use_of(std::process::id()).resident_kib;
    let at_one_hour = resident();
    let samples = if asked().is_some() { 3_600 } else { 900 };
    (0..samples).for_each(|_| live.sample());
    let grown = resident().saturating_sub(at_one_hour);
    eprintln!("{grown} KiB more after {samples} samples beyond the first hour");
    assert!(grown * 3_600 < 1_024 * samples, "{grown} KiB more after {samples} samples");
}
