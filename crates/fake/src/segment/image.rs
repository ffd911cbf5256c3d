//! The words of a fake segment.

use ttmem_segment::entry::{live_word, pair};
use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{
    ALLOCATOR_WORDS, MIN_SEGMENT_BYTES, Plan, Section, WORD_BYTES, allocator, counter, kind, label,
};
use ttmem_segment::name::NameEntry;
use ttmem_segment::owner::{AllocatorHead, PeakOrigin};
use ttmem_segment::{AllocatorKind, Hook, Label, NameSource, Origin, Statistics};

use super::{FIRST_TIME, FakeAllocator, Segment};

impl Segment {
    /// Returns the segment as bytes, of the smallest size.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let plan = Plan::within(MIN_SEGMENT_BYTES);
        let mut image = Image { words: vec![0; plan.segment_bytes / WORD_BYTES], plan };
        let head = HeadFacts {
            pid: self.pid.unsigned_abs(),
            start_ticks: self.start_ticks,
            real_time: self.made,
            monotonic_time: FIRST_TIME,
            build_id: &[0x23, 0xbb, 0x34, 0x6f],
            tt_metal_version: &self.version,
            agent_version: env!("CARGO_PKG_VERSION"),
        };
        image.put(0, &head.to_words(&plan));
        if self.label != Label::default() {
            image.put(label::FIRST, &self.label.to_words());
        }
        self.put_counters(&mut image);
        self.programs.put(&mut image);
        self.put_calls(&mut image);
        for (index, chip) in self.chips.iter().enumerate() {
            image.put_entry(Section::Chips, index, &chip.to_words());
        }
        for (index, name) in self.names.iter().enumerate().skip(1) {
            let key = index as u64 + 100;
            let words = NameEntry::to_words(key, NameSource::CallSite, 0x1000, name.as_bytes());
            image.put_entry(Section::Names, index, &words);
        }
        for (index, failure) in self.failures.iter().enumerate() {
            image.put_entry(Section::Failures, index, &failure.to_words());
        }
        let events = plan.table(Section::Events).entries;
        for event in &self.events {
            let position = usize::try_from(event.sequence - 1).unwrap_or(0) % events;
            image.put_entry(Section::Events, position, &event.to_words());
        }
        let mut slot = 0;
        for (index, one) in self.allocators.iter().enumerate() {
            image.put_entry(Section::Allocators, index, &self.allocator_words(one));
            for entry in one.live.values() {
                image.put_entry(Section::Buffers, slot, &entry.to_words());
                slot += 1;
            }
        }
        image.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn put_counters(&self, image: &mut Image) {
        let own = [
            (counter::STATE, self.state as u64),
            (counter::HOOKS_RESOLVED, self.hooks),
            (counter::HOOKS_CALLED, Hook::Allocate.bit() | Hook::Free.bit()),
            (counter::EVENTS, self.events.len() as u64),
            (counter::FAILURES, self.failures.len() as u64),
            (counter::ACCESSORS_RESOLVED, self.accessors),
            (counter::REFRESHES, 1),
            (counter::REFRESH_TIME, self.time),
            (counter::REFRESH_DURATION, 20_000),
        ];
        for (word, value) in own.iter().chain(&self.counters) {
            image.put(*word, &[*value]);
        }
    }

    fn allocator_words(&self, one: &FakeAllocator) -> [u64; ALLOCATOR_WORDS] {
        let mut words = [0; ALLOCATOR_WORDS];
        let [.., l1, l1_small, _] = one.banks;
        words[allocator::L1_BASE] = l1.start;
        words[allocator::L1_SIZE] = l1.start + l1.bytes + l1_small.bytes;
        words[allocator::GRID] = pair(8, u32::try_from(l1.banks / 8).unwrap_or(0));
        words[..AllocatorHead::WORDS].copy_from_slice(&one.head.to_words());
        for buffer_kind in AllocatorKind::ALL {
            let block = allocator::KINDS + buffer_kind as usize * allocator::KIND_WORDS;
            let (live, buffers) = one.live_of(buffer_kind);
            let (unlisted, unlisted_buffers) = one.unlisted[buffer_kind as usize];
            let of_origin = |origin: Origin| -> u64 {
                let its = one.of_kind(buffer_kind).filter(|entry| entry.tags.origin == origin);
                its.map(|entry| entry.bytes_per_bank).sum()
            };
            words[block + kind::LIVE] = live_word(live, buffers);
            words[block + kind::UNLISTED] = live_word(unlisted, unlisted_buffers);
            words[block + kind::BANKS] = one.banks[buffer_kind as usize].banks;
            words[block + kind::KERNELS] = of_origin(Origin::Kernels);
            words[block + kind::TRACES] = of_origin(Origin::Trace);
            if let Some(peak) = one.peaks[buffer_kind as usize] {
                words[block + kind::PEAK] = peak.bytes_per_bank;
                let first = block + kind::PEAK_ORIGIN;
                words[first..first + PeakOrigin::WORDS].copy_from_slice(&peak.to_words());
            }
            if !self.without_statistics {
                let first = block + kind::STATISTICS;
                let statistics = one.statistics(buffer_kind, self.time).to_words(live);
                words[first..first + Statistics::WORDS].copy_from_slice(&statistics);
            }
        }
        words
    }
}

pub(super) struct Image {
    words: Vec<u64>,
    plan: Plan,
}

impl Image {
    pub(super) fn put(&mut self, first: usize, words: &[u64]) {
        for (slot, word) in self.words.iter_mut().skip(first).zip(words) {
            *slot = *word;
        }
    }

    pub(super) fn put_entry(&mut self, section: Section, index: usize, words: &[u64]) {
        let table = self.plan.table(section);
        if index < table.entries {
            self.put(table.entry(index), words);
        }
    }

    /// Writes some words of an entry, from one of them.
    pub(super) fn put_in_entry(
        &mut self,
        section: Section,
        index: usize,
        word: usize,
        words: &[u64],
    ) {
        let table = self.plan.table(section);
        if index < table.entries {
            self.put(table.entry(index) + word, words);
        }
    }

    /// Entries of a section.
    pub(super) fn entries(&self, section: Section) -> usize {
        self.plan.table(section).entries
    }
}
