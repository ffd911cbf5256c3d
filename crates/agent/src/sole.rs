//! The one thread that changes the sums and the table, as long as it is the only one.
//!
//! In most programs one thread allocates and frees. A locked instruction costs it 7 ns, and each hook has three: for
//! the number of the event, the sum and the slot. While no other thread comes, the last two are plain. The first one
//! stays, and orders the two steps that both sides take: the thread notes that it is running, then checks that it still
//! is the only one; another thread notes that it no longer is, then checks whether it is running, and waits for the end
//! of that one change. From then on all are equal, for good.

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::ffi::pause;
use crate::ops::ThreadState;

/// Rounds that another thread waits: a change takes 50 ns, but its thread may not be running.
const PATIENCE: u32 = 50_000;

/// The thread that changes the sums and the table. Zero: none yet.
#[derive(Debug, Default)]
pub(crate) struct Sole {
    /// The first thread that made a change, or one of the states below.
    thread: AtomicUsize,
    /// True while that thread makes a change.
    at_work: AtomicBool,
}

/// The way in which a thread makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A change with plain instructions.
    Alone,
    /// A change with locked instructions.
    Shared,
}

impl Sole {
    /// No change was made yet.
    const NOBODY: usize = 0;
    /// Another thread waits for the first one.
    const NO_MORE: usize = 1;
    /// All threads.
    const ALL: usize = 2;

    /// Begins a change. `number` takes the number of an event with a locked instruction. [`Sole::end`] ends it.
    #[inline(always)]
    pub(crate) fn begin(&self, number: impl FnOnce() -> u64) -> (u64, Turn) {
        let me = me();
        let only = self.thread.load(Ordering::Relaxed);
        if only != me && (only == Self::ALL || !self.is_first(me)) {
            return (number(), Turn::Shared);
        }
        self.at_work.store(true, Ordering::Relaxed);
        let number = number();
        // On x86-64 the locked instruction was the fence.
        #[cfg(not(target_arch = "x86_64"))]
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.thread.load(Ordering::SeqCst) == me {
            return (number, Turn::Alone);
        }
        self.at_work.store(false, Ordering::Release);
        self.share();
        (number, Turn::Shared)
    }

    /// Ends a change.
    #[inline(always)]
    pub(crate) fn end(&self, turn: Turn) {
        if turn == Turn::Alone {
            self.at_work.store(false, Ordering::Release);
        }
    }

    /// Begins something that is done with locked instructions in any case. Before the first change there is nothing
    /// that it could disturb.
    pub(crate) fn join(&self) {
        let only = self.thread.load(Ordering::Relaxed);
        if ![Self::NOBODY, Self::ALL, me()].contains(&only) {
            self.share();
        }
    }

    /// True if the thread is the first one. If not, no thread is the only one from now on.
    #[cold]
    fn is_first(&self, me: usize) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let is_first = self.thread.compare_exchange(Self::NOBODY, me, success, failure).is_ok();
        if !is_first {
            self.share();
        }
        is_first
    }

    /// Ends the time in which one thread alone makes changes.
    #[cold]
    fn share(&self) {
        if self.thread.swap(Self::NO_MORE, Ordering::SeqCst) == Self::ALL {
            self.thread.store(Self::ALL, Ordering::Release);
            return;
        }
        for round in 0..PATIENCE {
            if !self.at_work.load(Ordering::SeqCst) {
                break;
            }
            if round < 100 { hint::spin_loop() } else { pause() }
        }
        self.thread.store(Self::ALL, Ordering::Release);
    }
}

/// A number of the calling thread that no other living thread has.
#[inline(always)]
fn me() -> usize {
    ThreadState::with(|state| std::ptr::from_ref(state).addr())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::thread;

    use super::*;

    /// Changes `sum` as the recorder does.
    fn change(sole: &Sole, numbers: &AtomicU64, sum: &AtomicU64) -> Turn {
        let (_, turn) = sole.begin(|| numbers.fetch_add(1, Ordering::AcqRel));
        match turn {
            Turn::Alone => sum.store(sum.load(Ordering::Relaxed) + 1, Ordering::Release),
            Turn::Shared => {
                sum.fetch_add(1, Ordering::AcqRel);
            }
        }
        sole.end(turn);
        turn
    }

    #[test]
    fn the_first_thread_is_alone_until_another_comes_and_never_again() {
        let (sole, numbers, sum) = (Sole::default(), AtomicU64::new(0), AtomicU64::new(0));
        assert_eq!([(); 2].map(|()| change(&sole, &numbers, &sum)), [Turn::Alone; 2]);
        thread::scope(|scope| {
            let other = scope.spawn(|| change(&sole, &numbers, &sum));
            assert_eq!(other.join().unwrap(), Turn::Shared);
        });
        assert_eq!(change(&sole, &numbers, &sum), Turn::Shared);
        assert_eq!(sum.into_inner(), 4);
    }

    #[test]
    fn whoever_comes_waits_for_the_end_of_the_change_under_way() {
        let (sole, numbers, sum) = (Sole::default(), AtomicU64::new(0), AtomicU64::new(0));
        let (_, turn) = sole.begin(|| numbers.fetch_add(1, Ordering::AcqRel));
        assert_eq!(turn, Turn::Alone);
        let half_done = sum.load(Ordering::Relaxed) + 1;
        thread::scope(|scope| {
            let other = scope.spawn(|| change(&sole, &numbers, &sum));
            while sole.thread.load(Ordering::Relaxed) == me() {
                thread::yield_now();
            }
            // Time enough for a thread that would not wait.
            for _ in 0..1000 {
                thread::yield_now();
            }
            assert!(!other.is_finished());
            sum.store(half_done, Ordering::Release);
            sole.end(turn);
        });
        assert_eq!(sum.into_inner(), 2);
    }

    #[test]
    fn what_is_locked_in_any_case_ends_it_too() {
        let (sole, numbers, sum) = (Sole::default(), AtomicU64::new(0), AtomicU64::new(0));
        sole.join();
        assert_eq!(change(&sole, &numbers, &sum), Turn::Alone);
        sole.join();
        assert_eq!(change(&sole, &numbers, &sum), Turn::Alone);
        thread::scope(|scope| drop(scope.spawn(|| sole.join())));
        assert_eq!(change(&sole, &numbers, &sum), Turn::Shared);
    }
}
