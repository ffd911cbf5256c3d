//! The building blocks of views.

pub mod bar;
pub mod canvas;
pub mod figure;
pub mod plot;
pub mod stack;
