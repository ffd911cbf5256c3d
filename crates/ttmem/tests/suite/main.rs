//! The program itself: arguments, outputs, exit codes, and the pages that document them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what a test passes over is said")]

mod agent_library;
mod buffers;
mod capture;
mod cli;
mod doctor;
mod documented;
mod explain;
mod l1;
mod l1_agent;
mod mcp;
mod pick;
mod record;
mod repeat;
mod run;
mod run_ends;
mod who;
mod why;
