//! The layout that `--layout` names.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use ttmem_sources::NamedLayout;

use crate::error::Error;

/// The most of a file that is read: a `brisc.elf` has 130 kB.
const MAX_ELF_BYTES: u64 = 4 << 20;

/// Returns the layout of a release, or of the firmware in a file. What has only digits and dots is a release.
///
/// # Errors
/// [`Error::Usage`] if no such release is known, and [`Error::File`] if the file cannot be read or is no firmware.
pub(crate) fn layout(name: &OsStr) -> Result<Arc<NamedLayout>, Error> {
    let is_release = |name: &&str| name.chars().all(|c| c.is_ascii_digit() || c == '.');
    let layout = match name.to_str().filter(is_release) {
        Some(release) => NamedLayout::of_release(release)
            .map_err(|error| Error::Usage(format!("{error}; name one of them or a brisc.elf")))?,
        None => of_file(Path::new(name))?,
    };
    Ok(Arc::new(layout))
}

fn of_file(path: &Path) -> Result<NamedLayout, Error> {
    let remedy = "name a release, such as 0.62.2, or the brisc.elf that the process loaded";
    let mut elf = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_ELF_BYTES).read_to_end(&mut elf)).map_err(
        |error| Error::File(format!("cannot read {}: {error}; {remedy}", path.display())),
    )?;
    NamedLayout::of_firmware(&path.display().to_string(), elf)
        .map_err(|error| Error::File(format!("{error}; {remedy}")))
}
