//! Every view, drawn from made-up hosts and recordings.

mod replay;
pub(super) mod screen;
mod views;
