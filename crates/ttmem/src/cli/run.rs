//! Arguments of `ttmem run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::units::Limit;

/// Options of `ttmem run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// Print a report at the end on standard error, or write it to FILE: peaks, what was never freed, failed allocations
    /// and the largest buffers (as JSON if FILE ends in .json, as a page with charts if it ends in .html; %r in its name is the rank in a job).
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub(crate) report: Option<Option<PathBuf>>,
    /// Write the report to FILE; short for --report=FILE.
    #[arg(
        short,
        long,
        visible_short_alias = 'f',
        visible_alias = "filename",
        value_name = "FILE",
        conflicts_with = "report"
    )]
    pub(crate) output: Option<PathBuf>,
    /// Exit with status 1 if a process held more than this of a kind on a chip, such as dram=10GiB,l1=1MiB/bank.
    #[arg(long, value_name = "KIND=SIZE,...", value_delimiter = ',')]
    pub(crate) limit: Vec<Limit>,
    /// Keep the segments, for ttmem report and ttmem buffers.
    #[arg(long)]
    pub(crate) keep: bool,
    /// The command and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "CMD"
    )]
    pub(crate) command: Vec<OsString>,
}

const RUN_HELP: &str = "\
The command keeps its standard streams and receives the signals sent to ttmem. ttmem exits with the status of the command: \
128 plus the number of a signal, 126 if the command cannot be executed, 127 if it is not found. ttmem itself exits with 1 \
if a limit was exceeded, and with 3 if the agent library is missing. The library is searched in $TTMEM_AGENT, next to \
ttmem, and from there in ../lib/ttmem and ../lib.";

/// The destination of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReportTarget {
    /// Standard error, since standard output belongs to the command.
    StandardError,
    /// A file.
    File(PathBuf),
}

impl RunArgs {
    /// Returns the destination of the report, or `None` if no report is asked for.
    #[must_use]
    pub(crate) fn report_target(&self) -> Option<ReportTarget> {
        let report = self.report.clone().or_else(|| self.output.clone().map(Some));
        report.as_ref().map(|file| match file {
            Some(path) if path.as_os_str() != "-" => ReportTarget::File(path.clone()),
            _ => ReportTarget::StandardError,
        })
    }
}
