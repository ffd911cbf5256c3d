//! L1 by the agent inside stock ttnn, compared with L1 of real captures: the same ops with the same shapes on a mock device with
//! as many cores place the same ranges on every core.
//!
//! Needs what `testbed/install` needs: `cargo test --package ttmem-agent --features real-ttnn --test real_l1`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what a test passes over is said")]

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "real_l1/kernels.rs"]
mod kernels;
#[path = "real_l1/random.rs"]
mod random;
#[path = "real_l1/sweep.rs"]
mod sweep;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use ttmem_segment::{CoreRange, PartKind, Programs, RefusalKind, Resident, Segment};

/// The release that the captures are of.
const CAPTURED: &str = "0.81.1";

/// Directories of `fixtures/l1`, the mock machine with as many cores, and whether dispatch is slow. Captures of traces and
/// sub-devices are missing: TT-Metal does not run these on mock devices.
const SITUATIONS: [(&str, &str, bool); 10] = [
    ("wormhole", "n150", true),
    ("wormhole-ops", "n150", true),
    ("wormhole-fast-dispatch", "n150", false),
    ("wormhole-fast-real", "n150_whole", false),
    ("wormhole-slow-finished", "n150", true),
    ("wormhole-large-ring", "n150", true),
    ("wormhole-two-queues", "n150", true),
    ("wormhole-remote-cb", "n150", true),
    ("blackhole", "p150_130", true),
    ("blackhole-ops", "p150_130", true),
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).canonicalize().unwrap()
}

/// The steps of a situation, each with the segment after it.
struct Steps {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    shm: TempDir,
}

impl Steps {
    fn start(version: &str, situation: (&str, &str, bool)) -> Self {
        Self::start_script(version, "l1_steps.py", situation)
    }

    fn start_script(version: &str, script: &str, situation: (&str, &str, bool)) -> Self {
        Self::start_with(&[], version, script, situation)
    }

    /// Starts a script with options that `testbed/install` and `testbed/run` have both.
    fn start_with(
        options: &[&str],
        version: &str,
        script: &str,
        (situation, mock, is_slow): (&str, &str, bool),
    ) -> Self {
        let mut install = Command::new(repository("testbed").join("install"));
        let install = install.args(options).arg(version).output().unwrap();
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        let shm = TempDir::new().unwrap();
        let mut private = std::ffi::OsString::from("--private-shm=");
        private.push(shm.path());
        let mut command = Command::new(repository("testbed").join("run"));
        if is_slow {
            command.env("TT_METAL_SLOW_DISPATCH_MODE", "1");
        }
        let mut child = command
            .args(["--mock", mock, "--ttnn", version])
            .args(options)
            .arg(private)
            .arg(repository("testbed").join(script))
            .arg(situation)
            .env("LD_PRELOAD", common::library())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // As the captures were made.
            .env("TT_METAL_DISABLE_SFPLOADMACRO", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, shm }
    }

    /// The next step: its line, and the segment.
    fn next(&mut self) -> Option<(Value, Segment)> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        if line.is_empty() {
            assert!(self.child.wait().unwrap().success(), "the steps failed");
            return None;
        }
        let step: Value = serde_json::from_str(&line).unwrap();
        let pid = u32::try_from(step["pid"].as_u64().unwrap()).unwrap();
        let segment = common::segment(self.shm.path(), pid);
        writeln!(self.input).unwrap();
        Some((step, segment))
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

type Ranges = BTreeSet<(u64, u64)>;

/// What the agent says is in L1 of a core.
fn resident(programs: &Programs, core: (u16, u16)) -> Option<Ranges> {
    match programs.resident(0, core) {
        Resident::Nothing => Some(Ranges::new()),
        Resident::Unknown => None,
        Resident::Footprint(footprint) => {
            let buffers = footprint.circular_buffers_on(core);
            Some(buffers.map(|placement| (placement.address, placement.bytes)).collect())
        }
    }
}

/// Bytes of the empty kernel of the captures on each processor.
const STAND_IN_CAPTURED: u64 = 268;
/// Bytes of the empty kernel of the testbed on each processor.
const STAND_IN_HERE: u64 = 256;

/// True if the captured kernels come from a compiler that makes empty ones.
fn has_stand_ins(situation: &str) -> bool {
    !["wormhole-fast-real", "wormhole-two-queues"].contains(&situation)
}

/// Kernel text that the agent says is in L1 of a core.
fn kernel_text(programs: &Programs, core: (u16, u16)) -> Option<u64> {
    match programs.resident(0, core) {
        Resident::Nothing => Some(0),
        Resident::Unknown => None,
        Resident::Footprint(footprint) => footprint.kernel_text_on(core),
    }
}

/// What a capture has on a core: where it is, and its circular buffers.
fn captured(core: &Value) -> ((u16, u16), Ranges) {
    let number = |value: &Value| value.as_u64().unwrap();
    let coordinate = |index: usize| u16::try_from(number(&core["logical"][index])).unwrap();
    let buffers = core["cbs"].as_array().unwrap().iter();
    let ranges = buffers.map(|buffer| (number(&buffer["address"]), number(&buffer["size"])));
    ((coordinate(0), coordinate(1)), ranges.collect())
}

#[test]
fn every_core_has_the_ranges_that_were_captured() {
    let mut compared = 0;
    for situation in SITUATIONS {
        let mut steps = Steps::start(CAPTURED, situation);
        while let Some((step, segment)) = steps.next() {
            let step = step["step"].as_str().unwrap();
            let expected = repository("fixtures/l1").join(situation.0).join(step);
            let Ok(text) = std::fs::read(expected.join("expected.json")) else { continue };
            let expected: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(segment.losses.torn, 0);
            for core in expected["cores"].as_array().unwrap() {
                let (position, ranges) = captured(core);
                let resident = resident(&segment.programs, position);
                assert_eq!(resident, Some(ranges), "{} {step} {position:?}", situation.0);
                let text = core["kernel_text_bytes"].as_u64().unwrap();
                // TT-Metal's own dispatch kernels are no program of the application.
                if has_stand_ins(situation.0) && text.is_multiple_of(STAND_IN_CAPTURED) {
                    let wanted = text / STAND_IN_CAPTURED * STAND_IN_HERE;
                    let text = kernel_text(&segment.programs, position);
                    assert_eq!(text, Some(wanted), "{} {step} {position:?}", situation.0);
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 31, "captures");
}

/// Releases of which there are no captures: ttnn's own graph capture says where circular buffers are, in the step that
/// places them first.
#[test]
fn other_releases_agree_with_their_own_graph_capture() {
    for version in ["0.80.0", "0.76.0"] {
        let mut steps = Steps::start(version, ("wormhole-ops", "n150", true));
        let mut compared = 0;
        while let Some((step, segment)) = steps.next() {
            let buffers = step["circular_buffers"].as_array().unwrap();
            let field = |buffer: &Value, index: usize| buffer[index].as_u64().unwrap();
            let own: Ranges = buffers
                .iter()
                .filter(|buffer| field(buffer, 2) == 0)
                .map(|buffer| (field(buffer, 0), field(buffer, 1)))
                .collect();
            let newest = segment.programs.dispatches.last().unwrap().footprint.unwrap();
            let footprint = segment.programs.footprint(newest).unwrap();
            let placed: Ranges = footprint
                .placements
                .iter()
                .filter(|it| it.kind == PartKind::CircularBuffer && !it.is_backed)
                .map(|it| (it.address, it.bytes))
                .collect();
            // Of a program that was cached, the graph has nothing. A step may dispatch several programs; it has the buffers
            // of all.
            if own.is_empty() {
                continue;
            }
            assert!(placed.is_subset(&own), "{version} {}: {placed:?} {own:?}", step["step"]);
            compared += usize::from(!placed.is_empty());
            assert_eq!(segment.programs.losses.unknown_dispatches, 0);
        }
        assert!(compared >= 5, "{version}: {compared}");
    }
}

/// A refused program is recorded with the numbers of TT-Metal's own message, and with the range of cores that it names.
#[test]
fn a_clash_is_recorded_as_tt_metal_reports_it() {
    for version in [CAPTURED, "0.76.0"] {
        let mut steps = Steps::start_script(version, "l1_clash.py", ("", "n150", false));
        let mut count = 0;
        while let Some((step, segment)) = steps.next() {
            let message = step["message"].as_str().unwrap();
            let number_after = |text: &str| -> u64 {
                let (_, rest) = message.split_once(text).unwrap_or_else(|| panic!("{message}"));
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().unwrap()
            };
            let refusal = &segment.programs.refusals[count];
            count += 1;
            assert_eq!(refusal.kind, RefusalKind::Clash, "{version}");
            assert_eq!(refusal.program, number_after("in program "), "{version}");
            assert_eq!(refusal.end, Some(number_after("region ends at ")), "{version}");
            assert_eq!(refusal.limit, Some(number_after("L1 buffer allocated at ")), "{version}");
            let CoreRange { start, end } = refusal.cores;
            let cores = format!("[{}-{} - {}-{}]", start.0, start.1, end.0, end.1);
            assert!(message.contains(&cores), "{version}: {cores} in {message}");
            assert_eq!(refusal.buffer.as_ref().unwrap().bytes_per_bank, 1_310_720, "{version}");
        }
        assert_eq!(count, 2, "{version}");
    }
}

/// TT-Metal 0.72 places nothing on a mock device: dispatches are counted, and nothing is guessed.
#[test]
fn what_is_not_placed_is_not_known() {
    let mut steps = Steps::start("0.72.0", ("wormhole", "n150", true));
    let mut number = 0;
    while let Some((_, segment)) = steps.next() {
        number += 1;
        assert!(segment.programs.dispatched >= number);
        assert_eq!(segment.programs.losses.unknown_dispatches, segment.programs.dispatched);
        assert_eq!(resident(&segment.programs, (0, 0)), None);
    }
    assert_eq!(number, 5);
}
