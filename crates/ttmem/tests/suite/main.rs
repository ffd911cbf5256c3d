//! Every output of `ttmem`, drawn from made-up snapshots.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod csv;
mod detail;
mod hosts;
mod json;
mod list;
mod made;
mod table;
mod width;
