//! The allocator's refusals: full, fragmented, or never large enough.

use ttmem_model::Kind;

use super::{
    Advice, Figure, Fit, LiveMap, Verdict, advice, blocker_figures, contradictory, figure,
};
use crate::explain::message::{BelowLimit, OutOfMemory};
use crate::explain::units::{bytes, count, grouped};

/// Worker cores of the largest chip, a Blackhole without harvesting.
const MOST_CORES: u64 = 140;

/// Worker cores of the largest Wormhole.
const MOST_WORMHOLE_CORES: u64 = 80;

pub(super) fn out_of_memory(memory: &OutOfMemory, live: Option<&LiveMap>) -> Verdict {
    let mut figures = figures(memory);
    let (fit, over) = fit(memory);
    let title =
        format!("No place in {} for a buffer of {}", memory.memory, bytes(memory.requested));
    if fit == Fit::Contradictory {
        return contradictory(&title, figures);
    }
    if let Some(over) = over {
        figures.insert(0, figure("over", format!("{} in each bank", bytes(over))));
    }
    let blockers = match (live, memory.kind(), fit) {
        (Some(map), Some(kind), Fit::Full | Fit::Fragmented) => {
            map.to_open(kind, memory.per_bank, memory.allocated)
        }
        _ => Vec::new(),
    };
    figures.extend(blocker_figures(&blockers));
    Verdict {
        title: title_of(&title, fit),
        meaning: meaning(memory, fit),
        fit,
        over,
        figures,
        advice: advice_for(memory, fit, over),
        blockers,
    }
}

/// The reason for the failure, and the missing bytes of a bank.
fn fit(memory: &OutOfMemory) -> (Fit, Option<u64>) {
    let need = memory.per_bank;
    let beyond_bank =
        memory.bank_size.and_then(|size| need.checked_sub(size)).filter(|over| *over > 0);
    match (memory.bank_size, memory.free, memory.largest_free) {
        (_, Some(free), Some(largest)) if largest > free => (Fit::Contradictory, None),
        (Some(size), Some(free), _) if free > size => (Fit::Contradictory, None),
        (Some(0), ..) => (Fit::NoRegion, Some(need)),
        (_, free, largest) if beyond_bank.is_some() => {
            let room = largest.or(free).or(memory.bank_size).unwrap_or(0);
            (Fit::TooLarge, need.checked_sub(room))
        }
        (_, Some(free), _) if free < need => (Fit::Full, Some(need - free)),
        (_, Some(_), Some(largest)) if largest < need => (Fit::Fragmented, Some(need - largest)),
        (_, Some(_), Some(_)) => (Fit::Unusable, None),
        (_, Some(_), None) => (Fit::Fragmented, None),
        (_, None, _) => (Fit::Unknown, None),
    }
}

fn title_of(title: &str, fit: Fit) -> String {
    let reason = match fit {
        Fit::TooLarge => "its share is larger than a bank",
        Fit::Full => "full",
        Fit::Fragmented => "fragmented",
        Fit::NoRegion => "no such region was set aside",
        Fit::Unusable | Fit::InTheWay => "the free space cannot be used",
        Fit::Unknown | Fit::Contradictory => return title.to_owned(),
    };
    format!("{title}: {reason}")
}

fn figures(memory: &OutOfMemory) -> Vec<Figure> {
    let mut list = vec![
        figure(
            "buffer",
            format!("{} over {}", bytes(memory.requested), count(memory.banks, "bank")),
        ),
        figure("needed", format!("{} in each bank, in one piece", bytes(memory.per_bank))),
    ];
    let of_bank = [
        ("size of a bank", memory.bank_size),
        ("allocated", memory.allocated),
        ("free", memory.free),
        ("largest free block", memory.largest_free),
    ];
    list.extend(of_bank.into_iter().filter_map(|(name, value)| Some(figure(name, bytes(value?)))));
    list
}

fn meaning(memory: &OutOfMemory, fit: Fit) -> String {
    let name = &memory.memory;
    let reason = match fit {
        Fit::TooLarge => "Each bank's share of this buffer is larger than a whole bank, so that it could not be placed \
                          even if nothing else were allocated."
            .to_owned(),
        Fit::Full => format!(
            "Less is free than is needed: {name} is full. Fragmentation is not the cause, though it may add to it."
        ),
        Fit::Fragmented => format!(
            "{name} is fragmented: enough is free in sum, but a bank's share of a buffer has to lie in one piece, and \
             no free block is large enough."
        ),
        Fit::NoRegion => format!(
            "{name} is a region that is set aside when the device is opened, and it was opened without it (0 bytes)."
        ),
        Fit::Unusable | Fit::InTheWay => "A free block is large enough, yet it could not be used: other allocators of \
                              the same device (sub-devices, cores with allocations of their own) hold parts of it, or \
                              the buffer must stay above a certain address."
            .to_owned(),
        Fit::Unknown | Fit::Contradictory => "This release does not print how much was free, so that full and \
                              fragmented cannot be told apart (0.66 and later do)."
            .to_owned(),
    };
    format!(
        "A buffer is spread evenly over banks, as a rule at the same address in each of them. {reason}"
    )
}

fn advice_for(memory: &OutOfMemory, fit: Fit, over: Option<u64>) -> Vec<Advice> {
    let mut list = Vec::new();
    match memory.kind() {
        Some(Kind::L1Small) => list.push(larger_region("l1_small_size", memory, over)),
        Some(Kind::Trace) => list.extend([
            larger_region("trace_region_size", memory, over),
            advice(
                "Leave trace_region_size at 0: from 0.69 on, traces are then kept in ordinary DRAM as needed.",
                None,
            ),
        ]),
        Some(Kind::L1) => list.extend(l1_advice(memory, fit, over)),
        _ => list.extend(dram_advice(memory, fit, over)),
    }
    list
}

/// The region is sized at device open: how large it has to be.
fn larger_region(option: &str, memory: &OutOfMemory, over: Option<u64>) -> Advice {
    let room = memory.bank_size.zip(over).and_then(|(size, over)| size.checked_add(over));
    let Some(room) = room else {
        let text = format!(
            "Open the device with a larger {option}: room for at least {} more in each bank.",
            bytes(memory.per_bank)
        );
        return advice(text, Some(memory.per_bank));
    };
    let mut text = format!("Open the device with a larger {option}: ");
    if option == "l1_small_size" {
        text += &format!("at least {room} instead of {}. ", memory.bank_size.unwrap_or(0));
        text += "Every core's L1 gets smaller by the difference.";
    } else {
        let whole = room.saturating_mul(memory.banks);
        text += &format!(
            "at least {whole}, which is {} in each of {}. Releases differ in whether the option counts one bank or \
             all; this is enough for both.",
            bytes(room),
            count(memory.banks, "bank")
        );
    }
    advice(text, Some(room))
}

fn l1_advice(memory: &OutOfMemory, fit: Fit, over: Option<u64>) -> Vec<Advice> {
    let mut list = Vec::new();
    if fit == Fit::Fragmented {
        list.push(defragment(memory));
    }
    let dram = advice("Keep the tensor in DRAM: memory_config=ttnn.DRAM_MEMORY_CONFIG.", None);
    match cores_needed(memory) {
        Some((cores, room)) if cores <= MOST_WORMHOLE_CORES => {
            list.extend([more_cores(memory, cores, room), dram]);
        }
        Some((cores, room)) => list.extend([dram, more_cores(memory, cores, room)]),
        None => list.push(dram),
    }
    if let (Fit::Full, Some(over)) = (fit, over) {
        list.push(free_some(memory, over));
    }
    list.extend(smaller_type(memory));
    list
}

fn dram_advice(memory: &OutOfMemory, fit: Fit, over: Option<u64>) -> Vec<Advice> {
    let mut list = Vec::new();
    match (fit, over) {
        (Fit::Fragmented, _) => list.push(defragment(memory)),
        (Fit::Full, Some(over)) => list.push(free_some(memory, over)),
        _ => {}
    }
    if let Some(room) = room(memory).filter(|_| fit != Fit::Unusable) {
        let whole = room.saturating_mul(memory.banks);
        let parts = memory.per_bank.div_ceil(room);
        list.push(advice(
            format!(
                "Make the tensor smaller: up to {} would fit now ({} in each of {}). Split over a mesh of {} chips \
                 with as much free it would fit; so it would in as many parts, one after the other.",
                bytes(whole),
                bytes(room),
                count(memory.banks, "bank"),
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
    memory.largest_free.or(memory.bank_size).filter(|room| *room > 0 && *room < memory.per_bank)
}

fn defragment(memory: &OutOfMemory) -> Advice {
    let now = match memory.largest_free {
        Some(largest) => format!(" Up to {} in each bank fit as it is.", bytes(largest)),
        None => String::new(),
    };
    advice(
        format!(
            "Close the holes: allocate this buffer earlier, before the small and long-lived ones; free neighbours of \
             a hole; or move a tensor that lies between two holes (ttnn.reallocate).{now}"
        ),
        memory.largest_free,
    )
}

/// Banks of L1 are cores: over how many the buffer has to be sharded at least, with how much in each.
fn cores_needed(memory: &OutOfMemory) -> Option<(u64, u64)> {
    let room = room(memory)?;
    Some((memory.per_bank.checked_mul(memory.banks)?.div_ceil(room), room))
}

fn more_cores(memory: &OutOfMemory, cores: u64, room: u64) -> Advice {
    let room_text = bytes(room);
    let text = if cores <= MOST_WORMHOLE_CORES {
        format!(
            "Shard it over at least {} instead of {}, so that a shard is at most {room_text}.",
            count(cores, "core"),
            grouped(memory.banks)
        )
    } else if cores <= MOST_CORES {
        format!(
            "On a Blackhole with so many cores: shard it over at least {cores} instead of {}, so that a shard is at \
             most {room_text}. A Wormhole has at most {MOST_WORMHOLE_CORES} cores.",
            grouped(memory.banks)
        )
    } else {
        format!(
            "Sharding alone does not help: with at most {room_text} in each core it would take {} cores, and no chip \
             has more than {MOST_CORES}.",
            grouped(cores)
        )
    };
    advice(text, Some(room))
}

fn free_some(memory: &OutOfMemory, over: u64) -> Advice {
    let whole = over.saturating_mul(memory.banks);
    advice(
        format!(
            "Free buffers in {} first: ttnn.deallocate what is no longer needed, at least {} in each bank ({} in all \
             {}).",
            memory.memory,
            bytes(over),
            bytes(whole),
            count(memory.banks, "bank")
        ),
        Some(over),
    )
}

/// A tile of bfloat8_b takes 1,088 bytes, one of bfloat16 2,048: is that enough?
fn smaller_type(memory: &OutOfMemory) -> Option<Advice> {
    let room = room(memory)?;
    let smaller = u64::try_from((u128::from(memory.per_bank) * 1088).div_ceil(2048)).ok()?;
    (smaller <= room).then(|| {
        advice(
            format!(
                "If it is bfloat16: as bfloat8_b it takes about {} in each bank, which fits.",
                bytes(smaller)
            ),
            Some(smaller),
        )
    })
}

pub(super) fn below_limit(limit: &BelowLimit) -> Verdict {
    let title = "An L1 buffer would lie lower than it may";
    let mut figures = vec![
        figure("lowest address allowed", grouped(limit.limit)),
        figure("address found", grouped(limit.address)),
    ];
    let Some(over) = limit.limit.checked_sub(limit.address).filter(|over| *over > 0) else {
        return contradictory(title, figures);
    };
    figures.insert(0, figure("over", bytes(over)));
    Verdict {
        title: format!("{title}, by {}", bytes(over)),
        meaning: "Buffers that are interleaved over all cores may use only the upper part of L1, since some banks are \
                  smaller than others. There was a free block, but it reaches below that part."
            .to_owned(),
        fit: Fit::Full,
        over: Some(over),
        figures,
        advice: vec![
            advice("Keep the tensor in DRAM (memory_config=ttnn.DRAM_MEMORY_CONFIG), or shard it: sharded buffers may lie lower.", None),
            advice(
                format!("Free L1 buffers of at least {} in each bank, or make the tensor as much smaller.", bytes(over)),
                Some(over),
            ),
        ],
        blockers: Vec::new(),
    }
}
