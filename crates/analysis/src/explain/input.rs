//! Inputs: a file, standard input, or the memory reports of a folder.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use ttmem_model::order;

use super::report::{self, MemoryReport};
use super::text_of;

/// A text and its origin.
pub struct Input {
    name: String,
    reader: Box<dyn Read>,
}

/// An input whose beginning has been read.
pub(crate) enum Opened {
    /// A memory report.
    Report(MemoryReport),
    /// A log: the bytes read so far, and the rest.
    Log {
        /// The beginning.
        head: Vec<u8>,
        /// The bytes that follow.
        rest: Box<dyn Read>,
    },
}

/// The kind of an input is decided by so many bytes.
const HEAD: u64 = 64 << 10;

/// A memory report is not larger.
const MAX_REPORT: u64 = 256 << 20;

impl Input {
    /// An input with a name, such as `-` for standard input.
    #[must_use]
    pub fn new(name: impl Into<String>, reader: Box<dyn Read>) -> Self {
        Self { name: name.into(), reader }
    }

    /// Reads the beginning, and a memory report as a whole.
    pub(super) fn open(mut self) -> io::Result<Opened> {
        let mut head = Vec::new();
        (&mut self.reader).take(HEAD).read_to_end(&mut head)?;
        if let Some((_, program)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic)) {
            let reason =
                format!("it is compressed: `{program} {} | ttmem explain` reads it", self.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if let Some(order) = order_of_utf16(&head) {
            let bytes = Box::new(Cursor::new(std::mem::take(&mut head)).chain(self.reader));
            self.reader = Box::new(Utf16 { bytes, order, text: Cursor::default() });
            (&mut self.reader).take(HEAD).read_to_end(&mut head)?;
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
        if !report::is_report(&text_of(&head)) {
            return Ok(Opened::Log { head, rest: self.reader });
        }
        self.reader.take(MAX_REPORT).read_to_end(&mut head)?;
        Ok(match report::parse(&self.name, &text_of(&head)) {
            Some(report) => Opened::Report(report),
            None => Opened::Log { head, rest: Box::new(Cursor::new(Vec::new())) },
        })
    }
}

/// Beginnings of compressed files, and the programs that print what is in them.
const PACKED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "zcat"),
    (b"\x28\xb5\x2f\xfd", "zstdcat"),
    (b"\xfd7zXZ\0", "xzcat"),
    (b"BZh", "bzcat"),
    (b"PK\x03\x04", "unzip -p"),
];

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Makes a unit of UTF-16 of two bytes.
type Order = fn([u8; 2]) -> u16;

/// The order of bytes, if a text is UTF-16: such as a log that PowerShell wrote. It begins with a mark, or nearly all of its
/// characters are ASCII.
fn order_of_utf16(head: &[u8]) -> Option<Order> {
    let (pairs, _) = head[..head.len().min(256)].as_chunks::<2>();
    let is = |order: Order| {
        let ascii = pairs.iter().filter(|pair| (1..0x80).contains(&order(**pair))).count();
        pairs.first().is_some_and(|pair| order(*pair) == 0xfeff) || pairs.len() < ascii * 4 / 3
    };
    let orders: [Order; 2] = [u16::from_le_bytes, u16::from_be_bytes];
    orders.into_iter().find(|order| is(*order))
}

/// Reads UTF-16 as UTF-8.
struct Utf16 {
    bytes: Box<dyn Read>,
    order: Order,
    text: Cursor<Vec<u8>>,
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.position() == self.text.get_ref().len() as u64 {
            let mut bytes = Vec::new();
            (&mut self.bytes).take(HEAD).read_to_end(&mut bytes)?;
            let units = bytes.as_chunks::<2>().0.iter().map(|pair| (self.order)(*pair));
            let text = String::from_utf16_lossy(&units.collect::<Vec<u16>>());
            self.text = Cursor::new(text.into_bytes());
        }
        self.text.read(buffer)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Opens a file, or every memory report (`*memory_usage*.csv`, `*l1_usage_summary.csv`, `memory_results.json`) of a
/// folder, sorted by name. A folder without any has no input.
///
/// # Errors
/// The system's error; a folder's file that cannot be opened fails the whole.
pub fn open_path(path: &Path) -> io::Result<Vec<Input>> {
    if !path.is_dir() {
        return Ok(vec![open_file(path)?]);
    }
    let mut paths = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        if is_report_name(&name_of(&path)) && path.is_file() {
            paths.push(path);
        }
    }
    order::sort(&mut paths);
    paths.iter().map(|path| open_file(path)).collect()
}

fn open_file(path: &Path) -> io::Result<Input> {
    Ok(Input::new(name_of(path), Box::new(File::open(path)?)))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_report_name(name: &str) -> bool {
    name == "memory_results.json"
        || name.strip_suffix(".csv").is_some_and(|stem| {
            stem.ends_with("memory_usage")
                || stem.ends_with("memory_usage_summary")
                || stem.ends_with("l1_usage_summary")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: Vec<u8>) -> String {
        match Input::new("-", Box::new(Cursor::new(bytes))).open().unwrap() {
            Opened::Log { mut head, mut rest } => {
                rest.read_to_end(&mut head).unwrap();
                String::from_utf8(head).unwrap()
            }
            Opened::Report(report) => panic!("{report:?}"),
        }
    }

    #[test]
    fn a_compressed_log_says_what_unpacks_it() {
        for (bytes, program) in [(&b"\x1f\x8b\x08\0"[..], "zcat"), (b"\xfd7zXZ\0\0", "xzcat")] {
            let input = Input::new("run.log.gz", Box::new(Cursor::new(bytes.to_vec())));
            let Err(error) = input.open() else { panic!("{program}") };
            let command = format!("`{program} run.log.gz | ttmem explain`");
            assert!(error.to_string().contains(&command), "{error}");
        }
    }

    /// PowerShell writes UTF-16 with a mark; a part of such a file has none.
    #[test]
    fn logs_in_utf_16_are_read() {
        let text =
            "│ Out of Memory: 58\u{202f}720 B 😀\r\n".to_owned() + &"a line\r\n".repeat(40_000);
        for mark in ["\u{feff}", ""] {
            let marked = format!("{mark}{text}");
            let bytes = |order: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(order).collect();
            assert_eq!(log(bytes(u16::to_le_bytes)), text);
            assert_eq!(log(bytes(u16::to_be_bytes)), text);
            assert_eq!(log(marked.into_bytes()), text);
        }
        let few = "TT_FATAL".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(log(few), "TT_FATAL");
        for short in ["", "a", "ab", "\0\0\0\0", "a\0b\n", "ff\n"] {
            assert_eq!(log(short.as_bytes().to_vec()), short);
        }
    }
}
