//! Every output of `ttmem`, drawn from made-up snapshots, and the binary itself.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what a test passes over is said")]

mod agent_library;
mod buffers;
mod capture;
mod cli;
mod csv;
mod detail;
mod doctor;
mod documented;
mod exit;
mod explain;
mod fields;
mod hosts;
mod json;
mod l1;
mod list;
mod made;
mod mcp;
mod metrics;
mod record;
mod run;
mod select;
mod table;
mod who;
mod why;
mod width;
