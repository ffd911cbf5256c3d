//! The calls that the actions of a fake process come from, and the shapes of its tensors.

use ttmem_segment::layout::{Counter, Section};
use ttmem_segment::stack::{FunctionEntry, StackEntry};
use ttmem_segment::{Shape, StackState};

use super::Segment;
use super::image::Image;

impl Segment {
    /// Sets the calls that the next actions come from, the innermost first: function, file, line. None for no frames.
    #[must_use]
    pub fn calls(mut self, frames: &[(&str, &str, u32)]) -> Self {
        let mut index = |name: &str, file: &str| {
            let new = (name.to_owned(), file.to_owned());
            let known = self.functions.iter().position(|held| *held == new);
            let position = known.unwrap_or_else(|| {
                self.functions.push(new);
                self.functions.len() - 1
            });
            position + 1
        };
        let frames: Vec<(usize, u32)> =
            frames.iter().map(|(name, file, line)| (index(name, file), *line)).collect();
        self.stack = 0;
        if !frames.is_empty() {
            let new = StackEntry::new(frames, false);
            let known = self.stacks.iter().position(|held| *held == new);
            let position = known.unwrap_or_else(|| {
                self.stacks.push(new);
                self.stacks.len() - 1
            });
            self.stack = u16::try_from(position + 1).unwrap_or(0);
        }
        self
    }

    /// Sets the shape, data type and layout of the next tensors, as TT-Metal's numbers. No dimensions: not known.
    #[must_use]
    pub fn shape(mut self, dimensions: &[u32], data_type: u8, layout: u8) -> Self {
        self.shape = 0;
        if !dimensions.is_empty() {
            self.shapes.push(Shape { dimensions: dimensions.to_vec(), data_type, layout });
            self.shape = u16::try_from(self.shapes.len()).unwrap_or(0);
        }
        self
    }

    pub(super) fn put_calls(&self, image: &mut Image) {
        for (index, shape) in self.shapes.iter().enumerate() {
            image.put_entry(Section::Shapes, index + 1, &shape.to_words(index as u64 + 1));
        }
        if self.stacks.is_empty() {
            return;
        }
        image.put(Counter::StackState as usize, &[StackState::Recorded as u64]);
        for (index, (name, file)) in self.functions.iter().enumerate() {
            let words = FunctionEntry::to_words(index as u64 + 1, name, file);
            image.put_entry(Section::Functions, index + 1, &words);
        }
        for (index, stack) in self.stacks.iter().enumerate() {
            image.put_entry(Section::Stacks, index + 1, &stack.to_words(index as u64 + 1));
        }
    }
}
