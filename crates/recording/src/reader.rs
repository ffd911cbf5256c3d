//! Opens a recording, whole or cut, and finds moments and events in it.

use std::sync::Arc;

use super::Version;
use super::block::ReadBlock;
use super::codec;
use super::error::{Damage, OpenError};
use super::event::Event;
use super::facts::{Link, ReadFacts};
use super::frame::{
    BLOCK_HEADER, BlockHeader, BlockKind, END, Entry, Header, IndexHeader, MARKER, crc32, read_end,
    read_index,
};
use super::moment::Moment;
use ttmem_model::Timestamp;

/// Bytes that can be read at any offset: a file, or a recording in memory.
pub trait ReadAt {
    /// Returns the number of bytes.
    ///
    /// # Errors
    /// If it cannot be determined.
    fn size(&self) -> Result<u64, Damage>;

    /// Fills the buffer with the bytes at an offset.
    ///
    /// # Errors
    /// If there are fewer, or they cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damage>;
}

impl ReadAt for [u8] {
    fn size(&self) -> Result<u64, Damage> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damage> {
        let start = usize::try_from(offset).map_err(|_error| Damage::Cut)?;
        let end = start.checked_add(buffer.len()).ok_or(Damage::Cut)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(Damage::Cut)?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> Result<u64, Damage> {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damage> {
        self.as_slice().read_at(offset, buffer)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> Result<u64, Damage> {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damage> {
        (**self).read_at(offset, buffer)
    }
}

/// A recording that is open. Takes memory for one block, however long it is.
#[derive(Debug)]
pub struct Recording<R> {
    source: R,
    header: Header,
    version: Version,
    pub(super) entries: Vec<Entry>,
    ended: bool,
    damaged_bytes: u64,
    /// Bytes behind the last block: of a block that is not written to its end.
    cut_bytes: u64,
    /// The block that was used last.
    cache: Option<(usize, ReadBlock)>,
    /// The facts that were used last, and the number of their block.
    facts: Option<(usize, Arc<ReadFacts>)>,
}

impl<R: ReadAt> Recording<R> {
    /// Opens a recording by its index or, where it has none, by looking for its blocks.
    ///
    /// # Errors
    /// If it is none, or one of a newer major version, or cannot be read.
    pub fn open(source: R) -> Result<Self, OpenError> {
        let read = |damage: Damage| OpenError::Read(damage.to_string());
        let size = source.size().map_err(read)?;
        let first = usize::try_from(size).unwrap_or(usize::MAX).min(Header::MAX_BYTES);
        let mut bytes = vec![0; first];
        source.read_at(0, &mut bytes).map_err(read)?;
        let (header, version, begin) = Header::read(&bytes)?;
        let mut recording = Self {
            source,
            header,
            version,
            entries: Vec::new(),
            ended: false,
            damaged_bytes: 0,
            cut_bytes: 0,
            cache: None,
            facts: None,
        };
        match recording.indexed(size) {
            Some(entries) => (recording.entries, recording.ended) = (entries, true),
            None => recording.scan(begin as u64, size),
        }
        Ok(recording)
    }

    /// The blocks as the index at the end tells, if there is one.
    fn indexed(&self, size: u64) -> Option<Vec<Entry>> {
        let mut end = [0; END];
        let end_at = size.checked_sub(END as u64)?;
        self.source.read_at(end_at, &mut end).ok()?;
        let index_at = read_end(&end)?;
        let header = self.block_header(index_at).ok()?;
        if header.kind != BlockKind::Index {
            return None;
        }
        read_index(&self.content(index_at, &header).ok()?, index_at).ok()
    }

    /// Goes from block to block. Behind damage it looks for the next beginning of a block.
    fn scan(&mut self, begin: u64, size: u64) {
        let mut offset = begin;
        while offset < size {
            let Ok(header) = self.block_header(offset) else {
                let next = self.find_block(offset + 1, size);
                let bytes =
                    if next == size { &mut self.cut_bytes } else { &mut self.damaged_bytes };
                *bytes += next - offset;
                offset = next;
                continue;
            };
            let end = offset + BLOCK_HEADER as u64 + u64::from(header.stored);
            if end > size {
                self.cut_bytes += size - offset;
                return;
            }
            if matches!(header.kind, BlockKind::Moments | BlockKind::Part) {
                self.entries.push(Entry { offset, header: header.into() });
            }
            offset = end;
            // The end of an earlier index is between blocks when a recording was continued.
            let mut bytes = [0; END];
            if self.source.read_at(offset, &mut bytes).is_ok() && read_end(&bytes).is_some() {
                offset += END as u64;
            }
        }
    }

    /// The next offset at which a block begins, or the end.
    fn find_block(&self, from: u64, size: u64) -> u64 {
        const WINDOW: u64 = 64 << 10;
        let mut offset = from;
        while offset < size {
            let length = WINDOW.min(size - offset);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            if self.source.read_at(offset, &mut bytes).is_err() {
                return size;
            }
            let candidates = bytes.windows(MARKER.len()).enumerate();
            for (at, _) in candidates.filter(|(_, window)| window == MARKER) {
                let candidate = offset + at as u64;
                if self.block_header(candidate).is_ok() {
                    return candidate;
                }
            }
            if length < WINDOW {
                return size;
            }
            offset += length - (MARKER.len() as u64 - 1);
        }
        size
    }

    pub(super) fn block_header(&self, offset: u64) -> Result<BlockHeader, Damage> {
        let mut bytes = [0; BLOCK_HEADER];
        self.source.read_at(offset, &mut bytes)?;
        BlockHeader::read(&bytes)
    }

    pub(super) fn content(&self, offset: u64, header: &BlockHeader) -> Result<Vec<u8>, Damage> {
        let behind = self.source.size()?.saturating_sub(offset + BLOCK_HEADER as u64);
        if u64::from(header.stored) > behind {
            return Err(Damage::Cut);
        }
        let mut stored = vec![0; header.stored as usize];
        self.source.read_at(offset + BLOCK_HEADER as u64, &mut stored)?;
        if crc32(&stored) != header.checksum {
            return Err(Damage::Checksum);
        }
        codec::decompress(header.codec, stored, header.raw as usize)
    }

    fn block(&mut self, number: usize) -> Result<&ReadBlock, Damage> {
        let is_there = self.cache.as_ref().is_some_and(|(known, _)| *known == number);
        if !is_there {
            let entry = self.entries.get(number).ok_or(Damage::Impossible("no such block"))?;
            let header = self.block_header(entry.offset)?;
            let block = ReadBlock::read(self.content(entry.offset, &header)?)?;
            self.cache = Some((number, block));
        }
        self.cache.as_ref().map(|(_, block)| block).ok_or(Damage::Cut)
    }

    /// The facts of a block; `None` if it has none, or if a block that they continue is missing.
    fn facts(&mut self, number: usize) -> Option<Arc<ReadFacts>> {
        let is_known = |known: &(usize, Arc<ReadFacts>), block: usize| known.0 == block;
        let mut parts = Vec::new();
        let mut base = None;
        let mut block = number;
        let mut wanted: Option<Link> = None;
        loop {
            if let Some(known) = self.facts.as_ref().filter(|known| is_known(known, block)) {
                base = Some(Arc::clone(&known.1))
                    .filter(|base| wanted.is_none_or(|it| base.link == it));
                base.as_ref()?;
                break;
            }
            let read = self.block(block).ok()?;
            let part = read.facts.clone()?;
            let continues = part.continues();
            if wanted.is_some_and(|wanted| part.link != wanted) {
                return None;
            }
            parts.push((read.times.len(), part));
            wanted = Some(match continues {
                Some(link) => link,
                None => break,
            });
            block = self.entries.get(..block)?.iter().rposition(|it| it.header.moments > 0)?;
        }
        while let Some((moments, part)) = parts.pop() {
            let read = ReadFacts::of(part, moments, base.as_deref()).ok()?;
            base = Some(Arc::new(read));
        }
        self.facts = base.map(|facts| (number, facts));
        self.facts.as_ref().map(|(_, facts)| Arc::clone(facts))
    }
}

impl<R: ReadAt> Recording<R> {
    /// Returns the header of the recording.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The version of the format that it has.
    pub fn version(&self) -> Version {
        self.version
    }

    /// False if its end is missing: it is being recorded, or the recorder was killed.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Bytes between blocks that are no part of any block. [`Recording::account`] has the damage inside of blocks too.
    pub fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes
    }

    /// Bytes after the last complete block: a block that was not written to its end.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Returns the number of moments.
    pub fn len(&self) -> u64 {
        self.moment_blocks().map(|(_, times)| u64::from(times.moments)).sum()
    }

    /// True if it has no moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the earliest and the latest moment.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.moment_blocks().map(|(_, times)| times.first).min()?;
        let last = self.moment_blocks().map(|(_, times)| times.last).max()?;
        Some((first, last))
    }

    fn moment_blocks(&self) -> impl Iterator<Item = (usize, IndexHeader)> {
        let all = self.entries.iter().map(|entry| entry.header).enumerate();
        all.filter(|(_, header)| header.moments > 0)
    }

    /// A moment by its number, from 0 to [`Recording::len`].
    ///
    /// # Errors
    /// If it is in a damaged block.
    pub fn moment(&mut self, number: u64) -> Result<Option<Moment>, Damage> {
        let mut before = 0_u64;
        let mut found = None;
        for (block, times) in self.moment_blocks() {
            if number - before < u64::from(times.moments) {
                found = Some((block, number - before));
                break;
            }
            before += u64::from(times.moments);
        }
        let Some((block, within)) = found else { return Ok(None) };
        let within = usize::try_from(within).unwrap_or(usize::MAX);
        let facts = self.facts(block);
        self.block(block)?.moment(within).map(|moment| Some(moment.with_facts(facts, within)))
    }

    /// The number of the last moment that is not later than `time`. Where the clock was set back, the later in the
    /// recording counts.
    ///
    /// # Errors
    /// If the block that it is in is damaged.
    pub fn number_at(&mut self, time: Timestamp) -> Result<Option<u64>, Damage> {
        let mut before = 0_u64;
        let mut found = None;
        for (block, times) in self.moment_blocks() {
            if times.first <= time {
                found = Some((block, before));
            }
            before += u64::from(times.moments);
        }
        let Some((block, before)) = found else { return Ok(None) };
        let within = self.block(block)?.times.iter().rposition(|known| *known <= time);
        Ok(within.map(|within| before + within as u64))
    }

    /// The moment that was the present one at a time.
    ///
    /// # Errors
    /// If it is in a damaged block.
    pub fn at(&mut self, time: Timestamp) -> Result<Option<Moment>, Damage> {
        match self.number_at(time)? {
            Some(number) => self.moment(number),
            None => Ok(None),
        }
    }

    /// All events, in the order in which they were recorded. Those of damaged blocks are left out.
    ///
    /// # Errors
    /// If the recording cannot be read.
    pub fn events(&mut self) -> Result<Vec<Event>, Damage> {
        let mut events = Vec::new();
        for number in 0..self.entries.len() {
            let has_some = self.entries.get(number).is_some_and(|entry| entry.header.events > 0);
            if has_some {
                match self.block(number) {
                    Ok(block) => events.extend(block.events.iter().cloned()),
                    Err(Damage::Read(error)) => return Err(Damage::Read(error)),
                    Err(_) => {}
                }
            }
        }
        Ok(events)
    }

    /// The first event after a time.
    ///
    /// # Errors
    /// If a block on the way is damaged.
    pub fn next_event(&mut self, time: Timestamp) -> Result<Option<Event>, Damage> {
        for number in 0..self.entries.len() {
            let may_have = self.entries.get(number).is_some_and(|entry| entry.header.events > 0);
            if may_have {
                let events = self.block(number)?.events.iter();
                let later = events.filter(|event| event.time > time);
                if let Some(event) = later.min_by_key(|event| event.time) {
                    return Ok(Some(event.clone()));
                }
            }
        }
        Ok(None)
    }
}
