//! Reads the sources of `ttmem`, and merges them into one [`ttmem_model::Snapshot`].
//!
//! A [`Root`](ttmem_root::Root) opens files, a [`source`] turns their bytes into [`ttmem_model::facts`], and [`ttmem_merge::merge`] turns facts into a
//! snapshot. [`Collector`] runs these steps. A [`port`] reads the L1 of worker cores; [`l1`] decodes it.

pub mod collector;
pub mod demo;
pub mod l1;
pub mod port;
pub mod source;

pub use collector::{Collector, L1Look};
pub use source::l1::{L1Request, NamedLayout};
