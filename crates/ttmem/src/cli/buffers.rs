//! Arguments of `ttmem buffers`.

use clap::{Args, ValueEnum};

use super::common::{ChipArgs, CommonArgs, FileArgs, FormatWord, Target, csv};
use crate::output::buffers::{Listing, SortKey};
use crate::output::csv::Csv;

/// Options of `ttmem buffers`.
#[derive(Debug, Args)]
pub(crate) struct BuffersArgs {
    /// Show only these processes.
    #[arg(short, long, value_name = "PID,...", value_delimiter = ',', value_parser = pid)]
    pub(crate) pid: Vec<i32>,
    /// The choice of chips.
    #[command(flatten)]
    pub(crate) chips: ChipArgs,
    /// Sort by size, age, op or address.
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub(crate) sort: SortKey,
    /// Add up the buffers of each op, most bytes first.
    #[arg(long, value_name = "KEY", value_enum, conflicts_with_all = ["sort", "lines", "json"])]
    pub(crate) by: Option<GroupKey>,
    /// List what the programs resident in L1 have there: circular buffers, scratchpads, kernels.
    #[arg(long, conflicts_with_all = ["sort", "lines", "by"])]
    pub(crate) program: bool,
    /// Show only the first N buffers.
    #[arg(short = 'n', long, value_name = "N", value_parser = lines)]
    pub(crate) lines: Option<usize>,
    /// Print JSON.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Print comma-separated values, such as csv,noheader,nounits.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<FormatWord>,
    /// The destination.
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// A key that buffers are added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupKey {
    /// The op that allocated them.
    Op,
}

/// A request for buffers, checked.
#[derive(Debug)]
pub(crate) struct BuffersRequest {
    /// The processes; empty for all.
    pub(crate) pids: Vec<i32>,
    /// The selectors of chips; empty for all.
    pub(crate) selectors: Vec<String>,
    /// The order.
    pub(crate) sort: SortKey,
    /// The most buffers to show.
    pub(crate) lines: Option<usize>,
    /// Single buffers or sums.
    pub(crate) listing: Listing,
    /// The form of the output.
    pub(crate) form: BuffersForm,
    /// The destination.
    pub(crate) target: Target,
}

/// The form of a list of buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuffersForm {
    /// A table.
    Table,
    /// The list as JSON.
    Json,
    /// One record per buffer.
    Csv(Csv),
}

impl BuffersArgs {
    /// Resolves the options.
    #[must_use]
    pub(crate) fn resolve(self, common: &CommonArgs) -> BuffersRequest {
        BuffersRequest {
            target: self.file.target(),
            pids: self.pid,
            selectors: self.chips.id,
            sort: self.sort,
            lines: self.lines,
            listing: match self.by {
                Some(GroupKey::Op) => Listing::ByOp,
                None if self.program => Listing::Programs,
                None => Listing::Single,
            },
            form: match self.format.as_slice() {
                _ if self.json => BuffersForm::Json,
                [] if self.file.ends_in("json") => BuffersForm::Json,
                [] if self.file.ends_in("csv") => BuffersForm::Csv(csv(&[], common.charset())),
                [] => BuffersForm::Table,
                words => BuffersForm::Csv(csv(words, common.charset())),
            },
        }
    }
}

fn lines(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_error| "write a number, such as 20")
}

fn pid(text: &str) -> Result<i32, &'static str> {
    text.parse().ok().filter(|pid| *pid > 0).ok_or("write a process id")
}
