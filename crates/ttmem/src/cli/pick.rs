//! Arguments of `ttmem pick`.

use clap::Args;

use super::common::ChipArgs;

/// Options of `ttmem pick`.
#[derive(Debug, Args)]
#[command(after_help = PICK_HELP)]
pub(crate) struct PickArgs {
    /// Pick N devices [default: 1].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) number: Option<u16>,
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

impl PickArgs {
    /// Returns the number of devices to pick.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        usize::from(self.number.unwrap_or(1))
    }

    /// True if no option says which devices, or how they are printed.
    #[must_use]
    pub(crate) fn is_bare(&self) -> bool {
        self.number.is_none() && !self.free && !self.wait && !self.json && self.chips.id.is_empty()
    }
}

const PICK_HELP: &str = "\
On a terminal and without options it lists the devices to choose from: Space picks, Enter prints. The list is drawn on \
standard error.

Exits with 0 if the devices are picked, with 1 if too few are free, with 4 if too few are known to be free because the use \
of others cannot be known, with 6 if there is no device, and with 130 if nothing is chosen from the list.

  eval \"export $(ttmem pick -n 4 --free)\"    for this shell
  eval \"export $(ttmem pick)\"                chosen from the list
  env $(ttmem pick --free --wait) python model.py";
