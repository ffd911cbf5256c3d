//! `ttmem` shows where the memory of Tenstorrent devices goes.
fn main() {}
