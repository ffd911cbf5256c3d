//! Programs and traces that TT-Metal refused, with the buffer at the limit.

use serde::Serialize;
use ttmem_merge::words::{at_caller, frames, origin_name};
use ttmem_model::Kind;
use ttmem_model::stack::StackFrame;
use ttmem_segment::{AllocatorKind, Buffer, CoreType, PartKind, Refusal, RefusalKind, Stack};

use super::super::ReportChip;
use super::super::replay::{Replay, name};
use super::chips;
use crate::explain::{
    BuffersBeyondL1, BuffersClash, CoreRange, Cores, Explanation, LiveBuffer, LiveChip, LiveMap,
    Message, ProgramTooLarge, StaticBuffers, explain_message,
};

/// A program or a trace that TT-Metal refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// `clash`, `beyond_l1`, `config_too_large`, `trace_too_large` or `other`.
    pub reason: &'static str,
    /// The op.
    pub op: Option<String>,
    /// The calls of Python that led there, the innermost first; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
    /// TT-Metal's number of the program; 0 where it does not say.
    pub program: u64,
    /// The type of the cores: `worker`, `active_ethernet`, `idle_ethernet`; `None` for a trace, or if it is not known.
    pub(crate) core_type: Option<&'static str>,
    /// The reason that it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) core_type_missing: Option<&'static str>,
    /// The cores on which it did not fit, as columns and rows of two corners.
    pub(crate) cores: [(u16, u16); 2],
    /// Address of the end of its circular buffers there, or the bytes that it needs. `None` if not known.
    pub end: Option<u64>,
    /// Address of the lowest L1 buffer, the end of L1, or the bytes set aside. `None` if not known.
    pub limit: Option<u64>,
    /// The buffer at the limit, if one is.
    pub(crate) buffer: Option<RefusedBuffer>,
    /// Microseconds from the first use of TT-Metal.
    pub after_us: u64,
    /// The number of equal refusals.
    pub count: u64,
    /// The explanation, with the missing bytes and the remedy, where the reason is known.
    pub explanation: Option<Explanation>,
}

/// The buffer that a program ran into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RefusedBuffer {
    /// Address in every bank.
    pub(crate) address: u64,
    /// Bytes in every bank.
    pub(crate) bytes_per_bank: u64,
    /// Bytes that were asked for.
    pub(crate) requested: u64,
    /// `tensor`, `kernels` or `trace`.
    pub(crate) origin: &'static str,
    /// The op that allocated it.
    pub(crate) op: Option<String>,
    /// Microseconds from its allocation to the refusal.
    pub(crate) age_us: u64,
}

/// The refusals; equal ones are one.
pub(super) fn refused(replay: &Replay<'_>) -> Vec<Refused> {
    let mut reports: Vec<(&Refusal, Refused)> = Vec::new();
    for refusal in &replay.segment.programs.refusals {
        let key = |it: &Refusal| (it.kind, it.program, it.cores, it.end, it.limit, it.part);
        match reports.iter_mut().find(|(other, _)| key(other) == key(refusal)) {
            Some((_, report)) => report.count += 1,
            None => reports.push((refusal, of(replay, refusal))),
        }
    }
    reports.into_iter().map(|(_, report)| report).collect()
}

fn of(replay: &Replay<'_>, refusal: &Refusal) -> Refused {
    let live = live(replay, refusal);
    let core_type = refusal.core_type();
    let is_unknown = core_type.is_none() && refusal.kind != RefusalKind::TraceTooLarge;
    Refused {
        chips: chips(replay.segment, &refusal.chips),
        reason: reason(refusal.kind),
        op: name(refusal.op.as_ref()),
        stack: frames(refusal.stack.as_deref()),
        program: refusal.program,
        core_type: core_type.map(CoreType::as_str),
        core_type_missing: is_unknown.then(|| unknown_core_type(refusal.kind)),
        cores: [refusal.cores.start, refusal.cores.end],
        end: refusal.end,
        limit: refusal.limit,
        buffer: refusal.buffer.as_ref().map(|buffer| RefusedBuffer {
            address: buffer.address,
            bytes_per_bank: buffer.bytes_per_bank,
            requested: buffer.requested,
            origin: origin_name(buffer.origin),
            op: name(buffer.op.as_ref()),
            age_us: refusal.time.saturating_sub(buffer.time) / 1000,
        }),
        after_us: replay.after_us(refusal.time),
        count: 1,
        explanation: message(refusal).map(|message| explain_message(message, Some(&live))),
    }
}

/// The reason that the type of the cores of a refused program is not known.
fn unknown_core_type(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::ConfigTooLarge => {
            "this release of TT-Metal does not export finalize_kernel_bins, or an older agent recorded it"
        }
        _ => "TT-Metal refused the program for a reason that the agent does not recognize",
    }
}

fn reason(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Clash => "clash",
        RefusalKind::BeyondL1 => "beyond_l1",
        RefusalKind::ConfigTooLarge => "config_too_large",
        RefusalKind::TraceTooLarge => "trace_too_large",
        RefusalKind::Other => "other",
    }
}

/// The refusal in the words of TT-Metal's message; `None` if it has none, or a number is missing.
fn message(refusal: &Refusal) -> Option<Message> {
    let corner = |(x, y): (u16, u16)| (u32::from(x), u32::from(y));
    let range = CoreRange { start: corner(refusal.cores.start), end: corner(refusal.cores.end) };
    let (cores, program) = (Cores(vec![range]), refusal.program);
    let buffers = match refusal.part {
        PartKind::DataflowBuffer => StaticBuffers::Dataflow,
        _ => StaticBuffers::Circular,
    };
    let (end, limit) = (refusal.end?, refusal.limit?);
    match refusal.kind {
        RefusalKind::Clash => Some(Message::BuffersClash(BuffersClash {
            buffers,
            program: Some(program),
            cores: Some(cores),
            l1_address: Some(limit),
            end: Some(end),
        })),
        RefusalKind::BeyondL1 => {
            let beyond = BuffersBeyondL1 {
                buffers,
                cores: Some(cores),
                end: Some(end),
                l1_size: Some(limit),
            };
            Some(Message::BuffersBeyondL1(beyond))
        }
        RefusalKind::ConfigTooLarge => Some(Message::ProgramTooLarge(ProgramTooLarge {
            size: Some(end),
            ring: Some(limit),
            processor: refusal.core_type().map(|cores| cores.metal_name().to_owned()),
            parts: Vec::new(),
            kernels: Vec::new(),
        })),
        RefusalKind::TraceTooLarge | RefusalKind::Other => None,
    }
}

/// The L1 buffers that lived then. Where the events are overwritten, the one that the agent noted.
fn live(replay: &Replay<'_>, refusal: &Refusal) -> LiveMap {
    let is_there = |allocator: u8| {
        let chips = replay.allocator(allocator).map(|allocator| &allocator.chips);
        chips.is_none_or(|chips| refusal.chips.iter().any(|chip| chips.contains(chip)))
    };
    let mut buffers: Vec<LiveBuffer> = Vec::new();
    if let Some(living) = replay.after(refusal.event) {
        let l1 = living.iter().filter(|live| live.footprint.kind == AllocatorKind::L1);
        buffers.extend(l1.filter(|live| is_there(live.allocator)).map(|live| {
            let since = live.allocated.map(|(time, _)| refusal.time.saturating_sub(time));
            LiveBuffer {
                address: live.address,
                bytes: live.footprint.bytes_per_bank,
                kind: Kind::L1,
                label: label(origin_name(live.origin), name(live.op), live.stack, since),
            }
        }));
    }
    if let Some(buffer) = &refusal.buffer
        && !buffers.iter().any(|live| live.address == buffer.address)
    {
        buffers.push(noted(buffer, refusal.time));
    }
    LiveMap { chips: vec![LiveChip { name: String::new(), buffers, refused: None }] }
}

fn noted(buffer: &Buffer, now: u64) -> LiveBuffer {
    let since = now.saturating_sub(buffer.time);
    LiveBuffer {
        address: buffer.address,
        bytes: buffer.bytes_per_bank,
        kind: Kind::L1,
        label: label(
            origin_name(buffer.origin),
            name(buffer.op.as_ref()),
            buffer.stack.as_deref(),
            Some(since),
        ),
    }
}

/// `tensor of Matmul at model.py:42 in forward, allocated 1.25 s before`.
fn label(
    origin: &str,
    op: Option<String>,
    stack: Option<&Stack>,
    nanoseconds: Option<u64>,
) -> String {
    let op = op.map(|op| format!(" of {op}")).unwrap_or_default();
    let age = nanoseconds.map(|nanoseconds| {
        let micros = nanoseconds / 1000;
        format!(", allocated {}.{:02} s before", micros / 1_000_000, micros % 1_000_000 / 10_000)
    });
    format!("{origin}{op}{}{}", at_caller(stack), age.unwrap_or_default())
}
