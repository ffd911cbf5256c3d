//! Metrics of processes, for those who ask for them.

use std::collections::BTreeSet;

use ttmem_model::Snapshot;
use ttmem_model::order;
use ttmem_model::snapshot::Process;

use super::devices::add_reading;
use super::{Family, Labels, MAX_PROCESSES};
use crate::field::Field;
use crate::field::metric::prometheus;
use crate::field::process;

/// Returns the metrics of the processes that hold most.
pub(super) fn families(snapshot: &Snapshot) -> [Family; 4] {
    let mut used = Family::new(&prometheus::PROCESS_USED);
    let mut readings = Family::new(&prometheus::PROCESS_READING);
    let mut info = Family::new(&prometheus::PROCESS);
    let mut omitted = Family::new(&prometheus::PROCESSES_OMITTED);
    let mut processes: Vec<&Process> = snapshot.processes.iter().collect();
    order::sort_by_key(&mut processes, |process| std::cmp::Reverse(held(process)));
    let shown = processes.len().min(MAX_PROCESSES);
    omitted.add(&Labels::default(), processes.len() - shown);
    // A number may be that of several ended processes: the values are joined with one of them.
    let mut described = BTreeSet::new();
    for process in processes.into_iter().take(shown) {
        let labels = Labels::default().with_cells(process::labels(snapshot, process, None));
        put(snapshot, process, (&mut used, &mut readings));
        if described.insert(labels.0.clone()) {
            let rows = Field::info_rows(process::fields());
            let cells = rows.map(|(label, field)| (label, field.cell(snapshot, process, None)));
            info.add(&labels.with_cells(cells), 1);
        }
    }
    [used, readings, info, omitted]
}

fn put(snapshot: &Snapshot, process: &Process, (used, readings): (&mut Family, &mut Family)) {
    for on_chip in &process.chips {
        let labels = process::labels(snapshot, process, Some(on_chip));
        let labels = Labels::default().with_cells(labels);
        for field in process::fields() {
            let cell = field.cell(snapshot, process, Some(on_chip));
            if let Some(sample) = &field.prometheus {
                used.sample(&labels, sample, &cell);
            }
            add_reading(readings, &labels, field.prometheus.as_ref(), &cell);
        }
    }
}

fn held(process: &Process) -> u64 {
    let readings = process.chips.iter().flat_map(|chip| chip.memory.allocators());
    let bytes = readings.filter_map(|(_, reading)| reading.value().copied());
    bytes.fold(0, u64::saturating_add)
}
