//! Traces of numbers that are no memory: counters, identities, times.

use ttmem_model::SourceName;
use ttmem_model::facts::{Device, Facts, Field};

use super::{Part, View, Why, memory, rule};
use crate::l1;

/// Traces a number that is neither of a chip nor of a process.
pub(super) fn of_snapshot(names: &[&str]) -> Option<Why> {
    match names {
        ["time_us"] => Some(Why::of(&rule::CLOCK)),
        ["sources", _, "cost_us"] => Some(Why::of(&rule::STOPWATCH)),
        ["findings", _, "pid" | "chip_index"] => Some(Why::of(&rule::FINDING)),
        _ => None,
    }
}

/// Traces an identity of a chip.
pub(super) fn of_chip(view: &View<'_>, field: &[&str]) -> Option<Why> {
    match field {
        ["index"] => Some(Why::of(&rule::DEVICE_NUMBER)),
        ["region", leaf @ ("id" | "device_id" | "version")] => Some(region(view, leaf)),
        ["owners", "pids", _] => Some(Why::of(&rule::OWNERS)),
        _ => None,
    }
}

fn region(view: &View<'_>, leaf: &str) -> Why {
    let link =
        view.chip.regions.first().and_then(|link| view.joined.facts.regions.get(link.region));
    let part = link.and_then(|file| {
        let content = file.content.as_ref().ok();
        let value = match leaf {
            "id" => Some(file.id),
            "version" => content.map(|content| u64::from(content.version)),
            _ => content.and_then(|content| u64::try_from(content.device_id).ok()),
        };
        Some(Part {
            label: format!("{leaf} of the region"),
            file: Some(file.path.clone()),
            source: SourceName::Upstream,
            value: Ok(value?),
            is_subtracted: false,
        })
    });
    Why::sum(&rule::REGION_HEADER, part.into_iter().collect())
}

/// Traces the number of worker cores.
pub(super) fn worker_cores(view: &View<'_>) -> Why {
    let (rule, part) = match l1::size(view.joined, view.chip) {
        Some(size) => {
            let part = size.worker_cores.value().map(|cores| Part {
                label: "columns times rows of the grid".to_owned(),
                file: view.joined.l1(view.chip).map(|l1| l1.port.clone()),
                source: SourceName::L1,
                value: Ok(*cores),
                is_subtracted: false,
            });
            (&rule::CORE_GRID, part)
        }
        None => {
            let part = view.joined.board(view.chip).and_then(|board| {
                let label = format!("{}: worker cores", board.name);
                Some(memory::constant(label, u64::from(board.worker_cores?)))
            });
            (&rule::BOARD, part)
        }
    };
    Why::sum(rule, part.into_iter().collect())
}

/// Traces a rate over PCIe: the counters of both NOCs, now and in the pass before.
pub(super) fn rate(
    view: &View<'_>,
    previous: Option<&Facts>,
    words: impl Fn(&Device) -> &Field<[u32; 2]>,
) -> Why {
    let now = view.joined.device(view.chip);
    let before = now.zip(previous).and_then(|(now, facts)| {
        facts.devices.iter().find(|device| device.number == now.number && device.bdf == now.bdf)
    });
    let counters = |device: &Device, when: &str, is_subtracted: bool| -> Vec<Part> {
        let part = |noc: usize| Part {
            label: format!("words of 32 bytes over NOC {noc}, {when}"),
            file: device.bdf.as_ref().map(|bdf| format!("/sys/bus/pci/devices/{bdf}")),
            source: SourceName::Kmd,
            value: match words(device) {
                Ok(words) => Ok(words.get(noc).copied().map_or(0, u64::from)),
                Err(missing) => Err(missing.clone()),
            },
            is_subtracted,
        };
        vec![part(0), part(1)]
    };
    let mut parts = now.map(|device| counters(device, "now", false)).unwrap_or_default();
    parts.extend(before.map(|device| counters(device, "before", true)).unwrap_or_default());
    Why { is_sum: false, ..Why::sum(&rule::RATE, parts) }
}
