//! The last lines of the table: what the signs in it mean, and how each source did.

use ttmem_model::snapshot::{Chip, Snapshot, Source, SourceStatus};
use ttmem_model::{Missing, MissingReason, Quality, Reading};

use crate::field::cell::is_above_zero;
use crate::field::device;
use crate::output::amount;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;
use crate::output::text::{width, wrap};

const QUALITIES: [Quality; 4] =
    [Quality::Approximate, Quality::HighWater, Quality::Inferred, Quality::Stale];

/// The signs that a table has used.
#[derive(Debug, Default)]
pub(super) struct Legend {
    qualities: Vec<Quality>,
    dash: bool,
    question: bool,
    one_chip: bool,
    /// Fields that no chip has, in words.
    missing: Vec<String>,
    /// True if the bytes of a process are sums over several chips.
    together: bool,
}

impl Legend {
    /// Formats a figure in at most six columns: the sign of its quality and its number, or the sign of a missing value.
    pub(super) fn short(&mut self, page: &Page, figure: &Reading<u64>) -> String {
        self.write(page, figure, amount::short_size)
    }

    /// A figure with its unit in at most nine columns.
    pub(super) fn long(&mut self, page: &Page, figure: &Reading<u64>) -> String {
        self.write(page, figure, amount::size)
    }

    /// A figure whose quality is given in words, or is covered by that of the figure beside it.
    pub(super) fn unmarked(&mut self, page: &Page, figure: &Reading<u64>) -> String {
        figure.value().copied().map_or_else(|| self.short(page, figure), amount::size)
    }

    /// Adds the hint how one of many chips is shown in full.
    pub(super) fn hint_at_one_chip(&mut self) {
        self.one_chip = true;
    }

    /// Notes that fields are missing for every chip, which the chips do not repeat.
    pub(super) fn missing_everywhere(&mut self, fields: &[(String, MissingReason)]) {
        for run in fields.chunk_by(|(_, one), (_, next)| one == next) {
            let Some((_, reason)) = run.first() else { continue };
            let names: Vec<&str> = run.iter().map(|(name, _)| name.as_str()).collect();
            let hint = match reason {
                MissingReason::NotRead => " (--l1 reads L1)",
                _ => " (ttmem -q)",
            };
            self.missing.push(format!("{}: {}{hint}", names.join(", "), reason.as_str()));
        }
    }

    /// Notes that the bytes of a process are those on all its chips.
    pub(super) fn processes_together(&mut self) {
        self.together = true;
    }

    fn write(&mut self, page: &Page, figure: &Reading<u64>, size: fn(u64) -> String) -> String {
        match figure {
            Reading::Known { value: bytes, quality, .. } => {
                let mark = page.mark(*quality);
                if !mark.is_empty() && !self.qualities.contains(quality) {
                    self.qualities.push(*quality);
                }
                format!("{mark}{}", size(*bytes))
            }
            Reading::Missing(Missing { reason, .. }) => {
                let blank = page.blank(*reason);
                self.question |= blank == "?";
                self.dash |= blank != "?";
                blank.to_owned()
            }
        }
    }

    /// Draws the legend.
    pub(super) fn draw(self, sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
        let mut notes = self.signs(sheet.page());
        if !snapshot.chips.is_empty() {
            notes.push(circular_buffers(snapshot));
        }
        let of_kinds = ["memory.trace.used", "memory.l1_small.used"];
        let has = |name: &&str| {
            snapshot.chips.iter().any(|chip| is_above_zero(&device::figure(name, chip)))
        };
        if of_kinds.iter().any(has) {
            notes.push("DRAM without trace, L1 allocated without L1_SMALL".to_owned());
        }
        notes.extend(self.missing);
        if self.together {
            notes.push("processes: their chips together".to_owned());
        }
        if self.one_chip {
            notes.push("--wide, -i N: chips in full".to_owned());
        }
        flow(sheet, Role::Quiet, &notes);
        draw_sources(sheet, &snapshot.sources);
    }

    /// Draws the legend of the signs.
    fn signs(&self, page: &Page) -> Vec<String> {
        let used = QUALITIES.iter().filter(|quality| self.qualities.contains(quality));
        let mut signs: Vec<String> =
            used.map(|quality| format!("{} {}", page.mark(*quality), quality.as_str())).collect();
        let dash = self.dash.then(|| format!("{} not known", page.glyphs().dash));
        let question = self.question.then(|| "? not readable".to_owned());
        let blanks: Vec<String> = dash.into_iter().chain(question).collect();
        if !blanks.is_empty() {
            signs.push(format!("{} (ttmem -q)", blanks.join(", ")));
        }
        signs
    }
}

/// What the figures of circular buffers contain.
fn circular_buffers(snapshot: &Snapshot) -> String {
    let aliasing = |chip: &Chip| chip.memory.circular_buffers.aliasing.value().copied();
    let bytes: Vec<u64> =
        snapshot.chips.iter().filter_map(aliasing).filter(|bytes| *bytes > 0).collect();
    match bytes.as_slice() {
        [] => "CBs: circular buffers".to_owned(),
        [one] if snapshot.chips.len() == 1 => {
            format!("CBs: circular buffers, {} of them aliasing tensors", amount::size(*one))
        }
        _ => "CBs: circular buffers, aliasing included".to_owned(),
    }
}

/// Draws the status of each source that was read.
fn draw_sources(sheet: &mut Sheet<'_>, sources: &[Source]) {
    let mut role = Role::Quiet;
    let mut notes = Vec::new();
    for source in sources.iter().filter(|source| source.status != SourceStatus::NotRead) {
        let label = if notes.is_empty() { "sources: " } else { "" };
        notes.push(format!("{label}{} {}", source.name.as_str(), source.status.as_str()));
        if matches!(source.status, SourceStatus::Denied | SourceStatus::Failed) {
            role = Role::Notice;
        }
    }
    flow(sheet, role, &notes);
}

/// Notes side by side, on as many lines as they need.
fn flow(sheet: &mut Sheet<'_>, role: Role, notes: &[String]) {
    const GAP: usize = 3;
    let end = sheet.page().width - 1;
    let mut line = sheet.start();
    line.pad_to(1);
    let pieces = notes.iter().flat_map(|note| wrap(note, end - 1));
    for note in pieces {
        if line.columns() > 1 && line.columns() + GAP + width(&note) > end {
            sheet.end(line);
            line = sheet.start();
            line.pad_to(1);
        } else if line.columns() > 1 {
            line.pad_to(line.columns() + GAP);
        }
        line.push(role, &note, end);
    }
    if !notes.is_empty() {
        sheet.end(line);
    }
}
