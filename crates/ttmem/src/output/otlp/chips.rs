//! Metrics of chips.

use ttmem_model::Snapshot;
use ttmem_model::snapshot::Chip;

use super::point::{Attributes, Number, Points};
use crate::field::cell::Cell;
use crate::field::device::{self, DeviceField, DeviceRead};
use crate::field::metric::{self, Attribute, otel};

/// Returns the metrics of all chips.
pub(super) fn metrics(snapshot: &Snapshot) -> Vec<Points> {
    let mut metrics = Vec::new();
    let of_chips = |field: &DeviceField| {
        field.otel().filter(|_| !matches!(field.read, DeviceRead::Host(_))).collect::<Vec<_>>()
    };
    for (metric, rows) in metric::grouped(device::fields(), of_chips) {
        let mut points = Points::new(metric);
        for chip in &snapshot.chips {
            for (sample, field) in &rows {
                points.sample(of_chip(chip, snapshot), sample, &field.cell(snapshot, chip));
            }
        }
        metrics.push(points);
    }
    metrics.push(readings(snapshot));
    metrics
}

/// Returns the sources and qualities.
fn readings(snapshot: &Snapshot) -> Points {
    let mut points = Points::new(&otel::READING);
    for chip in &snapshot.chips {
        for field in device::fields() {
            let reading = field.otel().find_map(|sample| sample.reading);
            let (Some(name), Cell::Number(_, Some(origin))) = (reading, field.cell(snapshot, chip))
            else {
                continue;
            };
            let attributes = of_chip(chip, snapshot)
                .with("ttmem.memory.kind", name)
                .with("ttmem.source", origin.source.as_str())
                .with("ttmem.quality", origin.quality.as_str());
            points.add(attributes, Number::Whole(1));
        }
    }
    points
}

/// Returns the attributes of a chip. The conventions have no type of hardware for accelerators but `gpu`.
fn of_chip(chip: &Chip, snapshot: &Snapshot) -> Attributes {
    let rows = device::fields().iter().flat_map(|field| {
        let names = field.attributes.iter();
        names.filter_map(move |attribute| match attribute {
            Attribute::Point(name) => Some((*name, field.cell(snapshot, chip))),
            Attribute::Resource(_) => None,
        })
    });
    let board = chip.board.as_deref().unwrap_or("chip");
    Attributes::default()
        .with_cells(rows)
        .with("hw.name", &format!("{board} {}", chip.index))
        .with("hw.type", "gpu")
        .with("hw.vendor", "Tenstorrent")
}
