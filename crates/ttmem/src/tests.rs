//! Every output, drawn from made-up snapshots.

mod buffers;
mod csv;
mod detail;
mod exit;
mod fields;
mod hosts;
mod json;
mod list;
mod made;
mod metrics;
mod select;
mod table;
mod why;
mod width;
