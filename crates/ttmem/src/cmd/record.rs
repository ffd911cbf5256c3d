//! `ttmem record`: snapshots over time, into a file or into a ring that is written when something happens.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use ttmem_collect::clock::Clock;
use ttmem_collect::recorder::{Offered, Options, Recorder, Report};
use ttmem_model::Snapshot;
use ttmem_model::recording::Header;
use ttmem_model::recording::civil::Civil;

use super::quantity::{Size, Span};
use crate::exit::{self, Exit, Failure};
use crate::interval::Interval;
use crate::signal::{Signal, Signals};

/// Options of `ttmem record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The file to write, which must not be there yet; ttmem-TIME.ttmem if not said.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Take a snapshot every SEC seconds; 250ms, 2s and 1m are understood.
    #[arg(short = 'l', long = "loop", value_name = "SEC", default_value = "1")]
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
}

/// Records until the time is over, a limit is reached, or a signal comes.
///
/// # Errors
/// If no source can be read, or the recording fails.
pub fn run(
    args: &RecordArgs,
    clock: Clock,
    mut take: impl FnMut() -> Snapshot,
) -> Result<(), Failure> {
    let signals = Signals::new()
        .map_err(|error| Failure::usage(format!("cannot listen to signals: {error}")))?;
    let first = take();
    if let Some(failure) = exit::of_sources(&first) {
        return Err(failure);
    }
    let options = options(args, &first);
    let path = options.path.clone();
    let recorder = Recorder::start(options).map_err(|error| refused(&path, &error))?;
    say(&beginning(args, &path));

    let start = Instant::now();
    let end = args.duration.and_then(|Span(duration)| start.checked_add(duration));
    let mut next = start;
    let mut snapshot = Some(first);
    let why = loop {
        let taken = snapshot.take().unwrap_or_else(&mut take);
        if recorder.offer(taken, clock.marks()) == Offered::Ended {
            break "it ended by itself";
        }
        recorder.notices().iter().for_each(|notice| say(notice));
        next = (next + args.interval.duration()).max(Instant::now());
        match wait(&signals, &recorder, next, end) {
            Some(why) => break why,
            None => continue,
        }
    };
    let report = recorder.stop(why);
    conclude(args, &report)
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
    let held = format!("{} snapshots in {} bytes{dropped}", report.moments, report.bytes);
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

fn say(line: &str) {
    // There is nowhere left to say that standard error is closed.
    drop(writeln!(io::stderr().lock(), "ttmem: {line}"));
}
