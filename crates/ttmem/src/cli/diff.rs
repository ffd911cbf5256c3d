//! Arguments of `ttmem diff`.

use std::path::PathBuf;

use clap::Args;

use crate::units::GrowthLimits;

/// Options of `ttmem diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The baseline: a snapshot of ttmem --json, or a recording.
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,
    /// The new snapshot or recording.
    #[arg(value_name = "B")]
    pub(crate) after: PathBuf,
    /// Exit with status 1 if the peak of a kind on a chip, in a process or of an op grew by more, such as
    /// dram=100MiB,l1=64KiB. Ops are compared if both sides have agent data.
    #[arg(long, value_name = "KIND=SIZE,...")]
    pub(crate) limit: Option<GrowthLimits>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
