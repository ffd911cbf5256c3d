//! Metrics of chips.

use ttmem_model::Snapshot;
use ttmem_model::snapshot::Chip;

use super::point::{Attributes, Number, Points};
use crate::field::cell::{self, Cell};
use crate::field::device;
use crate::field::metric::{self, Sample, otel};

/// Returns the metrics of all chips.
pub(super) fn metrics(snapshot: &Snapshot) -> Vec<Points> {
    let mut metrics = device_memory(snapshot);
    for (metric, rows) in metric::grouped(device::fields(), |field| field.otel) {
        let mut points = Points::new(metric);
        for chip in &snapshot.chips {
            for (sample, field) in &rows {
                add(&mut points, of_chip(chip, snapshot), sample, &field.cell(snapshot, chip));
            }
        }
        metrics.push(points);
    }
    metrics
}

/// Adds a point if its value is known.
fn add(points: &mut Points, attributes: Attributes, sample: &Sample, cell: &Cell<'_>) {
    let Cell::Number(number, origin) = cell else { return };
    let mut attributes = match sample.label {
        Some((name, value)) => attributes.with(name, value),
        None => attributes,
    };
    if let Some(origin) = origin.filter(|_| sample.provenance) {
        attributes = attributes
            .with("ttmem.source", origin.source.as_str())
            .with("ttmem.quality", origin.quality.as_str());
    }
    let number = match number {
        cell::Number::Whole(value) => Number::Whole(*value),
        cell::Number::Measured(quantity) => Number::Real(quantity.0 * sample.factor),
    };
    points.add(attributes, number);
}

/// Returns the attributes of a chip. The conventions have no type of hardware for accelerators but `gpu`.
fn of_chip(chip: &Chip, snapshot: &Snapshot) -> Attributes {
    let board = chip.board.as_deref();
    Attributes::default()
        .with("hw.id", &chip.id.to_string())
        .with("hw.name", &format!("{} {}", board.unwrap_or("chip"), chip.index))
        .with("hw.type", "gpu")
        .with("hw.vendor", "Tenstorrent")
        .maybe("hw.model", board)
        .maybe("hw.parent", chip.serial.as_deref())
        .maybe("hw.firmware_version", chip.firmware.get("bundle").map(String::as_str))
        .maybe("hw.driver_version", snapshot.host.driver.as_deref())
}

/// DRAM as a whole, under the names that every dashboard of accelerators knows. Other kinds are not in it, so that
/// adding up over chips stays right.
fn device_memory(snapshot: &Snapshot) -> Vec<Points> {
    let mut limit = Points::new(&otel::GPU_LIMIT);
    let mut usage = Points::new(&otel::GPU_USAGE);
    let mut share = Points::new(&otel::GPU_UTILIZATION);
    for chip in &snapshot.chips {
        let capacity = chip.memory.dram.capacity.value().copied();
        let dram = chip.memory.dram.used.value().copied();
        let used = dram.and_then(|dram| dram.checked_add(*chip.memory.trace.used.value()?));
        let of_chip = || of_chip(chip, snapshot);
        capacity.into_iter().for_each(|bytes| limit.add(of_chip(), Number::Whole(bytes)));
        used.into_iter().for_each(|bytes| usage.add(of_chip(), Number::Whole(bytes)));
        if let (Some(used), Some(capacity @ 1..)) = (used, capacity) {
            share.add(of_chip(), Number::Real(used as f64 / capacity as f64));
        }
    }
    vec![limit, usage, share]
}
