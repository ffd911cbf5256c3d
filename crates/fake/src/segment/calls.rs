//! The calls that the actions of a fake process come from.

use ttmem_segment::StackState;
use ttmem_segment::layout::{Section, counter};
use ttmem_segment::stack::{FunctionEntry, StackEntry};

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

    pub(super) fn put_calls(&self, image: &mut Image) {
        if self.stacks.is_empty() {
            return;
        }
        image.put(counter::STACK_STATE, &[StackState::Recorded as u64]);
        for (index, (name, file)) in self.functions.iter().enumerate() {
            let words = FunctionEntry::to_words(index as u64 + 1, name, file);
            image.put_entry(Section::Functions, index + 1, &words);
        }
        for (index, stack) in self.stacks.iter().enumerate() {
            image.put_entry(Section::Stacks, index + 1, &stack.to_words(index as u64 + 1));
        }
    }
}
