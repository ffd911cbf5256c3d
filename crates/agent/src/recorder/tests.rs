use std::sync::atomic::AtomicBool;
use std::thread;

use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{MIN_SEGMENT_BYTES, Section, WORD_BYTES};
use ttmem_segment::{Alignments, AllocatorRole, Reader, Segment, Statistics};

use super::*;
use crate::ffi::new_process;
use crate::refresh::{self, Ask};
use crate::registry::{KindShape, NewAllocator, Registry};

const NOW: Circumstances =
    Circumstances { time: 5, thread: 1, name: 0, origin: Origin::Plain, queue: u8::MAX, stack: 0 };

const ALLOCATOR: NewAllocator = NewAllocator {
    pointer: 0x1000,
    role: AllocatorRole::Mesh,
    chips: 0,
    kinds: [KindShape { banks: 12 }; 4],
    l1_small_start: 0,
    alignments: Alignments { dram: 0, l1: 0 },
    time: 1,
};

/// An agent in plain memory, with one allocator at index 0.
fn recorder() -> Recorder<'static> {
    let plan = Plan::within(MIN_SEGMENT_BYTES);
    let words: Vec<AtomicU64> =
        std::iter::repeat_with(AtomicU64::default).take(plan.segment_bytes / WORD_BYTES).collect();
    for (word, value) in words.iter().zip(HeadFacts::default().to_words(&plan)) {
        word.store(value, Ordering::Relaxed);
    }
    let process = new_process().unwrap();
    let (buffers, events) = (plan.table(Section::Buffers), plan.table(Section::Events));
    process.buffers_mask.store(buffers.entries - 1, Ordering::Relaxed);
    process.events_first.store(events.first_word, Ordering::Relaxed);
    process.events_mask.store(events.entries - 1, Ordering::Relaxed);
    let recorder = Recorder { process, words: Vec::leak(words) };
    assert_eq!(Registry(recorder).allocator(&ALLOCATOR), Some(0));
    recorder
}

fn read(recorder: Recorder<'_>) -> Segment {
    let bytes: Vec<u8> =
        recorder.words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    Reader::parse(&bytes).unwrap()
}

/// A buffer all of whose numbers follow from its key.
fn buffer(key: u64) -> BufferFacts {
    BufferFacts {
        key,
        address: key * 3,
        bytes_per_bank: key % 1000 * 32,
        requested: key * 7,
        page_bytes: 2048,
        block_padding: (key % 64) as u8,
        kind: AllocatorKind::ALL[(key % 4) as usize],
        layout: BufferLayout::Interleaved,
    }
}

fn is_whole(key: u64, address: u64, bytes_per_bank: u64, requested: u64) -> bool {
    let facts = buffer(key);
    (address, bytes_per_bank, requested) == (facts.address, facts.bytes_per_bank, facts.requested)
}

#[test]
fn readers_never_get_half_a_buffer_or_event_while_threads_write() {
    let recorder = recorder();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..3_u64 {
            let done = &done;
            scope.spawn(move || {
                let mut round = 0;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    let keys =
                        (0..50).map(|index| 1000 + worker * 100_000 + (round * 7 + index) % 5000);
                    for key in keys.clone() {
                        recorder.allocated(0, &buffer(key), NOW);
                    }
                    for key in keys {
                        assert!(recorder.freed(key, NOW, || None));
                    }
                }
            });
        }
        let mut seen = 0;
        for _ in 0..30 {
            let segment = read(recorder);
            for found in &segment.buffers {
                let key = found.address / 3;
                assert!(is_whole(key, found.address, found.bytes_per_bank, found.requested));
            }
            for event in segment.events.iter().filter(|event| event.address != 0x1000) {
                let key = event.address / 3;
                let of = &event.footprint;
                assert!(is_whole(key, event.address, of.bytes_per_bank, of.requested));
            }
            seen += segment.buffers.len() + segment.events.len();
        }
        done.store(true, Ordering::Relaxed);
        assert!(seen > 1000);
    });
    let segment = read(recorder);
    assert!(segment.buffers.is_empty());
    assert_eq!(segment.losses.unknown_frees, 0);
    // A thread that slept while the ring wrapped once leaves an event with a wrong checksum; two that made a peak at
    // the same time may leave such a note.
    assert!(segment.losses.torn <= 10);
    let kinds = &segment.allocators[0].kinds;
    assert!(kinds.iter().all(|kind| (kind.live_bytes, kind.live_buffers) == (0, 0)));
    assert!(kinds.iter().all(|kind| kind.peak_bytes > 0));
}

#[test]
fn a_copy_that_takes_long_is_of_one_moment() {
    let recorder = recorder();
    let first_event = recorder.process.events_first.load(Ordering::Relaxed);
    let (mut copy, mut newest) = (Vec::new(), 100);
    // As far apart as objects are on a heap.
    let key = |number: u64| number * 256;
    for number in 100..400 {
        recorder.allocated(0, &buffer(key(number)), NOW);
    }
    for (index, chunk) in recorder.words.chunks(64).enumerate() {
        copy.extend(chunk.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()));
        // What happens while the events themselves are copied would be of another moment.
        if (index + 1) * 64 < first_event {
            assert!(recorder.freed(key(newest), NOW, || None));
            recorder.allocated(0, &buffer(key(newest + 300)), NOW);
            newest += 1;
        }
    }
    assert!(newest > 400, "all that lived at first is gone");
    let (told, truth) = (Reader::parse(&copy).unwrap(), read(recorder));
    assert_eq!(told.buffers, truth.buffers);
    let live = |segment: &Segment| {
        segment.allocators[0].kinds.each_ref().map(|kind| (kind.live_bytes, kind.live_buffers))
    };
    assert_eq!(live(&told), live(&truth));
    assert_eq!((told.losses.torn, truth.losses.torn), (0, 0));
}

#[test]
fn peaks_outlive_the_entries_of_their_allocators() {
    let recorder = recorder();
    let registry = Registry(recorder);
    let chips = [0, 1, 2].map(|device| 1_u128 << registry.chip(device).unwrap());
    let mut highest = [0; 3];
    for (round, chip) in (0..500_u64).zip([0, 1, 2].into_iter().cycle()) {
        let new = NewAllocator {
            pointer: 0x2000 + round * 64,
            chips: chips[chip],
            time: 2 * round,
            ..ALLOCATOR
        };
        let index = registry.allocator(&new).unwrap();
        // The highest come early, and every fourth allocator holds nothing.
        if !round.is_multiple_of(4) {
            let facts = BufferFacts { bytes_per_bank: 100_000 - round * 32, ..buffer(1000 * 4) };
            highest[chip] = facts.bytes_per_bank.max(highest[chip]);
            recorder.allocated(index, &facts, NOW);
            recorder.freed(facts.key, NOW, || None);
        }
        registry.destroyed(index, 2 * round + 1);
    }
    let segment = read(recorder);
    assert_eq!((segment.losses.allocators_dropped, segment.losses.torn), (0, 0));
    let told = [0, 1, 2].map(|chip| {
        let own = segment.allocators.iter().filter(|allocator| allocator.chips == [chip]);
        own.map(|allocator| allocator.kind(AllocatorKind::Dram).peak_bytes).max().unwrap()
    });
    assert_eq!(told, highest);
}

#[test]
fn a_buffer_freed_twice_is_subtracted_once() {
    let recorder = recorder();
    recorder.allocated(0, &buffer(1000), NOW);
    assert!(recorder.freed(1000, NOW, || None));
    assert!(!recorder.freed(1000, NOW, || None));
    assert!(!recorder.freed(1000, NOW, || Some((0, buffer(1000)))));
    let segment = read(recorder);
    assert_eq!(segment.losses.unknown_frees, 2);
    assert!(segment.allocators[0].kinds.iter().all(|kind| kind.live_buffers == 0));
}

#[test]
fn keys_that_ask_for_one_slot_all_find_a_place() {
    let recorder = recorder();
    // Any set of keys: what matters is that the table fills up far beyond single slots.
    let keys: Vec<u64> = (2..950).map(|index| index * 64).collect();
    for key in &keys {
        recorder.allocated(0, &buffer(*key), NOW);
    }
    assert_eq!(read(recorder).buffers.len(), keys.len());
    for key in keys.iter().rev() {
        assert!(recorder.freed(*key, NOW, || None));
    }
    assert_eq!(read(recorder).buffers.len(), 0);
}

#[test]
fn the_ring_keeps_the_newest_events() {
    let recorder = recorder();
    for key in 2..5000 {
        recorder.allocated(0, &buffer(key), NOW);
        recorder.freed(key, NOW, || None);
    }
    let segment = read(recorder);
    assert_eq!(segment.events.len(), 4096);
    assert_eq!(segment.events.last().unwrap().sequence, 2 * 4998);
    assert_eq!(segment.losses.events_overwritten, 2 * 4998 - 4096);
    assert!(segment.events.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
}

/// A TT-Metal in which another thread allocates while it is asked, so many times.
struct Churn {
    recorder: Recorder<'static>,
    left: AtomicU64,
}

impl Ask for Churn {
    fn statistics(&self, _: u64, kind: AllocatorKind) -> Option<Statistics> {
        let churns = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, churns).is_ok() {
            self.recorder.words[kind_block(0, kind) + KindWord::Live as usize]
                .fetch_add(live_step(32), Ordering::Relaxed);
        }
        Some(Statistics { time: 7, ..Statistics::default() })
    }

    fn time(&self) -> u64 {
        7
    }

    fn pause(&self) -> fn() {
        thread::yield_now
    }
}

#[test]
fn figures_are_kept_only_with_what_was_counted_at_the_same_moment() {
    let recorder = recorder();
    let round = |left| round(recorder, &Churn { recorder, left: AtomicU64::new(left) });
    assert_eq!(round(1000), (true, 16 * 32, None), "never of one moment");
    assert_eq!(round(3), (true, 19 * 32, None), "a difference is looked at in a second round");
    assert_eq!(round(0), (false, 19 * 32, Some(-19 * 32)));
    assert_eq!(round(1000), (true, 35 * 32, Some(-19 * 32)), "what was said last stays");
}

/// A TT-Metal that has more than was counted, for so many queries.
struct Ahead {
    recorder: Recorder<'static>,
    left: AtomicU64,
}

impl Ask for Ahead {
    fn statistics(&self, _: u64, kind: AllocatorKind) -> Option<Statistics> {
        let live = &self.recorder.words[kind_block(0, kind) + KindWord::Live as usize];
        let (allocated, _) = live_from_word(live.load(Ordering::Relaxed));
        let queries = |left: u64| left.checked_sub(1);
        let is_ahead =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, queries).is_ok();
        let allocated = allocated + if is_ahead { 64 } else { 0 };
        Some(Statistics { time: 7, allocated, ..Statistics::default() })
    }

    fn time(&self) -> u64 {
        7
    }

    fn pause(&self) -> fn() {
        thread::yield_now
    }
}

#[test]
fn a_call_under_way_is_no_residual() {
    let recorder = recorder();
    let round = |left| round(recorder, &Ahead { recorder, left: AtomicU64::new(left) });
    assert_eq!(round(3), (false, 0, Some(0)), "it ends while the thread waits");
    assert_eq!(round(6), (true, 0, Some(0)), "it lasts longer than the thread waits");
    assert_eq!(round(5), (false, 0, Some(0)), "it ended meanwhile");
    assert_eq!(round(6), (true, 0, Some(0)), "another one");
    assert_eq!(round(6), (false, 0, Some(64)), "a call that was missed");
    assert_eq!(round(1), (false, 0, Some(64)), "the same difference is known");
    assert_eq!(round(0), (false, 0, Some(0)));
    let call = recorder.process.begin_call();
    for _ in 0..3 {
        assert_eq!(round(1000), (true, 0, Some(0)), "a marked call takes as long as it takes");
    }
    drop(call);
    assert_eq!(round(1000), (true, 0, Some(0)));
    assert_eq!(round(1000), (false, 0, Some(64)), "none is under way");
}

/// Runs a round. Returns whether another is due, and DRAM's live bytes and residual.
fn round(recorder: Recorder<'static>, ask: &impl Ask) -> (bool, u64, Option<i64>) {
    recorder.process.allocators[0].changed.store(1, Ordering::Relaxed);
    assert!(refresh::round(recorder, ask));
    let is_due = recorder.process.allocators[0].changed.load(Ordering::Relaxed) == 1;
    let used = read(recorder).allocators[0].kind(AllocatorKind::Dram).clone();
    (is_due, used.live_bytes, used.residual)
}
