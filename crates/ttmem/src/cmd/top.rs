//! `ttmem top`: the live view of a host or a recording.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ttmem_analysis::run_report::l1_by_op;
use ttmem_merge::buffers;
use ttmem_model::Timestamp;
use ttmem_recording::Recording;
use ttmem_root::Root;
use ttmem_root::Tree;
use ttmem_service::Supply;
use ttmem_service::recorder::FileSource;
use ttmem_sources::source::agent;
use ttmem_sources::{Collector, L1Request};

use super::variable;
use crate::cli::common::{ColorWhen, CommonArgs};
use crate::cli::top::TopArgs;
use crate::config::{self, Configuration};
use crate::error::Error;
use crate::host::{HostChoice, supply, without_devices};
use crate::tui::app::{App, CoreRequest, Event, ListKind, Replay, Sample};
use crate::tui::choice::Settings;
use crate::tui::demo::Work;
use crate::tui::details;
use crate::tui::history::Moment;
use crate::tui::look::{self, Charset, Depth, Environment, Look};
use crate::tui::past;
use crate::tui::player;
use crate::tui::run::{self, Directory, End, HostParts, Parts, Subject};
use crate::tui::sampler::{CoreFeed, Lister, Listing, Maker, Recipe, RecipeOfL1, Samples};

/// The longest time from one sample to the next.
const MOST_SECONDS: u64 = 60;

/// Runs the live view of a host.
///
/// # Errors
/// [`Error::Unsupported`] if there is no suitable terminal.
pub(crate) fn run(args: &TopArgs, common: &CommonArgs) -> Result<ExitCode, Error> {
    check_terminal(&Environment::read(variable))?;
    show(args, common, |app, settings| parts(app, settings, args, common))
}

/// Runs the live view of a recording.
///
/// # Errors
/// [`Error::System`] if the terminal cannot be used.
pub(crate) fn replay(
    path: &Path,
    recording: &Recording<FileSource>,
    span: (Timestamp, Timestamp),
    common: &CommonArgs,
) -> Result<ExitCode, Error> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let interval = player::interval(recording);
    show(&TopArgs::default(), common, |mut app, settings| {
        app.replay(Replay::new(name, span), interval);
        let directory = directory(settings);
        Ok(Parts {
            app,
            subject: Subject::Recording(path.to_owned()),
            mouse: settings.mouse,
            outside: run::Outside { directory, processes: None },
        })
    })
}

/// Returns true if the live view can run on the terminal.
#[must_use]
pub(crate) fn has_terminal() -> bool {
    check_terminal(&Environment::read(variable)).is_ok()
}

/// Returns the colors and characters of the user's choices, for what is drawn beside the live view.
pub(super) fn look(common: &CommonArgs) -> Look {
    look_of(&configuration().settings, common, &Environment::read(variable))
}

/// Runs the live view, and saves the choices made in it.
fn show(
    args: &TopArgs,
    common: &CommonArgs,
    parts: impl FnOnce(App, &Settings) -> Result<Parts, Error>,
) -> Result<ExitCode, Error> {
    let configuration = configuration();
    let settings = settings(args, configuration.settings.clone())?;
    let look = look_of(&settings, common, &Environment::read(variable));
    let app = App::new(settings.clone(), look, args.allow_signals);
    let mut parts = parts(app, &settings)?;
    // Last, since messages expire and a demonstration has run for minutes by now.
    if let Some(text) = faults(&configuration) {
        parts.app.notify(look::Role::Notice, text);
    }
    let end = run::run(parts).map_err(|error| {
        Error::System(format!("cannot use the terminal: {error}; try plain ttmem"))
    })?;
    remember(&configuration, &settings, &end)?;
    Ok(match end.signal {
        None => ExitCode::SUCCESS,
        // As a shell reports a process that a signal ended.
        Some(signal) => ExitCode::from(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0))),
    })
}

/// Returns an error with an alternative if the terminal cannot show the live view.
fn check_terminal(environment: &Environment) -> Result<(), Error> {
    let unsupported = |what: &str| {
        Err(Error::Unsupported(format!(
            "ttmem top {what}; ttmem -l repeats a table, ttmem --json -l a stream"
        )))
    };
    if !io::stdout().is_terminal() {
        return unsupported("needs a terminal, and standard output is not one");
    }
    if !io::stdin().is_terminal() {
        return unsupported("needs a terminal, and standard input is not one");
    }
    match environment.why_unsupported() {
        Some(reason) => unsupported(&format!("cannot run here: {reason}")),
        None => Ok(()),
    }
}

/// Reads the config file. The error of one that cannot be read is among its faults.
fn configuration() -> Configuration {
    let path = config::path(variable);
    Configuration::read(path).unwrap_or_else(|error| Configuration::unreadable(&error))
}

/// Describes the errors of the config file in one line.
fn faults(configuration: &Configuration) -> Option<String> {
    let (first, more) = configuration.faults.split_first()?;
    Some(match more.len() {
        0 => format!("config.toml, {first}"),
        more => format!("config.toml, {} errors (ttmem config), {first}", more + 1),
    })
}

/// Returns the settings with the options of the command line applied.
fn settings(args: &TopArgs, mut settings: Settings) -> Result<Settings, Error> {
    if let Some(interval) = args.interval {
        let interval = interval.duration();
        if interval.as_secs_f64() > MOST_SECONDS as f64 {
            return Err(Error::usage(format!("--interval is at most {MOST_SECONDS}s")));
        }
        settings.interval_micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    }
    settings.view = args.view.unwrap_or(settings.view);
    settings.theme = args.theme.or(settings.theme);
    settings.mouse &= !args.no_mouse;
    Ok(settings)
}

/// Returns the colors and characters to draw with: those asked for, as far as the terminal supports them.
fn look_of(settings: &Settings, common: &CommonArgs, environment: &Environment) -> Look {
    let ascii = common.ascii || settings.ascii;
    let charset = if ascii { Charset::Ascii } else { look::charset(environment) };
    let depth = match common.color {
        ColorWhen::Never => Depth::Mono,
        ColorWhen::Always => {
            let with_colour = Environment { no_color: None, ..environment.clone() };
            look::depth(&with_colour).max(Depth::Sixteen)
        }
        ColorWhen::Auto => look::depth(environment),
    };
    Look { theme: settings.theme.unwrap_or_default(), depth, charset }
}

fn parts(
    mut app: App,
    settings: &Settings,
    args: &TopArgs,
    common: &CommonArgs,
) -> Result<Parts, Error> {
    let host = HostChoice::of(common);
    // A server may read another host, whose files are not here.
    let root = || match &common.server {
        Some(_) => Ok(Root::memory(Tree::new())),
        None => host.root(),
    };
    let (feed, lists, begin) = if common.demo {
        let mut work = Work::new(Collector::demo());
        let begin = warm_up(&mut app, &mut work);
        let again = Listing::Work(Box::new(Work::new(Collector::demo())));
        (Samples::Work(Box::new(work)), again, Some(begin))
    } else {
        let samples = Samples::Made(snapshots(common, settings.interval_micros));
        (samples, Listing::Made(lister(common)), None)
    };
    let directory = directory(settings);
    let is_system = common.is_this_host() && common.server.is_none();
    let processes = (args.allow_signals && is_system).then(Root::system);
    let outside = run::Outside { directory, processes };
    let l1 = recipe_of_l1(common);
    let roots = [root()?, root()?];
    let parts = HostParts { feed, lists, l1, roots, begin };
    Ok(Parts { app, subject: Subject::Host(Box::new(parts)), mouse: settings.mouse, outside })
}

/// Returns the directory of exports.
fn directory(settings: &Settings) -> Directory {
    match &settings.export_directory {
        Some(directory) => Directory::Named(directory.clone()),
        None => Directory::Working,
    }
}

/// Returns a function that creates the collector of the chosen host, to run in another thread.
fn recipe(common: &CommonArgs) -> Recipe {
    let common = common.clone();
    Box::new(move || {
        let host = HostChoice::of(&common);
        host.collector(without_devices(&common), &common)
            .map_err(|error| error.message().to_owned())
    })
}

/// Returns a function that creates the reader of the host's lists.
fn lister(common: &CommonArgs) -> Maker<Lister> {
    let recipe = recipe(common);
    Box::new(move || {
        let mut collector = recipe()?;
        let list: Lister = Box::new(move |kind, at| match kind {
            ListKind::Buffers => {
                Event::Buffers(at, Box::new(buffers(&collector.facts_at(agent::Depth::Full))))
            }
            ListKind::Ops => Event::Ops(at, l1_by_op(&collector.facts_at(agent::Depth::Programs))),
        });
        Ok(list)
    })
}

/// Returns a function that creates the supply of snapshots, through a server if one is running. The L1 of simulated chips
/// and captures is read without opening a device.
fn snapshots(common: &CommonArgs, interval_micros: u64) -> Maker<Supply> {
    let recipe = recipe(common);
    let common = common.clone();
    Box::new(move || {
        let collector = recipe()?;
        let interval = Some(Duration::from_micros(interval_micros));
        Ok(supply::supply(collector, &common, false, interval).with_past(past::PAST))
    })
}

/// Returns a function that creates the reader of L1, of devices only if the user asks for them. The demonstration's is embedded, so no device is opened for it.
fn recipe_of_l1(common: &CommonArgs) -> RecipeOfL1 {
    let common = common.clone();
    Box::new(move |ask| {
        let common = common.clone();
        Box::new(move || {
            if common.server.is_some() {
                return Err("L1 cannot be read through a server; leave --server out".to_owned());
            }
            let host = HostChoice::of(&common);
            let devices = common.demo || ask == CoreRequest::WithDevices;
            let l1 = L1Request { devices, ..without_devices(&common) };
            let collector =
                host.collector(l1, &common).map_err(|error| error.message().to_owned())?;
            // Agents are the source of what is not read.
            Ok(CoreFeed::Collector(Box::new(collector.with_segments())))
        })
    })
}

/// Runs the demonstration for a while, so that its charts are not empty. Returns the moment at which it continues.
fn warm_up(app: &mut App, work: &mut Work) -> Moment {
    const SECONDS: u64 = 240;
    let begin = work.begin();
    let boot = details::boot(&ttmem_sources::demo::root());
    let mut at = begin;
    for second in 0..SECONDS {
        at = Moment(begin.0 + second * 1_000_000);
        let snapshot = Arc::new(work.at(at));
        app.update(at, Event::Sample(Sample { at, snapshot, boot }));
    }
    Moment(at.0 + 1_000_000)
}

/// Saves the choices made on the screen, but not the options of the command line.
fn remember(configuration: &Configuration, given: &Settings, end: &End) -> Result<(), Error> {
    let now = end.app.settings();
    let kept = configuration.settings.clone();
    let chosen = Settings {
        theme: if now.theme == Some(given.theme.unwrap_or_default()) {
            kept.theme
        } else {
            now.theme
        },
        interval_micros: keep(given.interval_micros, now.interval_micros, kept.interval_micros),
        view: keep(given.view, now.view, kept.view),
        mouse: kept.mouse,
        ..now
    };
    configuration.remember(&chosen).map(|_path| ()).map_err(|error| {
        let path = configuration.path.as_deref().unwrap_or(std::path::Path::new(""));
        Error::File(format!("cannot save your choices in {}: {error}", path.display()))
    })
}

/// Returns the choice made on the screen; if none was made, the saved one.
fn keep<T: PartialEq>(given: T, now: T, kept: T) -> T {
    if now == given { kept } else { now }
}
