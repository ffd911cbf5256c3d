//! The memory that the agent lives in: the state of the process, and the segment.

use std::ffi::CString;
use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use libc::{
    EEXIST, MADV_WIPEONFORK, MAP_ANONYMOUS, MAP_FAILED, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED,
    O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, PROT_READ, PROT_WRITE, c_int,
};
use ttmem_segment::AgentState;
use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{DEFAULT_SEGMENT_BYTES, Plan, Section, WORD_BYTES, counter, fixed};

use super::{hooks, places, system, tt_metal};
use crate::process::{Phase, Process};

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(null_mut());

/// The state of this process; makes it if `make` says so.
#[inline]
pub(super) fn process(make: bool) -> Option<&'static Process> {
    let mut pointer = PROCESS.load(Ordering::Acquire);
    if pointer.is_null() && make {
        pointer = make_process();
    }
    // SAFETY: it is null or points to a mapping that is never unmapped, of the size of a `Process`, which is valid when
    // zero and has only atomic fields.
    unsafe { pointer.as_ref() }
}

#[cold]
fn make_process() -> *mut Process {
    let made = map_process();
    if made.is_null() {
        return made;
    }
    match PROCESS.compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made,
        Err(other) => {
            // // SAFETY: the mapping has no other users, because the other thread's was taken.
            unsafe { libc::munmap(made.cast(), size_of::<Process>()) };
            other
        }
    }
}

/// Maps zeros that a forked child does not inherit. Null if there is no memory.
fn map_process() -> *mut Process {
    let bytes = size_of::<Process>();
    let (access, kind) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    // SAFETY: a new anonymous mapping, wherever the kernel likes.
    let mapping = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
    if mapping == MAP_FAILED {
        return null_mut();
    }
    // SAFETY: the mapping was just made, and is not shared yet.
    if unsafe { libc::madvise(mapping, bytes, MADV_WIPEONFORK) } != 0 {
        // Before Linux 4.14. A child then forgets the state; its bytes are lost.
        // SAFETY: the function given is safe to call in a forked child: it stores one pointer.
        unsafe { libc::pthread_atfork(None, None, Some(forget_process)) };
    }
    mapping.cast()
}

extern "C" fn forget_process() {
    PROCESS.store(null_mut(), Ordering::Release);
}

/// A state that is not that of this process.
#[cfg(test)]
pub(crate) fn new_process() -> Option<&'static Process> {
    // SAFETY: as in `process`.
    unsafe { map_process().as_ref() }
}

/// The words of the segment. Empty before the agent records.
#[inline]
pub(super) fn words(process: &Process) -> &'static [AtomicU64] {
    let base = process.segment.load(Ordering::Acquire) as *const AtomicU64;
    let words = process.segment_words.load(Ordering::Relaxed);
    if base.is_null() {
        return &[];
    }
    // SAFETY: `start` stored the address and the length of a mapping that is never unmapped, before the phase became
    // // `Recording`. Only this process writes to it; truncation by another process cannot be guarded against.
    unsafe { std::slice::from_raw_parts(base, words) }
}

/// Makes the segment and fills its header.
pub(super) fn start(process: &'static Process) -> io::Result<()> {
    quiet_panics();
    let plan = Plan::within(segment_bytes());
    let pid = std::process::id();
    let start_ticks = start_ticks()?;
    let base = map_segment(&segment_path(pid, start_ticks), plan.segment_bytes)?;

    let buffers = plan.table(Section::Buffers);
    let events = plan.table(Section::Events);
    process.pid.store(pid, Ordering::Relaxed);
    process.buffers_mask.store(buffers.entries - 1, Ordering::Relaxed);
    process.events_first.store(events.first_word, Ordering::Relaxed);
    process.events_mask.store(events.entries - 1, Ordering::Relaxed);
    process.segment_words.store(plan.segment_bytes / WORD_BYTES, Ordering::Relaxed);
    process.segment.store(base as usize, Ordering::Release);
    process.fault_countdown.store(fault_countdown(), Ordering::Relaxed);

    let library = places::library(tt_metal::prepare());
    let facts = HeadFacts {
        pid,
        start_ticks,
        real_time: system::real_time(),
        monotonic_time: system::time(),
        build_id: &library.build_id,
        tt_metal_version: &library.version,
        agent_version: env!("CARGO_PKG_VERSION"),
    };
    let words = words(process);
    let header = facts.to_words(&plan);
    words[counter::STATE].store(AgentState::Recording as u64, Ordering::Relaxed);
    words[counter::HOOKS_RESOLVED].store(hooks::resolved(), Ordering::Relaxed);
    for (word, value) in words.iter().zip(header).skip(1) {
        word.store(value.to_le(), Ordering::Relaxed);
    }
    words[fixed::MAGIC].store(header[fixed::MAGIC].to_le(), Ordering::Release);
    note_exit();
    Ok(())
}

/// `/dev/shm/ttmem-<pid>-<start time>`.
pub(super) fn segment_path(pid: u32, start_ticks: u64) -> CString {
    CString::new(format!("/dev/shm/ttmem-{pid}-{start_ticks}")).unwrap_or_default()
}

/// Creates the file, reserves all its bytes and maps it. Reserved, they cannot run out under a store, which would kill
/// the process.
fn map_segment(path: &CString, bytes: usize) -> io::Result<*mut AtomicU64> {
    let file = create(path).or_else(|error| {
        if error.raw_os_error() != Some(EEXIST) {
            return Err(error);
        }
        // Of this very process before it called exec.
        remove(path);
        create(path)
    })?;
    let mapping = reserve_and_map(file, bytes);
    // // SAFETY: the descriptor was just opened and has no other users; the mapping stays.
    unsafe { libc::close(file) };
    if mapping.is_err() {
        remove(path);
    }
    mapping
}

fn create(path: &CString) -> io::Result<c_int> {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    // SAFETY: the path ends in a zero.
    let file = unsafe { libc::open(path.as_ptr(), flags, 0o600) };
    if file < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}

fn remove(path: &CString) {
    // SAFETY: the path ends in a zero.
    unsafe { libc::unlink(path.as_ptr()) };
}

fn reserve_and_map(file: c_int, bytes: usize) -> io::Result<*mut AtomicU64> {
    let length = i64::try_from(bytes).map_err(io::Error::other)?;
    if file_size_limit() < bytes as u64 {
        // To try would bring a signal that kills the process.
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // SAFETY: a plain call on an open descriptor.
    if unsafe { libc::fallocate(file, 0, 0, length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (access, kind) = (PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
    // SAFETY: a new mapping, wherever the kernel likes, of a file that is as long.
    let mapping = unsafe { libc::mmap(null_mut(), bytes, access, kind, file, 0) };
    if mapping == MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(mapping.cast()) }
}

fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}

/// The size that the user asks for.
fn segment_bytes() -> usize {
    let asked = std::env::var("TTMEM_SEGMENT_MB").ok();
    let megabytes = asked.and_then(|text| text.trim().parse::<usize>().ok());
    megabytes.map_or(DEFAULT_SEGMENT_BYTES, |megabytes| megabytes.saturating_mul(1 << 20))
}

fn fault_countdown() -> u32 {
    if !cfg!(feature = "fault-injection") {
        return 0;
    }
    std::env::var("TTMEM_AGENT_FAULT").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// When this process started, in clock ticks since boot. The name before it may contain anything.
pub(super) fn start_ticks() -> io::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest);
    after_name
        .and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The agent's own panics print nothing. Only its own: the standard library is linked into it.
fn quiet_panics() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

/// Has the end of the process noted: without a note it was killed.
fn note_exit() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        // SAFETY: the function lives as long as the process, for a preloaded library is never unloaded.
        unsafe { libc::atexit(exited) };
    }
}

extern "C" fn exited() {
    if let Some(process) = process(false).filter(|process| process.phase() == Phase::Recording) {
        words(process)[counter::STATE].store(AgentState::Exited as u64, Ordering::Release);
    }
}
