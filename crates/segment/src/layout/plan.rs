//! The sections of a segment.

use super::*;

/// Position of a section: first word and number of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Word in which the first entry begins.
    pub first_word: usize,
    /// Words from one entry to the next.
    pub(crate) entry_words: usize,
    /// Entries.
    pub entries: usize,
}

impl Table {
    /// The word in which an entry begins.
    #[must_use]
    pub const fn entry(&self, index: usize) -> usize {
        self.first_word + index * self.entry_words
    }
}

/// A segment's division into sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of the whole.
    pub segment_bytes: usize,
    /// The sections, in the order of [`Section::ALL`].
    pub(crate) tables: [Table; SECTIONS],
}

impl Plan {
    /// First word of the chips. Like the next ones, the same in every plan.
    pub const FIRST_CHIP_WORD: usize = HEADER_BYTES / WORD_BYTES;
    /// First word of the allocators.
    pub const FIRST_ALLOCATOR_WORD: usize = Self::FIRST_CHIP_WORD + CHIPS * CHIP_WORDS;
    /// First word of the names.
    pub const FIRST_NAME_WORD: usize = Self::FIRST_ALLOCATOR_WORD + ALLOCATORS * ALLOCATOR_WORDS;
    /// First word of the failures.
    pub const FIRST_FAILURE_WORD: usize = Self::FIRST_NAME_WORD + NAMES * NAME_WORDS;
    /// First word of the buffers.
    pub const FIRST_BUFFER_WORD: usize = Self::FIRST_FAILURE_WORD + FAILURES * FAILURE_WORDS;

    /// Divides at most `limit` bytes. What the small tables leave is shared by stacks (a twelfth at most), buffers (a third
    /// at most), programs (a fifth at most) and events, each a power of two.
    #[must_use]
    pub fn within(limit: usize) -> Self {
        let limit = limit.clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES) / WORD_BYTES;
        let left = limit - Self::FIRST_BUFFER_WORD;
        let buffers = power_of_two_within(left / 3 / BUFFER_WORDS);
        let rest = left - buffers * BUFFER_WORDS;
        let events = |words: usize| power_of_two_within(words / EVENT_WORDS);
        let mut stacks = Stacks::within(left / 12);
        let mut programs = Programs::within(left / 5);
        // Rather fewer stacks and programs than half of the events.
        let is_short = |taken: usize| events(rest - taken) < events(rest);
        while stacks.stacks > MIN_STACKS && is_short(programs.words() + stacks.words()) {
            stacks.stacks /= 2;
        }
        while programs.footprints > MIN_FOOTPRINTS && is_short(programs.words() + stacks.words()) {
            programs.footprints /= 2;
        }
        let events = events(rest - programs.words() - stacks.words());

        let mut plan = Self::default();
        let mut next = HEADER_BYTES / WORD_BYTES;
        let [footprints, parts, dispatches, trace_parts] = programs.entries();
        let entries = [
            CHIPS,
            ALLOCATORS,
            NAMES,
            FAILURES,
            buffers,
            events,
            footprints,
            parts,
            dispatches,
            TRACES,
            trace_parts,
            REFUSALS,
            stacks.functions(),
            stacks.stacks,
            stacks.shapes(),
        ];
        for (section, entries) in Section::ALL.into_iter().zip(entries) {
            let table = Table { first_word: next, entry_words: section.entry_words(), entries };
            plan.tables[section as usize] = table;
            next += entries * section.entry_words();
        }
        plan.segment_bytes = next * WORD_BYTES;
        plan
    }

    /// Returns the position of a section.
    #[must_use]
    pub const fn table(&self, section: Section) -> Table {
        self.tables[section as usize]
    }
}

/// The capacity of the tables of programs, as a number of footprints that is a power of two.
#[derive(Clone, Copy)]
struct Programs {
    footprints: usize,
}

impl Programs {
    /// Words of the tables that have a fixed number of entries.
    const FIXED: usize = TRACES * TRACE_WORDS + REFUSALS * REFUSAL_WORDS;

    fn within(words: usize) -> Self {
        let per_footprint = (Self { footprints: 1 }).words() - Self::FIXED;
        Self { footprints: power_of_two_within((words - Self::FIXED) / per_footprint) }
    }

    /// Entries of footprints, parts, dispatches and parts of traces.
    fn entries(self) -> [usize; 4] {
        [self.footprints, self.footprints * 8, self.footprints * 4, self.footprints]
    }

    fn words(self) -> usize {
        let words = [FOOTPRINT_WORDS, PART_WORDS, DISPATCH_WORDS, TRACE_PART_WORDS];
        let tables = self.entries().into_iter().zip(words);
        Self::FIXED + tables.map(|(entries, words)| entries * words).sum::<usize>()
    }
}

/// The capacity of the tables of stacks and shapes, as a number of stacks that is a power of two.
#[derive(Clone, Copy)]
struct Stacks {
    stacks: usize,
}

impl Stacks {
    fn within(words: usize) -> Self {
        let per_stack = STACK_WORDS + FUNCTION_WORDS / 2 + SHAPE_WORDS / 2;
        // An index of a stack has 16 bits.
        Self { stacks: power_of_two_within(words / per_stack).min(1 << 16) }
    }

    fn functions(self) -> usize {
        (self.stacks / 2).min(MAX_FUNCTIONS)
    }

    fn shapes(self) -> usize {
        self.stacks / 2
    }

    fn words(self) -> usize {
        let shapes = self.shapes() * SHAPE_WORDS;
        self.stacks * STACK_WORDS + self.functions() * FUNCTION_WORDS + shapes
    }
}

fn power_of_two_within(value: usize) -> usize {
    value.checked_ilog2().map_or(0, |bits| 1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_plan_holds_32768_buffers_and_65536_events() {
        let plan = Plan::within(DEFAULT_SEGMENT_BYTES);
        assert!(plan.segment_bytes <= DEFAULT_SEGMENT_BYTES);
        assert_eq!(plan.table(Section::Buffers).entries, 32_768);
        assert_eq!(plan.table(Section::Events).entries, 65_536);
        assert_eq!(plan.table(Section::Footprints).entries, 2048);
        assert_eq!(plan.table(Section::Parts).entries, 16_384);
        assert_eq!(plan.table(Section::Dispatches).entries, 8192);
        assert_eq!(plan.table(Section::Functions).entries, 1024);
        assert_eq!(plan.table(Section::Stacks).entries, 2048);
        assert_eq!(plan.table(Section::Shapes).entries, 1024);
    }

    #[test]
    fn every_size_gives_sections_that_follow_each_other_on_cache_lines() {
        for megabytes in [0, 1, 2, 3, 8, 100, 1024, 5000] {
            let plan = Plan::within(megabytes << 20);
            let mut next = HEADER_BYTES / WORD_BYTES;
            for section in Section::ALL {
                let table = plan.table(section);
                assert_eq!(table.first_word, next);
                assert_eq!(table.first_word % 8, 0);
                assert!(table.entries >= MIN_STACKS / 2);
                next = table.entry(table.entries);
            }
            assert_eq!(plan.segment_bytes, next * WORD_BYTES);
            assert_eq!(plan.table(Section::Buffers).first_word, Plan::FIRST_BUFFER_WORD);
            assert!(
                plan.segment_bytes <= (megabytes << 20).clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES)
            );
        }
    }
}
