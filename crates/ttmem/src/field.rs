//! The one table of fields: what can be asked of a chip and of a process, by name, for every output that names
//! fields. Names are dotted paths of the snapshot's JSON and as stable as that.

pub mod cell;
pub mod device;
pub mod figure;
pub mod process;
pub mod query;

use std::borrow::Cow;

/// A field: a name, a unit, one line of help, and how it is read. `R` says of what.
#[derive(Clone, Debug)]
pub struct Field<R> {
    /// The dotted name.
    pub name: Cow<'static, str>,
    /// The unit behind the number; empty for texts and counts.
    pub unit: &'static str,
    /// The description, in one line.
    pub help: Cow<'static, str>,
    /// Reads the value.
    pub read: R,
}

impl<R> Field<R> {
    /// A text or a count.
    const fn plain(name: &'static str, help: &'static str, read: R) -> Self {
        Self::with_unit(name, "", help, read)
    }

    /// A number of bytes.
    const fn bytes(name: &'static str, help: &'static str, read: R) -> Self {
        Self::with_unit(name, "B", help, read)
    }

    const fn with_unit(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        read: R,
    ) -> Self {
        Self { name: Cow::Borrowed(name), unit, help: Cow::Borrowed(help), read }
    }
}
