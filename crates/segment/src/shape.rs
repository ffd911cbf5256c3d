//! The shape, data type and layout of a tensor.

use super::entry::{SEQUENCE_MASK, changed_checksum, checksum, high, low, pair, shaped};
use super::layout::{BUFFER_WORDS, EVENT_WORDS, SHAPE_WORDS};

/// The most dimensions of a shape that is kept.
pub const MAX_DIMENSIONS: usize = 8;

/// The shape of a tensor with its data type and layout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Elements in each dimension, without what fills up tiles.
    pub dimensions: Vec<u32>,
    /// TT-Metal's number of the data type.
    pub data_type: u8,
    /// TT-Metal's number of the layout.
    pub layout: u8,
}

impl Shape {
    /// The name of the data type in ttnn, by `DataType` of ttnn 0.72 to 0.81; `None` for a number of a later release.
    #[must_use]
    pub fn data_type_name(&self) -> Option<&'static str> {
        const NAMES: [&str; 10] = [
            "bfloat16",
            "float32",
            "uint32",
            "bfloat8_b",
            "bfloat4_b",
            "uint8",
            "uint16",
            "int32",
            "fp8_e4m3",
            "int8",
        ];
        NAMES.get(usize::from(self.data_type)).copied()
    }

    /// The name of the layout: `row-major` or `tile`; `None` for a number of a later release.
    #[must_use]
    pub fn layout_name(&self) -> Option<&'static str> {
        ["row-major", "tile"].get(usize::from(self.layout)).copied()
    }

    /// Returns the entry as words of the file. Dimensions beyond [`MAX_DIMENSIONS`] are left out.
    #[must_use]
    pub fn to_words(&self, key: u64) -> [u64; SHAPE_WORDS] {
        let dimension = |index: usize| self.dimensions.get(index).copied().unwrap_or(0);
        let mut words = [0; SHAPE_WORDS];
        words[0] = key;
        words[1] = self.dimensions.len().min(MAX_DIMENSIONS) as u64
            | u64::from(self.data_type) << 8
            | u64::from(self.layout) << 16;
        for (index, word) in words[2..2 + MAX_DIMENSIONS / 2].iter_mut().enumerate() {
            *word = pair(dimension(2 * index), dimension(2 * index + 1));
        }
        words[SHAPE_WORDS - 1] = u64::from(checksum(&words[..SHAPE_WORDS - 1]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub(crate) fn from_words(words: [u64; SHAPE_WORDS]) -> Option<Self> {
        let count = (words[1] & 0xff) as usize;
        let sum = u64::from(checksum(&words[..SHAPE_WORDS - 1]));
        (sum == words[SHAPE_WORDS - 1] && count <= MAX_DIMENSIONS).then(|| {
            let halves = words[2..].iter().flat_map(|word| [low(*word), high(*word)]);
            Self {
                dimensions: halves.take(count).collect(),
                data_type: (words[1] >> 8 & 0xff) as u8,
                layout: (words[1] >> 16 & 0xff) as u8,
            }
        })
    }
}

/// The words of an entry of a buffer or of an event, whose shape is in the same word.
pub type ShapedEntry = [u64; EVENT_WORDS];

const _: () = assert!(EVENT_WORDS == BUFFER_WORDS);

/// Returns the words that differ in an entry with another shape, with their indexes: that of the shape, and the last one with the
/// checksum. `None` if its checksum is of other words.
#[must_use]
#[inline]
pub fn with_shape(mut words: ShapedEntry, shape: u16) -> Option<[(usize, u64); 2]> {
    const PLACE: usize = 1;
    const LAST: usize = EVENT_WORDS - 1;
    let expected = high(words[LAST]);
    words[LAST] = u64::from(low(words[LAST]));
    let new = shaped(words[PLACE], shape);
    let checksum = changed_checksum(&words, expected, PLACE, new)?;
    Some([(PLACE, new), (LAST, pair(low(words[LAST]), checksum))])
}

/// Returns the sequence number of an event's entry.
#[must_use]
#[inline]
pub fn event_sequence(words: &ShapedEntry) -> u64 {
    words[0] >> 8 & SEQUENCE_MASK
}

/// Returns the sequence number of the allocation of a buffer's entry.
#[must_use]
#[inline]
pub fn buffer_sequence(words: &ShapedEntry) -> u64 {
    words[4] & SEQUENCE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{BufferEntry, EventEntry, Tags};
    use crate::{AllocatorKind, BufferLayout, EventKind, Origin};

    #[test]
    fn an_entry_gets_another_shape_and_nothing_else_and_a_torn_one_none() {
        let tags = Tags {
            allocator: 3,
            kind: AllocatorKind::L1,
            origin: Origin::Kernels,
            layout: BufferLayout::Interleaved,
            name: 900,
        };
        let buffer = BufferEntry {
            key: 0x7f00_0000_1000,
            address: 0x1234_5678,
            bytes_per_bank: 2048,
            requested: 1999,
            sequence: 77_000_000_000,
            stack: 512,
            shape: 0,
            time: 123_456_789,
            page_bytes: 1024,
            block_padding: 32,
            thread: 4711,
            tags,
        };
        let event = EventEntry {
            kind: EventKind::Allocate,
            sequence: buffer.sequence,
            stack: 512,
            shape: 0,
            time: 123_456_789,
            address: 0x1234_5678,
            bytes_per_bank: 2048,
            requested: 1999,
            live_after: 4096,
            page_bytes: 1024,
            block_padding: 32,
            thread: 4711,
            tags,
        };
        let reshaped = |mut words: ShapedEntry, shape| {
            for (index, word) in with_shape(words, shape)? {
                words[index] = word;
            }
            Some(words)
        };
        assert_eq!(buffer_sequence(&buffer.to_words()), buffer.sequence);
        assert_eq!(event_sequence(&event.to_words()), event.sequence);
        for shape in [1, 1024, u16::MAX, 0] {
            let words = reshaped(buffer.to_words(), shape).unwrap();
            assert_eq!(BufferEntry::from_words(words), Some(BufferEntry { shape, ..buffer }));
            let words = reshaped(event.to_words(), shape).unwrap();
            assert_eq!(EventEntry::from_words(words), Some(EventEntry { shape, ..event }));
            for index in 0..EVENT_WORDS {
                let mut torn = event.to_words();
                torn[index] ^= 1 << 20;
                assert_eq!(with_shape(torn, shape), None);
            }
        }
    }

    #[test]
    fn a_shape_comes_back_from_its_words() {
        for count in [0, 1, 4, 7, 8, 9] {
            let shape = Shape { dimensions: (1..=count).collect(), data_type: 3, layout: 1 };
            let back = Shape::from_words(shape.to_words(5)).unwrap();
            assert_eq!(back.dimensions, (1..=count.min(8)).collect::<Vec<_>>());
            assert_eq!(back.data_type_name(), Some("bfloat8_b"));
            assert_eq!(back.layout_name(), Some("tile"));
            let mut torn = shape.to_words(5);
            torn[2] ^= 1 << 40;
            assert_eq!(Shape::from_words(torn), None);
        }
        let later = Shape { data_type: 200, layout: 9, ..Shape::default() };
        assert_eq!((later.data_type_name(), later.layout_name()), (None, None));
    }
}
