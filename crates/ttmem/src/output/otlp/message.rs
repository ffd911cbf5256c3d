//! Encodes protocol buffers, as far as an export needs it: fields of a message, one after the other.
//!
//! Own, since it is one page: the generated types and their library would be more code than all that they are used for.

/// The encoding of a field's content, as the key has it.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A string, unless it is empty, which is what a missing one means.
    pub(super) fn string(mut self, field: u32, text: &str) -> Self {
        if !text.is_empty() {
            self.length(field, text.as_bytes());
        }
        self
    }

    /// A message within this one.
    pub(super) fn message(mut self, field: u32, message: &Self) -> Self {
        self.length(field, &message.0);
        self
    }

    /// An unsigned number, an enumeration or a truth value.
    pub(super) fn number(mut self, field: u32, value: u64) -> Self {
        self.key(field, Wire::Varint);
        self.varint(value);
        self
    }

    /// `fixed64`.
    pub(super) fn fixed(mut self, field: u32, value: u64) -> Self {
        self.key(field, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `sfixed64`.
    pub(super) fn signed(self, field: u32, value: i64) -> Self {
        self.fixed(field, value.cast_unsigned())
    }

    /// `double`.
    pub(super) fn double(self, field: u32, value: f64) -> Self {
        self.fixed(field, value.to_bits())
    }

    /// Returns the encoded bytes.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn length(&mut self, field: u32, content: &[u8]) {
        self.key(field, Wire::Length);
        self.varint(content.len() as u64);
        self.0.extend_from_slice(content);
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_the_encoding_has_them() {
        // The examples of the encoding's own documentation, and a negative number of fixed length.
        assert_eq!(Message::default().number(1, 150).bytes(), [0x08, 0x96, 0x01]);
        let text = Message::default().string(2, "testing").string(3, "");
        assert_eq!(text.clone().bytes(), *b"\x12\x07testing");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, &inner).bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(
            Message::default().signed(1, -2).bytes(),
            [9, 254, 255, 255, 255, 255, 255, 255, 255]
        );
        assert_eq!(Message::default().double(20, 1.0).bytes()[..2], [0xa1, 0x01]);
    }
}
