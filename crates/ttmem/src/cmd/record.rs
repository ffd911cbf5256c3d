//! `ttmem record`: snapshots over time, in a file or in a ring that is written on an event.

pub(crate) mod cores;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGXFSZ;
use ttmem_model::Snapshot;
use ttmem_recording::Header;
use ttmem_recording::civil::Civil;
use ttmem_root::Clock;
use ttmem_service::recorder::{Agents, OfferResult, Options, Recorder, Report};
use ttmem_sources::L1Look;

use self::cores::CorePeak;
use super::run::command::{Running, shown};
use super::run::segments::token;
use super::run::{clean, finish as finish_command};
use crate::cli::record::RecordArgs;
use crate::error::{self, Error};
use crate::output::amount;
use crate::signal::{Signal, Signals};
use crate::terminal::notify;
use crate::units::{Size, Span};

/// Records what `look` returns until the time is over, a limit is reached, a signal arrives, or the command ends.
///
/// The segments of `agents` and the cores at their peak are attached. Returns the exit code of the command, if there is
/// one.
///
/// # Errors
/// If no source can be read, or the recording or a ring cannot be written.
pub(crate) fn run(
    args: &RecordArgs,
    clock: Clock,
    agents: Option<Agents>,
    mut look: impl FnMut() -> L1Look,
) -> Result<ExitCode, Error> {
    if args.output.as_deref() == Some(Path::new("-")) {
        return Err(Error::usage("a recording needs a regular file; name one with -o"));
    }
    // Beyond `ulimit -f` a write then fails, as on a full disk; the signal would end the program.
    let received = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, received).map_err(|error| Error::signals(&error))?;
    let first = look();
    // A command may be the first to use a chip: then there is nothing to read before it starts.
    if let Some(error) = error::of_sources(&first.snapshot).filter(|_| args.command.is_empty()) {
        return Err(error);
    }
    let options = options(args, &first.snapshot);
    let path = options.path.clone();
    let recorder = Recorder::start(options, agents).map_err(|error| not_created(&path, &error))?;
    let cores = CorePeak::default();
    let session = Session { args, path, clock, recorder, cores, next: Instant::now() };
    match args.command.is_empty() {
        true => session.until_stopped(first, look),
        false => session.until_command_ends(first, look),
    }
}

/// A recording in progress.
struct Session<'a> {
    args: &'a RecordArgs,
    path: PathBuf,
    clock: Clock,
    recorder: Recorder,
    cores: CorePeak,
    /// The time of the next snapshot.
    next: Instant,
}

impl Session<'_> {
    fn until_stopped(
        mut self,
        first: L1Look,
        mut look: impl FnMut() -> L1Look,
    ) -> Result<ExitCode, Error> {
        let signals = Signals::new().map_err(|error| Error::signals(&error))?;
        notify(&started(self.args, &self.path));
        let end = self.args.duration.and_then(|Span(duration)| self.next.checked_add(duration));
        let mut first = Some(first);
        let why = loop {
            if self.record(first.take().unwrap_or_else(&mut look)) == OfferResult::Ended {
                break "the size limit was reached";
            }
            match wait(&signals, &self.recorder, self.next, end) {
                Some(why) => break why,
                None => continue,
            }
        };
        finish(self.args, &self.stop(why)).map(|()| ExitCode::SUCCESS)
    }

    fn until_command_ends(
        mut self,
        first: L1Look,
        mut look: impl FnMut() -> L1Look,
    ) -> Result<ExitCode, Error> {
        let mut command = match Running::start(&self.args.command) {
            Ok(Ok(command)) => command,
            Ok(Err(code)) => {
                self.discard();
                return Ok(ExitCode::from(code));
            }
            Err(error) => {
                self.discard();
                return Err(error);
            }
        };
        let mut offered = self.record(first);
        while !command.wait_until(self.next) {
            if offered == OfferResult::Ended {
                // The command continues without its recording.
                self.next += Duration::from_secs(3600);
            } else {
                offered = self.record(look());
            }
        }
        let (args, end) = (self.args, |code| {
            // The state of the host after the command.
            self.record(look());
            let command = shown(&self.args.command);
            self.stop(&format!("`{command}` ended with {code}"))
        });
        let (ended, report) = command.wait(end)?;
        clean(&ended.found, false);
        finish_command(ended.code, finish(args, &report))
    }

    /// Removes the empty file. A ring has not created one, so a file of that name belongs to someone else.
    fn discard(self) {
        drop(self.recorder.stop(""));
        if self.args.ring.is_none() {
            drop(std::fs::remove_file(&self.path));
        }
    }

    fn stop(self, why: &str) -> Report {
        if let Some((attachment, bytes)) = self.cores.attachment() {
            self.recorder.attach(attachment, bytes);
        }
        let report = self.recorder.stop(why);
        report.notices.iter().for_each(|notice| notify(notice));
        report
    }

    fn record(&mut self, look: L1Look) -> OfferResult {
        self.cores.observe(&look);
        let marks = match self.clock {
            Clock::System => self.clock.marks(),
            // A made-up or captured host has the time of its snapshots.
            Clock::Fixed(_) => Clock::Fixed(look.snapshot.time_us).marks(),
        };
        let offered = self.recorder.offer(look.snapshot, look.facts, marks);
        self.recorder.notices().iter().for_each(|notice| notify(notice));
        self.next = (self.next + self.args.sampling.interval.duration()).max(Instant::now());
        offered
    }
}

/// Waits until the next snapshot is due. Returns the reason to stop, if there is one.
fn wait(
    signals: &Signals,
    recorder: &Recorder,
    next: Instant,
    end: Option<Instant>,
) -> Option<&'static str> {
    let is_last = end.is_some_and(|end| end <= next);
    let until = end.filter(|_| is_last).unwrap_or(next);
    loop {
        match signals.wait_until(until) {
            Some(Signal::End) => return Some("a signal stopped it"),
            Some(Signal::WriteOut) => recorder.write_out("SIGUSR1"),
            None if is_last => return Some("the time given with --for is over"),
            None => return None,
        }
    }
}

fn options(args: &RecordArgs, first: &Snapshot) -> Options {
    let name = || PathBuf::from(format!("ttmem-{}.ttmem", Civil::of(first.time_us).compact()));
    let path = match (&args.output, args.ring) {
        (Some(path), _) => path.clone(),
        (None, None) => name(),
        // Each file that a ring writes gets its own time in its name.
        (None, Some(_)) => PathBuf::from("ttmem.ttmem"),
    };
    let interval_us =
        u64::try_from(args.sampling.interval.duration().as_micros()).unwrap_or(u64::MAX);
    Options {
        path,
        header: Header {
            ttmem: env!("CARGO_PKG_VERSION").to_owned(),
            host: first.host.name.clone(),
            tt_metal: Vec::new(),
            interval_us,
            run: (!args.command.is_empty()).then(|| token().to_owned()),
        },
        max_bytes: args.max_size.map(|Size(bytes)| bytes),
        ring: args.ring.map(|Span(window)| window),
    }
}

fn not_created(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    Error::File(match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{name} exists already; name another file with -o, or remove it")
        }
        _ => format!("cannot create {name}: {error}; name another file with -o"),
    })
}

fn started(args: &RecordArgs, path: &Path) -> String {
    let every = plain(args.sampling.interval.duration());
    let end = match args.duration {
        Some(Span(duration)) => format!(" for {}", plain(duration)),
        None => String::new(),
    };
    match args.ring {
        None => format!("recording to {} every {every}{end}; Ctrl-C stops it", path.display()),
        Some(Span(window)) => format!(
            "keeping the last {} in memory every {every}{end}; kill -USR1 {} writes it out",
            plain(window),
            std::process::id()
        ),
    }
}

fn plain(span: Duration) -> String {
    match span.as_secs() {
        seconds if span.subsec_millis() > 0 || seconds == 0 => format!("{}ms", span.as_millis()),
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn finish(args: &RecordArgs, report: &Report) -> Result<(), Error> {
    let dropped = match report.dropped {
        0 => String::new(),
        dropped => format!(", {dropped} dropped because writing was too slow"),
    };
    let agents = match report.agents {
        0 => String::new(),
        1 => ", allocations of 1 process".to_owned(),
        count => format!(", allocations of {count} processes"),
    };
    let snapshots = match report.moments {
        1 => "1 snapshot".to_owned(),
        count => format!("{count} snapshots"),
    };
    let held = format!("{snapshots}{agents}, {}{dropped}", amount::size(report.bytes));
    let names: Vec<String> = report.files.iter().map(|path| path.display().to_string()).collect();
    if let Some(failure) = &report.failure {
        let message = match names.as_slice() {
            [] => format!("the recording failed: {failure}"),
            names => format!(
                "the recording stopped: {failure}; {} has {held} and can be read",
                names.join(", ")
            ),
        };
        return Err(Error::File(message));
    }
    if let Some(first) = report.unwritten.first() {
        let more = match names.as_slice() {
            [] => "nothing was written".to_owned(),
            names => format!("{} has {held}", names.join(", ")),
        };
        return Err(Error::File(format!("a ring was lost: {first}; {more}")));
    }
    if report.limit.is_some() && report.moments == 0 {
        return Err(Error::usage(
            "--max-size is too small for a single block of snapshots; allow more",
        ));
    }
    match names.as_slice() {
        [] if args.ring.is_some() => {
            notify(
                "nothing was written: no process with device memory died, and no SIGUSR1 was received",
            );
        }
        names => {
            let limit =
                if report.limit.is_some() { ", the most that --max-size allows" } else { "" };
            notify(&format!("wrote {}: {held}{limit}", names.join(", ")));
        }
    }
    Ok(())
}
