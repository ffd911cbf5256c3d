//! Positions of the fields in the L1 of a worker core: the layout of TT-Metal's `mailboxes_t` and its memory map.
//!
//! Both change with almost every release. The table in `layout_table.rs` holds what the headers of thirteen ttnn
//! releases say; `scripts/generate_l1_layouts.py` writes it from `scripts/l1_layouts.json`. A layout is chosen in
//! one of three ways, and its label says which:
//!
//! - `Layout::of_core`: the position of the magic number in `core_info`, cross-checked with the rest of it;
//! - `Layout::of_release`: the release that the user names, for those before 0.66, which have no magic number;
//! - `dwarf::layout`: the debug information of the firmware that the owner loaded, or that the user names.
//!
//! What fits none of them is refused. Reading a mailbox by the wrong layout gives numbers that look right.

use std::borrow::Cow;

use ttmem_model::Arch;
use ttmem_model::l1::{ByteRange, Coordinate, Grid};

use super::field;
use super::layout_table::ROWS;

/// `CoreMagicNumber::WORKER` (`dev_msgs.h` of TT-Metal 0.66 to 0.81): what `core_info` of a worker core holds.
pub const WORKER_MAGIC: u32 = 0x50EC_09A3;

/// Bytes of the kernel config ring unless `worker_l1_size` was given: 69 KiB, on both architectures, 0.60 to 0.81.
pub(crate) const DEFAULT_RING_BYTES: u64 = 70_656;

/// The layout of the L1 of one chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The architecture it holds for.
    pub(crate) arch: Arch,
    /// The name in outputs: releases and selection, as in `0.81.1 (magic)`.
    pub(crate) label: Cow<'static, str>,
    /// The fields of `mailboxes_t`.
    pub(crate) mailbox: Mailbox,
    /// The memory map around it.
    pub(crate) memory: MemoryMap,
    /// False where the start of the ring is the lowest of several that it may be: 128 bytes or so are then called
    /// part of the ring that may be reserved.
    pub(crate) is_ring_certain: bool,
}

/// A field: bytes from the start of whatever holds it, and bytes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Bytes of the field, all elements of an array together.
    pub(crate) bytes: u32,
}

/// The fields of `mailboxes_t` that `ttmem` reads. Offsets count from the start of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Bytes of the whole structure.
    pub bytes: u32,
    /// `launch_msg_rd_ptr`: the slot that the firmware looks at.
    pub(crate) read_pointer: Field,
    /// `launch`: the slots.
    pub(crate) launch: Field,
    /// Bytes of one slot (`launch_msg_t`).
    pub(crate) slot_bytes: u32,
    /// The fields of a slot.
    pub(crate) config: KernelConfig,
    /// `go_messages`, four bytes each; one `go_message` before 0.64. The signal is the last byte of each.
    pub(crate) go_messages: Field,
    /// `go_message_index`: which of them the firmware watches. Absent before 0.64.
    pub(crate) go_message_index: Option<Field>,
    /// The fields of `core_info`.
    pub core_info: CoreInfoFields,
}

/// The fields of `kernel_config_msg_t`. Offsets count from the start of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelConfig {
    /// `kernel_config_base`, a u32 for each kind of core; the first is that of worker cores.
    pub(crate) base: Field,
    /// `local_cb_offset`, u16.
    pub(crate) local_cb_offset: Field,
    /// `remote_cb_offset`, u16.
    pub(crate) remote_cb_offset: Field,
    /// `mode`, u8: 0 for fast dispatch, 1 for slow.
    pub(crate) mode: Field,
    /// `kernel_text_offset`, a u32 for each processor.
    pub(crate) text_offset: Field,
    /// `kernel_text_size`, a u32 for each processor. Absent before 0.74.
    pub(crate) text_size: Option<Field>,
    /// `local_cb_mask`: u32, from 0.67 on u64.
    pub(crate) local_cb_mask: Field,
    /// `min_remote_cb_start_index`, u8.
    pub(crate) min_remote_cb_index: Field,
    /// `host_assigned_id`, u32.
    pub(crate) host_assigned_id: Field,
    /// `enables`: u8, from 0.64 on u32.
    pub(crate) enables: Field,
    /// `watcher_kernel_ids`: a u16 for each processor; before 0.64 for each of brisc, ncrisc and the three triscs.
    pub(crate) kernel_ids: Field,
    /// `preload`, u8: bit 7 lets the firmware prepare before the go signal.
    pub(crate) preload: Field,
}

/// The fields of `core_info_msg_t`. Offsets count from the start of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreInfoFields {
    /// `worker_grid_size_x`, u8.
    pub grid_x: Field,
    /// `worker_grid_size_y`, u8.
    pub grid_y: Field,
    /// `absolute_logical_x`, u8.
    pub(crate) logical_x: Field,
    /// `absolute_logical_y`, u8.
    pub(crate) logical_y: Field,
    /// `l1_unreserved_start`, u32.
    pub unreserved: Field,
    /// `core_magic_number`, u32. Absent before 0.66.
    pub magic: Option<Field>,
}

/// The constants of `dev_mem_map.h`. Addresses count from the start of L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryMap {
    /// `MEM_MAILBOX_BASE`.
    pub mailbox: u64,
    /// `MEM_MAP_END`: where the kernel config ring starts.
    pub ring_start: u64,
    /// `MEM_L1_SIZE`.
    pub l1_bytes: u64,
    /// `NUM_CIRCULAR_BUFFERS` of the firmware.
    pub(crate) circular_buffers: u8,
    /// The parts below the ring: names and starts, ascending. The last ends where the ring starts.
    pub(crate) reserved: &'static [(&'static str, u64)],
}

/// Releases with one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The architecture.
    pub arch: Arch,
    /// The releases, oldest first.
    pub(crate) releases: &'static [&'static str],
    /// The fields of `mailboxes_t`.
    pub mailbox: Mailbox,
    /// The memory map.
    pub memory: MemoryMap,
}

/// The identity of a core, from the core itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoreInfo {
    /// The worker cores of the chip, without harvested rows and columns.
    pub(crate) grid: Grid,
    /// The core's position in that grid.
    pub(crate) logical: Coordinate,
    /// End of the kernel configuration ring and start of circular buffers, in bytes from the start of L1.
    pub(crate) unreserved: u64,
}

/// The reason that no layout could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The name is none of the table's.
    #[error(
        "unknown TT-Metal layout: no table for release {release} on {arch}; known are {known}",
        arch = arch.as_str()
    )]
    NoSuchRelease {
        /// The name that was asked for.
        release: String,
        /// The architecture.
        arch: Arch,
        /// Names of the known layouts.
        known: String,
    },
    /// The named layout fits no core.
    #[error(
        "unknown TT-Metal layout: no core holds what layout {0} says; name another one with --layout"
    )]
    NoCore(String),
    /// The magic number is on no core where any release puts it.
    #[error(
        "unknown TT-Metal layout: none of {cores} cores holds the worker magic where {} put it; \
         either no program opened the chip since its reset, or its TT-Metal is older or newer: \
         name the release or its brisc.elf with --layout",
        releases_with_magic()
    )]
    NoMagic {
        /// The number of cores that were read.
        cores: usize,
    },
    /// Two releases left a magic number, each where it has it. L1 keeps what an older program wrote.
    #[error(
        "unknown TT-Metal layout: the magic is where {first} has it and where {second} has it, \
         so one is left over; name the release or its brisc.elf with --layout"
    )]
    Ambiguous {
        /// The releases of one position.
        first: String,
        /// The releases of another.
        second: String,
    },
    /// The magic number is there, and what is around it cannot be true.
    #[error("unknown TT-Metal layout: the magic is where {releases} has it, but {detail}")]
    Implausible {
        /// The releases that the position stands for.
        releases: String,
        /// The inconsistency.
        detail: String,
    },
}

impl Row {
    /// The releases as a label: `0.81.1`, or `0.69.0–0.72.0`.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        span(self.releases.first(), self.releases.last())
    }
}

/// The first and the last release of the table whose cores hold the worker magic.
fn releases_with_magic() -> String {
    let rows = || ROWS.iter().filter(|row| row.mailbox.core_info.magic.is_some());
    let releases = || rows().flat_map(|row| row.releases).copied();
    let number = |release: &&str| -> Vec<u32> {
        release.split('.').filter_map(|number| number.parse().ok()).collect()
    };
    let (first, last) = (releases().min_by_key(number), releases().max_by_key(number));
    format!("{} to {}", first.unwrap_or_default(), last.unwrap_or_default())
}

fn span(first: Option<&&str>, last: Option<&&str>) -> String {
    match (first, last) {
        (Some(first), Some(last)) if first != last => format!("{first}–{last}"),
        (Some(first), _) => (*first).to_owned(),
        _ => String::new(),
    }
}

impl Layout {
    /// The layout of a release, such as `0.62.2`. This is the only way for releases before 0.66.
    ///
    /// # Errors
    /// If the table has no such release.
    pub(crate) fn of_release(arch: Arch, release: &str) -> Result<Self, LayoutError> {
        let rows = || ROWS.iter().filter(move |row| row.arch == arch);
        match rows().find(|row| row.releases.contains(&release)) {
            Some(row) => Ok(Self::of_row(row, &format!("{release} (named)"))),
            None => Err(LayoutError::NoSuchRelease {
                release: release.to_owned(),
                arch,
                known: rows().flat_map(|row| row.releases).copied().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The offsets in L1 at which the magic number may be: from the first byte of any `core_info` field that is
    /// read to the last.
    #[must_use]
    pub(crate) fn probe_range(arch: Arch) -> ByteRange {
        let rows =
            ROWS.iter().filter(|row| row.arch == arch && row.mailbox.core_info.magic.is_some());
        let (mut start, mut end) = (u64::MAX, 0);
        for row in rows {
            let range = row.mailbox.core_info.range();
            start = start.min(row.memory.mailbox + range.start);
            end = end.max(row.memory.mailbox + range.end);
        }
        ByteRange::new(start, end)
    }

    /// The layout of the core whose L1 holds `probe` at [`Layout::probe_range`], or `None` if it shows no magic.
    ///
    /// # Errors
    /// If the magic is where a release puts it and the rest of `core_info` cannot be true.
    pub(crate) fn of_core(arch: Arch, probe: &[u8]) -> Result<Option<Self>, LayoutError> {
        let start = Self::probe_range(arch).start;
        let candidates: Vec<(&Row, Result<CoreInfo, String>)> = ROWS
            .iter()
            .filter(|row| row.arch == arch && row.mailbox.core_info.magic.is_some())
            .filter_map(|row| {
                let skip = start.checked_sub(row.memory.mailbox)?;
                let layout = Self::of_row(row, "");
                CoreInfo::read(&layout, probe, skip).transpose().map(|info| (row, info))
            })
            .collect();
        let plausible: Vec<(&Row, CoreInfo)> = candidates
            .iter()
            .filter_map(|(row, info)| Some((*row, *info.as_ref().ok()?)))
            .collect();
        let position = |row: &Row| row.mailbox.core_info.magic.map(|field| field.offset);
        match (plausible.as_slice(), candidates.first()) {
            ([], Some((row, Err(detail)))) => {
                Err(LayoutError::Implausible { releases: row.label(), detail: detail.clone() })
            }
            ([], _) => Ok(None),
            ([(first, _), rest @ ..], _) => {
                match rest.iter().find(|(row, _)| position(row) != position(first)) {
                    Some((other, _)) => {
                        Err(LayoutError::Ambiguous { first: first.label(), second: other.label() })
                    }
                    None => Ok(Self::narrowed(&plausible)),
                }
            }
        }
    }

    /// Selects one of several layouts with one position of the magic. They differ in the end of the memory map alone,
    /// and `l1_unreserved_start` distinguishes them, because the ring after it has 69 KiB by default.
    ///
    /// Where `worker_l1_size` made the ring another size, or the release is one between those of the table, the
    /// label names them all. Their fields are equal; the ring is taken to start where the lowest has it, so
    /// that nothing of it is called out of bounds.
    fn narrowed(rows: &[(&Row, CoreInfo)]) -> Option<Self> {
        if let Some((row, _)) = rows.iter().find(|(row, info)| row.unreserved() == info.unreserved)
        {
            return Some(Self::of_row(row, &format!("{} (magic)", row.label())));
        }
        let (lowest, _) = rows.iter().min_by_key(|(row, _)| row.memory.ring_start)?;
        let releases = || rows.iter().flat_map(|(row, _)| row.releases);
        let label = format!("{} (magic)", span(releases().next(), releases().last()));
        Some(Self { is_ring_certain: false, ..Self::of_row(lowest, &label) })
    }

    /// Returns the layout with the ring at its start if it has its default size and a release of the table with
    /// this mailbox ends its ring at `unreserved`.
    #[must_use]
    pub(crate) fn with_ring_end(self, unreserved: u64) -> Self {
        let is_it = |row: &&Row| {
            row.arch == self.arch
                && row.mailbox == self.mailbox
                && row.memory.mailbox == self.memory.mailbox
                && row.unreserved() == unreserved
        };
        match ROWS.iter().find(is_it) {
            Some(row) if !self.is_ring_certain => {
                let circular_buffers = self.memory.circular_buffers;
                let memory = MemoryMap { circular_buffers, ..row.memory };
                Self { memory, is_ring_certain: true, ..self }
            }
            _ => self,
        }
    }

    /// The layout of a row under a label.
    #[must_use]
    pub fn of_row(row: &Row, label: &str) -> Self {
        Self {
            arch: row.arch,
            label: label.to_owned().into(),
            mailbox: row.mailbox,
            memory: row.memory,
            is_ring_certain: true,
        }
    }

    /// The part of L1 that the mailbox takes.
    #[must_use]
    pub(crate) fn mailbox_range(&self) -> ByteRange {
        let start = self.memory.mailbox;
        ByteRange::new(start, start.saturating_add(self.mailbox.bytes.into()))
    }

    /// The part of L1 that holds the read pointer, every launch slot and the go messages: one piece in every
    /// release, of 648 to 1208 bytes.
    #[must_use]
    pub(crate) fn launch_range(&self) -> ByteRange {
        let mailbox = &self.mailbox;
        let ends = [
            mailbox.launch.end(),
            mailbox.go_messages.end(),
            mailbox.go_message_index.map_or(0, Field::end),
        ];
        let start = mailbox.read_pointer.offset.min(mailbox.launch.offset);
        let end = ends.into_iter().max().unwrap_or(start);
        self.in_l1(start, end)
    }

    /// The part of L1 that holds `core_info`, as far as it is read.
    #[must_use]
    pub(crate) fn core_info_range(&self) -> ByteRange {
        let range = self.mailbox.core_info.range();
        ByteRange::new(self.memory.mailbox + range.start, self.memory.mailbox + range.end)
    }

    /// Returns the range of a field of the mailbox in L1.
    #[must_use]
    pub(crate) fn field_range(&self, field: Field) -> ByteRange {
        self.in_l1(field.offset, field.end())
    }

    fn in_l1(&self, start: u32, end: u32) -> ByteRange {
        ByteRange::new(self.memory.mailbox + u64::from(start), self.memory.mailbox + u64::from(end))
    }
}

impl Row {
    /// Returns the first address for circular buffers if the ring has its default size: the end of the ring, rounded up
    /// to the alignment of DRAM (32 bytes on Wormhole, 64 on Blackhole).
    #[must_use]
    pub fn unreserved(&self) -> u64 {
        let alignment: u64 = match self.arch {
            Arch::Wormhole => 32,
            Arch::Blackhole => 64,
        };
        (self.memory.ring_start + DEFAULT_RING_BYTES).next_multiple_of(alignment)
    }
}

impl Field {
    /// A field at an offset.
    #[must_use]
    pub const fn new(offset: u32, bytes: u32) -> Self {
        Self { offset, bytes }
    }

    /// One past its last byte.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.offset.saturating_add(self.bytes)
    }
}

impl CoreInfoFields {
    /// Returns the range from the first byte that is read to the last, in bytes from the start of the mailbox.
    fn range(&self) -> ByteRange {
        let fields = [
            Some(self.grid_x),
            Some(self.grid_y),
            Some(self.logical_x),
            Some(self.logical_y),
            Some(self.unreserved),
            self.magic,
        ];
        let fields = || fields.iter().flatten();
        let start = fields().map(|field| field.offset).min().unwrap_or(0);
        let end = fields().map(|field| field.end()).max().unwrap_or(0);
        ByteRange::new(start.into(), end.into())
    }
}

impl CoreInfo {
    /// Parses `bytes`, which start `skip` bytes into the mailbox: `None` without the magic number of a worker
    /// core, or the reason why they cannot be true. Where the layout has no magic number, `core_info` that cannot
    /// be true is taken for none.
    pub(crate) fn read(layout: &Layout, bytes: &[u8], skip: u64) -> Result<Option<Self>, String> {
        let fields = &layout.mailbox.core_info;
        let number = |field: Field| {
            let offset = u64::from(field.offset).checked_sub(skip)?;
            field::number(bytes, Field::new(u32::try_from(offset).ok()?, field.bytes))
        };
        if let Some(magic) = fields.magic
            && number(magic) != Some(WORKER_MAGIC.into())
        {
            return Ok(None);
        }
        let byte = |field| number(field).and_then(|number| u8::try_from(number).ok());
        let (Some(columns), Some(rows), Some(x), Some(y), Some(unreserved)) = (
            byte(fields.grid_x),
            byte(fields.grid_y),
            byte(fields.logical_x),
            byte(fields.logical_y),
            number(fields.unreserved),
        ) else {
            return Err("core_info is cut off".to_owned());
        };
        let info = Self { grid: Grid { columns, rows }, logical: Coordinate { x, y }, unreserved };
        match info.fault(layout) {
            None => Ok(Some(info)),
            Some(_) if fields.magic.is_none() => Ok(None),
            Some(fault) => Err(fault),
        }
    }

    /// Returns the inconsistency, if there is one.
    fn fault(&self, layout: &Layout) -> Option<String> {
        let Self { grid, logical, unreserved } = self;
        // The whole NOC grid, of which worker cores are a part: 10 × 12 and 17 × 12 (SoC descriptors of UMD).
        let (columns, rows) = match layout.arch {
            Arch::Wormhole => (10, 12),
            Arch::Blackhole => (17, 12),
        };
        if !(1..=columns).contains(&grid.columns) || !(1..=rows).contains(&grid.rows) {
            return Some(format!("a grid of {} × {} cores cannot be", grid.columns, grid.rows));
        }
        if logical.x >= grid.columns || logical.y >= grid.rows {
            return Some(format!("core ({}, {}) is outside its grid", logical.x, logical.y));
        }
        let MemoryMap { ring_start, l1_bytes, .. } = layout.memory;
        // Every allocation in L1 is aligned to 16 bytes at least.
        if !(ring_start..l1_bytes).contains(unreserved) || unreserved % 16 != 0 {
            return Some(format!("free memory cannot begin at {unreserved}"));
        }
        None
    }
}
