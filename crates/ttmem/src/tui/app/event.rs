//! Events of the live view, and the actions that follow.

use ttmem_analysis::run_report::ProcessOps;
use ttmem_model::ChipId;
use ttmem_model::buffers::BufferList;
use ttmem_recording::Event as Happened;

use super::{CoreRequest, Past, Playback, Rates, Sample, Signal};
use crate::output::buffers::SortKey;
use crate::tui::choice::View;
use crate::tui::cores::CoreLook;
use crate::tui::details::Details;
use crate::tui::export::Document;
use crate::tui::history::Moment;
use crate::tui::key::Key;
use crate::tui::op::OpColumn;
use crate::tui::select::{Column, RowId};
use crate::tui::track::ProcessId;

/// An input of the state.
#[derive(Debug)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse was used.
    Mouse(Mouse),
    /// The host was sampled.
    Sample(Sample),
    /// The history before the first sample, that sample included.
    Before(Box<Past>),
    /// The L1 of worker cores was read, or found in a recording.
    Cores(Box<CoreLook>),
    /// The buffers of processes with an agent were listed, for a time.
    Buffers(Moment, Box<BufferList>),
    /// L1 by op of processes with an agent, for a time.
    Ops(Moment, Vec<ProcessOps>),
    /// The history before the moment that the recording was set to, and the CPU use of processes at that moment.
    Past(Moment, Box<Past>, Rates),
    /// The events of a recording, in time order.
    Happened(Vec<Happened>),
    /// The recording reached its end.
    Ended,
    /// The details of a process were read.
    Details(ProcessId, Details),
    /// An action completed: a line for the bottom of the screen, or the error.
    Done(Result<String, String>),
    /// Time passed.
    Tick,
}

/// A mouse action and its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mouse {
    /// The action.
    pub(crate) gesture: Gesture,
    /// The target; `None` for empty space.
    pub(crate) target: Option<Target>,
}

/// A mouse action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gesture {
    /// Button pressed.
    Click,
    /// Wheel up.
    WheelUp,
    /// Wheel down.
    WheelDown,
    /// Moved.
    Hover,
}

/// A target of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A tab.
    View(View),
    /// A chip.
    Chip(ChipId),
    /// A row of the process table.
    Row(RowId),
    /// A column heading.
    Column(Column),
    /// A buffer, by its index among the visible ones.
    Buffer(usize),
    /// A column heading of the buffers.
    BufferColumn(SortKey),
    /// An op, by its index among the visible ones.
    Op(usize),
    /// A column heading of the ops.
    OpColumn(OpColumn),
    /// A finding, by its index in the list.
    Finding(usize),
    /// A time in a chart: columns from its right edge.
    Instant(usize),
    /// A worker core, by column and row.
    Core(u8, u8),
    /// A time of the recording.
    Time(Moment),
    /// A line of an overlay.
    Item(usize),
}

/// Work that the state requests from outside.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Draw only.
    Draw,
    /// Draw every cell, whatever the terminal shows.
    Redraw,
    /// Quit.
    Quit,
    /// Suspend until the shell resumes the process.
    Suspend,
    /// Change the sampling interval, in microseconds.
    Interval(u64),
    /// Start or stop reading the L1 of worker cores.
    Cores(CoreRequest),
    /// Play or pause the recording, or show another moment.
    Replay(Playback),
    /// Read the details of a process.
    Details(ProcessId),
    /// Save a document.
    Save(Document),
    /// Send a signal to a process.
    Signal(ProcessId, Signal),
}
