//! Arguments of `ttmem replay`.

use std::path::PathBuf;

use clap::Args;

/// Options of `ttmem replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Show this moment: a date and time, +90s from the start, -90s from the end, start or end.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,
    /// Print a summary, also on a terminal.
    #[arg(long, conflicts_with_all = ["at", "events"])]
    pub(crate) summary: bool,
    /// List the events.
    #[arg(long, conflicts_with = "at")]
    pub(crate) events: bool,
    /// Print JSON: the snapshot as it was, or one event per line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ReplayArgs {
    /// Returns true if the options ask for text, even on a terminal.
    #[must_use]
    pub(crate) fn asks_for_text(&self) -> bool {
        self.at.is_some() || self.events || self.json || self.summary
    }
}
