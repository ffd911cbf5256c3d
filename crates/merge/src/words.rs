//! The words by which outputs name what an agent numbers. They are part of the JSON formats.

use ttmem_model::buffers::Tensor;
use ttmem_model::stack::{StackFrame, caller};
use ttmem_segment::{Allocator, AllocatorRole, BufferLayout, NameSource, Origin, Shape, Stack};

/// Returns the name of an allocator in a sentence: `mesh allocator 1 (2 chips)`.
#[must_use]
pub fn allocator_in_words(allocator: &Allocator) -> String {
    let role = match allocator.role {
        AllocatorRole::Unknown => "unnamed",
        role => role.as_str(),
    };
    let chips = match allocator.chips.len() {
        1 => "1 chip".to_owned(),
        more => format!("{more} chips"),
    };
    format!("{role} allocator {} ({chips})", allocator.serial)
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

/// Returns the tensor of a shape.
#[must_use]
pub fn tensor(shape: Option<&Shape>) -> Option<Tensor> {
    shape.map(|shape| Tensor {
        shape: shape.dimensions.clone(),
        data_type: shape.data_type_name().map(str::to_owned),
        layout: shape.layout_name().map(str::to_owned),
    })
}

/// Returns the calls of a stack, the innermost first.
#[must_use]
pub fn frames(stack: Option<&Stack>) -> Vec<StackFrame> {
    let frames = stack.map(|stack| stack.frames.as_slice()).unwrap_or_default();
    let frame = |frame: &ttmem_segment::Frame| StackFrame {
        function: frame.function.to_string(),
        file: frame.file.to_string(),
        line: frame.line,
    };
    frames.iter().map(frame).collect()
}

/// Returns `, [1, 1, 32, 32] bfloat16 tile`: the tensor of a shape. Empty if it is not known.
#[must_use]
pub fn with_tensor(shape: Option<&Shape>) -> String {
    tensor(shape).map(|tensor| format!(", {tensor}")).unwrap_or_default()
}

/// Returns ` at model.py:42 in forward`: the call of the user's own code in a stack. Empty if it is not known.
#[must_use]
pub fn at_caller(stack: Option<&Stack>) -> String {
    caller(&frames(stack)).map(|frame| format!(" at {frame}")).unwrap_or_default()
}
