//! The sources: each reads one kind of file and says what is in it, or why it could not be read.

pub mod agent;
pub mod inspector;
pub mod kmd;
pub mod l1;
pub mod process;
pub mod shared_memory;
pub mod upstream;

use ttmem_model::facts::Field;
use ttmem_model::reading::Missing;

use ttmem_root::{Folder, RootError};

/// Reads a file that holds one number of `parse`'s kind.
fn read_number<T>(
    folder: &Folder<'_>,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Field<T>, RootError> {
    let text = folder.read_text(name)?;
    Ok(parse(&text).ok_or_else(|| {
        let name = base(name);
        Missing::failed(format!("{name}: `{}` is not a number it can hold", shorten(&text)))
    }))
}

/// The last component of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The first characters of a text that may be long or hostile, fit for one line.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 24;
    text.chars().take(SHOWN).flat_map(char::escape_default).collect()
}
