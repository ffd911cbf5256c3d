//! `memory_results.json`, which tt-mlir's `ttrt run --memory` writes: the state of each memory after each op.

use serde_json::{Map, Value};
use ttmem_model::Kind;
use ttmem_model::order;

use super::Usage;

/// True if a text begins as such a file does.
pub(super) fn is_results(head: &str) -> bool {
    head.trim_start().starts_with('{')
        && ["bytes_per_bank", "BytesPerBank"].iter().any(|key| head.contains(key))
}

/// Reads the file; `None` if it is no JSON or has no memory.
pub(super) fn read(text: &str) -> Option<Vec<Usage>> {
    let Ok(Value::Object(steps)) = serde_json::from_str(text) else { return None };
    let mut usages = Vec::new();
    if has_memory(&steps) {
        step(None, &steps, &mut usages);
    }
    let mut numbered: Vec<(u64, &Map<String, Value>)> = steps
        .iter()
        .filter_map(|(number, value)| Some((number.parse().ok()?, value.as_object()?)))
        .collect();
    order::sort_by_key(&mut numbered, |(number, _)| *number);
    for (number, memories) in numbered {
        step(Some(number), memories, &mut usages);
    }
    (!usages.is_empty()).then_some(usages)
}

const KINDS: [(&str, Kind); 4] =
    [("dram", Kind::Dram), ("l1", Kind::L1), ("l1_small", Kind::L1Small), ("trace", Kind::Trace)];

fn has_memory(step: &Map<String, Value>) -> bool {
    KINDS.iter().any(|(name, _)| step.get(*name).is_some_and(Value::is_object))
}

fn step(number: Option<u64>, step: &Map<String, Value>, usages: &mut Vec<Usage>) {
    for (name, kind) in KINDS {
        let Some(memory) = step.get(name).and_then(Value::as_object) else { continue };
        let field =
            |snake: &str, camel: &str| memory.get(snake).or_else(|| memory.get(camel))?.as_u64();
        let usage = Usage {
            program: number,
            kind: Some(kind),
            banks: field("num_banks", "numBanks"),
            capacity: field("total_bytes_per_bank", "totalBytesPerBank"),
            used: field("total_bytes_allocated_per_bank", "totalBytesAllocatedPerBank"),
            free: field("total_bytes_free_per_bank", "totalBytesFreePerBank"),
            largest_free: field(
                "largest_contiguous_bytes_free_per_bank",
                "largestContiguousBytesFreePerBank",
            ),
            ..Usage::default()
        };
        if usage.capacity.is_some() || usage.used.is_some() {
            usages.push(usage.derived());
        }
    }
}
