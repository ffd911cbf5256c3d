//! Every view, drawn from made-up hosts and recordings.

mod replay;
mod screen;
mod views;
