//! The Python interpreter of this process: where it is, and the memory that its frames are in.

use std::ffi::{CStr, c_char, c_int};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use libc::c_void;
use ttmem_segment::StackState;
use ttmem_segment::layout::Counter;

use super::symbols::Symbol;
use crate::ops::ThreadState;
use crate::process::Process;
use crate::recorder::Recorder;
use crate::stacks::{self, Interpreter, LAYOUTS, Layout, Memory, Operation, Types, Unreadable};

/// Stacks that are read with a check of every address, before the interpreter is trusted.
const CHECKED_STACKS: u32 = 16;
/// `tp_basicsize` of `object`, at this offset of a type: 16 but in builds for debugging and without the GIL, whose objects
/// have another form.
const OBJECT_BYTES: (u64, u64) = (32, 16);

/// The interpreter.
#[derive(Debug)]
struct Python {
    /// `PyGILState_GetThisThreadState`: a look at a variable of the thread, which needs no GIL.
    thread_state: unsafe extern "C" fn() -> *mut c_void,
    /// `Py_IsInitialized`: false from the moment on that the interpreter ends.
    is_initialized: unsafe extern "C" fn() -> c_int,
    layout: &'static Layout,
    types: Types,
}

static PYTHON: OnceLock<Result<Python, StackState>> = OnceLock::new();

/// Looks for the interpreter. Returns why stacks are recorded, or not.
pub(super) fn prepare() -> StackState {
    if std::env::var("TTMEM_STACKS").is_ok_and(|value| value.trim() == "0") {
        return StackState::Off;
    }
    PYTHON.get_or_init(find).as_ref().err().copied().unwrap_or(StackState::Recorded)
}

fn find() -> Result<Python, StackState> {
    static THREAD_STATE: Symbol = Symbol::global(c"PyGILState_GetThisThreadState");
    static IS_INITIALIZED: Symbol = Symbol::global(c"Py_IsInitialized");
    static VERSION: Symbol = Symbol::global(c"Py_GetVersion");
    static OBJECT: Symbol = Symbol::global(c"PyBaseObject_Type");
    static CODE: Symbol = Symbol::global(c"PyCode_Type");
    static TEXT: Symbol = Symbol::global(c"PyUnicode_Type");
    static BYTES: Symbol = Symbol::global(c"PyBytes_Type");
    let get = |symbol: &Symbol| symbol.get().ok_or(StackState::NoInterpreter);
    let address = |symbol: &Symbol| Ok(get(symbol)?.expose_provenance() as u64);
    let (thread_state, is_initialized, version) =
        (get(&THREAD_STATE)?, get(&IS_INITIALIZED)?, get(&VERSION)?);
    // SAFETY: the C API gives the function of this name this type.
    let version = unsafe {
        std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const c_char>(version)
    };
    // SAFETY: it takes no arguments, and needs neither GIL nor interpreter.
    let version = unsafe { version() };
    // SAFETY: it returns a text that ends in a zero and is never changed.
    let version = unsafe { CStr::from_ptr(version) };
    let minor = minor(version.to_bytes());
    let layout = LAYOUTS.iter().find(|layout| Some(layout.minor) == minor);
    let (offset, bytes) = OBJECT_BYTES;
    let is_usual = Checked.word(address(&OBJECT)? + offset) == Some(bytes);
    let layout = layout.filter(|_| is_usual).ok_or(StackState::UnknownVersion)?;
    Ok(Python {
        // SAFETY: the C API gives the function of this name this type.
        thread_state: unsafe {
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut c_void>(thread_state)
        },
        // SAFETY: as above.
        is_initialized: unsafe {
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_int>(is_initialized)
        },
        layout,
        types: Types { code: address(&CODE)?, text: address(&TEXT)?, bytes: address(&BYTES)? },
    })
}

/// The 12 of `3.12.1 (main, ...`.
fn minor(version: &[u8]) -> Option<u32> {
    let version = std::str::from_utf8(version).ok()?;
    version.strip_prefix("3.")?.split('.').next()?.parse().ok()
}

/// The work of Python on this thread, by indexes of the segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Here {
    /// Stack; 0 if it is not known.
    pub(super) stack: u16,
    /// Name of the op of ttnn; 0 for none, or if it is not asked for.
    pub(super) op: u16,
}

/// Returns the work of Python on this thread, with the op if `with_op` says so.
#[inline]
#[unsafe(link_section = ".text.ttmem_often")]
pub(super) fn here(recorder: Recorder<'_>, with_op: bool) -> Here {
    let process = recorder.process;
    let Some(python) = recorded(process) else { return Here::default() };
    let Some(thread) = python.thread() else { return Here::default() };
    let Ok(stack) = python.stack(recorder, thread) else {
        enter(process, recorder, StackState::Unreadable);
        return Here::default();
    };
    let op = if with_op { named(recorder, python.operation(process, thread)) } else { 0 };
    Here { stack, op }
}

/// Index of the name of the op of ttnn that Python runs on this thread; 0 for none.
#[inline(never)]
#[unsafe(link_section = ".text.ttmem_often")]
pub(super) fn op(recorder: Recorder<'_>) -> u16 {
    let Some(python) = recorded(recorder.process) else { return 0 };
    let Some(thread) = python.thread() else { return 0 };
    named(recorder, python.operation(recorder.process, thread))
}

/// Index of the name of an op; finds it out if the op is new.
#[inline]
fn named(recorder: Recorder<'_>, operation: Operation) -> u16 {
    match operation {
        Operation::Known(name) => name,
        Operation::New => enter_operation(recorder),
    }
}

/// Finds out which op of ttnn Python runs on this thread. Returns the index of its name; 0 if it runs none.
#[cold]
fn enter_operation(recorder: Recorder<'_>) -> u16 {
    let python = recorded(recorder.process);
    let thread = python.and_then(|python| Some((python, python.thread()?)));
    let entered = thread
        .map(|(python, thread)| stacks::enter_operation(recorder, &python.with(Checked), thread));
    entered.map_or(0, |entered| entered.unwrap_or(0))
}

/// The interpreter, if stacks are recorded.
#[inline]
fn recorded(process: &Process) -> Option<&'static Python> {
    let is_recorded = process.stack_state.load(Ordering::Relaxed) == StackState::Recorded as u8;
    PYTHON.get().filter(|_| is_recorded)?.as_ref().ok()
}

/// True if as many stacks were read with checks as it takes.
#[inline]
fn is_trusted(process: &Process) -> bool {
    process.checked_stacks.load(Ordering::Relaxed) >= CHECKED_STACKS
}

/// Notes why stacks are recorded, or not.
pub(super) fn enter(process: &Process, recorder: Recorder<'_>, state: StackState) {
    process.stack_state.store(state as u8, Ordering::Relaxed);
    recorder.words[Counter::StackState as usize].store(state as u64, Ordering::Relaxed);
}

impl Python {
    /// Index of the stack of a thread; 0 if no Python code runs there.
    #[inline]
    fn stack(&self, recorder: Recorder<'_>, thread: u64) -> Result<u16, Unreadable> {
        if !is_trusted(recorder.process) {
            return self.checked_stack(recorder, thread);
        }
        ThreadState::with(|own| {
            let newest = &own.newest(recorder.process).stack;
            stacks::intern(recorder, &self.with(Direct), thread, newest)
        })
    }

    #[cold]
    fn checked_stack(&self, recorder: Recorder<'_>, thread: u64) -> Result<u16, Unreadable> {
        recorder.process.checked_stacks.fetch_add(1, Ordering::Relaxed);
        ThreadState::with(|own| {
            let newest = &own.newest(recorder.process).stack;
            stacks::intern(recorder, &self.with(Checked), thread, newest)
        })
    }

    /// The op of ttnn that a thread runs, if it is known already.
    #[inline(never)]
    #[unsafe(link_section = ".text.ttmem_often")]
    fn operation(&self, process: &Process, thread: u64) -> Operation {
        if !is_trusted(process) {
            return self.checked_operation(process, thread);
        }
        let found = ThreadState::with(|own| {
            let newest = &own.newest(process).operation;
            stacks::operation(&process.operations, &self.with(Direct), thread, newest)
        });
        found.unwrap_or(Operation::Known(0))
    }

    #[cold]
    fn checked_operation(&self, process: &Process, thread: u64) -> Operation {
        let found = ThreadState::with(|own| {
            let newest = &own.newest(process).operation;
            stacks::operation(&process.operations, &self.with(Checked), thread, newest)
        });
        found.unwrap_or(Operation::Known(0))
    }

    /// The state of this thread; `None` if it has none, or the interpreter ends.
    #[inline]
    fn thread(&self) -> Option<u64> {
        // SAFETY: it takes no arguments and needs no GIL.
        if unsafe { (self.is_initialized)() } == 0 {
            return None;
        }
        // SAFETY: as above.
        let thread = unsafe { (self.thread_state)() };
        (!thread.is_null()).then(|| thread.expose_provenance() as u64)
    }

    fn with<M>(&self, memory: M) -> Interpreter<M> {
        Interpreter { memory, layout: self.layout, types: self.types }
    }
}

/// Memory that the kernel reads: an address where nothing is, is an error.
#[derive(Clone, Copy, Debug)]
struct Checked;

impl Memory for Checked {
    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.bytes(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
    }

    fn bytes(&self, address: u64, into: &mut [u8]) -> bool {
        let Ok(address) = usize::try_from(address) else { return false };
        let count = into.len();
        let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: count };
        let remote =
            libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: count };
        let Ok(pid) = libc::pid_t::try_from(std::process::id()) else { return false };
        // SAFETY: the kernel writes at most the bytes of `into`, and checks the other address.
        let read =
            unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
        usize::try_from(read).is_ok_and(|read| read == count)
    }
}

/// Memory that is read as it is.
#[derive(Clone, Copy, Debug)]
struct Direct;

impl Memory for Direct {
    #[inline(always)]
    fn word(&self, address: u64) -> Option<u64> {
        let pointer: *const u64 = std::ptr::with_exposed_provenance(usize::try_from(address).ok()?);
        // SAFETY: the address is in a frame of this thread, which keeps its code alive and is not changed while the thread
        // is in TT-Metal, or in code that such a frame keeps. Objects of that form were read with checks before, and
        // every code is compared with its type before anything else of it is read.
        Some(unsafe { pointer.read_unaligned() })
    }

    #[inline]
    fn bytes(&self, address: u64, into: &mut [u8]) -> bool {
        // Rare: only what is new is read like this.
        Checked.bytes(address, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_and_no_address_without_memory() {
        assert_eq!(minor(b"3.12.1 (main, Jan 1 2024)"), Some(12));
        assert_eq!(minor(b"3.10.13+ (default)"), Some(10));
        assert_eq!(minor(b"4.0"), None);
        let value = 0x1234_5678_9abc_def0_u64;
        let address = (&raw const value).expose_provenance() as u64;
        assert_eq!(Checked.word(address), Some(value));
        assert_eq!(Direct.word(address), Some(value));
        assert_eq!(Checked.word(8), None);
        assert!(!Direct.bytes(8, &mut [0; 4]));
    }
}
