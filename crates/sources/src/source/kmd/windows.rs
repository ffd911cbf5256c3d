//! Windows into a chip's address space (TLB windows) that processes have allocated.
//!
//! `/sys/kernel/debug/tenstorrent/N/mappings` (tt-kmd 2.7 and newer, root only) has a line for each. Its format is not
//! stable (by the driver's own documentation), so that a line that is not understood counts for nothing.

use std::collections::BTreeMap;

use ttmem_model::facts::Field;
use ttmem_model::reading::Missing;
use ttmem_model::{Arch, Pid};
use ttmem_root::RootError;
use ttmem_root::batch::FolderRequest;

/// Most bytes of the file: a line has about 100, and a chip a few hundred windows.
const MAX_BYTES: usize = 1 << 20;

/// Type of the lines of allocated windows (tt-kmd 2.7 to 2.10, `enumerate.c`).
const ALLOCATED: &str = "TLB-alloc";

/// Windows of the smallest size, which TT-Metal takes: 1 MiB on Wormhole, 2 MiB on Blackhole, where the driver keeps the
/// last one (tt-kmd 2.10, `wormhole.c`, `blackhole.c`). Their ids are those below this number.
#[must_use]
pub fn total(arch: Arch) -> u64 {
    match arch {
        Arch::Wormhole => 156,
        Arch::Blackhole => 201,
    }
}

/// Windows of one device that are allocated: their ids, by process.
pub type Windows = BTreeMap<Pid, Vec<u64>>;

/// Requests the driver's list of mappings of device `number`.
pub(super) fn request(number: u32) -> FolderRequest<'static> {
    let path = format!("/sys/kernel/debug/tenstorrent/{number}");
    FolderRequest { path, names: vec!["mappings"], limit: MAX_BYTES, is_repeated: false }
}

/// Parses the windows in the driver's list.
pub(super) fn parse(listed: Result<&[u8], RootError>) -> Field<Windows> {
    let listed = listed.map_err(|error| match error.is_absent() {
        true => Missing::unsupported(
            "the driver lists windows from tt-kmd 2.7 on, in debugfs, for root",
        ),
        false => error.missing(),
    })?;
    let mut windows = Windows::new();
    for line in String::from_utf8_lossy(listed).lines() {
        // A name in the second column may contain spaces.
        let Some((before, after)) = line.split_once(ALLOCATED) else { continue };
        let pid = before.split_whitespace().next().and_then(|pid| pid.parse().ok());
        let id =
            after.split_once("ID:").and_then(|(_, id)| id.split_whitespace().next()?.parse().ok());
        if let (Some(pid), Some(id)) = (pid.filter(|pid| *pid >= 0), id) {
            windows.entry(Pid(pid)).or_default().push(id);
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_a_process() {
        let listed = b"WARNING: This file is for diagnostic purposes only.\n\n\
            PID      Comm             Type           Mapping Details\n\
            ----     ----             ----           ---------------\n\
            133      my owner         OPEN_FD       \n\
            133      my owner         TLB-alloc      ID: 3\n\
            133      my owner         TLB-alloc      ID: 4\n\
            133      my owner         TLB            ID: 4  UC -> BAR0 + 0x400000 (size=0x100000)\n\
            262      python3          TLB-alloc      ID: 5\n\
            x        y                TLB-alloc      ID: 6\n";
        let windows = parse(Ok(listed)).unwrap();
        assert_eq!(windows, Windows::from([(Pid(133), vec![3, 4]), (Pid(262), vec![5])]));
    }
}
