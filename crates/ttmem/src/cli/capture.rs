//! Arguments of `ttmem capture`.

use std::path::PathBuf;

use clap::Args;

/// Options of `ttmem capture`.
#[derive(Debug, Args)]
#[command(after_help = CAPTURE_HELP)]
pub(crate) struct CaptureArgs {
    /// The directory to create. It must not exist, or be empty.
    pub(crate) directory: PathBuf,
    /// Keep the command lines of processes.
    #[arg(long)]
    pub(crate) command_lines: bool,
}

const CAPTURE_HELP: &str = "\
Saves the files of the host that ttmem reads, for a bug report; ttmem --root DIR shows them elsewhere. Of environments \
only TT_METAL_SHM_TRACKING_DISABLED and the job and user of Slurm are kept, of /etc/passwd only names and numbers. No \
device is opened: ttmem l1 --save saves L1.";
