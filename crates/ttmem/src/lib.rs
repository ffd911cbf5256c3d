//! The `ttmem` command: arguments in, output and an exit code out.
//!
//! - [`cli`] and [`args`]: what people type, and what it means.
//! - [`field`]: the one table of what can be asked of a chip or a process.
//! - [`output`]: pure functions from a snapshot to text.
//! - [`cmd`]: what takes snapshots and delivers texts.

pub mod args;
pub mod cli;
pub mod cmd;
pub mod config;
pub mod exit;
pub mod field;
pub mod interval;
pub mod limit;
pub mod output;
pub mod select;
pub mod served;
pub mod signal;
pub mod terminal;
pub mod tui;
pub mod usage;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use ttmem_root::Root;
use ttmem_service::recorder::Agents;
use ttmem_sources::port::image::ImageError;
use ttmem_sources::{Collector, L1Request};

use self::args::{Request, SnapshotRequest, Target};
use self::cli::{Cli, CommonArgs};
use self::cmd::record::RecordArgs;
use self::cmd::record::cores::CorePeak;
use self::cmd::target::{Mode, deliver};
use self::exit::{Exit, Failure};
use self::output::page::FULL_WIDTH;

/// Does what the arguments ask for, and says on standard error what went wrong.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match Cli::try_parse_from(&arguments)
        .map_err(|error| Stop::Parsing(error, usage::help_for(&arguments)))
        .and_then(|cli| obey(cli).map_err(Stop::Failing))
    {
        Ok(code) => code,
        Err(stop) => stop.end(),
    }
}

/// The reason that there is nothing more to do.
enum Stop {
    /// With what helps.
    Parsing(clap::Error, String),
    Failing(Failure),
}

impl Stop {
    fn end(self) -> ExitCode {
        match self {
            Self::Parsing(error, _) if !error.use_stderr() => match error.print() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    let message = format!("cannot write standard output: {error}");
                    Self::Failing(Failure::usage(message)).end()
                }
                _ => ExitCode::SUCCESS,
            },
            Self::Parsing(error, help) => {
                Self::Failing(Failure::usage(usage::one_line(&error, &help))).end()
            }
            Self::Failing(Failure { exit, message }) => {
                terminal::say(&message);
                ExitCode::from(exit as u8)
            }
        }
    }
}

fn obey(cli: Cli) -> Result<ExitCode, Failure> {
    let common = cli.common.clone();
    let color = common.color;
    let charset = args::charset(&common);
    let source = HostChoice::of(&common);
    let simulator = common.simulator.clone();
    let page = |target: &Target, otherwise| terminal::page(target, color, charset, otherwise);
    let print = |bytes: &[u8]| deliver(&Target::Standard, Mode::Append, bytes).map(|_delivery| ());
    let request = Request::of(cli)?;
    served::check(&request, &common)?;
    match request {
        Request::Top(args) => return cmd::top::run(&args, &common),
        Request::Config(args) => print(cmd::top::config(args)?.as_bytes()),
        Request::Text(text) => print(&cmd::text::render(&text)?),
        Request::Explain(request) => {
            let mut collector = source.collector(passive(simulator))?;
            let pages = |otherwise| page(&request.target, otherwise);
            cmd::explain::run(&request, &mut collector, pages)
        }
        Request::Snapshot(request) => snapshot(&request, &common),
        Request::Buffers(request) => {
            let mut collector = source.collector(passive(simulator))?;
            cmd::buffers::run(&request, &mut collector, &page(&Target::Standard, FULL_WIDTH))
        }
        Request::Report(request) => {
            let mut collector = source.collector(passive(simulator))?;
            cmd::report::run(&request, &mut collector, &page(&Target::Standard, FULL_WIDTH))
        }
        Request::Run(request) => {
            return cmd::run::run(&request, &terminal::error_page(color, charset, FULL_WIDTH));
        }
        Request::Doctor(request) => {
            let mut collector = source.collector(passive(simulator))?;
            let page = page(&Target::Standard, FULL_WIDTH);
            return cmd::doctor::run(&request, &mut collector, common.is_this_machine(), &page);
        }
        Request::L1(request) => {
            // Who names a simulated chip asks for that, and not for the machine's devices to be opened.
            let devices = simulator.is_none();
            let l1 = L1Request { devices, simulator, budget: request.budget };
            let mut collector = source.collector(l1)?;
            cmd::l1::run(&request, &mut collector, |otherwise| page(&request.target, otherwise))
        }
        Request::Record(args) => return record(&args, &common),
        Request::Diff(args) => {
            let (bytes, outcome) = cmd::diff::run(&args, charset)?;
            deliver(&Target::Standard, Mode::Append, &bytes)?;
            outcome
        }
        Request::Serve(args) => {
            let mut collector = source.collector(passive(simulator))?;
            let boot = ttmem_service::supply::boot(collector.root());
            // Users are named as on the machine that the clients run on.
            cmd::serve::run(&args, Root::system(), boot, || collector.snapshot())
        }
        Request::Replay(args) => {
            if let Some(code) = cmd::replay::show(&args, &common)? {
                return Ok(code);
            }
            let bytes = cmd::replay::render(&args, &page(&Target::Standard, FULL_WIDTH))?;
            deliver(&Target::Standard, Mode::Append, &bytes).map(|_delivery| ())
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Snapshots, of a server where there is one.
fn snapshot(request: &SnapshotRequest, common: &CommonArgs) -> Result<(), Failure> {
    let simulator = common.simulator.clone();
    let l1 = L1Request { devices: request.l1, simulator, ..L1Request::default() };
    let collector = HostChoice::of(common).collector(l1)?;
    let interval = request.repeat.map(|repeat| repeat.interval.duration());
    let mut supply = served::supply(collector, common, request.l1, interval);
    let (color, charset) = (common.color, args::charset(common));
    let pages = |otherwise| terminal::page(&request.target, color, charset, otherwise);
    cmd::snapshot::run(request, || served::next(&mut supply), pages)
}

/// A recording, of a server where there is one.
fn record(args: &RecordArgs, common: &CommonArgs) -> Result<ExitCode, Failure> {
    let source = HostChoice::of(common);
    let agents = source.root()?.map(Agents::new);
    let l1 = L1Request { devices: args.l1, ..passive(common.simulator.clone()) };
    let collector = source.collector(l1)?;
    let clock = collector.clock();
    let interval = Some(args.interval.duration());
    let mut supply = served::supply(collector, common, args.l1, interval);
    let cores = RefCell::new(CorePeak::default());
    let take = || {
        let look = served::next_look(&mut supply);
        cores.borrow_mut().observe(&look);
        look.snapshot
    };
    cmd::record::run(args, clock, agents, &cores, take)
}

/// What runs on and on opens no device.
fn passive(simulator: Option<PathBuf>) -> L1Request {
    L1Request { devices: false, simulator, ..L1Request::default() }
}

/// The host that the arguments choose.
enum HostChoice {
    System,
    Demo,
    Root(PathBuf),
    Capture(PathBuf),
}

impl HostChoice {
    fn of(common: &CommonArgs) -> Self {
        match (&common.root, &common.capture) {
            (Some(directory), _) => Self::Root(directory.clone()),
            (None, Some(directory)) => Self::Capture(directory.clone()),
            (None, None) if common.demo => Self::Demo,
            (None, None) => Self::System,
        }
    }

    /// Where the files of the host are; none of a capture, which has no processes.
    fn root(&self) -> Result<Option<Root>, Failure> {
        Ok(match self {
            Self::System => Some(Root::system()),
            Self::Demo => Some(ttmem_sources::demo::root()),
            Self::Root(directory) => Some(open_root(directory)?),
            Self::Capture(_) => None,
        })
    }

    fn collector(self, l1: L1Request) -> Result<Collector, Failure> {
        let collector = match &self {
            Self::System => Collector::new(Root::system()),
            Self::Demo => Collector::demo(),
            Self::Root(directory) => Collector::new(open_root(directory)?),
            Self::Capture(directory) => {
                return Collector::capture(directory, l1)
                    .map_err(|error| bad_capture(directory, &error));
            }
        };
        collector.with_l1(l1).map_err(|error| bad_capture(Path::new("the demonstration"), &error))
    }
}

fn open_root(directory: &Path) -> Result<Root, Failure> {
    Root::directory(directory).map_err(|error| {
        Failure::usage(format!("cannot open --root {error}; name a directory that can be read"))
    })
}

/// A capture that is not there is a wrong argument; one that is damaged is a source that cannot be read.
fn bad_capture(directory: &Path, error: &ImageError) -> Failure {
    let exit = if matches!(error, ImageError::Root(_)) { Exit::Usage } else { Exit::NoSource };
    let message = format!(
        "cannot read the capture {}: {error}; name a directory that ttmem l1 --save made",
        directory.display()
    );
    Failure { exit, message }
}
