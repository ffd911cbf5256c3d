//! The words by which outputs name what an agent numbers. They are part of the JSON formats.

use ttmem_segment::{AllocatorRole, BufferLayout, NameSource, Origin};

/// Returns the name of an allocator's role.
#[must_use]
pub fn role_name(role: AllocatorRole) -> &'static str {
    match role {
        AllocatorRole::Mesh => "mesh",
        AllocatorRole::Device => "device",
        AllocatorRole::SubDevice => "sub-device",
        AllocatorRole::Unknown => "unknown",
    }
}

/// The layout of a buffer over banks.
#[must_use]
pub(crate) fn layout_name(layout: BufferLayout) -> &'static str {
    match layout {
        BufferLayout::Interleaved => "interleaved",
        BufferLayout::SingleBank => "single-bank",
        BufferLayout::HeightSharded => "height-sharded",
        BufferLayout::WidthSharded => "width-sharded",
        BufferLayout::BlockSharded => "block-sharded",
        BufferLayout::NdSharded => "nd-sharded",
        BufferLayout::Unknown => "unknown",
    }
}

/// The origin of the buffer.
#[must_use]
pub fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Plain => "tensor",
        Origin::Kernels => "kernels",
        Origin::Trace => "trace",
    }
}

/// Returns the quality of an op's name.
#[must_use]
pub(crate) fn op_quality(source: NameSource) -> &'static str {
    match source {
        NameSource::Context | NameSource::Label => "exact",
        NameSource::CallSite => "inferred",
    }
}
