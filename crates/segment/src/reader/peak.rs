//! The peak of a kind: the newest, or an earlier one that the program reset.

use super::super::Losses;
use super::super::contents::Peak;
use super::super::entry::{EventEntry, live_from_word};
use super::super::layout::{KindWord, Section};
use super::super::owner::PeakOrigin;
use super::View;
use super::entries::ring_index;

impl View<'_> {
    /// The highest peak of a kind, and what led there. `first` is the first word of the kind's block.
    pub(super) fn peak(&self, first: usize, losses: &mut Losses) -> (u64, Option<Peak>) {
        let newest = self.word(first + KindWord::Peak as usize);
        let (earlier, buffers) = live_from_word(self.word(first + KindWord::EarlierPeak as usize));
        let words = self.words(first + KindWord::PeakOrigin as usize);
        let origin = PeakOrigin::from_words(words);
        losses.torn += u64::from(origin.is_none() && words != [0; 8]);
        if earlier > newest {
            let event = self.event_numbered(self.word(first + KindWord::EarlierEvent as usize));
            let peak = event.map(|EventEntry { sequence: event, time, thread, tags, .. }| Peak {
                buffers,
                time,
                event,
                thread,
                op: self.op(tags.name),
            });
            return (earlier, peak);
        }
        let origin = origin.filter(|origin| origin.bytes_per_bank == newest);
        let peak = origin.map(|PeakOrigin { buffers, time, event, thread, name, .. }| Peak {
            buffers,
            time,
            event,
            thread,
            op: self.op(name),
        });
        (newest, peak)
    }

    /// The event with a number, if the ring still has it.
    fn event_numbered(&self, sequence: u64) -> Option<EventEntry> {
        let table = self.tables[Section::Events as usize];
        let first = table.entry(ring_index(sequence, table.entries)?);
        EventEntry::from_words(self.words(first)).filter(|entry| entry.sequence == sequence)
    }
}
