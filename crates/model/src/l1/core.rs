//! The decoded launch messages of a worker core.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ttmem_segment::ProgramFootprint;

use super::count::Count;
use super::range::{ByteRange, RangeSet};
use crate::reading::Missing;

/// A position in a grid of cores: `[x, y]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(from = "[u8; 2]", into = "[u8; 2]")]
pub struct Coordinate {
    /// The column.
    pub x: u8,
    /// The row.
    pub y: u8,
}

impl From<[u8; 2]> for Coordinate {
    fn from([x, y]: [u8; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Coordinate> for [u8; 2] {
    fn from(Coordinate { x, y }: Coordinate) -> Self {
        [x, y]
    }
}

/// The worker cores of a chip without harvested rows and columns: `[columns, rows]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(from = "[u8; 2]", into = "[u8; 2]")]
pub struct Grid {
    /// Columns.
    pub columns: u8,
    /// Rows.
    pub rows: u8,
}

impl From<[u8; 2]> for Grid {
    fn from([columns, rows]: [u8; 2]) -> Self {
        Self { columns, rows }
    }
}

impl From<Grid> for [u8; 2] {
    fn from(Grid { columns, rows }: Grid) -> Self {
        [columns, rows]
    }
}

/// The state of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CoreState {
    /// The program is running.
    Running,
    /// The last program has ended, or the next has not started: L1 still holds what the newest one placed.
    Finished,
    /// No program has run on the core.
    Idle,
    /// The bytes are inconsistent after every retry.
    Torn,
    /// A program was dispatched there last, by the record of an agent, which does not know if it is over.
    Resident,
}

impl CoreState {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Torn => "torn",
            Self::Resident => "resident",
        }
    }
}

/// The side that starts the programs of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Dispatch {
    /// The dispatch kernels of the chip. Also of a core without a program, as it is TT-Metal's default.
    Fast,
    /// The host. The dispatch kernels themselves are started so.
    Slow,
}

/// The processors of a worker core, in the order in which launch messages count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Processor {
    /// Data movement 0.
    Brisc,
    /// Data movement 1.
    Ncrisc,
    /// Unpacking.
    Trisc0,
    /// Mathematics.
    Trisc1,
    /// Packing.
    Trisc2,
}

impl Processor {
    /// Every processor, in order.
    pub const ALL: [Self; 5] =
        [Self::Brisc, Self::Ncrisc, Self::Trisc0, Self::Trisc1, Self::Trisc2];

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brisc => "brisc",
            Self::Ncrisc => "ncrisc",
            Self::Trisc0 => "trisc0",
            Self::Trisc1 => "trisc1",
            Self::Trisc2 => "trisc2",
        }
    }
}

/// A kernel in the kernel config ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// The processor that runs it.
    pub processor: Processor,
    /// Kernel id in TT-Metal's watcher and Inspector; 0 if the firmware cleared it.
    pub id: u16,
    /// First address of the kernel text.
    pub text_start: u64,
    /// Bytes of its text. `None` for the last kernel of releases before 0.74, which do not say.
    pub text_bytes: Option<u64>,
}

impl Kernel {
    /// Returns the kernel id, if it is known: TT-Metal counts from 1, and its watcher makes the firmware overwrite the
    /// ids of what has finished with 0 (`clear_previous_launch_message_entry_for_watcher`).
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        (self.id > 0).then_some(self.id)
    }

    /// Returns the range of the kernel text, if its length is known.
    #[must_use]
    pub fn text(&self) -> Option<ByteRange> {
        ByteRange::from_start_and_bytes(self.text_start, self.text_bytes?)
    }
}

/// A circular buffer or dataflow buffer: the same records in L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CircularBuffer {
    /// Number of the circular buffer in its program.
    pub id: u8,
    /// First address.
    pub address: u64,
    /// Length in bytes.
    pub size: u64,
    /// Returns the number of whole pages.
    pub pages: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Address of the configuration page of a remote (global) circular buffer; absent for a local one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_address: Option<u64>,
}

impl CircularBuffer {
    /// Returns the address range. The decoder lets no buffer pass whose end is outside L1.
    #[must_use]
    pub fn range(&self) -> ByteRange {
        ByteRange::new(self.address, self.address.saturating_add(self.size))
    }
}

/// The content that the newest program of a core placed in its L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The number that the host gave it.
    pub id: u32,
    /// First address of the program's part of the kernel configuration ring.
    pub config_start: u64,
    /// One past the last byte of that part which is known to be its own; `None` if the last kernel's length is
    /// not known.
    pub config_end: Option<u64>,
    /// Kernels on this core, in the order of the processors.
    pub kernels: Vec<Kernel>,
    /// Circular buffers on this core, in the order of their numbers.
    pub circular_buffers: Vec<CircularBuffer>,
    /// Remote circular buffers whose configuration page could not be read, so that their address is not known.
    pub unread_remote: Vec<u8>,
}

impl Program {
    /// Returns the number of the program, if it is known. Programs of TT-Metal itself have 0, and so have programs
    /// whose numbers were cleared; kernels of the former keep their ids.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        let is_known = self.id > 0 || self.kernels.iter().any(|kernel| kernel.number().is_some());
        is_known.then_some(self.id)
    }
}

/// The record of an agent about a core, in place of launch messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The program that was dispatched there last.
    pub footprint: Option<Arc<ProgramFootprint>>,
}

/// A worker core and the content of its L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Position on the NOC, as the port counts.
    pub noc: Coordinate,
    /// Position in the grid; `None` if the position in the core's mailbox is impossible.
    pub logical: Option<Coordinate>,
    /// The grid of its chip, `None` like `logical`.
    pub grid: Option<Grid>,
    /// The state.
    pub state: CoreState,
    /// The signal of its go message: 0 done, 0x40 starting, 0x80 go. 0 if torn.
    pub signal: u8,
    /// The side that started the program.
    pub dispatch: Dispatch,
    /// First address for circular buffers; `None` like `logical`.
    pub unreserved: Option<u64>,
    /// Program on the core; `None` if idle or torn.
    pub program: Option<Program>,
    /// The reason that it is torn: one line, lower case.
    pub detail: Option<String>,
    /// The record of an agent, if the core itself was not read. Not stored: merging finds it.
    #[serde(skip)]
    pub recorded: Option<Recorded>,
}

impl Core {
    /// The program that an agent recorded, and the core's column and row in it.
    #[must_use]
    pub fn footprint(&self) -> Option<(&ProgramFootprint, (u16, u16))> {
        let footprint = self.recorded.as_ref()?.footprint.as_deref()?;
        let position = self.logical?;
        Some((footprint, (u16::from(position.x), u16::from(position.y))))
    }

    /// The bytes that its circular buffers take, each byte once.
    #[must_use]
    pub fn circular_buffers(&self) -> RangeSet {
        if let Some((footprint, position)) = self.footprint() {
            let own = footprint.circular_buffers_on(position);
            return own.map(|own| ByteRange::new(own.address, own.end())).collect();
        }
        let buffers = self.program.iter().flat_map(|program| &program.circular_buffers);
        buffers.map(CircularBuffer::range).collect()
    }

    /// True if its circular buffers may be those of another program than its launch message names.
    ///
    /// The host, where it starts programs itself, writes a program's records of circular buffers first and its launch message
    /// after them, always in the same place. Between the two a core that has finished shows the last program with the
    /// buffers of the next. Nothing else in its L1 changes before the launch message, so that this moment cannot be
    /// told from any other. While a program runs, the host waits for it (TT-Metal 0.81.1).
    #[must_use]
    pub fn may_be_of_the_next(&self) -> bool {
        self.dispatch == Dispatch::Slow
            && self.state == CoreState::Finished
            && self.circular_buffer_bytes() != Count::Known(0)
    }

    /// Bytes of circular buffers.
    #[must_use]
    pub fn circular_buffer_bytes(&self) -> Count {
        if let Some(missing) = self.torn() {
            return missing.into();
        }
        let unread = self.program.iter().flat_map(|program| &program.unread_remote).next();
        match unread {
            Some(id) => {
                let detail =
                    format!("the configuration of remote circular buffer {id} is out of reach");
                Missing::failed(detail).into()
            }
            None => self.circular_buffers().bytes().into(),
        }
    }

    /// The bytes that kernel text takes, as far as lengths are known, each byte once.
    #[must_use]
    pub(crate) fn kernel_text(&self) -> RangeSet {
        let kernels = self.program.iter().flat_map(|program| &program.kernels);
        kernels.filter_map(Kernel::text).collect()
    }

    /// Bytes of kernel text.
    #[must_use]
    pub fn kernel_text_bytes(&self) -> Count {
        if let Some(missing) = self.torn() {
            return missing.into();
        }
        if let Some((footprint, position)) = self.footprint() {
            let unknown =
                || Missing::unsupported("this TT-Metal does not publish the length of kernel text");
            return footprint
                .kernel_text_on(position)
                .map_or_else(|| unknown().into(), Count::Known);
        }
        let mut kernels = self.program.iter().flat_map(|program| &program.kernels);
        match kernels.find(|kernel| kernel.text_bytes.is_none()) {
            Some(kernel) => {
                let name = kernel.processor.as_str();
                let detail = format!(
                    "TT-Metal before 0.74 does not publish the length of the text of {name}"
                );
                Missing::unsupported(detail).into()
            }
            None => self.kernel_text().bytes().into(),
        }
    }

    /// Returns the inconsistency of its program, if there is one.
    #[must_use]
    pub(crate) fn torn(&self) -> Option<Missing> {
        let detail = || self.detail.clone().unwrap_or_else(|| "the core is torn".to_owned());
        (self.state == CoreState::Torn).then(|| Missing::failed(detail()))
    }
}
