//! What the typed arguments mean: checked, resolved, and without anything that contradicts itself.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::{
    BuffersArgs, Cli, Command, CommonArgs, DoctorArgs, ExplainArgs, FormatWord, GroupKey, L1Args,
    L1Sort, ReportArgs, RunArgs, SnapshotArgs,
};
use crate::cmd::diff::DiffArgs;
use crate::cmd::record::RecordArgs;
use crate::cmd::replay::ReplayArgs;
use crate::cmd::serve::ServeArgs;
use crate::cmd::top::{ConfigArgs, TopArgs};
use crate::exit::Failure;
use crate::field::Field;
use crate::field::device::{self, DeviceField};
use crate::field::process::{self, ProcessField};
use crate::field::query::{self, UnknownField};
use crate::interval::Interval;
use crate::limit::Limit;
use crate::output::buffers::{Listing, SortKey};
use crate::output::csv::{Csv, Header, Units};
use crate::output::page::Charset;

/// What is asked for.
#[derive(Debug)]
pub enum Request {
    /// Snapshots.
    Snapshot(SnapshotRequest),
    /// Live buffers.
    Buffers(BuffersRequest),
    /// A command with the agent.
    Run(RunRequest),
    /// What runs did.
    Report(ReportArgs),
    /// The state of this machine.
    Doctor(DoctorArgs),
    /// Maps of L1.
    L1(L1Request),
    /// Messages and reports, explained.
    Explain(ExplainRequest),
    /// A text that needs no snapshot.
    Text(Text),
    /// The live view.
    Top(TopArgs),
    /// Where the live view's choices are kept, or what they can be.
    Config(ConfigArgs),
    /// A recording to be made.
    Record(RecordArgs),
    /// A recording to be looked into.
    Replay(ReplayArgs),
    /// A comparison.
    Diff(DiffArgs),
    /// A server.
    Serve(ServeArgs),
}

/// A text that needs no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The fields of a chip.
    DeviceFields,
    /// The fields of a process.
    ProcessFields,
    /// A completion script.
    Completions(clap_complete::Shell),
    /// The man page of ttmem, or of the command of this name.
    Man(Option<String>),
}

/// Which maps of L1 are asked for, and how they are shown.
#[derive(Debug)]
pub struct L1Request {
    /// How they are shown.
    pub view: L1View,
    /// What lines are sorted by.
    pub sort: L1Sort,
    /// Which chips; all if there are none.
    pub selectors: Vec<String>,
    /// How often; once if it is not said.
    pub repeat: Option<Repeat>,
    /// Where they go.
    pub target: Target,
    /// Bytes that a sample of a chip may read.
    pub budget: Option<u64>,
}

/// How L1 is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum L1View {
    /// The grid of cores, what is in it and the programs.
    Grid,
    /// The address space of the core at a place of the grid.
    Core([u8; 2]),
    /// One line a core.
    Cores,
    /// The report itself.
    Json,
    /// Not at all: it is saved as a capture.
    Save(PathBuf),
}

/// What is to be explained, and how.
#[derive(Debug)]
pub struct ExplainRequest {
    /// A file or a folder; standard input if it is not said.
    pub input: Option<PathBuf>,
    /// Whether it is JSON.
    pub json: bool,
    /// Where it goes.
    pub target: Target,
}

/// Which snapshots are asked for, and how they are shown.
#[derive(Debug)]
pub struct SnapshotRequest {
    /// Whether the L1 of real chips is read.
    pub l1: bool,
    /// How they are shown.
    pub view: View,
    /// Which chips; all if there are none.
    pub selectors: Vec<String>,
    /// How often; once if it is not said.
    pub repeat: Option<Repeat>,
    /// Where they go.
    pub target: Target,
}

/// Which buffers are asked for, and how they are shown.
#[derive(Debug)]
pub struct BuffersRequest {
    /// Which processes; all if there are none.
    pub pids: Vec<i32>,
    /// Which chips; all if there are none.
    pub selectors: Vec<String>,
    /// What comes first.
    pub sort: SortKey,
    /// How many, from the first.
    pub lines: Option<usize>,
    /// One by one, or added up.
    pub listing: Listing,
    /// How they are shown.
    pub form: BuffersForm,
}

/// How buffers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuffersForm {
    /// For people.
    Table,
    /// The list itself.
    Json,
    /// A record each.
    Csv(Csv),
}

/// A command to run with the agent.
#[derive(Debug)]
pub struct RunRequest {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Where the report goes, if there is to be one.
    pub report: Option<ReportTarget>,
    /// What must not be exceeded.
    pub limits: Vec<Limit>,
    /// Whether segments stay.
    pub keep: bool,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportTarget {
    /// To people, on standard error: standard output is the command's.
    StandardError,
    /// Into a file.
    File(PathBuf),
}

/// How a snapshot is shown.
#[derive(Debug)]
pub enum View {
    /// The table.
    Table,
    /// Every reading.
    Detail,
    /// One line a chip.
    List,
    /// The snapshot itself.
    Json,
    /// Fields of each chip.
    Devices(Vec<DeviceField>, Csv),
    /// Fields of each process.
    Processes(Vec<ProcessField>, Csv),
}

/// How often a snapshot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one to the next.
    pub interval: Interval,
    /// How many; without end if it is not said.
    pub count: Option<u64>,
}

/// Where output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Request {
    /// What the arguments mean.
    ///
    /// # Errors
    /// If they contradict each other or name what there is not.
    pub fn of(cli: Cli) -> Result<Self, Failure> {
        let text = match cli.command {
            Some(_) if cli.snapshot != SnapshotArgs::default() => {
                return Err(Failure::usage(
                    "options before a command must be those of all commands, such as --demo; \
                     put the others behind plain ttmem",
                ));
            }
            Some(Command::Buffers(args)) => {
                return Ok(Self::Buffers(buffers(args, charset(&cli.common))));
            }
            Some(Command::Run(args)) => return run(args, &cli.common).map(Self::Run),
            Some(Command::Report(args)) => return Ok(Self::Report(args)),
            Some(Command::Doctor(args)) => return Ok(Self::Doctor(args)),
            Some(Command::L1(args)) => return l1(args).map(Self::L1),
            Some(Command::Explain(args)) => return Ok(Self::Explain(explain(args))),
            Some(Command::Completions { shell }) => Text::Completions(shell),
            Some(Command::Man { command }) => Text::Man(command),
            Some(Command::Top(args)) => return Ok(Self::Top(args)),
            Some(Command::Config(args)) => return Ok(Self::Config(args)),
            None if cli.snapshot.watch => return Ok(Self::Top(watch(cli.snapshot)?)),
            Some(Command::Record(args)) if args.command.is_empty() => {
                return Ok(Self::Record(args));
            }
            Some(Command::Record(args)) => {
                return check_place(&cli.common).map(|()| Self::Record(args));
            }
            Some(Command::Replay(args)) => return Ok(Self::Replay(args)),
            Some(Command::Diff(args)) => return Ok(Self::Diff(args)),
            Some(Command::Serve(args)) => return Ok(Self::Serve(args)),
            None if cli.snapshot.help_query_device => Text::DeviceFields,
            None if cli.snapshot.help_query_processes => Text::ProcessFields,
            None => return snapshot(cli.snapshot, &cli.common).map(Self::Snapshot),
        };
        Ok(Self::Text(text))
    }
}

/// `-w` is `ttmem top`, for which `-l` is the interval; other options of a snapshot mean nothing there.
fn watch(args: SnapshotArgs) -> Result<TopArgs, Failure> {
    let interval = args.interval;
    if args != (SnapshotArgs { watch: true, interval, ..SnapshotArgs::default() }) {
        return Err(Failure::usage("-w goes with -l alone; filter and select on the screen"));
    }
    Ok(TopArgs { interval, ..TopArgs::default() })
}

/// The characters that `--ascii` leaves.
#[must_use]
pub fn charset(common: &CommonArgs) -> Charset {
    if common.ascii { Charset::Ascii } else { Charset::Unicode }
}

fn snapshot(args: SnapshotArgs, common: &CommonArgs) -> Result<SnapshotRequest, Failure> {
    let csv = csv(&args.format, charset(common));
    let view = match (&args.query_device, &args.query_processes) {
        (Some(list), _) => View::Devices(fields(list, &device::fields(), "device")?, csv),
        (_, Some(list)) => View::Processes(fields(list, &process::fields(), "processes")?, csv),
        _ if !args.format.is_empty() => {
            return Err(Failure::usage(
                "--format goes with --query-device or --query-processes, \
                 such as --query-device=index,memory.dram.used --format=csv",
            ));
        }
        _ if args.query => View::Detail,
        _ if args.list => View::List,
        _ if args.json => View::Json,
        _ => View::Table,
    };
    Ok(SnapshotRequest {
        l1: args.l1,
        view,
        selectors: args.id,
        repeat: repeat(args.interval, args.count)?,
        target: target(args.filename),
    })
}

fn buffers(args: BuffersArgs, charset: Charset) -> BuffersRequest {
    BuffersRequest {
        pids: args.pid,
        selectors: args.id,
        sort: args.sort,
        lines: args.lines,
        listing: match args.by {
            Some(GroupKey::Op) => Listing::ByOp,
            None => Listing::Single,
        },
        form: match args.format.as_slice() {
            _ if args.json => BuffersForm::Json,
            [] => BuffersForm::Table,
            words => BuffersForm::Csv(csv(words, charset)),
        },
    }
}

/// A command is not run for a host that is elsewhere.
fn check_place(common: &CommonArgs) -> Result<(), Failure> {
    if common.is_this_machine() {
        return Ok(());
    }
    Err(Failure::usage("a command runs on this machine; leave out --demo, --root and --capture"))
}

fn run(args: RunArgs, common: &CommonArgs) -> Result<RunRequest, Failure> {
    check_place(common)?;
    Ok(RunRequest {
        command: args.command,
        report: args.report.map(|file| match file {
            Some(path) if path.as_os_str() != "-" => ReportTarget::File(path),
            _ => ReportTarget::StandardError,
        }),
        limits: args.limit,
        keep: args.keep,
    })
}

fn l1(args: L1Args) -> Result<L1Request, Failure> {
    let view = match (args.save, args.core) {
        (Some(directory), _) => L1View::Save(directory),
        (None, Some(core)) => L1View::Core(core),
        (None, None) if args.cores => L1View::Cores,
        (None, None) if args.json => L1View::Json,
        (None, None) => L1View::Grid,
    };
    Ok(L1Request {
        view,
        sort: args.sort,
        selectors: args.id,
        repeat: repeat(args.interval, args.count)?,
        target: target(args.filename),
        budget: args.budget,
    })
}

fn explain(args: ExplainArgs) -> ExplainRequest {
    ExplainRequest {
        input: args.input.filter(|path| path.as_os_str() != "-"),
        json: args.json,
        target: target(args.filename),
    }
}

fn target(filename: Option<PathBuf>) -> Target {
    match filename {
        Some(path) if path.as_os_str() != "-" => Target::File(path),
        _ => Target::Standard,
    }
}

fn csv(words: &[FormatWord], charset: Charset) -> Csv {
    let no_header = words.contains(&FormatWord::Noheader);
    let no_units = words.contains(&FormatWord::Nounits);
    Csv {
        header: if no_header { Header::Hidden } else { Header::Shown },
        units: if no_units { Units::Hidden } else { Units::Shown },
        charset,
    }
}

fn fields<R: Clone>(list: &str, table: &[Field<R>], what: &str) -> Result<Vec<Field<R>>, Failure> {
    query::select(list, table).map_err(|UnknownField { name, nearest }| {
        Failure::usage(format!(
            "no field `{name}`; did you mean `{nearest}`? ttmem --help-query-{what} lists all"
        ))
    })
}

/// `-c` without `-l` repeats as `-l` without a number does.
fn repeat(interval: Option<Interval>, count: Option<u64>) -> Result<Option<Repeat>, Failure> {
    let interval = match (interval, count) {
        (None, None) => return Ok(None),
        (Some(interval), _) => interval,
        (None, Some(_)) => "5".parse().map_err(|error| Failure::usage(format!("{error}")))?,
    };
    Ok(Some(Repeat { interval, count }))
}
