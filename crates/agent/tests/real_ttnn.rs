//! The agent inside stock ttnn on mock devices: what it says must be what TT-Metal says, to the byte.
//!
//! Needs what `testbed/install` needs: `cargo test --package ttmem-agent --features real-ttnn --test real_ttnn`.
//! `TTMEM_TTNN_VERSIONS` names other releases than those of [`VERSIONS`], separated by commas.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use ttmem_segment::{
    AgentState, Allocator, AllocatorKind, AllocatorRole, Counts, Event, NameSource, Segment,
};

/// The last, one between, and the first that runs on mock devices. Before 0.80 buffers do not tell their kind, size and
/// device.
const VERSIONS: [&str; 3] = ["0.81.1", "0.76.0", "0.66.0"];
const MOCKS: [&str; 6] = ["n150", "t3000", "galaxy", "p150", "p300", "p100"];
const KINDS: [(&str, AllocatorKind); 4] = [
    ("DRAM", AllocatorKind::Dram),
    ("L1", AllocatorKind::L1),
    ("L1_SMALL", AllocatorKind::L1Small),
    ("TRACE", AllocatorKind::Trace),
];

fn testbed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed").canonicalize().unwrap()
}

fn versions() -> Vec<String> {
    match std::env::var("TTMEM_TTNN_VERSIONS") {
        Ok(text) => text.split(',').map(str::to_owned).collect(),
        Err(_) => VERSIONS.map(str::to_owned).to_vec(),
    }
}

/// Installs a release.
fn install(version: &str) {
    let done = Command::new(testbed().join("install")).arg(version).output().unwrap();
    assert!(done.status.success(), "ttnn {version}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A script that runs with ttnn and the agent, with a `/dev/shm` of its own.
struct Run {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    shm: TempDir,
}

impl Run {
    fn start(version: &str, mock: &str, script: &Path, arguments: &[&str]) -> Self {
        let shm = TempDir::new().unwrap();
        let mut private = std::ffi::OsString::from("--private-shm=");
        private.push(shm.path());
        let mut command = Command::new(testbed().join("run"));
        if ("0.67".."0.76").contains(&version) {
            // Its fast dispatch does not run on mock devices.
            command.env("TT_METAL_SLOW_DISPATCH_MODE", "1");
        }
        let mut child = command
            .args(["--mock", mock, "--ttnn", version])
            .arg(private)
            .arg(script)
            .args(arguments)
            .env("LD_PRELOAD", common::library())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, shm }
    }

    /// The workload's next line, and the segment at that moment.
    fn step(&mut self) -> (Value, Segment) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("it ended: {line:?}"));
        let pid = u32::try_from(told["pid"].as_u64().unwrap()).unwrap();
        (told, common::settled_segment(self.shm.path(), pid))
    }

    fn go_on(&mut self) {
        writeln!(self.input).unwrap();
    }

    fn segment(&self) -> Segment {
        common::segment(self.shm.path(), self.child.id())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The allocator of the mesh that is open.
fn mesh(segment: &Segment) -> &Allocator {
    let open = |allocator: &&Allocator| {
        allocator.role == AllocatorRole::Mesh && allocator.closed.is_none()
    };
    let mut meshes = segment.allocators.iter().filter(open);
    let mesh = meshes.next().unwrap();
    assert!(meshes.next().is_none());
    mesh
}

/// Compares all that the agent says with all that TT-Metal says.
fn assert_equal(told: &Value, segment: &Segment, shm: &Path, context: &str) {
    let mesh = mesh(segment);
    for (name, kind) in KINDS {
        let (view, used) = (&told["memory_view"][name], mesh.kind(kind));
        let number = |field: &str| view[field].as_u64().unwrap();
        let context = format!("{context} {name}");
        assert_eq!(used.live_bytes, number("total_bytes_allocated_per_bank"), "{context} live");
        assert_eq!(used.banks, number("num_banks"), "{context} banks");
        let statistics = used.statistics.unwrap();
        assert_eq!(statistics.total, number("total_bytes_per_bank"), "{context} total");
        assert_eq!(
            statistics.allocated,
            number("total_bytes_allocated_per_bank"),
            "{context} allocated"
        );
        assert_eq!(statistics.free, number("total_bytes_free_per_bank"), "{context} free");
        let largest = number("largest_contiguous_bytes_free_per_bank");
        assert_eq!(statistics.largest_free, largest, "{context} largest");
        assert_eq!(used.residual, Some(0), "{context} residual");
    }
    let mut listed: Vec<(u64, u64, &str)> = segment
        .buffers
        .iter()
        .map(|buffer| {
            let allocator =
                segment.allocators.iter().find(|allocator| allocator.index == buffer.allocator);
            let size = buffer.footprint().size_per_bank(allocator.unwrap());
            (buffer.address, size, buffer.kind.as_str())
        })
        .collect();
    let lower = |kind: &Value| KINDS.iter().find(|(name, _)| kind == *name).unwrap().1.as_str();
    let mut expected: Vec<(u64, u64, &str)> = told["buffers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|buffer| (buffer[0].as_u64().unwrap(), buffer[1].as_u64().unwrap(), lower(&buffer[2])))
        .collect();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected, "{context} buffers");

    let of_mesh: BTreeMap<u64, u64> = mesh
        .chips
        .iter()
        .map(|index| segment.chips[*index])
        .map(|chip| (u64::from(chip.device), chip.unique_id.unwrap()))
        .collect();
    let chips = told["chips"].as_array().unwrap();
    assert_eq!(of_mesh.len(), chips.len(), "{context} chips");
    for chip in chips {
        let unique_id = of_mesh[&chip["device_id"].as_u64().unwrap()];
        // Before 0.76 ttnn does not tell; the region that it writes from 0.70 on has the id in its name.
        assert_eq!(chip["asic_id"].as_u64().unwrap_or(unique_id), unique_id, "{context} chip");
        let region = shm.join(format!("tt_device_{unique_id}_memory"));
        assert_eq!(region.exists(), &*segment.header.tt_metal_version >= "0.70", "{context} chip");
    }

    let requested: u64 =
        told["requested"].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(
        segment.buffers.iter().map(|buffer| buffer.requested).sum::<u64>(),
        requested,
        "{context}"
    );
    assert!(segment.losses.is_complete(), "{context} {:?}", segment.losses);
    assert_eq!(segment.losses.torn, 0, "{context}");
}

#[test]
fn after_every_step_the_agent_says_what_tt_metal_says() {
    const STEPS: [&str; 19] = [
        "dram",
        "l1",
        "sharded",
        "l1_small",
        "odd",
        "trace",
        "ops",
        "out_of_order",
        "thread",
        "fail",
        "label",
        "free=l1",
        "ops",
        "reopen",
        "dram",
        "l1_small",
        "thread",
        "ops",
        "out_of_order",
    ];
    for version in versions() {
        install(&version);
        let mut equal = 0;
        for mock in MOCKS {
            let arguments = [&["--stepwise", "--hold"], &STEPS[..]].concat();
            let mut run = Run::start(&version, mock, &testbed().join("workload.py"), &arguments);
            let mut last = None;
            for step in std::iter::once("open").chain(STEPS) {
                let (told, segment) = run.step();
                let context = format!("ttnn {version} on {mock} after {step}");
                assert_equal(&told, &segment, run.shm.path(), &context);
                assert_eq!(segment.header.tt_metal_version, version, "{context}");
                equal += 1;
                last = Some((told, segment));
                run.go_on();
            }
            let (told, before) = last.unwrap();
            run.child.kill().unwrap();
            run.child.wait().unwrap();
            let after = run.segment();
            assert_equal(
                &told,
                &after,
                run.shm.path(),
                &format!("ttnn {version} on {mock} after SIGKILL"),
            );
            assert_eq!(after.header.state, AgentState::Recording);
            assert_workload(&before);
        }
        println!("ttnn {version}: {equal} steps equal");
    }
}

/// Checks the final segment of the whole workload.
fn assert_workload(segment: &Segment) {
    let [dram, l1, small] = &segment.failures[..] else { panic!("{:?}", segment.failures) };
    assert_eq!((dram.kind, dram.requested), (AllocatorKind::Dram, 1 << 36));
    assert_eq!((l1.kind, l1.requested), (AllocatorKind::L1, 1 << 28));
    assert_eq!((small.kind, small.requested, small.banks), (AllocatorKind::L1Small, 1 << 20, 4));
    for failure in [dram, l1, small] {
        assert!(failure.statistics.total > 0 && failure.bytes_per_bank > failure.statistics.total);
        assert!(failure.statistics.largest_free <= failure.statistics.free);
        assert_eq!(failure.statistics.allocated, failure.live_bytes);
        assert_eq!(failure.bytes_per_bank, failure.requested.div_ceil(failure.banks * 2048) * 2048);
    }
    let label = segment.events.iter().find(|event| {
        event
            .op
            .as_ref()
            .is_some_and(|op| op.source == NameSource::Label && &*op.name == "the label")
    });
    assert!(label.is_some());
    for wanted in ["ttnn.add", "ttnn.matmul", "ttnn.gelu", "ttnn.softmax"] {
        let is_it = |event: &Event| event.op.as_ref().is_some_and(|op| op.name.starts_with(wanted));
        assert!(segment.events.iter().any(is_it), "no {wanted}");
    }
    let Counts { workloads_enqueued, programs_tracked, .. } = segment.header.counts;
    assert_eq!(workloads_enqueued, 18);
    // Before 0.71 TT-Metal tracks some programs twice on a mesh of several chips.
    let is_once = &*segment.header.tt_metal_version >= "0.71";
    assert!(programs_tracked == 18 || !is_once && programs_tracked > 18, "{programs_tracked}");
    let closed = segment.allocators.iter().filter(|allocator| allocator.closed.is_some());
    for allocator in closed {
        assert!(allocator.kinds.iter().all(|kind| kind.live_bytes == 0));
    }
}

#[test]
fn closing_leaves_nothing_and_is_noted() {
    for version in versions() {
        install(&version);
        let mut run = Run::start(
            &version,
            "n300",
            &testbed().join("workload.py"),
            &["--stepwise", "dram", "l1"],
        );
        for _ in ["open", "dram", "l1"] {
            run.step();
            run.go_on();
        }
        let (told, segment) = run.step();
        assert_eq!(told["step"], "close");
        assert!(segment.buffers.is_empty());
        assert!(segment.allocators.iter().all(|allocator| allocator.closed.is_some()));
        assert_eq!(segment.chips.len(), 2);
        run.go_on();
        assert!(run.child.wait().unwrap().success());
        assert_eq!(run.segment().header.state, AgentState::Exited);
    }
}

#[test]
fn python_asks_for_the_same_numbers() {
    for version in versions() {
        install(&version);
        for mock in MOCKS {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/asks.py");
            let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python");
            let mut run = Run::start(&version, mock, &script, &[module.to_str().unwrap()]);
            let mut line = String::new();
            run.output.read_line(&mut line).unwrap();
            assert_eq!(line.trim(), "equal", "ttnn {version} on {mock}");
            assert!(run.child.wait().unwrap().success());
        }
    }
}
