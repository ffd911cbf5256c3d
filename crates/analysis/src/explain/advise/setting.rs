//! Shard counts, semaphores and sizes that were chosen too large, where no memory is in the way.

use super::{Figure, Fit, Verdict, advice, excess, figure};
use crate::explain::message::{SemaphoreIds, ShardCount, WorkerL1Size};
use crate::explain::units::{self, bytes, grouped};

pub(super) fn shard_count(count: &ShardCount) -> Verdict {
    let ShardCount { dimension, of, .. } = count;
    let list = [
        count
            .shards
            .map(|shards| figure("shards", format!("{} along the {dimension}", grouped(shards)))),
        count.limit.map(|limit| figure("shard grid", format!("{} {of}", grouped(limit)))),
        excess(count.shards, count.limit)
            .map(|over| figure("too many by", units::count(over, "shard"))),
    ];
    let title = match (count.shards, count.limit) {
        (Some(shards), Some(limit)) => format!(
            "{} shards along the {dimension}, but the shard grid has {} {of}",
            grouped(shards),
            grouped(limit)
        ),
        _ => format!("More shards along the {dimension} than the shard grid has {of}"),
    };
    let fitting = count.limit.map_or(String::new(), |limit| {
        format!(": the {dimension} of the tensor divided by {}, rounded up", grouped(limit))
    });
    Verdict {
        title,
        meaning: format!(
            "A sharded tensor is split into shards of the shard shape, one for each core of its shard grid. The {dimension} of the \
             tensor divided by that of the shard gives more shards than there are {of}. No memory is missing."
        ),
        fit: Fit::Invalid,
        over: None,
        figures: list.into_iter().flatten().collect(),
        advice: vec![
            advice(
                format!(
                    "Make the shard larger{fitting}, and to whole tiles of 32 for ttnn.TILE_LAYOUT."
                ),
                None,
            ),
            advice(
                "Or use a larger shard grid. Compute it from the device (device.compute_with_storage_grid_size(), for DRAM device.dram_grid_size()): harvested chips have fewer cores and banks.",
                None,
            ),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn semaphore_ids(ids: &SemaphoreIds) -> Verdict {
    let list = [
        ids.cores.as_ref().map(|cores| figure("core", cores.to_string())),
        ids.limit.map(|limit| figure("semaphores of a core", grouped(limit))),
    ];
    let limit = ids.limit.map_or("all".to_owned(), |limit| format!("all {}", grouped(limit)));
    Verdict {
        title: "A program needs more semaphores than a core has".to_owned(),
        meaning: format!(
            "A program has a fixed number of semaphores on each core, and {limit} of them are taken. They are counted, not allocated: no \
             memory is missing, and freeing tensors does not help."
        ),
        fit: Fit::Invalid,
        over: None,
        figures: list.into_iter().flatten().collect(),
        advice: vec![
            advice(
                "Use fewer kernels that synchronise on one core: fewer connections, links or fused ops in the program, or more cores.",
                None,
            ),
            advice(
                "Where two kernels only count up, a global semaphore (ttnn.create_global_semaphore) can take the place of one: it is a buffer and has no such limit.",
                None,
            ),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn reserved() -> Verdict {
    Verdict {
        title: "l1_small_size is larger than the L1 that tensors may use".to_owned(),
        meaning: "l1_small_size is set aside in each core when the device is opened, out of what worker_l1_size leaves to \
                  tensors. It has to be smaller than that."
            .to_owned(),
        fit: Fit::Invalid,
        over: None,
        figures: Vec::new(),
        advice: vec![advice(
            "Open the device with a smaller l1_small_size; 16,384 to 65,536 bytes are usual. It counts each core, not the whole \
             device.",
            None,
        )],
        blockers: Vec::new(),
    }
}

pub(super) fn worker_l1_size(size: &WorkerL1Size) -> Verdict {
    let op = size.op.as_deref().unwrap_or("An op");
    let over = excess(size.needed, size.base);
    let at =
        |name, address: Option<u64>| address.map(|address| figure(name, units::address(address)));
    let mut figures: Vec<Figure> =
        over.map(|over| figure("short by", bytes(over))).into_iter().collect();
    figures.extend(at("tensors begin at", size.base));
    figures.extend(at("must begin at", size.needed));
    let change = match size.limit {
        Some(limit) => format!("Open the device with worker_l1_size={limit} or less."),
        None => "Open the device with a smaller worker_l1_size.".to_owned(),
    };
    Verdict {
        title: format!("{op} needs a larger kernel configuration ring"),
        meaning: "The ring holds the kernels and arguments of the next programs. It has what is between the firmware and the \
                  first address of tensors, which is higher the smaller worker_l1_size is. Tensors and circular buffers lose as \
                  much."
            .to_owned(),
        fit: Fit::TooLarge,
        over,
        figures,
        advice: vec![advice(change, over)],
        blockers: Vec::new(),
    }
}
