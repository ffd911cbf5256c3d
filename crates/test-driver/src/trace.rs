//! The window's memory: its content, and every single read of it.
//!
//! Memory beyond L1, or in a window without a target, is not accessible. With `trace=1` no memory is: each read then
//! faults, is decoded (address, width, direction), executed by a single step with the page open, and closed again. That
//! works on x86-64; elsewhere only reads outside L1 are observed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use libc::{c_int, c_void};

use crate::message::Aim;
use crate::raw;
use crate::stage::{Stage, stage};

/// Ends a program that reads unmapped memory.
const STATUS: c_int = 86;

/// The address of the window, and its bytes of L1.
static START: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static SHOWN: AtomicUsize = AtomicUsize::new(0);
static TRACED: AtomicBool = AtomicBool::new(false);
/// Observed reads of 32 bits.
static WORDS: AtomicU64 = AtomicU64::new(0);

/// Starts watching a window.
pub(crate) fn watch(stage: &Stage, start: usize, bytes: usize) {
    BYTES.store(bytes, Ordering::Relaxed);
    START.store(start, Ordering::Relaxed);
    TRACED.store(stage.number("trace") == 1 && cfg!(target_arch = "x86_64"), Ordering::Relaxed);
    on(libc::SIGSEGV, on_fault);
    #[cfg(target_arch = "x86_64")]
    on(libc::SIGTRAP, step::on_step);
}

pub(crate) fn forget() {
    START.store(0, Ordering::Relaxed);
}

pub(crate) fn is_inside(address: usize) -> bool {
    let start = START.load(Ordering::Relaxed);
    start != 0 && address >= start && address - start < BYTES.load(Ordering::Relaxed)
}

pub(crate) fn report(stage: &Stage) {
    if TRACED.load(Ordering::Relaxed) {
        stage.note(&format!("words {}", WORDS.load(Ordering::Relaxed)));
    }
}

/// Maps a core's L1 into a window, or nothing. `taken`: as if the driver had unmapped the pages.
pub(crate) fn show(stage: &Stage, start: usize, bytes: u64, aim: Option<Aim>, taken: bool) {
    let window = std::ptr::without_provenance_mut::<c_void>(start);
    let whole = usize::try_from(bytes).unwrap_or(0);
    let nothing = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    raw::mmap(window, whole, libc::PROT_NONE, nothing, -1, 0);
    SHOWN.store(0, Ordering::Relaxed);
    let Some(Aim { x, y, address, .. }) = aim else { return };
    let rest = bytes.min(stage.number("l1_bytes").saturating_sub(address));
    let rest = usize::try_from(rest).unwrap_or(0);
    let name = if stage.fault("dead-link") { "ones".to_owned() } else { format!("{x}-{y}") };
    // Pages of an empty file raise SIGBUS, as the driver's do once they are unmapped.
    let file = if taken { raw::memory_file(&[]) } else { core_file(stage, &name) };
    let traced = TRACED.load(Ordering::Relaxed);
    let protection = if traced { libc::PROT_NONE } else { libc::PROT_READ };
    let offset = i64::try_from(address).unwrap_or(0);
    raw::mmap(window, rest, protection, libc::MAP_SHARED | libc::MAP_FIXED, file, offset);
    raw::close(file);
    SHOWN.store(rest, Ordering::Relaxed);
}

fn core_file(stage: &Stage, name: &str) -> c_int {
    raw::open_to_read(&stage.core(name)).unwrap_or(-1)
}

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

fn on(signal: c_int, handler: Handler) {
    // SAFETY: all zeros is a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the action is valid; the old one is not wanted.
    unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid structure.
    let info = unsafe { &*info };
    // SAFETY: a fault has an address.
    let address = unsafe { info.si_addr() }.addr();
    if !is_inside(address) {
        // A fault elsewhere: repeated on return, it ends the program.
        // SAFETY: `signal` may be called in a handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    let offset = address - START.load(Ordering::Relaxed);
    let Some(stage) = stage() else { raw::exit(STATUS) };
    if offset >= SHOWN.load(Ordering::Relaxed) || !TRACED.load(Ordering::Relaxed) {
        stage.violation(&format!("access at {offset} of the window, where no L1 is shown to read"));
        raw::exit(STATUS);
    }
    #[cfg(target_arch = "x86_64")]
    step::begin(stage, address, context);
    #[cfg(not(target_arch = "x86_64"))]
    let _unused = context;
}

/// Executes one instruction.
#[cfg(target_arch = "x86_64")]
mod step {
    use super::{Ordering, STATUS, WORDS, c_int, c_void, raw};
    use crate::stage::Stage;
    use std::sync::atomic::AtomicUsize;

    const PAGE: usize = 4096;
    /// The trap flag: stop after one instruction.
    const TRAP: i64 = 1 << 8;
    /// Bit of the error code of a page fault: it was a write.
    const WRITE: i64 = 1 << 1;

    /// The page that is open for a step.
    static OPEN: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn begin(stage: &Stage, address: usize, context: *mut c_void) {
        // SAFETY: the kernel passes a valid structure.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let registers = &mut context.uc_mcontext.gregs;
        if registers[index(libc::REG_ERR)] & WRITE != 0 {
            stage.violation("a write to a window");
            raw::exit(STATUS);
        }
        let code = registers[index(libc::REG_RIP)];
        let width = width(code);
        let right = width == Some(4) && address.is_multiple_of(4);
        stage.insist(right, || format!("a read of {width:?} bytes at {address:#x}"));
        WORDS.fetch_add(1, Ordering::Relaxed);
        let page = address - address % PAGE;
        OPEN.store(page, Ordering::Relaxed);
        raw::mprotect(std::ptr::without_provenance_mut(page), PAGE, libc::PROT_READ);
        registers[index(libc::REG_EFL)] |= TRAP;
    }

    pub(super) extern "C" fn on_step(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel passes a valid structure.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs[index(libc::REG_EFL)] &= !TRAP;
        let page = OPEN.swap(0, Ordering::Relaxed);
        if page != 0 {
            raw::mprotect(std::ptr::without_provenance_mut(page), PAGE, libc::PROT_NONE);
        }
    }

    fn index(register: c_int) -> usize {
        usize::try_from(register).unwrap_or(0)
    }

    /// Returns how many bytes the `mov` at this address reads; `None` for another instruction.
    fn width(code: i64) -> Option<u32> {
        let instruction = std::ptr::without_provenance::<u8>(usize::try_from(code).ok()?);
        // SAFETY: an instruction that just ran is readable, and code does not end with one that reads memory.
        let bytes = unsafe { std::slice::from_raw_parts(instruction, 4) };
        let (prefix, rest) = match bytes {
            [first @ (0x40..=0x4F | 0x66), rest @ ..] => (*first, rest),
            all => (0, all),
        };
        match (prefix, rest) {
            (0x66, [0x8B, ..]) => Some(2),
            (0x48..=0x4F, [0x8B, ..]) => Some(8),
            (_, [0x8B, ..]) => Some(4),
            (_, [0x8A, ..] | [0x0F, 0xB6, ..]) => Some(1),
            (_, [0x0F, 0xB7, ..]) => Some(2),
            _ => None,
        }
    }
}
