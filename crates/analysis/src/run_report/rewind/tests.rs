use ttmem_model::buffers::{BufferList, ChipRef};
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{ChipId, Pid};
use ttmem_segment::layout::Counter;
use ttmem_segment::{AllocatorRole, BufferLayout, Origin, Reader};

use super::*;
use ttmem_fake::segment::{NewBuffer, Segment as Fake, WORMHOLE};
use ttmem_merge::listing::{self, SegmentProcess};

const MIB: u64 = 1 << 20;

fn fake() -> Fake {
    Fake::wormhole(7, 70, 5)
}

fn dram(mib: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::Dram, mib * MIB, op)
}

fn l1(kib: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::L1, kib << 10, op)
}

fn read(fake: &Fake) -> Segment {
    Reader::parse(&fake.image()).unwrap()
}

/// The moment right after the last event.
fn last(segment: &Segment) -> Timestamp {
    let last = segment.events.last().map_or(segment.header.monotonic_time, |event| event.time);
    Timestamp(segment.header.to_real_time(last) / 1000)
}

fn listed(holding: &SegmentView<'_>) -> BufferList {
    let chip = ChipRef { id: ChipId::Known(5), index: 0 };
    let holder = SegmentProcess {
        pid: Pid(7),
        start_time: 70,
        name: "python3".to_owned(),
        user: None,
        container: None,
        state: ProcessState::Live,
        segment: String::new(),
        chips: vec![Some(chip)],
    };
    let mut list = listing::empty(holding.time, false);
    holding.add_to(&mut list, &holder);
    list
}

/// The list of a segment in the live view.
fn live(segment: &Segment) -> BufferList {
    listed(&SegmentView::now(segment, last(segment)))
}

fn known(rewind: &Rewind, time: Timestamp) -> BufferList {
    match rewind.at(time) {
        Then::Known(holding) => listed(&holding),
        other => panic!("{time:?}: {other:?}"),
    }
}

fn unknown(rewind: &Rewind, time: Timestamp) -> Gap {
    match rewind.at(time) {
        Then::Unknown(gap) => gap,
        other => panic!("{time:?}: {other:?}"),
    }
}

/// Asserts that the list at each step is the one that the live view showed at that step.
fn assert_every_step(steps: &[Fake]) {
    let rewind = Rewind::new(read(steps.last().unwrap()));
    for (number, step) in steps.iter().enumerate() {
        let then = read(step);
        assert_eq!(known(&rewind, last(&then)), live(&then), "step {number}");
    }
}

/// The segment after each of some changes.
fn steps(begin: Fake, changes: &[&dyn Fn(Fake) -> Fake]) -> Vec<Fake> {
    let mut steps = vec![begin];
    for change in changes {
        let next = change(steps.last().unwrap().clone());
        steps.push(next);
    }
    steps
}

#[test]
fn every_step_is_listed_as_it_was_listed_live() {
    let sharded = l1(64, "Shard").layout(BufferLayout::BlockSharded).requested(777);
    assert_every_step(&steps(
        fake(),
        &[
            &|fake| fake.allocate(dram(1, "Embedding")),
            &|fake| fake.allocate(dram(8, "Matmul").origin(Origin::Kernels)),
            &|fake| fake.allocate(l1(32, "Add")),
            &|fake| fake.allocate(sharded),
            // Freed in another order than allocated, and a hole that is filled again.
            &|fake| fake.free_oldest(AllocatorKind::Dram),
            &|fake| fake.allocate(dram(3, "Softmax")),
            &|fake| fake.free_oldest(AllocatorKind::L1),
            &|fake| fake.allocate(l1(8, "")),
            &|fake| fake.wait(4000).fail(dram(4000, "TooMuch")),
            &|fake| fake.free_newest(AllocatorKind::Dram),
            &|fake| fake.allocate(NewBuffer::new(AllocatorKind::Trace, 2048, "Trace")),
            &|fake| fake.free_oldest(AllocatorKind::Dram),
            &|fake| fake.free_newest_of("Shard"),
        ],
    ));
}

#[test]
fn a_device_that_is_closed_and_opened_again_starts_empty() {
    let steps = steps(
        fake().allocate(dram(2, "Matmul")).allocate(l1(64, "Add")),
        &[
            &|fake| fake.close(),
            &|fake| fake.open(AllocatorRole::Mesh, &[0], WORMHOLE),
            &|fake| fake.allocate(dram(5, "Later")),
            &|fake| fake.close(),
        ],
    );
    assert_every_step(&steps);
    let rewind = Rewind::new(read(&steps[4]));
    let counts = steps.iter().map(|step| known(&rewind, last(&read(step))));
    let counts: Vec<_> = counts.map(|list| (list.allocators.len(), list.buffers.len())).collect();
    assert_eq!(counts, [(1, 2), (0, 0), (1, 0), (1, 1), (0, 0)]);
}

#[test]
fn before_the_agent_there_is_nothing_and_after_the_last_event_what_stayed() {
    let segment = read(&fake().allocate(dram(2, "Matmul")));
    let (made, end) = (segment.header.real_time / 1000, last(&segment));
    let rewind = Rewind::new(segment);
    assert!(matches!(rewind.at(Timestamp(made - 1)), Then::NotYet));
    assert!(matches!(rewind.at(Timestamp(0)), Then::NotYet));
    assert!(known(&rewind, Timestamp(made)).buffers.is_empty());
    let later = known(&rewind, Timestamp(end.0 + 60_000_000));
    assert_eq!(later.buffers[0].age_us, Some(60_000_000));
    assert!(matches!(rewind.at(Timestamp(u64::MAX)), Then::Known(_)));
}

/// More events than the ring of a small segment holds.
fn busy(mut fake: Fake) -> Fake {
    for _ in 0..5000 {
        fake = fake.allocate(dram(1, "Add")).free_newest(AllocatorKind::Dram);
    }
    fake
}

#[test]
fn where_events_are_overwritten_nothing_is_listed_and_the_rest_is_exact() {
    let begin = fake().allocate(dram(9, "Weights")).allocate(dram(5, "KvCache"));
    let early = last(&read(&begin));
    let busy = busy(begin);
    let before = read(&busy);
    let after = busy.clone().free_oldest(AllocatorKind::Dram);
    let rewind = Rewind::new(read(&after));
    let first = rewind.real(rewind.times[0]);
    assert_eq!(unknown(&rewind, early), Gap::Overwritten(first));
    assert_eq!(unknown(&rewind, Timestamp(first.0 - 1)), Gap::Overwritten(first));
    // The allocation of `Weights` is overwritten, and the table has it no more; its end tells of it.
    let list = known(&rewind, last(&before));
    let dram = &list.allocators[0].kinds[0];
    let allocatable = dram.allocatable_per_bank.unwrap();
    assert_eq!((dram.used_per_bank, dram.free_per_bank), (14 * MIB, Some(allocatable - 14 * MIB)));
    let told: Vec<_> = list
        .buffers
        .iter()
        .map(|buffer| (buffer.bytes_per_bank / MIB, buffer.op.as_deref(), buffer.age_us.is_some()))
        .collect();
    assert_eq!(told, [(9, None, false), (5, Some("KvCache"), true)]);
    assert_eq!(known(&rewind, last(&read(&after))), live(&read(&after)));
}

#[test]
fn what_went_all_at_once_and_came_before_the_first_event_hides() {
    let busy = busy(fake().allocate(dram(9, "Weights")).allocate(l1(64, "Cache")));
    let there = last(&read(&busy));
    let closed = busy.close();
    let rewind = Rewind::new(read(&closed));
    let gap = unknown(&rewind, there);
    assert!(matches!(gap, Gap::Hidden(end) if end > there), "{gap:?}");
    assert!(gap.to_string().starts_with("what it freed all at once at "), "{gap}");
    assert!(known(&rewind, last(&read(&closed))).buffers.is_empty());
    let again = closed.open(AllocatorRole::Mesh, &[0], WORMHOLE).allocate(dram(2, "Next"));
    let rewind = Rewind::new(read(&again));
    assert_eq!(known(&rewind, last(&read(&again))), live(&read(&again)));
    assert!(matches!(unknown(&rewind, there), Gap::Hidden(_)));
}

#[test]
fn nothing_hides_where_the_events_account_for_every_byte() {
    let there = busy(fake().allocate(dram(9, "Weights")).free_newest(AllocatorKind::Dram));
    let moment = last(&read(&there));
    let rewind = Rewind::new(read(&there.clone().allocate(dram(4, "Held")).close()));
    assert_eq!(known(&rewind, moment), live(&read(&there)));
}

#[test]
fn buffers_that_the_table_had_no_room_for_are_missed() {
    let fake = busy(fake().unlisted(AllocatorKind::Dram, 5 * MIB, 300));
    let segment = read(&fake);
    let end = last(&segment);
    assert_eq!(unknown(&Rewind::new(segment), end), Gap::Unlisted);
}

#[test]
fn an_event_that_cannot_be_read_leaves_a_gap() {
    let mut fake = fake();
    for step in 1..=20 {
        fake = fake.allocate(dram(step, "Add"));
    }
    let whole = read(&fake);
    let time =
        |position: usize| Timestamp(whole.header.to_real_time(whole.events[position].time) / 1000);
    let mut torn = whole.clone();
    torn.events.remove(15);
    let rewind = Rewind::new(torn);
    assert_eq!(known(&rewind, time(10)), known(&Rewind::new(whole.clone()), time(10)));
    assert_eq!(unknown(&rewind, time(17)), Gap::Torn);
    assert_eq!(known(&rewind, last(&whole)), live(&whole), "the table tells the end");
    let mut early = whole.clone();
    early.events.remove(3);
    let rewind = Rewind::new(early);
    assert!(matches!(unknown(&rewind, time(2)), Gap::Overwritten(_)));
    assert_eq!(known(&rewind, time(17)), known(&Rewind::new(whole.clone()), time(17)));
    let none = Segment { events: Vec::new(), ..whole.clone() };
    assert_eq!(unknown(&Rewind::new(none), last(&whole)), Gap::Torn);
}

#[test]
fn an_agent_that_switched_itself_off_knows_nothing_of_later() {
    let fake = fake().allocate(dram(1, "Add")).wait(10).allocate(dram(2, "Add"));
    let rewind = Rewind::new(read(&fake.state(AgentState::Off)));
    let end = rewind.real(rewind.last);
    assert_eq!(known(&rewind, Timestamp(end.0 - 1)).buffers.len(), 1);
    assert_eq!(unknown(&rewind, Timestamp(end.0 + 1)), Gap::SwitchedOff(end));
}

#[test]
fn an_entry_that_was_used_anew_is_not_what_it_was() {
    let fake = fake().allocate(dram(1, "Old")).close();
    let old = read(&fake);
    let moment = Timestamp(old.header.to_real_time(old.events[1].time) / 1000);
    let mut reused = read(&fake.open(AllocatorRole::Mesh, &[0], WORMHOLE).allocate(dram(2, "New")));
    // The second allocator takes the entry of the first.
    reused.allocators.remove(0);
    reused.allocators[0].index = 0;
    for event in &mut reused.events {
        event.allocator = event.allocator.map(|_| 0);
    }
    for buffer in &mut reused.buffers {
        buffer.allocator = 0;
    }
    let end = last(&reused);
    let rewind = Rewind::new(reused);
    assert_eq!(unknown(&rewind, moment), Gap::Reused);
    assert_eq!(known(&rewind, end).buffers[0].op.as_deref(), Some("New"));
}

#[test]
fn figures_that_never_agreed_are_left_out() {
    let fake = fake().allocate(dram(1, "Add")).hidden(AllocatorKind::Dram, 64);
    let segment = read(&fake);
    let end = last(&segment);
    let list = known(&Rewind::new(segment), end);
    let kind = &list.allocators[0].kinds[0];
    assert_eq!((kind.used_per_bank, kind.free_per_bank, &kind.bank), (MIB, None, &None));
}

#[test]
fn hostile_segments_do_no_harm() {
    let fake = fake().allocate(dram(3, "Matmul")).allocate(l1(3, "Add")).close();
    let fake = fake.counter(Counter::Events, 1 << 40);
    let image = fake.image();
    for round in 0..300_usize {
        let mut bytes = image.clone();
        for index in 0..30 {
            let offset = 256 + (round * 7919 + index * 104_729) % (bytes.len() - 256);
            bytes[offset] ^= u8::try_from(round % 255).unwrap() | 1;
        }
        if let Ok(segment) = Reader::parse(&bytes) {
            let times = segment.events.iter().map(|event| event.time);
            let times: Vec<u64> = times.chain([0, u64::MAX]).collect();
            let rewind = Rewind::new(segment);
            for time in times {
                if let Then::Known(holding) = rewind.at(rewind.real(time)) {
                    serde_json::to_string(&listed(&holding)).unwrap();
                }
            }
        }
    }
}
