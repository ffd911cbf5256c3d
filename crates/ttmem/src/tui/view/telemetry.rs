//! View 6: every reading of every chip with its limit. Only values at their limit have colour.

mod rows;

use ratatui_core::layout::Rect;
use ttmem_model::metric::Quantity;
use ttmem_model::order;
use ttmem_model::reading::Missing;
use ttmem_model::snapshot::{Chip, PcieLink};
use ttmem_model::{Metric, Reading};

use crate::field;
use crate::output::amount;
use crate::tui::app::{App, Target};
use crate::tui::look::{Look, Role};
use crate::tui::number::{bytes, cells};
use crate::tui::widget::canvas::{Canvas, scroll};
use crate::tui::widget::figure::limit;

/// The width of the labels.
const LABEL: u16 = 25;
/// The width of a chip with the gap before it.
const CHIP: u16 = 15;

/// Reads a cell from a chip.
type Read = Box<dyn Fn(Look, &Chip) -> Cell>;

/// A row: a label, the JSON name that filters match too, and its cell.
struct Line {
    label: String,
    name: String,
    cell: Read,
}

/// The content of a cell: a text and its style, or a missing value.
enum Cell {
    Text(Role, String),
    Blank(Missing),
}

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let chips = app.chips();
    let shown = usize::from(area.width.saturating_sub(LABEL + 1) / CHIP).max(1);
    let current = app.chip_index();
    let first = scroll(chips.len(), shown, current);
    let visible: Vec<&Chip> = chips.iter().skip(first).take(shown).copied().collect();
    let lines: Vec<Line> = lines(&chips)
        .into_iter()
        .filter(|line| {
            let names = [line.label.as_str(), &line.name];
            chips.iter().any(|chip| app.filter.shows_reading(chip, &names))
        })
        .collect();
    if chips.is_empty() {
        let text = format!("No chips{}.", super::hidden(app));
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    }
    if app.has_telemetry_rows() {
        return rows::draw(app, canvas, area, &lines);
    }
    draw_heading(app, canvas, area, &visible, first);
    let missing =
        chips.get(current).map(|chip| missing(app.look, chip, &lines)).unwrap_or_default();
    let room = area.height.saturating_sub(1);
    let foot = cells(missing.len() + 2).min(room / 3);
    let height = usize::from(room - foot).min(lines.len());
    let top = app.cursors.telemetry.min(lines.len().saturating_sub(height));
    for (line, y) in lines.iter().skip(top).take(height).zip(area.y + 1..) {
        canvas.text(area.x + 1, y, area.x + LABEL, Role::Quiet, &line.label);
        for (chip, x) in visible.iter().zip(columns(area)) {
            draw_cell(canvas, chip, line, (x, y, (x + CHIP - 1).min(area.right())));
        }
    }
    let of_chips =
        (visible.len() < chips.len()).then(|| format!("{}/{} chips", visible.len(), chips.len()));
    let of_rows = (height < lines.len()).then(|| match lines.len() - height - top {
        1 => "1 more row".to_owned(),
        more => format!("{more} more rows"),
    });
    let corner: Vec<String> = of_chips.into_iter().chain(of_rows).collect();
    canvas.text(area.x + 1, area.y, area.x + LABEL, Role::Quiet, &corner.join(", "));
    let y = area.y + 2 + cells(height);
    if let Some(chip) = chips.get(current) {
        draw_missing(
            canvas,
            Rect { y, height: area.bottom().saturating_sub(y), ..area },
            chip,
            &missing,
        );
    }
}

/// Returns the start of each chip's column.
fn columns(area: Rect) -> impl Iterator<Item = u16> {
    (0..).map(move |chip| area.x + LABEL + chip * CHIP)
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Rect, chips: &[&Chip], first: usize) {
    let count = app.chips().len();
    for ((chip, x), index) in chips.iter().zip(columns(area)).zip(first..) {
        let board = chip.board.as_deref().unwrap_or("?");
        let sign = if chip.remote { canvas.glyphs().branch } else { "" };
        let text = format!("{sign}{} {board}", chip.index);
        let end = (x + CHIP - 1).min(area.right());
        canvas.right(x, area.y, end, Role::Strong, &text);
        let column = Rect { x, y: area.y, width: end.saturating_sub(x), height: area.height };
        canvas.hit(column, Target::Chip(chip.id));
        if index == app.chip_index() && count > 1 {
            canvas.cursor(Rect { height: 1, ..column });
        }
    }
}

fn draw_cell(canvas: &mut Canvas<'_>, chip: &Chip, line: &Line, (x, y, end): (u16, u16, u16)) {
    match (line.cell)(canvas.look, chip) {
        Cell::Text(role, text) => canvas.right(x, y, end, role, &text),
        Cell::Blank(missing) => {
            let sign = canvas.look.blank(missing.reason);
            canvas.right(x, y, end, Role::Quiet, sign);
        }
    }
}

/// Groups the missing values of a chip by reason.
fn missing<'a>(
    look: Look,
    chip: &Chip,
    lines: impl IntoIterator<Item = &'a Line>,
) -> Vec<(Missing, Vec<String>)> {
    let mut groups: Vec<(Missing, Vec<String>)> = Vec::new();
    for line in lines {
        let Cell::Blank(missing) = (line.cell)(look, chip) else { continue };
        match groups.iter_mut().find(|(other, _)| *other == missing) {
            Some((_, labels)) => labels.push(line.label.clone()),
            None => groups.push((missing, vec![line.label.clone()])),
        }
    }
    groups
}

fn draw_missing(
    canvas: &mut Canvas<'_>,
    area: Rect,
    chip: &Chip,
    missing: &[(Missing, Vec<String>)],
) {
    if missing.is_empty() || area.height < 2 {
        return;
    }
    let heading = format!("Missing values of chip {}", chip.index);
    canvas.text(area.x + 1, area.y, area.right(), Role::Quiet, &heading);
    let text = |(missing, labels): &(Missing, Vec<String>)| {
        let names =
            if labels.len() > 6 { format!("{} readings", labels.len()) } else { labels.join(", ") };
        let sign = canvas.look.blank(missing.reason);
        format!("{sign} {}: {} ({names})", missing.reason.as_str(), missing.detail)
    };
    let texts: Vec<String> = missing.iter().map(text).collect();
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    super::draw_wrapped(canvas, below, Role::Quiet, &texts);
}

/// Returns every row: readings with their limits, link, firmware.
fn lines(chips: &[&Chip]) -> Vec<Line> {
    let mut lines = vec![
        with_limit("temperature", Metric::AsicTemperature, Metric::AsicTemperatureLimit),
        with_limit("power", Metric::Power, Metric::PowerLimit),
        with_limit("current", Metric::Current, Metric::CurrentLimit),
        with_limit("voltage", Metric::Voltage, Metric::VoltageLimit),
        plain("AICLK", Metric::AiClock),
        plain("AXICLK", Metric::AxiClock),
        plain("ARCCLK", Metric::ArcClock),
        plain("fan", Metric::Fan),
        plain("heartbeat", Metric::Heartbeat),
        tripped(),
        plain("PCIe host to device", Metric::PcieHostToDevice),
        plain("PCIe device to host", Metric::PcieDeviceToHost),
        link(
            "PCIe speed",
            |link| (&link.current_speed_gts).into(),
            |link| (&link.max_speed_gts).into(),
            " GT/s",
        ),
        link(
            "PCIe lanes",
            |link| (&link.current_width).into(),
            |link| (&link.max_width).into(),
            "",
        ),
        numa(),
        cores(),
    ];
    let mut firmware: Vec<String> =
        chips.iter().flat_map(|chip| chip.firmware.keys().cloned()).collect();
    order::sort(&mut firmware);
    firmware.dedup();
    lines.extend(firmware.into_iter().map(version));
    lines
}

fn number(chip: &Chip, metric: Metric) -> Result<Quantity, Missing> {
    match chip.telemetry.get(&metric) {
        Some(Reading::Known { value, .. }) => Ok(*value),
        Some(Reading::Missing(missing)) => Err(missing.clone()),
        None => Err(Missing::unsupported("this driver or firmware does not publish it")),
    }
}

fn unit(look: Look, metric: Metric) -> String {
    match metric.unit() {
        "" => String::new(),
        "C" => format!(" {}C", look.glyphs().degrees),
        unit => format!(" {unit}"),
    }
}

fn with_limit(label: &str, of: Metric, at_most: Metric) -> Line {
    let cell = move |look: Look, chip: &Chip| match (number(chip, of), number(chip, at_most)) {
        (Ok(value), Ok(most)) => {
            let text = format!("{} / {}", amount::quantity(value), amount::quantity(most));
            Cell::Text(limit(chip, of, at_most), text + &unit(look, of))
        }
        (Ok(value), Err(_)) => Cell::Text(Role::Plain, amount::quantity(value) + &unit(look, of)),
        (Err(missing), _) => Cell::Blank(missing),
    };
    Line { label: label.to_owned(), name: of.as_str().to_owned(), cell: Box::new(cell) }
}

fn plain(label: &str, metric: Metric) -> Line {
    let cell = move |look: Look, chip: &Chip| match number(chip, metric) {
        Ok(value) if metric.unit() == "B/s" => {
            Cell::Text(Role::Plain, format!("{}/s", amount::size(bytes(value.0))))
        }
        Ok(value) => Cell::Text(Role::Plain, amount::quantity(value) + &unit(look, metric)),
        Err(missing) => Cell::Blank(missing),
    };
    Line { label: label.to_owned(), name: metric.as_str().to_owned(), cell: Box::new(cell) }
}

/// A chip that was ever switched off for its temperature gets a warning.
fn tripped() -> Line {
    let metric = Metric::ThermalTrips;
    let cell = move |_: Look, chip: &Chip| match number(chip, metric) {
        Ok(trips) if trips.0 > 0.0 => Cell::Text(Role::Notice, amount::quantity(trips)),
        Ok(trips) => Cell::Text(Role::Plain, amount::quantity(trips)),
        Err(missing) => Cell::Blank(missing),
    };
    let name = metric.as_str().to_owned();
    Line { label: "thermal trips".to_owned(), name, cell: Box::new(cell) }
}

/// Formats a number of the PCIe link.
struct OfLink(Result<f64, Missing>);

impl From<&Reading<u64>> for OfLink {
    fn from(reading: &Reading<u64>) -> Self {
        Self(match reading {
            Reading::Known { value, .. } => Ok(*value as f64),
            Reading::Missing(missing) => Err(missing.clone()),
        })
    }
}

impl From<&Reading<Quantity>> for OfLink {
    fn from(reading: &Reading<Quantity>) -> Self {
        Self(match reading {
            Reading::Known { value, .. } => Ok(value.0),
            Reading::Missing(missing) => Err(missing.clone()),
        })
    }
}

fn link(
    label: &str,
    now: fn(&PcieLink) -> OfLink,
    best: fn(&PcieLink) -> OfLink,
    unit: &'static str,
) -> Line {
    let cell = move |_: Look, chip: &Chip| {
        let Some(link) = &chip.pcie else { return no_function(chip) };
        match (now(link).0, best(link).0) {
            (Ok(now), Ok(best)) => {
                let role = if now < best { Role::Notice } else { Role::Plain };
                let (now, best) =
                    (amount::quantity(Quantity(now)), amount::quantity(Quantity(best)));
                Cell::Text(role, format!("{now} / {best}{unit}"))
            }
            (Ok(now), Err(_)) => {
                Cell::Text(Role::Plain, format!("{}{unit}", amount::quantity(Quantity(now))))
            }
            (Err(missing), _) => Cell::Blank(missing),
        }
    };
    Line { label: label.to_owned(), name: "pcie".to_owned(), cell: Box::new(cell) }
}

fn no_function(chip: &Chip) -> Cell {
    Cell::Blank(if chip.remote {
        Missing::unsupported("a remote chip has no PCIe function")
    } else {
        Missing::no_source("no driver lists this chip")
    })
}

fn numa() -> Line {
    let cell = |_: Look, chip: &Chip| match &chip.pcie {
        Some(link) => match &link.numa_node {
            Reading::Known { value, .. } => Cell::Text(Role::Plain, value.to_string()),
            Reading::Missing(missing) => Cell::Blank(missing.clone()),
        },
        None => no_function(chip),
    };
    Line { label: "NUMA node".to_owned(), name: "numa_node".to_owned(), cell: Box::new(cell) }
}

fn cores() -> Line {
    let cell = |_: Look, chip: &Chip| match &chip.worker_cores {
        Reading::Known { value, .. } => Cell::Text(Role::Plain, value.to_string()),
        Reading::Missing(missing) => Cell::Blank(missing.clone()),
    };
    let name = "worker_cores".to_owned();
    Line { label: "worker cores".to_owned(), name, cell: Box::new(cell) }
}

/// Returns the name of a part of the firmware in words, inside a text.
fn of_firmware(name: &str) -> String {
    let label = field::label(name, "");
    let is_word = label.chars().nth(1).is_some_and(char::is_lowercase);
    if is_word { label.to_lowercase() } else { label }
}

fn version(name: String) -> Line {
    let key = name.clone();
    let cell = move |_: Look, chip: &Chip| match chip.firmware.get(&key) {
        Some(version) => Cell::Text(Role::Plain, version.clone()),
        None => Cell::Blank(
            chip.reasons
                .get(&key)
                .or_else(|| chip.reasons.get("firmware"))
                .cloned()
                .unwrap_or_else(|| {
                    Missing::unsupported("this driver or firmware does not publish it")
                }),
        ),
    };
    let label = format!("firmware {}", of_firmware(&name));
    Line { label, name: "firmware".to_owned(), cell: Box::new(cell) }
}
