//! Every view, drawn from made-up hosts and recordings.

mod cores;
mod narrow;
mod replay;
mod sampled;
pub(super) mod screen;
mod views;
