//! The live buffers of processes with an agent: the list, and which of its buffers are visible in which order.

use std::collections::BTreeSet;
use std::time::Duration;

use ttmem_model::buffers::{AllocatorUse, BufferList, BufferOwner, LiveBuffer};
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::{Kind, Pid};

use super::listed::Visible;
use super::{App, ListKind, Listed, Only, Pace, Step, moved};
use crate::output::buffers::SortKey;
use crate::tui::choice::View;
use crate::tui::history::Moment;

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

/// The live buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// The list.
    pub(crate) listed: Listed<BufferList>,
    /// The sort key.
    pub(crate) key: SortKey,
    /// True if the order is reversed.
    pub(crate) reversed: bool,
    /// True if the details of the selected buffer replace the table on a small screen.
    pub(crate) details: bool,
    /// The selected buffer.
    pub(super) cursor: Option<BufferId>,
    /// Indexes of the visible buffers in the list.
    visible: Visible<SortKey, usize>,
}

impl Buffers {
    /// Creates an empty list with a sort order.
    #[must_use]
    pub(crate) fn new(key: SortKey, reversed: bool) -> Self {
        Self { key, reversed, ..Self::default() }
    }

    /// Discards the list.
    pub(super) fn discard(&mut self) {
        self.listed.discard();
        self.visible = Visible::default();
    }

    /// Returns the whole list.
    #[must_use]
    pub(crate) fn list(&self) -> Option<&BufferList> {
        self.listed.get()
    }

    /// Returns the visible buffers in display order.
    pub(crate) fn shown(&self) -> impl ExactSizeIterator<Item = &LiveBuffer> {
        let buffers = self.list().map(|list| list.buffers.as_slice()).unwrap_or_default();
        self.visible.rows().iter().map(move |index| &buffers[*index])
    }

    /// Returns one of the visible buffers.
    #[must_use]
    pub(crate) fn at(&self, index: usize) -> Option<&LiveBuffer> {
        self.list()?.buffers.get(*self.visible.rows().get(index)?)
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

    /// True if Enter has opened the details of a buffer, and there is one.
    #[must_use]
    pub(crate) fn has_details(&self) -> bool {
        self.details && self.current().is_some()
    }

    /// Returns the allocators that have a visible buffer.
    #[must_use]
    pub(crate) fn allocators(&self) -> BTreeSet<AllocatorId> {
        self.shown().map(|buffer| (buffer.pid, buffer.allocator)).gather()
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
}

impl App {
    /// Returns the list to read, and of which time, if the view of one is open.
    #[must_use]
    pub(crate) fn wanted_list(&self) -> Option<(ListKind, Pace)> {
        let kind = match self.view {
            View::Buffers => ListKind::Buffers,
            View::Ops => ListKind::Ops,
            _ => return None,
        };
        let pace = match (&self.replay, &self.shown) {
            (None, _) => Pace::Every(Duration::from_micros(self.interval)),
            (Some(_), shown) => Pace::Once(shown.as_ref()?.at),
        };
        Some((kind, pace))
    }

    /// Returns the microseconds until a delay of the open list must be shown or grows by a second.
    pub(super) fn list_wait(&self, now: Moment) -> Option<u64> {
        match self.view {
            View::Buffers => self.buffers.listed.wait(now, self.interval),
            View::Ops => self.ops.listed.wait(now, self.interval),
            _ => None,
        }
    }

    /// Stores a list, unless its view was closed meanwhile.
    pub(super) fn store_buffers(&mut self, at: Moment, list: BufferList) {
        if self.view == View::Buffers {
            let heard = self.replay.is_none().then_some(self.now);
            self.buffers.listed.store(heard, (at, list), self.frozen);
        }
    }

    /// True if the list belongs to another moment than the rest of the screen: the recording was just repositioned, and
    /// the list is still being read.
    pub(crate) fn buffers_lag(&self) -> bool {
        self.lags(self.buffers.listed.read.as_ref().map(|(at, _)| *at))
    }

    /// True if a list of this time is not of the moment of the recording that is shown.
    pub(super) fn lags(&self, listed: Option<Moment>) -> bool {
        let shown = self.shown.as_ref().filter(|_| self.replay.is_some());
        shown.is_some_and(|shown| listed.is_some_and(|listed| listed != shown.at))
    }

    /// Selects and sorts the visible buffers, if any input changed.
    pub(super) fn choose_buffers(&mut self) {
        let Some((read, list)) = &self.buffers.listed.read else { return };
        let inputs = self.inputs(*read, self.buffers.key, self.buffers.reversed);
        if self.buffers.visible.is_by(&inputs) {
            return;
        }
        let shown = |buffer: &LiveBuffer| {
            is_selected(list, self.only, buffer) && self.filter.shows_buffer(list, buffer)
        };
        let mut indexes: Vec<usize> =
            (0..list.buffers.len()).filter(|index| shown(&list.buffers[*index])).collect();
        order::sort_by(&mut indexes, |one, other| {
            inputs.key.compare(&list.buffers[*one], &list.buffers[*other])
        });
        self.buffers.visible = Visible::new(indexes, inputs);
    }

    /// Moves the cursor.
    pub(super) fn step_buffer(&mut self, step: Step) {
        let index = moved(self.buffers.index(), self.buffers.visible.rows().len(), step, self.page);
        self.put_buffer_cursor(index);
    }

    /// Selects a visible buffer.
    pub(super) fn put_buffer_cursor(&mut self, index: usize) {
        self.buffers.cursor = self.buffers.at(index).map(BufferId::of);
        self.scroll.set(0);
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
