//! Metrics of processes, for those who ask for them.

use ttmem_model::snapshot::Process;
use ttmem_model::{Kind, Snapshot};

use super::devices::add;
use super::{Family, Labels, MAX_PROCESSES};
use crate::field::metric::prometheus;
use crate::field::process;

/// Returns the metrics of the processes that hold most.
pub(super) fn families(snapshot: &Snapshot) -> [Family; 2] {
    let mut used = Family::new(&prometheus::PROCESS_USED);
    let mut omitted = Family::new(&prometheus::PROCESSES_OMITTED);
    let mut processes: Vec<&Process> = snapshot.processes.iter().collect();
    processes.sort_by_key(|process| std::cmp::Reverse(held(process)));
    let shown = processes.len().min(MAX_PROCESSES);
    omitted.add(&Labels::default(), processes.len() - shown);
    for process in processes.into_iter().take(shown) {
        put(snapshot, process, &mut used);
    }
    [used, omitted]
}

fn put(snapshot: &Snapshot, process: &Process, used: &mut Family) {
    for on_chip in &process.chips {
        let chip = snapshot.chips.iter().find(|chip| chip.id == on_chip.chip);
        let index = chip.map(|chip| chip.index.to_string());
        let asic_id = chip.and_then(|chip| chip.asic_id()).map(|id| id.to_string());
        let labels = Labels::default()
            .maybe("asic_id", asic_id.as_deref())
            .maybe("index", index.as_deref())
            .with("pid", &process.pid.to_string())
            .with("comm", &process.name)
            .with("state", process.state.as_str())
            .maybe("user", process.user.as_deref())
            .maybe("container", process.container.as_deref());
        for field in process::fields() {
            if let Some(sample) = &field.prometheus {
                add(used, &labels, sample, &field.cell(snapshot, process, Some(on_chip)));
            }
        }
    }
}

fn held(process: &Process) -> u64 {
    let bytes = process.chips.iter().flat_map(|chip| {
        Kind::ALLOCATOR.into_iter().filter_map(|kind| chip.memory.allocator(kind)?.value().copied())
    });
    bytes.fold(0, u64::saturating_add)
}
