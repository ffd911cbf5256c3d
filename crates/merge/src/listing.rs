//! The live buffers of a segment at one moment, as a list: now, or in a recording.

use ttmem_model::buffers::{
    AllocatorUse, Block, BufferList, BufferOwner, ChipRef, KindUse, LiveBuffer, SCHEMA, VERSION,
};
use ttmem_model::order;
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{Kind, Pid, Timestamp};
use ttmem_segment::{
    Accessor, Allocator, AllocatorKind, AllocatorRole, Buffer, Event, Footprint, Hook, Label, Op,
    Origin, Segment, Shape, Stack, StackState,
};

use crate::words::{frames, layout_name, op_quality, origin_name, tensor};
use crate::{bank, figures};

/// The entry of a segment that lists a buffer: its index in the table, or among the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Entry of the table of live buffers.
    Table(usize),
    /// Event of the allocation.
    Allocated(usize),
    /// Event of the free, where that of the allocation is lost.
    Freed(usize),
}

/// A buffer while it lives.
#[derive(Clone, Copy, Debug)]
pub struct SegmentBuffer<'a> {
    /// The entry that it comes from.
    pub provenance: Provenance,
    /// Index of its allocator in the segment.
    pub allocator: u8,
    /// The reason that TT-Metal allocated it.
    pub origin: Origin,
    /// First byte, the same in every bank.
    pub address: u64,
    /// Kind, layout and sizes.
    pub footprint: Footprint,
    /// Time and thread of the allocation, if they are known.
    pub allocated: Option<(u64, u32)>,
    /// The op that allocated it.
    pub op: Option<&'a Op>,
    /// The calls that allocated it.
    pub stack: Option<&'a Stack>,
    /// The shape of its tensor.
    pub shape: Option<&'a Shape>,
}

impl<'a> SegmentBuffer<'a> {
    /// Returns the buffer of an entry of a segment.
    pub fn at(segment: &'a Segment, provenance: Provenance) -> Option<Self> {
        match provenance {
            Provenance::Table(index) => Some(Self::of_table(index, segment.buffers.get(index)?)),
            Provenance::Allocated(index) => Self::of_allocation(index, segment.events.get(index)?),
            Provenance::Freed(index) => Self::of_end(index, segment.events.get(index)?),
        }
    }

    /// A buffer of the table of live buffers.
    pub fn of_table(index: usize, buffer: &'a Buffer) -> Self {
        Self {
            provenance: Provenance::Table(index),
            allocator: buffer.allocator,
            origin: buffer.origin,
            address: buffer.address,
            footprint: buffer.footprint(),
            allocated: Some((buffer.time, buffer.thread)),
            op: buffer.op.as_ref(),
            stack: buffer.stack.as_deref(),
            shape: buffer.shape.as_deref(),
        }
    }

    /// A buffer whose allocation is among the events.
    pub fn of_allocation(index: usize, event: &'a Event) -> Option<Self> {
        let allocated = Some((event.time, event.thread));
        let (provenance, op) = (Provenance::Allocated(index), event.op.as_ref());
        Some(Self { provenance, allocated, op, ..Self::of_end(index, event)? })
    }

    /// A buffer of which only the end is known. The event's thread and op are those that freed it.
    pub fn of_end(index: usize, event: &'a Event) -> Option<Self> {
        Some(Self {
            provenance: Provenance::Freed(index),
            allocator: event.allocator?,
            origin: event.origin,
            address: event.address,
            footprint: event.footprint,
            allocated: None,
            op: None,
            stack: event.stack.as_deref(),
            shape: event.shape.as_deref(),
        })
    }
}

/// A list without a process.
pub fn empty(time: Timestamp, demo: bool) -> BufferList {
    BufferList {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: time,
        demo,
        processes: Vec::new(),
        allocators: Vec::new(),
        buffers: Vec::new(),
        programs: Vec::new(),
    }
}

/// Brings processes and allocators into the order that the format promises.
pub fn sort(list: &mut BufferList) {
    order::sort_by_key(&mut list.processes, |process| (process.pid, process.start_time));
    order::sort_by_key(&mut list.programs, |program| program.pid);
    order::sort_by_key(&mut list.allocators, |allocator| (allocator.pid, allocator.number));
}

/// The process behind a segment, as its host knows it.
#[derive(Clone, Debug)]
pub struct SegmentProcess {
    /// Process id on the host.
    pub pid: Pid,
    /// Start time, in clock ticks since boot.
    pub start_time: u64,
    /// Short name.
    pub name: String,
    /// User: the name, or the number where no name is known.
    pub user: Option<String>,
    /// Container or pod.
    pub container: Option<String>,
    /// State of the process.
    pub state: ProcessState,
    /// The file of the segment.
    pub segment: String,
    /// The chips of the segment, by its index; `None` for a chip that no source identifies.
    pub chips: Vec<Option<ChipRef>>,
}

/// An allocator that is open at a moment.
#[derive(Clone, Debug)]
pub struct Open<'a> {
    /// The allocator.
    pub allocator: &'a Allocator,
    /// Usage of each kind, in the order of [`AllocatorKind::ALL`].
    pub kinds: [KindUsage; 4],
}

/// The use of a kind by an allocator in every bank.
#[derive(Clone, Copy, Debug, Default)]
pub struct KindUsage {
    /// Bytes of each bank.
    pub live_bytes: u64,
    /// Number of live buffers.
    pub live_buffers: u64,
    /// Live buffers that the table had no room for.
    pub unlisted_buffers: u64,
    /// The statistics of TT-Metal's allocator.
    pub figures: Option<Figures>,
}

/// The statistics of TT-Metal's allocator for a kind, in bytes of a bank.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Bytes that can be allocated.
    pub allocatable: u64,
    /// Bytes that are free.
    pub free: u64,
    /// Largest free block; `None` for a past moment at which the addresses of all buffers are not known.
    pub largest_free: Option<u64>,
}

impl<'a> Open<'a> {
    /// The current state of an allocator; `None` if it is closed.
    fn now(segment: &Segment, allocator: &'a Allocator) -> Option<Self> {
        let kind = |kind: AllocatorKind| {
            let held = allocator.kind(kind);
            KindUsage {
                live_bytes: held.live_bytes,
                live_buffers: held.live_buffers,
                unlisted_buffers: held.unlisted_buffers,
                figures: figures::present(segment, allocator, kind).map(|(figures, _)| figures),
            }
        };
        let kinds = AllocatorKind::ALL.map(kind);
        allocator.closed.is_none().then_some(Self { allocator, kinds })
    }
}

/// The content of a segment at a moment.
#[derive(Clone, Debug)]
pub struct SegmentView<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// The allocators that were open.
    pub open: Vec<Open<'a>>,
    /// The live buffers.
    pub live: Vec<SegmentBuffer<'a>>,
    /// The moment, as the segment counts time.
    pub time: Timestamp,
}

impl<'a> SegmentView<'a> {
    /// Returns the live buffers and sums at the time that the segment was read.
    pub fn now(segment: &'a Segment, time: Timestamp) -> Self {
        let open = segment.allocators.iter().filter_map(|it| Open::now(segment, it)).collect();
        let buffers = segment.buffers.iter().enumerate();
        let live = buffers.map(|(index, buffer)| SegmentBuffer::of_table(index, buffer)).collect();
        Self { segment, open, live, time }
    }

    /// Adds the process with its open allocators and their buffers to a list.
    pub fn add_to(&self, list: &mut BufferList, holder: &SegmentProcess) {
        list.processes.push(self.owner(holder));
        list.allocators.extend(self.open.iter().map(|open| self.allocator(holder, open)));
        let buffers = self.live.iter().filter_map(|live| self.buffer(holder.pid, live));
        list.buffers.extend(buffers);
    }

    fn owner(&self, holder: &SegmentProcess) -> BufferOwner {
        let unlisted = self.open.iter().flat_map(|open| &open.kinds);
        BufferOwner {
            complete: self.segment.losses.is_complete(),
            unlisted: unlisted.fold(0, |sum: u64, kind| sum.saturating_add(kind.unlisted_buffers)),
            ..owner(holder, Some(self.segment))
        }
    }

    fn allocator(&self, holder: &SegmentProcess, open: &Open<'_>) -> AllocatorUse {
        let allocator = open.allocator;
        let every: Vec<usize> = (0..self.segment.chips.len()).collect();
        // As elsewhere: an allocator whose chips were not found out is on the only chip there is.
        let indexes = match (allocator.chips.as_slice(), every.as_slice()) {
            ([], [only]) => std::slice::from_ref(only),
            (chips, _) => chips,
        };
        let chip = |index: &usize| holder.chips.get(*index).copied().flatten();
        let mut chips: Vec<ChipRef> = indexes.iter().filter_map(chip).collect();
        order::sort_by_key(&mut chips, |chip| chip.index);
        AllocatorUse {
            pid: holder.pid,
            number: allocator.serial,
            role: allocator.role,
            chips,
            kinds: AllocatorKind::ALL.iter().filter_map(|kind| self.kind(open, *kind)).collect(),
        }
    }

    /// One kind, if TT-Metal reports its region, which may have no bytes.
    fn kind(&self, open: &Open<'_>, kind: AllocatorKind) -> Option<KindUse> {
        let (allocator, held) = (open.allocator, open.kinds[kind as usize]);
        // A sub-device has what its mesh repeats in its own name.
        let is_of_mesh = held.live_buffers == 0 && allocator.role == AllocatorRole::SubDevice;
        if is_of_mesh || held.live_buffers == 0 && held.figures.is_none() {
            return None;
        }
        let is_own = |live: &&SegmentBuffer<'_>| {
            live.allocator == allocator.index && live.footprint.kind == kind
        };
        let blocks = self.live.iter().filter(is_own);
        let blocks = blocks
            .map(|live| Block { address: live.address, bytes: live.footprint.bytes_per_bank })
            .collect();
        Some(KindUse {
            kind: kind.into(),
            banks: allocator.kind(kind).banks,
            used_per_bank: held.live_bytes,
            buffers: held.live_buffers,
            allocatable_per_bank: held.figures.map(|figures| figures.allocatable),
            free_per_bank: held.figures.map(|figures| figures.free),
            largest_free: held.figures.and_then(|figures| figures.largest_free),
            bank: held.figures.and_then(|Figures { allocatable, free, largest_free }| {
                let bank = bank::Bank { allocatable, free, largest_free: largest_free? };
                bank::map(kind.into(), bank, blocks)
            }),
        })
    }

    fn buffer(&self, pid: Pid, live: &SegmentBuffer<'_>) -> Option<LiveBuffer> {
        let mut open = self.open.iter().map(|open| open.allocator);
        let allocator = open.find(|allocator| allocator.index == live.allocator)?;
        let banks = allocator.kind(live.footprint.kind).banks;
        let op = live.op.filter(|op| !op.name.is_empty());
        let age = |time: u64| {
            self.time.micros_since(Timestamp(self.segment.header.to_real_time(time) / 1000))
        };
        Some(LiveBuffer {
            pid,
            allocator: allocator.serial,
            address: live.address,
            bytes_per_bank: live.footprint.bytes_per_bank,
            size_per_bank: live.footprint.size_per_bank(allocator),
            banks,
            bytes: live.footprint.bytes_per_bank.saturating_mul(banks),
            requested: live.footprint.requested,
            page_bytes: live.footprint.page_bytes,
            kind: Kind::from(live.footprint.kind),
            layout: layout_name(live.footprint.layout).to_owned(),
            origin: origin_name(live.origin).to_owned(),
            age_us: live.allocated.map(|(time, _)| age(time)),
            thread: live.allocated.map(|(_, thread)| thread),
            op: op.map(|op| op.name.to_string()),
            op_quality: op.map(|op| op_quality(op.source).to_owned()),
            stack: frames(live.stack),
            tensor: tensor(live.shape),
        })
    }
}

/// A process of which nothing is known yet but who it is and what wrote its segment, if that can be read.
pub fn owner(holder: &SegmentProcess, segment: Option<&Segment>) -> BufferOwner {
    let version = segment.map(|segment| segment.header.tt_metal_version.clone());
    let label = segment.map(|segment| &segment.header.identity.label);
    let known =
        |text: fn(&Label) -> &String| label.map(text).filter(|text| !text.is_empty()).cloned();
    let name = Some(holder.name.clone()).filter(|name| !name.is_empty());
    BufferOwner {
        pid: holder.pid,
        start_time: holder.start_time,
        name: name.or(known(|label| &label.name)).unwrap_or_default(),
        user: holder.user.clone(),
        container: holder.container.clone(),
        state: holder.state,
        segment: holder.segment.clone(),
        tt_metal: version.filter(|version| !version.is_empty()),
        agent: segment.map(|segment| segment.header.agent_version.clone()).unwrap_or_default(),
        complete: false,
        unlisted: 0,
        stacks_missing: segment.and_then(stacks_missing),
        tensors_missing: segment.and_then(tensors_missing),
        programs_missing: None,
        unknown: None,
        rank: known(|label| &label.rank),
        job: known(|label| &label.job),
    }
}

/// The reason that buffers of a segment have no tensor, where none are recorded.
pub fn tensors_missing(segment: &Segment) -> Option<String> {
    let header = &segment.header;
    if header.version < (3, 0) {
        return Some("the agent does not record tensors".to_owned());
    }
    let is_told = header.hooks_resolved.contains(Hook::NewTensor)
        && header.accessors.contains(Accessor::TensorShape);
    (!is_told).then(|| "this TT-Metal does not export what tells of tensors (from 0.69)".to_owned())
}

/// The reason that buffers of a segment have no stack, where none are recorded.
pub fn stacks_missing(segment: &Segment) -> Option<String> {
    let state = segment.header.stacks;
    (state != StackState::Recorded).then(|| state.reason().to_owned())
}
