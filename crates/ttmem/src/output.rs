//! Every way in which a snapshot is shown. All of it is pure: a snapshot and a [`page::Page`] in, text out.

pub mod amount;
pub mod bar;
pub mod buffers;
pub mod csv;
pub mod detail;
pub mod doctor;
pub mod flow;
pub mod html;
pub mod json;
pub mod l1;
pub mod line;
pub mod list;
pub mod naming;
pub mod openmetrics;
pub mod otlp;
pub mod page;
pub mod perfetto;
pub mod run_report;
pub mod sheet;
pub mod table;
pub mod text;
pub mod visualizer;
pub mod why;
