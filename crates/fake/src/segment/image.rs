//! The words of a fake segment.

use ttmem_segment::entry::{live_word, pair};
use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{
    AllocatorWord, Counter, KindWord, MIN_SEGMENT_BYTES, Plan, Section, WORD_BYTES, kind_block,
};
use ttmem_segment::name::NameEntry;
use ttmem_segment::owner::{AllocatorHead, PeakOrigin};
use ttmem_segment::{AllocatorKind, Hook, Identity, Label, NameSource, Origin, Statistics};

use super::{FIRST_TIME, FakeAllocator, Segment};

impl Segment {
    /// Sets the inode of the pid namespace of its process.
    #[must_use]
    pub fn pid_namespace(mut self, inode: u64) -> Self {
        self.pid_namespace = Some(inode);
        self
    }

    /// Returns the segment as bytes, of the smallest size.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let plan = Plan::within(MIN_SEGMENT_BYTES);
        let mut image = Image { bytes: vec![0; plan.segment_bytes], plan };
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
        if self.label != Label::default() || self.pid_namespace.is_some() {
            let (pid_namespace, label) = (self.pid_namespace, self.label.clone());
            let identity = Identity { pid_namespace, label, ..Identity::default() };
            for (index, word) in identity.header_words() {
                image.put(index, &[word]);
            }
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
        image.bytes
    }

    fn put_counters(&self, image: &mut Image) {
        let own = [
            (Counter::State, self.state as u64),
            (Counter::HooksResolved, self.hooks),
            (Counter::HooksCalled, Hook::Allocate.bit() | Hook::Free.bit()),
            (Counter::Events, self.events.len() as u64),
            (Counter::Failures, self.failures.len() as u64),
            (Counter::AccessorsResolved, self.accessors),
            (Counter::Refreshes, 1),
            (Counter::RefreshTime, self.time),
            (Counter::RefreshDuration, 20_000),
        ];
        for (counter, value) in own.iter().chain(&self.counters) {
            image.put(*counter as usize, &[*value]);
        }
    }

    fn allocator_words(&self, one: &FakeAllocator) -> [u64; Section::Allocators.entry_words()] {
        let mut words = [0; Section::Allocators.entry_words()];
        let [.., l1, l1_small, _] = one.banks;
        words[AllocatorWord::L1Base as usize] = l1.start;
        words[AllocatorWord::L1Size as usize] = l1.start + l1.bytes + l1_small.bytes;
        words[AllocatorWord::Grid as usize] = pair(8, u32::try_from(l1.banks / 8).unwrap_or(0));
        words[..AllocatorHead::WORDS].copy_from_slice(&one.head.to_words());
        for buffer_kind in AllocatorKind::ALL {
            let block = kind_block(buffer_kind);
            let (live, buffers) = one.live_of(buffer_kind);
            let (unlisted, unlisted_buffers) = one.unlisted[buffer_kind as usize];
            let of_origin = |origin: Origin| -> u64 {
                let its = one.of_kind(buffer_kind).filter(|entry| entry.tags.origin == origin);
                its.map(|entry| entry.bytes_per_bank).sum()
            };
            words[block + KindWord::Live as usize] = live_word(live, buffers);
            words[block + KindWord::Unlisted as usize] = live_word(unlisted, unlisted_buffers);
            words[block + KindWord::Banks as usize] = one.banks[buffer_kind as usize].banks;
            words[block + KindWord::Kernels as usize] = of_origin(Origin::Kernels);
            words[block + KindWord::Traces as usize] = of_origin(Origin::Trace);
            if let Some(peak) = one.peaks[buffer_kind as usize] {
                words[block + KindWord::Peak as usize] = peak.bytes_per_bank;
                let first = block + KindWord::PeakOrigin as usize;
                words[first..first + PeakOrigin::WORDS].copy_from_slice(&peak.to_words());
            }
            if !self.without_statistics {
                let first = block + KindWord::Statistics as usize;
                let statistics = one.statistics(buffer_kind, self.time).to_words(live);
                words[first..first + Statistics::WORDS].copy_from_slice(&statistics);
            }
        }
        words
    }
}

pub(super) struct Image {
    bytes: Vec<u8>,
    plan: Plan,
}

impl Image {
    pub(super) fn put(&mut self, first: usize, words: &[u64]) {
        for (index, word) in words.iter().enumerate() {
            let start = (first + index) * WORD_BYTES;
            if let Some(slot) = self.bytes.get_mut(start..start + WORD_BYTES) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
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
