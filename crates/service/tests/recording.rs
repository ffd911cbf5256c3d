//! Real snapshots in recordings: of every made-up host, one after the other, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use ttmem_fake as fake;
use ttmem_fake::segment::{NewBuffer, Segment as FakeSegment};
use ttmem_fake::{BYTES, Host, NOW, PID, Process, Region};
use ttmem_model::facts::Facts;
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{
    Attachment, AttachmentKind, Contents, Encoded, Encoder, Event, EventKind, Header, Limits,
    Parts, Recording, Tracker,
};
use ttmem_root::{Clock, Root};
use ttmem_segment::{AccessorSet, AllocatorKind, AllocatorRole, HookSet, Programs, Reader};
use ttmem_sources::{Collector, L1Look};

fn collector(host: Host, second: u64) -> Collector {
    let clock = Clock::Fixed(Timestamp(NOW.0 + second * 1_000_000));
    Collector::new(Root::memory(host.into_tree())).with_clock(clock)
}

fn snapshot(host: Host, second: u64) -> Snapshot {
    collector(host, second).snapshot()
}

#[test]
fn every_host_comes_back_byte_for_byte() {
    let hosts = fake::healthy().into_iter().chain(fake::variants());
    let snapshots: Vec<(&str, Snapshot)> = hosts
        .map(|(name, tree)| {
            let clock = Clock::Fixed(NOW);
            (name, Collector::new(Root::memory(tree)).with_clock(clock).snapshot())
        })
        .collect();
    let mut encoder = Encoder::new(Limits { moments: 13, ..Limits::default() });
    let (_, mut bytes) = Contents::begin(&Header::default());
    for (time, (_, snapshot)) in (0..).zip(&snapshots) {
        let block = encoder.push(Timestamp(time), snapshot).unwrap();
        bytes.extend(block.into_iter().flat_map(|block| block.bytes));
    }
    bytes.extend(encoder.flush().unwrap().bytes);
    let mut recording = Recording::open(bytes).unwrap();
    for (number, (name, snapshot)) in (0..).zip(&snapshots) {
        let moment = recording.moment(number).unwrap().unwrap();
        let (was, is) =
            (serde_json::to_string_pretty(snapshot), serde_json::to_string_pretty(&moment));
        assert!(was.unwrap() == is.unwrap(), "{name}");
        assert!(moment.snapshot().unwrap() == *snapshot, "{name}");
    }
}

/// A snapshot as a later minor version writes it: with fields that this one does not know.
fn with_more(snapshot: &Snapshot) -> serde_json::Value {
    let mut value = serde_json::to_value(snapshot).unwrap();
    value["version"] = "1.7".into();
    value["later"] = serde_json::json!({ "list": [1, 2.5, null], "text": "new" });
    value["chips"][0]["memory"]["dram"]["later"] = 17.into();
    value
}

#[test]
fn a_recording_of_a_later_minor_opens_with_all_that_is_in_it() {
    let value = with_more(&snapshot(Host::n150(), 0));
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    bytes[10] = 7;
    let mut encoder = Encoder::new(Limits::default());
    encoder.push(NOW, &value).unwrap();
    let unknown = Event { bytes: b"\x01new".to_vec(), ..Event::new(NOW, EventKind::Other(99), "") };
    encoder.event(unknown.clone());
    let block = encoder.flush().unwrap();
    // An unknown kind of block comes before a known one.
    let mut strange = block.bytes.clone();
    strange[4] = 200;
    contents.add(&block);
    bytes.extend(reseal(strange));
    bytes.extend(&block.bytes);
    let mut recording = Recording::open(bytes).unwrap();
    assert_eq!((recording.version().minor, recording.len()), (7, 1));
    let moment = recording.moment(0).unwrap().unwrap();
    assert_eq!(serde_json::to_string(&moment).unwrap(), value.to_string());
    assert_eq!(moment.snapshot().unwrap().chips.len(), 1);
    assert_eq!(recording.events().unwrap(), [unknown]);
}

/// Puts the checksum of a block's header right.
fn reseal(mut block: Vec<u8>) -> Vec<u8> {
    let crc = !block[..44].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    block[44..48].copy_from_slice(&crc.to_le_bytes());
    block
}

/// The content of a version's fixture: a process starts, allocates memory, and dies.
fn story() -> Vec<L1Look> {
    let idle = || {
        let id = Host::n150().region_ids()[0];
        Host::new().board(fake::Board::n150()).region(Region::new(id))
    };
    let more = ttmem_model::facts::RegionBytes { dram: 3 << 30, ..BYTES };
    let process = || Process::new(PID, "python3").command(&["python3", "train.py"]);
    let hosts = [
        idle(),
        Host::n150(),
        Host::new().board(fake::Board::n150()).workload(process(), more),
        Host::n150().without_process(PID),
    ];
    let mut previous: Option<Arc<Facts>> = None;
    let look = |(host, second)| {
        let facts = Arc::new(collector(host, second).facts());
        let before = previous.replace(Arc::clone(&facts));
        L1Look::of(facts, before.as_deref())
    };
    hosts.into_iter().zip(0..).map(look).collect()
}

/// The segment of the story's process.
fn stale_segment() -> FakeSegment {
    FakeSegment::wormhole(PID, 99, Host::n150().region_ids()[0])
        .allocate(NewBuffer::new(AllocatorKind::Dram, 3 << 20, "Embedding"))
        .wait(400)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 8 << 20, "Matmul"))
        .fail(NewBuffer::new(AllocatorKind::L1, 2 << 20, "Softmax"))
        .wait(900)
        .free_newest(AllocatorKind::Dram)
}

fn attach(segment: &FakeSegment, append: &mut impl FnMut(Encoded)) {
    let image = segment.image();
    let attachment = Attachment {
        kind: AttachmentKind::Segment,
        name: segment.name(),
        pid: Some(ttmem_model::Pid(PID)),
        is_running: false,
        time: Timestamp(NOW.0 + 3_000_000),
        bytes: image.len() as u64,
    };
    let mut parts = Parts::of(attachment).unwrap();
    while let Some((offset, length)) = parts.wanted() {
        let from = usize::try_from(offset).unwrap();
        append(parts.block(&image[from..from + length]));
    }
}

#[test]
fn the_zero_of_a_chip_without_an_id_is_no_id() {
    let mock = Host::new().without_driver().process(Process::new(PID, "python3"));
    let now = snapshot(mock.region(Region::new(0).slot(PID, "python3", BYTES)), 0);
    let mut before = serde_json::to_value(&now).unwrap();
    let zero = serde_json::json!("0x0000000000000000");
    before["chips"][0]["id"] = zero.clone();
    before["processes"][0]["chips"][0]["chip"] = zero;
    before["processes"][0]["chips"][0].as_object_mut().unwrap().remove("index");
    let mut encoder = Encoder::new(Limits::default());
    encoder.push(NOW, &before).unwrap();
    let (_, mut bytes) = Contents::begin(&Header::default());
    bytes.extend(encoder.flush().unwrap().bytes);
    let mut recording = Recording::open(bytes).unwrap();
    assert_eq!(recording.moment(0).unwrap().unwrap().snapshot().unwrap(), now);
}

#[test]
fn stale_memory_of_1_0_snapshots_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    for version in ["1.0", "1.1"] {
        let bytes = std::fs::read(folder.join(format!("{version}.ttmem"))).unwrap();
        let mut recording = Recording::open(bytes).unwrap();
        let (_, last) = recording.span().unwrap();
        let snapshot = recording.at(last).unwrap().unwrap().snapshot().unwrap();
        assert_eq!(snapshot.version, "1.0");
        // The process of the fixture was killed while it had 1 GiB.
        assert_eq!(snapshot.chips[0].memory.dram.stale.value(), Some(&(1 << 30)), "{version}");
        assert!(snapshot.processes.iter().any(|process| process.state == ProcessState::Stale));
    }
}

/// The hooks that agents had when recordings had version 1.1.
const HOOKS_OF_1_0: u64 = 0x0FFF_F03F;

/// Clears what segments have since version 1.2: hooks of programs, TT-Metal's accessors, programs, the L1 of an allocator.
fn forget_what_1_2_added(segment: &mut ttmem_segment::Segment) {
    segment.header.hooks_resolved = HookSet(segment.header.hooks_resolved.0 & HOOKS_OF_1_0);
    segment.header.accessors = AccessorSet::default();
    segment.programs = Programs::default();
    for allocator in &mut segment.allocators {
        (allocator.l1_base, allocator.l1_size, allocator.grid) = (None, None, None);
    }
}

#[test]
fn the_fixtures_hold_what_agents_left_from_1_1_on() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    for (version, segments) in [("1.0", 0), ("1.1", 1)] {
        let bytes = std::fs::read(folder.join(format!("{version}.ttmem"))).unwrap();
        let recording = Recording::open(bytes).unwrap();
        let attached = recording.attachments();
        assert_eq!(attached.len(), segments, "{version}");
        for attached in attached {
            let image = recording.attachment(&attached).unwrap();
            let mut expected = Reader::parse(&stale_segment().image()).unwrap();
            expected.header.version = (1, 0);
            forget_what_1_2_added(&mut expected);
            assert_eq!(Reader::parse(&image), Ok(expected), "a segment of then");
        }
    }
}

#[test]
fn facts_are_in_the_fixtures_from_1_2_on() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    for (version, has_facts) in [("1.1", false), ("1.1-snapshot-2.0", false), ("1.2", true)] {
        let bytes = std::fs::read(folder.join(format!("{version}.ttmem"))).unwrap();
        let mut recording = Recording::open(bytes).unwrap();
        assert_eq!(recording.len(), 4, "{version}");
        for (number, look) in (0..).zip(story()) {
            let moment = recording.moment(number).unwrap().unwrap();
            let recorded = moment.facts().unwrap();
            assert_eq!(recorded.is_some(), has_facts, "{version}");
            let Some(recorded) = recorded else { continue };
            let mut facts = look.facts.as_deref().unwrap().clone();
            // The file is older than the pid namespaces of processes in facts.
            facts.processes.values_mut().for_each(|process| process.pid_namespace = None);
            assert_eq!(recorded.facts, facts, "moment {number}");
            assert_eq!(moment.snapshot().unwrap().time_us, look.snapshot.time_us);
        }
    }
}

#[test]
fn a_chip_that_is_not_joined_for_one_sample_neither_appears_nor_goes() {
    let process = || Process::new(PID, "python3");
    let segment = FakeSegment::new(PID, process().start_ticks()).chip(0, None);
    let segment = segment.open(AllocatorRole::Mesh, &[0], fake::segment::WORMHOLE);
    let host = || {
        let host = Host::new().board(fake::Board::n150()).process(process());
        host.segment_of(PID, segment.clone())
    };
    let joined = || host().owner(0, PID, 4);
    let snapshots = [joined(), host(), joined()].into_iter().zip(0..);
    let snapshots: Vec<Snapshot> = snapshots.map(|(host, second)| snapshot(host, second)).collect();
    assert_eq!(snapshots.iter().map(|one| one.chips.len()).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(snapshots[1].chips[1].asic_id(), None);
    let mut events = kinds(&snapshots);
    events.retain(|kind| matches!(kind, EventKind::ChipAppeared | EventKind::ChipVanished));
    assert_eq!(events, []);
}

/// The kinds of the events between snapshots.
fn kinds(snapshots: &[Snapshot]) -> Vec<EventKind> {
    let mut tracker = Tracker::default();
    let events = snapshots.iter().flat_map(|snapshot| tracker.observe(snapshot));
    events.map(|event| event.kind).collect()
}

#[test]
fn a_mock_device_goes_with_its_process_whose_death_is_the_event() {
    let host = || {
        let region = Region::new(7).slot(PID, "python3", BYTES);
        Host::new().without_driver().region(region)
    };
    let lives = snapshot(host().process(Process::new(PID, "python3")), 0);
    let dead = snapshot(host(), 1);
    assert_eq!((lives.chips.len(), dead.chips.len()), (1, 0));
    assert_eq!(kinds(&[lives, dead]), [EventKind::ProcessDied, EventKind::FindingAppeared]);
}

/// Run with UPDATE_RECORDING=1 once for a new version; never again for an old one.
#[test]
fn the_fixture_of_this_version_is_made_like_this() {
    let Some(_) = std::env::var_os("UPDATE_RECORDING") else { return };
    let header = Header {
        ttmem: "0.1.0".into(),
        host: Some("tt-host".into()),
        interval_us: 1_000_000,
        ..Header::default()
    };
    let (mut contents, mut bytes) = Contents::begin(&header);
    let mut encoder = Encoder::new(Limits { moments: 2, ..Limits::default() });
    let mut tracker = Tracker::default();
    let (mut lines, mut said) = (String::new(), Vec::new());
    let mut append = |block: Encoded| {
        contents.add(&block);
        bytes.extend(block.bytes);
    };
    for L1Look { snapshot, facts, .. } in story() {
        encoder.push_merged(&snapshot, facts).unwrap().into_iter().for_each(&mut append);
        for event in tracker.observe(&snapshot) {
            let time = ttmem_recording::civil::Civil::of(event.time);
            said.push((
                event.time,
                format!("{time}  {:<16}  {}\n", event.kind.as_str(), event.text),
            ));
            encoder.event(event);
        }
        lines += &serde_json::to_string(&snapshot).unwrap();
        lines.push('\n');
    }
    encoder.flush().into_iter().for_each(&mut append);
    attach(&stale_segment(), &mut append);
    bytes.extend(contents.end());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    std::fs::write(folder.join("1.2.ttmem"), bytes).unwrap();
    std::fs::write(folder.join("1.2.jsonl"), lines).unwrap();
    said.sort_by_key(|(time, _)| *time);
    let said: String = said.into_iter().map(|(_, line)| line).collect();
    std::fs::write(folder.join("1.2.events"), said).unwrap();
}
