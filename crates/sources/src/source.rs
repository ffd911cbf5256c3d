//! The sources: each reads one kind of file and says what is in it, or why it could not be read.

pub mod agent;
pub(crate) mod bound;
pub(crate) mod inspector;
pub mod kmd;
pub mod l1;
pub mod locks;
pub(crate) mod namespaces;
pub mod process;
pub mod shared_memory;
pub mod upstream;

/// The first characters of a text that may be long or hostile, fit for one line.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 24;
    text.chars().take(SHOWN).flat_map(char::escape_default).collect()
}
