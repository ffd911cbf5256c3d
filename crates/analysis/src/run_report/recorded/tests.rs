use ttmem_recording::{
    Attachment, AttachmentKind, Contents, Encoded, Encoder, Event, Header, Limits, Parts,
};
use ttmem_segment::{AgentState, AllocatorKind, AllocatorRole};

use super::super::programs::Then;
use super::*;
use ttmem_fake::segment::{NewBuffer, Segment as Fake, WORMHOLE};
use ttmem_fake::{BYTES, Board, Host, NOW, PID, Process as FakeProcess};
use ttmem_merge::buffers;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000;

fn dram(mib: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::Dram, mib * MIB, op)
}

/// The agent of the process of [`host`], ten minutes before [`NOW`].
fn fake() -> Fake {
    let start = FakeProcess::new(PID, "python3").start_ticks();
    Fake::wormhole(PID, start, Host::n150().region_ids()[0])
}

fn host(segment: &Fake) -> Host {
    let workload = FakeProcess::new(PID, "python3");
    Host::n150().workload(workload, BYTES).segment_of(PID, segment.clone())
}

fn collector(host: Host, time: Timestamp) -> Collector {
    Collector::new(Root::memory(host.into_tree())).with_clock(Clock::Fixed(time))
}

/// A segment as it is attached when its process has ended, or when the recording has.
fn attached(segment: &Fake, is_running: bool) -> Vec<Encoded> {
    let image = segment.image();
    let attachment = Attachment {
        kind: AttachmentKind::Segment,
        name: segment.name(),
        pid: Some(Pid(PID)),
        is_running,
        time: NOW,
        bytes: image.len() as u64,
    };
    let mut parts = Parts::of(attachment).unwrap();
    let mut blocks = Vec::new();
    while let Some((offset, length)) = parts.wanted() {
        let from = usize::try_from(offset).unwrap();
        blocks.push(parts.block(&image[from..from + length]));
    }
    blocks
}

/// A recording of some moments, with what is attached.
fn recording(snapshots: &[Snapshot], events: Vec<Event>, blocks: &[Encoded]) -> Vec<u8> {
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    let mut encoder = Encoder::new(Limits::default());
    for snapshot in snapshots {
        encoder.push(snapshot.time_us, snapshot).unwrap();
    }
    events.into_iter().for_each(|event| encoder.event(event));
    for block in encoder.flush().iter().chain(blocks) {
        contents.add(block);
        bytes.extend_from_slice(&block.bytes);
    }
    bytes.extend(contents.end());
    bytes
}

fn read(bytes: Vec<u8>) -> RecordedBuffers {
    RecordedBuffers::read(&mut Recording::open(bytes).unwrap())
}

fn ops(list: &BufferList) -> Vec<Option<&str>> {
    list.buffers.iter().map(|buffer| buffer.op.as_deref()).collect()
}

#[test]
fn a_moment_of_a_recording_is_listed_as_it_was_live() {
    let then = fake().allocate(dram(3, "Matmul")).allocate(dram(1, "Add"));
    let mut live = collector(host(&then), NOW);
    let snapshot = live.snapshot();
    let listed = buffers(&live.facts_at(Depth::Full));
    let end = then.wait(900_000).free_newest(AllocatorKind::Dram).close().state(AgentState::Exited);
    let recorded = read(recording(&[], Vec::new(), &attached(&end, false)));
    let mut list = recorded.at(&snapshot);
    // A recording knows the name of the segment's file, not its directory.
    list.processes[0].segment = format!("/dev/shm/{}", list.processes[0].segment);
    assert_eq!(list, listed);
    assert_eq!(list.allocators[0].chips[0].id, snapshot.chips[0].id);
}

#[test]
fn a_process_that_has_gone_is_listed_as_long_as_the_snapshot_has_it() {
    let killed = fake().allocate(dram(3, "Matmul"));
    let recorded = read(recording(&[], Vec::new(), &attached(&killed, false)));
    let idle = || Host::new().board(Board::n150());
    let list = recorded.at(&collector(idle().segment_of(PID, killed), NOW).snapshot());
    let states: Vec<_> = list.processes.iter().map(|owner| owner.state).collect();
    assert_eq!((states.as_slice(), ops(&list)), (&[ProcessState::Stale][..], vec![Some("Matmul")]));
    let mut gone = collector(idle(), NOW).snapshot();
    assert!(recorded.at(&gone).processes.is_empty());
    // Between its first buffer and the next snapshot nothing else knows of the process.
    gone.time_us = Timestamp(NOW.0 - 600 * SECOND + 1);
    let list = recorded.at(&gone);
    assert_eq!((list.processes[0].name.as_str(), list.buffers.len()), ("", 0));
}

#[test]
fn an_agent_whose_segment_is_not_there_is_named() {
    let agent = fake().allocate(dram(3, "Matmul"));
    let snapshot = collector(host(&agent), NOW).snapshot();
    let whole = recording(std::slice::from_ref(&snapshot), Vec::new(), &[]);
    let cut = whole[..whole.len() - 30].to_vec();
    for (bytes, why) in [
        (whole, "its agent's segment is not in the recording"),
        (cut, "its agent's segment is not in the recording, whose end is missing"),
    ] {
        let list = read(bytes).at(&snapshot);
        let told: Vec<_> = list
            .processes
            .iter()
            .map(|owner| (owner.pid, owner.name.as_str(), owner.unknown.as_deref()))
            .collect();
        assert_eq!(told, [(Pid(PID), "python3", Some(why))]);
        assert!(list.buffers.is_empty());
    }
}

#[test]
fn a_recording_without_agents_lists_nothing() {
    let workload = FakeProcess::new(PID, "python3");
    let snapshot = collector(Host::n150().workload(workload, BYTES), NOW).snapshot();
    assert!(!snapshot.processes.is_empty());
    let list = read(recording(std::slice::from_ref(&snapshot), Vec::new(), &[])).at(&snapshot);
    assert_eq!(list, RecordedBuffers::nothing(NOW));
}

#[test]
fn a_segment_that_is_damaged_says_so() {
    let agent = fake().allocate(dram(3, "Matmul"));
    let snapshot = collector(host(&agent), NOW).snapshot();
    let image = agent.image();
    let attachment = Attachment {
        kind: AttachmentKind::Segment,
        name: agent.name(),
        pid: Some(Pid(PID)),
        is_running: false,
        time: NOW,
        bytes: 100,
    };
    let block = Parts::of(attachment).unwrap().block(&image[..100]);
    let list = read(recording(&[], Vec::new(), &[block])).at(&snapshot);
    let why = list.processes[0].unknown.as_deref().unwrap();
    assert!(why.starts_with("its agent's segment cannot be read: it needs "), "{why}");
    assert_eq!(list.processes.len(), 1);
}

#[test]
fn a_moment_that_the_events_do_not_tell_has_a_reason_and_no_buffer() {
    let mut agent = fake().allocate(dram(9, "Weights"));
    for _ in 0..5000 {
        agent = agent.allocate(dram(1, "Add")).free_newest(AllocatorKind::Dram);
    }
    let mut snapshot = collector(host(&agent), NOW).snapshot();
    let recorded = read(recording(&[], Vec::new(), &attached(&agent, true)));
    assert_eq!(ops(&recorded.at(&snapshot)), [Some("Weights")]);
    snapshot.time_us = Timestamp(NOW.0 - 600 * SECOND + 10_000);
    let list = recorded.at(&snapshot);
    let why = list.processes[0].unknown.as_deref().unwrap();
    assert!(why.starts_with("the events of its agent before ") && list.buffers.is_empty(), "{why}");
    assert_eq!(list.processes[0].tt_metal.as_deref(), Some("0.81.1"));
}

#[test]
fn a_clock_that_was_set_does_not_move_what_happened() {
    // A second after the first buffer comes another one; in between the clock is set back by an hour.
    let agent = fake().allocate(dram(3, "First")).wait(1000).allocate(dram(1, "Second"));
    let begin = NOW.0 - 600 * SECOND;
    let hour = 3600 * SECOND;
    let set = |at: u64, kind, step: i64| Event::new(Timestamp(at), kind, "").with_value(step);
    let back = i64::try_from(hour).unwrap();
    let cases = [
        (Vec::new(), begin + SECOND / 2, 1),
        (vec![set(begin + SECOND / 2, EventKind::ClockStepped, back)], begin + hour, 0),
        (
            vec![set(begin + SECOND / 2, EventKind::ClockStepped, back)],
            begin + hour + SECOND / 2,
            1,
        ),
        (vec![set(begin + SECOND / 2, EventKind::Suspended, back)], begin + hour + 2 * SECOND, 2),
        // What was done to the clock before the segment was made is in its times already.
        (vec![set(begin - SECOND, EventKind::ClockStepped, back)], begin + 2 * SECOND, 2),
    ];
    let mut snapshot = collector(host(&agent), NOW).snapshot();
    for (events, time, count) in cases {
        let recorded = read(recording(&[snapshot.clone()], events, &attached(&agent, true)));
        snapshot.time_us = Timestamp(time);
        assert_eq!(recorded.at(&snapshot).buffers.len(), count, "{}", time - begin);
    }
}

#[test]
fn chips_are_found_by_id_and_by_number() {
    let start = FakeProcess::new(PID, "python3").start_ticks();
    let open = |unique_id| {
        Fake::new(PID, start).chip(0, unique_id).open(AllocatorRole::Mesh, &[0], WORMHOLE)
    };
    let id = Host::n150().region_ids()[0];
    for unique_id in [Some(id), None] {
        let agent = open(unique_id).allocate(dram(3, "Matmul"));
        let snapshot = collector(host(&agent), NOW).snapshot();
        let list = read(recording(&[], Vec::new(), &attached(&agent, true))).at(&snapshot);
        let chips: Vec<_> = list.allocators[0].chips.iter().map(|chip| chip.id).collect();
        assert_eq!(chips, [snapshot.chips[0].id], "{unique_id:?}");
    }
}

#[test]
fn two_processes_that_started_within_one_tick_are_not_taken_for_each_other() {
    let agent = fake().allocate(dram(3, "Matmul"));
    let start = FakeProcess::new(PID, "python3").start_ticks();
    let other = Fake::wormhole(PID + 9, start, 5).allocate(dram(1, "Other")).close();
    let name = other.name();
    let image = other.image();
    let attachment = Attachment {
        kind: AttachmentKind::Segment,
        name,
        pid: Some(Pid(PID + 9)),
        is_running: false,
        time: NOW,
        bytes: image.len() as u64,
    };
    let mut parts = Parts::of(attachment).unwrap();
    let mut blocks = attached(&agent, true);
    while let Some((offset, length)) = parts.wanted() {
        let from = usize::try_from(offset).unwrap();
        blocks.push(parts.block(&image[from..from + length]));
    }
    let snapshot = collector(host(&agent), NOW).snapshot();
    for blocks in [&blocks[..], &blocks[1..]] {
        let list = read(recording(&[], Vec::new(), blocks)).at(&snapshot);
        assert!(list.processes.iter().all(|owner| owner.segment != other.name()), "{list:?}");
        assert_eq!(list.processes.len(), 1);
    }
}

mod programs {
    use super::*;
    use ttmem_fake::segment::NewProgram;
    use ttmem_segment::{CoreRange, PartKind, Reader};

    const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };

    fn program(op: &str, bytes: u32) -> NewProgram<'_> {
        NewProgram::new(op).place(PartKind::DataflowBuffer, 105_824, bytes, WHOLE)
    }

    /// Five dispatches a second apart; from the third on there is a tensor in L1.
    fn dispatched() -> Fake {
        fake()
            .program(&program("Matmul", 65_536))
            .program(&program("Softmax", 4_096))
            .wait(1_000)
            .dispatch(0)
            .wait(1_000)
            .dispatch(1)
            .wait(1_000)
            .allocate(NewBuffer::new(AllocatorKind::L1, 16_384, "x"))
            .dispatch(0)
            .wait(1_000)
            .begin_trace(3)
            .dispatch(1)
            .dispatch(0)
            .end_trace(1_024)
            .replay_trace()
            .wait(1_000)
    }

    /// Op, dispatches, tensors and headroom.
    type Figures = (String, u64, u64, Option<i64>);

    fn figures(processes: &[crate::run_report::ProcessOps]) -> Vec<Figures> {
        let ops = processes.iter().flat_map(|process| &process.ops);
        let figures = |op: &crate::run_report::OpL1| {
            (op.op.clone().unwrap_or_default(), op.dispatches, op.tensors, op.headroom)
        };
        ops.map(figures).collect()
    }

    #[test]
    fn l1_by_op_is_that_of_the_moment() {
        let segment = dispatched();
        let mut collector = collector(host(&segment), NOW);
        let facts = collector.facts_at(Depth::Programs);
        let newest = crate::run_report::l1_by_op(&facts);
        let snapshot = ttmem_merge::merge(&facts, None);
        let recorded =
            read(recording(std::slice::from_ref(&snapshot), Vec::new(), &attached(&segment, true)));
        assert_eq!(figures(&recorded.ops(&snapshot, None)), figures(&newest));
        assert_eq!(figures(&recorded.ops(&snapshot, Some(&facts))), figures(&newest));
        assert_eq!(newest[0].ops[0].chips[0].index, Some(0));
        assert_eq!(newest[0].core_size, Some(1_499_136));

        let parsed = Reader::parse(&segment.image()).unwrap();
        let times: Vec<u64> = parsed.programs.dispatches.iter().map(|it| it.time).collect();
        let after = |dispatches: usize| {
            let at = parsed.header.to_real_time(times[dispatches - 1]) / 1_000;
            let snapshot = Snapshot { time_us: Timestamp(at + 1), ..snapshot.clone() };
            recorded.ops(&snapshot, None)
        };
        let size = 1_499_136 - 105_824;
        let (large, small) = (size - 65_536, size - 4_096);
        assert_eq!(figures(&after(1)), [("Matmul".to_owned(), 1, 0, Some(large))]);
        let two =
            [("Matmul".to_owned(), 1, 0, Some(large)), ("Softmax".to_owned(), 1, 0, Some(small))];
        assert_eq!(figures(&after(2)), two);
        let three = &figures(&after(3))[0];
        assert_eq!((three.1, three.2), (2, 16_384));
        // What a trace captures does not run; its replay does.
        assert_eq!(figures(&after(5)), figures(&after(3)));
        assert_eq!(figures(&after(6)), figures(&newest));
        assert_eq!(after(6)[0].dispatches, 8);
    }

    #[test]
    fn a_moment_whose_dispatches_are_overwritten_has_the_reason() {
        let segment = dispatched();
        let mut parsed = Reader::parse(&segment.image()).unwrap();
        parsed.programs.dispatches.drain(..2);
        let times: Vec<u64> = parsed.programs.dispatches.iter().map(|it| it.time).collect();
        assert!(Then::at(&parsed, times[0] - 1).is_err());
        let then = Then::at(&parsed, times[0]).ok().unwrap();
        let facts = collector(host(&segment), NOW).facts_at(Depth::Programs);
        let (_, process) = ttmem_merge::segment_processes(&facts).remove(0);
        let ops = then.ops(&parsed, &process);
        assert!(ops.of_whole_run);
        let counts: Vec<u64> = ops.ops.iter().map(|op| op.dispatches).collect();
        assert_eq!(counts, [2, 1]);
    }
}
