//! The live buffers of processes with an agent: the list, and which of its buffers are visible in which order.

use std::collections::BTreeSet;
use std::time::Duration;

use ttmem_model::buffers::{AllocatorUse, BufferList, BufferOwner, LiveBuffer};
use ttmem_model::{Kind, Pid};

use super::{App, Only, SILENCE_LEAST, Step, moved};
use crate::output::buffers::SortKey;
use crate::tui::choice::View;
use crate::tui::history::Moment;
use crate::tui::select::Filter;

/// The time of a buffer list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Now, repeatedly.
    Every(Duration),
    /// A moment of a recording.
    Once(Moment),
}

/// An allocator of a process.
pub(crate) type AllocatorId = (Pid, u64);

/// The identity of a buffer: its process, allocator, kind and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferId {
    /// The allocator.
    pub(crate) allocator: AllocatorId,
    /// The kind.
    pub(crate) kind: Kind,
    /// The address.
    pub(crate) address: u64,
}

impl BufferId {
    /// Returns the identity of a buffer.
    #[must_use]
    pub(crate) fn of(buffer: &LiveBuffer) -> Self {
        Self {
            allocator: (buffer.pid, buffer.allocator),
            kind: buffer.kind,
            address: buffer.address,
        }
    }
}

/// The inputs that decide which buffers are visible, and in which order.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    read: Moment,
    filter: Filter,
    only: Only,
    key: SortKey,
    reversed: bool,
}

/// The live buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// The last list, and its time.
    pub(crate) read: Option<(Moment, BufferList)>,
    /// The list that arrived while the screen was frozen.
    pub(super) waiting: Option<(Moment, BufferList)>,
    /// Arrival time of the last list; `None` for a recording, which does not age.
    heard: Option<Moment>,
    /// The sort key.
    pub(crate) key: SortKey,
    /// True if the order is reversed.
    pub(crate) reversed: bool,
    /// True if the details of the selected buffer replace the table on a small screen.
    pub(crate) details: bool,
    /// The selected buffer.
    pub(super) cursor: Option<BufferId>,
    /// Indexes of the visible buffers in the list, in display order.
    shown: Vec<usize>,
    /// The inputs that `shown` was computed from.
    choice: Option<Choice>,
}

impl Buffers {
    /// Creates an empty list with a sort order.
    #[must_use]
    pub(crate) fn new(key: SortKey, reversed: bool) -> Self {
        Self { key, reversed, ..Self::default() }
    }

    /// Stores a list and its arrival time.
    pub(super) fn store(
        &mut self,
        heard: Option<Moment>,
        read: (Moment, BufferList),
        frozen: bool,
    ) {
        self.heard = heard;
        let slot = if frozen { &mut self.waiting } else { &mut self.read };
        *slot = Some(read);
    }

    /// Resumes after the screen was frozen.
    pub(super) fn thaw(&mut self) {
        if let Some(newest) = self.waiting.take() {
            self.read = Some(newest);
        }
    }

    /// Discards the list: it is no longer refreshed and would grow old.
    pub(super) fn discard(&mut self) {
        (self.read, self.waiting, self.heard, self.choice) = (None, None, None, None);
        self.shown.clear();
    }

    /// Returns the whole list.
    #[must_use]
    pub(crate) fn list(&self) -> Option<&BufferList> {
        self.read.as_ref().map(|(_, list)| list)
    }

    /// Returns the visible buffers in display order.
    pub(crate) fn shown(&self) -> impl ExactSizeIterator<Item = &LiveBuffer> {
        let buffers = self.list().map(|list| list.buffers.as_slice()).unwrap_or_default();
        self.shown.iter().map(move |index| &buffers[*index])
    }

    /// Returns one of the visible buffers.
    #[must_use]
    pub(crate) fn at(&self, index: usize) -> Option<&LiveBuffer> {
        self.list()?.buffers.get(*self.shown.get(index)?)
    }

    /// Returns the index of the cursor among the visible buffers.
    #[must_use]
    pub(crate) fn index(&self) -> usize {
        let is_it = |buffer: &LiveBuffer| Some(BufferId::of(buffer)) == self.cursor;
        self.shown().position(is_it).unwrap_or(0)
    }

    /// Returns the selected buffer.
    #[must_use]
    pub(crate) fn current(&self) -> Option<&LiveBuffer> {
        self.at(self.index())
    }

    /// Returns the allocators that have a visible buffer.
    #[must_use]
    pub(crate) fn allocators(&self) -> BTreeSet<AllocatorId> {
        self.shown().map(|buffer| (buffer.pid, buffer.allocator)).collect()
    }

    /// Returns an allocator.
    #[must_use]
    pub(crate) fn allocator(&self, (pid, number): AllocatorId) -> Option<&AllocatorUse> {
        let mut allocators = self.list()?.allocators.iter();
        allocators.find(|allocator| (allocator.pid, allocator.number) == (pid, number))
    }

    /// Returns the process with a pid.
    #[must_use]
    pub(crate) fn owner(&self, pid: Pid) -> Option<&BufferOwner> {
        self.list()?.processes.iter().find(|owner| owner.pid == pid)
    }

    /// Returns the microseconds since the last list, if the next one is late.
    #[must_use]
    pub(crate) fn silence(&self, now: Moment, interval: u64) -> Option<u64> {
        let silence = now.since(self.heard?);
        (silence >= late(interval)).then_some(silence)
    }

    /// Returns the microseconds until a delay must be shown or grows by a second.
    pub(super) fn wait(&self, now: Moment, interval: u64) -> Option<u64> {
        const SECOND: u64 = 1_000_000;
        let heard = self.heard?;
        Some(match self.silence(now, interval) {
            Some(_) => SECOND,
            None => Moment(heard.0 + late(interval)).since(now),
        })
    }
}

/// Microseconds after which a list is late. Reading many buffers takes time.
fn late(interval: u64) -> u64 {
    SILENCE_LEAST.max(interval.saturating_mul(3))
}

impl App {
    /// True if the view of buffers is open: only then are they read.
    #[must_use]
    pub(crate) fn wants_buffers(&self) -> bool {
        self.view == View::Buffers
    }

    /// Returns the time to list buffers of, if the view is open.
    #[must_use]
    pub(crate) fn buffer_pace(&self) -> Option<Pace> {
        if !self.wants_buffers() {
            return None;
        }
        match (&self.replay, &self.shown) {
            (None, _) => Some(Pace::Every(Duration::from_micros(self.interval))),
            (Some(_), shown) => shown.as_ref().map(|shown| Pace::Once(shown.at)),
        }
    }

    /// True if the list is of another moment than the rest of the screen: the recording was just repositioned, and the
    /// list is still being read.
    pub(crate) fn buffers_lag(&self) -> bool {
        let shown = self.shown.as_ref().filter(|_| self.replay.is_some());
        let listed = self.buffers.read.as_ref().map(|(at, _)| *at);
        shown.is_some_and(|shown| listed.is_some_and(|listed| listed != shown.at))
    }

    /// Selects and sorts the visible buffers, if any input changed.
    pub(super) fn choose_buffers(&mut self) {
        let Some((read, list)) = &self.buffers.read else { return };
        let choice = Choice {
            read: *read,
            filter: self.filter.clone(),
            only: self.only,
            key: self.buffers.key,
            reversed: self.buffers.reversed,
        };
        if self.buffers.choice.as_ref() == Some(&choice) {
            return;
        }
        let shown = |buffer: &LiveBuffer| {
            is_selected(list, self.only, buffer) && self.filter.shows_buffer(list, buffer)
        };
        let mut indexes: Vec<usize> =
            (0..list.buffers.len()).filter(|index| shown(&list.buffers[*index])).collect();
        indexes
            .sort_by(|one, other| choice.key.compare(&list.buffers[*one], &list.buffers[*other]));
        if choice.reversed {
            indexes.reverse();
        }
        self.buffers.shown = indexes;
        self.buffers.choice = Some(choice);
    }

    /// Moves the cursor.
    pub(super) fn step_buffer(&mut self, step: Step) {
        let index = moved(self.buffers.index(), self.buffers.shown.len(), step, self.page);
        self.put_buffer_cursor(index);
    }

    /// Selects a visible buffer.
    pub(super) fn put_buffer_cursor(&mut self, index: usize) {
        self.buffers.cursor = self.buffers.at(index).map(BufferId::of);
    }

    /// Selects the first buffer of the next allocator.
    pub(super) fn next_allocator(&mut self) {
        let all = self.buffers.allocators();
        let Some(current) = self.buffers.current().map(|it| (it.pid, it.allocator)) else { return };
        let next = all.range((std::ops::Bound::Excluded(current), std::ops::Bound::Unbounded));
        let Some(next) = next.chain(&all).next().copied() else { return };
        let index = self.buffers.shown().position(|it| (it.pid, it.allocator) == next);
        self.put_buffer_cursor(index.unwrap_or(0));
    }

    /// Sorts by a key, or reverses the order if that is the key already.
    pub(super) fn sort_buffers(&mut self, key: SortKey) {
        let buffers = &mut self.buffers;
        (buffers.key, buffers.reversed) = (key, buffers.key == key && !buffers.reversed);
    }
}

/// True if a buffer belongs to the subject that is shown alone.
fn is_selected(list: &BufferList, only: Only, buffer: &LiveBuffer) -> bool {
    match only {
        Only::All => true,
        Only::Process(id) => buffer.pid == id.pid,
        Only::Chip(id) => list
            .allocators
            .iter()
            .filter(|its| (its.pid, its.number) == (buffer.pid, buffer.allocator))
            .any(|allocator| allocator.chips.iter().any(|chip| chip.id == id)),
    }
}
