//! The table of shapes in the segment: each is entered once.

use std::cell::Cell;

use ttmem_segment::Shape;
use ttmem_segment::layout::{Counter, Section};

use crate::ops::Keyed;
use crate::recorder::Recorder;
use crate::stacks::{claim, entry_word, mix};

/// A shape as TT-Metal has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'tensor> {
    /// Elements in each dimension.
    pub(crate) dimensions: &'tensor [u32],
    /// TT-Metal's number of the data type.
    pub(crate) data_type: u8,
    /// TT-Metal's number of the layout.
    pub(crate) layout: u8,
}

/// Index of a shape; 0 if there is no room. `newest` is the shape that it was asked for before, which it often is again.
#[inline(always)]
pub(crate) fn intern(recorder: Recorder<'_>, seen: Seen<'_>, newest: &Cell<Keyed>) -> u16 {
    let key = seen.key();
    let held = newest.get();
    if key == held.key {
        return held.index;
    }
    let index = find(recorder, seen, key);
    newest.set(Keyed { key, index });
    index
}

/// Index of the shape with a key; 0 if there is no room.
fn find(recorder: Recorder<'_>, seen: Seen<'_>, key: u64) -> u16 {
    match claim(recorder, Section::Shapes, key) {
        Some((index, false)) => index,
        Some((index, true)) => enter(recorder, seen, key, index),
        None => {
            recorder.count(Counter::ShapesDropped);
            0
        }
    }
}

/// Writes a shape that is new.
#[cold]
fn enter(recorder: Recorder<'_>, seen: Seen<'_>, key: u64, index: u16) -> u16 {
    let Seen { dimensions, data_type, layout } = seen;
    let shape = Shape { dimensions: dimensions.to_vec(), data_type, layout };
    recorder.store(entry_word(recorder, Section::Shapes, index), shape.to_words(key));
    index
}

impl Seen<'_> {
    /// A number that distinguishes it; never 0.
    #[inline]
    fn key(&self) -> u64 {
        let form = u64::from(self.data_type) | u64::from(self.layout) << 8;
        let start = form | (self.dimensions.len() as u64) << 16;
        let dimensions = self.dimensions.iter().map(|dimension| u64::from(*dimension));
        dimensions.fold(mix(1, start), mix).max(1)
    }
}
