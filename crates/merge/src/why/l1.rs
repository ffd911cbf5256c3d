//! Traces of what is resident in L1: one part for each core.

use ttmem_model::SourceName;
use ttmem_model::facts::{L1Content, L1Facts};
use ttmem_model::l1::{Core, Count};

use super::{Part, View, Why, memory, rule};
use crate::l1::{self, CoreTotal};

/// Traces a reading of L1 of a chip.
pub(super) fn of_chip(view: &View<'_>, name: &str, leaf: &str) -> Option<Why> {
    let total = match (name, leaf) {
        ("circular_buffers", "reported") => return Some(reported(view)),
        ("circular_buffers", "used") => Some(CoreTotal::CircularBuffers),
        ("circular_buffers", "running") => Some(CoreTotal::RunningCircularBuffers),
        ("kernels", "used") => Some(CoreTotal::Kernels),
        ("kernels", "running") => Some(CoreTotal::RunningKernels),
        ("kernels", "system") => Some(CoreTotal::SystemKernels),
        ("reserved", "used") => Some(CoreTotal::Reserved),
        ("circular_buffers", "aliasing") | ("l1_total", "used") => None,
        _ => return None,
    };
    let read = view.joined.l1(view.chip).and_then(|l1| Some((l1, l1.content.as_ref().ok()?)));
    let Some((l1, content)) = read else { return Some(without_cores(view)) };
    let parts = match total {
        Some(total) => of_cores(l1, content, total.of_cores(l1, content)),
        None => shared_or_used(view, l1, content, leaf == "aliasing"),
    };
    Some(Why { rule: &rule::CORES, parts })
}

fn without_cores(view: &View<'_>) -> Why {
    let capacity = crate::chips::l1_capacity(view.joined, view.chip);
    match l1::resident_by_agent(view.joined, view.chip, view.amounts, &capacity) {
        Some(_) => Why::of(&rule::PROGRAMS),
        None => Why::of(&rule::CORES),
    }
}

fn shared_or_used(
    view: &View<'_>,
    l1: &L1Facts,
    content: &L1Content,
    is_shared: bool,
) -> Vec<Part> {
    let Ok(buffers) = l1::buffers(view.joined, view.chip, view.amounts) else { return Vec::new() };
    let by_core = l1::shared_and_used_by_core(content, &buffers);
    let counts = by_core.map(|(shared, used)| if is_shared { shared } else { used });
    of_cores(l1, content, counts)
}

fn of_cores(l1: &L1Facts, content: &L1Content, counts: impl Iterator<Item = Count>) -> Vec<Part> {
    let part = |(core, count): (&Core, Count)| {
        let at = core.logical.unwrap_or(core.noc);
        Part {
            label: format!("core {},{}", at.x, at.y),
            file: Some(l1.port.clone()),
            source: SourceName::L1,
            bytes: match count {
                Count::Known(bytes) => Ok(bytes),
                Count::Missing(missing) => Err(missing),
            },
            is_subtracted: false,
        }
    };
    content.cores.iter().zip(counts).map(part).collect()
}

fn reported(view: &View<'_>) -> Why {
    Why { rule: &rule::REGION_TOTAL, parts: memory::reported(view) }
}
