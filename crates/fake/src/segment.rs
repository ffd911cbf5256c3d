//! An agent segment as an image of bytes, built from the actions of a made-up process.
//!
//! It uses the layout of [`ttmem_segment`], as the agent does, and shares no code with the reader. Buffers are placed
//! as TT-Metal places them: DRAM from the bottom of the bank, L1 from its top, into the first hole that is large
//! enough.

mod buffer;
mod calls;
mod image;
mod programs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ttmem_segment::entry::{BufferEntry, EventEntry, FailureEntry, Tags};
use ttmem_segment::layout::Counter;
use ttmem_segment::owner::{Alignments, AllocatorHead, PeakOrigin};
use ttmem_segment::stack::StackEntry;
use ttmem_segment::{
    Accessor, AgentState, AllocatorKind, AllocatorRole, BufferLayout, Chip, EventKind, Hook, Label,
    Shape, Statistics,
};

use super::NOW;

pub use self::buffer::NewBuffer;
use self::programs::FakePrograms;
pub use self::programs::NewProgram;

/// Nanoseconds of the monotonic clock when a fake segment is created.
const FIRST_TIME: u64 = 5_000_000_000_000;
/// Nanoseconds between two actions of a fake process.
const STEP: u64 = 1_000_000;
/// The default age of a segment at [`NOW`], in nanoseconds.
const AGE: u64 = 600_000_000_000;

/// The address range of a kind in every bank.
#[derive(Clone, Copy, Debug)]
pub struct Bank {
    /// Banks.
    pub banks: u64,
    /// First address.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The banks of a Wormhole with 64 cores, 32 KiB of `L1_SMALL` and 88 KiB of trace region: those of a real n150 with
/// TT-Metal 0.81.1, by [`AllocatorKind`].
pub const WORMHOLE: [Bank; 4] = [
    Bank { banks: 12, start: 0x10_0040, bytes: 1_072_603_072 },
    Bank { banks: 64, start: 105_824, bytes: 1_360_544 },
    Bank { banks: 64, start: 1_466_368, bytes: 32_768 },
    Bank { banks: 12, start: 0x3ffe_a000, bytes: 90_112 },
];

#[derive(Clone, Debug)]
struct FakeAllocator {
    head: AllocatorHead,
    banks: [Bank; 4],
    peaks: [Option<PeakOrigin>; 4],
    /// The excess of TT-Metal's figure over the agent's.
    hidden: [i64; 4],
    /// Bytes per bank and number of the live buffers that do not fit the table.
    unlisted: [(u64, u64); 4],
    /// Live buffers by kind and address.
    live: BTreeMap<(u8, u64), BufferEntry>,
}

/// A segment under construction. Actions apply to the allocator that was opened last.
#[derive(Clone, Debug)]
pub struct Segment {
    pid: i32,
    start_ticks: u64,
    made: u64,
    time: u64,
    thread: u32,
    version: String,
    label: Label,
    pid_namespace: Option<u64>,
    state: AgentState,
    hooks: u64,
    accessors: u64,
    chips: Vec<Chip>,
    allocators: Vec<FakeAllocator>,
    names: Vec<String>,
    functions: Vec<(String, String)>,
    stacks: Vec<StackEntry>,
    /// The stack of the next allocations; 0 for none.
    stack: u16,
    shapes: Vec<Shape>,
    /// The shape of the next tensors; 0 for none.
    shape: u16,
    events: Vec<EventEntry>,
    failures: Vec<FailureEntry>,
    programs: FakePrograms,
    counters: Vec<(Counter, u64)>,
    without_statistics: bool,
}

impl Segment {
    /// Creates the segment of a process without chips, by its pid in its own namespace and its start in ticks since
    /// boot.
    #[must_use]
    pub fn new(pid: i32, start_ticks: u64) -> Self {
        Self {
            pid,
            start_ticks,
            made: NOW.0 * 1000 - AGE,
            time: FIRST_TIME,
            thread: pid.unsigned_abs(),
            version: "0.81.1".to_owned(),
            label: Label::default(),
            pid_namespace: None,
            state: AgentState::Recording,
            hooks: Hook::ALL
                .iter()
                .filter(|hook| !hook.as_str().starts_with("Allocator::"))
                .map(|hook| hook.bit())
                .sum(),
            accessors: Accessor::ALL.iter().map(|accessor| accessor.bit()).sum(),
            chips: Vec::new(),
            allocators: Vec::new(),
            names: vec![String::new()],
            functions: Vec::new(),
            stacks: Vec::new(),
            stack: 0,
            shapes: Vec::new(),
            shape: 0,
            events: Vec::new(),
            failures: Vec::new(),
            programs: FakePrograms::default(),
            counters: Vec::new(),
            without_statistics: false,
        }
    }

    /// Creates the segment of a process on one Wormhole chip, opened as a mesh.
    #[must_use]
    pub fn wormhole(pid: i32, start_ticks: u64, unique_id: u64) -> Self {
        Self::new(pid, start_ticks).chip(0, Some(unique_id)).open(
            AllocatorRole::Mesh,
            &[0],
            WORMHOLE,
        )
    }

    /// Returns the file name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("ttmem-{}-{}", self.pid, self.start_ticks)
    }

    /// Adds a chip with the number that the process gives it.
    #[must_use]
    pub fn chip(mut self, device: u32, unique_id: Option<u64>) -> Self {
        self.chips.push(Chip { device, unique_id });
        self
    }

    /// Opens an allocator for chips by their index.
    #[must_use]
    pub fn open(mut self, role: AllocatorRole, chips: &[usize], banks: [Bank; 4]) -> Self {
        let serial = self.allocators.len() as u64 + 1;
        let head = AllocatorHead {
            serial,
            pointer: 0x5555_0000_0000 + serial * 0x1000,
            role,
            alignments: Alignments::default(),
            chips: chips.iter().fold(0, |set, chip| set | 1 << chip),
            opened: self.time,
            closed: 0,
        };
        self.allocators.push(FakeAllocator { head, banks, ..FakeAllocator::none() });
        self.record(EventKind::AllocatorSeen);
        self
    }

    /// Allocates; does nothing if no hole is large enough.
    #[must_use]
    pub fn allocate(mut self, new: NewBuffer<'_>) -> Self {
        let tags = self.tags(new);
        let bank = self.last().banks[new.kind as usize];
        let Some(address) = self.last().place(new.kind, new.bytes_per_bank) else { return self };
        let requested =
            if new.requested == 0 { new.bytes_per_bank * bank.banks } else { new.requested };
        let sequence = self.events.len() as u64 + 1;
        let entry = BufferEntry {
            key: 0x7f00_0000_0000 + sequence * 64,
            address,
            bytes_per_bank: new.bytes_per_bank,
            requested,
            sequence,
            stack: self.stack,
            shape: self.shape,
            time: self.time,
            page_bytes: 2048,
            block_padding: 0,
            thread: self.thread,
            tags,
        };
        self.last_mut().live.insert((new.kind as u8, address), entry);
        let (live, buffers) = self.last().live_of(new.kind);
        self.event(EventKind::Allocate, &entry, live);
        let peak = PeakOrigin {
            bytes_per_bank: live,
            buffers,
            time: entry.time,
            event: sequence,
            thread: entry.thread,
            name: tags.name,
        };
        let held = &mut self.last_mut().peaks[new.kind as usize];
        if held.is_none_or(|held| held.bytes_per_bank < live) {
            *held = Some(peak);
        }
        self
    }

    /// Frees the newest live buffer of a kind.
    #[must_use]
    pub fn free_newest(self, kind: AllocatorKind) -> Self {
        let newest = self.last().of_kind(kind).max_by_key(|entry| entry.sequence).copied();
        self.free(newest)
    }

    /// Frees the oldest live buffer of a kind.
    #[must_use]
    pub fn free_oldest(self, kind: AllocatorKind) -> Self {
        let oldest = self.last().of_kind(kind).min_by_key(|entry| entry.sequence).copied();
        self.free(oldest)
    }

    /// Frees the newest live buffer of an op.
    #[must_use]
    pub fn free_newest_of(self, op: &str) -> Self {
        let name = self.names.iter().position(|name| name == op).unwrap_or(usize::MAX);
        let is_its = |entry: &&BufferEntry| usize::from(entry.tags.name) == name;
        let newest = self.last().live.values().filter(is_its).max_by_key(|entry| entry.sequence);
        let newest = newest.copied();
        self.free(newest)
    }

    fn free(mut self, entry: Option<BufferEntry>) -> Self {
        let Some(entry) = entry else { return self };
        self.last_mut().live.remove(&(entry.tags.kind as u8, entry.address));
        let (live, _) = self.last().live_of(entry.tags.kind);
        self.event(EventKind::Free, &entry, live);
        self
    }

    /// Records a failed allocation, whether there is room or not.
    #[must_use]
    pub fn fail(mut self, new: NewBuffer<'_>) -> Self {
        let tags = self.tags(new);
        let statistics = self.last().statistics(new.kind, self.time);
        let (live_bytes, live_buffers) = self.last().live_of(new.kind);
        let banks = self.last().banks[new.kind as usize].banks;
        let requested = if new.requested == 0 { new.bytes_per_bank * banks } else { new.requested };
        let entry = BufferEntry {
            key: 0,
            address: 0,
            bytes_per_bank: new.bytes_per_bank,
            requested,
            sequence: 0,
            stack: self.stack,
            shape: self.shape,
            time: self.time,
            page_bytes: 2048,
            block_padding: 0,
            thread: self.thread,
            tags,
        };
        self.event(EventKind::Failure, &entry, live_bytes);
        self.failures.push(FailureEntry {
            sequence: self.failures.len() as u64 + 1,
            time: entry.time,
            requested,
            bytes_per_bank: new.bytes_per_bank,
            page_bytes: entry.page_bytes,
            thread: entry.thread,
            tags,
            statistics,
            live_bytes,
            live_buffers,
            banks,
            event: self.events.len() as u64,
            stack: self.stack,
        });
        self
    }

    /// Closes the newest allocator and drops its buffers.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.record(EventKind::MeshClosed);
        self.record(EventKind::MassFree);
        let time = self.time;
        self.last_mut().live.clear();
        self.last_mut().head.closed = time;
        self.record(EventKind::AllocatorDestroyed);
        self
    }

    /// Advances the time of the events that follow.
    #[must_use]
    pub fn wait(mut self, milliseconds: u64) -> Self {
        self.time += milliseconds * 1_000_000;
        self
    }

    /// Sets the difference between TT-Metal's figure and the agent's, in bytes per bank.
    #[must_use]
    pub fn hidden(mut self, kind: AllocatorKind, bytes_per_bank: i64) -> Self {
        self.last_mut().hidden[kind as usize] = bytes_per_bank;
        self
    }

    /// Sets the number of live buffers that do not fit the table.
    #[must_use]
    pub fn unlisted(mut self, kind: AllocatorKind, bytes_per_bank: u64, buffers: u64) -> Self {
        self.last_mut().unlisted[kind as usize] = (bytes_per_bank, buffers);
        self
    }

    /// Clears the statistics of TT-Metal.
    #[must_use]
    pub fn without_statistics(mut self) -> Self {
        self.without_statistics = true;
        self
    }

    /// Sets what the process is called.
    #[must_use]
    pub fn label(mut self, label: Label) -> Self {
        self.label = label;
        self
    }

    /// Sets the state of the agent.
    #[must_use]
    pub fn state(mut self, state: AgentState) -> Self {
        self.state = state;
        self
    }

    /// Sets the live hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: &[Hook]) -> Self {
        self.hooks = hooks.iter().map(|hook| hook.bit()).sum();
        self
    }

    /// Sets a counter of the header: see [`Counter`].
    #[must_use]
    pub fn counter(mut self, counter: Counter, value: u64) -> Self {
        self.counters.push((counter, value));
        self
    }

    fn last(&self) -> &FakeAllocator {
        static NONE: std::sync::OnceLock<FakeAllocator> = std::sync::OnceLock::new();
        self.allocators.last().unwrap_or_else(|| NONE.get_or_init(FakeAllocator::none))
    }

    fn last_mut(&mut self) -> &mut FakeAllocator {
        if self.allocators.is_empty() {
            self.allocators.push(FakeAllocator::none());
        }
        let last = self.allocators.len() - 1;
        &mut self.allocators[last]
    }

    fn tags(&mut self, new: NewBuffer<'_>) -> Tags {
        let known = self.names.iter().position(|name| name == new.op);
        let name = known.unwrap_or_else(|| {
            self.names.push(new.op.to_owned());
            self.names.len() - 1
        });
        Tags {
            allocator: u8::try_from(self.allocators.len().saturating_sub(1)).unwrap_or(0),
            kind: new.kind,
            origin: new.origin,
            layout: new.layout,
            name: u16::try_from(name).unwrap_or(0),
        }
    }

    fn record(&mut self, what: EventKind) {
        let new = NewBuffer::new(AllocatorKind::Dram, 0, "");
        let tags = self.tags(new.layout(BufferLayout::Unknown));
        let address = self.last().head.pointer;
        let entry = BufferEntry {
            key: 0,
            address,
            bytes_per_bank: 0,
            requested: 0,
            sequence: 0,
            stack: 0,
            shape: 0,
            time: self.time,
            page_bytes: 0,
            block_padding: 0,
            thread: self.thread,
            tags,
        };
        self.event(what, &entry, 0);
    }

    fn event(&mut self, kind: EventKind, entry: &BufferEntry, live_after: u64) {
        self.events.push(EventEntry {
            kind,
            sequence: self.events.len() as u64 + 1,
            stack: entry.stack,
            shape: entry.shape,
            time: self.time,
            address: entry.address,
            bytes_per_bank: entry.bytes_per_bank,
            requested: entry.requested,
            live_after,
            page_bytes: entry.page_bytes,
            block_padding: entry.block_padding,
            thread: entry.thread,
            tags: entry.tags,
        });
        self.time += STEP;
    }
}

impl FakeAllocator {
    /// An empty bank range.
    fn none() -> Self {
        let head = AllocatorHead {
            serial: 1,
            pointer: 0x5555_0000_1000,
            role: AllocatorRole::Unknown,
            alignments: Alignments::default(),
            chips: 0,
            opened: FIRST_TIME,
            closed: 0,
        };
        let banks = [Bank { banks: 0, start: 0, bytes: 0 }; 4];
        let (peaks, hidden, unlisted) = ([None; 4], [0; 4], [(0, 0); 4]);
        Self { head, banks, peaks, hidden, unlisted, live: BTreeMap::new() }
    }

    fn of_kind(&self, kind: AllocatorKind) -> impl Iterator<Item = &BufferEntry> {
        self.live.range((kind as u8, 0)..=(kind as u8, u64::MAX)).map(|(_, entry)| entry)
    }

    /// Returns bytes per bank and number of the live buffers.
    fn live_of(&self, kind: AllocatorKind) -> (u64, u64) {
        let (bytes, buffers) = self.unlisted[kind as usize];
        let sum: u64 = self.of_kind(kind).map(|entry| entry.bytes_per_bank).sum();
        (sum + bytes, self.of_kind(kind).count() as u64 + buffers)
    }

    /// Returns the holes in ascending order: start and bytes.
    fn holes(&self, kind: AllocatorKind) -> Vec<(u64, u64)> {
        let bank = self.banks[kind as usize];
        let mut next = bank.start;
        let mut holes = Vec::new();
        for entry in self.of_kind(kind) {
            holes.push((next, entry.address.saturating_sub(next)));
            next = entry.address + entry.bytes_per_bank;
        }
        holes.push((next, (bank.start + bank.bytes).saturating_sub(next)));
        holes.retain(|(_, bytes)| *bytes > 0);
        holes
    }

    fn place(&self, kind: AllocatorKind, bytes: u64) -> Option<u64> {
        let holes = self.holes(kind);
        match kind {
            AllocatorKind::Dram | AllocatorKind::Trace => {
                holes.iter().find(|(_, room)| *room >= bytes).map(|(start, _)| *start)
            }
            AllocatorKind::L1 | AllocatorKind::L1Small => {
                let hole = holes.iter().rev().find(|(_, room)| *room >= bytes);
                hole.map(|(start, room)| start + room - bytes)
            }
        }
    }

    fn statistics(&self, kind: AllocatorKind, time: u64) -> Statistics {
        let total = self.banks[kind as usize].bytes;
        let (live, _) = self.live_of(kind);
        let allocated = live.saturating_add_signed(self.hidden[kind as usize]);
        let largest = self.holes(kind).into_iter().map(|(_, bytes)| bytes).max().unwrap_or(0);
        let free = total.saturating_sub(allocated);
        Statistics { total, allocated, free, largest_free: largest.min(free), time }
    }
}
