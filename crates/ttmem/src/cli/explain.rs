//! Arguments of `ttmem explain`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::common::FileArgs;

/// Options of `ttmem explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A log, a message, a memory report, or a folder of reports; standard input if it is - or missing.
    #[arg(value_name = "FILE|DIR|-")]
    input: Option<PathBuf>,
    /// A recording, an agent segment that `ttmem run --keep` left, or a process id: its buffers are named where they
    /// block others. Segments in /dev/shm are always read.
    #[arg(long = "from", value_name = "FILE|PID")]
    pub(crate) sources: Vec<PathBuf>,
    /// Print the explanations as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The destination.
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

impl ExplainArgs {
    /// Returns the file or folder to read, or `None` for standard input.
    #[must_use]
    pub(crate) fn input(&self) -> Option<&Path> {
        self.input.as_deref().filter(|path| path.as_os_str() != "-")
    }
}
