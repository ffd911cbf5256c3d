//! Reads a segment from bytes that are not trusted.

mod entries;
mod error;
mod peak;
mod program;
mod stacks;

use std::sync::Arc;

use crate::order;

pub use self::error::SegmentError;
use super::contents::{
    AccessorSet, Allocator, Counts, Header, HookSet, KindUse, Losses, Op, Segment,
};
use super::entry::{checksum, high, live_from_word, low};
use super::identity::{Identity, Label};
use super::layout::{
    ALLOCATORS, AllocatorWord, CHIPS, Counter, HEADER_BYTES, KindWord, MAGIC, MAJOR,
    MAX_SEGMENT_BYTES, NAMES, SECTIONS, Section, Table, WORD_BYTES, fixed, identity, kind_block,
    label,
};
use super::name::NameEntry;
use super::owner::{AllocatorHead, Chip, Statistics};
use super::programs::Programs;
use super::settle::settle;
use super::shape::Shape;
use super::stack::Stack;
use super::vocabulary::{AgentState, AllocatorKind, StackState};

/// The first version with tables of programs.
const PROGRAMS: (u16, u16) = (1, 2);
/// The first version with tables of stacks.
const STACKS: (u16, u16) = (2, 0);
/// The first version with a table of shapes.
const SHAPES: (u16, u16) = (3, 0);

/// Reads segments. Every byte may be anything: inconsistent entries are skipped and counted.
#[derive(Clone, Copy, Debug)]
pub struct Reader;

impl Reader {
    /// Reads all of it, and brings what was copied while hooks wrote to the moment of the newest event.
    ///
    /// # Errors
    /// [`SegmentError`] if the bytes are no segment of this major version.
    pub fn parse(bytes: &[u8]) -> Result<Segment, SegmentError> {
        let mut view = View::new(bytes)?;
        view.require(&Section::ALL)?;
        let mut torn = 0;
        view.names = view.names(&mut torn);
        view.stacks = view.stacks(&mut torn);
        view.shapes = view.shapes(&mut torn);
        let mut segment = view.summary();
        segment.losses.torn += torn;
        segment.buffers = view.buffers(&mut segment.losses);
        segment.events = view.events(&mut segment.losses);
        segment.failures = view.failures(&mut segment.losses);
        segment.programs = view.programs(segment.chips.len(), &mut segment.losses);
        segment.losses.torn += settle(&mut segment, view.counter(Counter::Events));
        Ok(segment)
    }

    /// Reads header, chips and allocators only, for which the first [`Reader::SUMMARY_BYTES`] bytes of the file are
    /// enough. Names of ops are missing.
    ///
    /// # Errors
    /// [`SegmentError`] if the bytes are no beginning of a segment of this major version.
    pub fn parse_summary(bytes: &[u8]) -> Result<Segment, SegmentError> {
        let view = View::new(bytes)?;
        view.require(&[Section::Chips, Section::Allocators])?;
        Ok(view.summary())
    }

    /// Reads the header only, for which the first [`HEADER_BYTES`] bytes of the file are enough.
    ///
    /// # Errors
    /// [`SegmentError`] if the bytes are no beginning of a segment of this major version.
    pub fn parse_header(bytes: &[u8]) -> Result<Header, SegmentError> {
        Ok(View::new(bytes)?.header())
    }

    /// Returns the size of the whole segment in bytes, at most [`MAX_SEGMENT_BYTES`], for which the first
    /// [`HEADER_BYTES`] bytes of the file are enough.
    ///
    /// # Errors
    /// [`SegmentError`] if the bytes are no beginning of a segment of this major version.
    pub fn segment_bytes(bytes: &[u8]) -> Result<u64, SegmentError> {
        Ok(View::new(bytes)?.word(fixed::SEGMENT_BYTES))
    }

    /// Bytes from the start of the file that [`Reader::parse_summary`] needs.
    pub const SUMMARY_BYTES: usize = super::layout::Plan::FIRST_NAME_WORD * WORD_BYTES;
}

/// The bytes as words, and the sections that the header names.
struct View<'bytes> {
    bytes: &'bytes [u8],
    tables: [Table; SECTIONS],
    names: Vec<Option<Op>>,
    stacks: Vec<Option<Arc<Stack>>>,
    shapes: Vec<Option<Arc<Shape>>>,
}

impl<'bytes> View<'bytes> {
    fn new(bytes: &'bytes [u8]) -> Result<Self, SegmentError> {
        let given = bytes.len() as u64;
        if bytes.len() < HEADER_BYTES {
            return Err(SegmentError::Short { needed: HEADER_BYTES as u64, given });
        }
        let mut view = Self {
            bytes,
            tables: [Table::default(); SECTIONS],
            names: Vec::new(),
            stacks: Vec::new(),
            shapes: Vec::new(),
        };
        match &bytes[..MAGIC.len()] {
            magic if magic == MAGIC => {}
            [0, 0, 0, 0, 0, 0, 0, 0] => return Err(SegmentError::NotReady),
            _ => return Err(SegmentError::NotASegment),
        }
        let version = view.word(fixed::VERSION);
        let (major, minor) = ((version & 0xffff) as u16, ((version >> 16) & 0xffff) as u16);
        if major == 0 || major > MAJOR {
            return Err(SegmentError::Version { major, minor });
        }
        let words: Vec<u64> = (1..fixed::CHECKSUM).map(|index| view.word(index)).collect();
        let segment_bytes = view.word(fixed::SEGMENT_BYTES);
        if u64::from(checksum(&words)) != view.word(fixed::CHECKSUM)
            || segment_bytes > MAX_SEGMENT_BYTES as u64
        {
            return Err(SegmentError::Header);
        }
        view.find_tables((major, minor), segment_bytes)?;
        Ok(view)
    }

    /// Finds the sections that a version has.
    fn find_tables(&mut self, version: (u16, u16), segment_bytes: u64) -> Result<(), SegmentError> {
        for (since, first, sum) in [
            (PROGRAMS, fixed::PROGRAM_SECTIONS, fixed::PROGRAM_CHECKSUM),
            (STACKS, fixed::STACK_SECTIONS, fixed::STACK_CHECKSUM),
            (SHAPES, fixed::SHAPE_SECTION, fixed::SHAPE_CHECKSUM),
        ] {
            if version >= since {
                self.check(first, sum)?;
            }
        }
        let since = |section: &Section| match section {
            section if section.is_of_shapes() => SHAPES,
            section if section.is_of_stacks() => STACKS,
            section if section.is_of_programs() => PROGRAMS,
            _ => (1, 0),
        };
        for section in Section::ALL.into_iter().filter(|section| version >= since(section)) {
            self.tables[section as usize] = self.table(section, segment_bytes)?;
        }
        Ok(())
    }

    /// Compares the words up to a checksum with it.
    fn check(&self, first: usize, sum: usize) -> Result<(), SegmentError> {
        let words: Vec<u64> = (first..sum).map(|index| self.word(index)).collect();
        if u64::from(checksum(&words)) == self.word(sum) {
            Ok(())
        } else {
            Err(SegmentError::Header)
        }
    }

    /// A section as the header describes it, checked against the size that the header gives for the whole.
    fn table(&self, section: Section, segment_bytes: u64) -> Result<Table, SegmentError> {
        let offset = self.word(section.header_word());
        let shape = self.word(section.header_word() + 1);
        let (entry_bytes, entries) = (u64::from(low(shape)), u64::from(high(shape)));
        let word = WORD_BYTES as u64;
        let end = offset.checked_add(entry_bytes * entries);
        if !offset.is_multiple_of(word)
            || !entry_bytes.is_multiple_of(word)
            || entry_bytes < section.entry_words() as u64 * word
            || end.is_none_or(|end| end > segment_bytes)
        {
            return Err(SegmentError::Header);
        }
        // Everything is at most MAX_SEGMENT_BYTES here.
        let words = |bytes: u64| usize::try_from(bytes / word).unwrap_or(usize::MAX);
        Ok(Table {
            first_word: words(offset),
            entry_words: words(entry_bytes),
            entries: usize::try_from(entries).unwrap_or(usize::MAX),
        })
    }

    /// A word; 0 beyond the end.
    fn word(&self, index: usize) -> u64 {
        let start = index * WORD_BYTES;
        self.bytes
            .get(start..start + WORD_BYTES)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }

    /// A counter of the header.
    fn counter(&self, counter: Counter) -> u64 {
        self.word(counter as usize)
    }

    fn words<const COUNT: usize>(&self, first: usize) -> [u64; COUNT] {
        std::array::from_fn(|index| self.word(first + index))
    }

    fn text(&self, first: usize, words: usize) -> String {
        let bytes = &self.bytes[first * WORD_BYTES..(first + words) * WORD_BYTES];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).replace(char::is_control, "\u{fffd}")
    }

    /// Checks that the bytes reach to the end of these sections.
    fn require(&self, sections: &[Section]) -> Result<(), SegmentError> {
        let needed = sections
            .iter()
            .map(|section| self.tables[*section as usize])
            .map(|table| (table.entry(table.entries) * WORD_BYTES) as u64)
            .fold(HEADER_BYTES as u64, u64::max);
        let given = self.bytes.len() as u64;
        if given < needed { Err(SegmentError::Short { needed, given }) } else { Ok(()) }
    }

    /// Everything but buffers, events and failures.
    fn summary(&self) -> Segment {
        let mut losses = self.losses();
        let header = self.header();
        let chips = self.chips(&mut losses);
        let allocators = self.allocators(chips.len(), &mut losses);
        Segment {
            header,
            chips,
            allocators,
            buffers: Vec::new(),
            events: Vec::new(),
            failures: Vec::new(),
            programs: Programs::default(),
            losses,
        }
    }

    fn header(&self) -> Header {
        let version = self.word(fixed::VERSION);
        let state =
            AgentState::from_number(self.counter(Counter::State)).unwrap_or(AgentState::Recording);
        let build_id: Vec<u8> =
            self.words::<4>(fixed::BUILD_ID).iter().flat_map(|word| word.to_le_bytes()).collect();
        let build_id_bytes =
            usize::try_from(self.word(fixed::BUILD_ID_BYTES)).unwrap_or(usize::MAX);
        Header {
            version: ((version & 0xffff) as u16, ((version >> 16) & 0xffff) as u16),
            pid: low(self.word(fixed::PID)),
            start_ticks: self.word(fixed::START_TICKS),
            real_time: self.word(fixed::REAL_TIME),
            monotonic_time: self.word(fixed::MONOTONIC_TIME),
            build_id: build_id[..build_id_bytes.min(build_id.len())].to_vec(),
            tt_metal_version: self.text(fixed::TT_METAL_VERSION, 4),
            agent_version: self.text(fixed::AGENT_VERSION, 2),
            identity: Identity {
                label: Label::from_words(&self.words(label::FIRST)),
                ..Identity::from_words(self.words(identity::FIRST))
            },
            state,
            hooks_resolved: HookSet(self.counter(Counter::HooksResolved)),
            hooks_called: HookSet(self.counter(Counter::HooksCalled)),
            stacks: StackState::from_number(self.counter(Counter::StackState)),
            accessors: AccessorSet(self.counter(Counter::AccessorsResolved)),
            counts: Counts {
                workloads_enqueued: self.counter(Counter::WorkloadsEnqueued),
                programs_tracked: self.counter(Counter::ProgramsTracked),
                circular_buffer_placements: self.counter(Counter::CircularBufferPlacements),
                programs_destroyed: self.counter(Counter::ProgramsDestroyed),
                binary_loads: self.counter(Counter::BinaryLoads),
                traces_written: self.counter(Counter::TracesWritten),
            },
            refreshes: self.counter(Counter::Refreshes),
            refresh_time: self.counter(Counter::RefreshTime),
            refresh_duration: self.counter(Counter::RefreshDuration),
            exit_code: (state == AgentState::Left)
                .then(|| low(self.counter(Counter::ExitCode)).cast_signed()),
        }
    }

    fn losses(&self) -> Losses {
        let overwritten = |written: Counter, section: Section| {
            self.counter(written).saturating_sub(self.tables[section as usize].entries as u64)
        };
        Losses {
            buffers_dropped: self.counter(Counter::BuffersDropped),
            unknown_frees: self.counter(Counter::UnknownFrees),
            names_dropped: self.counter(Counter::NamesDropped),
            stacks_dropped: self.counter(Counter::StacksDropped),
            allocators_dropped: self.counter(Counter::AllocatorsDropped),
            chips_dropped: self.counter(Counter::ChipsDropped),
            reentrant_calls: self.counter(Counter::ReentrantCalls),
            panics: self.counter(Counter::Panics),
            events_overwritten: overwritten(Counter::Events, Section::Events),
            failures_overwritten: overwritten(Counter::Failures, Section::Failures),
            torn: 0,
        }
    }

    /// The chips up to the first entry that is not used.
    fn chips(&self, losses: &mut Losses) -> Vec<Chip> {
        let table = self.tables[Section::Chips as usize];
        let mut chips = Vec::new();
        for index in 0..table.entries.min(CHIPS) {
            let words = self.words(table.entry(index));
            if words == [0; 4] {
                break;
            }
            let entry = Chip::from_words(words);
            losses.torn += u64::from(entry.is_none());
            // A torn chip keeps its index, for others refer to it by index.
            chips.push(entry.unwrap_or(Chip { device: u32::MAX, unique_id: None }));
        }
        chips
    }

    fn allocators(&self, chips: usize, losses: &mut Losses) -> Vec<Allocator> {
        let table = self.tables[Section::Allocators as usize];
        let mut allocators = Vec::new();
        for index in (0..=u8::MAX).take(table.entries.min(ALLOCATORS)) {
            let first = table.entry(usize::from(index));
            if self.word(first + AllocatorWord::Serial as usize) == 0 {
                continue;
            }
            let Some(head) = AllocatorHead::from_words(self.words(first)) else {
                losses.torn += 1;
                continue;
            };
            allocators.push(Allocator {
                index,
                serial: head.serial,
                role: head.role,
                alignments: head.alignments,
                chips: program::chip_indexes(head.chips, chips),
                l1_base: nonzero(self.word(first + AllocatorWord::L1Base as usize)),
                l1_size: nonzero(self.word(first + AllocatorWord::L1Size as usize)),
                grid: nonzero(self.word(first + AllocatorWord::Grid as usize))
                    .map(|grid| (low(grid), high(grid))),
                opened: head.opened,
                closed: (head.closed != 0).then_some(head.closed),
                kinds: AllocatorKind::ALL.map(|kind| self.kind_use(first, kind, losses)),
            });
        }
        order::sort_by_number(&mut allocators, |allocator| allocator.serial);
        allocators
    }

    fn kind_use(&self, allocator: usize, kind: AllocatorKind, losses: &mut Losses) -> KindUse {
        let first = allocator + kind_block(kind);
        let (live_bytes, live_buffers) = live_from_word(self.word(first + KindWord::Live as usize));
        let (unlisted_bytes, unlisted_buffers) =
            live_from_word(self.word(first + KindWord::Unlisted as usize));
        let (peak_bytes, peak) = self.peak(first, losses);
        let words = self.words(first + KindWord::Statistics as usize);
        let statistics = Statistics::from_words(words);
        losses.torn += u64::from(statistics.is_none() && words != [0; 8]);
        KindUse {
            banks: self.word(first + KindWord::Banks as usize),
            live_bytes,
            live_buffers,
            kernel_bytes: self.word(first + KindWord::Kernels as usize),
            trace_bytes: self.word(first + KindWord::Traces as usize),
            unlisted_bytes,
            unlisted_buffers,
            peak_bytes,
            peak,
            statistics: statistics.map(|(statistics, _)| statistics),
            residual: statistics.map(|(statistics, live)| difference(statistics.allocated, live)),
        }
    }

    fn names(&self, torn: &mut u64) -> Vec<Option<Op>> {
        let table = self.tables[Section::Names as usize];
        (0..table.entries.min(NAMES))
            .map(|index| {
                let words = self.words(table.entry(index));
                if words[0] == 0 {
                    return None;
                }
                let entry = NameEntry::from_words(words);
                *torn += u64::from(entry.is_none());
                entry.map(|entry| Op { name: Arc::from(entry.op()), source: entry.source })
            })
            .collect()
    }

    fn stack(&self, index: u16) -> Option<Arc<Stack>> {
        self.stacks.get(usize::from(index)).cloned().flatten()
    }

    fn shape(&self, index: u16) -> Option<Arc<Shape>> {
        self.shapes.get(usize::from(index)).cloned().flatten()
    }

    fn op(&self, name: u16) -> Option<Op> {
        self.names.get(usize::from(name)).cloned().flatten()
    }
}

/// A number that is not known where it is 0.
fn nonzero(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

/// `left - right`, at the ends of the range if it does not fit.
fn difference(left: u64, right: u64) -> i64 {
    let magnitude = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if left >= right { magnitude(left - right) } else { -magnitude(right - left) }
}
