//! The live buffers of processes with the agent: what was read, which of them are shown, and in which order.

use std::collections::BTreeSet;
use std::time::Duration;

use ttmem_model::buffers::{AllocatorUse, BufferList, BufferOwner, LiveBuffer};
use ttmem_model::{Kind, Pid};

use super::{App, Only, SILENCE_LEAST, Step, View, moved};
use crate::output::buffers::SortKey;
use crate::tui::history::Moment;
use crate::tui::select::Filter;

/// When buffers are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Again and again: those of now.
    Every(Duration),
    /// Those of a moment of a recording.
    Once(Moment),
}

/// An allocator of a process.
pub type AllocatorId = (Pid, u64);

/// Which buffer: its process and allocator, its kind, its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId {
    /// Whose it is.
    pub allocator: AllocatorId,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub address: u64,
}

impl BufferId {
    /// The identity of a buffer.
    #[must_use]
    pub fn of(buffer: &LiveBuffer) -> Self {
        Self {
            allocator: (buffer.pid, buffer.allocator),
            kind: buffer.kind,
            address: buffer.address,
        }
    }
}

/// What decides which buffers are shown, and in which order.
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
pub struct Buffers {
    /// What was read last, and when.
    pub read: Option<(Moment, BufferList)>,
    /// What was read since the screen is held still.
    pub(super) waiting: Option<(Moment, BufferList)>,
    /// When something was read last; nothing if it is of a recording, which does not grow old.
    heard: Option<Moment>,
    /// What comes first.
    pub key: SortKey,
    /// The other way around.
    pub reversed: bool,
    /// Whether the buffer of the cursor is shown closely where there is little room.
    pub details: bool,
    /// The buffer that the cursor is on.
    pub(super) cursor: Option<BufferId>,
    /// The places in the list of those that are shown, in their order.
    shown: Vec<usize>,
    /// What `shown` was made for.
    choice: Option<Choice>,
}

impl Buffers {
    /// The buffers in an order.
    #[must_use]
    pub fn new(key: SortKey, reversed: bool) -> Self {
        Self { key, reversed, ..Self::default() }
    }

    /// Keeps what was read, and when that was heard of.
    pub(super) fn take(&mut self, heard: Option<Moment>, read: (Moment, BufferList), frozen: bool) {
        self.heard = heard;
        let place = if frozen { &mut self.waiting } else { &mut self.read };
        *place = Some(read);
    }

    /// Goes on after the screen was held still.
    pub(super) fn thaw(&mut self) {
        if let Some(newest) = self.waiting.take() {
            self.read = Some(newest);
        }
    }

    /// Forgets what was read: it is not read any more, and would be old.
    pub(super) fn forget(&mut self) {
        (self.read, self.waiting, self.heard, self.choice) = (None, None, None, None);
        self.shown.clear();
    }

    /// The whole list.
    #[must_use]
    pub fn list(&self) -> Option<&BufferList> {
        self.read.as_ref().map(|(_, list)| list)
    }

    /// The buffers that are shown, in their order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &LiveBuffer> {
        let buffers = self.list().map(|list| list.buffers.as_slice()).unwrap_or_default();
        self.shown.iter().map(move |place| &buffers[*place])
    }

    /// One of the buffers that are shown.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&LiveBuffer> {
        self.list()?.buffers.get(*self.shown.get(place)?)
    }

    /// The place of the cursor among the buffers that are shown.
    #[must_use]
    pub fn place(&self) -> usize {
        let is_it = |buffer: &LiveBuffer| Some(BufferId::of(buffer)) == self.cursor;
        self.shown().position(is_it).unwrap_or(0)
    }

    /// The buffer that the cursor is on.
    #[must_use]
    pub fn current(&self) -> Option<&LiveBuffer> {
        self.at(self.place())
    }

    /// The allocators that have a buffer among those that are shown.
    #[must_use]
    pub fn allocators(&self) -> BTreeSet<AllocatorId> {
        self.shown().map(|buffer| (buffer.pid, buffer.allocator)).collect()
    }

    /// An allocator.
    #[must_use]
    pub fn allocator(&self, (pid, number): AllocatorId) -> Option<&AllocatorUse> {
        let mut allocators = self.list()?.allocators.iter();
        allocators.find(|allocator| (allocator.pid, allocator.number) == (pid, number))
    }

    /// The process of a number.
    #[must_use]
    pub fn owner(&self, pid: Pid) -> Option<&BufferOwner> {
        self.list()?.processes.iter().find(|owner| owner.pid == pid)
    }

    /// Microseconds since something was read, if it should have been read again by now.
    #[must_use]
    pub fn silence(&self, now: Moment, interval: u64) -> Option<u64> {
        let silence = now.since(self.heard?);
        (silence >= late(interval)).then_some(silence)
    }

    /// Microseconds until the silence is to be told, or grows by a second.
    pub(super) fn wait(&self, now: Moment, interval: u64) -> Option<u64> {
        const SECOND: u64 = 1_000_000;
        let heard = self.heard?;
        Some(match self.silence(now, interval) {
            Some(_) => SECOND,
            None => Moment(heard.0 + late(interval)).since(now),
        })
    }
}

/// After so long something is late. Reading many buffers takes its time.
fn late(interval: u64) -> u64 {
    SILENCE_LEAST.max(interval.saturating_mul(3))
}

impl App {
    /// Whether somebody looks at buffers: only then are they read.
    #[must_use]
    pub fn wants_buffers(&self) -> bool {
        self.view == View::Buffers
    }

    /// When buffers are to be listed, if somebody looks at them.
    #[must_use]
    pub fn buffer_pace(&self) -> Option<Pace> {
        if !self.wants_buffers() {
            return None;
        }
        match (&self.replay, &self.shown) {
            (None, _) => Some(Pace::Every(Duration::from_micros(self.interval))),
            (Some(_), shown) => shown.as_ref().map(|shown| Pace::Once(shown.at)),
        }
    }

    /// Whether the list is of another moment than what is shown beside it: the one of a recording that was just jumped to
    /// is still being read.
    pub(crate) fn buffers_lag(&self) -> bool {
        let shown = self.shown.as_ref().filter(|_| self.replay.is_some());
        let listed = self.buffers.read.as_ref().map(|(at, _)| *at);
        shown.is_some_and(|shown| listed.is_some_and(|listed| listed != shown.at))
    }

    /// Chooses and sorts the buffers that are shown, if anything changed that decides it.
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
        let mut places: Vec<usize> =
            (0..list.buffers.len()).filter(|place| shown(&list.buffers[*place])).collect();
        places.sort_by(|one, other| choice.key.compare(&list.buffers[*one], &list.buffers[*other]));
        if choice.reversed {
            places.reverse();
        }
        self.buffers.shown = places;
        self.buffers.choice = Some(choice);
    }

    /// Moves the cursor.
    pub(super) fn step_buffer(&mut self, step: Step) {
        let place = moved(self.buffers.place(), self.buffers.shown.len(), step, self.page);
        self.put_buffer_cursor(place);
    }

    /// Puts the cursor on one of the buffers that are shown.
    pub(super) fn put_buffer_cursor(&mut self, place: usize) {
        self.buffers.cursor = self.buffers.at(place).map(BufferId::of);
    }

    /// Puts the cursor on the first buffer of the next allocator.
    pub(super) fn next_allocator(&mut self) {
        let all = self.buffers.allocators();
        let Some(current) = self.buffers.current().map(|it| (it.pid, it.allocator)) else { return };
        let next = all.range((std::ops::Bound::Excluded(current), std::ops::Bound::Unbounded));
        let Some(next) = next.chain(&all).next().copied() else { return };
        let place = self.buffers.shown().position(|it| (it.pid, it.allocator) == next);
        self.put_buffer_cursor(place.unwrap_or(0));
    }

    /// Sorts by a key, or turns the order around if that is the key already.
    pub(super) fn sort_buffers(&mut self, key: SortKey) {
        let buffers = &mut self.buffers;
        (buffers.key, buffers.reversed) = (key, buffers.key == key && !buffers.reversed);
    }
}

/// Whether a buffer belongs to what is shown alone.
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
