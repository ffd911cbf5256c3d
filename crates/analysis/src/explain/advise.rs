//! The meaning of a message for the developer of a model, and what to change. Every figure is in the message or follows
//! from it.

mod buffers;
mod fixed;
mod host;
mod link;
mod memory;
mod op;
mod parameters;
mod program;
mod setting;
mod shard;
mod trace;

use serde::Serialize;

use super::chip::ChipFacts;
use super::live::{Blocker, LiveMap};
use super::message::Message;
use super::release::Release;
use super::units::bytes;

/// The reason that it did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fit {
    /// Other buffers are in the way; without them it would fit.
    Blocked,
    /// The request is larger than the memory; even empty the memory could not hold it.
    TooLarge,
    /// Less is free than is needed.
    Full,
    /// Enough is free, but in no single range.
    Fragmented,
    /// The memory was set to 0 bytes when the device was opened.
    NoRegion,
    /// One range is large enough, yet it could not be used.
    Unusable,
    /// The message does not tell how much was free.
    Unknown,
    /// The numbers of the message contradict one another; it may be mixed with another.
    Contradictory,
    /// The grid, the shard or the setting is not one that the chip has.
    Invalid,
    /// A warning: the program continues.
    Warning,
    /// The message is not about device memory.
    NotDeviceMemory,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The change, in a sentence or two.
    pub text: String,
    /// The figure that it is about, in bytes (of one bank or core), where there is one.
    pub(crate) bytes: Option<u64>,
}

/// One line of the table of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// Name of the figure.
    pub name: &'static str,
    /// Value, as it is shown.
    pub value: String,
}

/// The explanation of a message.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) title: String,
    pub(super) meaning: String,
    pub(super) fit: Fit,
    pub(super) over: Option<u64>,
    pub(super) figures: Vec<Figure>,
    pub(super) advice: Vec<Advice>,
    pub(super) blockers: Vec<Blocker>,
}

/// Facts beside the message.
#[derive(Clone, Debug, Default)]
pub(super) struct Context<'a> {
    /// The buffers of the host.
    pub(super) live: Option<&'a LiveMap>,
    /// The chip, by the other messages.
    pub(super) chip: ChipFacts,
    /// The release, if the log or the host names it.
    pub(super) release: Option<Release>,
    /// The line where the log warns of semaphores in L1.
    pub(super) semaphores_line: Option<usize>,
}

/// The verdict on one message.
pub(super) fn verdict(message: &Message, context: &Context<'_>) -> Verdict {
    match message {
        Message::BuffersClash(clash) => buffers::clash(clash, context),
        Message::BuffersBeyondL1(beyond) => buffers::beyond(beyond),
        Message::ServiceCoreClash(clash) => buffers::service(clash),
        Message::OutOfMemory(memory) => memory::out_of_memory(memory, context),
        Message::BelowLimit(limit) => memory::below_limit(limit),
        Message::ProgramTooLarge(program) => program::too_large(program),
        Message::TraceRegionFull(trace) => trace::region_full(trace, context),
        Message::TraceOverlap(trace) => trace::overlap(trace),
        Message::TraceAllocation => trace::allocation(),
        Message::OpLimit(limit) => op::limit(limit, context),
        Message::FixedLimit(limit) => fixed::limit(limit),
        Message::BufferBeyondTensor(buffer) => shard::beyond_tensor(buffer),
        Message::ShardGrid(grid) => shard::grid(grid),
        Message::ShardCount(count) => setting::shard_count(count),
        Message::SemaphoreIds(ids) => setting::semaphore_ids(ids),
        Message::ReservedTooLarge => setting::reserved(),
        Message::WorkerL1Size(size) => setting::worker_l1_size(size),
        Message::SubDeviceRegion(region) => shard::sub_device(region),
        Message::PersistentL1(persistent) => shard::persistent(persistent),
        Message::SemaphoresInL1 => op::semaphores(),
        Message::KernelLink(link) => link::link(link),
        Message::TlbWindows(windows) => host::windows(windows),
        Message::SysmemAddress(address) => host::sysmem(address),
        Message::PinFailed(pin) => host::pin(pin),
        Message::LockWait(wait) => host::lock(wait),
        Message::HugePages(pages) => host::huge_pages(pages),
        Message::HugePageRegion(region) => host::huge_page_region(region),
        Message::HostKilled(killed) => host::killed(killed),
        Message::HostMemory(memory) => host::memory(memory),
    }
}

/// True if a need is not larger than the limit that refused it.
fn contradicts(need: Option<u64>, limit: Option<u64>) -> bool {
    need.is_some() && limit.is_some() && excess(need, limit).is_none()
}

/// The verdict on numbers that cannot be true together.
fn contradictory(title: &str, figures: Vec<Figure>) -> Verdict {
    Verdict {
        title: title.to_owned(),
        meaning: "The numbers of this message contradict one another. It may be mixed with the output of another process. Look \
                  for another copy of it in the log."
            .to_owned(),
        fit: Fit::Contradictory,
        over: None,
        figures,
        advice: Vec::new(),
        blockers: Vec::new(),
    }
}

fn figure(name: &'static str, value: impl Into<String>) -> Figure {
    Figure { name, value: value.into() }
}

/// A figure in bytes, if it is known.
fn size(name: &'static str, value: Option<u64>) -> Option<Figure> {
    value.map(|value| figure(name, bytes(value)))
}

fn advice(text: impl Into<String>, bytes: Option<u64>) -> Advice {
    Advice { text: text.into(), bytes }
}

/// Returns the bytes by which a need exceeds a limit.
fn excess(need: Option<u64>, limit: Option<u64>) -> Option<u64> {
    need?.checked_sub(limit?).filter(|over| *over > 0)
}

/// ` by 1,024 bytes`; nothing where the message was cut before the numbers that tell.
fn by(over: Option<u64>) -> String {
    over.map_or(String::new(), |over| format!(" by {}", bytes(over)))
}

/// ` by at least 1,024 bytes`, or nothing.
fn by_at_least(over: Option<u64>) -> String {
    over.map_or(String::new(), |over| format!(" by at least {}", bytes(over)))
}

/// The figure `short by`, first of all.
fn short_by(figures: &mut Vec<Figure>, over: Option<u64>, unit: &str) {
    if let Some(over) = over {
        figures.insert(0, figure("short by", format!("{}{unit}", bytes(over))));
    }
}

/// The sentence that names a blocker.
fn named(blocker: &Blocker) -> String {
    let chip =
        if blocker.chip.is_empty() { String::new() } else { format!(" on {}", blocker.chip) };
    let opens = match blocker.opens {
        Some(opens) => format!(", freeing it opens at least {} in one range", bytes(opens)),
        None => String::new(),
    };
    format!(
        "address {}{chip}: {}, {} in each bank{opens}",
        super::units::address(blocker.address),
        blocker.label,
        bytes(blocker.bytes)
    )
}

/// The table lines of the blockers.
fn blocker_figures(blockers: &[Blocker]) -> impl Iterator<Item = Figure> {
    blockers.iter().map(|blocker| figure("blocked by", named(blocker)))
}
