//! The allocator's refusals: full, fragmented, or never large enough.

use ttmem_model::Kind;

use super::buffers::{semaphore_advice, semaphore_figure};
use super::{
    Advice, Context, Figure, Fit, Verdict, advice, blocker_figures, contradictory, contradicts,
    excess, figure, short_by, size, trace,
};
use crate::explain::chip;
use crate::explain::message::{BelowLimit, OutOfMemory};
use crate::explain::release;
use crate::explain::units::{self, bytes, count, grouped};

pub(super) fn out_of_memory(memory: &OutOfMemory, context: &Context<'_>) -> Verdict {
    let mut figures = figures(memory);
    let (fit, over) = fit(memory, context);
    let title = match (memory.requested, memory.memory.as_str()) {
        (Some(requested), "") => format!("Cannot allocate {}", bytes(requested)),
        (Some(requested), name) => format!("Cannot allocate {} in {name}", bytes(requested)),
        (None, "") => "Cannot allocate a buffer".to_owned(),
        (None, name) => format!("Cannot allocate a buffer in {name}"),
    };
    if fit == Fit::Contradictory {
        return contradictory(&title, figures);
    }
    if let Some(over) = over {
        let least =
            if memory.per_bank_is_least || fit == Fit::TooLarge && memory.bank_size.is_none() {
                "at least "
            } else {
                ""
            };
        figures.insert(0, figure("short by", format!("{least}{} in each bank", bytes(over))));
    }
    let blockers = match (context.live, memory.kind(), memory.per_bank, fit) {
        (Some(map), Some(kind), Some(need), Fit::Full | Fit::Fragmented) => {
            map.to_open(kind, need, memory.allocated)
        }
        _ => Vec::new(),
    };
    figures.extend(blocker_figures(&blockers));
    if memory.kind() == Some(Kind::L1) && fit == Fit::Fragmented {
        figures.extend(semaphore_figure(context));
    }
    Verdict {
        title: title_of(&title, memory, fit),
        meaning: meaning(memory, fit, context),
        fit,
        over,
        figures,
        advice: advice_for(memory, fit, over, context),
        blockers,
    }
}

/// The reason that there was no range, and the bytes of a bank that are missing.
fn fit(memory: &OutOfMemory, context: &Context<'_>) -> (Fit, Option<u64>) {
    let Some(need) = memory.per_bank else { return (Fit::Unknown, None) };
    let bank = memory.bank_size.or_else(|| {
        let largest = chip::largest_bank(memory.kind()?, context.chip)?;
        (need > largest).then_some(largest)
    });
    let beyond_bank = excess(Some(need), bank);
    match (memory.bank_size, memory.free, memory.largest_free) {
        (_, Some(free), Some(largest)) if largest > free => (Fit::Contradictory, None),
        (Some(size), Some(free), _) if free > size => (Fit::Contradictory, None),
        (Some(size), None, _) if memory.allocated.is_some_and(|allocated| allocated > size) => {
            (Fit::Contradictory, None)
        }
        (Some(0), ..) => (Fit::NoRegion, Some(need)),
        (_, free, largest) if beyond_bank.is_some() => {
            let room = largest.or(free).or(bank).unwrap_or(0);
            (Fit::TooLarge, need.checked_sub(room))
        }
        (_, Some(free), _) if free < need => {
            let placeable = memory.remaining().map_or(free, |placeable| placeable.bytes);
            (Fit::Full, Some(need - free.min(placeable)))
        }
        (_, Some(_), Some(largest)) if largest < need => (Fit::Fragmented, Some(need - largest)),
        _ if memory.remaining().is_some_and(|placeable| placeable.bytes < need) => {
            (Fit::Full, memory.remaining().map(|placeable| need - placeable.bytes))
        }
        _ if memory.remaining().is_some_and(|placeable| placeable.largest < need) => {
            (Fit::Fragmented, memory.remaining().map(|placeable| need - placeable.largest))
        }
        (_, Some(_), Some(_)) => (Fit::Unusable, None),
        (_, Some(_), None) => (Fit::Fragmented, None),
        (_, None, _) => (Fit::Unknown, None),
    }
}

fn title_of(title: &str, memory: &OutOfMemory, fit: Fit) -> String {
    let name = if memory.memory.is_empty() { "the memory" } else { &memory.memory };
    match fit {
        Fit::TooLarge => format!("{title}: one bank's share is larger than a bank"),
        Fit::Full => format!("{title}: {name} is full"),
        Fit::Fragmented => format!("{title}: {name} is fragmented"),
        Fit::NoRegion => format!("{title}: the device was opened without {name}"),
        Fit::Unusable => format!("{title}: the free bytes cannot be used"),
        _ => title.to_owned(),
    }
}

fn figures(memory: &OutOfMemory) -> Vec<Figure> {
    let over_banks =
        memory.banks.map_or(String::new(), |banks| format!(" over {}", count(banks, "bank")));
    let least = if memory.per_bank_is_least { "at least " } else { "" };
    let list = [
        memory
            .requested
            .map(|requested| figure("buffer", format!("{}{over_banks}", bytes(requested)))),
        memory.per_bank.map(|need| {
            figure("needed", format!("{least}{} in each bank, in one range", bytes(need)))
        }),
        size("size of a bank", memory.bank_size),
        size("allocated", memory.allocated),
        size("free", memory.free),
        size("largest free block", memory.largest_free),
        memory.remaining().map(|placeable| {
            figure(
                "placeable",
                format!(
                    "{} in {}, the largest {}",
                    bytes(placeable.bytes),
                    count(placeable.windows, "range"),
                    bytes(placeable.largest)
                ),
            )
        }),
    ];
    list.into_iter().flatten().collect()
}

fn meaning(memory: &OutOfMemory, fit: Fit, context: &Context<'_>) -> String {
    let name = if memory.memory.is_empty() { "The memory" } else { &memory.memory };
    let is_by_dependencies = memory.remaining().is_some() && memory.largest_free >= memory.per_bank;
    let reason = match fit {
        Fit::TooLarge if memory.bank_size.is_none() => {
            let chip = context.chip.limits().map_or("No chip".to_owned(), |limits| format!("No {}", limits.name));
            let largest = memory.kind().and_then(|kind| chip::largest_bank(kind, context.chip)).unwrap_or(0);
            format!("{chip} has more than {} in a bank of {name}: the buffer could not be placed even if nothing else were allocated.", bytes(largest))
        }
        Fit::TooLarge => "Each bank's share of this buffer is larger than a whole bank: it could not be placed even if nothing \
                          else were allocated."
            .to_owned(),
        Fit::Full if is_by_dependencies => "What is free is mostly held by other allocators of the same device (sub-devices, cores with allocations of their own): less than a bank's share remains."
            .to_owned(),
        Fit::Full => format!("Less is free than is needed: {name} is full."),
        Fit::Fragmented if is_by_dependencies => "A free block is large enough, but other allocators of the same device (sub-devices, cores with allocations of their own) hold parts of it. What remains is fragmented: no single range is large enough."
            .to_owned(),
        Fit::Fragmented => format!(
            "{name} is fragmented: enough is free in sum, but a bank's share of a buffer has to be in one range, and no \
             free block is large enough."
        ),
        Fit::NoRegion => {
            let option = if memory.kind() == Some(Kind::Trace) { "trace_region_size" } else { "l1_small_size" };
            format!("{name} is a region that {option} sets aside when the device is opened. The device was opened without it: the default is 0.")
        }
        Fit::Unusable if memory.kind() == Some(Kind::L1Small) => "A free block is large enough, yet it could not be used: L1_SMALL takes \
                          sharded buffers alone, and an interleaved one is refused at any size."
            .to_owned(),
        Fit::Unusable => "A free block is large enough, yet it could not be used: other allocators of the same device \
                          (sub-devices, cores with allocations of their own) hold parts of it, or the buffer must stay \
                          above a certain address."
            .to_owned(),
        _ if memory.cut => String::new(),
        _ if memory.kind() == Some(Kind::L1Small) && memory.bank_size.is_none() => {
            "L1_SMALL is a region that l1_small_size sets aside when the device is opened, and the default is 0: if it was never \
             set, that is the cause. This release does not print its size."
                .to_owned()
        }
        _ => format!(
            "This release does not print how much was free, so that full and fragmented look the same ({} and \
             later do).",
            release::first_with_free_bytes()
        ),
    };
    format!("A buffer is spread evenly over banks, at the same address in each of them. {reason}")
        .trim_end()
        .to_owned()
}

fn advice_for(
    memory: &OutOfMemory,
    fit: Fit,
    over: Option<u64>,
    context: &Context<'_>,
) -> Vec<Advice> {
    match memory.kind() {
        // `validate_num_banks` of TT-Metal's allocator.cpp (0.81.1).
        Some(Kind::L1Small) if fit == Fit::Unusable => {
            vec![advice("Shard the tensor, or keep it in L1 or DRAM.", None)]
        }
        Some(Kind::L1Small) => vec![larger_l1_small(memory, over)],
        // Where nothing is set aside, no live trace can have any of it.
        Some(Kind::Trace) if fit == Fit::NoRegion => {
            vec![larger_trace_region(memory, over, context), advice(trace::DYNAMIC, None)]
        }
        Some(Kind::Trace) => vec![
            larger_trace_region(memory, over, context),
            advice("Release traces that are no longer replayed: ttnn.release_trace.", None),
            advice(trace::DYNAMIC, None),
        ],
        Some(Kind::L1) => l1_advice(memory, fit, over, context),
        _ => dram_advice(memory, fit, over),
    }
}

/// The size of a region that is large enough, in each bank.
fn room_for(memory: &OutOfMemory, over: Option<u64>) -> Option<u64> {
    memory.bank_size.zip(over).and_then(|(size, over)| size.checked_add(over))
}

fn larger_l1_small(memory: &OutOfMemory, over: Option<u64>) -> Advice {
    // Where nothing is said of what was free, all of it may have been in use.
    match room_for(memory, over.or(memory.per_bank)) {
        Some(room) => advice(
            format!(
                "Open the device with l1_small_size={room} or more instead of {}. Every core's L1 gets smaller by the difference.",
                memory.bank_size.unwrap_or(0)
            ),
            Some(room),
        ),
        None => {
            let text = memory.per_bank.map_or(
                "Open the device with a larger l1_small_size.".to_owned(),
                |need| format!("Open the device with l1_small_size={need} or more if it was not set, else with at least {need} bytes more than now."),
            );
            advice(text, memory.per_bank)
        }
    }
}

fn larger_trace_region(memory: &OutOfMemory, over: Option<u64>, context: &Context<'_>) -> Advice {
    let whole = |room: u64| memory.banks.and_then(|banks| room.checked_mul(banks));
    let Some((room, whole)) = room_for(memory, over).and_then(|room| Some((room, whole(room)?)))
    else {
        return advice("Open the device with a larger trace_region_size.", None);
    };
    match context.release.map(release::trace_region_is_per_bank) {
        Some(true) => advice(
            format!(
                "Open the device with trace_region_size={room} or more: this release sets that much aside in each bank."
            ),
            Some(room),
        ),
        Some(false) => advice(
            format!(
                "Open the device with trace_region_size={whole} or more: {} in each of {}.",
                bytes(room),
                count(memory.banks.unwrap_or(0), "bank")
            ),
            Some(whole),
        ),
        None => advice(
            format!(
                "Open the device with a larger trace_region_size. From 0.76 on it counts all banks together: at least \
                 {whole}. Up to 0.72 it counts one bank: at least {room}."
            ),
            Some(whole),
        ),
    }
}

fn l1_advice(
    memory: &OutOfMemory,
    fit: Fit,
    over: Option<u64>,
    context: &Context<'_>,
) -> Vec<Advice> {
    let mut list: Vec<Advice> = Vec::new();
    if fit == Fit::Fragmented {
        list.extend(semaphore_advice(context));
        list.push(defragment(memory));
    }
    if fit == Fit::Unknown {
        list.push(free_or_move(memory));
    }
    let dram = advice("Keep the tensor in DRAM: memory_config=ttnn.DRAM_MEMORY_CONFIG.", None);
    match (cores_needed(memory, fit, context), more_cores(memory, fit, context)) {
        (Some((cores, _)), Some(more))
            if cores <= context.chip.cores.unwrap_or(chip::FEWEST_CORES) =>
        {
            list.extend([more, dram])
        }
        (_, more) => {
            list.push(dram);
            list.extend(more);
        }
    }
    if let (Fit::Full, Some(over)) = (fit, over) {
        list.push(free_some(memory, over));
    }
    list.extend(smaller_type(memory));
    if fit == Fit::TooLarge {
        list.push(advice(
            "Process the tensor in parts, one after the other (ttnn.slice, chunked loops).",
            None,
        ));
    }
    list
}

fn dram_advice(memory: &OutOfMemory, fit: Fit, over: Option<u64>) -> Vec<Advice> {
    let mut list = Vec::new();
    match (fit, over) {
        (Fit::Fragmented, _) => list.push(defragment(memory)),
        (Fit::Full, Some(over)) => list.push(free_some(memory, over)),
        (Fit::Unknown, _) => list.push(free_or_move(memory)),
        _ => {}
    }
    let sizes =
        room(memory).zip(memory.banks).zip(memory.per_bank).filter(|_| fit != Fit::Unusable);
    if let Some(((room, banks), need)) = sizes {
        let whole = room.saturating_mul(banks);
        let parts = need.div_ceil(room);
        list.push(advice(
            format!(
                "Make the tensor smaller: up to {} fit now ({} in each of {}). Split over a mesh of {} chips with as \
                 much free each, it fits; so it does in as many parts, one after the other.",
                bytes(whole),
                bytes(room),
                count(banks, "bank"),
                grouped(parts)
            ),
            Some(room),
        ));
    }
    list.extend(smaller_type(memory));
    if memory.kind() == Some(Kind::Dram) {
        list.push(advice(
            "A smaller batch or sequence length makes activations and caches smaller; a smaller trace_region_size \
             leaves more DRAM to tensors.",
            None,
        ));
    }
    list
}

/// The most that each bank could have taken, if the message says so and it is not nothing.
fn room(memory: &OutOfMemory) -> Option<u64> {
    let largest = memory.remaining().map(|placeable| placeable.largest).or(memory.largest_free);
    largest.or(memory.bank_size).filter(|room| *room > 0 && Some(*room) < memory.per_bank)
}

fn defragment(memory: &OutOfMemory) -> Advice {
    let now = match room(memory) {
        Some(largest) => format!(" Up to {} in each bank fit as it is.", bytes(largest)),
        None => String::new(),
    };
    advice(
        format!(
            "Close the holes: allocate this buffer earlier, before small and long-lived ones; free a neighbour of a hole; or \
             move a tensor that is between two holes (ttnn.reallocate).{now}"
        ),
        room(memory),
    )
}

/// Advice for a message that does not say how much was free.
fn free_or_move(memory: &OutOfMemory) -> Advice {
    let kind = if memory.memory.is_empty() { "the memory" } else { &memory.memory };
    let need = memory.per_bank.map_or(String::new(), |need| {
        format!(" of at least {} in each bank, in one range", bytes(need))
    });
    advice(
        format!(
            "Free buffers in {kind}{need}: ttnn.deallocate what is no longer needed. If enough is free in sum, it is fragmented: \
             allocate this buffer earlier. ttnn.dump_device_memory_state(device) before the failing call shows which it is."
        ),
        memory.per_bank,
    )
}

/// Banks of L1 are cores: the least number of them to shard the buffer over, with the bytes in each.
fn cores_needed(memory: &OutOfMemory, fit: Fit, context: &Context<'_>) -> Option<(u64, u64)> {
    let bank = || match memory.bank_size {
        Some(size) => Some(size).filter(|size| *size > 0),
        None => chip::largest_bank(Kind::L1, context.chip),
    };
    let room = room(memory).or_else(|| (fit == Fit::TooLarge).then(bank).flatten())?;
    Some((memory.per_bank?.checked_mul(memory.banks?)?.div_ceil(room), room))
}

/// Advice to use more cores, if the chip can have so many; or that this does not help, if no chip has.
fn more_cores(memory: &OutOfMemory, fit: Fit, context: &Context<'_>) -> Option<Advice> {
    let (cores, room) = cores_needed(memory, fit, context)?;
    let room_text = bytes(room);
    let most = context.chip.most_cores();
    let banks = memory.banks?;
    let text = if cores > most {
        let chip = match (context.chip.cores, context.chip.limits()) {
            _ if cores > chip::MOST_CORES => format!("no chip has more than {}", chip::MOST_CORES),
            (Some(cores), _) => format!("this chip has {cores}"),
            (None, Some(limits)) => format!("a {} has at most {most}", limits.name),
            (None, None) => format!("no chip has more than {most}"),
        };
        format!(
            "Sharding over more cores does not help: with at most {room_text} in each it takes {} cores, and {chip}.",
            grouped(cores)
        )
    } else if context.chip.cores.is_some() || cores <= chip::FEWEST_CORES {
        format!(
            "Shard it over at least {} instead of {}, so that a shard is at most {room_text}.",
            count(cores, "core"),
            grouped(banks)
        )
    } else {
        format!(
            "Shard it over at least {} instead of {}, so that a shard is at most {room_text}; \
             device.compute_with_storage_grid_size() tells whether the chip has so many.",
            count(cores, "core"),
            grouped(banks)
        )
    };
    Some(advice(text, Some(room)))
}

fn free_some(memory: &OutOfMemory, over: u64) -> Advice {
    let whole = memory.banks.map_or(String::new(), |banks| {
        format!(" ({} in all {})", bytes(over.saturating_mul(banks)), count(banks, "bank"))
    });
    advice(
        format!(
            "Free buffers in {} first: ttnn.deallocate what is no longer needed, at least {} in each bank{whole}.",
            memory.memory,
            bytes(over)
        ),
        Some(over),
    )
}

/// Advice to use a smaller type, if that is enough: a tile of bfloat8_b takes 1,088 bytes, one of bfloat16 2,048.
fn smaller_type(memory: &OutOfMemory) -> Option<Advice> {
    let room = room(memory)?;
    let smaller = u64::try_from((u128::from(memory.per_bank?) * 1088).div_ceil(2048)).ok()?;
    (smaller <= room).then(|| {
        advice(
            format!(
                "If it is ttnn.bfloat16: as ttnn.bfloat8_b it takes about {} in each bank, which fits.",
                bytes(smaller)
            ),
            Some(smaller),
        )
    })
}

pub(super) fn below_limit(limit: &BelowLimit) -> Verdict {
    let title = "An L1 buffer would be lower than it may";
    let at =
        |name, address: Option<u64>| address.map(|address| figure(name, units::address(address)));
    let list = [at("lowest address allowed", limit.limit), at("address found", limit.address)];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if contradicts(limit.limit, limit.address) {
        return contradictory(title, figures);
    }
    let over = excess(limit.limit, limit.address);
    short_by(&mut figures, over, "");
    let least = over.map_or(String::new(), |over| {
        format!(" of at least {} in each bank, or make the tensor as much smaller", bytes(over))
    });
    Verdict {
        title: over.map_or(title.to_owned(), |over| format!("{title}, by {}", bytes(over))),
        meaning: "Buffers that are interleaved over all cores may use only the upper part of L1, since some banks are \
                  smaller than others. There was a free block, but it reaches below that part."
            .to_owned(),
        fit: Fit::Full,
        over,
        figures,
        advice: vec![
            advice("Keep the tensor in DRAM (memory_config=ttnn.DRAM_MEMORY_CONFIG), or shard it: sharded buffers may be lower.", None),
            advice(format!("Free L1 buffers{least}."), over),
        ],
        blockers: Vec::new(),
    }
}
