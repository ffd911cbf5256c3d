//! `ttmem top` and `ttmem config`: the live view, and the file of its choices.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use ttmem_sources::Collector;

use clap::Args;
use ttmem_merge::buffers;
use ttmem_model::Timestamp;
use ttmem_recording::Recording;
use ttmem_root::Root;
use ttmem_root::Tree;
use ttmem_service::Supply;
use ttmem_service::recorder::FileSource;
use ttmem_sources::L1Request;
use ttmem_sources::source::agent;

use crate::cli::{ColorWhen, CommonArgs};
use crate::config::{self, Configuration, Settings};
use crate::exit::{Exit, Failure};
use crate::interval::Interval;
use crate::served;
use crate::tui::app::{App, CoreRequest, Event, Replay, Sample, View};
use crate::tui::demo::Work;
use crate::tui::details;
use crate::tui::history::Moment;
use crate::tui::look::{self, Charset, Depth, Environment, Look, Theme};
use crate::tui::past;
use crate::tui::player;
use crate::tui::run::{self, Directory, End, HostParts, Parts, Subject};
use crate::tui::sampler::{CoreFeed, Lister, Listing, Maker, Recipe, RecipeOfL1, Samples};

/// The longest time from one sample to the next.
const MOST_SECONDS: u64 = 60;

/// Options of `ttmem top`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct TopArgs {
    /// Sample every SEC seconds, 1 if not said; 100ms to 60s.
    #[arg(
        short = 'd',
        long,
        visible_short_alias = 'l',
        visible_alias = "loop",
        value_name = "SEC"
    )]
    pub interval: Option<Interval>,
    /// Open this view first: overview, charts, l1, processes, buffers, telemetry or findings.
    #[arg(long, value_name = "VIEW", value_parser = view)]
    pub view: Option<View>,
    /// Colours: default, light, high-contrast, colour-blind or mono.
    #[arg(long, value_name = "THEME", value_parser = theme)]
    pub theme: Option<Theme>,
    /// Leave the mouse to the terminal.
    #[arg(long)]
    pub no_mouse: bool,
    /// Allow signals to be sent to processes; each is confirmed.
    #[arg(long)]
    pub allow_signals: bool,
}

/// Options of `ttmem config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct ConfigArgs {
    /// Print the file with every choice at its usual value, each explained.
    #[arg(long)]
    pub default: bool,
}

fn view(name: &str) -> Result<View, String> {
    View::by_name(name).ok_or_else(|| format!("views are {}", View::ALL.map(View::name).join(", ")))
}

fn theme(name: &str) -> Result<Theme, String> {
    Theme::by_name(name)
        .ok_or_else(|| format!("themes are {}", Theme::ALL.map(Theme::name).join(", ")))
}

/// Runs the live view.
///
/// # Errors
/// If there is no terminal that it could be drawn on, or the arguments make no sense.
pub fn run(args: &TopArgs, common: &CommonArgs) -> Result<ExitCode, Failure> {
    terminal_is_there(&Environment::read(variable))?;
    show(args, common, |app, settings| parts(app, settings, args, common))
}

/// Runs the live view on a recording.
///
/// # Errors
/// If the terminal cannot be drawn on.
pub fn replay(
    path: &Path,
    recording: &Recording<FileSource>,
    span: (Timestamp, Timestamp),
    common: &CommonArgs,
) -> Result<ExitCode, Failure> {
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

/// Whether there is a terminal that a live view can be drawn on.
#[must_use]
pub fn has_terminal() -> bool {
    terminal_is_there(&Environment::read(variable)).is_ok()
}

/// Runs the live view of something.
fn show(
    args: &TopArgs,
    common: &CommonArgs,
    parts: impl FnOnce(App, &Settings) -> Result<Parts, Failure>,
) -> Result<ExitCode, Failure> {
    let configuration = configuration();
    let settings = settings(args, configuration.settings.clone())?;
    let look = look_of(&settings, common, &Environment::read(variable));
    let app = App::new(settings.clone(), look, args.allow_signals);
    let mut parts = parts(app, &settings)?;
    // Said last: a demonstration has been at work for minutes by now, and messages go away.
    if let Some(text) = faults(&configuration) {
        parts.app.notify(look::Role::Notice, text);
    }
    let end = run::run(parts).map_err(|error| {
        Failure::usage(format!("the terminal cannot be drawn on ({error}); try plain ttmem"))
    })?;
    remember(&configuration, &settings, &end)?;
    Ok(match end.signal {
        None => ExitCode::SUCCESS,
        // As a shell reports a process that a signal ended.
        Some(signal) => ExitCode::from(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0))),
    })
}

/// The text of `ttmem config`.
///
/// # Errors
/// If there is a configuration and it cannot be read, or something is wrong with it.
pub fn config(args: ConfigArgs) -> Result<String, Failure> {
    if args.default {
        return Ok(Settings::default_file());
    }
    let Some(path) = config::path(variable) else {
        return Err(Failure::usage("there is no home directory; set XDG_CONFIG_HOME"));
    };
    let found = Configuration::read(Some(path.clone()))
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    if found.faults.is_empty() {
        return Ok(format!("{}\n", path.display()));
    }
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!("{}: {}", path.display(), faults.join("; "))))
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// What is missing for a live view, and what would do instead.
fn terminal_is_there(environment: &Environment) -> Result<(), Failure> {
    let unsupported = |what: &str| {
        let message =
            format!("ttmem top {what}; ttmem -l repeats a table, ttmem --json -l a stream");
        Err(Failure { exit: Exit::Unsupported, message })
    };
    if !io::stdout().is_terminal() {
        return unsupported("needs a terminal to draw on, and standard output is none");
    }
    if !io::stdin().is_terminal() {
        return unsupported("needs a terminal for its keys, and standard input is none");
    }
    match environment.why_unsupported() {
        Some(lacks) => unsupported(&format!("cannot be drawn here: {lacks}")),
        None => Ok(()),
    }
}

/// The configuration; one that cannot be read is as good as none, and says so.
fn configuration() -> Configuration {
    let path = config::path(variable);
    Configuration::read(path).unwrap_or_else(|error| Configuration::unreadable(&error))
}

/// What is wrong with the configuration, in one line.
fn faults(configuration: &Configuration) -> Option<String> {
    let (first, more) = configuration.faults.split_first()?;
    Some(match more.len() {
        0 => format!("config.toml, {first}"),
        more => format!("config.toml, {} faults (ttmem config), {first}", more + 1),
    })
}

/// The settings with what the arguments say.
fn settings(args: &TopArgs, mut settings: Settings) -> Result<Settings, Failure> {
    if let Some(interval) = args.interval {
        let interval = interval.duration();
        if interval.as_secs_f64() > MOST_SECONDS as f64 {
            return Err(Failure::usage(format!("--interval is at most {MOST_SECONDS}s")));
        }
        settings.interval_micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    }
    settings.view = args.view.unwrap_or(settings.view);
    settings.theme = args.theme.or(settings.theme);
    settings.mouse &= !args.no_mouse;
    Ok(settings)
}

/// How things look: what was asked for, then what the terminal can do.
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
) -> Result<Parts, Failure> {
    let root = || match &common.root {
        None if common.demo => Ok(ttmem_sources::demo::root()),
        // A capture has no host, and a server may look at another.
        None if common.capture.is_some() || common.server.is_some() => {
            Ok(Root::memory(Tree::new()))
        }
        None => Ok(Root::system()),
        Some(directory) => Root::directory(directory).map_err(|error| {
            Failure::usage(format!("cannot open --root {error}; name a directory that can be read"))
        }),
    };
    let (feed, buffers, begin) = if common.demo {
        let mut work = Work::new(Collector::demo());
        let begin = have_worked(&mut app, &mut work);
        let again = Listing::Work(Box::new(Work::new(Collector::demo())));
        (Samples::Work(Box::new(work)), again, Some(begin))
    } else {
        let samples = Samples::Made(host(common, settings.interval_micros));
        (samples, Listing::Made(lister(common)), None)
    };
    let directory = directory(settings);
    let is_system = common.is_this_machine() && common.server.is_none();
    let processes = (args.allow_signals && is_system).then(Root::system);
    let outside = run::Outside { directory, processes };
    let l1 = recipe_of_l1(common);
    let roots = [root()?, root()?];
    let host = HostParts { feed, buffers, l1, roots, begin };
    Ok(Parts { app, subject: Subject::Host(Box::new(host)), mouse: settings.mouse, outside })
}

/// Where exports go.
fn directory(settings: &Settings) -> Directory {
    match &settings.export_directory {
        Some(directory) => Directory::Named(directory.clone()),
        None => Directory::Working,
    }
}

/// How the collector of the host is made that the arguments choose.
fn recipe(common: &CommonArgs) -> Recipe {
    let common = common.clone();
    Box::new(move || {
        let host = crate::HostChoice::of(&common);
        let l1 = L1Request { simulator: common.simulator.clone(), ..L1Request::default() };
        host.collector(l1).map_err(|failure| failure.message)
    })
}

/// How the buffers of the host are listed.
fn lister(common: &CommonArgs) -> Maker<Lister> {
    let recipe = recipe(common);
    Box::new(move || {
        let mut collector = recipe()?;
        let list: Lister = Box::new(move |_at| buffers(&collector.facts_at(agent::Depth::Full)));
        Ok(list)
    })
}

/// How snapshots of the host are made that the arguments choose, through a server where there is one. Simulated chips and
/// captures have an L1 that is read without a device.
fn host(common: &CommonArgs, interval_micros: u64) -> Maker<Supply> {
    let recipe = recipe(common);
    let common = common.clone();
    Box::new(move || {
        let collector = recipe()?;
        let interval = Some(Duration::from_micros(interval_micros));
        Ok(served::supply(collector, &common, false, interval).with_past(past::PAST))
    })
}

/// The same for L1 alone. The demonstration's is embedded, so no device is opened for it.
fn recipe_of_l1(common: &CommonArgs) -> RecipeOfL1 {
    let common = common.clone();
    Box::new(move |ask| {
        let common = common.clone();
        Box::new(move || {
            if common.server.is_some() {
                return Err("L1 is not read through a server; leave --server out".to_owned());
            }
            let host = crate::HostChoice::of(&common);
            let devices = common.demo || ask == CoreRequest::WithDevices;
            let l1 = L1Request { devices, simulator: common.simulator, budget: None };
            let collector = host.collector(l1).map_err(|failure| failure.message)?;
            Ok(CoreFeed::Collector(Box::new(collector)))
        })
    })
}

/// Lets the demonstration have been at work for a while, so that its charts have something to show. Gives the moment
/// from which it goes on.
fn have_worked(app: &mut App, work: &mut Work) -> Moment {
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

/// Writes back what was chosen on the screen, but not what the arguments said for this once.
fn remember(configuration: &Configuration, given: &Settings, end: &End) -> Result<(), Failure> {
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
        Failure::usage(format!("could not remember your choices in {}: {error}", path.display()))
    })
}

/// What was chosen on the screen, if anything was; else what is kept already.
fn keep<T: PartialEq>(given: T, now: T, kept: T) -> T {
    if now == given { kept } else { now }
}
