//! Names of chips and processes in text outputs.

use std::borrow::Cow;

use ttmem_model::rank::rank_in_words;
use ttmem_model::snapshot::{Chip, IdSource, JoinedBy, Process, ProcessState, Snapshot};
use ttmem_model::{Metric, Reading};

use super::amount;
use super::page::{Page, Role};
use super::text::width;

/// The board over at least `board_columns`, and the architecture, where the one does not name the other.
#[must_use]
pub(crate) fn board(chip: &Chip, board_columns: usize) -> String {
    let arch = chip.arch.map_or("", |arch| arch.as_str());
    let unnamed = match chip.id_source {
        IdSource::Simulator => "simulator",
        IdSource::Capture => "capture",
        _ => UNKNOWN_BOARD,
    };
    match chip.board.as_deref().unwrap_or(unnamed) {
        board if arch.is_empty() || board.contains(arch) => board.to_owned(),
        board => {
            let gap = board_columns.saturating_sub(width(board)) + 2;
            format!("{board}{:gap$}{arch}", "")
        }
    }
}

const UNKNOWN_BOARD: &str = "unknown board";

/// Columns of the longest name of a board that is beside an architecture.
#[must_use]
pub(crate) fn board_columns(chips: &[Chip]) -> usize {
    /// A longer name is not lined up with: it would push the others too far.
    const MOST: usize = 8;
    let boards = chips.iter().filter_map(|chip| chip.board.as_deref());
    boards.map(width).filter(|columns| *columns <= MOST).max().unwrap_or(0)
}

/// Returns the location of a chip: its PCIe address, the chip that it is reached through, or the only known region.
#[must_use]
pub(crate) fn location(snapshot: &Snapshot, chip: &Chip) -> Option<String> {
    if let Some(bdf) = &chip.bdf {
        return Some(bdf.clone());
    }
    if chip.remote {
        let gateway = snapshot.chips.iter().find(|other| Some(other.id) == chip.gateway);
        return Some(
            gateway.map_or("remote".to_owned(), |gateway| format!("remote via {}", gateway.index)),
        );
    }
    chip.region
        .as_ref()
        .filter(|region| region.joined_by == JoinedBy::Unmatched)
        .map(|region| format!("region {}", region.id))
}

/// Formats the number of owners: `?` if it could not be read, `+` if there may be more, `>0` if none is named.
#[must_use]
pub(crate) fn owners(chip: &Chip) -> String {
    let count = chip.owners.pids.len();
    match (count, &chip.owners.outside_namespace) {
        (0, Reading::Missing(_)) => "?".to_owned(),
        (_, Reading::Known { value: 0, .. }) => count.to_string(),
        (0, Reading::Known { .. }) => ">0".to_owned(),
        _ => format!("{count}+"),
    }
}

/// `owners` with its noun.
#[must_use]
pub(crate) fn owners_in_words(chip: &Chip) -> String {
    match owners(chip).as_str() {
        "0" => "no owner".to_owned(),
        "1" => "1 owner".to_owned(),
        ">0" => "in use".to_owned(),
        count => format!("{count} owners"),
    }
}

/// The version of the firmware bundle, if it is known.
#[must_use]
pub(crate) fn firmware(chip: &Chip) -> Option<&str> {
    chip.firmware.get("bundle").map(String::as_str)
}

/// The temperature, and how it looks beside the limit.
#[must_use]
pub(crate) fn temperature(page: &Page, chip: &Chip) -> (Role, String) {
    let unit = page.glyphs().celsius;
    let text = metric(page, chip, Metric::AsicTemperature, unit);
    (pressure(chip, Metric::AsicTemperature, Metric::AsicTemperatureLimit), text)
}

/// The power, and how it looks beside the limit.
#[must_use]
pub(crate) fn power(page: &Page, chip: &Chip) -> (Role, String) {
    let text = metric(page, chip, Metric::Power, "W");
    (pressure(chip, Metric::Power, Metric::PowerLimit), text)
}

/// The power and its limit.
#[must_use]
pub(crate) fn power_of_limit(page: &Page, chip: &Chip) -> (Role, String) {
    let (role, power) = power(page, chip);
    let limit = metric(page, chip, Metric::PowerLimit, "W");
    if value(chip, Metric::Power).is_none() && value(chip, Metric::PowerLimit).is_none() {
        return (role, power);
    }
    let power = power.strip_suffix(" W").unwrap_or(&power);
    (role, format!("{power}/{limit}"))
}

/// The clock of the Tensix cores.
#[must_use]
pub(crate) fn clock(page: &Page, chip: &Chip) -> String {
    metric(page, chip, Metric::AiClock, "MHz")
}

/// Formats a telemetry reading to the nearest whole, with its unit, or the sign of a missing value.
fn metric(page: &Page, chip: &Chip, metric: Metric, unit: &str) -> String {
    match chip.telemetry.get(&metric) {
        Some(Reading::Known { value, .. }) if unit.ends_with('C') => {
            format!("{}{unit}", amount::rounded(*value))
        }
        Some(Reading::Known { value, .. }) => format!("{} {unit}", amount::rounded(*value)),
        Some(Reading::Missing(missing)) => page.blank(missing.reason).to_owned(),
        None => page.glyphs().dash.to_owned(),
    }
}

/// Returns the role of a reading: an alarm at its limit, a notice within a tenth of it.
fn pressure(chip: &Chip, metric: Metric, limit: Metric) -> Role {
    match (value(chip, metric), value(chip, limit)) {
        (Some(value), Some(limit)) if limit > 0.0 && value >= limit => Role::Alarm,
        (Some(value), Some(limit)) if limit > 0.0 && value >= limit * 0.9 => Role::Notice,
        _ => Role::Plain,
    }
}

fn value(chip: &Chip, metric: Metric) -> Option<f64> {
    chip.telemetry.get(&metric).and_then(Reading::value).map(|quantity| quantity.0)
}

/// The number of a process, which it has only in a namespace that is ours.
#[must_use]
pub(crate) fn pid(page: &Page, process: &Process) -> String {
    match process.pid.0 {
        0 => page.glyphs().dash.to_owned(),
        pid => pid.to_string(),
    }
}

/// The name of a process.
#[must_use]
pub(crate) fn process(process: &Process) -> Cow<'_, str> {
    let name = match process.name.trim() {
        "" if process.pid.0 == 0 => "(unknown)",
        "" => "(no name)",
        name => name,
    };
    match rank_in_words(process.rank.as_deref(), process.job.as_deref()) {
        Some(rank) => format!("{name} ({rank})").into(),
        None => name.into(),
    }
}

/// Returns the notes about a process besides its name.
#[must_use]
pub(crate) fn process_state(process: &Process) -> Option<&'static str> {
    match process.state {
        ProcessState::Live => None,
        ProcessState::Stale => Some("stale"),
        ProcessState::OutsideNamespace => Some("outside namespace"),
    }
}

/// A container without most of its long id, such as `docker:3f2a9c1b2d4e`.
#[must_use]
pub(crate) fn container(process: &Process) -> Option<Cow<'_, str>> {
    /// Characters of an id that container tools print.
    const ID_CHARACTERS: usize = 12;
    let container = process.container.as_deref()?;
    Some(match container.split_once(':') {
        Some((runtime, id)) if id.chars().count() > ID_CHARACTERS => {
            let id: String = id.chars().take(ID_CHARACTERS).collect();
            Cow::Owned(format!("{runtime}:{id}"))
        }
        _ => Cow::Borrowed(container),
    })
}

/// Formats ascending chip numbers with runs drawn together, such as `0-3,7`.
#[must_use]
pub(crate) fn chip_list(chips: &[u32]) -> String {
    let runs = chips.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run.iter().map(ToString::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_chips_are_drawn_together() {
        assert_eq!(chip_list(&[]), "");
        assert_eq!(chip_list(&[3]), "3");
        assert_eq!(chip_list(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
    }
}
