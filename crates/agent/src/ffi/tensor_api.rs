//! Asks TT-Metal about tensors.

use std::ptr::with_exposed_provenance;
use std::slice;

use libc::c_void;
use ttmem_segment::Accessor;
use ttmem_segment::shape::MAX_DIMENSIONS;

use super::symbols::Symbol;
use super::tt_metal::call;
use crate::shapes::Seen;

static ADDRESS: Symbol = Symbol::new(c"_ZNK2tt8tt_metal10MeshTensor7addressEv");
static SHAPE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal10MeshTensor13logical_shapeEv");
static DATA_TYPE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal10MeshTensor5dtypeEv");
static LAYOUT: Symbol = Symbol::new(c"_ZNK2tt8tt_metal10MeshTensor6layoutEv");
static DIMENSIONS: Symbol = Symbol::new(c"_ZNK2tt8tt_metal9ShapeBase4viewEv");

/// Bit set of the functions that TT-Metal's library exports.
pub(super) fn resolved() -> u64 {
    let needed = [&ADDRESS, &DATA_TYPE, &LAYOUT, &DIMENSIONS];
    let is_there = |symbol: &Symbol| symbol.get().is_some();
    let pairs = [(Accessor::TensorShape, &SHAPE)];
    let exported = pairs.iter().filter(|(_, symbol)| is_there(symbol));
    let all_needed = needed.into_iter().all(is_there);
    exported.filter(|_| all_needed).map(|(accessor, _)| accessor.bit()).sum()
}

/// True if a `std::shared_ptr`, which is passed by its address, is not null.
pub(super) fn points_somewhere(pointer: u64) -> bool {
    let pointer: *const u64 = with_exposed_provenance(usize::try_from(pointer).unwrap_or(0));
    // SAFETY: an argument of the hooked call that is passed by its address; the pointer is its first word.
    !pointer.is_null() && unsafe { *pointer } != 0
}

/// Device address of a tensor's buffer.
pub(super) fn address(tensor: u64) -> Option<u64> {
    call!(ADDRESS, fn(u64) -> u64, tensor)
}

/// A `std::span<const uint32_t>`.
#[repr(C)]
struct Span {
    first: *const u32,
    count: usize,
}

/// Gives shape, data type and layout of a tensor to `use_it`; `None` where TT-Metal does not tell, or of more dimensions than
/// are kept.
#[inline]
pub(super) fn with_shape<T>(tensor: u64, use_it: impl FnOnce(Seen<'_>) -> T) -> Option<T> {
    let shape = call!(SHAPE, fn(u64) -> u64, tensor)?;
    let Span { first, count } = call!(DIMENSIONS, fn(u64) -> Span, shape)?;
    if first.is_null() || !first.is_aligned() || count > MAX_DIMENSIONS {
        return None;
    }
    // SAFETY: TT-Metal returned it as so many numbers of the tensor, which lives as long as the hooked call.
    let dimensions = unsafe { slice::from_raw_parts(first, count) };
    let number = |symbol: &Symbol| {
        let number = call!(symbol, fn(u64) -> u32, tensor)?;
        Some(number.to_le_bytes()[0])
    };
    let (data_type, layout) = (number(&DATA_TYPE)?, number(&LAYOUT)?);
    Some(use_it(Seen { dimensions, data_type, layout }))
}
