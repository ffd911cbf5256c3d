//! Arguments of `ttmem record`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::common::SamplingArgs;
use crate::units::{Size, Span};

/// Options of `ttmem record`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecordArgs {
    /// The file to write, which must not exist yet; %r in its name is the rank of this process in its job [default:
    /// ttmem-TIME.ttmem].
    #[arg(short, long, visible_short_alias = 'f', visible_alias = "filename", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The interval.
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Stop after TIME, such as 90s, 1h or 7d.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<Span>,
    /// Stop before the file exceeds SIZE; with --ring, limit the memory to SIZE.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Size>,
    /// Keep the last TIME in memory and write it to FILE-MOMENT when a process with device memory dies, or on SIGUSR1.
    #[arg(long, value_name = "TIME")]
    pub(crate) ring: Option<Span>,
    /// Also read the L1 of real chips; the moment with most of it in use is kept core by core.
    #[arg(long)]
    pub(crate) l1: bool,
    /// Run this command with the agent and record until it ends; streams, signals and exit status pass through.
    #[arg(last = true, value_name = "CMD", conflicts_with = "duration")]
    pub(crate) command: Vec<OsString>,
}
