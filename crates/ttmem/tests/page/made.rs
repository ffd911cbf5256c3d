//! Recordings that have everything in them: two processes on a chip, an op that does not fit, what is never freed.

use std::path::Path;

use ttmem_analysis::run_report::Timeline;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{Board, Host, NOW, PID, Process, Region};
use ttmem_model::facts::RegionBytes;
use ttmem_model::{Kind, Pid, Snapshot, Timestamp};
use ttmem_recording::{
    Attachment, AttachmentKind, Contents, Encoded, Encoder, Event, Header, Limits, Parts, Tracker,
};
use ttmem_root::{Clock, Root};
use ttmem_segment::{AgentState, AllocatorKind, Origin, Reader};
use ttmem_sources::Collector;

/// Time at which the fake process first used TT-Metal.
const BEGAN_US: u64 = NOW.0 - 600_000_000;
const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// A model that is loaded and then queried repeatedly. The caller names the ops.
fn model(prefix: &str) -> Segment {
    let name = |op: &str| format!("{prefix}{op}");
    let dram = |mib: u64, op: &'static str| (AllocatorKind::Dram, mib * MIB, op);
    let allocate = |segment: Segment, (kind, bytes, op): (AllocatorKind, u64, &str)| {
        segment.allocate(NewBuffer::new(kind, bytes, &name(op)))
    };
    let ticks = Process::new(PID, "x").start_ticks();
    let mut segment = Segment::wormhole(PID, ticks, Host::n150().region_ids()[0]);
    for layer in 0..24 {
        segment = allocate(segment, dram(12 + layer % 3, "as_tensor")).wait(170);
    }
    let matmul = name("Matmul");
    let kernels = NewBuffer::new(AllocatorKind::Dram, 2 * MIB, &matmul).origin(Origin::Kernels);
    segment = segment.allocate(kernels);
    for token in 0..28_u64 {
        segment = allocate(segment, dram(24 + token % 5, "Matmul")).wait(90);
        segment =
            allocate(segment, (AllocatorKind::L1, (200 + token * 9) * KIB, "Attention")).wait(60);
        segment = allocate(segment, (AllocatorKind::L1, 96 * KIB, "Softmax")).wait(80);
        if token == 17 {
            segment =
                segment.fail(NewBuffer::new(AllocatorKind::L1, 1200 * KIB, &name("Attention")));
        }
        segment = allocate(segment, dram(18, "LayerNorm")).wait(70);
        segment =
            segment.free_newest_of(&name("Softmax")).free_newest_of(&name("Attention")).wait(120);
        segment = segment.free_newest_of(&name("Matmul")).free_newest_of(&name("LayerNorm"));
        segment = allocate(segment, dram(3, "KvCache")).wait(130);
    }
    segment.close().state(AgentState::Exited)
}

/// Bytes of a kind that the segment's process held at a moment.
fn level(timeline: &Timeline, kind: Kind, at: u64) -> u64 {
    let pool = timeline.pools.iter().find(|pool| pool.kind == kind).unwrap();
    let step = pool.steps.at_us.partition_point(|time| *time <= at);
    step.checked_sub(1).map_or(0, |step| pool.steps.bytes[step])
}

fn snapshot(timeline: &Timeline, name: &str, at: u64) -> Snapshot {
    let of = |kind| level(timeline, kind, at);
    let bytes = RegionBytes {
        dram: of(Kind::Dram),
        l1: of(Kind::L1),
        l1_small: 0,
        trace: 0,
        circular_buffers: 0,
    };
    let second = at.saturating_sub(BEGAN_US) / 1_000_000;
    let other = RegionBytes { dram: (900 + 40 * (second % 6)) * MIB, l1: 5 * MIB, ..bytes };
    let id = Host::n150().region_ids()[0];
    let mut host = Host::new().name("tt-quiet").board(Board::n150());
    let mut region = Region::new(id);
    if second < 16 {
        host = host.process(Process::new(PID, name)).owner(0, PID, 4);
        region = region.slot(PID, name, bytes);
    }
    if second > 2 {
        host = host.process(Process::new(PID + 1, "vllm")).owner(0, PID + 1, 4);
        region = region.slot(PID + 1, "vllm", other);
    }
    let clock = Clock::Fixed(Timestamp(at));
    Collector::new(Root::memory(host.region(region).into_tree())).with_clock(clock).snapshot()
}

/// Writes the recording. Its process is called `name`, its ops begin with `prefix`.
pub(crate) fn recording(path: &Path, name: &str, prefix: &str) {
    let segment = model(prefix);
    let image = segment.image();
    let timeline = Timeline::of(&Reader::parse(&image).unwrap());
    let header = Header { ttmem: "0.1.0".into(), interval_us: 500_000, ..Header::default() };
    let header = Header { host: Some("tt-quiet".into()), ..header };
    let (mut contents, mut bytes) = Contents::begin(&header);
    let (mut encoder, mut tracker) = (Encoder::new(Limits::default()), Tracker::default());
    let mut append = |block: Encoded| {
        contents.add(&block);
        bytes.extend(block.bytes);
    };
    for half in 0..44 {
        let snapshot = snapshot(&timeline, name, BEGAN_US + 500_000 * half);
        encoder.push(snapshot.time_us, &snapshot).unwrap().into_iter().for_each(&mut append);
        let events: Vec<Event> = tracker.observe(&snapshot);
        events.into_iter().for_each(|event| encoder.event(event));
    }
    encoder.flush().into_iter().for_each(&mut append);
    let mut parts = Parts::of(Attachment {
        kind: AttachmentKind::Segment,
        name: segment.name(),
        pid: Some(Pid(PID)),
        is_running: false,
        time: Timestamp(BEGAN_US + 22_000_000),
        bytes: image.len() as u64,
    })
    .unwrap();
    while let Some((offset, length)) = parts.wanted() {
        let from = usize::try_from(offset).unwrap();
        append(parts.block(&image[from..from + length]));
    }
    bytes.extend(contents.end());
    std::fs::write(path, bytes).unwrap();
}

/// Writes a recording of a T3000 of which a device is removed: chips of other ids get the numbers of its remote ones.
pub(crate) fn removed(path: &Path) {
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    let mut encoder = Encoder::new(Limits::default());
    let mut blocks = Vec::new();
    let gone = ["/sys/class/tenstorrent/tenstorrent!0", "/proc/driver/tenstorrent/0"];
    let removed = gone.into_iter().fold(Host::t3000(), Host::without);
    for (second, host) in (0..).zip([Host::t3000(), removed]) {
        let clock = Clock::Fixed(Timestamp(NOW.0 + second * 1_000_000));
        let root = Root::memory(host.into_tree());
        let snapshot = Collector::new(root).with_clock(clock).snapshot();
        blocks.extend(encoder.push(snapshot.time_us, &snapshot).unwrap());
    }
    blocks.extend(encoder.flush());
    for block in blocks {
        contents.add(&block);
        bytes.extend(block.bytes);
    }
    bytes.extend(contents.end());
    std::fs::write(path, bytes).unwrap();
}
