//! Reads the sources of `ttmem` and merges them into one [`ttmem_model::Snapshot`].
//!
//! The way of the data: a [`Root`] gives bytes, a [`source`] turns them into [`ttmem_model::facts`], and one pure

pub mod clock;
pub mod demo;
pub mod fake;
pub mod root;
pub mod source;

pub use clock::Clock;
pub use root::Root;
