//! The two summaries: one row for each kind, or in 2023 for each bank.

use ttmem_model::Kind;

use super::csv::cells;
use super::{Usage, unit_of};

/// The kinds in the order of the rows. L1_SMALL came last; TRACE is never written.
const KINDS: [Kind; 3] = [Kind::Dram, Kind::L1, Kind::L1Small];

/// `memory_usage_summary`: the rows below the header.
pub(super) fn memory<'a>(header: &str, lines: impl Iterator<Item = &'a str>) -> Vec<Usage> {
    let unit = unit_of(header);
    let by_bank = header.contains("Bank ID");
    let mut usages = Vec::new();
    let mut program = None;
    let mut row = 0;
    for line in lines {
        let cells = cells(line);
        if let Some(id) = number(cells.first()) {
            program = Some(id);
            row = 0;
        }
        let mut usage = Usage { program, ..Usage::default() };
        let numbers = if by_bank {
            (usage.kind, usage.place) = bank(&cells);
            cells.get(3..)
        } else {
            usage.kind = KINDS.get(row).copied();
            cells.get(1..)
        };
        row += 1;
        let Some(numbers) = numbers.filter(|numbers| numbers.len() >= 4) else { continue };
        let value = |index: usize| number(numbers.get(index)).map(|value| unit.bytes(value));
        usage.capacity = value(0);
        usage.used = value(1);
        usage.free = value(2);
        usage.largest_free = value(3);
        usages.push(usage.derived());
    }
    usages
}

/// The second and third column of 2023: a DRAM channel or a core, and the number of the bank.
fn bank(cells: &[String]) -> (Option<Kind>, Option<String>) {
    let (Some(place), Some(bank)) = (cells.get(1), cells.get(2)) else { return (None, None) };
    if place.starts_with('(') {
        (Some(Kind::L1), Some(format!("core {place} bank {bank}")))
    } else {
        (Some(Kind::Dram), Some(format!("channel {place} bank {bank}")))
    }
}

/// `l1_usage_summary`: the largest free block, and that times the number of banks.
pub(super) fn l1<'a>(header: &str, lines: impl Iterator<Item = &'a str>) -> Vec<Usage> {
    let unit = unit_of(header);
    let mut usages = Vec::new();
    for line in lines {
        let cells = cells(line);
        let (Some(largest), Some(all)) = (number(cells.get(1)), number(cells.get(2))) else {
            continue;
        };
        usages.push(Usage {
            program: number(cells.first()),
            kind: Some(Kind::L1),
            banks: (largest > 0 && all % largest == 0).then(|| all / largest),
            largest_free: Some(unit.bytes(largest)),
            ..Usage::default()
        });
    }
    usages
}

fn number(cell: Option<&String>) -> Option<u64> {
    cell?.parse().ok()
}
