//! Shards, grids and regions that the chip or the device's settings do not have.

use super::{
    Figure, Fit, Verdict, advice, by, by_at_least, contradictory, contradicts, excess, figure, size,
};
use crate::explain::message::{BufferBeyondTensor, PersistentL1, ShardGrid, SubDeviceRegion};
use crate::explain::units::{self, bytes, grouped};

pub(super) fn beyond_tensor(buffer: &BufferBeyondTensor) -> Verdict {
    let title = "A circular buffer is larger than the tensor that it is on";
    let list = [size("circular buffer", buffer.size), size("tensor in each core", buffer.tensor)];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if contradicts(buffer.size, buffer.tensor) {
        return contradictory(title, figures);
    }
    let over = excess(buffer.size, buffer.tensor);
    if let Some(over) = over {
        figures.insert(0, figure("too large by", bytes(over)));
    }
    Verdict {
        title: format!("{title}{}", by(over)),
        meaning: "The circular buffer uses the memory of a sharded L1 tensor (it is globally allocated) and would reach \
                  beyond the tensor's shard into what is behind it. No memory is missing: the shard shape and the op's \
                  block size do not agree."
            .to_owned(),
        fit: Fit::Invalid,
        over,
        figures,
        advice: vec![
            advice("Use a shard shape (shard_spec of the memory_config) and a program_config of the same size: per_core_M, per_core_N and block sizes times the tile size must not exceed the shard.", over),
            advice("Leave the program_config out, or use an interleaved tensor (ttnn.L1_MEMORY_CONFIG, ttnn.DRAM_MEMORY_CONFIG): the op then allocates the buffer itself.", None),
            advice("If the op chose both, it is a bug of the op: report it with shapes, data types and memory configs.", None),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn grid(grid: &ShardGrid) -> Verdict {
    let memory = grid.memory.as_deref().unwrap_or("L1");
    let (has, banks) = match grid.banks {
        Some(banks) => {
            (format!("the device has {} {memory} banks", grouped(banks)), grouped(banks))
        }
        None => (format!("the device has fewer {memory} banks"), "fewer".to_owned()),
    };
    let title = match (grid.core, grid.shards) {
        (Some((x, y)), _) => {
            let grid_name = if grid.is_core_grid { "core grid" } else { "shard grid" };
            match grid.banks {
                Some(_) => {
                    format!("Core ({x},{y}) of a {grid_name} is none of the {banks} of this device")
                }
                None => format!("This device has no core ({x},{y}) for a {grid_name}"),
            }
        }
        (None, Some(shards)) => format!("{} shards, but {has}", grouped(shards)),
        (None, None) => "A shard grid is larger than the device".to_owned(),
    };
    let over = excess(grid.shards, grid.banks);
    let list = [
        grid.core.map(|(x, y)| figure("core", format!("({x},{y})"))),
        grid.shards.map(|shards| figure("shards", grouped(shards))),
        grid.banks.map(|banks| figure("banks", format!("{} of {memory}", grouped(banks)))),
        over.map(|over| figure("too many by", units::count(over, "shard"))),
    ];
    let from_device = if memory == "DRAM" {
        "device.dram_grid_size()"
    } else {
        "device.compute_with_storage_grid_size()"
    };
    let laid_out = if grid.is_core_grid { "Cores are chosen" } else { "The shards are laid out" };
    Verdict {
        title,
        meaning: format!(
            "{laid_out} for a larger grid than this chip has: {has}. Harvested chips have fewer rows or \
             columns, and dispatch takes cores too; a grid that fits one board need not fit another of the same type. No \
             memory is missing."
        ),
        fit: Fit::Invalid,
        over: None,
        figures: list.into_iter().flatten().collect(),
        advice: vec![
            advice(
                format!("Compute the shard grid from {from_device} instead of fixing it."),
                None,
            ),
            advice("Use fewer and larger shards, if a core has room for them.", None),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn sub_device(region: &SubDeviceRegion) -> Verdict {
    let title = match region.sub_device {
        Some(number) => format!("The local L1 of sub-device {number} ends too high"),
        None => "The local L1 of a sub-device ends too high".to_owned(),
    };
    let list = [
        region.start.zip(region.end).map(|(start, end)| {
            figure("local L1", format!("{} to {}", units::address(start), units::address(end)))
        }),
        region.limit.map(|limit| figure("must end at", units::address(limit))),
    ];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if contradicts(region.end, region.limit) {
        return contradictory(&title, figures);
    }
    let over = excess(region.end, region.limit);
    if let Some(over) = over {
        figures.insert(0, figure("too high by", bytes(over)));
    }
    Verdict {
        title: format!("{title}{}", by(over)),
        meaning: "A sub-device manager sets L1 aside for each sub-device (local_l1_size). Persistent L1 allocations \
                  already hold the top of it."
            .to_owned(),
        fit: Fit::Full,
        over,
        figures,
        advice: vec![
            advice(format!("Create the sub-device manager with a local_l1_size that is smaller{}.", by_at_least(over)), over),
            advice("Create it before the persistent allocations (sockets, prefetcher pipes), or free these.", None),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn persistent(persistent: &PersistentL1) -> Verdict {
    let arena =
        persistent.start.zip(persistent.end).and_then(|(start, end)| end.checked_sub(start));
    let over = excess(persistent.bytes, arena);
    let list = [
        size("short by", over),
        size("needed", persistent.bytes),
        persistent.start.zip(persistent.end).map(|(start, end)| {
            figure("arena", format!("{} to {}", units::address(start), units::address(end)))
        }),
    ];
    Verdict {
        title: match persistent.bytes {
            Some(needed) => format!("No range for {} in the persistent L1", bytes(needed)),
            None => "No range in the persistent L1".to_owned(),
        },
        meaning: "Persistent L1 holds what outlives programs: sockets, pipes, global buffers of services. It takes the \
                  range at the top of L1 that is free on all of the named cores at once."
            .to_owned(),
        fit: if over.is_some() { Fit::TooLarge } else { Fit::Full },
        over,
        figures: list.into_iter().flatten().collect(),
        advice: vec![
            advice("Allocate it before tensors in L1 and before the first program, or free L1 tensors first (ttnn.deallocate).", None),
            advice("Make the socket or pipe buffers smaller, or use fewer of them on the same cores.", persistent.bytes),
        ],
        blockers: Vec::new(),
    }
}
