//! The flight recorder: the last minutes in memory, written out on an event.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ttmem_model::Timestamp;
use ttmem_recording::civil::Civil;
use ttmem_recording::{Contents, Encoded, Header, Limits};

use super::sink::{FileSink, Sink as _};

/// The default memory of a ring: two hours of a Galaxy at ten a second.
pub(super) const DEFAULT_MAX_BYTES: u64 = 32 << 20;

/// Blocks of the last minutes, the oldest first.
#[derive(Debug)]
pub(crate) struct Ring {
    window_us: u64,
    max_bytes: u64,
    blocks: VecDeque<Encoded>,
    bytes: u64,
    /// Segments of processes that ended within the window, the oldest first. They take at most as much as the blocks.
    attached: VecDeque<Vec<Encoded>>,
    /// Blocks that were dropped before the oldest one here.
    forgotten: u64,
}

impl Ring {
    pub(crate) fn new(window: Duration, max_bytes: u64) -> Self {
        let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        Self {
            window_us,
            max_bytes,
            blocks: VecDeque::new(),
            bytes: 0,
            attached: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// Returns a block length for which the window ends about where it should.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let span_us = (self.window_us / 20).clamp(1_000_000, usual.span_us);
        Limits { span_us, facts_every: 1, ..usual }
    }

    /// Adds a block and drops those that the window does not need.
    pub(crate) fn push(&mut self, block: Encoded) {
        self.bytes += block.bytes.len() as u64;
        let newest = block.last();
        self.blocks.push_back(block);
        let window_us = self.window_us;
        let is_old = |blocks: &mut Vec<Encoded>| {
            blocks.first().is_none_or(|block| newest.micros_since(block.last()) > window_us)
        };
        while self.attached.pop_front_if(is_old).is_some() {}
        while let [oldest, second, ..] = self.blocks.make_contiguous() {
            let is_covered = newest.micros_since(second.first()) >= self.window_us;
            if !is_covered && self.bytes <= self.max_bytes {
                return;
            }
            self.bytes -= oldest.bytes.len() as u64;
            self.blocks.pop_front();
            self.forgotten += 1;
        }
    }

    /// Keeps an attachment as long as the window includes its time.
    pub(super) fn attach(&mut self, blocks: Vec<Encoded>) {
        self.attached.push_back(blocks);
        while size(self.attached.iter().flatten()) > self.max_bytes {
            self.attached.pop_front();
        }
    }

    /// Returns the blocks with their numbers, the oldest first. A block keeps its number.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u64, &Encoded)> {
        (self.forgotten..).zip(&self.blocks)
    }

    /// Returns the block with a number; if it was dropped, the oldest one.
    pub(crate) fn block(&self, number: u64) -> Option<(u64, &Encoded)> {
        let index = usize::try_from(number.saturating_sub(self.forgotten)).ok()?;
        let block = self.blocks.get(index)?;
        Some((number.max(self.forgotten), block))
    }

    /// Writes all blocks and attachments into a new file, which is renamed when complete. Returns name, moments and
    /// bytes.
    pub(super) fn write_out(
        &self,
        base: &Path,
        header: &Header,
        time: Timestamp,
        attached: &[Encoded],
    ) -> io::Result<(PathBuf, u64, u64)> {
        let path = unused(base, time);
        let beside = with_suffix(&path, ".part");
        let (mut contents, mut bytes) = Contents::begin(header);
        for block in self.blocks.iter().chain(self.attached.iter().flatten()).chain(attached) {
            contents.add(block);
            bytes.extend_from_slice(&block.bytes);
        }
        bytes.extend(contents.end());
        let written = FileSink::create(&beside)
            .and_then(|mut file| file.append(&bytes))
            .and_then(|()| std::fs::rename(&beside, &path));
        if let Err(error) = written {
            // The first error is the one that matters.
            drop(std::fs::remove_file(&beside));
            return Err(error);
        }
        let moments = self.blocks.iter().map(|block| u64::from(block.moments())).sum();
        Ok((path, moments, bytes.len() as u64))
    }
}

/// Checks that a file can be created beside the base, and removes it.
pub(super) fn try_place(base: &Path) -> io::Result<()> {
    if base.file_name().is_none() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let beside = with_suffix(base, &format!(".{}.part", std::process::id()));
    FileSink::create(&beside)?;
    std::fs::remove_file(&beside)
}

fn size<'a>(blocks: impl Iterator<Item = &'a Encoded>) -> u64 {
    blocks.map(|block| block.bytes.len() as u64).sum()
}

/// Returns a name: `trace.ttmem` becomes `trace-20261102T093000Z.ttmem`, with a number appended if it exists.
fn unused(base: &Path, time: Timestamp) -> PathBuf {
    let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension =
        base.extension().map(|name| format!(".{}", name.to_string_lossy())).unwrap_or_default();
    let named = |more: &str| {
        base.with_file_name(format!("{stem}-{}{more}{extension}", Civil::of(time).compact()))
    };
    let mut path = named("");
    let mut number = 2_u32;
    while path.exists() {
        path = named(&format!("-{number}"));
        number += 1;
    }
    path
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
