//! `ttmem` shows where the memory of Tenstorrent devices goes.

use std::process::ExitCode;

fn main() -> ExitCode {
    ttmem::run(std::env::args_os())
}
