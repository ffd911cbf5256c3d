//! The table of shapes in the segment: each is entered once.

use ttmem_segment::Shape;
use ttmem_segment::layout::{Counter, Section};

use crate::recorder::Recorder;
use crate::stacks::{claim, entry_word, mix};

/// Index of a shape; 0 if there is no room.
pub(crate) fn intern(recorder: Recorder<'_>, shape: &Shape) -> u16 {
    let words = shape.to_words(0);
    let key = words[1..7].iter().fold(1, |key, word| mix(key, *word)).max(1);
    match claim(recorder, Section::Shapes, key) {
        Some((index, is_new)) => {
            if is_new {
                let first = entry_word(recorder, Section::Shapes, index);
                recorder.store(first, shape.to_words(key));
            }
            index
        }
        None => {
            recorder.count(Counter::ShapesDropped);
            0
        }
    }
}
