//! The columns of the table with one line per chip, and which of them fit on a page.

use ttmem_model::order;
use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_model::{Missing, MissingReason, Reading};

use super::breakdown::{self, DRAM, L1_ALLOCATED, MemoryLine, equal, same_reason};
use super::legend::Legend;
use crate::field::cell::is_above_zero;
use crate::field::device;
use crate::output::page::{Page, Role};
use crate::output::text::width;
use crate::output::{amount, naming};

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    /// The first line's text.
    pub(super) heading: String,
    /// One cell for each chip.
    pub(super) cells: Vec<Cell>,
    /// Position among the columns. A frame has a rule between two columns with another tens digit.
    order: u8,
    /// True if its texts end at the same column.
    pub(super) is_right: bool,
    /// Columns that it takes; of a memory, without its bar.
    pub(super) width: usize,
}

/// The content of a column for one chip.
#[derive(Debug)]
pub(super) enum Cell {
    /// A text.
    Text(Role, String),
    /// A memory, drawn with a bar: its amount and its share.
    Memory(MemoryLine, String, String),
}

/// Pages from this width on have limits beside power, and capacities beside amounts.
const WITH_LIMITS: usize = 110;
const WITH_CAPACITIES: usize = 140;
/// The shortest bar that is drawn, with the space after it.
const LEAST_BAR: usize = 7;
/// Columns between two columns of a part, and between two parts of a frame.
pub(super) const GAP: usize = 2;
pub(super) const FRAMED_GAP: usize = 3;

impl Column {
    /// True if it has a bar, which takes the columns that are left.
    pub(super) fn has_bar(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Memory(..)))
    }
}

/// The columns that are drawn.
#[derive(Debug)]
pub(super) struct Layout {
    /// The columns, from left to right.
    pub(super) columns: Vec<Column>,
    /// Columns of each bar with the space after it.
    pub(super) bar: usize,
    /// Fields that are missing for every chip, with the reason, in the order of the columns.
    pub(super) missing: Vec<(String, MissingReason)>,
}

/// Fields of telemetry that have a column, with the text of a chip.
type Telemetry = fn(&Page, &Chip) -> (Role, String);

/// A column with its rank: a column of a lower rank is drawn first, and one of rank 0 always.
type Ranked = (u8, Column);

/// Chooses the columns for a page: those that matter most first, as long as the bars of the memories keep their length.
pub(super) fn lay_out(
    snapshot: &Snapshot,
    page: &Page,
    legend: &mut Legend,
    is_grouped: bool,
) -> Layout {
    let chips = &snapshot.chips;
    let mut missing = Vec::new();
    let mut candidates = vec![
        (0, text("index", 0, true, chips, |chip| (Role::Strong, chip.index.to_string()))),
        (0, memory(DRAM, 20, page, chips, legend, is_grouped)),
        (0, memory(L1_ALLOCATED, 30, page, chips, legend, is_grouped)),
    ];
    telemetry(page, chips, &mut candidates, &mut missing);
    naming_columns(snapshot, page, is_grouped, &mut candidates);
    amounts(page, chips, legend, &mut candidates, &mut missing);
    order::sort_by_key(&mut candidates, |(rank, _)| *rank);
    let (columns, bar) = fit(candidates, page);
    Layout { columns, bar, missing }
}

/// Adds the columns of telemetry that some chip has.
fn telemetry(
    page: &Page,
    chips: &[Chip],
    candidates: &mut Vec<Ranked>,
    missing: &mut Vec<(String, MissingReason)>,
) {
    let power = if page.width < WITH_LIMITS { naming::power } else { naming::power_of_limit };
    let fields: [(u8, &str, Telemetry); 3] = [
        (2, "telemetry.asic_temperature_c", naming::temperature),
        (5, "telemetry.power_w", power),
        (7, "telemetry.aiclk_mhz", |page, chip| (Role::Plain, naming::clock(page, chip))),
    ];
    for (rank, field, read) in fields {
        match missing_everywhere(chips, field) {
            Some(reason) => missing.push((breakdown::heading(field), reason)),
            None => candidates.push((rank, text(field, 10, true, chips, |chip| read(page, chip)))),
        }
    }
}

/// Adds the columns that say which chip it is, and who has it. A group says the board in the line above its chips.
fn naming_columns(
    snapshot: &Snapshot,
    page: &Page,
    is_grouped: bool,
    candidates: &mut Vec<Ranked>,
) {
    let chips = &snapshot.chips;
    let or_dash =
        |text: Option<String>| (Role::Plain, text.unwrap_or_else(|| page.glyphs().dash.to_owned()));
    if !is_grouped {
        let board = |chip: &Chip| {
            (Role::Plain, chip.board.clone().unwrap_or_else(|| naming::board(chip, 0)))
        };
        candidates.push((1, text("board", 3, false, chips, board)));
    }
    let owners = |chip: &Chip| (Role::Plain, naming::owners(chip));
    candidates.push((4, text("owners.count", 4, true, chips, owners)));
    let location = |chip: &Chip| or_dash(short_location(snapshot, chip));
    candidates.push((6, text("bdf", 2, false, chips, location)));
    if chips.iter().any(|chip| chip.tray().is_some()) {
        let position = |chip: &Chip| chip.tray().map(|at| format!("{}:{}", at.tray, at.position));
        candidates.push((5, text("tray", 1, false, chips, |chip| or_dash(position(chip)))));
    }
}

/// Takes the candidates for which a page has room, in the order of the columns, and the length of a bar.
fn fit(candidates: Vec<Ranked>, page: &Page) -> (Vec<Column>, usize) {
    let room = if is_framed(page) { page.width - 4 } else { page.width };
    let mut columns = Vec::new();
    for (rank, column) in candidates {
        let wanted = position(&columns, &column);
        columns.insert(wanted, column);
        if rank > 0 && least(&columns, page) > room {
            columns.remove(wanted);
        }
    }
    let bars = columns.iter().filter(|column| column.has_bar()).count();
    let spare = room.saturating_sub(least(&columns, page) - bars * LEAST_BAR);
    let bar = spare / bars.max(1);
    (columns, if bar < LEAST_BAR - 2 { 0 } else { bar })
}

/// True if the page has room for a frame.
pub(super) fn is_framed(page: &Page) -> bool {
    page.width >= crate::output::page::FULL_WIDTH
}

/// Columns of the separator before column `index`.
pub(super) fn gap(columns: &[Column], index: usize, page: &Page) -> usize {
    match index.checked_sub(1).and_then(|before| columns.get(before)) {
        None => 0,
        Some(before) if is_framed(page) && before.order / 10 != columns[index].order / 10 => {
            FRAMED_GAP
        }
        Some(_) => GAP,
    }
}

/// Columns of a line whose bars are as short as they may be.
fn least(columns: &[Column], page: &Page) -> usize {
    (0..columns.len())
        .map(|index| {
            let bar = if columns[index].has_bar() { LEAST_BAR } else { 0 };
            columns[index].width + bar + gap(columns, index, page)
        })
        .sum()
}

/// Returns the index at which a new column is in order.
fn position(columns: &[Column], new: &Column) -> usize {
    columns.iter().take_while(|column| column.order <= new.order).count()
}

/// Returns the location of a chip without a domain of zero.
fn short_location(snapshot: &Snapshot, chip: &Chip) -> Option<String> {
    let location = naming::location(snapshot, chip)?;
    let short = location.strip_prefix("0000:").or(location.strip_prefix("remote "));
    Some(short.unwrap_or(&location).to_owned())
}

/// Adds the columns of amounts without a bar, for kinds that some chip has bytes of.
fn amounts(
    page: &Page,
    chips: &[Chip],
    legend: &mut Legend,
    candidates: &mut Vec<Ranked>,
    missing: &mut Vec<(String, MissingReason)>,
) {
    // Circular buffers and kernels are two fields in one column.
    let kinds = [
        (3, ""),
        (8, "memory.l1_total.used"),
        (9, "memory.trace.used"),
        (9, "memory.l1_small.used"),
        (10, "memory.circular_buffers.reported"),
        (11, "memory.dram.largest_free"),
        (11, "memory.l1.largest_free"),
    ];
    for (rank, name) in kinds {
        let heading =
            if name.is_empty() { breakdown::RESIDENT.to_owned() } else { breakdown::heading(name) };
        let read = |chip: &Chip| match name {
            "" => breakdown::circular_buffers_and_kernels(chip),
            name => device::figure(name, chip),
        };
        let figures: Vec<Reading<u64>> = chips.iter().map(read).collect();
        let is_of_bank = name.ends_with("largest_free");
        if let Some(reason) = same_reason(&figures) {
            // Without the agent the largest free block is never known.
            missing.extend((!is_of_bank).then_some((heading, reason)));
            continue;
        }
        if !figures.iter().any(is_above_zero) {
            continue;
        }
        let cells = figures.iter().map(|figure| {
            let role = if is_above_zero(figure) { Role::Plain } else { Role::Quiet };
            let bank = if is_of_bank && figure.value().is_some() { "/bank" } else { "" };
            Cell::Text(role, legend.long(page, figure) + bank)
        });
        candidates.push((rank, column(heading, cells.collect(), 40, true)));
    }
}

/// Returns the reason for which a field is missing for every chip.
fn missing_everywhere(chips: &[Chip], field: &str) -> Option<MissingReason> {
    let field = device::get(field)?;
    let reasons = chips.iter().map(|chip| match field.of_chip(chip) {
        crate::field::cell::Cell::Blank(reason, _) => Some(reason),
        _ => None,
    });
    equal(reasons)
}

fn text(
    field: &str,
    order: u8,
    is_right: bool,
    chips: &[Chip],
    read: impl Fn(&Chip) -> (Role, String),
) -> Column {
    let cells = chips.iter().map(read).map(|(role, text)| Cell::Text(role, text));
    column(breakdown::heading(field), cells.collect(), order, is_right)
}

fn memory(
    field: &str,
    order: u8,
    page: &Page,
    chips: &[Chip],
    legend: &mut Legend,
    is_grouped: bool,
) -> Column {
    let cells = chips.iter().map(|chip| {
        let line = breakdown::line(chip, field);
        let share = line.used.value().copied().zip(line.capacity.value().copied());
        let share = share.and_then(|(used, capacity)| amount::percent(used, capacity));
        let mut text = legend.long(page, &line.used);
        match &line.used {
            // The capacity of like chips is in the line above them.
            Reading::Known { .. } if !is_grouped && page.width >= WITH_CAPACITIES => {
                let capacity = legend.unmarked(page, &line.capacity);
                text = format!("{text:>9} / {capacity:>8}");
            }
            Reading::Known { .. } => {}
            Reading::Missing(Missing { reason, .. }) => {
                text = format!("{text} {}", reason.as_str())
            }
        }
        Cell::Memory(line, text, share.unwrap_or_default())
    });
    column(breakdown::heading(field), cells.collect(), order, false)
}

/// Columns of a share and the space before it.
pub(super) const SHARE: usize = 5;

fn column(heading: String, cells: Vec<Cell>, order: u8, is_right: bool) -> Column {
    /// A longer text is cut: it would push the others off the page.
    const MOST: usize = 24;
    let widest = cells.iter().map(|cell| match cell {
        Cell::Text(_, text) => width(text).min(MOST),
        // A reason has the columns of the bar and the share, too.
        Cell::Memory(line, ..) if line.used.value().is_none() => 9 + SHARE,
        Cell::Memory(_, text, _) => width(text).max(9) + SHARE,
    });
    let widest = widest.max().unwrap_or(0).max(width(&heading));
    Column { heading, cells, order, is_right, width: widest }
}
