//! Every output of `ttmem`, drawn from made-up snapshots, and the binary itself.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod csv;
mod detail;
mod exit;
mod explain;
mod fields;
mod hosts;
mod json;
mod l1;
mod list;
mod made;
mod select;
mod table;
mod width;
