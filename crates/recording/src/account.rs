//! The account of what is damaged in a recording: one for every command.

use std::fmt;

use super::error::Damage;
use super::frame::{BLOCK_HEADER, BlockKind};
use super::reader::{ReadAt, Recording};

/// The unreadable parts of a recording. A missing end is no damage: the recording continues, or the recorder was
/// killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DamageAccount {
    /// Bytes between blocks and in damaged blocks.
    pub bytes: u64,
    /// Snapshots in damaged blocks.
    pub snapshots: u64,
    /// Damaged parts of attachments: of agent segments and maps of cores.
    pub parts: u64,
}

impl DamageAccount {
    /// True if nothing is damaged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for DamageAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, snapshots, parts } = self;
        write!(formatter, "{bytes} damaged bytes are left out: {snapshots} snapshots")?;
        match parts {
            0 => Ok(()),
            1 => formatter.write_str(", a part of a segment or a map of cores"),
            parts => write!(formatter, ", {parts} parts of segments or maps of cores"),
        }
    }
}

impl<R: ReadAt> Recording<R> {
    /// Reads every block and compares its checksum.
    ///
    /// # Errors
    /// If the recording cannot be read.
    pub fn account(&self) -> Result<DamageAccount, Damage> {
        let mut account = DamageAccount { bytes: self.damaged_bytes(), ..DamageAccount::default() };
        for (number, entry) in self.entries.iter().enumerate() {
            let header = match self.block_header(entry.offset) {
                Ok(header) => Some(header),
                Err(Damage::Read(error)) => return Err(Damage::Read(error)),
                Err(_) => None,
            };
            let content = header.as_ref().map(|header| self.content(entry.offset, header));
            match content {
                Some(Ok(_)) => continue,
                Some(Err(Damage::Read(error))) => return Err(Damage::Read(error)),
                Some(Err(_)) | None => {}
            }
            let stored =
                header.as_ref().map(|header| BLOCK_HEADER as u64 + u64::from(header.stored));
            let next = self.entries.get(number + 1).map(|next| next.offset - entry.offset);
            account.bytes += stored.or(next).unwrap_or(BLOCK_HEADER as u64);
            account.snapshots += u64::from(entry.header.moments);
            let is_part = match header {
                Some(header) => header.kind == BlockKind::Part,
                None => entry.header.moments == 0 && entry.header.events == 0,
            };
            account.parts += u64::from(is_part);
        }
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use ttmem_model::Timestamp;

    use super::*;
    use crate::{Attachment, AttachmentKind, Contents, Encoder, Header, Limits, Parts};

    /// Three blocks of moments and an attachment, with where each begins.
    fn recording() -> (Vec<u8>, Vec<usize>) {
        let (mut contents, mut bytes) = Contents::begin(&Header::default());
        let mut begins = Vec::new();
        for second in 0..3_u64 {
            let mut encoder = Encoder::new(Limits::default());
            drop(encoder.push(Timestamp(second), &serde_json::json!({ "x": second })));
            let block = encoder.flush().unwrap();
            contents.add(&block);
            begins.push(bytes.len());
            bytes.extend(block.bytes);
        }
        let segment = vec![7; 5000];
        let mut parts = Parts::of(Attachment {
            kind: AttachmentKind::Segment,
            name: "ttmem-42-7".to_owned(),
            pid: None,
            is_running: false,
            time: Timestamp(2),
            bytes: segment.len() as u64,
        })
        .unwrap();
        let (_, length) = parts.wanted().unwrap();
        let block = parts.block(&segment[..length]);
        contents.add(&block);
        begins.push(bytes.len());
        bytes.extend(block.bytes);
        let end = contents.end();
        begins.push(bytes.len());
        bytes.extend(end);
        (bytes, begins)
    }

    #[test]
    fn every_flipped_byte_of_a_block_is_in_the_account() {
        let (bytes, begins) = recording();
        let whole = Recording::open(bytes.clone()).unwrap().account().unwrap();
        assert!(whole.is_empty(), "{whole}");
        for (block, begin) in begins[..4].iter().enumerate() {
            for at in *begin..begins[block + 1] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x10;
                let mut recording = Recording::open(flipped).unwrap();
                let account = recording.account().unwrap();
                let is_lost = match block {
                    3 => recording.attachments().is_empty(),
                    _ => (0..3).any(|number| !matches!(recording.moment(number), Ok(Some(_)))),
                };
                let counted = if block == 3 { account.parts } else { account.snapshots };
                // Fields of the header outside the checksum, such as its times, may change unseen.
                assert_eq!(
                    counted > 0 || account.bytes > 0,
                    is_lost,
                    "byte {at} of {block}: {account}"
                );
            }
        }
    }

    #[test]
    fn a_missing_end_is_no_damage() {
        let (bytes, begins) = recording();
        for end in begins[0]..bytes.len() {
            let recording = Recording::open(bytes[..end].to_vec()).unwrap();
            assert!(recording.account().unwrap().is_empty(), "{end}");
        }
    }
}
