//! Metrics of chips.

use ttmem_model::Snapshot;
use ttmem_model::snapshot::Chip;

use super::{Family, Labels};
use crate::field::Field;
use crate::field::cell::Cell;
use crate::field::device::{self, DeviceField, DeviceRead};
use crate::field::metric::{self, Metric, Sample, prometheus};

/// Returns the metrics of all chips.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let chips: Vec<(&Chip, Labels)> =
        snapshot.chips.iter().map(|chip| (chip, of_chip(chip))).collect();
    let mut families = vec![info(snapshot, &chips)];
    let of_chips = |field: &DeviceField| match field.read {
        DeviceRead::Host(_) => None,
        _ => field.prometheus,
    };
    let groups = metric::grouped(device::fields(), of_chips);
    families.extend(groups.iter().map(|(metric, rows)| family(snapshot, &chips, metric, rows)));
    let mut readings = Family::new(&prometheus::READING);
    for (chip, labels) in &chips {
        for field in device::fields() {
            let sample = field.prometheus.as_ref();
            add_reading(&mut readings, labels, sample, &field.cell(snapshot, chip));
        }
    }
    families.push(readings);
    families
}

/// Returns the labels of every sample of a chip.
fn of_chip(chip: &Chip) -> Labels {
    Labels::default().with_cells(Field::labelled(device::fields(), |field| field.of_chip(chip)))
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
            family.sample(labels, sample, &field.cell(snapshot, chip));
        }
    }
    family
}

/// Adds the source and quality of a value that is known and has them.
pub(super) fn add_reading(
    family: &mut Family,
    labels: &Labels,
    sample: Option<&Sample>,
    cell: &Cell<'_>,
) {
    let name = sample.and_then(|sample| sample.reading);
    let (Some(name), Cell::Number(_, Some(origin))) = (name, cell) else { return };
    let labels = labels.and("type", name).with("source", origin.source.as_str());
    family.add(&labels.with("quality", origin.quality.as_str()), 1);
}
