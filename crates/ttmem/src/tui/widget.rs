//! The building blocks of views.

pub(crate) mod bar;
pub(crate) mod canvas;
pub(crate) mod figure;
pub(crate) mod pane;
pub(crate) mod plot;
pub(crate) mod stack;
