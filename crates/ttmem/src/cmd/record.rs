//! `ttmem record`: snapshots over time, into a file or into a ring that is written when something happens.

pub mod cores;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Args;
use signal_hook::consts::SIGXFSZ;
use ttmem_model::Snapshot;
use ttmem_recording::Header;
use ttmem_recording::civil::Civil;
use ttmem_root::clock::Clock;
use ttmem_service::recorder::{Agents, Offered, Options, Recorder, Report};

use self::cores::CorePeak;
use super::quantity::{Size, Span};
use super::run::command::{Running, shown};
use super::run::{clean, conclude as conclude_command};
use crate::exit::{self, Exit, Failure};
use crate::interval::Interval;
use crate::signal::{Signal, Signals};
use crate::terminal::say;

/// Options of `ttmem record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The file to write, which must not be there yet; ttmem-TIME.ttmem if not said.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Take a snapshot every SEC seconds; 250ms, 2s and 1m are understood.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        default_value = "1"
    )]
    pub interval: Interval,
    /// End after this time, such as 90s, 1h or 7d.
    #[arg(long = "for", value_name = "TIME")]
    pub duration: Option<Span>,
    /// End before the file is larger; with --ring, so much memory at most.
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<Size>,
    /// Keep the last TIME in memory and write it to FILE-MOMENT when a process with device memory
    /// dies, or on SIGUSR1.
    #[arg(long, value_name = "TIME")]
    pub ring: Option<Span>,
    /// Read the L1 of real chips too, as ttmem --l1 does; the moment with most in use is kept core by core.
    #[arg(long)]
    pub l1: bool,
    /// Run this command with the agent and record until it ends. Its streams, its exit code and signals pass through.
    #[arg(last = true, value_name = "CMD", conflicts_with = "duration")]
    pub command: Vec<OsString>,
}

/// Records until the time is over, a limit is reached, a signal comes, or the command ends. The exit code is the
/// command's, if there is one. What `agents` sees is in the recording too, and the
/// cores at their peak, which `take` keeps up.
///
/// # Errors
/// If no source can be read, or the recording or a ring cannot be written.
pub fn run(
    args: &RecordArgs,
    clock: Clock,
    agents: Option<Agents>,
    cores: &RefCell<CorePeak>,
    mut take: impl FnMut() -> Snapshot,
) -> Result<ExitCode, Failure> {
    if args.output.as_deref() == Some(Path::new("-")) {
        return Err(Failure::usage("a recording needs a file that can be cut; name one with -o"));
    }
    // Beyond a limit of the shell's (ulimit -f) a write fails then, as on a full disk; the signal would end the program.
    let heard = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, heard)
        .map_err(|error| Failure::usage(format!("cannot listen to signals: {error}")))?;
    let first = take();
    // A command may be the first to use a chip here: then there is nothing to read before.
    if let Some(failure) = exit::of_sources(&first).filter(|_| args.command.is_empty()) {
        return Err(failure);
    }
    let options = options(args, &first);
    let path = options.path.clone();
    let recorder = Recorder::start(options, agents).map_err(|error| refused(&path, &error))?;
    let session = Session { args, path, clock, recorder, cores, next: Instant::now() };
    match args.command.is_empty() {
        true => session.until_told(first, take),
        false => session.until_command_ends(first, take),
    }
}

/// A recording that is under way.
struct Session<'a> {
    args: &'a RecordArgs,
    path: PathBuf,
    clock: Clock,
    recorder: Recorder,
    cores: &'a RefCell<CorePeak>,
    /// When the next snapshot is due.
    next: Instant,
}

impl Session<'_> {
    fn until_told(
        mut self,
        first: Snapshot,
        mut take: impl FnMut() -> Snapshot,
    ) -> Result<ExitCode, Failure> {
        let signals = Signals::new()
            .map_err(|error| Failure::usage(format!("cannot listen to signals: {error}")))?;
        say(&beginning(self.args, &self.path));
        let end = self.args.duration.and_then(|Span(duration)| self.next.checked_add(duration));
        let mut snapshot = Some(first);
        let why = loop {
            if self.record(snapshot.take().unwrap_or_else(&mut take)) == Offered::Ended {
                break "it ended by itself";
            }
            match wait(&signals, &self.recorder, self.next, end) {
                Some(why) => break why,
                None => continue,
            }
        };
        conclude(self.args, &self.stop(why)).map(|()| ExitCode::SUCCESS)
    }

    fn until_command_ends(
        mut self,
        first: Snapshot,
        mut take: impl FnMut() -> Snapshot,
    ) -> Result<ExitCode, Failure> {
        let mut command = match Running::start(&self.args.command) {
            Ok(Ok(command)) => command,
            Ok(Err(code)) => {
                self.forget();
                return Ok(ExitCode::from(code));
            }
            Err(failure) => {
                self.forget();
                return Err(failure);
            }
        };
        let mut offered = self.record(first);
        while !command.wait_until(self.next) {
            if offered == Offered::Ended {
                // The command goes on without its recording.
                self.next += Duration::from_secs(3600);
            } else {
                offered = self.record(take());
            }
        }
        let (args, end) = (self.args, |code| {
            // How the host looks without the command.
            self.record(take());
            let command = shown(&self.args.command);
            self.stop(&format!("`{command}` ended with {code}"))
        });
        let (ended, report) = command.wait(end)?;
        clean(&ended.found, false);
        conclude_command(ended.code, conclude(args, &report))
    }

    /// Nothing was recorded: the file is empty. A ring has made none, and what stands there is somebody's.
    fn forget(self) {
        drop(self.recorder.stop(""));
        if self.args.ring.is_none() {
            drop(std::fs::remove_file(&self.path));
        }
    }

    fn stop(self, why: &str) -> Report {
        if let Some((attachment, bytes)) = self.cores.borrow().attachment() {
            self.recorder.attach(attachment, bytes);
        }
        let report = self.recorder.stop(why);
        report.notices.iter().for_each(|notice| say(notice));
        report
    }

    fn record(&mut self, snapshot: Snapshot) -> Offered {
        let offered = self.recorder.offer(snapshot, self.clock.marks());
        self.recorder.notices().iter().for_each(|notice| say(notice));
        self.next = (self.next + self.args.interval.duration()).max(Instant::now());
        offered
    }
}

/// Waits for the time of the next snapshot. Gives the reason to end, if there is one.
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
            Some(Signal::End) => return Some("a signal ended it"),
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
        // The name of each file that a ring writes gets its own time.
        (None, Some(_)) => PathBuf::from("ttmem.ttmem"),
    };
    let interval_us = u64::try_from(args.interval.duration().as_micros()).unwrap_or(u64::MAX);
    Options {
        path,
        header: Header {
            ttmem: env!("CARGO_PKG_VERSION").to_owned(),
            host: first.host.name.clone(),
            tt_metal: Vec::new(),
            interval_us,
        },
        max_bytes: args.max_size.map(|Size(bytes)| bytes),
        ring: args.ring.map(|Span(window)| window),
    }
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let name = path.display();
    Failure::usage(match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{name} is there already; name another file with -o, or remove it")
        }
        _ => format!("cannot create {name}: {error}; name another file with -o"),
    })
}

fn beginning(args: &RecordArgs, path: &Path) -> String {
    let every = plain(args.interval.duration());
    let end = match args.duration {
        Some(Span(duration)) => format!(" for {}", plain(duration)),
        None => String::new(),
    };
    match args.ring {
        None => format!("recording to {} every {every}{end}; Ctrl-C ends it", path.display()),
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

fn conclude(args: &RecordArgs, report: &Report) -> Result<(), Failure> {
    let dropped = match report.dropped {
        0 => String::new(),
        dropped => format!(", {dropped} dropped since writing was too slow"),
    };
    let agents = match report.agents {
        0 => String::new(),
        1 => " and what an agent said".to_owned(),
        count => format!(" and what {count} agents said"),
    };
    let snapshots = match report.moments {
        1 => "1 snapshot".to_owned(),
        count => format!("{count} snapshots"),
    };
    let held = format!("{snapshots}{agents} in {} bytes{dropped}", report.bytes);
    let names: Vec<String> = report.files.iter().map(|path| path.display().to_string()).collect();
    if let Some(failure) = &report.failure {
        let message = match names.as_slice() {
            [] => format!("the recording failed: {failure}"),
            names => format!(
                "the recording ended: {failure}; {} has {held} and can be read",
                names.join(", ")
            ),
        };
        return Err(Failure { exit: Exit::Usage, message });
    }
    if let Some(first) = report.unwritten.first() {
        let more = match names.as_slice() {
            [] => "nothing was written".to_owned(),
            names => format!("{} has {held}", names.join(", ")),
        };
        return Err(Failure {
            exit: Exit::Usage,
            message: format!("a ring was lost: {first}; {more}"),
        });
    }
    if report.limit.is_some() && report.moments == 0 {
        return Err(Failure::usage(
            "--max-size is too small for a single block of snapshots; allow more",
        ));
    }
    match names.as_slice() {
        [] if args.ring.is_some() => {
            say("nothing was written: no process with device memory died, and no SIGUSR1 came");
        }
        names => {
            let limit = if report.limit.is_some() { ", as large as --max-size allows" } else { "" };
            say(&format!("wrote {}: {held}{limit}", names.join(", ")));
        }
    }
    Ok(())
}
