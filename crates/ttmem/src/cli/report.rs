//! Arguments of `ttmem report`.

use std::path::PathBuf;

use clap::Args;

/// Options of `ttmem report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A recording, the file of an agent segment such as /dev/shm/ttmem-4242-99, or a process id.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long, group = "form")]
    pub json: bool,
    /// Write a page with charts, for a browser.
    #[arg(long, group = "form")]
    pub html: bool,
    /// Write a trace for ui.perfetto.dev: memory as counters, ops as slices, failures as instants.
    #[arg(long, group = "form")]
    pub perfetto: bool,
    /// Write to FILE, or to standard output if it is -.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
