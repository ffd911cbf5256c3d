//! `-q`: everything in the snapshot, one reading per line, each with its source and quality or with its missing
//! reason.

use ttmem_model::snapshot::{Chip, Process, ProcessOnChip, Snapshot};

use super::amount;
use super::naming;
use super::page::{Page, Role};
use super::sheet::Sheet;
use super::text::{legible, wrap};
use crate::field::cell::{Cell, Number, Origin};
use crate::field::device::{self, DeviceRead, PER_BANK};
use crate::field::process::{self, ProcessRead};
use crate::field::{finding, label, source};

/// Columns by which each level is set in.
const STEP: usize = 4;
/// Column at which values begin. No field's label reaches it.
const VALUES: usize = 36;
/// The narrowest column of values; on narrower pages lines are longer than the page.
const LEAST_VALUE_COLUMNS: usize = 24;

/// Properties of a chip that no file of the driver has (tt-kmd 2.10, `docs/sysfs-attributes.md`) and that tt-smi 6.8 asks the
/// firmware for. To ask it, the device would have to be opened.
const NOT_PUBLISHED: &str = "GDDR temperature, ECC and training, Ethernet links, harvesting: the driver has no file for them; tt-smi -s \
                             asks the firmware";

/// Draws everything. Values are wrapped at the page's width.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, page: &Page) -> String {
    let mut tree = Tree { sheet: Sheet::new(page), path: Vec::new() };
    draw_host(&mut tree, snapshot);
    draw_sources(&mut tree, snapshot);
    draw_chips(&mut tree, snapshot);
    draw_processes(&mut tree, snapshot);
    draw_findings(&mut tree, snapshot);
    tree.sheet.finish()
}

/// A tree of headings and lines. A heading is drawn when the first line under it is.
struct Tree<'p> {
    sheet: Sheet<'p>,
    path: Vec<String>,
}

impl Tree<'_> {
    fn section(&mut self, heading: &str) {
        if !self.path.is_empty() {
            self.sheet.skip();
        }
        self.path.clear();
        self.heading(0, heading);
    }

    fn heading(&mut self, depth: usize, heading: &str) {
        self.path.truncate(depth);
        self.path.push(heading.to_owned());
        let mut line = self.sheet.start();
        line.pad_to(depth * STEP);
        line.push(Role::Strong, heading, usize::MAX);
        self.sheet.end(line);
    }

    /// Draws a line for a field: the parts of its name but the last become headings below the first `depth` levels.
    fn field(&mut self, depth: usize, name: &str, cell: &Cell<'_>, unit: &str) {
        let mut parts: Vec<&str> = name.split('.').collect();
        let leaf = parts.pop().unwrap_or(name);
        for (level, part) in parts.iter().enumerate() {
            let heading = label(part, "");
            if self.path.get(depth + level) != Some(&heading) {
                self.heading(depth + level, &heading);
            }
        }
        let depth = depth + parts.len();
        self.path.truncate(depth);
        self.entry(depth, &label(leaf, unit), &value(self.sheet.page(), cell, unit));
    }

    fn entry(&mut self, depth: usize, label: &str, pieces: &[(Role, String)]) {
        let page = self.sheet.page();
        let columns = page.width.saturating_sub(VALUES + 2).max(LEAST_VALUE_COLUMNS);
        let mut line = self.sheet.start();
        line.pad_to(depth * STEP);
        line.push(Role::Plain, label, VALUES - 1);
        line.pad_to(VALUES);
        line.push(Role::Quiet, ":", VALUES + 1);
        line.pad_to(VALUES + 2);
        for (role, piece) in pieces {
            let piece = legible(piece, page.charset);
            for part in wrap(&piece, columns) {
                let end = VALUES + 2 + columns;
                let used = line.columns();
                let is_first = used == VALUES + 2;
                if !is_first && used + 2 + super::text::width(&part) > end {
                    self.sheet.end(line);
                    line = self.sheet.start();
                    line.pad_to(VALUES + 2);
                } else if !is_first {
                    line.pad_to(used + 2);
                }
                line.push(*role, &part, usize::MAX);
            }
        }
        self.sheet.end(line);
    }
}

fn draw_host(tree: &mut Tree<'_>, snapshot: &Snapshot) {
    tree.section(if snapshot.demo { "Host (DEMO: not this machine)" } else { "Host" });
    for field in device::fields() {
        if let DeviceRead::Host(read) = field.read {
            let name = field.name.strip_prefix("host.").unwrap_or(&field.name);
            tree.field(1, name, &read(snapshot), field.unit);
        }
    }
}

fn draw_sources(tree: &mut Tree<'_>, snapshot: &Snapshot) {
    tree.section("Sources");
    for source in &snapshot.sources {
        let pieces: Vec<_> = source::FIELDS
            .iter()
            .filter(|field| !matches!(&*field.name, "name" | "up"))
            .flat_map(|field| value(tree.sheet.page(), &(field.read)(source), field.unit))
            .collect();
        tree.entry(1, source.name.as_str(), &pieces);
    }
    if snapshot.chips.iter().any(|chip| chip.bdf.is_some()) {
        tree.entry(1, "Not published", &[(Role::Quiet, NOT_PUBLISHED.to_owned())]);
    }
}

fn draw_chips(tree: &mut Tree<'_>, snapshot: &Snapshot) {
    let fields = device::fields();
    for chip in &snapshot.chips {
        let location = naming::location(snapshot, chip).map(|location| format!(", {location}"));
        tree.section(&format!("Chip {}{}", chip.index, location.unwrap_or_default()));
        for field in fields {
            match field.read {
                DeviceRead::Host(_) => {}
                // Equal to the id, or missing.
                _ if field.name == "asic_id" => {}
                _ if is_origin(&field.name) => {}
                _ if field.name.ends_with(".upstream") && !has_agent(chip) => {}
                _ => tree.field(1, &field.name, &field.cell(snapshot, chip), field.unit),
            }
        }
    }
}

fn draw_processes(tree: &mut Tree<'_>, snapshot: &Snapshot) {
    let fields = process::fields();
    for process in &snapshot.processes {
        tree.section(&format!(
            "Process {} {}",
            naming::pid(tree.sheet.page(), process),
            naming::process(process)
        ));
        for field in fields {
            if let ProcessRead::Process(read) = field.read {
                tree.field(1, &field.name, &read(process), field.unit);
            }
        }
        for on_chip in &process.chips {
            draw_process_on_chip(tree, snapshot, process, on_chip);
        }
    }
}

fn draw_process_on_chip(
    tree: &mut Tree<'_>,
    snapshot: &Snapshot,
    process: &Process,
    on_chip: &ProcessOnChip,
) {
    let index = snapshot.chips.iter().find(|chip| chip.id == on_chip.chip).map(|chip| chip.index);
    tree.heading(
        1,
        &match index {
            Some(index) => format!("Chip {index}"),
            None => format!("Chip {}", on_chip.chip),
        },
    );
    for field in process::fields() {
        let memory = field.name.strip_prefix("memory.").filter(|name| !is_origin(name));
        let is_beside = field.name.contains(".upstream.");
        if let Some(name) = memory.filter(|_| !is_beside || on_chip.memory.upstream.is_some()) {
            tree.field(2, name, &field.cell(snapshot, process, Some(on_chip)), field.unit);
        }
    }
}

fn draw_findings(tree: &mut Tree<'_>, snapshot: &Snapshot) {
    for finding in &snapshot.findings {
        tree.section(&format!("Finding {}", finding.id));
        for field in finding::FIELDS.iter().filter(|field| field.name != "id") {
            let cell = (field.read)(finding);
            // A finding about the whole host has neither a chip nor a process.
            if !matches!(cell, Cell::None(_)) {
                tree.field(1, &field.name, &cell, field.unit);
            }
        }
    }
}

/// True if there is something to be beside of the upstream region's figures.
fn has_agent(chip: &Chip) -> bool {
    chip.memory.dram.upstream.is_some()
}

/// True if a field repeats the origin of another, which is beside each number here.
fn is_origin(name: &str) -> bool {
    name.ends_with(".source") || name.ends_with(".quality")
}

/// A value in the pieces between which its line may break.
fn value(page: &Page, cell: &Cell<'_>, unit: &str) -> Vec<(Role, String)> {
    match cell {
        Cell::None(meaning) => vec![(Role::Quiet, (*meaning).to_owned())],
        // A process may call itself by spaces or invisible characters alone.
        Cell::Text(text) if legible(text, page.charset).trim().is_empty() => {
            vec![(Role::Plain, format!("\"{text}\""))]
        }
        Cell::Text(text) => vec![(Role::Plain, text.clone().into_owned())],
        Cell::Blank(reason, detail) => {
            let reason = format!("{} {}", page.blank(*reason), reason.as_str());
            vec![(Role::Quiet, reason), (Role::Plain, (*detail).to_owned())]
        }
        Cell::Number(number, origin) => {
            let mut pieces = vec![(Role::Plain, number_in_words(*number, unit))];
            pieces.extend(origin.map(|origin| (Role::Quiet, origin_in_words(origin))));
            pieces
        }
    }
}

fn number_in_words(number: Number, unit: &str) -> String {
    match (number, unit) {
        (Number::Whole(bytes), "B") if bytes >= 1024 => {
            format!("{bytes} B ({})", amount::size(bytes))
        }
        (Number::Whole(bytes), PER_BANK) if bytes >= 1024 => {
            format!("{bytes} {PER_BANK} ({}/bank)", amount::size(bytes))
        }
        (_, "") => number.in_full(),
        _ => format!("{} {unit}", number.in_full()),
    }
}

fn origin_in_words(origin: Origin) -> String {
    let Origin { source, quality, age_us } = origin;
    match age_us {
        0 => format!("{}, {}", source.as_str(), quality.as_str()),
        _ => format!("{}, {}, {age_us} us old", source.as_str(), quality.as_str()),
    }
}
