//! Calls into TT-Metal: the exported accessors, and the little of the C++ ABI that they need.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use libc::c_void;
use ttmem_segment::entry::low;
use ttmem_segment::{Alignments, AllocatorKind, BufferLayout, Statistics};

use super::symbols::Symbol;
use crate::process::AllocatorSlot;
use crate::recorder::BufferFacts;

/// Upper bound of the devices of a mesh and of the chips of a cluster: a higher count is not a count.
pub(super) const MANY: usize = 4096;

/// Calls an exported function, if it is there: `call!(SYMBOL, fn(argument types) -> result, arguments)`.
macro_rules! call {
    ($symbol:expr, fn($($type:ty),*) $(-> $result:ty)?, $($argument:expr),* $(,)?) => {
        $symbol.get().map(|function| {
            // SAFETY: the mangled name fixes the types of the parameters, and they agree with these (see `ffi`).
            let function = unsafe {
                std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn($($type),*) $(-> $result)?>(function)
            };
            // SAFETY: the objects whose addresses are passed live as long as the hooked call that brought them, or are
            // protected by the lock that their destructor's hook takes.
            unsafe { function($($argument),*) }
        })
    };
}

pub(super) use call;

static ADDRESS: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer7addressEv");
static PAGE_SIZE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer9page_sizeEv");
static NUM_PAGES: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer9num_pagesEv");
static SIZE_PER_BANK: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer21aligned_size_per_bankEv");
static SIZE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer4sizeEv");
static ALIGNED_SIZE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer12aligned_sizeEv");
static NUM_CORES: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer9num_coresEv");
static IS_PER_CORE: Symbol = Symbol::new(
    c"_ZN2tt8tt_metal12experimental19per_core_allocation22is_per_core_allocationERKNS0_6BufferE",
);
static BUFFER_TYPE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer11buffer_typeEv");
static BUFFER_LAYOUT: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer13buffer_layoutEv");
static DEVICE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer6deviceEv");
static IS_DRAM: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer7is_dramEv");
static IS_L1: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer5is_l1Ev");
static IS_TRACE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Buffer8is_traceEv");
static STATISTICS: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal13AllocatorImpl14get_statisticsERKNS0_10BufferTypeE"),
    Symbol::new(c"_ZNK2tt8tt_metal9Allocator14get_statisticsERKNS0_10BufferTypeE"),
];
static NUM_BANKS: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal13AllocatorImpl13get_num_banksERKNS0_10BufferTypeE"),
    Symbol::new(c"_ZNK2tt8tt_metal9Allocator13get_num_banksERKNS0_10BufferTypeE"),
];
static ALIGNMENT: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal13AllocatorImpl13get_alignmentENS0_10BufferTypeE"),
    Symbol::new(c"_ZNK2tt8tt_metal9Allocator13get_alignmentENS0_10BufferTypeE"),
];
static BASE_ADDRESS: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal13AllocatorImpl23get_base_allocator_addrERKNS0_10HalMemTypeE"),
    Symbol::new(c"_ZNK2tt8tt_metal9Allocator23get_base_allocator_addrERKNS0_10HalMemTypeE"),
];
static MESH_ALLOCATOR: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice14allocator_implEv"),
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice9allocatorEv"),
];
static DEVICE_ALLOCATOR: [Symbol; 2] = [
    Symbol::new(c"_ZNK2tt8tt_metal6Device14allocator_implEv"),
    Symbol::new(c"_ZNK2tt8tt_metal6Device9allocatorEv"),
];
static MESH_DEVICE_IDS: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice14get_device_idsEv");
static MESH_DEVICES: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice11get_devicesEv");
static MESH_IMPLEMENTATION: Symbol = Symbol::new(
    c"_ZN2tt8tt_metal11distributed14MeshDeviceImpl15initialize_implEPNS1_10MeshDeviceEhmmmSt4spanIKjLm18446744073709551615EEb",
);
/// TT-Metal's memory comes from the `operator new` that all libraries share, which a program or an allocator may replace.
static OPERATOR_DELETE: Symbol = Symbol::global(c"_ZdlPv");

/// Gets ready for the hooks. Returns an address in TT-Metal's library, if it is there.
pub(super) fn prepare() -> Option<u64> {
    ACCESSORS.find();
    form(&STATISTICS).get().map(|function| function as u64)
}

/// Returns the form that this TT-Metal uses of a function that changed its class in 0.66. The older class still exists,
/// as a facade with other objects, so that the newer one goes first.
fn form(forms: &[Symbol; 2]) -> &Symbol {
    if forms[0].get().is_some() { &forms[0] } else { &forms[1] }
}

/// TT-Metal's number of a kind.
fn buffer_type(kind: AllocatorKind) -> u32 {
    match kind {
        AllocatorKind::Dram => 0,
        AllocatorKind::L1 => 1,
        AllocatorKind::L1Small => 3,
        AllocatorKind::Trace => 4,
    }
}

/// True if TT-Metal distinguishes L1 and L1_SMALL itself (from 0.80).
pub(super) fn tells_kinds() -> bool {
    BUFFER_TYPE.get().is_some()
}

/// True if a mesh leaves its work to an implementation object (from 0.66).
pub(super) fn has_mesh_implementation() -> bool {
    MESH_IMPLEMENTATION.get().is_some()
}

/// The accessors that every allocation needs, side by side. One that TT-Metal does not have is [`no_answer`].
struct Accessors {
    buffer_type: AtomicPtr<c_void>,
    page_size: AtomicPtr<c_void>,
    size_per_bank: AtomicPtr<c_void>,
    size: AtomicPtr<c_void>,
    layout: AtomicPtr<c_void>,
}

static ACCESSORS: Accessors = Accessors {
    buffer_type: AtomicPtr::new(null_mut()),
    page_size: AtomicPtr::new(null_mut()),
    size_per_bank: AtomicPtr::new(null_mut()),
    size: AtomicPtr::new(null_mut()),
    layout: AtomicPtr::new(null_mut()),
};

const NO_ANSWER: u64 = u64::MAX;

extern "C-unwind" fn no_answer(_: u64) -> u64 {
    NO_ANSWER
}

impl Accessors {
    /// Looks all of them up, before the agent records.
    fn find(&self) {
        let pairs = [
            (&self.buffer_type, &BUFFER_TYPE),
            (&self.page_size, &PAGE_SIZE),
            (&self.size_per_bank, &SIZE_PER_BANK),
            (&self.size, &SIZE),
            (&self.layout, &BUFFER_LAYOUT),
        ];
        for (accessor, symbol) in pairs {
            let missing = no_answer as extern "C-unwind" fn(u64) -> u64;
            let function = symbol.get().unwrap_or(missing as *mut c_void);
            accessor.store(function, Ordering::Release);
        }
    }
}

/// Calls an accessor of a buffer; [`NO_ANSWER`] if TT-Metal does not export the accessor. The higher bits of a shorter
/// number are garbage.
#[inline(always)]
fn tell(accessor: &AtomicPtr<c_void>, buffer: u64) -> u64 {
    let function = accessor.load(Ordering::Relaxed);
    // SAFETY: `find` stored a function of one pointer that returns an integer, before the agent recorded.
    let function = unsafe {
        std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn(u64) -> u64>(function)
    };
    // SAFETY: the buffer lives as long as the hooked call that brought it.
    unsafe { function(buffer) }
}

/// Returns the properties of an allocator's buffer. `None` if it is in no memory of the device.
#[inline(always)]
pub(super) fn buffer(buffer: u64, address: u64, slot: &AllocatorSlot) -> Option<BufferFacts> {
    let kind = match tell(&ACCESSORS.buffer_type, buffer) {
        NO_ANSWER => legacy_kind(buffer, address, &slot.l1_small_start)?,
        number => kind_of_type(low(number) & 0xff)?,
    };
    let bytes_per_bank = tell(&ACCESSORS.size_per_bank, buffer);
    if bytes_per_bank == NO_ANSWER {
        return None;
    }
    let block_padding = slot.block_padding(bytes_per_bank);
    let page_bytes = tell(&ACCESSORS.page_size, buffer);
    let requested = match tell(&ACCESSORS.size, buffer) {
        NO_ANSWER => page_bytes.wrapping_mul(pages(buffer)),
        size => size,
    };
    Some(BufferFacts {
        key: buffer,
        address,
        bytes_per_bank: bytes_per_bank.saturating_add(u64::from(block_padding)),
        requested,
        page_bytes: u32::try_from(page_bytes).unwrap_or(u32::MAX),
        block_padding,
        kind,
        layout: BufferLayout::from_number(low(tell(&ACCESSORS.layout, buffer)) & 0xff),
    })
}

/// The request that an allocator refused, in the numbers of TT-Metal's message: the bytes of all pages and of a bank
/// allocator rounds them up. And over how many banks.
pub(super) fn refused(allocator: u64, facts: &BufferFacts) -> (BufferFacts, u64) {
    let size = call!(ALIGNED_SIZE, fn(u64) -> u64, facts.key);
    let refused = BufferFacts {
        bytes_per_bank: tell(&ACCESSORS.size_per_bank, facts.key),
        requested: size.unwrap_or(facts.requested),
        ..*facts
    };
    let shards = num_cores(facts.key).map(u64::from);
    (refused, shards.unwrap_or_else(|| banks(allocator, facts.kind)))
}

/// The cores that have a shard of a buffer; `None` if it is not sharded.
fn num_cores(buffer: u64) -> Option<u32> {
    // An optional number: its value in the low half, and whether there is one in the byte above.
    let cores = call!(NUM_CORES, fn(u64) -> u64, buffer)?;
    (cores >> 32 & 0xff == 1).then_some(low(cores))
}

/// The number of cores of a buffer that each of them allocated by itself, in the hybrid allocator mode (told from 0.76). `None`
/// for all others.
pub(super) fn own_cores(buffer: u64) -> Option<u16> {
    let is_per_core = call!(IS_PER_CORE, fn(u64) -> bool, buffer) == Some(true);
    if is_per_core { u16::try_from(num_cores(buffer)?).ok() } else { None }
}

fn pages(buffer: u64) -> u64 {
    u64::from(call!(NUM_PAGES, fn(u64) -> u32, buffer).unwrap_or(0))
}

/// The kind with TT-Metal's number.
#[inline(always)]
fn kind_of_type(number: u32) -> Option<AllocatorKind> {
    match number {
        0 => Some(AllocatorKind::Dram),
        1 => Some(AllocatorKind::L1),
        3 => Some(AllocatorKind::L1Small),
        4 => Some(AllocatorKind::Trace),
        _ => None,
    }
}

/// The kind of a buffer that does not tell it, before 0.80.
#[cold]
fn legacy_kind(buffer: u64, address: u64, l1_small_start: &AtomicU64) -> Option<AllocatorKind> {
    let is = |symbol: &Symbol| call!(symbol, fn(u64) -> bool, buffer) == Some(true);
    if is(&IS_TRACE) {
        Some(AllocatorKind::Trace)
    } else if is(&IS_DRAM) {
        Some(AllocatorKind::Dram)
    } else if is(&IS_L1) {
        let l1_small_start = l1_small_start.load(Ordering::Relaxed);
        let is_small = l1_small_start != 0 && address >= l1_small_start;
        Some(if is_small { AllocatorKind::L1Small } else { AllocatorKind::L1 })
    } else {
        None
    }
}

/// Device address of an allocated buffer.
pub(super) fn address(buffer: u64) -> u64 {
    u64::from(call!(ADDRESS, fn(u64) -> u32, buffer).unwrap_or(0))
}

/// Bytes per bank of a buffer, as TT-Metal counts them.
pub(super) fn bytes_per_bank(buffer: u64) -> Option<u64> {
    call!(SIZE_PER_BANK, fn(u64) -> u64, buffer)
}

/// First address of L1 that an allocator hands out.
pub(super) fn l1_base(allocator: u64) -> Option<u64> {
    /// `HalMemType::L1` of TT-Metal.
    const L1: u32 = 0;
    let l1 = L1;
    call!(form(&BASE_ADDRESS), fn(u64, *const u32) -> u64, allocator, &raw const l1)
}

/// The device that a buffer belongs to, from 0.80; 0 before.
pub(super) fn device(buffer: u64) -> u64 {
    call!(DEVICE, fn(u64) -> u64, buffer).unwrap_or(0)
}

/// Returns the statistics of an allocator for a kind.
pub(super) fn statistics(allocator: u64, kind: AllocatorKind, time: u64) -> Option<Statistics> {
    let kind = buffer_type(kind);
    // Four numbers; older releases add a vector of addresses.
    let mut numbers = [0_u64; 16];
    call!(
        form(&STATISTICS),
        fn(*mut [u64; 16], u64, *const u32),
        &raw mut numbers,
        allocator,
        &raw const kind
    )?;
    delete(numbers[4]);
    let [total, allocated, free, largest_free, ..] = numbers;
    Some(Statistics { total, allocated, free, largest_free, time })
}

/// Banks of a kind.
pub(super) fn banks(allocator: u64, kind: AllocatorKind) -> u64 {
    let kind = buffer_type(kind);
    let banks = call!(form(&NUM_BANKS), fn(u64, *const u32) -> u32, allocator, &raw const kind);
    u64::from(banks.unwrap_or(0))
}

/// The page alignment.
pub(super) fn alignments(allocator: u64) -> Alignments {
    let of = |kind| {
        let alignment = call!(form(&ALIGNMENT), fn(u64, u32) -> u32, allocator, buffer_type(kind));
        let bytes = alignment.filter(|bytes| bytes.is_power_of_two()).unwrap_or(0);
        u16::try_from(bytes).unwrap_or(0)
    };
    Alignments { dram: of(AllocatorKind::Dram), l1: of(AllocatorKind::L1) }
}

/// First address of L1_SMALL in a mesh's or device's allocator: L1 ends there. 0 if it has none.
pub(super) fn l1_small_start(allocator: u64) -> u64 {
    /// `HalMemType::L1` of TT-Metal.
    const L1: u32 = 0;
    let l1 = L1;
    let base = call!(form(&BASE_ADDRESS), fn(u64, *const u32) -> u64, allocator, &raw const l1);
    let total = |kind| statistics(allocator, kind, 0).map_or(0, |statistics| statistics.total);
    match base {
        Some(base) if total(AllocatorKind::L1Small) > 0 => base + total(AllocatorKind::L1),
        _ => 0,
    }
}

/// The allocator of a mesh; 0 if it has none.
pub(super) fn mesh_allocator(mesh: u64) -> u64 {
    call!(form(&MESH_ALLOCATOR), fn(u64) -> *const u64, mesh).map_or(0, owned)
}

/// The allocator of a device; 0 if it has none.
pub(super) fn device_allocator(device: u64) -> u64 {
    call!(form(&DEVICE_ALLOCATOR), fn(u64) -> *const u64, device).map_or(0, owned)
}

/// Returns the target of a `const std::unique_ptr<T>&`.
fn owned(pointer: *const u64) -> u64 {
    if pointer.is_null() {
        return 0;
    }
    // SAFETY: the reference that TT-Metal returned is to a unique_ptr that the device owns, which is one pointer.
    unsafe { *pointer }
}

/// TT-Metal's numbers of a mesh's devices.
pub(super) fn mesh_device_ids(mesh: u64) -> Vec<i32> {
    copy_of::<i32>(&MESH_DEVICE_IDS, mesh)
}

/// Addresses of a mesh's devices, in the order of their numbers.
pub(super) fn mesh_devices(mesh: u64) -> Vec<u64> {
    copy_of::<u64>(&MESH_DEVICES, mesh)
}

/// Calls a const member function that returns a `std::vector` of numbers.
pub(super) fn copy_of<T: Copy>(symbol: &Symbol, object: u64) -> Vec<T> {
    copy_of_with(symbol, object, 0)
}

/// Calls a const member function with one more parameter that returns a `std::vector` of numbers.
pub(super) fn copy_of_with<T: Copy>(symbol: &Symbol, object: u64, argument: u64) -> Vec<T> {
    // Begin, end, end of storage: the result is written where the hidden first parameter points.
    let mut parts = [0_u64; 3];
    let called = call!(symbol, fn(*mut [u64; 3], u64, u64), &raw mut parts, object, argument);
    let [begin, end, _] = parts;
    let count = usize::try_from(end.saturating_sub(begin)).unwrap_or(0) / size_of::<T>();
    if called.is_none() || begin == 0 || count == 0 || count > MANY {
        return Vec::new();
    }
    // SAFETY: the vector owns `count` initialised elements from `begin`, without other users.
    let copy = unsafe { std::slice::from_raw_parts(begin as *const T, count) }.to_vec();
    delete(begin);
    copy
}

/// Frees what C++ allocated.
pub(super) fn delete(pointer: u64) {
    if pointer != 0 {
        call!(OPERATOR_DELETE, fn(u64), pointer);
    }
}

/// The number of a trace, by reference.
pub(super) fn trace_id(id: u64) -> u32 {
    if id == 0 {
        return 0;
    }
    // SAFETY: the reference that the caller passed is to a number of 32 bits.
    unsafe { *(id as *const u32) }
}

/// The pairs of a `const std::unordered_map<int, uint64_t>&` of libstdc++: device numbers and unique ids.
pub(super) fn unique_ids(map: *const u64) -> Vec<(u32, u64)> {
    /// The maximum load factor of a map that has the default: a map with that value is valid.
    const LOAD_FACTOR: u64 = 0x3f80_0000;
    if map.is_null() {
        return Vec::new();
    }
    // SAFETY: the function returns a reference to a container of libstdc++, all of which are at least five words long
    // where they are associative.
    let parts = unsafe { std::slice::from_raw_parts(map, 5) };
    let (count, mut node) =
        (usize::try_from(parts[3]).unwrap_or(usize::MAX), parts[2] as *const u64);
    if parts[4] & 0xffff_ffff != LOAD_FACTOR || count > MANY {
        return Vec::new();
    }
    let mut pairs = Vec::with_capacity(count);
    while !node.is_null() && pairs.len() < count {
        // SAFETY: the map has `count` nodes, each the address of the next one, the key and the value.
        let parts = unsafe { std::slice::from_raw_parts(node, 3) };
        pairs.push(((parts[1] & 0xffff_ffff) as u32, parts[2]));
        node = parts[0] as *const u64;
    }
    pairs
}
