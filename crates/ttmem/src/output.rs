//! Every way in which a snapshot is shown. All of it is pure: a snapshot and a [`page::Page`] in, text out.

pub mod amount;
pub mod bar;
pub mod line;
pub mod naming;
pub mod page;
pub mod sheet;
pub mod table;
pub mod text;
