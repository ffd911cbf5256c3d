//! Reads the sources of `ttmem` and merges them into one [`ttmem_model::Snapshot`].
//!
//! The way of the data: a [`root::Root`] gives bytes, a source turns them into [`ttmem_model::facts`], and one pure
//! function merges facts into a snapshot.

pub mod clock;
pub mod root;
pub mod source;
