//! Handles the removal of a window by the driver while it is read.
//!
//! A reset of the device, by any process, makes the driver remove the pages of every window (tt-kmd 2.10.0, `memory.c`,
//! `tenstorrent_vma_zap`; its mappings have no fault handler). The next read raises `SIGBUS`, and a monitor that
//! another process's reset ends is worth little. So the signal is caught: for an address in one of our windows, pages
//! of zeros replace it and the read continues; the reader asks [`Watch::is_lost`] before it believes a word. Any other
//! `SIGBUS` goes to the previous handler.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::io::Errno;

/// Windows that can be open at a time: one for each device that tt-kmd numbers by default (`max_devices`, 32), twice.
const MAX_WINDOWS: usize = 64;

static SLOTS: [Slot; MAX_WINDOWS] = [const { Slot::free() }; MAX_WINDOWS];

/// The previous handler of the signal.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// True if our handler is in place, or why not.
static INSTALLED: OnceLock<Result<(), Errno>> = OnceLock::new();

/// A window, as far as the handler must know it. `start` is 0 while there is none.
#[derive(Debug)]
struct Slot {
    taken: AtomicBool,
    start: AtomicUsize,
    bytes: AtomicUsize,
    lost: AtomicBool,
}

impl Slot {
    const fn free() -> Self {
        Self {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
        }
    }

    /// The window's start and length if the address is in it.
    fn around(&self, address: usize) -> Option<(usize, usize)> {
        let start = self.start.load(Ordering::Acquire);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let inside = start != 0 && address >= start && address - start < bytes;
        inside.then_some((start, bytes))
    }
}

/// Keeps a window watched for as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    slot: &'static Slot,
}

impl Watch {
    /// Watches a mapping.
    pub(super) fn new(start: NonNull<u32>, bytes: usize) -> Result<Self, Errno> {
        (*INSTALLED.get_or_init(install))?;
        let free = |slot: &&Slot| !slot.taken.swap(true, Ordering::AcqRel);
        let slot = SLOTS.iter().find(free).ok_or(Errno::MFILE)?;
        slot.lost.store(false, Ordering::Relaxed);
        slot.bytes.store(bytes, Ordering::Relaxed);
        slot.start.store(start.as_ptr().addr(), Ordering::Release);
        Ok(Self { slot })
    }

    /// True once the window's pages were taken away.
    pub(super) fn is_lost(&self) -> bool {
        self.slot.lost.load(Ordering::Acquire)
    }

    /// Watches no longer.
    pub(super) fn stop(&self) {
        self.slot.start.store(0, Ordering::Release);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
        self.slot.taken.store(false, Ordering::Release);
    }
}

fn install() -> Result<(), Errno> {
    let before = exchange(None)?;
    PREVIOUS.get_or_init(|| before);
    // SAFETY: all zeros is a valid `sigaction`: no handler, no flags, an empty mask.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_sigbus;
    ours.sa_sigaction = handler as usize;
    // On the alternate stack if the thread has one: the previous handler may need it.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    exchange(Some(&ours))?;
    Ok(())
}

/// Sets the action for `SIGBUS`, if one is given, and returns the one before.
fn exchange(action: Option<&libc::sigaction>) -> Result<libc::sigaction, Errno> {
    let action = action.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: all zeros is a valid `sigaction`; it is overwritten.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are null or valid, and the handler does only what a signal handler may.
    match unsafe { libc::sigaction(libc::SIGBUS, action, &raw mut before) } {
        0 => Ok(before),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}

/// Runs on the thread that read, inside that read: it may use atomics and system calls, nothing that locks.
extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`.
    let info_of_fault = unsafe { &*info };
    // SAFETY: for `SIGBUS` the address is set.
    let address = unsafe { info_of_fault.si_addr() }.addr();
    for slot in &SLOTS {
        if let Some((start, bytes)) = slot.around(address) {
            if put_zeros(start, bytes) {
                slot.lost.store(true, Ordering::Release);
                return;
            }
            break;
        }
    }
    pass_on(signal, info, context);
}

/// Replaces a window's pages by private ones that hold zeros.
fn put_zeros(start: usize, bytes: usize) -> bool {
    let address = std::ptr::without_provenance_mut::<c_void>(start);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: a slot's range is a mapping of ours until its `Watch` is dropped, and the reader that faulted holds it.
    let mapped = unsafe { libc::mmap(address, bytes, libc::PROT_READ, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// Passes the signal to the previous handler, or to the default action.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let previous = PREVIOUS.get();
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // The read is repeated on return, and then ends the process as it would have.
        // SAFETY: `signal` may be called in a handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    if previous.is_some_and(|previous| previous.sa_flags & libc::SA_SIGINFO != 0) {
        type Full = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: a handler with `SA_SIGINFO` is a function of this type.
        let handler: Full = unsafe { std::mem::transmute::<usize, Full>(handler) };
        handler(signal, info, context);
    } else {
        type Short = extern "C" fn(c_int);
        // SAFETY: without `SA_SIGINFO` the handler has this type.
        let handler: Short = unsafe { std::mem::transmute::<usize, Short>(handler) };
        handler(signal);
    }
}
