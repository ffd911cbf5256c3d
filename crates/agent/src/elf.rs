//! The little that is read from ELF files: the build id, and names of functions that a library does not export.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Sections longer than this are not read.
const MAX_SECTION_BYTES: u64 = 256 << 20;

// From the ELF specification, as `elf.h` has them.
/// Section of symbols (`SHT_SYMTAB`).
const SYMBOL_TABLE: u32 = 2;
/// Section of notes (`SHT_NOTE`).
const NOTE: u32 = 7;
/// Symbol of a function (`STT_FUNC`).
const FUNCTION: u8 = 2;
/// Bytes of a symbol (`Elf64_Sym`).
const SYMBOL_BYTES: usize = 24;
/// Note with a build id (`NT_GNU_BUILD_ID`).
const BUILD_ID_NOTE: u32 = 3;

/// A section as its header describes it.
#[derive(Clone, Copy, Debug)]
struct Section {
    kind: u32,
    link: u32,
    offset: u64,
    bytes: u64,
}

/// The GNU build id of a library; empty if it has none.
pub(crate) fn build_id(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    for section in sections(&file)?.iter().filter(|section| section.kind == NOTE) {
        let notes = read(&file, section.offset, section.bytes.min(4096))?;
        if let Some(build_id) = build_id_note(&notes) {
            return Ok(build_id.to_vec());
        }
    }
    Ok(Vec::new())
}

/// The description of the build id among notes.
fn build_id_note(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let name_bytes = number(notes, 0)? as usize;
        let bytes = number(notes, 4)? as usize;
        let kind = number(notes, 8)?;
        let start = 12 + name_bytes.next_multiple_of(4);
        if kind == BUILD_ID_NOTE && notes.get(12..16) == Some(b"GNU\0") {
            return notes.get(start..start.checked_add(bytes)?);
        }
        notes = notes.get(start.checked_add(bytes.next_multiple_of(4))?..)?;
    }
}

/// Calls `found` with the function around each address: where it begins, and its mangled name. Addresses are relative
/// to where the library is loaded; `found` gets the address's index first.
pub(crate) fn function_names(
    path: &Path,
    addresses: &[u64],
    mut found: impl FnMut(usize, u64, &str),
) -> io::Result<()> {
    let file = File::open(path)?;
    let sections = sections(&file)?;
    for table in sections.iter().filter(|section| section.kind == SYMBOL_TABLE) {
        let Some(strings) = sections.get(table.link as usize) else { continue };
        let symbols = read(&file, table.offset, table.bytes)?;
        for symbol in symbols.chunks_exact(SYMBOL_BYTES) {
            let (Some(start), Some(bytes), Some(name)) =
                (word(symbol, 8), word(symbol, 16), number(symbol, 0))
            else {
                continue;
            };
            if symbol[4] & 0xf != FUNCTION {
                continue;
            }
            for (index, address) in addresses.iter().enumerate() {
                if address.checked_sub(start).is_some_and(|offset| offset < bytes) {
                    let name = text(&file, strings.offset + u64::from(name))?;
                    found(index, start, &name);
                }
            }
        }
    }
    Ok(())
}

fn sections(file: &File) -> io::Result<Vec<Section>> {
    let header = read(file, 0, 64)?;
    let odd = || io::Error::from(io::ErrorKind::InvalidData);
    if header.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err(odd());
    }
    let offset = word(&header, 40).ok_or_else(odd)?;
    let (entry_bytes, entries) = (half(&header, 58), half(&header, 60));
    if entry_bytes < 64 {
        return Err(odd());
    }
    let headers = read(file, offset, (entry_bytes * entries) as u64)?;
    let section = |header: &[u8]| {
        Some(Section {
            kind: number(header, 4)?,
            link: number(header, 40)?,
            offset: word(header, 24)?,
            bytes: word(header, 32)?,
        })
    };
    Ok(headers.chunks_exact(entry_bytes).filter_map(section).collect())
}

fn read(file: &File, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let within = file.metadata()?.len().saturating_sub(offset).min(MAX_SECTION_BYTES);
    if bytes > within {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut content = vec![0; usize::try_from(bytes).unwrap_or(0)];
    file.read_exact_at(&mut content, offset)?;
    Ok(content)
}

/// The text at an offset, up to its zero or to 2048 bytes.
fn text(file: &File, offset: u64) -> io::Result<String> {
    let mut content = vec![0; 2048];
    let read = file.read_at(&mut content, offset)?;
    let content = &content[..read];
    let end = content.iter().position(|byte| *byte == 0).unwrap_or(read);
    Ok(String::from_utf8_lossy(&content[..end]).into_owned())
}

fn half(bytes: &[u8], offset: usize) -> usize {
    bytes
        .get(offset..offset + 2)
        .map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
}

fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_function_of_this_very_program_is_found() {
        let path = std::env::current_exe().unwrap();
        let mut names = Vec::new();
        function_names(&path, &[u64::MAX], |_, _, name| names.push(name.to_owned())).unwrap();
        assert_eq!(names, Vec::<String>::new());
        assert!(function_names(Path::new("/dev/null"), &[1], |_, _, _| {}).is_err());
    }

    #[test]
    fn a_build_id_is_found_among_notes_and_nothing_in_nonsense() {
        let note = |name: &[u8; 4], kind: u32, description: &[u8]| {
            let mut note = Vec::new();
            note.extend(4_u32.to_le_bytes());
            note.extend(u32::try_from(description.len()).unwrap().to_le_bytes());
            note.extend(kind.to_le_bytes());
            note.extend(name);
            note.extend(description);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let notes = [note(b"GNU\0", 1, b"abc"), note(b"GNU\0", 3, b"build-id")].concat();
        assert_eq!(build_id_note(&notes), Some(&b"build-id"[..]));
        assert_eq!(build_id_note(&notes[..notes.len() - 1]), None);
        assert_eq!(build_id_note(&[0xff; 64]), None);
        assert_eq!(build_id_note(&[0; 64]), None);
    }
}
