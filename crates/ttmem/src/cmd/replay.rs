//! `ttmem replay`: a recording on the terminal, or as text.

use std::path::Path;
use std::process::ExitCode;

use ttmem_analysis::replay;
use ttmem_model::{Snapshot, order};
use ttmem_recording::civil::Civil;
use ttmem_recording::{Damage, DamageAccount, Event, Moment, OpenError, Recording};
use ttmem_service::recorder::FileSource;

use super::report::damaged_file;
use super::target::{Mode, deliver};
use super::top;
use crate::cli::common::{CommonArgs, Target};
use crate::cli::replay::ReplayArgs;
use crate::error::Error;
use crate::output::json::{self, Layout};
use crate::output::page::{Charset, Page};
use crate::output::table;
use crate::output::text::legible;
use crate::units::moment::{self, SYNTAX};

/// Shows the recording on the terminal as `ttmem top` does, or prints text if the options ask for it.
///
/// # Errors
/// If the file is not a readable recording, has no such moment, or the output cannot be written.
pub(crate) fn run(args: &ReplayArgs, common: &CommonArgs, page: &Page) -> Result<ExitCode, Error> {
    if !args.asks_for_text() && top::has_terminal() {
        let recording = open(&args.file)?;
        // A recording without a moment can only be summarized.
        if let Some(span) = recording.span() {
            return top::replay(&args.file, &recording, span, common);
        }
    }
    let (text, damage) = render(args, page)?;
    deliver(&Target::Standard, Mode::Append, &text)?;
    match damage.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(damaged_file(args.file.display(), damage)),
    }
}

/// Returns the requested text, and what it leaves out.
fn render(args: &ReplayArgs, page: &Page) -> Result<(Vec<u8>, DamageAccount), Error> {
    let mut recording = open(&args.file)?;
    let damaged =
        |damage: Damage| Error::File(format!("{} is damaged: {damage}", args.file.display()));
    if let Some(text) = &args.at {
        // One moment is read, or it is an error.
        return Ok((at(args, text, &mut recording, page)?, DamageAccount::default()));
    }
    let damage = recording.account().map_err(damaged)?;
    let events = recording.events().map_err(damaged)?;
    let text = match (args.events, args.json) {
        (true, as_json) => list(events, as_json, page.charset),
        (false, true) => {
            let value = summary_json(&recording, events.len(), damage).to_string();
            (json::escaped(&value).into_owned() + "\n").into_bytes()
        }
        (false, false) => {
            summary(&args.file, &recording, events.len(), damage, page.charset).into_bytes()
        }
    };
    Ok((text, damage))
}

/// Opens a recording.
///
/// # Errors
/// If it cannot be opened or is not a recording; [`Error::Unsupported`] if a newer ttmem wrote it.
pub(crate) fn open(path: &Path) -> Result<Recording<FileSource>, Error> {
    let name = path.display();
    let source = FileSource::open(path)
        .map_err(|error| Error::reading(path, &error, "name a recording of ttmem record"))?;
    Recording::open(source).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            OpenError::TooNew { .. } => Error::Unsupported(message),
            _ => Error::File(message),
        }
    })
}

fn at(
    args: &ReplayArgs,
    text: &str,
    recording: &mut Recording<FileSource>,
    page: &Page,
) -> Result<Vec<u8>, Error> {
    let name = args.file.display();
    let (first, last) =
        recording.span().ok_or_else(|| Error::NotFound(format!("{name} has no snapshot")))?;
    let time = moment::parse(text, first, last)
        .ok_or_else(|| Error::usage(format!("`{text}` is not a moment; {SYNTAX}")))?;
    let damaged =
        |damage: Damage| Error::File(format!("{name} is damaged at {}: {damage}", Civil::of(time)));
    let outside = |how: &str| {
        let (first, last) = (Civil::of(first), Civil::of(last));
        Error::NotFound(format!("{name} {how}; it spans {first} to {last}"))
    };
    // The last snapshot is valid until the next one was due, and that may have been late.
    let lasts_us = recording.header().interval_us.saturating_mul(2).saturating_add(1_000_000);
    if time.micros_since(last) > lasts_us {
        return Err(outside("ends before that"));
    }
    let moment =
        recording.at(time).map_err(damaged)?.ok_or_else(|| outside("starts after that"))?;
    if !args.json {
        let snapshot = replay::snapshot(&moment).map_err(damaged)?;
        return Ok(table::render(&snapshot, table::Form::ByCount, page).into_bytes());
    }
    let mut bytes = Vec::new();
    let written = match replay::merged(&moment).or_else(|| without_false_ids(&moment)) {
        Some(snapshot) => json::write(&snapshot, Layout::Pretty, &mut bytes),
        // With fields of a later version.
        None => json::write(&moment, Layout::Pretty, &mut bytes),
    };
    written.map_err(|error| Error::json(&error))?;
    Ok(bytes)
}

/// The recorded snapshot if it has a chip without an id and is of a version before 2.3, which has a number in for the id.
fn without_false_ids(moment: &Moment) -> Option<Snapshot> {
    let snapshot = moment.snapshot().ok()?;
    let (major, minor) = snapshot.version.split_once('.')?;
    let version: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    let has_none = snapshot.chips.iter().any(|chip| chip.id.known().is_none());
    (version < (2, 3) && has_none).then_some(snapshot)
}

/// Returns one event per line, sorted by time; a peak is recorded only after it.
fn list(mut events: Vec<Event>, as_json: bool, charset: Charset) -> Vec<u8> {
    order::sort_by_key(&mut events, |event| event.time);
    let mut text = String::new();
    for event in &events {
        let line = if as_json {
            json::escaped(&serde_json::to_string(event).unwrap_or_default()).into_owned()
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
    damage: DamageAccount,
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
    line("host", header.host.clone().unwrap_or_else(|| "unknown".to_owned()));
    if let Some((first, last)) = recording.span() {
        line("from", Civil::of(first).to_string());
        line("to", Civil::of(last).to_string());
    }
    line("snapshots", recording.len().to_string());
    line("events", events.to_string());
    if !recording.is_ended() {
        line("end", "missing: recording is in progress, or the recorder was killed".to_owned());
    }
    if !damage.is_empty() {
        line("damage", damage.to_string());
    }
    text
}

fn summary_json(
    recording: &Recording<FileSource>,
    events: usize,
    damage: DamageAccount,
) -> serde_json::Value {
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
        "damaged_bytes": damage.bytes,
        "damaged_snapshots": damage.snapshots,
        "damaged_parts": damage.parts,
    })
}
