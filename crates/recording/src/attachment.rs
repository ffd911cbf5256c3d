//! Data recorded beside the moments: complete agent segments, in parts that each fit a block.
//!
//! A part says how long the whole is and where it is in it. What is missing of a whole makes it unreadable; nothing is
//! filled in.

use serde::{Deserialize, Serialize};

use super::bytes::{Reader as Bytes, put_bytes};
use super::error::Damage;
use super::frame::{BlockHeader, BlockKind, Entry};
use super::reader::{ReadAt, Recording};
use super::writer::{Encoded, encode};
use ttmem_model::order;
use ttmem_model::{Pid, Timestamp};

/// Bytes of a part, before compression.
pub(crate) const PART_BYTES: usize = 4 << 20;
/// Bytes of an attachment: more is neither written nor read.
pub const MAX_ATTACHMENT_BYTES: u64 = 256 << 20;
/// Attachments of a recording; those beyond are not listed.
const MAX_ATTACHMENTS: usize = 4096;
/// The longest name. A longer one is cut.
const MAX_NAME_BYTES: usize = 255;

/// The type of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentKind {
    /// The segment of an agent, as it was in shared memory.
    Segment,
    /// The L1 of chips core by core, as `ttmem l1 --json` prints it.
    L1,
    /// Something of a later version.
    #[serde(other)]
    Other,
}

/// The header of an attachment. Fields may be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The kind.
    pub kind: AttachmentKind,
    /// Name, such as that of a segment's file. Kind and name identify an attachment.
    pub name: String,
    /// The process it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pid>,
    /// True if that process ran when it was taken.
    #[serde(default)]
    pub is_running: bool,
    /// Time at which the attachment was taken.
    pub time: Timestamp,
    /// Bytes of the whole.
    pub bytes: u64,
}

/// The head of a part.
#[derive(Serialize, Deserialize)]
struct Head {
    offset: u64,
    attachment: Attachment,
}

/// Makes blocks of an attachment, one after the other, so that it never is in memory as a whole.
#[derive(Debug)]
pub struct Parts {
    attachment: Attachment,
    offset: u64,
}

impl Parts {
    /// Begins with an attachment. Gives nothing for one that is too large.
    #[must_use]
    pub fn of(mut attachment: Attachment) -> Option<Self> {
        let mut length = attachment.name.len().min(MAX_NAME_BYTES);
        while !attachment.name.is_char_boundary(length) {
            length -= 1;
        }
        attachment.name.truncate(length);
        (attachment.bytes <= MAX_ATTACHMENT_BYTES).then_some(Self { attachment, offset: 0 })
    }

    /// Returns the offset and length of the next part; `None` after the last.
    #[must_use]
    pub fn wanted(&self) -> Option<(u64, usize)> {
        let left = self.attachment.bytes.saturating_sub(self.offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(PART_BYTES);
        (left > 0).then_some((self.offset, length))
    }

    /// The block of the bytes that were wanted.
    pub fn block(&mut self, bytes: &[u8]) -> Encoded {
        let head = Head { offset: self.offset, attachment: self.attachment.clone() };
        let mut content = Vec::with_capacity(bytes.len() + 512);
        put_bytes(&mut content, &serde_json::to_vec(&head).unwrap_or_default());
        content.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
        let time = self.attachment.time;
        let header = BlockHeader { kind: BlockKind::Part, ..BlockHeader::empty(time, time) };
        encode(header, content)
    }
}

/// An attachment of a recording, and where its parts are.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Header of the attachment.
    pub attachment: Attachment,
    /// Offset in the whole, and offset of the block.
    parts: Vec<(u64, u64)>,
}

impl Attached {
    /// True if it is a part of the same attachment as `other`.
    fn is_of(&self, other: &Attachment) -> bool {
        let own = &self.attachment;
        (own.kind, own.time, own.bytes, &own.name)
            == (other.kind, other.time, other.bytes, &other.name)
    }
}

impl<R: ReadAt> Recording<R> {
    /// Returns the attachments, in recording order. Data that was attached more than once is listed as the last one;
    /// damaged data is left out.
    pub fn attachments(&self) -> Vec<Attached> {
        let mut found: Vec<Attached> = Vec::new();
        for entry in &self.entries {
            let Ok((head, _)) = self.part(entry) else { continue };
            let part = (head.offset, entry.offset);
            if let Some(known) = found.iter_mut().find(|known| known.is_of(&head.attachment)) {
                known.parts.push(part);
            } else if found.len() < MAX_ATTACHMENTS {
                found.push(Attached { attachment: head.attachment, parts: vec![part] });
            }
        }
        let names =
            |attached: &Attached| (attached.attachment.kind, attached.attachment.name.clone());
        let mut newest = std::collections::BTreeMap::new();
        for (number, attached) in found.iter().enumerate() {
            newest.insert(names(attached), number);
        }
        let kept = found.iter().enumerate();
        let kept = kept.filter(|(number, one)| newest.get(&names(one)) == Some(number));
        kept.map(|(_, attached)| attached.clone()).collect()
    }

    /// The bytes of an attachment.
    ///
    /// # Errors
    /// If a part is missing or damaged.
    pub fn attachment(&self, attached: &Attached) -> Result<Vec<u8>, Damage> {
        let mut parts = attached.parts.clone();
        order::sort(&mut parts);
        parts.dedup_by_key(|(offset, _)| *offset);
        // Memory is taken for what is there, not for what is claimed.
        let mut whole = Vec::new();
        for (offset, block) in parts {
            let entry = self.entries.iter().find(|entry| entry.offset == block);
            let (_, bytes) = self.part(entry.ok_or(Damage::Cut)?)?;
            if offset != whole.len() as u64 {
                return Err(Damage::Cut);
            }
            if (whole.len() + bytes.len()) as u64 > attached.attachment.bytes {
                return Err(Damage::Impossible("an attachment longer than its header gives"));
            }
            whole.extend_from_slice(&bytes);
        }
        if whole.len() as u64 == attached.attachment.bytes { Ok(whole) } else { Err(Damage::Cut) }
    }

    fn part(&self, entry: &Entry) -> Result<(Head, Vec<u8>), Damage> {
        const NONE: Damage = Damage::Impossible("no part of an attachment");
        if entry.header.moments > 0 || entry.header.events > 0 {
            return Err(NONE);
        }
        let header = self.block_header(entry.offset)?;
        if header.kind != BlockKind::Part {
            return Err(NONE);
        }
        let mut content = self.content(entry.offset, &header)?;
        let mut reader = Bytes::new(&content);
        let head: Head = serde_json::from_slice(reader.bytes()?)
            .map_err(|_error| Damage::Impossible("a part with an invalid header"))?;
        if head.attachment.bytes > MAX_ATTACHMENT_BYTES
            || head.attachment.name.len() > MAX_NAME_BYTES
        {
            return Err(Damage::Impossible("an attachment larger than attachments are"));
        }
        let behind = reader.position();
        Ok((head, content.split_off(behind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contents, Encoder, Header, Limits, unsealed_part};

    fn attachment(bytes: usize, time: u64) -> Attachment {
        Attachment {
            kind: AttachmentKind::Segment,
            name: "ttmem-4242-99".into(),
            pid: Some(Pid(4242)),
            is_running: false,
            time: Timestamp(time),
            bytes: bytes as u64,
        }
    }

    fn blocks(attachment: Attachment, content: &[u8]) -> Vec<Encoded> {
        let mut parts = Parts::of(attachment).unwrap();
        let mut blocks = Vec::new();
        while let Some((offset, length)) = parts.wanted() {
            let from = usize::try_from(offset).unwrap();
            blocks.push(parts.block(&content[from..from + length]));
        }
        blocks
    }

    fn recorded(blocks: &[Encoded]) -> Vec<u8> {
        let (mut contents, mut bytes) = Contents::begin(&Header::default());
        let mut encoder = Encoder::new(Limits::default());
        encoder.push(Timestamp(7), "moment").unwrap();
        for block in encoder.flush().iter().chain(blocks) {
            contents.add(block);
            bytes.extend_from_slice(&block.bytes);
        }
        bytes.extend(contents.end());
        bytes
    }

    #[test]
    fn what_is_attached_comes_back_whole_cut_or_not() {
        let content: Vec<u8> = (0_u32..9 << 20).map(|at| at.to_le_bytes()[1]).collect();
        let made = blocks(attachment(content.len(), 5), &content);
        assert_eq!(made.len(), 3);
        let bytes = recorded(&made);
        let without_index = bytes[..bytes.len() - 30].to_vec();
        for bytes in [bytes, without_index] {
            let recording = Recording::open(bytes).unwrap();
            let [attached] = &recording.attachments()[..] else { panic!() };
            assert_eq!(attached.attachment, attachment(content.len(), 5));
            assert!(recording.attachment(attached).unwrap() == content);
            assert_eq!(recording.span(), Some((Timestamp(7), Timestamp(7))), "no moment");
        }
        let missing = Recording::open(recorded(&made[..2])).unwrap();
        assert_eq!(missing.attachment(&missing.attachments()[0]), Err(Damage::Cut));
    }

    #[test]
    fn what_was_attached_again_is_what_it_was_last() {
        let (old, new) = (vec![1; 100], vec![2; 100]);
        let mut made = blocks(attachment(100, 5), &old);
        made.extend(blocks(attachment(100, 6), &new));
        let recording = Recording::open(recorded(&made)).unwrap();
        let [attached] = &recording.attachments()[..] else { panic!() };
        assert_eq!(recording.attachment(attached), Ok(new));
    }

    #[test]
    fn a_part_that_lies_is_left_out() {
        let honest = serde_json::json!({ "offset": 0, "attachment": attachment(3, 5) });
        let mut large = honest.clone();
        large["attachment"]["bytes"] = u64::MAX.into();
        let mut elsewhere = honest.clone();
        elsewhere["offset"] = 1.into();
        let open = |head: &[u8], bytes: &[u8]| {
            let mut content = Vec::new();
            put_bytes(&mut content, head);
            content.extend_from_slice(bytes);
            Recording::open(unsealed_part(&content)).unwrap()
        };
        let recording = open(honest.to_string().as_bytes(), b"abc");
        assert_eq!(recording.attachment(&recording.attachments()[0]), Ok(b"abc".to_vec()));
        for head in [large.to_string().as_bytes(), b"{}", b"\xff", b""] {
            assert!(open(head, b"abc").attachments().is_empty());
        }
        for (head, bytes) in [(&elsewhere, &b"abc"[..]), (&honest, b"abcd"), (&honest, b"ab")] {
            let recording = open(head.to_string().as_bytes(), bytes);
            assert!(recording.attachment(&recording.attachments()[0]).is_err());
        }
        assert!(
            Parts::of(Attachment { bytes: MAX_ATTACHMENT_BYTES + 1, ..attachment(0, 0) }).is_none()
        );
    }

    #[test]
    fn an_attachment_of_a_later_kind_is_listed_as_that() {
        let json = serde_json::to_string(&attachment(1, 1)).unwrap().replace("segment", "movie");
        let read: Attachment = serde_json::from_str(&json).unwrap();
        assert_eq!(read.kind, AttachmentKind::Other);
    }
}
