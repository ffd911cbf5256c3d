//! Reads the tables of programs.

use std::sync::Arc;

use crate::order;

use super::super::contents::{Buffer, Losses};
use super::super::entry::{Tags, high, live_from_word, low};
use super::super::layout::{CHIPS, CHIPS_CLEARED, Counter, FootprintWord, Section, TraceWord};
use super::super::program::{
    DispatchEntry, FOOTPRINT_FIXED_WORDS, FootprintEntry, NO_FOOTPRINT, PartEntry, RefusalEntry,
    TRACE_FIXED_WORDS, TraceEntry, from_trace_part,
};
use super::super::programs::{
    Dispatch, Kernel, Placement, ProgramFootprint, ProgramLosses, Programs, Refusal, Trace,
};
use super::super::vocabulary::{DispatchKind, PartKind};
use super::entries::ring_index;
use super::{View, nonzero};

/// Command queue where none is known.
const NO_QUEUE: u8 = 255;

impl View<'_> {
    /// Reads all programs; none in a segment before 1.2.
    pub(super) fn programs(&self, chips: usize, losses: &mut Losses) -> Programs {
        if self.tables[Section::Footprints as usize].entries == 0 {
            return Programs::default();
        }
        Programs {
            footprints: self.footprints(chips, losses),
            dispatches: self.dispatches(losses),
            dispatched: self.counter(Counter::Dispatches),
            traces: self.traces(chips, losses),
            refusals: self.refusals(chips, losses),
            dram_during_traces: live_from_word(self.counter(Counter::DramDuringTraces)),
            l1_during_traces: live_from_word(self.counter(Counter::L1DuringTraces)),
            trace_bytes_peak: self.counter(Counter::TraceBytesPeak),
            trace_region_size: self.counter(Counter::TraceRegionSize),
            cleared: (0..chips.min(CHIPS)).map(|chip| self.word(CHIPS_CLEARED + chip)).collect(),
            losses: self.program_losses(),
        }
    }

    fn program_losses(&self) -> ProgramLosses {
        let overwritten = |written: Counter, section: Section| {
            self.counter(written).saturating_sub(self.tables[section as usize].entries as u64)
        };
        ProgramLosses {
            footprints_dropped: self.counter(Counter::FootprintsDropped),
            trace_parts_dropped: self.counter(Counter::TracePartsDropped),
            unknown_dispatches: self.counter(Counter::UnknownDispatches),
            last_unknown_dispatch: self.counter(Counter::LastUnknownDispatch),
            dispatches_overwritten: overwritten(Counter::Dispatches, Section::Dispatches),
            refusals_overwritten: overwritten(Counter::Refusals, Section::Refusals),
        }
    }

    /// Entries of a section that are in use, by the header.
    fn used(&self, count: Counter, section: Section) -> usize {
        let entries = self.tables[section as usize].entries;
        usize::try_from(self.counter(count)).unwrap_or(usize::MAX).min(entries)
    }

    fn footprints(&self, chips: usize, losses: &mut Losses) -> Vec<ProgramFootprint> {
        let table = self.tables[Section::Footprints as usize];
        let parts = self.used(Counter::Parts, Section::Parts);
        // Each part belongs to one footprint: forged overlaps cost no more than the table has.
        let mut parts_left = parts;
        let mut footprints = Vec::new();
        for index in 0..self.used(Counter::Footprints, Section::Footprints) {
            let first = table.entry(index);
            let words = self.words::<FOOTPRINT_FIXED_WORDS>(first);
            if words[0] == 0 {
                continue;
            }
            let Some(entry) = FootprintEntry::from_words(words) else {
                losses.torn += 1;
                continue;
            };
            let index = u32::try_from(index).unwrap_or(NO_FOOTPRINT);
            let mut footprint = self.footprint(index, &entry, first, chips);
            let begin = (entry.first_part as usize).min(parts);
            let count = (entry.parts as usize).min(parts - begin).min(parts_left);
            parts_left -= count;
            footprint.is_torn = count < entry.parts as usize;
            for part in begin..begin + count {
                self.add_part(&mut footprint, part);
            }
            losses.torn += u64::from(footprint.is_torn);
            footprints.push(footprint);
        }
        footprints
    }

    /// A footprint without its parts.
    fn footprint(
        &self,
        index: u32,
        entry: &FootprintEntry,
        first: usize,
        chips: usize,
    ) -> ProgramFootprint {
        let l1 = self.word(first + FootprintWord::L1 as usize);
        let destroyed = self.word(first + FootprintWord::Destroyed as usize);
        ProgramFootprint {
            index,
            program: entry.program,
            op: self.op(entry.name),
            chips: chip_indexes(entry.chips, chips),
            recorded: entry.time,
            destroyed: (destroyed != 0).then_some(destroyed),
            placements: Vec::new(),
            kernels: Vec::new(),
            config_bytes: entry.config_bytes,
            semaphore_bytes: entry.semaphore_bytes,
            dispatches: self.word(first + FootprintWord::Dispatches as usize),
            last_dispatch: self.word(first + FootprintWord::LastDispatch as usize),
            last_time: self.word(first + FootprintWord::LastTime as usize),
            lowest_l1: nonzero(u64::from(low(l1))),
            lowest_l1_event: self.word(first + FootprintWord::LowestEvent as usize),
            l1_bytes: u64::from(high(l1)),
            is_torn: false,
        }
    }

    fn add_part(&self, footprint: &mut ProgramFootprint, part: usize) {
        let table = self.tables[Section::Parts as usize];
        let entry = PartEntry::from_words(self.words(table.entry(part)));
        let Some(entry) = entry.filter(|entry| entry.footprint == footprint.index) else {
            footprint.is_torn = true;
            return;
        };
        let bytes = u64::from(entry.bytes);
        if entry.kind == PartKind::Kernel {
            let name = self.op(entry.name).map(|op| Arc::clone(&op.name));
            footprint.kernels.push(Kernel {
                name,
                core_type: entry.core_type,
                text_bytes: entry.has_bytes.then_some(bytes),
                cores: entry.cores,
            });
        } else {
            footprint.placements.push(Placement {
                kind: entry.kind,
                address: u64::from(entry.address),
                bytes,
                is_backed: entry.is_backed,
                cores: entry.cores,
            });
        }
    }

    fn dispatches(&self, losses: &mut Losses) -> Vec<Dispatch> {
        let table = self.tables[Section::Dispatches as usize];
        let newest = self.counter(Counter::Dispatches).saturating_add(table.entries as u64);
        let mut dispatches = Vec::new();
        for index in 0..table.entries {
            let words = self.words(table.entry(index));
            if words == [0; 8] {
                continue;
            }
            let entry = DispatchEntry::from_words(words).filter(|entry| {
                ring_index(entry.sequence, table.entries) == Some(index) && entry.sequence <= newest
            });
            match entry {
                Some(entry) => dispatches.push(self.dispatch(&entry)),
                None => losses.torn += 1,
            }
        }
        order::sort_by_number(&mut dispatches, |dispatch| dispatch.sequence);
        dispatches
    }

    fn dispatch(&self, entry: &DispatchEntry) -> Dispatch {
        let is_replay = entry.kind == DispatchKind::Replay;
        Dispatch {
            sequence: entry.sequence,
            kind: entry.kind,
            time: entry.time,
            thread: entry.thread,
            footprint: index(entry.footprint).filter(|_| !is_replay),
            trace: is_replay.then_some(entry.footprint),
            queue: queue(entry.queue),
            op: self.op(entry.name),
            event: entry.event,
            l1_bytes: u64::from(entry.l1_bytes),
            lowest_l1: nonzero(u64::from(entry.lowest_l1)),
        }
    }

    fn traces(&self, chips: usize, losses: &mut Losses) -> Vec<Trace> {
        let table = self.tables[Section::Traces as usize];
        // Each element belongs to one trace.
        let mut parts_left = self.used(Counter::TraceParts, Section::TraceParts);
        let mut traces = Vec::new();
        for index in 0..table.entries {
            let first = table.entry(index);
            let words = self.words::<TRACE_FIXED_WORDS>(first);
            if words[0] == 0 {
                continue;
            }
            let entry = TraceEntry::from_words(words)
                .filter(|entry| ring_index(entry.serial, table.entries) == Some(index));
            match entry {
                Some(entry) => traces.push(self.trace(&entry, first, chips, &mut parts_left)),
                None => losses.torn += 1,
            }
        }
        order::sort_by_number(&mut traces, |trace| trace.serial);
        traces
    }

    fn trace(
        &self,
        entry: &TraceEntry,
        first: usize,
        chips: usize,
        parts_left: &mut usize,
    ) -> Trace {
        let used = self.used(Counter::TraceParts, Section::TraceParts);
        let parts = self.word(first + TraceWord::Parts as usize);
        let begin = (low(parts) as usize).min(used);
        let count = (high(parts) as usize).min(used - begin).min(*parts_left);
        *parts_left -= count;
        let table = self.tables[Section::TraceParts as usize];
        Trace {
            serial: entry.serial,
            id: entry.id,
            queue: queue(entry.queue),
            chips: chip_indexes(entry.chips, chips),
            begun: entry.begun,
            ended: nonzero(self.word(first + TraceWord::Ended as usize)),
            released: nonzero(self.word(first + TraceWord::Released as usize)),
            bytes_per_bank: self.word(first + TraceWord::BytesPerBank as usize),
            bytes: self.word(first + TraceWord::Bytes as usize),
            footprints: (begin..begin + count)
                .map(|part| from_trace_part(self.word(table.entry(part))))
                .collect(),
            dispatches: self.word(first + TraceWord::Dispatches as usize),
            replays: self.word(first + TraceWord::Replays as usize),
            last_replay: self.word(first + TraceWord::LastReplay as usize),
        }
    }

    fn refusals(&self, chips: usize, losses: &mut Losses) -> Vec<Refusal> {
        let table = self.tables[Section::Refusals as usize];
        let mut refusals = Vec::new();
        for index in 0..table.entries {
            let words = self.words(table.entry(index));
            if words == [0; 24] {
                continue;
            }
            let entry = RefusalEntry::from_words(words)
                .filter(|entry| ring_index(entry.sequence, table.entries) == Some(index));
            match entry {
                Some(entry) => refusals.push(self.refusal(&entry, chips)),
                None => losses.torn += 1,
            }
        }
        order::sort_by_number(&mut refusals, |refusal| refusal.sequence);
        refusals
    }

    fn refusal(&self, entry: &RefusalEntry, chips: usize) -> Refusal {
        Refusal {
            sequence: entry.sequence,
            time: entry.time,
            thread: entry.thread,
            kind: entry.kind,
            part: entry.part,
            op: self.op(entry.name),
            footprint: index(entry.footprint),
            program: entry.program,
            cores: entry.cores,
            chips: chip_indexes(entry.chips, chips),
            end: nonzero(entry.end),
            limit: nonzero(entry.limit),
            buffer: entry.tags.map(|tags| self.refusing_buffer(entry, tags)),
            event: entry.event,
            stack: self.stack(entry.stacks[0]),
            ring: entry.ring,
        }
    }

    /// The buffer that was in the way of a refused program.
    fn refusing_buffer(&self, entry: &RefusalEntry, tags: Tags) -> Buffer {
        let [address, bytes_per_bank, requested, sequence, time] = entry.buffer;
        Buffer {
            allocator: tags.allocator,
            kind: tags.kind,
            origin: tags.origin,
            layout: tags.layout,
            address,
            bytes_per_bank,
            requested,
            page_bytes: 0,
            block_padding: 0,
            sequence,
            time,
            thread: entry.thread,
            op: self.op(tags.name),
            stack: self.stack(entry.stacks[1]),
            shape: None,
        }
    }
}

/// Indexes of the chips of a set that the segment lists.
pub(super) fn chip_indexes(set: u128, chips: usize) -> Vec<usize> {
    (0..chips.min(CHIPS)).filter(|chip| set >> chip & 1 == 1).collect()
}

fn index(footprint: u32) -> Option<u32> {
    (footprint != NO_FOOTPRINT).then_some(footprint)
}

fn queue(number: u8) -> Option<u8> {
    (number != NO_QUEUE).then_some(number)
}
