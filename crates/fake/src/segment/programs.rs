//! Programs of a fake process: footprints, dispatches, traces, refusals.

use ttmem_segment::entry::pair;
use ttmem_segment::layout::{Counter, FootprintWord, Section, TRACES, TraceWord};
use ttmem_segment::program::{
    DispatchEntry, FootprintEntry, PartEntry, RefusalEntry, TraceEntry, trace_part,
};
use ttmem_segment::{AllocatorKind, CoreRange, CoreType, DispatchKind, PartKind, RefusalKind};

use super::image::Image;
use super::{NewBuffer, STEP, Segment};

/// A program that a fake process dispatches.
#[derive(Clone, Debug)]
pub struct NewProgram<'a> {
    op: &'a str,
    config_bytes: Option<u32>,
    semaphore_bytes: Option<u32>,
    parts: Vec<(PartEntry, &'a str)>,
}

impl<'a> NewProgram<'a> {
    /// A program of an op, without anything yet.
    #[must_use]
    pub fn new(op: &'a str) -> Self {
        Self { op, config_bytes: Some(4096), semaphore_bytes: Some(16), parts: Vec::new() }
    }

    /// Adds a circular buffer, dataflow buffer or scratchpad on a rectangle of cores.
    #[must_use]
    pub fn place(self, kind: PartKind, address: u32, bytes: u32, cores: CoreRange) -> Self {
        self.part(part(kind, address, bytes, cores), "")
    }

    /// Adds a circular buffer that is the memory of a tensor.
    #[must_use]
    pub fn place_backed(self, address: u32, bytes: u32, cores: CoreRange) -> Self {
        let entry = part(PartKind::CircularBuffer, address, bytes, cores);
        self.part(PartEntry { is_backed: true, ..entry }, "")
    }

    /// Adds a dataflow buffer that is the memory of a tensor.
    #[must_use]
    pub fn borrow(self, address: u32, bytes: u32, cores: CoreRange) -> Self {
        let entry = part(PartKind::DataflowBuffer, address, bytes, cores);
        self.part(PartEntry { is_backed: true, ..entry }, "")
    }

    /// Adds a kernel; without bytes where TT-Metal does not say them.
    #[must_use]
    pub fn kernel(self, name: &'a str, text: Option<u32>, cores: CoreRange) -> Self {
        let entry = part(PartKind::Kernel, 0, text.unwrap_or(0), cores);
        self.part(PartEntry { has_bytes: text.is_some(), ..entry }, name)
    }

    fn part(mut self, entry: PartEntry, name: &'a str) -> Self {
        self.parts.push((entry, name));
        self
    }
}

fn part(kind: PartKind, address: u32, bytes: u32, cores: CoreRange) -> PartEntry {
    PartEntry {
        kind,
        is_backed: false,
        has_bytes: true,
        core_type: 0,
        name: 0,
        address,
        bytes,
        cores,
        footprint: 0,
    }
}

/// The words of a footprint that change.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    dispatches: u64,
    last_dispatch: u64,
    last_time: u64,
    lowest_l1: u32,
    l1_bytes: u32,
    lowest_event: u64,
    destroyed: u64,
}

/// Programs of a segment under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct FakePrograms {
    footprints: Vec<(FootprintEntry, Uses)>,
    parts: Vec<PartEntry>,
    dispatches: Vec<DispatchEntry>,
    /// Sequence number of the newest dispatch.
    dispatched: u64,
    traces: Vec<(TraceEntry, [u64; 8], Vec<u32>)>,
    refusals: Vec<RefusalEntry>,
}

impl Segment {
    /// Records a program on the chips of the newest allocator. Its index is the number of programs before.
    #[must_use]
    pub fn program(mut self, new: &NewProgram<'_>) -> Self {
        let name = self.tags(NewBuffer::new(AllocatorKind::L1, 0, new.op)).name;
        let index = self.programs.footprints.len();
        let footprint = u32::try_from(index).unwrap_or(u32::MAX);
        let entry = FootprintEntry {
            key: 0xf00d_0000 + index as u64,
            program: index as u64 + 1,
            chips: self.last().head.chips,
            time: self.time,
            first_part: u32::try_from(self.programs.parts.len()).unwrap_or(0),
            parts: u32::try_from(new.parts.len()).unwrap_or(0),
            name,
            thread: self.thread,
            config_bytes: new.config_bytes,
            semaphore_bytes: new.semaphore_bytes,
            pointer: 0x5555_1000_0000 + index as u64 * 0x1000,
        };
        for (part, kernel) in &new.parts {
            let name = self.tags(NewBuffer::new(AllocatorKind::L1, 0, kernel)).name;
            self.programs.parts.push(PartEntry { name, footprint, ..*part });
        }
        self.programs.footprints.push((entry, Uses::default()));
        self
    }

    /// Dispatches a program by its index. While a trace is captured, the trace gets it.
    #[must_use]
    pub fn dispatch(mut self, program: u32) -> Self {
        let capturing = self.programs.traces.last_mut().filter(|(_, changing, _)| changing[0] == 0);
        let kind = match capturing {
            Some((_, changing, list)) => {
                list.push(program);
                changing[7] += 1;
                DispatchKind::Captured
            }
            None => DispatchKind::Program,
        };
        self.dispatch_entry(kind, program);
        if kind == DispatchKind::Program {
            self.use_footprint(program, 1);
        }
        self.time += STEP;
        self
    }

    fn dispatch_entry(&mut self, kind: DispatchKind, footprint: u32) {
        let name =
            self.programs.footprints.get(footprint as usize).map_or(0, |(entry, _)| entry.name);
        let (lowest_l1, l1_bytes) = self.l1_now();
        self.programs.dispatched += 1;
        self.programs.dispatches.push(DispatchEntry {
            sequence: self.programs.dispatched,
            kind,
            time: self.time,
            footprint,
            thread: self.thread,
            event: self.events.len() as u64,
            name: if kind == DispatchKind::Replay { 0 } else { name },
            queue: 0,
            l1_bytes,
            lowest_l1,
        });
    }

    /// Lowest address and bytes per bank of the live L1 buffers.
    fn l1_now(&self) -> (u32, u32) {
        let lowest = self.last().of_kind(AllocatorKind::L1).map(|entry| entry.address).min();
        let (bytes, _) = self.last().live_of(AllocatorKind::L1);
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        (lowest.map_or(0, narrow), narrow(bytes))
    }

    fn use_footprint(&mut self, program: u32, dispatches: u64) {
        let (lowest, bytes) = self.l1_now();
        let (sequence, event) = (self.programs.dispatched, self.events.len() as u64);
        let time = self.time;
        let Some((_, uses)) = self.programs.footprints.get_mut(program as usize) else { return };
        uses.dispatches += dispatches;
        uses.last_dispatch = sequence;
        uses.last_time = time;
        uses.l1_bytes = uses.l1_bytes.max(bytes);
        if lowest != 0 && (uses.lowest_l1 == 0 || lowest < uses.lowest_l1) {
            (uses.lowest_l1, uses.lowest_event) = (lowest, event);
        }
    }

    /// Begins to capture a trace.
    #[must_use]
    pub fn begin_trace(mut self, id: u32) -> Self {
        let serial = self.programs.traces.len() as u64 + 1;
        let chips = self.last().head.chips;
        let entry = TraceEntry { serial, id, queue: 0, chips, begun: self.time };
        self.programs.traces.push((entry, [0; 8], Vec::new()));
        self
    }

    /// Ends the capture; the trace takes this many bytes in every DRAM bank.
    #[must_use]
    pub fn end_trace(mut self, bytes_per_bank: u64) -> Self {
        let (time, banks) = (self.time, self.last().banks[0].banks);
        if let Some((_, changing, _)) = self.programs.traces.last_mut() {
            changing[0] = time;
            changing[2] = bytes_per_bank;
            changing[3] = bytes_per_bank * banks;
        }
        self
    }

    /// Replays the newest trace.
    #[must_use]
    pub fn replay_trace(mut self) -> Self {
        let Some((entry, _, list)) = self.programs.traces.last() else { return self };
        let (serial, list) = (u32::try_from(entry.serial).unwrap_or(0), list.clone());
        self.dispatch_entry(DispatchKind::Replay, serial);
        let replay = self.programs.dispatched;
        // Each footprint of the trace has a number of its own, without an entry.
        for (program, dispatches) in last_uses(&list) {
            self.programs.dispatched += 1;
            self.use_footprint(program, u64::from(dispatches));
        }
        if let Some((_, changing, _)) = self.programs.traces.last_mut() {
            changing[5] += 1;
            changing[6] = replay;
        }
        self.time += STEP;
        self
    }

    /// Lets TT-Metal refuse a program by its index, on all cores of its first part. A clash is with the lowest L1 buffer;
    /// of any other refusal the limit is given.
    #[must_use]
    pub fn refuse(mut self, program: u32, kind: RefusalKind, limit: u64) -> Self {
        let Some((footprint, _)) = self.programs.footprints.get(program as usize).copied() else {
            return self;
        };
        let parts = self.programs.parts.iter().filter(|part| part.footprint == program);
        let end = parts.clone().map(|part| u64::from(part.address) + u64::from(part.bytes)).max();
        let Some(first) = parts.clone().next().copied() else { return self };
        let in_the_way =
            self.last().of_kind(AllocatorKind::L1).min_by_key(|entry| entry.address).copied();
        let buffer = in_the_way.filter(|_| kind == RefusalKind::Clash);
        self.programs.refusals.push(RefusalEntry {
            sequence: self.programs.refusals.len() as u64 + 1,
            time: self.time,
            kind,
            part: first.kind,
            name: footprint.name,
            thread: self.thread,
            footprint: program,
            program: footprint.program,
            cores: first.cores,
            end: end.unwrap_or(0),
            limit: buffer.map_or(limit, |buffer| buffer.address),
            buffer: buffer.map_or([0; 5], |buffer| {
                let bytes = buffer.bytes_per_bank;
                [buffer.address, bytes, buffer.requested, buffer.sequence, buffer.time]
            }),
            tags: buffer.map(|buffer| buffer.tags),
            event: self.events.len() as u64,
            chips: footprint.chips,
            stacks: [self.stack, buffer.map_or(0, |buffer| buffer.stack)],
            ring: (kind == RefusalKind::ConfigTooLarge).then_some(CoreType::Worker),
        });
        self.time += STEP;
        self
    }
}

impl FakePrograms {
    /// Writes all programs, dispatches and traces to the image.
    pub(super) fn put(&self, image: &mut Image) {
        for (index, (entry, uses)) in self.footprints.iter().enumerate() {
            image.put_entry(Section::Footprints, index, &entry.to_words());
            let changing = [
                uses.dispatches,
                uses.last_dispatch,
                uses.last_time,
                pair(uses.lowest_l1, uses.l1_bytes),
                uses.lowest_event,
                uses.destroyed,
            ];
            image.put_in_entry(
                Section::Footprints,
                index,
                FootprintWord::Dispatches as usize,
                &changing,
            );
        }
        for (index, part) in self.parts.iter().enumerate() {
            image.put_entry(Section::Parts, index, &part.to_words());
        }
        let ring = |sequence: u64, entries: usize| {
            usize::try_from(sequence - 1).unwrap_or(0) % entries.max(1)
        };
        let entries = image.entries(Section::Dispatches);
        for dispatch in &self.dispatches {
            let position = ring(dispatch.sequence, entries);
            image.put_entry(Section::Dispatches, position, &dispatch.to_words());
        }
        let mut next = 0_u32;
        for (entry, changing, list) in &self.traces {
            let position = ring(entry.serial, TRACES);
            let parts = last_uses(list);
            let mut changing = *changing;
            changing[4] = pair(next, u32::try_from(parts.len()).unwrap_or(0));
            image.put_entry(Section::Traces, position, &entry.to_words());
            image.put_in_entry(Section::Traces, position, TraceWord::Ended as usize, &changing);
            for (footprint, dispatches) in parts {
                let word = trace_part(footprint, dispatches);
                image.put_entry(Section::TraceParts, next as usize, &[word]);
                next += 1;
            }
        }
        let entries = image.entries(Section::Refusals);
        for refusal in &self.refusals {
            let position = ring(refusal.sequence, entries);
            image.put_entry(Section::Refusals, position, &refusal.to_words());
        }
        image.put(Counter::Dispatches as usize, &[self.dispatched]);
        let counts =
            [self.refusals.len(), self.footprints.len(), self.parts.len(), self.traces.len()];
        image.put(Counter::Refusals as usize, &counts.map(|count| count as u64));
        image.put(Counter::TraceParts as usize, &[u64::from(next)]);
        image.put(Counter::ProgramsTracked as usize, &[self.dispatches.len() as u64]);
    }
}

/// Footprints in the order of their last use, and how often each is used.
fn last_uses(list: &[u32]) -> Vec<(u32, u32)> {
    let mut uses: Vec<(u32, u32)> = Vec::new();
    for footprint in list {
        let held = uses.iter().position(|(other, _)| other == footprint);
        let count = held.map_or(0, |position| uses.remove(position).1);
        uses.push((*footprint, count + 1));
    }
    uses
}
