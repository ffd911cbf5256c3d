//! Makes a capture of the chips behind any ports.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use ttmem_model::l1::{ByteRange, CircularBuffer, Coordinate, Core, RangeSet};

use super::index::IndexChip;
use super::{BYTES, INDEX};
use crate::l1::Reader;
use crate::port::{L1Port, PortError};

/// Bytes of a remote circular buffer's configuration page that are kept: eight words (0.81.1).
const REMOTE_PAGE_BYTES: u64 = 32;

/// The reason that no capture was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// A file cannot be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// A port is broken.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A chip could not be opened.
    #[error("{0}")]
    Unread(String),
}

/// Writes a capture of chips into a directory that holds none: of every core the mailbox, of those that are there
/// the whole kernel config ring, and the configuration pages of remote circular buffers. `kernels` are the names of
/// kernels as Inspector wrote them (`kernels.yaml`).
///
/// Files get their names when all of them are whole. A capture that fails leaves nothing.
///
/// # Errors
/// If the directory already holds a capture, a file cannot be written, or a port is broken.
pub(crate) fn save(
    directory: &Path,
    chips: &mut [(&mut dyn L1Port, &mut Reader)],
    kernels: Option<&[u8]>,
) -> Result<(), SaveError> {
    let mut draft = Draft::begin(directory)?;
    let (bytes_path, bytes_file) = draft.create(BYTES)?;
    let mut packer = GzBuilder::new().write(bytes_file, Compression::default());
    let mut offset = 0;
    let mut index = Vec::new();
    for (port, reader) in chips {
        index.push(save_chip(*port, reader, &mut offset, &mut packer, &bytes_path)?);
    }
    packer.finish().map_err(file_error(&bytes_path))?;
    if let Some(kernels) = kernels {
        let (path, mut file) = draft.create(KERNELS)?;
        file.write_all(kernels).map_err(file_error(&path))?;
    }
    let (path, mut file) = draft.create(INDEX)?;
    let json = serde_json::to_vec(&index).map_err(io::Error::from).map_err(file_error(&path))?;
    file.write_all(&json).map_err(file_error(&path))?;
    draft.finish()
}

/// The names of kernels in a capture.
const KERNELS: &str = "kernels.yaml";

fn file_error(path: &Path) -> impl Fn(io::Error) -> SaveError + use<> {
    let path = path.to_owned();
    move |error| SaveError::File { path: path.clone(), error }
}

/// Files of a capture that is not complete, beside the names that they will get. Dropping it removes them.
struct Draft {
    directory: PathBuf,
    /// True if the directory was not there before.
    is_new: bool,
    names: Vec<&'static str>,
}

impl Draft {
    fn begin(directory: &Path) -> Result<Self, SaveError> {
        let is_new = !directory.exists();
        fs::create_dir_all(directory).map_err(file_error(directory))?;
        for name in [INDEX, BYTES, KERNELS] {
            let path = directory.join(name);
            if path.exists() {
                return Err(file_error(&path)(rustix::io::Errno::EXIST.into()));
            }
        }
        Ok(Self { directory: directory.to_owned(), is_new, names: Vec::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!(".{name}.{}", std::process::id()))
    }

    fn create(&mut self, name: &'static str) -> Result<(PathBuf, File), SaveError> {
        let path = self.path(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(file_error(&path))?;
        self.names.push(name);
        Ok((path, file))
    }

    /// Renames every file to its final name, in the order in which they were written.
    fn finish(mut self) -> Result<(), SaveError> {
        for name in std::mem::take(&mut self.names) {
            let path = self.directory.join(name);
            fs::rename(self.path(name), &path).map_err(file_error(&path))?;
        }
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for name in &self.names {
            drop(fs::remove_file(self.path(name)));
        }
        if self.is_new {
            drop(fs::remove_dir(&self.directory));
        }
    }
}

fn save_chip(
    port: &mut dyn L1Port,
    reader: &mut Reader,
    offset: &mut usize,
    packer: &mut GzEncoder<File>,
    path: &Path,
) -> Result<IndexChip, SaveError> {
    let (cores, _) = reader.sample(port)?;
    let mut entry = IndexChip::new(port.chip());
    for noc in port.chip().cores.clone() {
        let core = cores.iter().find(|core| core.noc == noc);
        let mut segments = Vec::new();
        for range in kept(reader, noc, core).ranges() {
            let mut bytes = vec![0; usize::try_from(range.bytes()).unwrap_or(0)];
            match port.read(noc, range.start, &mut bytes) {
                Ok(()) => {}
                // What the port does not have, the capture need not have.
                Err(error) if error.is_local() => continue,
                Err(error) => return Err(error.into()),
            }
            packer
                .write_all(&bytes)
                .map_err(|error| SaveError::File { path: path.to_owned(), error })?;
            segments.push((range.start, bytes.len(), *offset));
            *offset += bytes.len();
        }
        entry.add(noc, segments.into_iter());
    }
    Ok(entry)
}

/// The saved parts of a core.
fn kept(reader: &Reader, noc: Coordinate, core: Option<&Core>) -> RangeSet {
    let page = |buffer: &CircularBuffer| {
        ByteRange::from_start_and_bytes(buffer.config_address?, REMOTE_PAGE_BYTES)
    };
    let buffers = core.and_then(|core| core.program.as_ref());
    let buffers = buffers.map(|program| program.circular_buffers.as_slice()).unwrap_or_default();
    [reader.layout().mailbox_range()]
        .into_iter()
        .chain(reader.ring(noc))
        .chain(buffers.iter().filter_map(page))
        .collect()
}
