//! Every way in which a snapshot is shown. All of it is pure: a snapshot and a [`page::Page`] in, text out.

pub(crate) mod amount;
pub(crate) mod bar;
pub(crate) mod buffers;
pub(crate) mod csv;
pub(crate) mod detail;
pub(crate) mod doctor;
pub(crate) mod flow;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod l1;
pub(crate) mod line;
pub(crate) mod list;
pub(crate) mod naming;
pub(crate) mod openmetrics;
pub(crate) mod otlp;
pub(crate) mod page;
pub(crate) mod perfetto;
pub(crate) mod run_report;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod tail;
pub(crate) mod text;
pub(crate) mod visualizer;
pub(crate) mod why;
