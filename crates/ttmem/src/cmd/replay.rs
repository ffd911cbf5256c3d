//! `ttmem replay`: looks into a recording, on a terminal as `ttmem top` does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ttmem_recording::civil::Civil;
use ttmem_recording::{Damage, Event, OpenError, Recording};
use ttmem_service::recorder::FileSource;

use super::moment::{self, SYNTAX};
use super::top;
use crate::cli::CommonArgs;
use crate::exit::{Exit, Failure};
use crate::output::json::{self, Layout};
use crate::output::page::{Charset, Page};
use crate::output::table;
use crate::output::text::legible;

/// Options of `ttmem replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show this moment: a date and time, +90s from the start, -90s from the end, start or end.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Print what it is, where a terminal would show the recording itself.
    #[arg(long, conflicts_with_all = ["at", "events"])]
    pub summary: bool,
    /// List what happened.
    #[arg(long, conflicts_with = "at")]
    pub events: bool,
    /// Print JSON: the snapshot as it was, or one event a line.
    #[arg(long)]
    pub json: bool,
}

/// Shows the recording on the terminal, if that is asked for and there is one: `ttmem top` on what was recorded.
///
/// # Errors
/// If the file is no recording that can be read, or the terminal cannot be drawn on.
pub fn show(args: &ReplayArgs, common: &CommonArgs) -> Result<Option<ExitCode>, Failure> {
    let asks_for_text = args.at.is_some() || args.events || args.json || args.summary;
    if asks_for_text || !top::has_terminal() {
        return Ok(None);
    }
    let recording = open(&args.file)?;
    // One without a moment can only be summed up.
    let Some(span) = recording.span() else { return Ok(None) };
    top::replay(&args.file, &recording, span, common).map(Some)
}

/// What is asked for, as text. `page` is what a table is drawn on.
///
/// # Errors
/// If the file is no recording that can be read, or has no such moment.
pub fn render(args: &ReplayArgs, page: &Page) -> Result<Vec<u8>, Failure> {
    let mut recording = open(&args.file)?;
    let damaged = |damage: Damage| {
        Failure::usage(format!("{} is damaged there: {damage}", args.file.display()))
    };
    match &args.at {
        Some(text) => at(args, text, &mut recording, page),
        None if args.events => {
            Ok(list(recording.events().map_err(damaged)?, args.json, page.charset))
        }
        None if args.json => {
            let events = recording.events().map_err(damaged)?;
            let mut text = summary_json(&recording, events.len()).to_string();
            text.push('\n');
            Ok(text.into_bytes())
        }
        None => {
            let events = recording.events().map_err(damaged)?;
            Ok(summary(&args.file, &recording, events.len(), page.charset).into_bytes())
        }
    }
}

/// Opens a recording.
///
/// # Errors
/// If it cannot be opened, or is none.
pub fn open(path: &Path) -> Result<Recording<FileSource>, Failure> {
    let name = path.display();
    let source = FileSource::open(path).map_err(|error| {
        Failure::usage(format!("cannot open {name}: {error}; name a recording of ttmem record"))
    })?;
    Recording::open(source).map_err(|error| {
        let exit = match error {
            OpenError::TooNew { .. } => Exit::Unsupported,
            _ => Exit::Usage,
        };
        Failure { exit, message: format!("{name}: {error}") }
    })
}

fn at(
    args: &ReplayArgs,
    text: &str,
    recording: &mut Recording<FileSource>,
    page: &Page,
) -> Result<Vec<u8>, Failure> {
    let name = args.file.display();
    let nothing = |what: String| Failure { exit: Exit::NotFound, message: what };
    let (first, last) =
        recording.span().ok_or_else(|| nothing(format!("{name} has no snapshot in it")))?;
    let time = moment::parse(text, first, last)
        .ok_or_else(|| Failure::usage(format!("`{text}` is no moment; {SYNTAX}")))?;
    let damaged = |damage: Damage| {
        Failure::usage(format!("{name} is damaged at {}: {damage}", Civil::of(time)))
    };
    let outside = |how: &str| {
        let (first, last) = (Civil::of(first), Civil::of(last));
        nothing(format!("{name} {how}; it goes from {first} to {last}"))
    };
    // The last snapshot holds until the next one would have come, and that may have been late.
    let lasts_us = recording.header().interval_us.saturating_mul(2).saturating_add(1_000_000);
    if time.micros_since(last) > lasts_us {
        return Err(outside("ends earlier"));
    }
    let moment = recording.at(time).map_err(damaged)?.ok_or_else(|| outside("begins later"))?;
    if !args.json {
        let snapshot = moment.snapshot().map_err(damaged)?;
        return Ok(table::render(&snapshot, page).into_bytes());
    }
    let mut bytes = Vec::new();
    json::write(&moment, Layout::Pretty, &mut bytes)
        .map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))?;
    Ok(bytes)
}

/// One event a line, by time: a peak is known as one only after it.
fn list(mut events: Vec<Event>, as_json: bool, charset: Charset) -> Vec<u8> {
    events.sort_by_key(|event| event.time);
    let mut text = String::new();
    for event in &events {
        let line = if as_json {
            serde_json::to_string(event).unwrap_or_default()
        } else {
            let (time, kind) = (Civil::of(event.time).to_string(), event.kind.as_str());
            let text = legible(&event.text, charset);
            format!("{time}  {kind:<16}  {text}").trim_end().to_owned()
        };
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}

fn summary(
    path: &Path,
    recording: &Recording<FileSource>,
    events: usize,
    charset: Charset,
) -> String {
    let header = recording.header();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let value = legible(&value, charset);
        text.push_str(&format!("{name:<10} {value}\n"));
    };
    line("recording", path.display().to_string());
    line("format", format!("{}, by ttmem {}", recording.version(), header.ttmem));
    line("host", header.host.clone().unwrap_or_else(|| "not known".to_owned()));
    if let Some((first, last)) = recording.span() {
        line("from", Civil::of(first).to_string());
        line("to", Civil::of(last).to_string());
    }
    line("snapshots", recording.len().to_string());
    line("events", events.to_string());
    if !recording.is_ended() {
        line("end", "missing: it is being recorded, or the recorder was killed".to_owned());
    }
    if recording.damaged_bytes() > 0 {
        line("damage", format!("{} bytes are passed over", recording.damaged_bytes()));
    }
    text
}

fn summary_json(recording: &Recording<FileSource>, events: usize) -> serde_json::Value {
    let header = recording.header();
    let span = recording.span();
    serde_json::json!({
        "schema": "ttmem/recording",
        "version": recording.version().to_string(),
        "ttmem": header.ttmem,
        "host": header.host,
        "tt_metal": header.tt_metal,
        "interval_us": header.interval_us,
        "from_us": span.map(|(first, _)| first),
        "to_us": span.map(|(_, last)| last),
        "snapshots": recording.len(),
        "events": events,
        "ended": recording.is_ended(),
        "damaged_bytes": recording.damaged_bytes(),
    })
}
