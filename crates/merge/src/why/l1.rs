//! Traces of what is resident in L1: one part for the cores that have the same bytes.

use ttmem_model::SourceName;
use ttmem_model::facts::{Field, L1Content, L1Facts};
use ttmem_model::l1::{Core, Count};

use super::{Part, View, Why, memory, rule};
use crate::l1::{self, CoreByAgent, CoreTotal};

/// Traces a reading of L1 of a chip.
pub(super) fn of_chip(view: &View<'_>, name: &str, leaf: &str) -> Option<Why> {
    let total = match (name, leaf) {
        ("circular_buffers", "reported") => return Some(reported(view)),
        ("circular_buffers", "headroom") => return Some(headroom(view)),
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
    let Some((l1, content)) = read else { return Some(without_cores(view, name, leaf)) };
    let parts = match total {
        Some(total) => of_cores(l1, content, total.of_cores(l1, content)),
        None => shared_or_used(view, l1, content, leaf == "aliasing"),
    };
    Some(Why::sum(&rule::CORES, parts))
}

/// Traces a reading of a chip whose cores were not read: by the agent's record of programs, if it has one.
fn without_cores(view: &View<'_>, name: &str, leaf: &str) -> Why {
    let Some(found) = l1::cores_by_agent(view.joined, view.chip, view.amounts) else {
        return Why::of(&rule::CORES);
    };
    let Ok((file, by_core)) = found else { return Why::of(&rule::PROGRAMS) };
    let part = |label: String, value: u64| Part {
        label,
        file: Some(file.path.clone()),
        source: SourceName::Agent,
        value: Ok(value),
        is_subtracted: false,
    };
    let capacity = crate::chips::l1_capacity(view.joined, view.chip);
    let outside = by_core.outside(&capacity);
    let of_cores = |of: fn(&CoreByAgent) -> Option<u64>| -> Vec<Part> {
        let known = by_core.cores.iter().filter_map(|core| Some((core.core, of(core)?)));
        let held = known.filter(|(_, bytes)| *bytes > 0).map(|(core, bytes)| (core, Ok(bytes)));
        let grouped = by_value(held).into_iter();
        grouped.map(|(label, value)| Part { value, ..part(label, 0) }).collect()
    };
    let reserved_on = |cores: u64| {
        let label = format!("reserved: {} B on each of {cores} cores", by_core.base);
        part(label, by_core.base.saturating_mul(cores))
    };
    let parts = match (name, leaf) {
        ("circular_buffers", "used") => of_cores(|core| Some(core.circular_buffers)),
        ("circular_buffers", "aliasing") => of_cores(|core| Some(core.aliasing)),
        ("kernels", "used") => of_cores(|core| core.kernels),
        ("reserved", "used") => {
            let all = outside.map(|outside| outside.saturating_add(by_core.cores.len() as u64));
            all.map(reserved_on).into_iter().collect()
        }
        ("l1_total", "used") => {
            let mut parts = of_cores(|core| Some(core.used));
            parts.extend(outside.filter(|outside| *outside > 0).map(reserved_on));
            parts
        }
        _ => Vec::new(),
    };
    Why::sum(&rule::PROGRAMS, parts)
}

/// Traces the headroom: the two addresses on the core with the least.
fn headroom(view: &View<'_>) -> Why {
    let found = l1::cores_by_agent(view.joined, view.chip, view.amounts);
    let Some(Ok((file, by_core))) = found else { return Why::of(&rule::HEADROOM) };
    let least = by_core.cores.iter().min_by_key(|core| core.headroom);
    let part = |label: String, value: u64, is_subtracted: bool| Part {
        label,
        file: Some(file.path.clone()),
        source: SourceName::Agent,
        value: Ok(value),
        is_subtracted,
    };
    let parts = least.map(|core| {
        let (lowest, (x, y)) = (by_core.lowest, core.core);
        let end = lowest.saturating_sub(core.headroom);
        let above = part(format!("lowest L1 buffer, or the end of L1: {lowest:#x}"), lowest, false);
        [above, part(format!("end of the last program on core {x},{y}: {end:#x}"), end, true)]
    });
    Why::sum(&rule::HEADROOM, parts.into_iter().flatten().collect())
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
    let counted = |(core, count): (&Core, Count)| {
        let at = core.logical.unwrap_or(core.noc);
        let value = match count {
            Count::Known(bytes) => Ok(bytes),
            Count::Missing(missing) => Err(missing),
        };
        ((at.x.into(), at.y.into()), value)
    };
    let part = |(label, value): (String, Field<u64>)| Part {
        label,
        file: Some(l1.port.clone()),
        source: SourceName::L1,
        value,
        is_subtracted: false,
    };
    by_value(content.cores.iter().zip(counts).map(counted)).into_iter().map(part).collect()
}

/// Column and row of a core.
type Position = (u16, u16);

/// Adds up the cores that have the same bytes, in the order of the first of each: their label and their sum.
fn by_value(cores: impl Iterator<Item = (Position, Field<u64>)>) -> Vec<(String, Field<u64>)> {
    let mut groups: Vec<(Field<u64>, Vec<Position>)> = Vec::new();
    for (core, value) in cores {
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, cores)) => cores.push(core),
            None => groups.push((value, vec![core])),
        }
    }
    let sum = |(value, cores): (Field<u64>, Vec<Position>)| {
        let names: Vec<String> = cores.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let names = names.join(" ");
        let label = match (cores.len(), &value) {
            (1, _) => format!("core {names}"),
            (count, Ok(bytes)) => format!("{bytes} B on each of {count} cores: {names}"),
            (count, Err(_)) => format!("{count} cores: {names}"),
        };
        (label, value.map(|bytes| bytes.saturating_mul(cores.len() as u64)))
    };
    groups.into_iter().map(sum).collect()
}

fn reported(view: &View<'_>) -> Why {
    Why::sum(&rule::REGION_TOTAL, memory::reported(view))
}
