//! Registry of allocators, meshes, devices and chips.
//!
//! Changes are rare (a device is opened, an allocator is seen for the first time) and happen under one lock. Hooks that
//! only look something up take no lock.

use std::sync::atomic::{AtomicU64, Ordering};

use ttmem_segment::entry::live_from_word;
use ttmem_segment::layout::{ALLOCATORS, AllocatorWord, CHIPS, Counter, KindWord, Plan, Section};
use ttmem_segment::owner::{AllocatorHead, PeakOrigin, halves};
use ttmem_segment::{Alignments, AllocatorKind, AllocatorRole, Chip};

use crate::process::{DeviceSlot, MeshSlot, Process};
use crate::recorder::{Recorder, kind_block};

/// Address of a slot whose allocator was destroyed.
const DESTROYED: u64 = 1;

/// The unique ids reported by TT-Metal, by its device numbers. They hold in a forked child too.
pub(crate) static UNIQUE_IDS: UniqueIds = UniqueIds::new();

/// Unique ids by device number.
#[derive(Debug)]
pub(crate) struct UniqueIds {
    ids: [AtomicU64; CHIPS],
    known: [AtomicU64; CHIPS / 64],
}

impl UniqueIds {
    const fn new() -> Self {
        Self {
            ids: [const { AtomicU64::new(0) }; CHIPS],
            known: [const { AtomicU64::new(0) }; CHIPS / 64],
        }
    }

    /// Notes the unique id of a device. Numbers beyond the table are left out.
    pub(crate) fn put(&self, device: u32, unique_id: u64) {
        let device = device as usize;
        if let (Some(id), Some(known)) = (self.ids.get(device), self.known.get(device / 64)) {
            id.store(unique_id, Ordering::Relaxed);
            known.fetch_or(1 << (device % 64), Ordering::Release);
        }
    }

    /// Returns the unique id of a device, if TT-Metal reported it.
    pub(crate) fn get(&self, device: u32) -> Option<u64> {
        let device = device as usize;
        let known = self.known.get(device / 64)?.load(Ordering::Acquire) >> (device % 64) & 1 == 1;
        known.then(|| self.ids[device].load(Ordering::Relaxed))
    }
}

/// The statistics of TT-Metal for one kind of a new allocator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KindShape {
    /// Banks.
    pub(crate) banks: u64,
}

/// A new allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAllocator {
    /// Address of the allocator.
    pub(crate) pointer: u64,
    /// The role.
    pub(crate) role: AllocatorRole,
    /// Set of chips by index.
    pub(crate) chips: u128,
    /// Banks of each kind.
    pub(crate) kinds: [KindShape; 4],
    /// First address of L1_SMALL, 0 where buffers tell their kind.
    pub(crate) l1_small_start: u64,
    /// The page alignment.
    pub(crate) alignments: Alignments,
    /// Monotonic nanoseconds.
    pub(crate) time: u64,
}

/// Finds and changes what there is. The caller of the changing functions holds the registry's lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registry<'agent>(pub(crate) Recorder<'agent>);

impl Registry<'_> {
    fn process(&self) -> &Process {
        self.0.process
    }

    /// Index of a chip by TT-Metal's number; adds it if it is new. `None` if there is no room.
    pub(crate) fn chip(&self, device: u32) -> Option<usize> {
        let unique_id = UNIQUE_IDS.get(device);
        let entry = Chip { device, unique_id };
        let count = self.process().chips.load(Ordering::Acquire);
        let known = (0..count).find(|index| {
            let held = Chip::from_words(self.0.load(chip_word(*index)));
            held.is_some_and(|held| held.device == device)
        });
        let index = known.unwrap_or(count);
        if index >= CHIPS {
            self.0.count(Counter::ChipsDropped);
            return None;
        }
        self.0.store(chip_word(index), entry.to_words());
        self.process().chips.store(count.max(index + 1), Ordering::Release);
        Some(index)
    }

    /// Set of chips by TT-Metal's numbers.
    pub(crate) fn chips(&self, devices: &[i32]) -> u128 {
        let index = |device: &i32| self.chip(u32::try_from(*device).ok()?);
        devices.iter().filter_map(index).fold(0, |set, chip| set | 1 << chip)
    }

    /// Enters a new allocator, or completes one that is known. Returns its index; `None` if there is no room.
    pub(crate) fn allocator(&self, new: &NewAllocator) -> Option<u8> {
        let known = self.process().allocator_index(new.pointer);
        let Some(index) = known.or_else(|| self.free_index()) else {
            self.0.count(Counter::AllocatorsDropped);
            return None;
        };
        let first = allocator_word(index);
        let slot = &self.process().allocators[usize::from(index)];
        let held = known.and_then(|_| AllocatorHead::from_words(self.0.load(first)));
        if held.is_none() {
            // From the entry's former owner nothing may be left.
            self.0.store(first, [0; Section::Allocators.entry_words()]);
            slot.kinds_seen.store(0, Ordering::Relaxed);
            slot.doubted.iter().for_each(|residual| residual.store(0, Ordering::Relaxed));
        }
        for (kind, shape) in AllocatorKind::ALL.into_iter().zip(new.kinds) {
            self.0.words[kind_block(index, kind) + KindWord::Banks as usize]
                .store(shape.banks, Ordering::Relaxed);
        }
        let serial = || self.process().serial.fetch_add(1, Ordering::Relaxed) + 1;
        let head = AllocatorHead {
            serial: held.map_or_else(serial, |held| held.serial),
            pointer: new.pointer,
            role: new.role,
            alignments: new.alignments,
            chips: new.chips,
            opened: held.map_or(new.time, |held| held.opened),
            closed: 0,
        };
        self.0.store::<{ AllocatorHead::WORDS }>(first, head.to_words());
        slot.l1_small_start.store(new.l1_small_start, Ordering::Relaxed);
        let mask = u8::try_from(new.alignments.dram.saturating_sub(1)).unwrap_or(0);
        slot.alignment_mask.store(mask, Ordering::Relaxed);
        slot.role.store(new.role as u8, Ordering::Relaxed);
        slot.changed.store(1, Ordering::Relaxed);
        slot.pointer.store(new.pointer, Ordering::Release);
        self.process().allocators_end.fetch_max(usize::from(index) + 1, Ordering::Release);
        Some(index)
    }

    /// Enters what a device's allocator holds on `cores` cores that allocated by themselves. `None` if there is no room.
    pub(crate) fn per_core(&self, device: u8, pointer: u64, cores: u16, time: u64) -> Option<u8> {
        let device = AllocatorHead::from_words(self.0.load(allocator_word(device)))?;
        let in_l1 = |kind| matches!(kind, AllocatorKind::L1 | AllocatorKind::L1Small);
        let banks = |kind| if in_l1(kind) { u64::from(cores) } else { 0 };
        self.allocator(&NewAllocator {
            pointer,
            role: AllocatorRole::PerCore,
            chips: device.chips,
            kinds: AllocatorKind::ALL.map(|kind| KindShape { banks: banks(kind) }),
            l1_small_start: 0,
            alignments: device.alignments,
            time,
        })
    }

    /// An index that was never used; else that of an allocator that is destroyed. A report reads its peaks, so that one
    /// that never held anything goes first, then one of whose chips another is known, which gets its peaks.
    fn free_index(&self) -> Option<u8> {
        let end = self.process().allocators_end.load(Ordering::Acquire);
        if end < ALLOCATORS {
            return u8::try_from(end).ok();
        }
        let idle = |index: &u8| AllocatorKind::ALL.iter().all(|kind| !self.has_peak(*index, *kind));
        if let Some(index) = self.destroyed_ones().filter(idle).min_by_key(|it| self.serial(*it)) {
            return Some(index);
        }
        let oldest = self.destroyed_ones().min_by_key(|index| self.serial(*index))?;
        let has_successor = |index: &u8| self.successor(*index).is_some();
        let index = Some(oldest)
            .filter(has_successor)
            .or_else(|| self.destroyed_ones().find(has_successor));
        let index = index.unwrap_or(oldest);
        if let Some(successor) = self.successor(index) {
            self.transfer_peaks(index, successor);
        }
        Some(index)
    }

    fn destroyed_ones(&self) -> impl Iterator<Item = u8> {
        let slots = self.process().allocators.iter().zip(0..=u8::MAX);
        slots
            .filter(|(slot, _)| slot.pointer.load(Ordering::Acquire) == DESTROYED)
            .map(|(_, index)| index)
    }

    fn serial(&self, index: u8) -> u64 {
        self.0.words[allocator_word(index) + AllocatorWord::Serial as usize].load(Ordering::Relaxed)
    }

    fn has_peak(&self, index: u8, kind: AllocatorKind) -> bool {
        let block = kind_block(index, kind);
        let word = |word: KindWord| self.0.words[block + word as usize].load(Ordering::Relaxed);
        word(KindWord::Peak) != 0 || word(KindWord::EarlierPeak) != 0
    }

    /// The oldest other one that is destroyed and had the same chips in the same role.
    fn successor(&self, index: u8) -> Option<u8> {
        let head = |index: u8| AllocatorHead::from_words(self.0.load(allocator_word(index)));
        let own = head(index)?;
        let is_alike = |other: &u8| {
            *other != index
                && head(*other)
                    .is_some_and(|other| (other.role, other.chips) == (own.role, own.chips))
        };
        self.destroyed_ones().filter(is_alike).min_by_key(|other| self.serial(*other))
    }

    /// Transfers the peaks of an entry that is about to be reused to an entry that stays, where they are higher.
    fn transfer_peaks(&self, index: u8, successor: u8) {
        for kind in AllocatorKind::ALL {
            let (from, to) = (kind_block(index, kind), kind_block(successor, kind));
            let load = |block: usize, word: KindWord| {
                self.0.words[block + word as usize].load(Ordering::Relaxed)
            };
            let copy = |word: KindWord| {
                self.0.words[to + word as usize].store(load(from, word), Ordering::Relaxed);
            };
            if load(to, KindWord::Banks) == 0 {
                copy(KindWord::Banks);
            }
            if load(from, KindWord::Peak) > load(to, KindWord::Peak) {
                let origin: [u64; PeakOrigin::WORDS] =
                    self.0.load(from + KindWord::PeakOrigin as usize);
                self.0.store(to + KindWord::PeakOrigin as usize, origin);
                copy(KindWord::Peak);
            }
            let earlier = |block: usize| live_from_word(load(block, KindWord::EarlierPeak)).0;
            if earlier(from) > earlier(to) {
                copy(KindWord::EarlierEvent);
                copy(KindWord::EarlierPeak);
            }
        }
    }

    /// Notes that an allocator is being destroyed: it is not queried from now on.
    pub(crate) fn destroyed(&self, index: u8, time: u64) {
        self.process().allocators[usize::from(index)].pointer.store(DESTROYED, Ordering::Release);
        let first = allocator_word(index);
        if let Some(head) = AllocatorHead::from_words(self.0.load(first)) {
            let head = AllocatorHead { closed: time.max(1), ..head };
            self.0.store::<{ AllocatorHead::WORDS }>(first, head.to_words());
        }
    }

    /// Notes an open mesh.
    pub(crate) fn mesh(&self, pointer: u64, implementation: u64, chips: u128) {
        let is =
            |wanted: u64| move |slot: &&MeshSlot| slot.pointer.load(Ordering::Relaxed) == wanted;
        let meshes = &self.process().meshes;
        let Some(slot) = meshes.iter().find(is(pointer)).or_else(|| meshes.iter().find(is(0)))
        else {
            return;
        };
        slot.implementation.store(implementation, Ordering::Relaxed);
        for (word, half) in slot.chips.iter().zip(halves(chips)) {
            word.store(half, Ordering::Relaxed);
        }
        slot.pointer.store(pointer, Ordering::Release);
    }

    /// The open meshes: address and chips.
    pub(crate) fn meshes(&self) -> impl Iterator<Item = (u64, u128)> {
        self.process().meshes.iter().filter_map(|slot| {
            let pointer = slot.pointer.load(Ordering::Acquire);
            (pointer != 0).then(|| (pointer, slot.chip_set()))
        })
    }

    /// The mesh with this address, of the mesh object or of its implementation.
    pub(crate) fn find_mesh(&self, pointer: u64) -> Option<(u64, u128)> {
        let is_it = |slot: &&MeshSlot| {
            pointer != 0
                && (slot.pointer.load(Ordering::Acquire) == pointer
                    || slot.implementation.load(Ordering::Relaxed) == pointer)
        };
        let slot = self.process().meshes.iter().find(is_it)?;
        Some((slot.pointer.load(Ordering::Acquire), slot.chip_set())).filter(|(mesh, _)| *mesh != 0)
    }

    /// Address of the implementation object of a mesh.
    pub(crate) fn mesh_implementation(&self, mesh: u64) -> Option<u64> {
        let is_it = |slot: &&MeshSlot| mesh != 0 && slot.pointer.load(Ordering::Acquire) == mesh;
        let slot = self.process().meshes.iter().find(is_it)?;
        Some(slot.implementation.load(Ordering::Relaxed))
    }

    /// Set of chips of open devices, by their addresses.
    pub(crate) fn chips_of(&self, devices: &[u64]) -> u128 {
        let chips = |device: &u64| {
            let allocator = self.device_allocator(*device)?;
            let index = self.process().allocator_index(allocator)?;
            AllocatorHead::from_words(self.0.load(allocator_word(index))).map(|head| head.chips)
        };
        devices.iter().filter_map(chips).fold(0, |set, chips| set | chips)
    }

    /// The chips of a mesh that no other open mesh has.
    pub(crate) fn chips_only_of(&self, pointer: u64) -> u128 {
        let own = self.find_mesh(pointer).map_or(0, |(_, chips)| chips);
        let others = self.meshes().filter(|(other, _)| *other != pointer);
        others.fold(own, |left, (_, chips)| left & !chips)
    }

    /// Removes a mesh that is closed.
    pub(crate) fn forget_mesh(&self, pointer: u64) {
        for slot in &self.process().meshes {
            if slot.pointer.load(Ordering::Relaxed) == pointer {
                slot.pointer.store(0, Ordering::Release);
                slot.implementation.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Notes an open device and its allocator.
    pub(crate) fn device(&self, pointer: u64, allocator: u64) {
        let is =
            |wanted: u64| move |slot: &&DeviceSlot| slot.pointer.load(Ordering::Relaxed) == wanted;
        let devices = &self.process().devices;
        if let Some(slot) = devices.iter().find(is(pointer)).or_else(|| devices.iter().find(is(0)))
        {
            slot.allocator.store(allocator, Ordering::Relaxed);
            slot.pointer.store(pointer, Ordering::Release);
        }
    }

    /// The allocator of an open device.
    pub(crate) fn device_allocator(&self, pointer: u64) -> Option<u64> {
        let is_it = |slot: &&DeviceSlot| slot.pointer.load(Ordering::Acquire) == pointer;
        let allocator =
            self.process().devices.iter().find(is_it)?.allocator.load(Ordering::Relaxed);
        (allocator != 0).then_some(allocator)
    }

    /// Removes a device that is closed.
    pub(crate) fn forget_device(&self, pointer: u64) {
        for slot in &self.process().devices {
            if slot.pointer.load(Ordering::Relaxed) == pointer {
                slot.pointer.store(0, Ordering::Release);
            }
        }
    }
}

impl MeshSlot {
    fn chip_set(&self) -> u128 {
        u128::from(self.chips[0].load(Ordering::Relaxed))
            | u128::from(self.chips[1].load(Ordering::Relaxed)) << 64
    }
}

/// First word of a chip's entry.
fn chip_word(index: usize) -> usize {
    Plan::FIRST_CHIP_WORD + index.min(CHIPS - 1) * Section::Chips.entry_words()
}

/// First word of an allocator's entry.
pub(crate) fn allocator_word(index: u8) -> usize {
    Plan::FIRST_ALLOCATOR_WORD
        + (usize::from(index) % ALLOCATORS) * Section::Allocators.entry_words()
}
