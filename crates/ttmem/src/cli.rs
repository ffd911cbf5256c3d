//! The command line as people type it. Help, completions and the man page come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::CODES;
use crate::interval::Interval;

/// Shows where the memory of Tenstorrent devices goes.
///
/// Without a command: a table of the chips, of their memory by kind, and of the processes that hold it. Nothing is
/// written and no device is opened.
#[derive(Debug, Parser)]
#[command(name = "ttmem", version, after_help = CODES, max_term_width = 91)]
pub struct Cli {
    /// What is shown of a snapshot.
    #[command(flatten)]
    pub snapshot: SnapshotArgs,
    /// What every command understands.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Another command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Read a captured or made-up host from a directory.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Common options")]
    pub root: Option<PathBuf>,
    /// Show an embedded example host, marked DEMO.
    #[arg(long, global = true, conflicts_with = "root", help_heading = "Common options")]
    pub demo: bool,
    /// Colour what matters.
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        global = true,
        help_heading = "Common options"
    )]
    pub color: ColorWhen,
    /// Print nothing but ASCII.
    #[arg(long, global = true, help_heading = "Common options")]
    pub ascii: bool,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR says otherwise.
    #[default]
    Auto,
    /// Into pipes and files too.
    Always,
    /// Nowhere.
    Never,
}

/// Options of plain `ttmem`.
#[derive(Debug, Default, PartialEq, Args)]
pub struct SnapshotArgs {
    /// Show every reading with its source and quality, and every blank with its reason.
    #[arg(short, long, group = "output")]
    pub query: bool,
    /// List the chips, one a line.
    #[arg(short = 'L', long, group = "output")]
    pub list: bool,
    /// Print the snapshot as JSON; with -l one line a sample.
    #[arg(long, group = "output")]
    pub json: bool,
    /// Print these fields of each chip as CSV; `all` for all.
    #[arg(long, visible_alias = "query-gpu", value_name = "FIELDS", group = "output")]
    pub query_device: Option<String>,
    /// Print these fields of each process as CSV; `all` for all.
    #[arg(long, visible_alias = "query-compute-apps", value_name = "FIELDS", group = "output")]
    pub query_processes: Option<String>,
    /// List the fields of --query-device.
    #[arg(long, visible_alias = "help-query-gpu", group = "output")]
    pub help_query_device: bool,
    /// List the fields of --query-processes.
    #[arg(long, visible_alias = "help-query-compute-apps", group = "output")]
    pub help_query_processes: bool,
    /// How --query-device and --query-processes print, such as csv,noheader,nounits.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub format: Vec<FormatWord>,
    /// Only these chips: index, PCIe address, /dev/tenstorrent/N, ASIC id or board serial.
    #[arg(short, long, value_name = "CHIP,...", value_delimiter = ',')]
    pub id: Vec<String>,
    /// Repeat every SEC seconds, 5 if not said; 250ms, 2s and 1m are understood.
    #[arg(
        short = 'l',
        long = "loop",
        value_name = "SEC",
        num_args = 0..=1,
        default_missing_value = "5"
    )]
    pub interval: Option<Interval>,
    /// Stop after this many samples; implies -l.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Write to a file, - for standard output; with -l append to it.
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
}

/// A word of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatWord {
    /// Comma-separated values.
    Csv,
    /// Without the line that names the fields.
    Noheader,
    /// Without units behind numbers.
    Nounits,
}

/// Other commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a script that completes ttmem's arguments in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}
