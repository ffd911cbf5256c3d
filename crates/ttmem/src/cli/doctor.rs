//! Arguments of `ttmem doctor`.

use clap::Args;

/// Options of `ttmem doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub(crate) struct DoctorArgs {
    /// Print JSON.
    #[arg(long, conflicts_with = "clean")]
    pub(crate) json: bool,
    /// Remove the agent segments of processes that have ended, after asking.
    #[arg(long)]
    pub(crate) clean: bool,
    /// Do not ask.
    #[arg(long, requires = "clean")]
    pub(crate) yes: bool,
}

const DOCTOR_HELP: &str = "\
Exits with 0 if every check passes, and with 1 if a check warns or fails. --clean never touches TT-Metal's own memory \
regions or lock files.";
