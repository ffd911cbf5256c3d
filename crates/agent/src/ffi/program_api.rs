//! Reads TT-Metal's programs through its exported functions and the containers of libstdc++ that they return.
//!
//! Only called where the functions cannot throw: of a program whose placements are done, and of what it has.

use libc::c_void;
use ttmem_segment::{Accessor, CoreRange};

use super::cxx::{bytes, nodes, owned_words, release};
use super::symbols::Symbol;
use super::tt_metal::{MANY, call, copy_of};
use crate::programs::{in_order, mix, rectangles};

static CIRCULAR_BUFFERS: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl16circular_buffersEv");
static RETURNS_SPAN: Symbol =
    Symbol::new(c"_ZN2tt8tt_metal6detail11ProgramImpl27deallocate_circular_buffersEv");
static ADDRESS: Symbol = Symbol::new(c"_ZNK2tt8tt_metal18CircularBufferImpl7addressEv");
static USES_INDEX: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal18CircularBufferImpl17uses_buffer_indexEj");
static NUM_PAGES: Symbol = Symbol::new(c"_ZNK2tt8tt_metal18CircularBufferImpl9num_pagesEj");
static PAGE_SIZE: Symbol = Symbol::new(c"_ZNK2tt8tt_metal18CircularBufferImpl9page_sizeEj");
static IS_ON_CORE: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal18CircularBufferImpl18is_on_logical_coreERKNS_7xy_pairE");
static DATAFLOW_RANGES: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl34dataflow_buffers_unique_corerangesEv");
static DATAFLOW_ON_CORE: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl24dataflow_buffers_on_coreERKNS_7xy_pairE");
static DATAFLOW_BUFFER: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl19get_dataflow_bufferEj");
static BORROWED_BINDINGS: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl25get_dfb_borrowed_bindingsB5cxx11Ev");
static RANGES: Symbol = Symbol::new(c"_ZNK2tt8tt_metal12CoreRangeSet6rangesEv");
static TENSOR_BUFFER: Symbol = Symbol::new(c"_ZNK2tt8tt_metal10MeshTensor11mesh_bufferEv");
static REFERENCE_BUFFER: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshBuffer20get_reference_bufferEv");
static PROGRAM_ID: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6detail11ProgramImpl6get_idEv");
static CONFIG_SIZE: Symbol =
    Symbol::new(c"_ZN2tt8tt_metal6detail11ProgramImpl23get_program_config_sizeEj");
static SEMAPHORES: Symbol = Symbol::new(
    c"_ZNK2tt8tt_metal6detail11ProgramImpl18semaphores_on_coreERKNS_7xy_pairENS_8CoreTypeE",
);
static SEMAPHORE_OFFSET: Symbol = Symbol::new(c"_ZNK2tt8tt_metal9Semaphore6offsetEv");
static PROGRAMS: Symbol =
    Symbol::new(c"_ZN2tt8tt_metal11distributed12MeshWorkload12get_programsEv");
static VIEW: Symbol = Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice8get_viewEv");
static DEVICES_OF_RANGE: Symbol = Symbol::new(
    c"_ZNK2tt8tt_metal11distributed14MeshDeviceView11get_devicesERKNS1_19MeshCoordinateRangeE",
);
static LOWEST_L1: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal13AllocatorImpl30get_lowest_occupied_l1_addressEj");
static L1_SIZE: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice16l1_size_per_coreEv");
static GRID: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed10MeshDevice30compute_with_storage_grid_sizeEv");
static TRACE_BYTES: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal11distributed14MeshDeviceImpl22get_trace_buffers_sizeEv");

/// Columns and rows of cores that are looked at: no chip has more.
const SIDE: u16 = 20;
/// Indexes of circular buffers that are tried: no release has more.
const BUFFER_INDEXES: u32 = 64;
/// Programmable core type of worker cores (`HalProgrammableCoreType::TENSIX`, 0.81.1).
pub(super) const WORKERS: u32 = 0;

/// Bit set of the functions that TT-Metal's library exports.
pub(super) fn resolved() -> u64 {
    let pairs = [
        (
            Accessor::CircularBuffers,
            if RETURNS_SPAN.get().is_some() { &CIRCULAR_BUFFERS } else { &RETURNS_SPAN },
        ),
        (Accessor::CircularBufferAddress, &ADDRESS),
        (Accessor::DataflowBufferCores, &DATAFLOW_ON_CORE),
        (Accessor::ProgramId, &PROGRAM_ID),
        (Accessor::ConfigSize, &CONFIG_SIZE),
        (Accessor::SemaphoreSize, &SEMAPHORES),
        (Accessor::Programs, &PROGRAMS),
        (Accessor::DevicesOfRange, &DEVICES_OF_RANGE),
        (Accessor::LowestL1, &LOWEST_L1),
        (Accessor::L1Size, &L1_SIZE),
        (Accessor::Grid, &GRID),
        (Accessor::TraceBytes, &TRACE_BYTES),
    ];
    let exported = pairs.iter().filter(|(_, symbol)| symbol.get().is_some());
    exported.map(|(accessor, _)| accessor.bit()).sum::<u64>()
        | super::kernel_api::resolved()
        | super::tensor_api::resolved()
}

/// A circular buffer of a program.
#[derive(Clone, Debug)]
pub(super) struct CircularBuffer {
    /// Address in L1.
    pub(super) address: u32,
    /// Bytes.
    pub(super) bytes: u32,
    /// Cores.
    pub(super) cores: Vec<CoreRange>,
}

/// The circular buffers of a program whose placements are done.
pub(super) fn circular_buffers(program: u64) -> Vec<CircularBuffer> {
    let objects = circular_buffer_objects(program);
    objects
        .filter_map(|object| {
            Some(CircularBuffer {
                address: address_of(object)?,
                bytes: bytes_of(object)?,
                cores: cores_of(&IS_ON_CORE, object),
            })
        })
        .collect()
}

/// A hash of the addresses and sizes of a program's circular buffers.
pub(super) fn addresses(program: u64) -> u64 {
    circular_buffer_objects(program)
        .fold(1, |hash, object| mix(hash, u64::from(address_of(object).unwrap_or(0))))
}

/// True if the circular buffers of a program can be listed. Before 0.72, where the other function is missing, the
/// result is not known to be a span.
pub(super) fn lists_circular_buffers() -> bool {
    RETURNS_SPAN.get().is_some() && CIRCULAR_BUFFERS.get().is_some()
}

/// Addresses of the objects.
fn circular_buffer_objects(program: u64) -> impl Iterator<Item = u64> {
    /// A `std::span`.
    #[repr(C)]
    struct Span {
        start: u64,
        length: u64,
    }
    let span = RETURNS_SPAN.get().and_then(|_| call!(CIRCULAR_BUFFERS, fn(u64) -> Span, program));
    let Span { start: mut next, length } = span.unwrap_or(Span { start: 0, length: 0 });
    let end = next.saturating_add(length.min(MANY as u64) * 16);
    std::iter::from_fn(move || {
        if next == 0 || next >= end {
            return None;
        }
        // SAFETY: `next` is the address of an element of the span, which the program owns; a `std::shared_ptr` begins
        // with what it points to.
        let object = unsafe { *(next as *const u64) };
        next += 16;
        Some(object)
    })
}

fn address_of(object: u64) -> Option<u32> {
    call!(ADDRESS, fn(u64) -> u32, object)
}

/// Pages times bytes of a page of the first index that the buffer has.
fn bytes_of(object: u64) -> Option<u32> {
    let has = |index: &u32| call!(USES_INDEX, fn(u64, u32) -> bool, object, *index) == Some(true);
    let index = (0..BUFFER_INDEXES).find(has)?;
    let pages = call!(NUM_PAGES, fn(u64, u32) -> u32, object, index)?;
    pages.checked_mul(call!(PAGE_SIZE, fn(u64, u32) -> u32, object, index)?)
}

/// The cores for which a member function of one core returns true.
pub(super) fn cores_of(symbol: &Symbol, object: u64) -> Vec<CoreRange> {
    let is_on = |x: u16, y: u16| {
        let core = [u64::from(x), u64::from(y)];
        call!(symbol, fn(u64, *const [u64; 2]) -> bool, object, &raw const core) == Some(true)
    };
    rectangles(is_on, SIDE)
}

/// The rectangles of cores that dataflow buffers of a program are on.
pub(super) fn dataflow_ranges(program: u64) -> Vec<CoreRange> {
    let ranges = copy_of::<[u64; 4]>(&DATAFLOW_RANGES, program);
    ranges.into_iter().filter_map(core_range).collect()
}

/// A `CoreRange`: the columns and rows of its corners.
fn core_range(words: [u64; 4]) -> Option<CoreRange> {
    let [start_x, start_y, end_x, end_y] = words.map(|word| u16::try_from(word).ok());
    let range = CoreRange { start: (start_x?, start_y?), end: (end_x?, end_y?) };
    (!range.is_empty() && range.end.0 < SIDE && range.end.1 < SIDE).then_some(range)
}

/// The `CoreRange` that a list of placements is for.
pub(super) fn range_of_allocator(allocator: u64) -> Option<CoreRange> {
    if allocator == 0 || !allocator.is_multiple_of(8) {
        return None;
    }
    // SAFETY: a `CircularBufferAllocator` is longer than a `CoreRange`, with which it begins. Whether it does is checked
    // before a footprint is recorded: the ranges have to fit those that the program's dataflow buffers are on.
    core_range(unsafe { *(allocator as *const [u64; 4]) })
}

/// The ranges of a `CoreRangeSet`, in its order.
pub(super) fn ranges_of(set: u64) -> Vec<CoreRange> {
    let vector = call!(RANGES, fn(u64) -> *const [u64; 2], set);
    let Some(vector) = vector.filter(|vector| !vector.is_null()) else { return Vec::new() };
    // SAFETY: it is a reference to a `std::vector<CoreRange>`.
    let [begin, end] = unsafe { *vector };
    let count = usize::try_from(end.saturating_sub(begin)).unwrap_or(0) / size_of::<[u64; 4]>();
    if begin == 0 || count == 0 || count > MANY {
        return Vec::new();
    }
    // SAFETY: the vector has `count` elements of four words, which the caller of the hook owns.
    let ranges = unsafe { std::slice::from_raw_parts(begin as *const [u64; 4], count) };
    ranges.iter().filter_map(|words| core_range(*words)).collect()
}

/// The cores of each dataflow buffer of a program that is not among those given, in the order of the program.
pub(super) fn other_dataflow_buffers(program: u64, borrowed: &[u64]) -> Vec<Vec<CoreRange>> {
    let ranges = dataflow_ranges(program);
    let cores = ranges.iter().flat_map(|range| range.cores());
    let listed: Vec<((u16, u16), Vec<u64>)> = cores
        .map(|(x, y)| {
            let mut own = dataflow_on_core(program, x, y);
            own.retain(|object| !borrowed.contains(object));
            ((x, y), own)
        })
        .collect();
    let lists: Vec<&[u64]> = listed.iter().map(|(_, objects)| objects.as_slice()).collect();
    let cores_of = |object: u64| {
        let is_on = |x: u16, y: u16| {
            listed.iter().any(|(core, objects)| *core == (x, y) && objects.contains(&object))
        };
        rectangles(is_on, SIDE)
    };
    in_order(&lists).into_iter().map(cores_of).collect()
}

/// The cores that a dataflow buffer object is on.
pub(super) fn dataflow_cores(program: u64, object: u64) -> Vec<CoreRange> {
    let ranges = dataflow_ranges(program);
    let is_on = |x: u16, y: u16| {
        ranges.iter().any(|range| range.contains((x, y)))
            && dataflow_on_core(program, x, y).contains(&object)
    };
    rectangles(is_on, SIDE)
}

/// Addresses of the dataflow buffer objects on a core.
fn dataflow_on_core(program: u64, x: u16, y: u16) -> Vec<u64> {
    let core = [u64::from(x), u64::from(y)];
    let mut parts = [0_u64; 3];
    let called = call!(
        DATAFLOW_ON_CORE,
        fn(*mut [u64; 3], u64, *const [u64; 2]),
        &raw mut parts,
        program,
        &raw const core
    );
    if called.is_none() {
        return Vec::new();
    }
    // Each shared pointer is two words.
    let words = owned_words(parts);
    for [_, control] in words.as_chunks::<2>().0 {
        release(*control);
    }
    words.into_iter().step_by(2).collect()
}

/// The dataflow buffers of a program that are to be the memory of tensors: object and name of the tensor.
pub(super) fn borrowed_bindings(program: u64) -> Vec<(u64, Vec<u8>)> {
    let vector = call!(BORROWED_BINDINGS, fn(u64) -> *const [u64; 2], program);
    let Some(vector) = vector.filter(|vector| !vector.is_null()) else { return Vec::new() };
    // SAFETY: it is a reference to a `std::vector<std::pair<uint32_t, std::string>>`.
    let [begin, end] = unsafe { *vector };
    let count = usize::try_from(end.saturating_sub(begin)).unwrap_or(0) / 40;
    if begin == 0 || count == 0 || count > MANY {
        return Vec::new();
    }
    // SAFETY: the vector has `count` elements of five words, which the program owns.
    let pairs = unsafe { std::slice::from_raw_parts(begin as *const [u64; 5], count) };
    pairs
        .iter()
        .filter_map(|[id, text, length, ..]| {
            let id = u32::try_from(*id & 0xffff_ffff).ok()?;
            Some((dataflow_buffer(program, id)?, bytes(*text, *length)))
        })
        .collect()
}

fn dataflow_buffer(program: u64, id: u32) -> Option<u64> {
    let mut pointer = [0_u64; 2];
    call!(DATAFLOW_BUFFER, fn(*mut [u64; 2], u64, u32), &raw mut pointer, program, id)?;
    release(pointer[1]);
    Some(pointer[0])
}

/// The tensors of a `std::unordered_map<std::string, const MeshTensor*>`: names and objects.
pub(super) fn named_tensors(map: u64) -> Vec<(Vec<u8>, u64)> {
    nodes(map)
        .filter_map(|node| {
            // SAFETY: a node has the address of the next one, the name (four words) and the pointer.
            let words = unsafe { *(node as *const [u64; 6]) };
            (words[5] != 0).then(|| (bytes(words[1], words[2]), words[5]))
        })
        .collect()
}

/// The buffer of a tensor: its device address, and bytes per bank.
pub(super) fn tensor_memory(tensor: u64) -> Option<(u32, u32)> {
    let mesh_buffer = call!(TENSOR_BUFFER, fn(u64) -> u64, tensor)?;
    let buffer = call!(REFERENCE_BUFFER, fn(u64) -> u64, mesh_buffer)?;
    if buffer == 0 {
        return None;
    }
    let address = u32::try_from(super::tt_metal::address(buffer)).ok()?;
    Some((address, u32::try_from(super::tt_metal::bytes_per_bank(buffer)?).ok()?))
}

/// TT-Metal's number of a program; 0 where it does not say.
pub(super) fn program_id(program: u64) -> u64 {
    call!(PROGRAM_ID, fn(u64) -> u64, program).unwrap_or(0)
}

/// Bytes of a program in the kernel configuration ring of a worker core, once its offsets are final.
pub(super) fn config_bytes(program: u64) -> Option<u32> {
    let size = call!(CONFIG_SIZE, fn(u64, u32) -> *const u32, program, WORKERS)?;
    // SAFETY: a reference to an element of a vector of the program, or null where the vector is empty.
    let size = if size.is_null() { 0 } else { unsafe { *size } };
    (size > 0).then_some(size)
}

/// Bytes of semaphores of a program on a core: the end of the last one.
pub(super) fn semaphore_bytes(program: u64, (x, y): (u16, u16)) -> Option<u32> {
    /// TT-Metal's numbers of core types: one of them is that of worker cores.
    const CORE_TYPES: u32 = 16;
    /// Bytes from one semaphore to the next: the alignment of L1.
    const STRIDE: u32 = 16;
    SEMAPHORE_OFFSET.get()?;
    let core = [u64::from(x), u64::from(y)];
    let mut end = 0;
    for core_type in 0..CORE_TYPES {
        let mut parts = [0_u64; 3];
        call!(
            SEMAPHORES,
            fn(*mut [u64; 3], u64, *const [u64; 2], u32),
            &raw mut parts,
            program,
            &raw const core,
            core_type
        )?;
        for semaphore in owned_words(parts) {
            let offset = call!(SEMAPHORE_OFFSET, fn(u64) -> u32, semaphore).unwrap_or(0);
            end = end.max(offset.saturating_add(STRIDE));
        }
    }
    Some(end)
}

/// Number of programs of a workload.
pub(super) fn programs_of(workload: u64) -> Option<usize> {
    let map = call!(PROGRAMS, fn(u64) -> *const [u64; 4], workload)?;
    // SAFETY: a reference to a hash table of libstdc++, whose fourth word is the number of nodes.
    (!map.is_null()).then(|| usize::try_from(unsafe { (*map)[3] }).unwrap_or(0))
}

/// True if a program object is one of a workload's.
pub(super) fn is_in_workload(workload: u64, program: u64) -> bool {
    let map = call!(PROGRAMS, fn(u64) -> u64, workload);
    map.is_some_and(|map| node_of(map, program).is_some())
}

/// The program that a program object refers to: a `Program` is a shared pointer to it.
pub(super) fn implementation(program: u64) -> Option<u64> {
    if program == 0 {
        return None;
    }
    // SAFETY: the object was announced by the current op, which keeps it in its workload.
    Some(unsafe { *(program as *const u64) }).filter(|implementation| *implementation != 0)
}

/// The node of the map of programs that contains a program object.
fn node_of(map: u64, program: u64) -> Option<u64> {
    /// Largest size of a node, in bytes.
    const LONGEST: u64 = 1024;
    // It begins next below the program.
    nodes(map).filter(|node| *node < program).max().filter(|node| program - node <= LONGEST)
}

/// The devices of a program of a workload, by the address of the program object.
pub(super) fn devices_of(workload: u64, mesh: u64, program: u64) -> Option<Vec<u64>> {
    let map = call!(PROGRAMS, fn(u64) -> u64, workload)?;
    let node = node_of(map, program)?;
    if mesh == 0 {
        return None;
    }
    let view = call!(VIEW, fn(u64) -> u64, mesh).filter(|view| *view != 0)?;
    // After the address of the next node comes the range that is the key.
    Some(super::tt_metal::copy_of_with::<u64>(&DEVICES_OF_RANGE, view, node + 8))
}

/// The lowest address of an L1 buffer of an allocator; 0 if it has none. `None` where TT-Metal does not say.
pub(super) fn lowest_l1(allocator: u64) -> Option<u64> {
    #[repr(C)]
    struct Optional {
        value: u64,
        is_there: u64,
    }
    let lowest = call!(LOWEST_L1, fn(u64, u32) -> Optional, allocator, 0)?;
    Some(if lowest.is_there & 1 == 1 { lowest.value } else { 0 })
}

/// Bytes of L1 of a core of a mesh.
pub(super) fn l1_size(mesh: u64) -> Option<u32> {
    call!(L1_SIZE, fn(u64) -> u32, mesh)
}

/// Worker cores per row, and rows.
pub(super) fn grid(mesh: u64) -> Option<(u32, u32)> {
    #[repr(C)]
    struct Pair {
        x: u64,
        y: u64,
    }
    let grid = call!(GRID, fn(u64) -> Pair, mesh)?;
    let side = |length: u64| u32::try_from(length).ok().filter(|length| (1..=64).contains(length));
    Some((side(grid.x)?, side(grid.y)?))
}

/// Bytes of all live traces of a mesh, by its implementation object.
pub(super) fn trace_bytes(mesh: u64) -> Option<u32> {
    call!(TRACE_BYTES, fn(u64) -> u32, mesh)
}

const _: () = assert!(size_of::<*mut c_void>() == 8, "addresses are words");
