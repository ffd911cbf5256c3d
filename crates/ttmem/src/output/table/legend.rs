//! The last lines of the table: what the signs in it mean, and how each source did.

use ttmem_model::Quality;
use ttmem_model::snapshot::{Snapshot, Source, SourceStatus};

use crate::field::figure::Figure;
use crate::output::amount;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;
use crate::output::text::width;

const QUALITIES: [Quality; 4] =
    [Quality::Approximate, Quality::HighWater, Quality::Inferred, Quality::Stale];

/// The signs that a table has used.
#[derive(Debug, Default)]
pub(super) struct Legend {
    qualities: Vec<Quality>,
    dash: bool,
    question: bool,
    one_chip: bool,
}

impl Legend {
    /// Formats a figure in at most six columns: the sign of its quality and its number, or the sign of a missing value.
    pub(super) fn short(&mut self, page: &Page, figure: Figure) -> String {
        self.write(page, figure, amount::short_size)
    }

    /// A figure with its unit in at most nine columns.
    pub(super) fn long(&mut self, page: &Page, figure: Figure) -> String {
        self.write(page, figure, amount::size)
    }

    /// A figure whose quality is said in words, or says less than that of the figure beside it.
    pub(super) fn unmarked(&mut self, page: &Page, figure: Figure) -> String {
        figure.bytes().map_or_else(|| self.short(page, figure), amount::size)
    }

    /// Says how one of many chips is shown in full.
    pub(super) fn hint_at_one_chip(&mut self) {
        self.one_chip = true;
    }

    fn write(&mut self, page: &Page, figure: Figure, size: fn(u64) -> String) -> String {
        match figure {
            Figure::Known { bytes, quality, .. } => {
                let mark = page.mark(quality);
                if !mark.is_empty() && !self.qualities.contains(&quality) {
                    self.qualities.push(quality);
                }
                format!("{mark}{}", size(bytes))
            }
            Figure::Blank(reason) => {
                let blank = page.blank(reason);
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
            notes.push("CBs: circular buffers".to_owned());
        }
        if self.one_chip {
            notes.push("ttmem -i N shows chip N in full".to_owned());
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

/// The status of each source that was asked.
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
    for note in notes {
        if line.columns() > 1 && line.columns() + GAP + width(note) > end {
            sheet.end(line);
            line = sheet.start();
            line.pad_to(1);
        } else if line.columns() > 1 {
            line.pad_to(line.columns() + GAP);
        }
        line.push(role, note, end);
    }
    if !notes.is_empty() {
        sheet.end(line);
    }
}
