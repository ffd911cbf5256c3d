//! The command line as people type it. Help, completions and the man page come from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cmd::quantity::Size;
use crate::cmd::top::{ConfigArgs, TopArgs};
use crate::exit::CODES;
use crate::interval::Interval;
use crate::limit::Limit;
use crate::output::buffers::SortKey;

/// Shows where the memory of Tenstorrent devices goes.
///
/// Without a command: a table of the chips, of their memory by kind, and of the processes that hold it. Nothing is
/// written, and without --l1 no device is opened.
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
#[derive(Clone, Debug, Args)]
pub struct CommonArgs {
    /// Read a captured or made-up host from a directory.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Common options")]
    pub root: Option<PathBuf>,
    /// Show an embedded example host, marked DEMO.
    #[arg(long, global = true, conflicts_with = "root", help_heading = "Common options")]
    pub demo: bool,
    /// Show the chips of a capture of L1, and nothing else.
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        conflicts_with_all = ["root", "demo"],
        help_heading = "Common options"
    )]
    pub capture: Option<PathBuf>,
    /// Read the simulated chip behind this socket of UMD, besides those that are found.
    #[arg(
        long,
        value_name = "SOCKET",
        global = true,
        conflicts_with_all = ["demo", "capture"],
        help_heading = "Common options"
    )]
    pub simulator: Option<PathBuf>,
    /// Take snapshots from the ttmem server at this socket, and from nothing else.
    #[arg(
        long,
        value_name = "SOCKET",
        global = true,
        conflicts_with_all = ["root", "demo", "capture", "simulator", "no_server"],
        help_heading = "Common options"
    )]
    pub server: Option<PathBuf>,
    /// Collect here even where a server runs.
    #[arg(long, global = true, help_heading = "Common options")]
    pub no_server: bool,
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

impl CommonArgs {
    /// Whether it is this machine that is looked at, and neither another host nor a capture.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        !self.demo && self.root.is_none() && self.capture.is_none()
    }
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
    /// Read the L1 of real chips too, for circular buffers and kernels; see ttmem l1.
    #[arg(long)]
    pub l1: bool,
    /// Only these chips: index, PCIe address, /dev/tenstorrent/N, ASIC id or board serial.
    #[arg(short, long, value_name = "CHIP,...", value_delimiter = ',')]
    pub id: Vec<String>,
    /// Repeat every SEC seconds, 5 if not said; 250ms, 2s and 1m are understood.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        num_args = 0..=1,
        default_missing_value = "5"
    )]
    pub interval: Option<Interval>,
    /// The same as `ttmem top`: watch live.
    #[arg(short, long, group = "output")]
    pub watch: bool,
    /// Stop after this many samples; implies -l.
    #[arg(short, long, value_name = "N", value_parser = count)]
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
    /// Watch chips and processes live.
    Top(TopArgs),
    /// Show what lies in the L1 of each worker core: circular buffers, kernels, and whose they are.
    ///
    /// Reads simulated chips and captures, and with the driver the chips that a TT-Metal process has open. Of a real
    /// chip about 1 KiB a core is read over PCIe; nothing is written.
    L1(L1Args),
    /// List the live buffers of processes that run with the agent.
    Buffers(BuffersArgs),
    /// Explain TT-Metal's out-of-memory and clash messages, and its memory reports.
    ///
    /// Reads a log, a pasted message, or a folder of reports, and says what each message means, how many bytes are
    /// missing and what to change.
    Explain(ExplainArgs),
    /// Run a command with the agent, which counts exactly.
    Run(RunArgs),
    /// Show what was done with memory, from a recording or from the segments that agents left.
    Report(ReportArgs),
    /// Record snapshots over time.
    Record(crate::cmd::record::RecordArgs),
    /// Look into a recording.
    Replay(crate::cmd::replay::ReplayArgs),
    /// Compare two snapshots or recordings.
    Diff(crate::cmd::diff::DiffArgs),
    /// Collect for everybody on this machine, and for Prometheus.
    Serve(crate::cmd::serve::ServeArgs),
    /// Check what ttmem needs on this machine, and what was left lying about.
    Doctor(DoctorArgs),
    /// Say where the choices of `ttmem top` are kept, and whether they can be read.
    Config(ConfigArgs),
    /// Print a script that completes ttmem's arguments in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page of ttmem, or of one of its commands.
    Man {
        /// A command such as top.
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

/// Options of `ttmem l1`.
#[derive(Debug, Args)]
pub struct L1Args {
    /// Draw the address space of one core, by its place in the grid.
    #[arg(long, value_name = "X,Y", value_parser = core_place, group = "output")]
    pub core: Option<[u8; 2]>,
    /// List the cores, one a line.
    #[arg(long, group = "output")]
    pub cores: bool,
    /// Print the map of every core as JSON; with -l one line a sample.
    #[arg(long, group = "output")]
    pub json: bool,
    /// Save what was read as a capture in this directory.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["core", "cores", "json", "sort", "interval", "count", "filename"])]
    pub save: Option<PathBuf>,
    /// What programs, or with --cores the cores, are sorted by.
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub sort: L1Sort,
    /// Only these chips: index, PCIe address, /dev/tenstorrent/N, ASIC id or board serial.
    #[arg(short, long, value_name = "CHIP,...", value_delimiter = ',')]
    pub id: Vec<String>,
    /// Repeat every SEC seconds, 5 if not said; 250ms, 2s and 1m are understood.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        num_args = 0..=1,
        default_missing_value = "5"
    )]
    pub interval: Option<Interval>,
    /// Stop after this many samples; implies -l.
    #[arg(short, long, value_name = "N", value_parser = count)]
    pub count: Option<u64>,
    /// Write to a file, - for standard output; with -l append to it.
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
    /// Give up a sample of a chip that reads more than this, such as 512KiB.
    #[arg(long, value_name = "SIZE", value_parser = budget)]
    pub budget: Option<u64>,
}

/// What the lines of `ttmem l1` are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum L1Sort {
    /// The program's number, or the core's place.
    #[default]
    Number,
    /// How many cores a program has; of cores, the state.
    Cores,
    /// Bytes of circular buffers, most first.
    Cbs,
    /// Bytes of kernel text, most first.
    Text,
}

/// Options of `ttmem explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A log, a message, a memory report, or a folder of reports; standard input if it is - or missing.
    #[arg(value_name = "FILE|DIR|-")]
    pub input: Option<PathBuf>,
    /// Print what was found as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write to a file, - for standard output.
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
}

fn core_place(text: &str) -> Result<[u8; 2], String> {
    let place = text.split_once(',').and_then(|(x, y)| {
        let number = |text: &str| text.trim().parse().ok();
        Some([number(x)?, number(y)?])
    });
    place.ok_or_else(|| "write column and row, such as 3,4".to_owned())
}

fn budget(text: &str) -> Result<u64, &'static str> {
    match text.parse()? {
        Size(0) => Err("a sample reads more than nothing"),
        Size(bytes) => Ok(bytes),
    }
}

fn count(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("write how many, from 1 up")
}

fn lines(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_error| "write how many, such as 20")
}

fn pid(text: &str) -> Result<i32, &'static str> {
    text.parse().ok().filter(|pid| *pid > 0).ok_or("write the number of a process")
}

/// Options of `ttmem buffers`.
#[derive(Debug, Args)]
pub struct BuffersArgs {
    /// Only these processes.
    #[arg(short, long, value_name = "PID,...", value_delimiter = ',', value_parser = pid)]
    pub pid: Vec<i32>,
    /// Only these chips: index, PCIe address, /dev/tenstorrent/N, ASIC id or board serial.
    #[arg(short, long, value_name = "CHIP,...", value_delimiter = ',')]
    pub id: Vec<String>,
    /// What comes first: the largest, the oldest, the ops by name, or the lowest address.
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub sort: SortKey,
    /// Add buffers up, the most bytes first.
    #[arg(long, value_name = "KEY", value_enum, conflicts_with_all = ["sort", "lines", "json"])]
    pub by: Option<GroupKey>,
    /// Only so many buffers, the first ones.
    #[arg(short = 'n', long, value_name = "N", value_parser = lines)]
    pub lines: Option<usize>,
    /// Print JSON.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Print comma-separated values, such as csv,noheader,nounits.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub format: Vec<FormatWord>,
}

/// What buffers are added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupKey {
    /// The op that allocated them.
    Op,
}

/// Options of `ttmem run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub struct RunArgs {
    /// At the end print peaks, what was still held, refused allocations and the largest buffers on standard error, or
    /// write them to FILE (as JSON if its name ends in .json, as a page with pictures if in .html).
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub report: Option<Option<PathBuf>>,
    /// End with 1 if a process held more than this of a kind on a chip, such as dram=10GiB,l1=1MiB/bank.
    #[arg(long, value_name = "KIND=SIZE,...", value_delimiter = ',')]
    pub limit: Vec<Limit>,
    /// Keep the segments, for ttmem report and ttmem buffers.
    #[arg(long)]
    pub keep: bool,
    /// The command and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "CMD"
    )]
    pub command: Vec<OsString>,
}

const RUN_HELP: &str = "\
The command keeps its standard streams, gets the signals sent to ttmem, and its exit code becomes ttmem's: 128 and the \
number for a signal, 126 if it cannot be run, 127 if it is not there. ttmem itself ends with 1 for a limit and with 3 if \
the agent library is missing. The library is looked for in $TTMEM_AGENT, beside ttmem, and in ../lib/ttmem and ../lib \
from there.";

/// Options of `ttmem report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A recording, the file of a segment such as /dev/shm/ttmem-4242-99, or the number of a process.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long, group = "form")]
    pub json: bool,
    /// Make a page with pictures, for a browser.
    #[arg(long, group = "form")]
    pub html: bool,
    /// Make a trace for ui.perfetto.dev: memory as counters, ops as slices, failures as instants.
    #[arg(long, group = "form")]
    pub perfetto: bool,
    /// Write to FILE instead of standard output, which is - too.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `ttmem doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long, conflicts_with = "clean")]
    pub json: bool,
    /// Remove the segments of agents whose processes have ended, after asking.
    #[arg(long)]
    pub clean: bool,
    /// Do not ask.
    #[arg(long, requires = "clean")]
    pub yes: bool,
}

const DOCTOR_HELP: &str = "\
Ends with 0 if all is well, with 1 if there is a warning, with 2 if something does not work. --clean never touches \
TT-Metal's own memory regions or lock files.";
