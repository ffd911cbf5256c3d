//! Bars of a chip's memory by kind, and the notes beside them.

use ttmem_model::snapshot::{Chip, ChipMemory};
use ttmem_model::{Quality, Reading, SourceName};

use crate::output::amount;
use crate::tui::app::App;
use crate::tui::history::Window;
use crate::tui::look::{Look, Role};
use crate::tui::track::{Line, Subject, Track, circular_buffers_alone};
use crate::tui::widget::bar::{Bar, Part, Rest};
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::short;

/// One of the two memories of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemorySpace {
    Dram,
    L1,
}

impl MemorySpace {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::L1 => "L1",
        }
    }

    /// Returns the bytes in use. For L1 that is what the allocator handed out, until L1 itself is read.
    pub(super) fn used(self, memory: &ChipMemory) -> Reading<u64> {
        match self {
            Self::Dram => memory.dram.used.clone(),
            Self::L1 if memory.l1_total.used.value().is_some() => memory.l1_total.used.clone(),
            Self::L1 => memory.l1.used.clone().checked_add(memory.l1_small.used.clone()),
        }
    }

    pub(super) fn capacity(self, memory: &ChipMemory) -> Reading<u64> {
        match self {
            Self::Dram => memory.dram.capacity.clone(),
            Self::L1 if memory.l1_total.capacity.value().is_some() => {
                memory.l1_total.capacity.clone()
            }
            Self::L1 => memory.l1.capacity.clone(),
        }
    }

    /// Returns the source and quality of the bytes in use.
    pub(super) fn origin(self, memory: &ChipMemory) -> Option<(SourceName, Quality)> {
        let used = self.used(memory);
        used.source().zip(used.quality())
    }

    /// Returns the reason that the bytes in use are missing.
    pub(super) fn missing(self, memory: &ChipMemory) -> Option<&ttmem_model::Missing> {
        match self {
            Self::Dram => memory.dram.used.missing(),
            Self::L1 => memory.l1.used.missing().or_else(|| memory.l1_small.used.missing()),
        }
    }

    /// Returns the known kinds in it, leftmost first.
    fn kinds(self, memory: &ChipMemory) -> Vec<(Role, &Reading<u64>)> {
        match self {
            Self::Dram => {
                vec![
                    (Role::Dram, &memory.dram.used),
                    (Role::Trace, &memory.trace.used),
                    (Role::Stale, &memory.dram.stale),
                ]
            }
            Self::L1 => vec![
                (Role::L1, &memory.l1.used),
                (Role::L1Small, &memory.l1_small.used),
                (Role::CircularBuffers, &memory.circular_buffers.used),
                (Role::Kernels, &memory.kernels.used),
                (Role::Reserved, &memory.reserved.used),
                (Role::Stale, &memory.l1.stale),
            ],
        }
    }

    /// True if the rest of the bar is known to be free.
    fn rest(self, memory: &ChipMemory) -> Rest {
        match self {
            Self::Dram if memory.dram.used.value().is_some() => Rest::Free,
            Self::L1 if memory.l1_total.used.value().is_some() => Rest::Free,
            Self::Dram | Self::L1 => Rest::Unknown,
        }
    }

    fn track(self) -> Track {
        match self {
            Self::Dram => Track::Dram,
            Self::L1 => Track::L1,
        }
    }
}

/// Draws a memory of a chip as a bar. Draws no bar if the capacity is missing.
pub(super) fn draw_bar(
    app: &App,
    canvas: &mut Canvas<'_>,
    chip: &Chip,
    space: MemorySpace,
    (x, y, columns): (u16, u16, u16),
) {
    let memory = &chip.memory;
    let parts: Vec<Part> = space
        .kinds(memory)
        .into_iter()
        .filter_map(|(role, reading)| Some(Part { amount: *reading.value()? as f64, role }))
        .map(|part| match part.role {
            Role::CircularBuffers => {
                Part { amount: circular_buffers_alone(memory).unwrap_or(0.0), ..part }
            }
            _ => part,
        })
        .collect();
    let line = Line { subject: Subject::Chip(chip.id), track: space.track() };
    let peak = app.past.history.worst(line, Window::Hour).map(f64::from);
    let (whole, rest) = match space.capacity(memory).value().copied() {
        Some(capacity) => (capacity as f64, space.rest(memory)),
        None => (0.0, Rest::Unknown),
    };
    let parts = if whole > 0.0 { parts } else { Vec::new() };
    Bar { parts: &parts, whole, rest, peak }.draw(canvas, x, y, columns);
}

/// Returns the notes beside a bar: its kinds by name, unless they are empty.
pub(super) fn notes(look: Look, memory: &ChipMemory, space: MemorySpace) -> Vec<(Role, String)> {
    let note = |role: Role, name: &str, reading: &Reading<u64>| {
        let bytes = reading.value().filter(|bytes| **bytes > 0)?;
        let mark = reading.quality().map_or("", |quality| look.mark(quality));
        Some((role, format!("{name} {mark}{}", amount::short_size(*bytes))))
    };
    let cb = &memory.circular_buffers;
    let has_buffers = memory.l1.used.value().is_some_and(|bytes| *bytes > 0);
    let is_doubtful = has_buffers && cb.aliasing.value().is_none();
    let shared = if is_doubtful { " maybe buffers" } else { "" };
    let notes = match space {
        MemorySpace::Dram => vec![
            note(Role::Trace, "trace", &memory.trace.used),
            note(Role::Plain, "largest free", &memory.dram.largest_free)
                .map(|(role, text)| (role, text + "/bank")),
            note(Role::Stale, "stale", &memory.dram.stale),
        ],
        MemorySpace::L1 => vec![
            note(Role::L1, "buffers", &memory.l1.used),
            note(Role::L1Small, "L1_SMALL", &memory.l1_small.used),
            note(Role::CircularBuffers, "CBs", &cb.used).map(|(role, text)| (role, text + shared)),
            note(Role::Kernels, "kernels", &memory.kernels.used),
            note(Role::Reserved, "reserved", &memory.reserved.used),
            note(Role::Plain, "CBs reported", &cb.reported).filter(|_| cb.used.value().is_none()),
            note(Role::Stale, "stale", &memory.l1.stale),
        ],
    };
    notes.into_iter().flatten().collect()
}

/// Formats bytes and their share: both in twelve columns or more, one of them in fewer.
pub(super) fn amount_in(
    look: Look,
    memory: &ChipMemory,
    space: MemorySpace,
    columns: u16,
) -> String {
    let (used, capacity) = (space.used(memory), space.capacity(memory));
    let bytes = short(look, &used);
    let share = crate::tui::widget::figure::percent(&used, &capacity);
    match columns {
        0..7 if !share.is_empty() => share,
        0..12 => bytes,
        _ => format!("{bytes:>6} {share:>5}"),
    }
}
