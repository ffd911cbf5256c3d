//! The parts that views are made of.

pub mod bar;
pub mod canvas;
pub mod figure;
pub mod plot;
pub mod stack;
