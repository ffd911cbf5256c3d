//! The work of the sleeping thread after it wakes: it queries the allocators that changed, and stores their statistics
//! beside the sums of the hooks.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::live_from_word;
use ttmem_segment::layout::{Counter, KindWord};
use ttmem_segment::{AllocatorKind, AllocatorRole, Statistics};

use crate::process::AllocatorSlot;
use crate::recorder::{Recorder, kind_block};

/// Rounds that the thread waits for the lock: it then comes back later.
const PATIENCE: u32 = 1000;

/// The most queries of a kind in a round while other threads allocate: TT-Metal's statistics and the sums of the hooks
/// are compared, and have to be of one moment.
const ATTEMPTS: u32 = 16;

/// The most queries of a kind in a round of which each found another figure than the sum of the hooks, with no call marked as under
/// way, before the next round has to decide. TT-Metal takes memory a moment before the hook of that call counts it.
const DOUBTS: u32 = 6;

/// Access to TT-Metal's statistics.
pub(crate) trait Ask {
    /// Returns the statistics of the allocator at this address for one kind. It lives as long as the call takes.
    fn statistics(&self, allocator: u64, kind: AllocatorKind) -> Option<Statistics>;
    /// Monotonic nanoseconds.
    fn time(&self) -> u64;
    /// Lets other threads run.
    fn pause(&self) -> fn();
}

/// Refreshes the allocators that changed. True if anything had changed: then another round is due, for a call that was
/// under way.
pub(crate) fn round(recorder: Recorder<'_>, ask: &impl Ask) -> bool {
    let begun = ask.time();
    let mut any = false;
    for (index, slot) in recorder.process.known_allocators().iter().enumerate() {
        if slot.changed.swap(0, Ordering::AcqRel) == 0 {
            continue;
        }
        any = true;
        if !refresh(recorder, ask, index, slot) {
            slot.changed.store(1, Ordering::Relaxed);
        }
    }
    if any {
        let ended = ask.time();
        recorder.words[Counter::RefreshTime as usize].store(ended, Ordering::Relaxed);
        recorder.words[Counter::RefreshDuration as usize]
            .store(ended.saturating_sub(begun), Ordering::Relaxed);
        recorder.count(Counter::Refreshes);
    }
    any
}

/// Refreshes one allocator. False if it has to be tried again.
fn refresh(recorder: Recorder<'_>, ask: &impl Ask, index: usize, slot: &AllocatorSlot) -> bool {
    let Ok(index) = u8::try_from(index) else { return true };
    for kind in AllocatorKind::ALL {
        if !is_worth_asking(slot, kind) {
            continue;
        }
        // The destructor of the allocator takes this lock first, and marks it as destroyed.
        let Some(_lock) = recorder.process.statistics_lock.lock(PATIENCE, ask.pause()) else {
            return false;
        };
        let pointer = slot.pointer.load(Ordering::Acquire);
        if pointer < 2 {
            return true;
        }
        match query(recorder, ask, slot, (index, kind), pointer) {
            Answer::Agreed(statistics, live) => {
                let first = kind_block(index, kind) + KindWord::Statistics as usize;
                recorder.store::<{ Statistics::WORDS }>(first, statistics.to_words(live));
            }
            Answer::Silent => return true,
            // What was said last stays, with its age.
            Answer::Moving => slot.changed.store(1, Ordering::Relaxed),
        }
    }
    true
}

/// The answer to queries of a kind.
enum Answer {
    /// Statistics, and the bytes per bank that the hooks counted at the same moment. Where the two differ, a call was missed.
    Agreed(Statistics, u64),
    /// The allocator has no such statistics.
    Silent,
    /// Calls are under way.
    Moving,
}

/// Queries a kind of an allocator until the statistics are of one moment with the sum of the hooks, and have no new difference.
fn query(
    recorder: Recorder<'_>,
    ask: &impl Ask,
    slot: &AllocatorSlot,
    (index, kind): (u8, AllocatorKind),
    pointer: u64,
) -> Answer {
    let block = kind_block(index, kind);
    let live = &recorder.words[block + KindWord::Live as usize];
    let held = Statistics::from_words(recorder.load(block + KindWord::Statistics as usize));
    let known = held.map_or(0, |(statistics, counted)| residual(&statistics, counted));
    let doubted = &slot.doubted[kind as usize];
    let mut doubts = 0;
    for _ in 0..ATTEMPTS {
        let before = live.load(Ordering::Acquire);
        let was_under_way = recorder.process.has_call_under_way();
        let Some(statistics) = ask.statistics(pointer, kind) else { return Answer::Silent };
        let is_under_way = was_under_way || recorder.process.has_call_under_way();
        if live.load(Ordering::Acquire) != before {
            continue;
        }
        let (counted, _) = live_from_word(before);
        let residual = residual(&statistics, counted);
        if residual == 0 || residual == known {
            doubted.store(0, Ordering::Relaxed);
            return Answer::Agreed(statistics, counted);
        }
        doubts += u32::from(!is_under_way);
        if doubts == DOUBTS {
            if doubted.swap(residual, Ordering::Relaxed) == residual {
                return Answer::Agreed(statistics, counted);
            }
            break;
        }
        ask.pause()();
    }
    Answer::Moving
}

/// Bytes per bank of TT-Metal less those that the hooks counted, modulo 2^64.
fn residual(statistics: &Statistics, counted: u64) -> u64 {
    statistics.allocated.wrapping_sub(counted)
}

/// True if a kind of an allocator is asked for. A mesh or device has all four kinds. Any other allocator is asked only
/// for the kinds that it was seen to have; TT-Metal has no statistics of what a device holds on single cores.
fn is_worth_asking(slot: &AllocatorSlot, kind: AllocatorKind) -> bool {
    let role = slot.role.load(Ordering::Relaxed);
    let is_whole = role == AllocatorRole::Mesh as u8 || role == AllocatorRole::Device as u8;
    is_whole || role != AllocatorRole::PerCore as u8 && slot.has_seen(kind)
}
