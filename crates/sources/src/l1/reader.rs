//! Reads the cores of a chip, with as few and as small reads as it takes.
//!
//! The layout and each core's position are read once; when another process takes the chip, open it again. Over a port that
//! pays for each call, each core's position is read with its first block. A sample of a core that has gone on takes three
//! reads there: the block from the read pointer over the launch
//! slots to the go messages (648 to 1208 bytes, one piece in every release), the records of its circular buffers,
//! and the block again to see whether the core went on meanwhile. A core whose block has not changed since takes one: a
//! block with the same number of a program has the same program. Taking the block whole is what keeps it at three:
//! where the newest slot is, is only known once all of them are read, and the read pointer and the go message are
//! at its two ends.
//!
//! None of the three can be left out. The first names the address of the records; the last shows that they are of that
//! program, since a new one may overwrite them between the two. The records of another core with an equal slot are not
//! theirs: circular buffers belong to ranges of cores within a group of equal kernels. One read over both would not do:
//! the records come after the block, and no port promises that a read is one moment. Sending the last two questions
//! together would save a wait, but a server is asked one question at a time (`docs/safety.md`), and has as much to do.
//!
//! Over a port that pays for each word ([`L1Port::worthwhile_gap`]) the same ranges are asked for one
//! by one. Measured on the captures, per core: 2.8 reads and 2.3 kB, or 8 reads and 350 bytes where programs run by
//! slow dispatch, 14 reads and 540 bytes after programs of fast dispatch.

use std::collections::BTreeSet;

use ttmem_model::Arch;
use ttmem_model::l1::{
    ByteRange, CircularBuffer, Coordinate, Core, CoreState, Dispatch, Geometry, Program,
};
use ttmem_model::order::Gather as _;

use super::counted::Counted;
use super::dwarf::DwarfError;
use super::fault::Fault;
use super::launch::{Block, Head, Slot};
use super::layout::{CoreInfo, Layout, LayoutError};
use super::opening::{find_layout, read_first, read_info};
use super::program::{self, Bounds, REMOTE_PAGE_BYTES, Records, Remote};
use crate::port::{L1Port, PortError};

/// The reason of a core among others that TT-Metal's firmware runs on.
const NO_MAGIC: &str = "TT-Metal's magic number is not there";

/// The most reads of a core that is inconsistent or changes meanwhile.
const RETRIES: usize = 3;

/// Reads the cores of one chip by one layout.
#[derive(Clone, Debug)]
pub struct Reader {
    layout: Layout,
    positions: Vec<CorePosition>,
    opening: Cost,
}

/// The cost of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls of the port.
    pub reads: u64,
    /// Bytes that they asked for.
    pub bytes: u64,
}

impl Cost {
    /// Returns the sum of two costs.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { reads: self.reads + other.reads, bytes: self.bytes + other.bytes }
    }
}

/// The reason that a chip cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The layout is not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The firmware that was named gives no layout.
    #[error(transparent)]
    Firmware(#[from] DwarfError),
    /// The port is broken.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A core that answers, and its `core_info`.
#[derive(Clone, Debug)]
struct CorePosition {
    noc: Coordinate,
    info: Result<CoreInfo, Fault>,
    /// The block, if it was read with `core_info` and not used yet.
    opened: Option<Vec<u8>>,
    /// The last program that was read whole.
    kept: Option<Kept>,
}

/// A program that was read whole, and the block that was the same before and after.
#[derive(Clone, Debug)]
struct Kept {
    block: Vec<u8>,
    core: Core,
}

impl Reader {
    /// Finds the layout by the magic number of the first core that has one, and the cores.
    ///
    /// # Errors
    /// If no layout fits or the port is broken.
    pub fn open(port: &mut dyn L1Port) -> Result<Self, OpenError> {
        let mut port = Counted::new(port);
        let layout = find_layout(&mut port)?;
        Ok(Self::seated(&mut port, layout)?)
    }

    /// Creates a reader with a layout that the user named.
    ///
    /// # Errors
    /// If no core fits the layout, or the port is broken.
    pub(crate) fn with_named_layout(
        port: &mut dyn L1Port,
        layout: Layout,
    ) -> Result<Self, OpenError> {
        let reader = Self::with_layout(port, layout)?;
        if reader.positions.is_empty() {
            return Err(LayoutError::NoCore(reader.layout.label.into_owned()).into());
        }
        Ok(reader)
    }

    /// Creates a reader with a known layout: from debug information, or of a release without magic number.
    ///
    /// # Errors
    /// If the port is broken.
    pub fn with_layout(port: &mut dyn L1Port, layout: Layout) -> Result<Self, PortError> {
        Self::seated(&mut Counted::new(port), layout)
    }

    /// Replaces the layout by another one of the same firmware. Where the cores are is read again only if the layouts have
    /// that in different bytes.
    ///
    /// # Errors
    /// If the port is broken.
    pub(crate) fn with_other_layout(
        self,
        port: &mut dyn L1Port,
        layout: Layout,
    ) -> Result<Self, PortError> {
        let core_info = |layout: &Layout| (layout.memory.mailbox, layout.mailbox.core_info);
        if core_info(&self.layout) != core_info(&layout) {
            let again = Self::with_layout(port, layout)?;
            return Ok(Self { opening: self.opening.plus(again.opening), ..again });
        }
        let mut positions = self.positions;
        if self.layout.launch_range() != layout.launch_range() {
            positions.iter_mut().for_each(|position| position.opened = None);
        }
        Ok(Self { layout: ended_at(layout, &positions), positions, ..self })
    }

    fn seated(port: &mut Counted<'_>, layout: Layout) -> Result<Self, PortError> {
        let (mut positions, mut silent) = (Vec::new(), Vec::new());
        for noc in port.port.chip().cores.clone() {
            let (info, opened) = match read_first(port, &layout, noc) {
                Ok((Some(info), opened)) => (Ok(info), opened),
                Ok((None, _)) => {
                    silent.push(noc);
                    (Err(Fault::CoreInfo(NO_MAGIC.to_owned())), None)
                }
                Err(Fault::Port(error)) if !error.is_local() => return Err(error),
                Err(fault) => {
                    silent.extend(matches!(fault, Fault::Port(_)).then_some(noc));
                    (Err(fault), None)
                }
            };
            positions.push(CorePosition { noc, info, opened, kept: None });
        }
        // Harvested, or not ours, are whole lines of cores. One alone has something else, and its memory is not known.
        let line = |noc: Coordinate| match port.port.chip().arch {
            Arch::Wormhole => noc.y,
            Arch::Blackhole => noc.x,
        };
        let answer = positions.iter().filter(|position| !silent.contains(&position.noc));
        let lines: BTreeSet<u8> = answer.map(|position| line(position.noc)).gather();
        positions.retain(|position| {
            !silent.contains(&position.noc) || lines.contains(&line(position.noc))
        });
        Ok(Self { layout: ended_at(layout, &positions), positions, opening: port.cost })
    }

    /// Returns the mailbox layout that cores are read with.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The parts that every core's map shares.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        let memory = &self.layout.memory;
        Geometry {
            l1_bytes: memory.l1_bytes,
            ring_start: memory.ring_start,
            reserved: memory
                .reserved
                .iter()
                .map(|(name, start)| ((*name).into(), *start))
                .collect(),
        }
    }

    /// The cost of finding the layout and the cores.
    #[must_use]
    pub(crate) fn opening_cost(&self) -> Cost {
        self.opening
    }

    /// Returns the kernel configuration ring of a core; `None` if the core is not there or reports nothing plausible.
    #[must_use]
    pub(crate) fn ring(&self, noc: Coordinate) -> Option<ByteRange> {
        let position = self.positions.iter().find(|position| position.noc == noc)?;
        let info = position.info.as_ref().ok()?;
        Some(Bounds::new(&self.layout, info).ring)
    }

    /// Reads every core. A core that cannot be read, or cannot be true, is torn.
    ///
    /// # Errors
    /// If the port is broken.
    pub fn sample(&mut self, port: &mut dyn L1Port) -> Result<(Vec<Core>, Cost), PortError> {
        let mut port = Counted::new(port);
        let layout = &self.layout;
        let cores = self.positions.iter_mut().map(|position| position.read(layout, &mut port));
        let cores = cores.collect::<Result<_, _>>()?;
        Ok((cores, port.cost))
    }
}

/// The layout with the end of the kernel configuration ring that the cores name.
fn ended_at(layout: Layout, positions: &[CorePosition]) -> Layout {
    let end = positions.iter().find_map(|position| Some(position.info.as_ref().ok()?.unreserved));
    match end {
        Some(unreserved) => layout.with_ring_end(unreserved),
        None => layout,
    }
}

impl CorePosition {
    fn read(&mut self, layout: &Layout, port: &mut Counted<'_>) -> Result<Core, PortError> {
        let mut attempt = 0;
        loop {
            let fault = match self.try_read(layout, port) {
                Ok(core) => return Ok(core),
                Err(Fault::Port(error)) if !error.is_local() => return Err(error),
                Err(fault) => fault,
            };
            // A second read of missing bytes would fail too.
            if attempt == RETRIES || matches!(fault, Fault::Port(_)) {
                return Ok(self.torn(&fault));
            }
            attempt += 1;
        }
    }

    fn try_read(&mut self, layout: &Layout, port: &mut Counted<'_>) -> Result<Core, Fault> {
        if self.info.is_err() {
            let info = read_info(port, layout, self.noc);
            self.info =
                info.and_then(|info| info.ok_or_else(|| Fault::CoreInfo(NO_MAGIC.to_owned())));
        }
        let info = self.info.clone()?;
        let bounds = Bounds::new(layout, &info);
        let mut block = self.block(layout, port)?;
        let head = block.head()?;
        let chosen = choose(port, self.noc, &mut block, head)?;
        let core = self.core(&info, head.signal);
        let Some((slot, running)) = chosen else { return Ok(core) };
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.block == block.bytes()) {
            return Ok(kept.core.clone());
        }
        self.kept = None;
        let program = read_program(port, self.noc, &block.slot(slot)?, &bounds)?;
        check_unchanged(port, layout, self.noc, &block, slot)?;
        let core = Core {
            state: if running { CoreState::Running } else { CoreState::Finished },
            dispatch: program::dispatch(&block.slot(slot)?)?,
            program: Some(program),
            ..core
        };
        // Programs without a number of their own cannot be told apart.
        if block.slot(slot)?.host_id()? != 0 {
            self.kept = Some(Kept { block: block.bytes().to_vec(), core: core.clone() });
        }
        Ok(core)
    }

    /// The block as it was read with the rest at opening, else as it is now.
    fn block<'a>(
        &mut self,
        layout: &'a Layout,
        port: &mut Counted<'_>,
    ) -> Result<Block<'a>, Fault> {
        let mut block = Block::new(layout);
        match self.opened.take() {
            Some(bytes) => {
                let whole = block.part_mut(layout.launch_range());
                whole
                    .filter(|own| own.len() == bytes.len())
                    .ok_or(Fault::CutOff)?
                    .copy_from_slice(&bytes);
            }
            None => {
                let ends = [block.pointer_range(), block.go_range()];
                port.read_parts(self.noc, &mut block, &ends)?;
            }
        }
        Ok(block)
    }

    fn core(&self, info: &CoreInfo, signal: u8) -> Core {
        Core {
            noc: self.noc,
            logical: Some(info.logical),
            grid: Some(info.grid),
            state: CoreState::Idle,
            signal,
            dispatch: Dispatch::Fast,
            unreserved: Some(info.unreserved),
            program: None,
            detail: None,
            recorded: None,
        }
    }

    fn torn(&self, fault: &Fault) -> Core {
        let info = self.info.as_ref().ok();
        Core {
            noc: self.noc,
            logical: info.map(|info| info.logical),
            grid: info.map(|info| info.grid),
            state: CoreState::Torn,
            signal: 0,
            dispatch: Dispatch::Fast,
            unreserved: info.map(|info| info.unreserved),
            program: None,
            detail: Some(fault.to_string()),
            recorded: None,
        }
    }
}

/// The slot that describes the content of the core's L1, and whether it is running.
fn choose(
    port: &mut Counted<'_>,
    noc: Coordinate,
    block: &mut Block<'_>,
    head: Head,
) -> Result<Option<(usize, bool)>, Fault> {
    let whole = port.joins(block.pointer_range(), block.go_range());
    let slot = block.slot_range(head.slot);
    if !whole && head.signal == super::launch::GO {
        port.read_parts(noc, block, &[slot])?;
    }
    if block.is_running(head)? {
        return Ok(Some((head.slot, true)));
    }
    if !whole {
        let summaries: Vec<_> =
            (0..block.slots()).map(|slot| block.slot_summary_range(slot)).collect();
        port.read_parts(noc, block, &summaries)?;
    }
    let Some(newest) = block.newest(head)? else { return Ok(None) };
    if !whole {
        let range = block.slot_range(newest);
        port.read_parts(noc, block, &[range])?;
    }
    Ok(Some((newest, false)))
}

fn read_program(
    port: &mut Counted<'_>,
    noc: Coordinate,
    slot: &Slot<'_>,
    bounds: &Bounds,
) -> Result<Program, Fault> {
    let config_start = program::config_start(slot, bounds)?;
    let kernels = program::kernels(slot, bounds)?;
    let mut program = Program {
        id: slot.host_id()?,
        config_start,
        config_end: None,
        kernels,
        circular_buffers: Vec::new(),
        unread_remote: Vec::new(),
    };
    let records = Records::of(slot, bounds)?;
    if let Some(records) = records {
        read_records(port, noc, &records, bounds, &mut program)?;
    }
    let records_end = records.map_or(config_start, |records| records.end());
    let text_ends = program.kernels.iter().map(|kernel| Some(kernel.text()?.end));
    program.config_end = text_ends
        .collect::<Option<Vec<_>>>()
        .map(|ends| ends.into_iter().max().unwrap_or(0).max(records_end).max(config_start));
    Ok(program)
}

fn read_records(
    port: &mut Counted<'_>,
    noc: Coordinate,
    records: &Records,
    bounds: &Bounds,
    program: &mut Program,
) -> Result<(), Fault> {
    let (local, remote) = (records.local_range(), records.remote_range());
    let pieces = match (local, remote) {
        (Some(local), Some(remote)) if port.joins(local, remote) => {
            vec![port.fetch(noc, local.hull(remote))?]
        }
        _ => {
            let ranges = local.into_iter().chain(remote);
            ranges.map(|range| port.fetch(noc, range)).collect::<Result<_, _>>()?
        }
    };
    let piece_of = |range: ByteRange| {
        let piece = pieces.iter().find(|(own, _)| own.contains(range));
        piece.map(|(own, bytes)| (bytes.as_slice(), own.start)).ok_or(Fault::CutOff)
    };
    if let Some(range) = local {
        let (bytes, start) = piece_of(range)?;
        program.circular_buffers = records.local(bytes, start, bounds)?;
    }
    let remotes = match remote {
        Some(range) => {
            let (bytes, start) = piece_of(range)?;
            records.remote(bytes, start)?
        }
        None => Vec::new(),
    };
    for remote in remotes {
        match read_remote(port, noc, &remote, bounds) {
            Ok(buffer) => program.circular_buffers.push(buffer),
            // A capture need not hold the page; the buffer is there all the same.
            Err(Fault::Port(error)) if error.is_local() => program.unread_remote.push(remote.id),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn read_remote(
    port: &mut Counted<'_>,
    noc: Coordinate,
    remote: &Remote,
    bounds: &Bounds,
) -> Result<CircularBuffer, Fault> {
    let mut page = [0; REMOTE_PAGE_BYTES];
    port.read(noc, remote.page(bounds)?.start, &mut page)?;
    remote.buffer(&page, bounds)
}

/// Reads again what changes when a core continues: the read pointer, the go messages, and the number and the enabled
/// processors of the slot that was believed.
fn check_unchanged(
    port: &mut Counted<'_>,
    layout: &Layout,
    noc: Coordinate,
    before: &Block<'_>,
    slot: usize,
) -> Result<(), Fault> {
    let parts = [before.pointer_range(), before.slot_identity_range(slot), before.go_range()];
    let mut now = Block::new(layout);
    port.read_parts(noc, &mut now, &parts)?;
    match parts.iter().all(|part| before.part(*part) == now.part(*part)) {
        true => Ok(()),
        false => Err(Fault::Changed),
    }
}
