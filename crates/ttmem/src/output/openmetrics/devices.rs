//! Metrics of chips.

use ttmem_model::Snapshot;
use ttmem_model::snapshot::Chip;

use super::{Family, Labels};
use crate::field::Field;
use crate::field::cell::{Cell, Number};
use crate::field::device::{self, DeviceField, DeviceRead};
use crate::field::metric::{self, Metric, Sample, prometheus};

/// Returns the metrics of all chips.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let chips: Vec<(&Chip, Labels)> =
        snapshot.chips.iter().map(|chip| (chip, of_chip(chip))).collect();
    let mut families = vec![info(snapshot, &chips)];
    let groups = metric::grouped(device::fields(), |field| field.prometheus);
    families.extend(groups.iter().map(|(metric, rows)| family(snapshot, &chips, metric, rows)));
    families
}

/// Returns the labels of every sample of a chip.
fn of_chip(chip: &Chip) -> Labels {
    let asic_id = chip.asic_id().map(|id| id.to_string());
    Labels::default().maybe("asic_id", asic_id.as_deref()).with("index", &chip.index.to_string())
}

fn info(snapshot: &Snapshot, chips: &[(&Chip, Labels)]) -> Family {
    let mut family = Family::new(&prometheus::DEVICE);
    for (chip, labels) in chips {
        let of_chip = |field: &DeviceField| !matches!(field.read, DeviceRead::Host(_));
        let rows = Field::info_rows(device::fields()).filter(|(_, field)| of_chip(field));
        let cells = rows.map(|(label, field)| (label, field.cell(snapshot, chip)));
        family.add(&labels.clone().with_cells(cells), 1);
    }
    family
}

fn family(
    snapshot: &Snapshot,
    chips: &[(&Chip, Labels)],
    metric: &'static Metric,
    rows: &[(Sample, &DeviceField)],
) -> Family {
    let mut family = Family::new(metric);
    for (chip, labels) in chips {
        // A chip without a PCIe function has no device node that a process could hold open.
        if *metric == prometheus::HOLDERS && chip.bdf.is_none() {
            continue;
        }
        for (sample, field) in rows {
            add(&mut family, labels, sample, &field.cell(snapshot, chip));
        }
    }
    family
}

/// Adds a sample if its value is known.
pub(super) fn add(family: &mut Family, labels: &Labels, sample: &Sample, cell: &Cell<'_>) {
    let Cell::Number(number, origin) = cell else { return };
    let mut labels = match sample.label {
        Some((name, value)) => labels.and(name, value),
        None => labels.clone(),
    };
    if let Some(origin) = origin.filter(|_| sample.provenance) {
        labels =
            labels.with("source", origin.source.as_str()).with("quality", origin.quality.as_str());
    }
    match number {
        Number::Whole(value) => family.add(&labels, value),
        Number::Measured(quantity) => family.add(&labels, quantity.0 * sample.factor),
    }
}
