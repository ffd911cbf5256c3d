//! Reads the kernels of a program: names, text, cores, scratchpads.

use libc::c_void;
use ttmem_segment::{Accessor, CoreRange};

use super::cxx::{bytes, nodes};
use super::program_api::{WORKERS, cores_of};
use super::symbols::Symbol;
use super::tt_metal::{MANY, call, delete};

static KERNELS: Symbol = Symbol::new(c"_ZN2tt8tt_metal6detail11ProgramImpl11get_kernelsEj");
static KERNEL_ON_CORE: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6Kernel18is_on_logical_coreERKNS_7xy_pairE");
static KERNEL_NAME: Symbol = Symbol::new(c"_ZNK2tt8tt_metal6Kernel4nameB5cxx11Ev");
static KERNEL_TEXT: Symbol =
    Symbol::new(c"_ZNK2tt8tt_metal6Kernel22get_binary_packed_sizeEPNS0_7IDeviceEi");
static COMPUTE_KERNEL: Symbol = Symbol::new(c"_ZTVN2tt8tt_metal13ComputeKernelE");
static DATA_MOVEMENT_KERNEL: Symbol = Symbol::new(c"_ZTVN2tt8tt_metal18DataMovementKernelE");
static SCRATCHPADS: [Symbol; 2] = [
    Symbol::new(
        c"_ZNK2tt8tt_metal6Kernel34process_scratchpad_binding_handlesERKSt8functionIFvRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEjjRKSt8optionalINS0_11LLKMetadataEEEE",
    ),
    Symbol::new(
        c"_ZNK2tt8tt_metal6Kernel34process_scratchpad_binding_handlesESt8functionIFvRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEjjEE",
    ),
];
static COMMON_ARGUMENTS: Symbol =
    Symbol::new(c"_ZN2tt8tt_metal6Kernel24common_runtime_args_dataEv");

/// Most scratchpads of a kernel: a higher count is not believed.
const MANY_SCRATCHPADS: usize = 64;

/// Bit set of the functions that TT-Metal's library exports.
pub(super) fn resolved() -> u64 {
    let has = |symbol: &Symbol| symbol.get().is_some();
    let pairs = [
        (Accessor::Kernels, has(&KERNELS)),
        (Accessor::KernelCores, has(&KERNEL_ON_CORE)),
        (Accessor::KernelName, has(&KERNEL_NAME)),
        (Accessor::KernelText, has(&KERNEL_TEXT)),
        (Accessor::Scratchpads, SCRATCHPADS.iter().any(has) && has(&COMMON_ARGUMENTS)),
    ];
    pairs.iter().filter(|(_, is_there)| *is_there).map(|(accessor, _)| accessor.bit()).sum()
}

/// A kernel of a program.
#[derive(Clone, Debug)]
pub(super) struct KernelFacts {
    /// Name of the kernel; empty where TT-Metal does not publish it.
    pub(super) name: Vec<u8>,
    /// Bytes of text in all its processors, where TT-Metal publishes them.
    pub(super) text: Option<u32>,
    /// Cores.
    pub(super) cores: Vec<CoreRange>,
}

/// A scratchpad of a kernel.
#[derive(Clone, Debug)]
pub(super) struct Scratchpad {
    /// Address in L1.
    pub(super) address: u32,
    /// Bytes.
    pub(super) bytes: u32,
    /// Cores of its kernel.
    pub(super) cores: Vec<CoreRange>,
}

/// The kernel objects of a program on worker cores, in the order of their numbers.
fn kernel_objects(program: u64) -> Vec<u64> {
    let Some(map) = call!(KERNELS, fn(u64, u32) -> u64, program, WORKERS) else {
        return Vec::new();
    };
    let mut objects: Vec<(u32, u64)> = nodes(map)
        .map(|node| {
            // SAFETY: a node has the address of the next one, the kernel's number, and the shared pointer.
            let words = unsafe { *(node as *const [u64; 3]) };
            ((words[1] & 0xffff_ffff) as u32, words[2])
        })
        .filter(|(_, object)| *object != 0)
        .collect();
    objects.sort_unstable();
    objects.into_iter().map(|(_, object)| object).collect()
}

/// The kernels of a compiled program on worker cores, in the order of their numbers. `device` is a chip, not a mesh.
pub(super) fn kernels(program: u64, device: Option<u64>) -> Vec<KernelFacts> {
    let facts = |object| KernelFacts {
        name: kernel_name(object).unwrap_or_default(),
        text: device.and_then(|device| kernel_text(object, device)),
        cores: cores_of(&KERNEL_ON_CORE, object),
    };
    kernel_objects(program).into_iter().map(facts).collect()
}

/// The scratchpads of a program that are placed.
pub(super) fn scratchpads(program: u64) -> Vec<Scratchpad> {
    let of_kernel = |kernel: u64| {
        let bindings = scratchpad_bindings(kernel);
        let cores =
            if bindings.is_empty() { Vec::new() } else { cores_of(&KERNEL_ON_CORE, kernel) };
        bindings.into_iter().filter_map(move |(bytes, word)| {
            // The argument is 0 until TT-Metal places the scratchpad.
            let address = common_argument(kernel, word).filter(|address| *address != 0)?;
            Some(Scratchpad { address, bytes, cores: cores.clone() })
        })
    };
    kernel_objects(program).into_iter().flat_map(of_kernel).collect()
}

fn kernel_name(kernel: u64) -> Option<Vec<u8>> {
    let mut string = [0_u64; 4];
    let start = string.as_ptr() as u64;
    call!(KERNEL_NAME, fn(*mut [u64; 4], u64), &raw mut string, kernel)?;
    let name = bytes(string[0], string[1]);
    if string[0] != start + 16 {
        // It was too long for the string itself.
        delete(string[0]);
    }
    Some(name)
}

/// Text of all processors of a kernel of a class that is known.
fn kernel_text(kernel: u64, device: u64) -> Option<u32> {
    // SAFETY: an object with virtual functions begins with the address of their table.
    let table = unsafe { *(kernel as *const u64) };
    let is = |symbol: &Symbol| symbol.get().is_some_and(|start| start as u64 + 16 == table);
    let binaries = if is(&COMPUTE_KERNEL) {
        3
    } else if is(&DATA_MOVEMENT_KERNEL) {
        1
    } else {
        return None;
    };
    let text = |index: i32| call!(KERNEL_TEXT, fn(u64, u64, i32) -> u32, kernel, device, index);
    (0..binaries).map(text).sum()
}

/// A `std::function` of libstdc++ that adds to a list.
#[repr(C)]
struct Function {
    storage: Storage,
    manager: extern "C" fn(&mut Storage, &Storage, u32) -> bool,
    invoke: extern "C" fn(&Storage, *const u8, &u32, &u32),
}

/// The two words that a `std::function` keeps: the address of a list of [`scratchpad_bindings`].
type Storage = [u64; 2];

/// Copies the storage; nothing else is to be done to it.
extern "C" fn manage(to: &mut Storage, from: &Storage, operation: u32) -> bool {
    /// `std::__clone_functor` of libstdc++ (`bits/std_function.h`).
    const CLONE: u32 = 2;
    if operation == CLONE {
        *to = *from;
    }
    false
}

/// Notes a scratchpad: its bytes, and the index of the common argument that is its address.
extern "C" fn add_scratchpad(storage: &Storage, _name: *const u8, bytes: &u32, word: &u32) {
    // SAFETY: the list outlives the call during which TT-Metal calls this, and has no other user.
    let list = unsafe { &mut *(storage[0] as *mut Vec<(u32, u32)>) };
    if list.len() < MANY_SCRATCHPADS {
        list.push((*bytes, *word));
    }
}

/// The scratchpads of a kernel: bytes, and the common argument that is the address.
fn scratchpad_bindings(kernel: u64) -> Vec<(u32, u32)> {
    let mut list: Vec<(u32, u32)> = Vec::new();
    let function =
        Function { storage: [(&raw mut list) as u64, 0], manager: manage, invoke: add_scratchpad };
    for form in &SCRATCHPADS {
        if call!(form, fn(u64, *const Function), kernel, &raw const function).is_some() {
            break;
        }
    }
    list
}

/// A word of the arguments that all cores of a kernel share.
fn common_argument(kernel: u64, word: u32) -> Option<u32> {
    let data = call!(COMMON_ARGUMENTS, fn(u64) -> *const [u64; 2], kernel)?;
    if data.is_null() {
        return None;
    }
    // SAFETY: a reference to a `RuntimeArgsData`: the address of the arguments, and their number.
    let [start, count] = unsafe { *data };
    let count = usize::try_from(count).ok().filter(|count| start != 0 && *count <= MANY)?;
    // SAFETY: the kernel owns this number of words from there.
    let arguments = unsafe { std::slice::from_raw_parts(start as *const u32, count) };
    arguments.get(word as usize).copied()
}
