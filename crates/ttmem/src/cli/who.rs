//! Arguments of `ttmem who`.

use clap::Args;

use super::common::ChipArgs;

/// Options of `ttmem who`.
#[derive(Debug, Args)]
#[command(after_help = WHO_HELP)]
pub(crate) struct WhoArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Wait until the chips are free.
    #[arg(long)]
    pub(crate) wait: bool,
    /// The choice of chips.
    #[command(flatten)]
    pub(crate) chips: ChipArgs,
}

const WHO_HELP: &str = "\
Exits with 0 if every chip is free, with 1 if one is in use, and with 4 if the use of one cannot be known, such as without \
permission to see the processes of other users.";
