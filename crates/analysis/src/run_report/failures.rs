//! Refused allocations, explained as TT-Metal's own messages are.

use ttmem_model::Kind;
use ttmem_segment::{AllocatorKind, Failure};

use super::FailureReport;
use super::replay::{Replay, name};
use crate::explain::{LiveBuffer, LiveChip, LiveMap, Message, OutOfMemory, explain_message};
use ttmem_merge::listing::SegmentBuffer;
use ttmem_merge::words::{at_caller, frames, origin_name, with_tensor};

/// The refused allocations; repetitions of one are counted together.
pub(super) fn failures(replay: &Replay<'_>) -> Vec<FailureReport> {
    let mut reports: Vec<(&Failure, FailureReport)> = Vec::new();
    for failure in &replay.segment.failures {
        let is_same = |other: &Failure| {
            (other.allocator, other.kind, other.requested, other.bytes_per_bank, &other.op)
                == (
                    failure.allocator,
                    failure.kind,
                    failure.requested,
                    failure.bytes_per_bank,
                    &failure.op,
                )
        };
        match reports.iter_mut().find(|(other, _)| is_same(other)) {
            Some((_, report)) => report.count += 1,
            None => reports.push((failure, of(replay, failure))),
        }
    }
    reports.into_iter().map(|(_, report)| report).collect()
}

fn of(replay: &Replay<'_>, failure: &Failure) -> FailureReport {
    // An allocator that could not be asked has no figures.
    let known = |bytes: u64| (failure.statistics.total > 0).then_some(bytes);
    let message = Message::OutOfMemory(OutOfMemory {
        requested: Some(failure.requested),
        memory: memory(failure.kind).to_owned(),
        banks: Some(failure.banks),
        per_bank: Some(failure.bytes_per_bank),
        bank_size: known(failure.statistics.total),
        allocated: known(failure.statistics.allocated),
        free: known(failure.statistics.free),
        largest_free: known(failure.statistics.largest_free),
        ..OutOfMemory::default()
    });
    let live = live(replay, failure);
    FailureReport {
        chips: replay.chips(failure.allocator),
        kind: failure.kind.into(),
        op: name(failure.op.as_ref()),
        stack: frames(failure.stack.as_deref()),
        after_us: replay.after_us(failure.time),
        count: 1,
        live_buffers: failure.live_buffers,
        explanation: explain_message(message, live.as_ref()),
    }
}

/// TT-Metal's name of the memory.
fn memory(kind: AllocatorKind) -> &'static str {
    match kind {
        AllocatorKind::Dram => "DRAM",
        AllocatorKind::L1 => "L1",
        AllocatorKind::L1Small => "L1_SMALL",
        AllocatorKind::Trace => "TRACE",
    }
}

/// Returns the live buffers at that moment, if the events cover it.
fn live(replay: &Replay<'_>, failure: &Failure) -> Option<LiveMap> {
    let living = replay.after(failure.event)?;
    let label = |live: &SegmentBuffer<'_>| {
        let op = name(live.op).map(|op| format!(" of {op}")).unwrap_or_default();
        let (tensor, caller) = (with_tensor(live.shape), at_caller(live.stack));
        format!("{}{op}{tensor}{caller}", origin_name(live.origin))
    };
    let buffers = living
        .iter()
        .filter(|live| live.allocator == failure.allocator)
        .map(|live| LiveBuffer {
            address: live.address,
            bytes: live.footprint.bytes_per_bank,
            kind: Kind::from(live.footprint.kind),
            label: label(live),
        })
        .collect();
    Some(LiveMap { chips: vec![LiveChip { name: String::new(), buffers, refused: None }] })
}
