//! The meaning of a message for a model's developer, and the remedy. Every figure is in the message or follows
//! from it.

mod buffers;
mod memory;
mod program;

use serde::Serialize;

use super::live::{Blocker, LiveMap};
use super::message::Message;
use super::units::bytes;

/// The reason that it did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It would fit without the other buffers.
    InTheWay,
    /// It is larger than the memory; even empty this could not hold it.
    TooLarge,
    /// Less is free than is needed.
    Full,
    /// Enough is free, but in no single piece.
    Fragmented,
    /// The memory was set to 0 bytes when the device was opened.
    NoRegion,
    /// One piece is large enough, yet it could not be used.
    Unusable,
    /// The message does not say how much was free.
    Unknown,
    /// The numbers of the message contradict one another; it may have been cut or mixed with another.
    Contradictory,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The remedy, in a sentence or two.
    pub text: String,
    /// The figure that it is about, in bytes (of one bank or core), where there is one.
    pub bytes: Option<u64>,
}

/// One line of the table of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// The kind.
    pub name: &'static str,
    /// Its value, as it is shown.
    pub value: String,
}

/// The advice for a message.
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

/// The verdict on one message.
pub(super) fn verdict(message: &Message, live: Option<&LiveMap>) -> Verdict {
    match message {
        Message::BuffersClash(clash) => buffers::clash(clash, live),
        Message::BuffersBeyondL1(beyond) => buffers::beyond(beyond),
        Message::ServiceCoreClash(clash) => buffers::service(clash),
        Message::OutOfMemory(memory) => memory::out_of_memory(memory, live),
        Message::BelowLimit(limit) => memory::below_limit(limit),
        Message::ProgramTooLarge(program) => program::too_large(program),
    }
}

/// The verdict on numbers that cannot be true together.
fn contradictory(title: &str, figures: Vec<Figure>) -> Verdict {
    Verdict {
        title: title.to_owned(),
        meaning: "The numbers of this message contradict one another. It may have been cut, or mixed with the output \
                  of another process; look for another copy of it in the log."
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

fn advice(text: impl Into<String>, bytes: Option<u64>) -> Advice {
    Advice { text: text.into(), bytes }
}

/// The sentence that names a blocker.
fn named(blocker: &Blocker) -> String {
    let chip =
        if blocker.chip.is_empty() { String::new() } else { format!(" on chip {}", blocker.chip) };
    let opens = match blocker.opens {
        Some(opens) => format!(", freeing it opens at least {} in one piece", bytes(opens)),
        None => String::new(),
    };
    format!(
        "address {}{chip}: {}, {} in each bank{opens}",
        super::units::grouped(blocker.address),
        blocker.label,
        bytes(blocker.bytes)
    )
}

/// The table lines of the blockers.
fn blocker_figures(blockers: &[Blocker]) -> impl Iterator<Item = Figure> {
    blockers.iter().map(|blocker| figure("in the way", named(blocker)))
}
