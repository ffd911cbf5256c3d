//! A buffer of a fake process.

use ttmem_segment::{AllocatorKind, BufferLayout, Origin};

/// A buffer that a fake process allocates.
#[derive(Clone, Copy, Debug)]
pub struct NewBuffer<'a> {
    /// Kind.
    pub(crate) kind: AllocatorKind,
    /// Bytes in every bank.
    pub(crate) bytes_per_bank: u64,
    /// Requested bytes; 0 for the bytes of all banks.
    pub(crate) requested: u64,
    /// The origin.
    pub(crate) origin: Origin,
    /// The layout.
    pub(crate) layout: BufferLayout,
    /// The current op; empty for none.
    pub(crate) op: &'a str,
}

impl<'a> NewBuffer<'a> {
    /// Creates an interleaved tensor of an op.
    #[must_use]
    pub fn new(kind: AllocatorKind, bytes_per_bank: u64, op: &'a str) -> Self {
        let layout = BufferLayout::Interleaved;
        Self { kind, bytes_per_bank, requested: 0, origin: Origin::Plain, layout, op }
    }

    /// Sets the origin.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Sets the layout.
    #[must_use]
    pub fn layout(self, layout: BufferLayout) -> Self {
        Self { layout, ..self }
    }

    /// Sets the requested bytes.
    #[must_use]
    pub fn requested(self, requested: u64) -> Self {
        Self { requested, ..self }
    }
}
