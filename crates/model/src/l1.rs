//! The L1 of worker cores, as address ranges with a kind.
//!
//! A core's L1 is a map, not a sum. Circular buffers may share addresses with each other and with tensors, so every
//! total here is the length of a union of ranges.
//!
//! - [`ByteRange`], [`RangeSet`]: the algebra.
//! - [`Core`]: what a core's launch messages say, decoded.
//! - [`L1Map`]: every byte of a core, with its kind.
//! - [`BankBuffers`]: the allocator's buffers, and the cores that hold them.
//! - [`Totals`]: the same for a chip.
//! - [`report`]: the JSON of `ttmem l1`.

pub mod report;

mod banks;
mod core;
mod count;
mod map;
mod names;
mod range;
mod totals;

pub use banks::{BankBuffers, bank_grid};
pub use core::{
    CircularBuffer, Coordinate, Core, CoreState, Dispatch, Grid, Kernel, Processor, Program,
    Recorded,
};
pub use count::Count;
pub use map::{Buffer, Buffers, Geometry, L1Map, L1Region, RegionKind};
pub use names::{KernelName, KernelNames};
pub use range::{ByteRange, RangeSet};
pub use totals::{StateTotals, Totals};
