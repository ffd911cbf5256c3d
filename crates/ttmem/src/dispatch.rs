//! Runs the command of the parsed arguments.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use ttmem_root::Root;
use ttmem_service::recorder::Agents;
use ttmem_sources::{Collector, L1Look, L1Request};

use crate::cli::capture::CaptureArgs;
use crate::cli::common::{CommonArgs, Target};
use crate::cli::l1::{L1Args, L1From};
use crate::cli::record::RecordArgs;
use crate::cli::run::RunArgs;
use crate::cli::serve::ServeArgs;
use crate::cli::snapshot::{Plain, SnapshotArgs, SnapshotRequest, WhyRequest};
use crate::cli::{Cli, Command, Deferred};
use crate::cmd;
use crate::cmd::target::{Mode, deliver};
use crate::cmd::text::Text;
use crate::error::Error;
use crate::host::{HostChoice, supply, without_devices};
use crate::output::page::{FULL_WIDTH, Page};
use crate::terminal;
use crate::tui::demo::Work;
use crate::tui::history::Moment;
use crate::tui::sampler::Timeline;

/// Runs the command that the arguments name, and returns the exit code.
///
/// # Errors
/// As the command does.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, Error> {
    cli.check()?;
    let Cli { snapshot, common, command } = cli;
    let common = &common;
    let Some(command) = command else { return plain(snapshot, common) };
    let done = match command {
        Command::Top(Deferred(args)) => return cmd::top::run(&args, common),
        Command::Run(Deferred(args)) => return run(&args, common),
        Command::Record(Deferred(args)) => return record(&args, common),
        Command::Replay(Deferred(args)) => {
            return cmd::replay::run(&args, common, &standard(common));
        }
        Command::Who(Deferred(args)) => {
            return cmd::who::run(&args, &mut collector(common)?, &standard(common));
        }
        Command::Pick(Deferred(args)) => {
            return cmd::pick::run(&args, common, &mut collector(common)?);
        }
        Command::Doctor(Deferred(args)) => {
            return cmd::doctor::run(
                &args,
                &mut collector(common)?,
                common.is_this_host(),
                &standard(common),
            );
        }
        Command::Diff(Deferred(args)) => cmd::diff::run(&args, common.charset()),
        Command::L1(Deferred(args)) => l1(args, common),
        Command::Serve(Deferred(args)) => serve(&args, common),
        Command::Explain(Deferred(args)) => {
            let pages = |width| page(&args.file.target(), common, width);
            cmd::explain::run(&args, &mut collector(common)?, pages)
        }
        Command::Buffers(Deferred(args)) => {
            cmd::buffers::run(&args.resolve(common), &mut collector(common)?, &standard(common))
        }
        Command::Report(Deferred(args)) => {
            cmd::report::run(&args, &mut collector(common)?, &standard(common))
        }
        Command::Capture(Deferred(args)) => capture(&args, common),
        Command::Mcp => cmd::mcp::run(common),
        Command::Config(Deferred(args)) => {
            cmd::config::render(args).and_then(|text| print(text.as_bytes()))
        }
        Command::Completions { shell } => print_text(&Text::Completions(shell)),
        Command::Man { command } => print_text(&Text::Man(command)),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn plain(args: SnapshotArgs, common: &CommonArgs) -> Result<ExitCode, Error> {
    match args.resolve(common)? {
        Plain::Top(args) => return cmd::top::run(&args, common),
        Plain::Snapshot(request) => snapshot(&request, common),
        Plain::Why(request) => why(&request, common),
        Plain::DeviceFields => print_text(&Text::DeviceFields),
        Plain::ProcessFields => print_text(&Text::ProcessFields),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Shows snapshots, from a server if one is running.
fn snapshot(request: &SnapshotRequest, common: &CommonArgs) -> Result<(), Error> {
    let l1 = L1Request { devices: request.l1, ..without_devices(common) };
    let collector = HostChoice::of(common).collector(l1, common)?;
    let interval = request.repeat.map(|repeat| repeat.interval.duration());
    let mut supply = supply::supply(collector, common, request.l1, interval);
    let pages = |width| page(&request.target, common, width);
    let done = cmd::snapshot::run(request, || supply::next(&mut supply), pages);
    // The process ends now: its memory goes as a whole.
    std::mem::forget(supply);
    done
}

/// Traces a reading of this process's own snapshot: a server's has no facts.
fn why(request: &WhyRequest, common: &CommonArgs) -> Result<(), Error> {
    let l1 = L1Request { devices: request.l1, ..without_devices(common) };
    let mut collector = HostChoice::of(common).collector(l1, common)?.with_programs();
    cmd::why::run(request, &mut collector, |width| page(&request.target, common, width))
}

fn l1(args: L1Args, common: &CommonArgs) -> Result<(), Error> {
    let request: crate::cli::l1::L1Request = args.into();
    // --simulator asks for that chip, not for the devices of the host.
    let devices = common.simulator.is_none() && request.source != Some(L1From::Agent);
    let layout = request.layout.as_deref().map(cmd::l1::layout).transpose()?;
    let l1 = L1Request { devices, budget: request.budget, layout, ..without_devices(common) };
    let mut collector = HostChoice::of(common).collector(l1, common)?.with_segments();
    cmd::l1::run(&request, &mut collector, |width| page(&request.target, common, width))
}

/// Saves what is read of the host; no server is asked, and no device is opened.
fn capture(args: &CaptureArgs, common: &CommonArgs) -> Result<(), Error> {
    let host = HostChoice::of(common);
    let host_collector = host.collector(without_devices(common), common)?;
    let mut collector = Collector::new(host.root()?.capturing())
        .with_clock(host_collector.clock())
        .marked(host_collector.is_demo());
    cmd::capture::run(args, &mut collector)
}

fn run(args: &RunArgs, common: &CommonArgs) -> Result<ExitCode, Error> {
    common.check_runs_here()?;
    let page = terminal::error_page(common.color, common.charset(), FULL_WIDTH);
    let ranked = |path: &PathBuf| cmd::rank::named(path);
    let args = RunArgs {
        report: args
            .report
            .as_ref()
            .map(|file| file.as_ref().map(ranked).transpose())
            .transpose()?,
        output: args.output.as_ref().map(ranked).transpose()?,
        ..args.clone()
    };
    cmd::run::run(&args, &page)
}

/// Records snapshots, from a server if one is running.
fn record(args: &RecordArgs, common: &CommonArgs) -> Result<ExitCode, Error> {
    if !args.command.is_empty() {
        common.check_runs_here()?;
    }
    let output = args.output.as_deref().map(cmd::rank::named).transpose()?;
    let args = &RecordArgs { output, ..args.clone() };
    let host = HostChoice::of(common);
    let agents = match &host {
        HostChoice::Capture(_) => None,
        host => Some(Agents::new(host.root()?)),
    };
    let l1 = L1Request { devices: args.l1, ..without_devices(common) };
    let collector = host.collector(l1, common)?;
    let clock = collector.clock();
    if matches!(host, HostChoice::Demo) {
        let mut work = Work::new(collector);
        let timeline = Timeline::from(work.begin());
        return cmd::record::run(args, clock, agents, || work.look(timeline.moment()));
    }
    let interval = Some(args.sampling.interval.duration());
    let mut supply = supply::supply(collector, common, args.l1, interval).with_facts();
    cmd::record::run(args, clock, agents, || supply::next_look(&mut supply))
}

fn serve(args: &ServeArgs, common: &CommonArgs) -> Result<(), Error> {
    let (host, l1) = (HostChoice::of(common), without_devices(common));
    // Created here first, so that an invalid argument is reported before the socket exists.
    let boot = ttmem_service::supply::boot(host.collector(l1.clone(), common)?.root());
    let common = common.clone();
    let interval = Some(args.sampling.interval.duration());
    let make = move || {
        let collector = host.collector(l1, &common).ok()?;
        let mut collector = supply::with_programs(collector, interval);
        if !common.demo {
            return Some(Box::new(move || collector.look()) as Box<dyn FnMut() -> L1Look>);
        }
        // The host of --demo works, as in the live view.
        let (mut work, started) = (Work::new(collector), Instant::now());
        let begin = work.begin().0;
        Some(Box::new(move || {
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            work.look(Moment(begin.saturating_add(micros)))
        }))
    };
    // Clients run on this host, so their users are looked up here.
    cmd::serve::run(args, Root::system(), boot, make)
}

/// Returns a collector that opens no device.
fn collector(common: &CommonArgs) -> Result<Collector, Error> {
    HostChoice::of(common).collector(without_devices(common), common)
}

/// Returns the page of `target`; `width` is used where neither a terminal nor COLUMNS sets one.
fn page(target: &Target, common: &CommonArgs, width: usize) -> Page {
    terminal::page(target, common.color, common.charset(), width)
}

/// Returns the page of standard output.
fn standard(common: &CommonArgs) -> Page {
    page(&Target::Standard, common, FULL_WIDTH)
}

fn print_text(text: &Text) -> Result<(), Error> {
    print(&cmd::text::render(text)?)
}

fn print(bytes: &[u8]) -> Result<(), Error> {
    deliver(&Target::Standard, Mode::Append, bytes).map(|_delivery| ())
}
