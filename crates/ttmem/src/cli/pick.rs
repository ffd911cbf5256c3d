//! Arguments of `ttmem pick`.

use clap::Args;

use super::common::ChipArgs;

/// Options of `ttmem pick`.
#[derive(Debug, Args)]
#[command(after_help = PICK_HELP)]
pub(crate) struct PickArgs {
    /// Pick N devices.
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) number: u16,
    /// Pick free devices alone; else those with the least DRAM in use.
    #[arg(long)]
    pub(crate) free: bool,
    /// Wait until so many devices are free; implies --free.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The choice of chips.
    #[command(flatten)]
    pub(crate) chips: ChipArgs,
}

const PICK_HELP: &str = "\
Exits with 0 if the devices are picked, with 1 if too few are free, and with 4 if too few are known to be free because the \
use of others cannot be known.

  eval \"export $(ttmem pick -n 4 --free)\"    for this shell
  env $(ttmem pick --free --wait) python model.py";
