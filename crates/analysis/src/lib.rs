//! Analyses of what was recorded: the memory of a run ([`run_report`]), the meaning of an error message ([`explain`]), and
//! the course of a recording ([`series`]). Pure: no I/O, no clock.

pub mod explain;
pub mod replay;
pub mod run_report;
pub mod series;
