//! Decoding of L1: captures of real cores, cores made by the table of layouts, and damaged ones.

mod decoding;
mod dwarf;
mod fixtures;
mod hostile;
mod layouts;
mod lines;
mod support;
