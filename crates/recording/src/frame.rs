//! The frame of the file: its header, the headers of its blocks, its index and its end.

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, put_varint, u32_at, u64_at, unzigzag, zigzag};
use super::error::{Damage, OpenError};
use super::{VERSION, Version};
use ttmem_model::Timestamp;

/// The first bytes of a recording. The first byte is not a letter, so that it is not taken for text.
const MAGIC: &[u8; 8] = b"\x89TTMEM\r\n";
/// The last bytes of a recording.
const END_MAGIC: &[u8; 8] = b"TTMEMEND";
/// The first bytes of a block.
pub(crate) const MARKER: &[u8; 4] = b"TTBK";
/// Bytes of the header before its text.
const FIXED_HEADER: usize = 20;
/// The text of a header may be so long.
const MAX_HEADER_TEXT: usize = 64 << 10;
/// Bytes of a block's header.
pub(crate) const BLOCK_HEADER: usize = 48;
/// Bytes of the end.
pub(crate) const END: usize = 20;
/// Most bytes of a block's content, compressed or not.
pub(crate) const MAX_BLOCK_BYTES: usize = 16 << 20;

/// The header of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the `ttmem` that wrote it.
    pub ttmem: String,
    /// The host that was recorded.
    #[serde(default)]
    pub host: Option<String>,
    /// The versions of TT-Metal that its processes use, as far as they are known.
    #[serde(default)]
    pub tt_metal: Vec<String>,
    /// Microseconds from snapshot to snapshot, as asked for.
    #[serde(default)]
    pub interval_us: u64,
    /// The run, as segments name it, of the command that was recorded. `None` if the host was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Header {
    /// The header as it is written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut out = Vec::with_capacity(FIXED_HEADER + text.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.major.to_le_bytes());
        out.extend_from_slice(&VERSION.minor.to_le_bytes());
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&crc32(&text).to_le_bytes());
        out.extend_from_slice(&text);
        out
    }

    /// Reads a header from the first bytes of a recording. Gives it, the version, and where the blocks begin.
    pub fn read(bytes: &[u8]) -> Result<(Self, Version, usize), OpenError> {
        let beginning = bytes.len().min(MAGIC.len());
        if beginning == 0 || bytes.get(..beginning) != MAGIC.get(..beginning) {
            return Err(if bytes.is_empty() { OpenError::Cut } else { OpenError::NotARecording });
        }
        if bytes.len() < FIXED_HEADER {
            return Err(OpenError::Cut);
        }
        let word = u32_at(bytes, 8);
        let version = Version {
            major: u16::try_from(word & 0xffff).unwrap_or(u16::MAX),
            minor: u16::try_from(word >> 16).unwrap_or(u16::MAX),
        };
        let length = u32_at(bytes, 12) as usize;
        if length > MAX_HEADER_TEXT {
            return Err(OpenError::Header);
        }
        let text = bytes.get(FIXED_HEADER..FIXED_HEADER + length).ok_or(OpenError::Cut)?;
        if crc32(text) != u32_at(bytes, 16) {
            return Err(OpenError::Header);
        }
        let header: Result<Self, _> = serde_json::from_slice(text);
        if version.major > VERSION.major {
            let writer = header.map_or_else(|_| "a newer release".to_owned(), |known| known.ttmem);
            return Err(OpenError::TooNew { found: version, supported: VERSION, writer });
        }
        let header = header.map_err(|_error| OpenError::Header)?;
        Ok((header, version, FIXED_HEADER + length))
    }

    /// Upper bound of the bytes of any header.
    pub(crate) const MAX_BYTES: usize = FIXED_HEADER + MAX_HEADER_TEXT;
}

/// The header of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Moments,
    Index,
    /// A part of an attachment.
    Part,
    /// A block of a later version; readers skip it.
    Other(u8),
}

/// The header of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) kind: BlockKind,
    pub(crate) codec: u8,
    /// The earliest and the latest time in it; of events, if it has no moments.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) moments: u32,
    pub(crate) events: u32,
    /// Bytes of the content, decompressed and as stored.
    pub(crate) raw: u32,
    pub(crate) stored: u32,
    /// The checksum of the content as stored.
    pub(crate) checksum: u32,
}

impl BlockHeader {
    /// The header of moments that are not there yet.
    pub(crate) fn empty(first: Timestamp, last: Timestamp) -> Self {
        Self {
            kind: BlockKind::Moments,
            codec: 0,
            first,
            last,
            moments: 0,
            events: 0,
            raw: 0,
            stored: 0,
            checksum: 0,
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; BLOCK_HEADER] {
        let mut out = [0; BLOCK_HEADER];
        let kind = match self.kind {
            BlockKind::Moments => 1,
            BlockKind::Index => 2,
            BlockKind::Part => 3,
            BlockKind::Other(kind) => kind,
        };
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(field) = out.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(MARKER);
        put(&[kind, self.codec, 0, 0]);
        put(&self.first.0.to_le_bytes());
        put(&self.last.0.to_le_bytes());
        for word in [self.moments, self.events, self.raw, self.stored, self.checksum] {
            put(&word.to_le_bytes());
        }
        let checksum = crc32(&out[..BLOCK_HEADER - 4]);
        out[BLOCK_HEADER - 4..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header; sizes that cannot be are refused.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..BLOCK_HEADER).ok_or(Damage::Cut)?;
        if !bytes.starts_with(MARKER) || crc32(&bytes[..BLOCK_HEADER - 4]) != u32_at(bytes, 44) {
            return Err(Damage::Checksum);
        }
        let header = Self {
            kind: match bytes[4] {
                1 => BlockKind::Moments,
                2 => BlockKind::Index,
                3 => BlockKind::Part,
                kind => BlockKind::Other(kind),
            },
            codec: bytes[5],
            first: Timestamp(u64_at(bytes, 8)),
            last: Timestamp(u64_at(bytes, 16)),
            moments: u32_at(bytes, 24),
            events: u32_at(bytes, 28),
            raw: u32_at(bytes, 32),
            stored: u32_at(bytes, 36),
            checksum: u32_at(bytes, 40),
        };
        if header.raw as usize > MAX_BLOCK_BYTES || header.stored as usize > MAX_BLOCK_BYTES {
            return Err(Damage::Impossible("a block larger than blocks are"));
        }
        Ok(header)
    }
}

/// One line of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) header: IndexHeader,
}

/// The entry of a block in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexHeader {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) moments: u32,
    pub(crate) events: u32,
}

impl From<BlockHeader> for IndexHeader {
    fn from(header: BlockHeader) -> Self {
        let BlockHeader { first, last, moments, events, .. } = header;
        Self { first, last, moments, events }
    }
}

/// The content of the index: how many blocks, and of each what differs from the one before.
pub(crate) fn index_to_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, entries.len() as u64);
    let (mut offset, mut time) = (0, 0_u64);
    for entry in entries {
        put_varint(&mut out, entry.offset - offset);
        put_varint(&mut out, zigzag(entry.header.first.0.wrapping_sub(time).cast_signed()));
        put_varint(&mut out, entry.header.last.micros_since(entry.header.first));
        put_varint(&mut out, u64::from(entry.header.moments));
        put_varint(&mut out, u64::from(entry.header.events));
        (offset, time) = (entry.offset, entry.header.first.0);
    }
    out
}

/// Reads what [`index_to_bytes`] gave. The blocks of a file follow each other, before `end`.
pub(crate) fn read_index(bytes: &[u8], end: u64) -> Result<Vec<Entry>, Damage> {
    let mut reader = Reader::new(bytes);
    let count = reader.count(5)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let (mut offset, mut time) = (0_u64, 0_u64);
    for _ in 0..count {
        let step = reader.varint()?;
        offset = offset
            .checked_add(step)
            .filter(|offset| step > 0 && *offset < end)
            .ok_or(Damage::Impossible("an index of blocks that are not there"))?;
        time = time.wrapping_add(unzigzag(reader.varint()?).cast_unsigned());
        let last = Timestamp(time.saturating_add(reader.varint()?));
        let moments = reader.index(u32::MAX as usize)?;
        let events = reader.index(u32::MAX as usize)?;
        let header = IndexHeader { first: Timestamp(time), last, moments, events };
        entries.push(Entry { offset, header });
    }
    Ok(entries)
}

/// The last bytes of a recording that was ended: where its index is.
pub(crate) fn end_to_bytes(index: u64) -> Vec<u8> {
    let mut out = index.to_le_bytes().to_vec();
    out.extend_from_slice(&crc32(&index.to_le_bytes()).to_le_bytes());
    out.extend_from_slice(END_MAGIC);
    out
}

/// Returns the offset of the index, if these are the last bytes of a complete recording.
pub(crate) fn read_end(bytes: &[u8]) -> Option<u64> {
    let offset = bytes.get(..8)?;
    let is_end =
        bytes.len() == END && bytes.ends_with(END_MAGIC) && crc32(offset) == u32_at(bytes, 8);
    is_end.then(|| u64_at(bytes, 0))
}

/// The CRC-32 of zlib and PNG.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn headers_short_wrong_and_newer_are_told_apart() {
        let header = Header { ttmem: "0.1.0".into(), ..Header::default() };
        let bytes = header.to_bytes();
        assert_eq!(Header::read(&bytes), Ok((header, VERSION, bytes.len())));
        for cut in 0..bytes.len() {
            assert_eq!(Header::read(&bytes[..cut]), Err(OpenError::Cut), "{cut}");
        }
        assert_eq!(Header::read(b"{\"schema\":"), Err(OpenError::NotARecording));
        let mut damaged = bytes.clone();
        damaged[25] ^= 1;
        assert_eq!(Header::read(&damaged), Err(OpenError::Header));
        let mut newer = bytes.clone();
        newer[10] = 9;
        assert!(Header::read(&newer).is_ok_and(|(_, version, _)| version.minor == 9));
        newer[8] = 2;
        assert_eq!(
            Header::read(&newer).unwrap_err().to_string(),
            "recording is version 2.9, this ttmem reads up to 1.2; use ttmem 0.1.0 or newer"
        );
    }

    #[test]
    fn an_index_that_lies_is_refused() {
        let header =
            IndexHeader { first: Timestamp(9), last: Timestamp(12), moments: 3, events: 0 };
        let entries = [Entry { offset: 40, header }, Entry { offset: 90, header }];
        let bytes = index_to_bytes(&entries);
        assert_eq!(read_index(&bytes, 100), Ok(entries.to_vec()));
        assert!(read_index(&bytes, 90).is_err());
        assert!(read_index(&bytes[..bytes.len() - 1], 100).is_err());
        assert_eq!(read_end(&end_to_bytes(77)), Some(77));
        assert_eq!(read_end(&[0; END]), None);
    }
}
