//! The layout that the firmware of a process has, from the debug information of the ELF files beside its TT-Metal.
//!
//! A wheel brings its firmware in `tt_metal/pre-compiled/<key>/brisc/brisc.elf`, once for each of some sixty build
//! keys, and which one was loaded is not recorded. It does not matter: those of one architecture have one mailbox, and
//! the magic number in L1 tells which architecture's it is.

use ttmem_model::{Arch, Pid};

use super::NamedLayout;
use crate::l1::layout::{Layout, WORKER_MAGIC};
use crate::l1::{OpenError, Reader, dwarf};
use crate::port::L1Port;
use ttmem_root::Root;

/// TT-Metal's library.
const LIBRARY: &str = "/libtt_metal.so";
/// The name of a firmware file, and in outputs: which of the build keys was loaded is not known.
const FILE: &str = "brisc.elf";
/// Paths of firmware below the directory that holds TT-Metal.
const FIRMWARE: [&str; 2] = ["tt_metal/pre-compiled", "pre-compiled"];
/// The most of a process's maps that is searched.
const MAX_MAPS_BYTES: usize = 4 << 20;
/// The most of a `brisc.elf`; they have 130 kB.
const MAX_ELF_BYTES: usize = 4 << 20;
/// The number of directories above the library that are searched: `build/lib` of a wheel is two below.
const MAX_PARENTS: usize = 4;
/// The number of files that are tried before the table is used.
const MAX_FILES: usize = 128;

/// Opens a chip by the layout that is named, else by its owner's firmware if one of `pids` runs TT-Metal and its firmware has the magic number where the
/// chip has it, else by the table.
pub(super) fn open_reader(
    port: &mut dyn L1Port,
    root: &Root,
    pids: &[Pid],
    named: Option<&NamedLayout>,
) -> Result<Reader, OpenError> {
    let arch = port.chip().arch;
    if let Some(named) = named {
        return Reader::with_named_layout(port, named.layout(arch)?);
    }
    let table = Reader::open(port);
    let layout = match &table {
        Ok(reader) => {
            let known = magic_address(reader.layout());
            layouts(root, pids, arch).find(|layout| magic_address(layout) == known)
        }
        Err(OpenError::Layout(_)) => {
            layouts(root, pids, arch).find(|layout| has_magic(port, layout))
        }
        Err(OpenError::Firmware(_) | OpenError::Port(_)) => None,
    };
    match (layout, table) {
        // The cores said where they are already, if both layouts have that at one offset.
        (Some(layout), Ok(reader)) => Ok(reader.with_other_layout(port, layout)?),
        (Some(layout), Err(_)) => Ok(Reader::with_layout(port, layout)?),
        (None, table) => table,
    }
}

/// The layouts of all firmware of the processes' TT-Metal that can be understood.
fn layouts(root: &Root, pids: &[Pid], arch: Arch) -> impl Iterator<Item = Layout> {
    let files = pids.iter().flat_map(|pid| files(root, *pid)).take(MAX_FILES);
    files.filter_map(move |path| {
        let elf = root.read(&path, MAX_ELF_BYTES).ok()?;
        dwarf::layout(arch, &elf.bytes, FILE).ok()
    })
}

fn files(root: &Root, pid: Pid) -> Vec<String> {
    let Some(library) = library(root, pid) else { return Vec::new() };
    // The process may see other files than we do.
    let seen = [format!("/proc/{pid}/root{library}"), library];
    seen.iter()
        .map(|library| below(root, library))
        .find(|files| !files.is_empty())
        .unwrap_or_default()
}

fn library(root: &Root, pid: Pid) -> Option<String> {
    let maps = root.read(&format!("/proc/{pid}/maps"), MAX_MAPS_BYTES).ok()?;
    let maps = String::from_utf8_lossy(&maps.bytes);
    maps.lines().find_map(|line| {
        let path = line.get(line.find('/')?..)?;
        path.ends_with(LIBRARY).then(|| path.to_owned())
    })
}

fn below(root: &Root, library: &str) -> Vec<String> {
    let mut directory = library;
    for _ in 0..MAX_PARENTS {
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        for firmware in FIRMWARE {
            let directory = format!("{directory}/{firmware}");
            let keys = root.list(&directory).unwrap_or_default();
            let file = |key: &std::ffi::OsString| {
                Some(format!("{directory}/{}/brisc/{FILE}", key.to_str()?))
            };
            if !keys.is_empty() {
                return keys.iter().filter_map(file).collect();
            }
        }
    }
    Vec::new()
}

fn magic_address(layout: &Layout) -> Option<u64> {
    let field = layout.mailbox.core_info.magic?;
    Some(layout.memory.mailbox + u64::from(field.offset))
}

fn has_magic(port: &mut dyn L1Port, layout: &Layout) -> bool {
    let Some(address) = magic_address(layout) else { return false };
    let mut word = [0; 4];
    port.chip().cores.clone().into_iter().any(|core| {
        port.read(core, address, &mut word).is_ok() && u32::from_le_bytes(word) == WORKER_MAGIC
    })
}

#[cfg(test)]
#[path = "firmware_tests.rs"]
mod tests;
