//! Queries of the process about itself.

mod l1;

use std::sync::atomic::Ordering;

use ttmem_segment::entry::{live_from_word, live_word};
use ttmem_segment::layout::{KindWord, Plan, Section};
use ttmem_segment::owner::{AllocatorHead, PeakOrigin};
use ttmem_segment::{AllocatorKind, Chip};

use crate::recorder::{Recorder, kind_block};
use crate::registry::allocator_word;

pub(crate) use l1::L1Peak;

/// Bytes of one kind on one chip, or on all chips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// Live bytes.
    pub(crate) live: u64,
    /// The most there ever were. For several allocators that lived at the same time, the sum of their peaks.
    pub(crate) peak: u64,
    /// Live buffers.
    pub(crate) buffers: u64,
    /// Bytes in all banks. 0 as long as no allocator is open.
    pub(crate) capacity: u64,
}

/// Queries of the process on its own segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'agent>(pub(crate) Recorder<'agent>);

impl Query<'_> {
    /// Device numbers and unique ids of the chips.
    pub(crate) fn chips(&self) -> impl Iterator<Item = Chip> {
        let count = self.0.process.chips.load(Ordering::Acquire);
        let first = |index: usize| Plan::FIRST_CHIP_WORD + index * Section::Chips.entry_words();
        (0..count).filter_map(move |index| Chip::from_words(self.0.load(first(index))))
    }

    /// One kind on the chip with a device number, or summed over all chips.
    pub(crate) fn kind(&self, device: Option<u32>, kind: AllocatorKind) -> Use {
        let mut sum = Use::default();
        let mut closed_peak = 0;
        for (index, head) in self.allocators() {
            let chips = self.member_chips(&head, device);
            if chips == 0 {
                continue;
            }
            let block = kind_block(index, kind);
            let word = |word: KindWord| self.0.words[block + word as usize].load(Ordering::Acquire);
            let banks = word(KindWord::Banks) * chips;
            let (live, buffers) = live_from_word(word(KindWord::Live));
            let peak = word(KindWord::Peak) * banks;
            if head.closed != 0 {
                closed_peak = closed_peak.max(peak);
                continue;
            }
            sum.live += live * banks;
            sum.buffers += buffers;
            sum.peak += peak;
            sum.capacity = sum.capacity.max(self.total(block) * banks);
        }
        sum.peak = sum.peak.max(closed_peak);
        sum
    }

    /// Sets the peaks of a chip, or of all chips, to the live bytes. The highest earlier peak is kept for readers of
    /// the segment.
    pub(crate) fn reset_peak(&self, device: Option<u32>) {
        self.reset_l1_peak();
        for (index, head) in self.allocators() {
            if self.member_chips(&head, device) == 0 {
                continue;
            }
            for kind in AllocatorKind::ALL {
                let block = kind_block(index, kind);
                self.keep_peak(block);
                let live = self.0.words[block + KindWord::Live as usize].load(Ordering::Acquire);
                self.0.words[block + KindWord::Peak as usize]
                    .store(live_from_word(live).0, Ordering::Release);
            }
        }
    }

    /// Notes the peak that ends, if it is the highest so far.
    fn keep_peak(&self, block: usize) {
        let word = |word: KindWord| &self.0.words[block + word as usize];
        let peak = word(KindWord::Peak).load(Ordering::Acquire);
        if peak <= live_from_word(word(KindWord::EarlierPeak).load(Ordering::Acquire)).0 {
            return;
        }
        let origin = PeakOrigin::from_words(self.0.load(block + KindWord::PeakOrigin as usize))
            .filter(|origin| origin.bytes_per_bank == peak);
        let (event, buffers) = origin.map_or((0, 0), |origin| (origin.event, origin.buffers));
        word(KindWord::EarlierEvent).store(event, Ordering::Release);
        word(KindWord::EarlierPeak).store(live_word(peak, buffers), Ordering::Release);
    }

    fn allocators(&self) -> impl Iterator<Item = (u8, AllocatorHead)> {
        (0..self.0.process.known_allocators().len()).filter_map(|index| {
            let index = u8::try_from(index).ok()?;
            let head = AllocatorHead::from_words(self.0.load(allocator_word(index)))?;
            (head.serial != 0).then_some((index, head))
        })
    }

    /// Returns the number of the requested chips that an allocator has. One whose chips are unknown counts as one.
    fn member_chips(&self, head: &AllocatorHead, device: Option<u32>) -> u64 {
        match device {
            None => u64::from(head.chips.count_ones().max(1)),
            Some(device) => {
                let is_member = |(index, chip): (usize, Chip)| {
                    chip.device == device && head.chips >> index & 1 == 1
                };
                u64::from(self.chips().enumerate().any(is_member))
            }
        }
    }

    fn total(&self, block: usize) -> u64 {
        let words = self.0.load(block + KindWord::Statistics as usize);
        ttmem_segment::Statistics::from_words(words).map_or(0, |(statistics, _)| statistics.total)
    }
}
