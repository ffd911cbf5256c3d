//! `ttmem diff`: the differences between two snapshots or recordings, and a check against limits.

mod l1;
mod summary;

use std::path::Path;

use serde_json::json;
use ttmem_analysis::replay;
use ttmem_analysis::run_report::{RecordedSegment, recorded_segments};
use ttmem_model::snapshot::SCHEMA;
use ttmem_model::{ChipId, Snapshot};
use ttmem_recording::{DamageAccount, OpenError, Recording};
use ttmem_service::recorder::FileSource;

use super::report::damaged_file;
use super::target::{Mode, deliver};
use crate::cli::common::Target;
use crate::cli::diff::DiffArgs;
use crate::error::Error;
use crate::output::json;
use crate::output::page::Charset;
use crate::output::text::{legible, width};
use crate::terminal::notify;
use l1::OpRow;
use summary::{Figure, Key, Summary};

/// The most bytes of a snapshot as JSON. One of a Galaxy has 1 MB.
const MAX_SNAPSHOT_BYTES: u64 = 64 << 20;

/// Prints the difference.
///
/// # Errors
/// If a file is neither a snapshot nor a recording, or after the output if one is damaged; [`Error::Limit`] if growth exceeds a
/// limit.
pub(crate) fn run(args: &DiffArgs, charset: Charset) -> Result<(), Error> {
    let (before, damage_before) = read(&args.before)?;
    let (after, damage_after) = read(&args.after)?;
    let rows = rows(&before, &after);
    let ops = l1::rows(before.l1(), after.l1());
    let limits = args.limit.clone().unwrap_or_default();
    let is_over = |row: &&Row| {
        let most = limits.allowed(row.key.kind);
        most.zip(row.growth()).is_some_and(|(most, growth)| growth > most)
    };
    let over: Vec<&Row> = rows.iter().filter(is_over).collect();
    let damage = [(&args.before, damage_before), (&args.after, damage_after)];
    let text = match args.json {
        true => to_json(args, &rows, &ops, &over, damage_before.bytes, damage_after.bytes),
        false => to_text(&rows, &ops, &over, charset),
    };
    deliver(&Target::Standard, Mode::Append, text.as_bytes())?;
    let damaged = damage.iter().find(|(_, damage)| !damage.is_empty());
    let whole = damaged.map_or(Ok(()), |(path, damage)| Err(damaged_file(path.display(), *damage)));
    let Some((worst, more)) = over.split_first() else { return whole };
    if let Err(error) = &whole {
        notify(error.message());
    }
    let more = match more.len() {
        0 => String::new(),
        count => format!("; {count} more exceed it too"),
    };
    Err(Error::Limit(format!(
        "{} of {} grew by {} bytes, more than --limit allows{more}",
        worst.key.kind.label(),
        worst.key.who(),
        worst.growth().unwrap_or_default(),
    )))
}

/// One kind of memory of one chip or process, before and after.
struct Row {
    key: Key,
    before: Option<Figure>,
    /// True if there was memory before and its size is not known.
    is_before_unknown: bool,
    after: Option<Figure>,
}

impl Row {
    /// Returns the bytes that the peak grew by: all of it if the row is new. `None` if either is not known, or not seen
    /// afterwards, unless it is an op, which then holds nothing.
    fn growth(&self) -> Option<i128> {
        let peak =
            |figure: &Option<Figure>| i128::from(figure.as_ref().map_or(0, |figure| figure.peak));
        let is_known = !self.is_before_unknown && (self.after.is_some() || self.key.op.is_some());
        is_known.then(|| peak(&self.after) - peak(&self.before))
    }

    fn differs(&self) -> bool {
        self.before != self.after
    }
}

fn rows(before: &Summary, after: &Summary) -> Vec<Row> {
    // If one side has no agent, every op of the other would look new.
    let with_ops = before.knows_ops() && after.knows_ops();
    let keys = before.keys().chain(after.keys());
    let keys: std::collections::BTreeSet<&Key> =
        keys.filter(|key| with_ops || key.op.is_none()).collect();
    let row = |key: &Key| Row {
        key: key.clone(),
        before: before.get(key),
        is_before_unknown: before.is_unknown(key),
        after: after.get(key),
    };
    keys.into_iter().map(row).collect()
}

/// Returns what a file has, and what of it is damaged and left out.
fn read(path: &Path) -> Result<(Summary, DamageAccount), Error> {
    let name = path.display();
    let cannot = |error: &dyn std::fmt::Display| {
        Error::File(format!("cannot read {name}: {error}; name a snapshot or a recording"))
    };
    let source = FileSource::open(path)
        .map_err(|error| Error::reading(path, &error, "name a snapshot or a recording"))?;
    match Recording::open(source) {
        Ok(mut recording) => {
            let damage = recording.account().map_err(|error| cannot(&error))?;
            let mut summary = Summary::default();
            for number in 0..recording.len() {
                // A damaged block leaves a gap, as it does in a replay.
                if let Ok(Some(moment)) = recording.moment(number) {
                    summary.add(&replay::snapshot(&moment).map_err(|error| cannot(&error))?);
                }
            }
            add_agents(&mut summary, &recording);
            match summary.is_empty() {
                true => Err(cannot(&"it has no snapshot")),
                false => Ok((summary, damage)),
            }
        }
        Err(OpenError::NotARecording | OpenError::Cut) => {
            let bytes = bytes(path).map_err(|error| cannot(&error))?;
            let snapshot = snapshot(&bytes).map_err(|why| cannot(&why))?;
            let mut summary = Summary::default();
            summary.add(&snapshot);
            Ok((summary, DamageAccount::default()))
        }
        Err(error) => Err(cannot(&error)),
    }
}

/// Adds the agent data of a recording. The ops of a segment that cannot be read are left out.
fn add_agents(summary: &mut Summary, recording: &Recording<FileSource>) {
    let names = summary.names();
    for RecordedSegment { pid, segment, .. } in recorded_segments(recording) {
        let name = pid.and_then(|pid| names.get(&pid).cloned());
        if let Ok(segment) = segment {
            summary.add_agent(name, &segment);
        }
    }
}

/// Reads a snapshot, or says what else the file is.
fn snapshot(bytes: &[u8]) -> Result<Snapshot, String> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    if bytes.trim_ascii().is_empty() {
        return Err("the file is empty".to_owned());
    }
    match serde_json::from_slice::<Head>(bytes) {
        Ok(head) if head.schema == SCHEMA => serde_json::from_slice(bytes)
            .map_err(|error| format!("the snapshot is damaged: {error}")),
        Ok(head) => Err(format!("it is {}, not {SCHEMA}", legible(&head.schema, Charset::Ascii))),
        Err(_) => Err("it is neither a recording nor the JSON of a snapshot".to_owned()),
    }
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_SNAPSHOT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn to_text(rows: &[Row], ops: &[OpRow], over: &[&Row], charset: Charset) -> String {
    let differing: Vec<&Row> = rows.iter().filter(|row| row.differs()).collect();
    let ops = l1::table(ops);
    if differing.is_empty() && ops.is_empty() {
        return "no difference\n".to_owned();
    }
    let cell =
        |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
    let mut table = vec![
        ["WHO", "KIND", "PEAK A", "PEAK B", "GROWTH", "STEADY A", "STEADY B"].map(str::to_owned),
    ];
    for row in &differing {
        let peak = |figure: &Option<Figure>| cell(figure.as_ref().map(|figure| figure.peak));
        let steady = |figure: &Option<Figure>| cell(figure.as_ref().map(|figure| figure.steady));
        let mark = if over.iter().any(|other| other.key == row.key) { " !" } else { "" };
        table.push([
            legible(&row.key.who(), charset).into_owned(),
            row.key.kind.as_str().to_owned(),
            peak(&row.before),
            peak(&row.after),
            row.growth().map_or_else(|| "-".to_owned(), |growth| format!("{growth:+}{mark}")),
            steady(&row.before),
            steady(&row.after),
        ]);
    }
    let mut out = if differing.is_empty() { String::new() } else { aligned(&table, 2) };
    if !ops.is_empty() {
        let separator = if out.is_empty() { "" } else { "\n" };
        let legible_ops = ops.into_iter().map(|mut row| {
            row[0] = legible(&row[0], charset).into_owned();
            row
        });
        out = out + separator + &aligned(&legible_ops.collect::<Vec<_>>(), 1);
    }
    out
}

/// Aligns the columns: the first ones, which are names, left, and numbers right.
fn aligned<const COLUMNS: usize>(table: &[[String; COLUMNS]], names: usize) -> String {
    let mut widths = [0; COLUMNS];
    for row in table {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut out = String::new();
    for row in table {
        let mut line = String::new();
        for (column, (cell, widest)) in row.iter().zip(widths).enumerate() {
            let space = " ".repeat(widest.saturating_sub(width(cell)));
            if column < names {
                line.extend([cell, &space, "  "]);
            } else {
                line.extend([&space, cell, "  "]);
            }
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn to_json(
    args: &DiffArgs,
    rows: &[Row],
    ops: &[OpRow],
    over: &[&Row],
    damaged_before: u64,
    damaged_after: u64,
) -> String {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({
                "chip": row.key.chip,
                "chip_index": row.key.chip.and_then(ChipId::unknown),
                "process": row.key.process,
                "op": row.key.op,
                "kind": row.key.kind,
                "before": row.before,
                "after": row.after,
                "growth": row.growth().map(|growth| i64::try_from(growth).unwrap_or(i64::MAX)),
                "over_limit": over.iter().any(|other| other.key == row.key),
            })
        })
        .collect();
    let value = json!({
        "schema": "ttmem/diff",
        "version": "1.4",
        "before": args.before.display().to_string(),
        "after": args.after.display().to_string(),
        "damaged_bytes_before": damaged_before,
        "damaged_bytes_after": damaged_after,
        "rows": rows,
        "l1_by_op": ops,
        "over_limit": over.len(),
    });
    json::escaped(&format!("{value:#}\n")).into_owned()
}
