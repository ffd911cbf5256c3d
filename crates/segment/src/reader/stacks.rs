//! Stacks of allocations with the functions that they refer to, and shapes of tensors.

use std::sync::Arc;

use super::super::layout::Section;
use super::super::shape::Shape;
use super::super::stack::{Frame, FunctionEntry, Stack, StackEntry};
use super::View;

impl View<'_> {
    /// The stacks by index. A stack with a torn function keeps its other frames.
    pub(super) fn stacks(&self, torn: &mut u64) -> Vec<Option<Arc<Stack>>> {
        let functions = self.functions(torn);
        let table = self.tables[Section::Stacks as usize];
        let stack = |index: usize| {
            let words = self.words(table.entry(index));
            if words[0] == 0 {
                return None;
            }
            let entry = StackEntry::from_words(words);
            *torn += u64::from(entry.is_none());
            let entry = entry?;
            let frame = |(function, line): (usize, u32)| {
                let (name, file) = functions.get(function)?.as_ref()?;
                let line = (line != 0).then_some(line);
                Some(Frame { function: Arc::clone(name), file: Arc::clone(file), line })
            };
            let frames: Vec<Frame> = entry.frames().filter_map(frame).collect();
            (!frames.is_empty()).then(|| Arc::new(Stack { frames, is_cut: entry.is_cut }))
        };
        // An index has 16 bits.
        (0..table.entries.min(1 << 16)).map(stack).collect()
    }

    /// The shapes by index.
    pub(super) fn shapes(&self, torn: &mut u64) -> Vec<Option<Arc<Shape>>> {
        let table = self.tables[Section::Shapes as usize];
        let shape = |index: usize| {
            let words = self.words(table.entry(index));
            if words[0] == 0 {
                return None;
            }
            let entry = Shape::from_words(words);
            *torn += u64::from(entry.is_none());
            entry.map(Arc::new)
        };
        // An index has 16 bits.
        (0..table.entries.min(1 << 16)).map(shape).collect()
    }

    /// Name and file of the functions by index.
    fn functions(&self, torn: &mut u64) -> Vec<Option<(Arc<str>, Arc<str>)>> {
        let table = self.tables[Section::Functions as usize];
        let function = |index: usize| {
            let words = self.words(table.entry(index));
            if words[0] == 0 {
                return None;
            }
            let entry = FunctionEntry::from_words(words);
            *torn += u64::from(entry.is_none());
            entry.map(|entry| (Arc::from(entry.name), Arc::from(entry.file)))
        };
        (0..table.entries.min(super::super::layout::MAX_FUNCTIONS)).map(function).collect()
    }
}
