//! A layout that the user names, where the owner's firmware is not found and L1 does not say which release wrote it.

use ttmem_model::Arch;

use crate::l1::layout::{Layout, LayoutError};
use crate::l1::{DwarfError, OpenError, dwarf};

/// A layout of the mailbox that the user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLayout(By);

#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Release(String),
    Firmware { file: String, elf: Vec<u8> },
}

impl NamedLayout {
    /// The layout of a release, such as `0.62.2`.
    ///
    /// # Errors
    /// If the table has no such release.
    pub fn of_release(release: &str) -> Result<Self, LayoutError> {
        for arch in [Arch::Wormhole, Arch::Blackhole] {
            Layout::of_release(arch, release)?;
        }
        Ok(Self(By::Release(release.to_owned())))
    }

    /// The layout that the debug information of a `brisc.elf` gives. `file` is what outputs call it.
    ///
    /// # Errors
    /// If the bytes are no such file.
    pub fn of_firmware(file: &str, elf: Vec<u8>) -> Result<Self, DwarfError> {
        // The mailbox is read in one way for both; the chip's own architecture decides about the rest.
        dwarf::layout(Arch::Wormhole, &elf, file)?;
        Ok(Self(By::Firmware { file: file.to_owned(), elf }))
    }

    /// The layout for a chip.
    pub(super) fn layout(&self, arch: Arch) -> Result<Layout, OpenError> {
        match &self.0 {
            By::Release(release) => Ok(Layout::of_release(arch, release)?),
            By::Firmware { file, elf } => Ok(dwarf::layout(arch, elf, file)?),
        }
    }
}
