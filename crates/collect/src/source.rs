//! The sources: each reads one kind of file and says what stands in it, or why it could not be read.

pub mod agent;
pub mod inspector;
pub mod kmd;
pub mod l1;
pub mod process;
pub mod shared_memory;
pub mod upstream;

use ttmem_model::facts::Field;
use ttmem_model::reading::Missing;

use crate::root::Root;

/// Reads a file that holds one number of `parse`'s kind.
fn read_number<T>(
    root: &Root,
    path: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Field<T>, crate::root::RootError> {
    let text = root.read_text(path)?;
    Ok(parse(&text).ok_or_else(|| {
        let name = path.rsplit('/').next().unwrap_or(path);
        Missing::failed(format!("{name}: `{}` is not a number it can hold", shorten(&text)))
    }))
}

/// The first characters of a text that may be long or hostile, fit for one line.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 24;
    text.chars().take(SHOWN).flat_map(char::escape_default).collect()
}
