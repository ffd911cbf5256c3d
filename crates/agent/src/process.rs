//! The agent's state in this process.
//!
//! It is in a page range that the kernel clears in a forked child (`MADV_WIPEONFORK`): a child finds the state of an
//! agent that was never started, whatever its parent's threads were doing, and starts its own. So everything here must
//! be valid when zero.

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use ttmem_segment::AllocatorKind;
use ttmem_segment::layout::{ALLOCATORS, SECTIONS, Section, TRACES};

use crate::ffi::Boxed;
use crate::programs::ProgramTable;
use crate::sole::Sole;
use crate::stacks::Operations;

/// Meshes known at a time.
pub(crate) const MESHES: usize = 64;
/// Devices known at a time.
pub(crate) const DEVICES: usize = 128;
/// Functions around call sites that are distinguished, a power of two.
pub(crate) const FUNCTIONS: usize = 1024;
/// Slots of the cache of call sites, a power of two.
pub(crate) const SITES: usize = 4096;

/// A lowest address that is to be found out again.
pub(crate) const UNKNOWN_ADDRESS: u64 = u64::MAX;

/// The phase of the agent in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Phase {
    /// No hook was called yet.
    Idle = 0,
    /// One thread is making the segment.
    Starting = 1,
    /// The agent records.
    Recording = 2,
    /// The agent passes every call through: there was no room for a segment, or it found a defect in itself.
    Off = 3,
}

/// The agent's state in this process. Zero is the state before the first call.
///
/// What every hook needs comes first, on as few cache lines as it takes: in a program the agent's lines are cold.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Process {
    phase: AtomicU32,
    /// The futex of the sleeping thread: 1 after a change.
    pub(crate) wake: AtomicU32,
    /// Base address and words of the mapped segment; set before the phase becomes [`Phase::Recording`].
    pub(crate) segment: AtomicUsize,
    /// See `segment`.
    pub(crate) segment_words: AtomicUsize,
    /// First word of the tables whose position depends on the segment's size, and their entries less one.
    pub(crate) buffers_mask: AtomicUsize,
    /// See `buffers_mask`.
    pub(crate) events_first: AtomicUsize,
    /// See `buffers_mask`.
    pub(crate) events_mask: AtomicUsize,
    /// Shared time while events are frequent, renewed by every 32nd event; else 0, and each hook reads the clock.
    pub(crate) now: AtomicU64,
    /// The thread that changes the sums and the table, see [`Sole`].
    pub(crate) sole: Sole,
    /// First word of the footprints.
    pub(crate) footprints_first: AtomicUsize,
    /// First word of the dispatches, and their entries less one.
    pub(crate) dispatches_first: AtomicUsize,
    /// See `dispatches_first`.
    pub(crate) dispatches_mask: AtomicUsize,
    /// Sequence number of the newest dispatch at the last reset of peaks.
    pub(crate) l1_since: AtomicU64,
    /// The mesh whose dispatches a trace captures now; 0 for none.
    pub(crate) capturing: AtomicU64,
    /// Traces that are captured and not released.
    pub(crate) live_traces: AtomicU32,
    /// True during a call that changes what an allocator holds: see [`UnderWay`]. On the line that such a call writes for `sole`.
    under_way: AtomicBool,
    /// The one thread that dispatches, as long as it is the only one.
    pub(crate) dispatching: Sole,
    /// Hooks that were called, a copy of the segment's word.
    pub(crate) called: AtomicU64,
    /// The number in the name of the segment: see `mapping::segment_path`.
    pub(crate) segment_number: AtomicU32,
    /// Process id, for caches that outlive a fork.
    pub(crate) pid: AtomicU32,
    /// Stacks whose frames were read with checks so far.
    pub(crate) checked_stacks: AtomicU32,
    /// `ttmem_segment::StackState` as a number.
    pub(crate) stack_state: AtomicU8,
    /// The slot after the last one that was ever used.
    pub(crate) allocators_end: AtomicUsize,
    /// Slots of allocators, by the index of their entry in the segment.
    pub(crate) allocators: [AllocatorSlot; ALLOCATORS],
    /// Serial number of the newest allocator.
    pub(crate) serial: AtomicU64,
    /// Open meshes.
    pub(crate) meshes: [MeshSlot; MESHES],
    /// Open devices.
    pub(crate) devices: [DeviceSlot; DEVICES],
    /// Chips in the segment so far.
    pub(crate) chips: AtomicUsize,
    /// Held while the registry changes. Never held by the sleeping thread while it calls TT-Metal.
    pub(crate) registry_lock: SpinLock,
    /// Held by the sleeping thread while it asks one allocator or the dynamic linker, while an allocator is destroyed,
    /// and during a fork.
    pub(crate) statistics_lock: SpinLock,
    /// True if a fork has the lock above. Only the thread that forks uses it while it has.
    pub(crate) forking: AtomicBool,
    /// 1 if the sleeping thread exists.
    pub(crate) has_thread: AtomicU32,
    /// Places in the code from which ops call, and what is known of each: see `ops`.
    pub(crate) sites: [SiteSlot; SITES],
    /// Functions that were found around call sites, by the hash of where they begin.
    pub(crate) functions: [AtomicU64; FUNCTIONS],
    /// True if there are call sites without a name.
    pub(crate) unnamed_sites: AtomicBool,
    /// Positions of the segment's tables, by [`Section`].
    pub(crate) tables: [TableSlot; SECTIONS],
    /// Programs of this process.
    pub(crate) programs: ProgramTable,
    /// Held while placements, footprints or traces change.
    pub(crate) programs_lock: SpinLock,
    /// Sizes of the kernel configuration rings.
    pub(crate) rings: Rings,
    /// Serial number of the trace that captures now.
    pub(crate) capture: AtomicU64,
    /// The capture so far: footprints in the order of their last dispatch, and how often each.
    pub(crate) captured: Boxed<Vec<(u32, u32)>>,
    /// Live traces: mesh, TT-Metal's number, serial number.
    pub(crate) traces: [TraceSlot; TRACES],
    /// Functions and objects of Python that ops were called with.
    pub(crate) operations: Operations,
    /// Calls until the injected defect, from 1; 0 for none. Only with the feature `fault-injection`.
    pub(crate) fault_countdown: AtomicU32,
}

/// Programmable core types at most: worker cores, active and idle Ethernet cores, DRAM cores.
const CORE_TYPES: usize = 4;

/// Sizes of the kernel configuration rings by programmable core type, of the device that was opened last.
///
/// TT-Metal adds them to a manager in the order of the core types, and after them entries that begin at address 0.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    /// The manager that they are being added to; 0 for none.
    manager: AtomicU64,
    /// Number of its rings.
    count: AtomicUsize,
    bytes: [AtomicU32; CORE_TYPES],
}

impl Rings {
    /// Notes a ring that is added to a manager.
    pub(crate) fn add(&self, manager: u64, address: u32, bytes: u32) {
        if self.manager.swap(manager, Ordering::Relaxed) != manager {
            self.count.store(0, Ordering::Relaxed);
        }
        if address == 0 {
            self.manager.store(0, Ordering::Relaxed);
            return;
        }
        if let Some(ring) = self.bytes.get(self.count.fetch_add(1, Ordering::Relaxed)) {
            ring.store(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of the ring of a core type; 0 if they are not known.
    pub(crate) fn bytes(&self, core_type: usize) -> u32 {
        self.bytes.get(core_type).map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }
}

/// Position of a table in the segment.
#[derive(Debug, Default)]
pub(crate) struct TableSlot {
    /// Word in which the first entry begins.
    pub(crate) first: AtomicUsize,
    /// Entries.
    pub(crate) entries: AtomicUsize,
}

/// A trace that is not released.
#[derive(Debug, Default)]
pub(crate) struct TraceSlot {
    /// Address of the mesh's implementation object; 0 for a free slot.
    pub(crate) mesh: AtomicU64,
    /// TT-Metal's number of the trace.
    pub(crate) id: AtomicU32,
    /// Serial number.
    pub(crate) serial: AtomicU64,
}

/// The bits of an address of a program on Linux; those above are 0.
const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;

/// Returns the key of what an allocator holds on some of its cores, by their number.
pub(crate) fn per_core(allocator: u64, cores: u16) -> u64 {
    allocator & POINTER_MASK | u64::from(cores) << POINTER_BITS
}

/// The facts about one allocator.
#[derive(Debug, Default)]
pub(crate) struct AllocatorSlot {
    /// Address of the allocator; 0 never used, 1 destroyed. For an allocator of single cores the number of cores is in
    /// the bits above the address: [`per_core`].
    pub(crate) pointer: AtomicU64,
    /// `AllocatorRole` as a number.
    pub(crate) role: AtomicU8,
    /// 1 if something changed since the last refresh.
    pub(crate) changed: AtomicU8,
    /// Bit set of the kinds that a buffer was seen of.
    pub(crate) kinds_seen: AtomicU8,
    /// The granularity of its blocks, less one: see [`AllocatorSlot::block_padding`].
    pub(crate) alignment_mask: AtomicU8,
    /// First address of L1_SMALL, for releases of TT-Metal that do not tell the two kinds apart; 0 for none.
    pub(crate) l1_small_start: AtomicU64,
    /// By kind the residual that a round of queries found and could not tell from a call that was under way; 0 for none.
    pub(crate) doubted: [AtomicU64; 4],
    /// Lowest address of a live L1 buffer; 0 if there is none, [`UNKNOWN_ADDRESS`] once that buffer is freed.
    pub(crate) lowest_l1: AtomicU64,
}

/// An open mesh.
#[derive(Debug, Default)]
pub(crate) struct MeshSlot {
    /// Address of the mesh object; 0 for a free slot.
    pub(crate) pointer: AtomicU64,
    /// Address of its implementation object, which also is a device to TT-Metal.
    pub(crate) implementation: AtomicU64,
    /// Set of chips by index.
    pub(crate) chips: [AtomicU64; 2],
}

/// An open device.
#[derive(Debug, Default)]
pub(crate) struct DeviceSlot {
    /// Address of the device object; 0 for a free slot.
    pub(crate) pointer: AtomicU64,
    /// Address of its allocator; 0 when unknown.
    pub(crate) allocator: AtomicU64,
}

/// A call site.
#[derive(Debug, Default)]
pub(crate) struct SiteSlot {
    /// Return address; 0 for a free slot.
    pub(crate) address: AtomicU64,
    /// Name index (low 16 bits) and class (next 8).
    pub(crate) meaning: AtomicU32,
}

impl AllocatorSlot {
    /// True if a buffer of a kind was seen.
    #[inline]
    pub(crate) fn has_seen(&self, kind: AllocatorKind) -> bool {
        self.kinds_seen.load(Ordering::Relaxed) >> kind as u8 & 1 == 1
    }

    /// Something about its buffers changed. A plain store, for the thread looks twice.
    #[inline]
    pub(crate) fn note_change(&self) {
        self.changed.store(1, Ordering::Relaxed);
    }

    /// An L1 buffer was allocated.
    #[inline]
    pub(crate) fn note_l1(&self, address: u64) {
        let lowest = self.lowest_l1.load(Ordering::Relaxed);
        if lowest == 0 || address < lowest && lowest != UNKNOWN_ADDRESS {
            self.lowest_l1.store(address, Ordering::Relaxed);
        }
    }

    /// An L1 buffer is freed. If it was the lowest, which one is now is not known.
    #[inline]
    pub(crate) fn note_l1_free(&self, address: u64) {
        if self.lowest_l1.load(Ordering::Relaxed) == address {
            self.lowest_l1.store(UNKNOWN_ADDRESS, Ordering::Relaxed);
        }
    }

    /// The bytes that the allocator adds to a size in a bank to fill up the block. Blocks have the alignment of DRAM,
    /// in L1 too.
    #[inline]
    pub(crate) fn block_padding(&self, bytes_per_bank: u64) -> u8 {
        let [lowest, ..] = bytes_per_bank.wrapping_neg().to_le_bytes();
        lowest & self.alignment_mask.load(Ordering::Relaxed)
    }
}

/// The mark of a call that changes what an allocator holds, from before TT-Metal or the hook counts it until both have.
///
/// Of several threads at a time the first that is done ends the mark. It costs two stores.
pub(crate) struct UnderWay<'a>(&'a AtomicBool);

impl Drop for UnderWay<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Process {
    /// Marks a call as under way until the returned value is dropped.
    #[inline(always)]
    pub(crate) fn begin_call(&self) -> UnderWay<'_> {
        self.under_way.store(true, Ordering::Relaxed);
        // Who sees what the call counts sees the mark.
        fence(Ordering::Release);
        UnderWay(&self.under_way)
    }

    /// True if a call is under way.
    pub(crate) fn has_call_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire)
    }

    /// Returns the phase of the agent.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Idle,
            1 => Phase::Starting,
            2 => Phase::Recording,
            _ => Phase::Off,
        }
    }

    /// Claims the start of the agent; true for the one thread that may start it.
    pub(crate) fn claim_start(&self) -> bool {
        let (idle, starting) = (Phase::Idle as u32, Phase::Starting as u32);
        self.phase.compare_exchange(idle, starting, Ordering::Acquire, Ordering::Acquire).is_ok()
    }

    /// Goes on to another phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u32, Ordering::Release);
    }

    /// First word and number of entries of a table of the segment.
    #[inline]
    pub(crate) fn table(&self, section: Section) -> (usize, usize) {
        let slot = &self.tables[section as usize];
        (slot.first.load(Ordering::Relaxed), slot.entries.load(Ordering::Relaxed))
    }

    /// The slots of allocators that were ever used.
    #[inline]
    pub(crate) fn known_allocators(&self) -> &[AllocatorSlot] {
        let end = self.allocators_end.load(Ordering::Acquire);
        &self.allocators[..end.min(ALLOCATORS)]
    }

    /// Indexes of a live allocator, and of its parts on single cores.
    pub(crate) fn allocator_indexes(&self, pointer: u64) -> impl Iterator<Item = u8> {
        let slots = self.known_allocators().iter().zip(0..=u8::MAX);
        slots
            .filter(move |(slot, _)| slot.pointer.load(Ordering::Acquire) & POINTER_MASK == pointer)
            .map(|(_, index)| index)
    }

    /// Index of a live allocator.
    #[inline]
    pub(crate) fn allocator_index(&self, pointer: u64) -> Option<u8> {
        let is_it = |slot: &AllocatorSlot| slot.pointer.load(Ordering::Acquire) == pointer;
        self.known_allocators().iter().position(is_it).and_then(|index| u8::try_from(index).ok())
    }
}

/// A lock for rare moments. Zero is open.
#[derive(Debug, Default)]
pub(crate) struct SpinLock(AtomicU32);

impl SpinLock {
    /// Waits at most about `patience` rounds; `None` when that was not enough.
    pub(crate) fn lock(&self, patience: u32, pause: fn()) -> Option<SpinGuard<'_>> {
        for round in 0..patience {
            if self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(SpinGuard(self));
            }
            if round < 100 { hint::spin_loop() } else { pause() }
        }
        None
    }
}

/// Opens the lock at its end.
#[derive(Debug)]
pub(crate) struct SpinGuard<'lock>(&'lock SpinLock);

impl SpinLock {
    /// Opens the lock, with any holder.
    pub(crate) fn unlock(&self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Drop for SpinGuard<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}
