//! The live buffers of every process with an agent, as a list.

use ttmem_model::buffers::{
    AllocatorUse, Block, BufferList, BufferOwner, ChipRef, KindUse, LiveBuffer, SCHEMA, VERSION,
};
use ttmem_model::facts::{Facts, SegmentFile};
use ttmem_model::segment::{Allocator, AllocatorRole, Buffer, BufferKind, Segment};
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{Kind, Pid};

use super::agent::{AgentLink, SegmentOwner, age};
use super::join::Joined;
use crate::bank;
use crate::words::{layout_name, op_quality, origin_name, role_name};

/// Lists the live buffers. The facts must hold whole segments.
#[must_use]
pub fn buffers(facts: &Facts) -> BufferList {
    let joined = Joined::new(facts);
    let mut list = BufferList {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: facts.time,
        demo: facts.demo,
        processes: Vec::new(),
        allocators: Vec::new(),
        buffers: Vec::new(),
    };
    for (place, file) in facts.segments.iter().enumerate() {
        let Ok(segment) = &file.content else { continue };
        let one = OneSegment { joined: &joined, place, file, segment };
        list.processes.push(one.owner());
        list.allocators.extend(one.open().map(|allocator| one.allocator(allocator)));
        list.buffers.extend(segment.buffers.iter().filter_map(|buffer| one.buffer(buffer)));
    }
    list.processes.sort_by_key(|process| (process.pid, process.start_time));
    list.allocators.sort_by_key(|allocator| (allocator.pid, allocator.number));
    list
}

struct OneSegment<'a> {
    joined: &'a Joined<'a>,
    place: usize,
    file: &'a SegmentFile,
    segment: &'a Segment,
}

impl OneSegment<'_> {
    fn pid(&self) -> Pid {
        match self.joined.segment_owner(self.place) {
            SegmentOwner::Live(pid) => pid,
            SegmentOwner::Gone { .. } | SegmentOwner::Outside => Pid(self.file.pid),
        }
    }

    fn open(&self) -> impl Iterator<Item = &Allocator> {
        self.segment.allocators.iter().filter(|allocator| allocator.closed.is_none())
    }

    fn owner(&self) -> BufferOwner {
        let state = match self.joined.segment_owner(self.place) {
            SegmentOwner::Live(_) => ProcessState::Live,
            SegmentOwner::Gone { .. } => ProcessState::LeftBehind,
            SegmentOwner::Outside => ProcessState::OutsideNamespace,
        };
        let is_live = state == ProcessState::Live;
        let process = self.joined.facts.processes.get(&self.pid()).filter(|_| is_live);
        let version = &self.segment.header.tt_metal_version;
        BufferOwner {
            pid: self.pid(),
            start_time: self.file.start_ticks,
            name: process.map(|process| process.name.clone()).unwrap_or_default(),
            user: process.and_then(|process| process.user.clone()).or(self.file.user.clone()),
            container: process.and_then(|process| process.container.clone()),
            state,
            segment: self.file.path.clone(),
            tt_metal: (!version.is_empty()).then(|| version.clone()),
            agent: self.segment.header.agent_version.clone(),
            complete: self.segment.losses.is_complete(),
            unlisted: self
                .open()
                .flat_map(|allocator| &allocator.kinds)
                .fold(0, |sum: u64, kind| sum.saturating_add(kind.unlisted_buffers)),
        }
    }

    fn allocator(&self, allocator: &Allocator) -> AllocatorUse {
        let chip = |index: &usize| {
            let link = AgentLink { segment: self.place, chip: *index };
            let chip = self.joined.chips.iter().find(|chip| chip.agents.contains(&link))?;
            Some(ChipRef { id: chip.id, index: chip.index })
        };
        let every: Vec<usize> = (0..self.segment.chips.len()).collect();
        // As elsewhere: an allocator whose chips were not found out is on the only chip there is.
        let indexes = match (allocator.chips.as_slice(), every.as_slice()) {
            ([], [only]) => std::slice::from_ref(only),
            (chips, _) => chips,
        };
        let mut chips: Vec<ChipRef> = indexes.iter().filter_map(chip).collect();
        chips.sort_by_key(|chip| chip.index);
        AllocatorUse {
            pid: self.pid(),
            number: allocator.serial,
            role: role_name(allocator.role).to_owned(),
            chips,
            kinds: BufferKind::ALL.iter().filter_map(|kind| self.kind(allocator, *kind)).collect(),
        }
    }

    /// One kind, if the allocator has a region for it.
    fn kind(&self, allocator: &Allocator, kind: BufferKind) -> Option<KindUse> {
        let held = allocator.kind(kind);
        let statistics = held.statistics;
        let total = statistics.map_or(0, |statistics| statistics.total);
        // A sub-device has what its mesh repeats in its own name.
        let is_empty =
            held.live_buffers == 0 && (total == 0 || allocator.role == AllocatorRole::SubDevice);
        if is_empty {
            return None;
        }
        let blocks = self
            .segment
            .buffers
            .iter()
            .filter(|buffer| buffer.allocator == allocator.index && buffer.kind == kind);
        let blocks = blocks
            .map(|buffer| Block { address: buffer.address, bytes: buffer.bytes_per_bank })
            .collect();
        Some(KindUse {
            kind: kind.into(),
            banks: held.banks,
            used_per_bank: held.live_bytes,
            buffers: held.live_buffers,
            allocatable_per_bank: statistics.map(|statistics| statistics.total),
            free_per_bank: statistics.map(|statistics| statistics.free),
            largest_free: statistics.map(|statistics| statistics.largest_free),
            bank: statistics.and_then(|statistics| {
                let bank = bank::Bank {
                    allocatable: statistics.total,
                    free: statistics.free,
                    largest_free: statistics.largest_free,
                };
                bank::map(kind.into(), bank, blocks)
            }),
        })
    }

    fn buffer(&self, buffer: &Buffer) -> Option<LiveBuffer> {
        let allocator = self.open().find(|allocator| allocator.index == buffer.allocator)?;
        let banks = allocator.kind(buffer.kind).banks;
        let op = buffer.op.as_ref().filter(|op| !op.name.is_empty());
        Some(LiveBuffer {
            pid: self.pid(),
            allocator: allocator.serial,
            address: buffer.address,
            bytes_per_bank: buffer.bytes_per_bank,
            size_per_bank: buffer.size_per_bank(allocator),
            banks,
            bytes: buffer.bytes_per_bank.saturating_mul(banks),
            requested: buffer.requested,
            page_bytes: buffer.page_bytes,
            kind: Kind::from(buffer.kind),
            layout: layout_name(buffer.layout).to_owned(),
            origin: origin_name(buffer.origin).to_owned(),
            age_us: age(self.joined.facts, self.segment, buffer.time),
            thread: buffer.thread,
            op: op.map(|op| op.name.to_string()),
            op_quality: op.map(|op| op_quality(op.source).to_owned()),
        })
    }
}
