//! Ops' own checks of L1, and semaphores in it.

use super::parameters;
use super::{Advice, Context, Figure, Fit, Verdict, advice, excess, figure, size};
use crate::explain::chip::{self, Limits};
use crate::explain::message::{OpLimit, OpUnit};
use crate::explain::units::{self, bytes};

pub(super) fn limit(limit: &OpLimit, context: &Context<'_>) -> Verdict {
    let op = limit.op.as_deref().unwrap_or("An op");
    let over = excess(limit.need, limit.limit);
    let span = over.and_then(|_| layer_norm_span(limit));
    let mut figures: Vec<Figure> = Vec::new();
    figures.extend(size("short by", over));
    match limit.unit {
        OpUnit::Shard => {
            figures.extend(size("needed in each shard", limit.need));
            figures.extend(size("size of a shard", limit.limit));
        }
        OpUnit::Bytes => {
            figures.extend(size("needed in each core", limit.need));
            figures.extend(size("usable in each core", limit.limit));
        }
        OpUnit::Addresses => {
            let at = |name, address: Option<u64>| {
                address.map(|address| figure(name, units::address(address)))
            };
            figures.extend(at("would end at", limit.need));
            figures.extend(at("must end at", limit.limit));
        }
    }
    figures.extend(span.map(|span| {
        figure("free L1 behind it", format!("{}, of which the op may use 95 %", bytes(span)))
    }));
    figures.extend(lowest_buffer(span, context).map(|text| figure("lowest L1 buffer", text)));
    let blockers = context
        .live
        .zip(span)
        .map(|(map, span)| map.at_span(span, &bases(context)))
        .unwrap_or_default();
    figures.extend(super::blocker_figures(&blockers));
    figures.extend(super::buffers::semaphore_figure(context));
    let title = match (over, limit.is_warning) {
        (_, false) if limit.unit == OpUnit::Shard => {
            format!("The output of {op} does not fit in its shards{}", super::by(over))
        }
        (Some(over), false) => format!("{op} does not fit in L1 by {}", bytes(over)),
        (None, false) => format!("{op} does not fit in L1"),
        (_, true) => format!("{op} continues with less L1 than it would like"),
    };
    Verdict {
        title,
        meaning: meaning(limit, over, span),
        fit: if limit.is_warning {
            Fit::Warning
        } else if limit.unit == OpUnit::Shard && over.is_some() {
            Fit::Invalid
        } else if over.is_none() && limit.need.is_some() && limit.limit.is_some() {
            Fit::Contradictory
        } else if is_larger_than_any(limit) {
            Fit::TooLarge
        } else {
            Fit::Blocked
        },
        over: over.filter(|_| limit.unit == OpUnit::Bytes).or(over),
        figures,
        advice: advice_for(limit, over, span, context),
        blockers,
    }
}

/// True if no core has so much L1, or the limit is the end of L1 itself.
fn is_larger_than_any(limit: &OpLimit) -> bool {
    match limit.unit {
        OpUnit::Bytes => limit
            .need
            .is_some_and(|need| chip::ALL.iter().all(|limits| need > limits.l1 - limits.l1_base)),
        OpUnit::Addresses => chip::ALL.iter().any(|limits| limit.limit == Some(limits.l1)),
        OpUnit::Shard => false,
    }
}

fn meaning(limit: &OpLimit, over: Option<u64>, span: Option<u64>) -> String {
    if limit.is_warning {
        return "The op found less free L1 than it asked for and continues with smaller buffers or in DRAM. It is slower; \
                the result is right."
            .to_owned();
    }
    if limit.unit == OpUnit::Shard {
        return "The op writes its output into the shards of a sharded tensor, and one shard is smaller than the rows that a core \
                writes. No memory is missing: the shard shape and the output do not agree."
            .to_owned();
    }
    let numbers = match (limit.unit, over, span) {
        (OpUnit::Addresses, Some(over), _) => {
            format!(" What it places in L1 would end {} too high.", bytes(over))
        }
        (_, _, Some(span)) => format!(
            " It is a clash seen by the op itself: {} of L1 are free between the first address of circular buffers and the \
             lowest L1 buffer, and the op uses 95 % of them at most.",
            bytes(span)
        ),
        _ => String::new(),
    };
    let tensors = if is_larger_than_any(limit) {
        "The need is larger than the L1 of a core: the op would not fit either if no tensor were in L1."
    } else {
        "L1 buffers of tensors are in the same L1: what they hold is missing here."
    };
    format!(
        "The op computed what its buffers take in each core's L1 before it placed them, and refused to run.{numbers} {tensors}"
    )
}

/// ttnn.layer_norm uses 95 % of the free L1, which is a multiple of 32 bytes: the free L1 behind its limit.
fn layer_norm_span(limit: &OpLimit) -> Option<u64> {
    let is_layer_norm = limit.op.as_deref().is_some_and(|op| {
        let op = op.to_ascii_lowercase();
        op.contains("layernorm") || op.contains("layer_norm") || op.contains("rmsnorm")
    });
    let limit = limit.limit.filter(|_| is_layer_norm)?;
    let span =
        u64::try_from((u128::from(limit) * 100).div_ceil(95)).ok()?.checked_next_multiple_of(32)?;
    (u128::from(span) * 95 / 100 == u128::from(limit)).then_some(span)
}

/// The bytes by which the lowest L1 buffer has to begin higher.
fn higher(limit: &OpLimit, span: Option<u64>) -> Option<u64> {
    let needed = u64::try_from((u128::from(limit.need?) * 100).div_ceil(95)).ok()?;
    needed.checked_sub(span?)
}

/// The first addresses of circular buffers that the chip may have.
fn bases(context: &Context<'_>) -> Vec<u64> {
    match context.chip.limits() {
        Some(limits) => vec![limits.l1_base],
        None => chip::ALL.iter().map(|limits| limits.l1_base).collect(),
    }
}

fn lowest_buffer(span: Option<u64>, context: &Context<'_>) -> Option<String> {
    let span = span?;
    let on = |limits: &Limits| {
        format!("begins at {} on a {}", units::address(limits.l1_base + span), limits.name)
    };
    Some(match context.chip.limits() {
        Some(limits) => on(&limits),
        None => format!(
            "{} (with the default worker_l1_size)",
            chip::ALL.iter().map(on).collect::<Vec<_>>().join(", ")
        ),
    })
}

fn advice_for(
    limit: &OpLimit,
    over: Option<u64>,
    span: Option<u64>,
    context: &Context<'_>,
) -> Vec<Advice> {
    if limit.unit == OpUnit::Shard {
        return shard_advice(limit);
    }
    let mut list: Vec<Advice> = super::buffers::semaphore_advice(context).into_iter().collect();
    let higher = higher(limit, span).or(over);
    if !is_larger_than_any(limit) {
        let by = higher.map_or(String::new(), |by| {
            format!(" The lowest L1 buffer has to begin at least {} higher.", bytes(by))
        });
        list.push(advice(
            format!("Free L1 before the op: ttnn.deallocate tensors in L1 that are no longer needed, or keep them in DRAM (memory_config=ttnn.DRAM_MEMORY_CONFIG).{by}"),
            higher,
        ));
        list.push(advice(
            "Make what is in L1 smaller: shard it over more cores, or use ttnn.bfloat8_b.",
            higher,
        ));
    }
    let own = match limit.op.as_deref().and_then(parameters::family) {
        Some(family) => family.changes.iter().map(|change| advice(*change, over)).collect(),
        None => {
            let by = over
                .map_or(String::new(), |over| format!(" by at least {} in each core", bytes(over)));
            vec![advice(
                format!(
                    "Make the op's buffers smaller{by}: smaller blocks or chunks, a larger core grid, or inputs of a smaller data type. The message may name the parameter."
                ),
                over,
            )]
        }
    };
    // Where the need is larger than L1, only the op itself can change it. Where a smaller block does not help, it is last.
    if is_larger_than_any(limit) {
        list.splice(0..0, own);
    } else {
        list.extend(own);
    }
    list
}

/// Advice for an output that is larger than its shards.
fn shard_advice(limit: &OpLimit) -> Vec<Advice> {
    let room = limit.need.map_or(String::new(), |need| format!(" of at least {}", bytes(need)));
    vec![
        advice(
            format!("Give the output a memory_config whose shard_spec has shards{room}."),
            limit.need,
        ),
        advice(
            "Or shard over more cores, so that each core writes fewer rows; or use an interleaved output (ttnn.L1_MEMORY_CONFIG, ttnn.DRAM_MEMORY_CONFIG).",
            None,
        ),
    ]
}

pub(super) fn semaphores() -> Verdict {
    Verdict {
        title: "Semaphores are allocated in L1, between tensors".to_owned(),
        meaning: "A global semaphore takes a few bytes in each core. In L1 it is below the tensors that were there \
                  before and stays, so that the range above it can be fragmented and circular buffers have less room. A \
                  later clash or fragmentation in L1 is probably its effect."
            .to_owned(),
        fit: Fit::Warning,
        over: None,
        figures: Vec::new(),
        advice: vec![
            advice("Open the device with a non-zero l1_small_size (ttnn.open_device, ttnn.open_mesh_device): semaphores then are in L1_SMALL.", None),
            advice("Create global semaphores first, before tensors in L1.", None),
        ],
        blockers: Vec::new(),
    }
}
