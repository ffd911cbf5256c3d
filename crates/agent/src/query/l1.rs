//! The most L1 that was in use at a dispatch: tensors, and what the program placed beside them.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::high;
use ttmem_segment::layout::{Counter, FootprintWord, KindWord, Section};
use ttmem_segment::program::{DispatchEntry, FOOTPRINT_FIXED_WORDS, FootprintEntry, PartEntry};
use ttmem_segment::{AllocatorKind, DispatchKind, PartKind};

use super::Query;
use crate::recorder::kind_block;

/// Coordinates of worker cores are below this.
const SIDE: u16 = 64;

/// Bytes of L1: tensors, circular buffers, scratchpads and kernel text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct L1Peak {
    /// Bytes on the fullest core.
    pub(crate) core: u64,
    /// Bytes on all cores of a chip.
    pub(crate) chip: u64,
}

impl L1Peak {
    fn max(self, other: Self) -> Self {
        Self { core: self.core.max(other.core), chip: self.chip.max(other.chip) }
    }
}

impl Query<'_> {
    /// The most L1 in use since the last reset, on the chip with a device number or on the fullest of all chips.
    ///
    /// After a reset the dispatches since then are looked up in the ring. If it has lost some, or a trace was replayed, the
    /// most tensors at any dispatch of a program count, so that the result is at most too high.
    pub(crate) fn l1_peak(&self, device: Option<u32>) -> L1Peak {
        let since = self.0.process.l1_since.load(Ordering::Acquire);
        let tensors = self.tensors_since(since);
        let chips = self.chips().enumerate();
        let wanted = chips.filter(|(_, chip)| device.is_none_or(|device| chip.device == device));
        wanted.fold(L1Peak::default(), |peak, (chip, entry)| {
            peak.max(self.of_chip(chip, entry.device, since, tensors.as_deref()))
        })
    }

    /// Dispatches from the next one on count.
    pub(super) fn reset_l1_peak(&self) {
        let newest = self.0.words[Counter::Dispatches as usize].load(Ordering::Acquire);
        self.0.process.l1_since.store(newest, Ordering::Release);
    }

    fn of_chip(&self, chip: usize, device: u32, since: u64, tensors: Option<&[u32]>) -> L1Peak {
        let banks = self.banks(chip);
        let mut peak = L1Peak {
            core: self.tensors_of_core(chip),
            chip: self.kind(Some(device), AllocatorKind::L1).peak,
        };
        let (first, entries) = self.0.process.table(Section::Footprints);
        let used = self.0.words[Counter::Footprints as usize].load(Ordering::Acquire);
        for index in 0..usize::try_from(used).unwrap_or(0).min(entries) {
            let position = first + index * Section::Footprints.entry_words();
            let word = |word: FootprintWord| {
                self.0.words[position + word as usize].load(Ordering::Acquire)
            };
            if word(FootprintWord::LastDispatch) <= since {
                continue;
            }
            let entry = FootprintEntry::from_words(self.0.load::<FOOTPRINT_FIXED_WORDS>(position));
            let Some(entry) = entry.filter(|entry| entry.chips >> chip & 1 == 1) else { continue };
            let most = tensors.map_or(high(word(FootprintWord::L1)), |most| most[index]);
            let placed = self.placed(&entry);
            peak = peak.max(L1Peak {
                core: placed.core + u64::from(most),
                chip: placed.chip + u64::from(most) * banks,
            });
        }
        peak
    }

    /// Banks of L1 on a chip.
    fn banks(&self, chip: usize) -> u64 {
        let open = self.allocators().filter(|(_, head)| head.chips >> chip & 1 == 1);
        let banks = open.map(|(index, _)| {
            self.0.words[kind_block(index, AllocatorKind::L1) + KindWord::Banks as usize]
                .load(Ordering::Acquire)
        });
        banks.max().unwrap_or(0)
    }

    /// The most bytes of tensors in a bank of a chip.
    fn tensors_of_core(&self, chip: usize) -> u64 {
        let (mut open, mut closed) = (0_u64, 0_u64);
        for (index, head) in self.allocators().filter(|(_, head)| head.chips >> chip & 1 == 1) {
            let block = kind_block(index, AllocatorKind::L1);
            let peak = self.0.words[block + KindWord::Peak as usize].load(Ordering::Acquire);
            if head.closed == 0 {
                open = open.saturating_add(peak);
            } else {
                closed = closed.max(peak);
            }
        }
        open.max(closed)
    }

    /// Returns for each footprint the most bytes of tensors per bank at a dispatch since a moment. `None` if they are
    /// not known, or for the whole run, for which the footprints themselves contain them.
    fn tensors_since(&self, since: u64) -> Option<Vec<u32>> {
        let newest = self.0.words[Counter::Dispatches as usize].load(Ordering::Acquire);
        let (first, entries) = self.0.process.table(Section::Dispatches);
        let kept = u64::try_from(entries).unwrap_or(0);
        if since == 0 || newest.saturating_sub(since) > kept || entries == 0 {
            return None;
        }
        let (_, footprints) = self.0.process.table(Section::Footprints);
        let mut most = vec![0; footprints];
        for sequence in since + 1..=newest {
            let slot = usize::try_from(sequence - 1).unwrap_or(0) % entries;
            let words = self.0.load(first + slot * Section::Dispatches.entry_words());
            let entry = DispatchEntry::from_words(words).filter(|it| it.sequence == sequence)?;
            if entry.kind == DispatchKind::Replay {
                return None;
            }
            if let Some(held) = most.get_mut(entry.footprint as usize) {
                *held = entry.l1_bytes.max(*held);
            }
        }
        Some(most)
    }

    /// Bytes that a program has beside tensors, on the core with the most of it and on all cores.
    fn placed(&self, entry: &FootprintEntry) -> L1Peak {
        let (first, entries) = self.0.process.table(Section::Parts);
        let begin = (entry.first_part as usize).min(entries);
        let end = begin.saturating_add(entry.parts as usize).min(entries);
        let part = |index: usize| {
            PartEntry::from_words(self.0.load(first + index * Section::Parts.entry_words()))
        };
        let mut parts: Vec<PartEntry> = (begin..end).filter_map(part).collect();
        parts.retain(|part| !part.is_backed && part.core_type == 0);
        parts.sort_by_key(|part| part.address);
        let last =
            |of: fn(&PartEntry) -> u16| parts.iter().map(of).max().unwrap_or(0).min(SIDE - 1);
        let (columns, rows) = (last(|part| part.cores.end.0), last(|part| part.cores.end.1));
        let mut sum = L1Peak::default();
        for core in (0..=rows).flat_map(|y| (0..=columns).map(move |x| (x, y))) {
            let bytes = on_core(&parts, core);
            sum = L1Peak { core: sum.core.max(bytes), chip: sum.chip + bytes };
        }
        sum
    }
}

/// Bytes of parts, sorted by address, on a core; where placements overlap once.
fn on_core(parts: &[PartEntry], core: (u16, u16)) -> u64 {
    let (mut sum, mut end) = (0_u64, 0_u64);
    for part in parts.iter().filter(|part| part.cores.contains(core)) {
        let bytes = u64::from(part.bytes);
        if part.kind == PartKind::Kernel {
            sum += bytes;
            continue;
        }
        let start = u64::from(part.address).max(end);
        end = end.max(u64::from(part.address) + bytes);
        sum += end.saturating_sub(start);
    }
    sum
}
