//! Arguments of `ttmem doctor`.

use clap::Args;

/// Options of `ttmem doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub(crate) struct DoctorArgs {
    /// Print JSON.
    #[arg(long, conflicts_with = "clean")]
    pub(crate) json: bool,
    /// Remove the segments and memory regions that ended processes left, after asking.
    #[arg(long)]
    pub(crate) clean: bool,
    /// Do not ask.
    #[arg(long, requires = "clean")]
    pub(crate) yes: bool,
}

const DOCTOR_HELP: &str = "\
Exits with 0 if every check passes, and with 1 if a check warns or fails. --clean never touches a lock file, nor \
the memory region of a chip that is known, or of a process that runs.";
