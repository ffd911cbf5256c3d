//! The memory that the agent lives in: the state of the process, and the segment.

use std::ffi::{CString, OsStr};
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use libc::{
    EEXIST, EFBIG, EINTR, MADV_WIPEONFORK, MAP_ANONYMOUS, MAP_FAILED, MAP_POPULATE, MAP_PRIVATE,
    MAP_SHARED, O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR, PROT_READ, PROT_WRITE,
    c_int,
};
use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{
    Counter, DEFAULT_SEGMENT_BYTES, HEADER_BYTES, Plan, Section, WORD_BYTES,
};
use ttmem_segment::{AgentState, Identity, Label, Off, OffStep, Reader};

use super::off::because;
use super::{call_sites, fork, hooks, program_api, python, system, tt_metal};
use crate::process::{Phase, Process};
use crate::recorder::Recorder;

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
            // SAFETY: the mapping has no other users, because the other thread's was taken.
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
        unsafe { libc::pthread_atfork(None, None, Some(discard_process)) };
    }
    mapping.cast()
}

extern "C" fn discard_process() {
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
    // `Recording`. Only this process writes to it; truncation by another process cannot be guarded against.
    unsafe { std::slice::from_raw_parts(base, words) }
}

/// Makes the segment and fills its header.
///
/// # Errors
/// If there is no segment: the step that failed.
pub(super) fn start(process: &'static Process) -> Result<(), Off> {
    quiet_panics();
    let plan = Plan::within(segment_bytes());
    let owner = Owner::this().map_err(because(OffStep::Process))?;
    let (base, number) = map_segment(&owner, plan.segment_bytes)?;

    let buffers = plan.table(Section::Buffers);
    let events = plan.table(Section::Events);
    process.pid.store(owner.pid, Ordering::Relaxed);
    process.segment_number.store(number, Ordering::Relaxed);
    process.buffers_mask.store(buffers.entries - 1, Ordering::Relaxed);
    process.events_first.store(events.first_word, Ordering::Relaxed);
    process.events_mask.store(events.entries - 1, Ordering::Relaxed);
    for section in Section::ALL {
        let (slot, table) = (&process.tables[section as usize], plan.table(section));
        slot.first.store(table.first_word, Ordering::Relaxed);
        slot.entries.store(table.entries, Ordering::Relaxed);
    }
    let (footprints, dispatches) =
        (plan.table(Section::Footprints), plan.table(Section::Dispatches));
    process.footprints_first.store(footprints.first_word, Ordering::Relaxed);
    process.dispatches_first.store(dispatches.first_word, Ordering::Relaxed);
    process.dispatches_mask.store(dispatches.entries - 1, Ordering::Relaxed);
    process.l1_since.store(0, Ordering::Relaxed);
    process.segment_words.store(plan.segment_bytes / WORD_BYTES, Ordering::Relaxed);
    process.segment.store(base as usize, Ordering::Release);
    process.fault_countdown.store(fault_countdown(), Ordering::Relaxed);

    let library = call_sites::library(tt_metal::prepare());
    let facts = HeadFacts {
        pid: owner.pid,
        start_ticks: owner.start_ticks,
        real_time: system::real_time(),
        monotonic_time: system::time(),
        build_id: &library.build_id,
        tt_metal_version: &library.version,
        agent_version: env!("CARGO_PKG_VERSION"),
    };
    let words = words(process);
    let header = facts.to_words(&plan);
    words[Counter::State as usize].store(AgentState::Recording as u64, Ordering::Relaxed);
    words[Counter::HooksResolved as usize].store(hooks::resolved(), Ordering::Relaxed);
    words[Counter::AccessorsResolved as usize].store(program_api::resolved(), Ordering::Relaxed);
    for (word, value) in words.iter().zip(header).skip(1) {
        word.store(value.to_le(), Ordering::Relaxed);
    }
    let identity = Identity { label: own_label(), ..owner.identity };
    for (index, value) in identity.header_words() {
        words[index].store(value.to_le(), Ordering::Relaxed);
    }
    python::enter(process, Recorder { process, words }, python::prepare());
    // The magic: what it makes valid is all there.
    words[0].store(header[0].to_le(), Ordering::Release);
    note_exit();
    fork::prepare();
    Ok(())
}

/// The process, as its segment's name and header describe it.
struct Owner {
    pid: u32,
    start_ticks: u64,
    identity: Identity,
}

impl Owner {
    fn this() -> io::Result<Self> {
        let namespace = std::fs::metadata("/proc/self/ns/pid").map(|metadata| metadata.ino());
        let runs = std::env::var_os("TTMEM_RUN").unwrap_or_default();
        Ok(Self {
            pid: std::process::id(),
            start_ticks: start_ticks()?,
            identity: Identity::new(namespace.ok(), &runs.to_string_lossy()),
        })
    }

    /// True if a segment is of this very process, before it called exec. Another process of the same number and start
    /// time is in another pid namespace.
    fn wrote(&self, path: &CString) -> bool {
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        let mut bytes = vec![0; HEADER_BYTES];
        let options =
            OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path);
        let read = options.and_then(|mut file| file.read_exact(&mut bytes));
        read.is_ok()
            && Reader::parse_header(&bytes).is_ok_and(|header| {
                self.identity.pid_namespace.is_some()
                    && header.identity.pid_namespace == self.identity.pid_namespace
                    && (header.pid, header.start_ticks) == (self.pid, self.start_ticks)
            })
    }
}

/// Returns the name, rank and job of this process. A worker of pytest-xdist has its name in its own environment only, not in the one that the
/// kernel shows.
fn own_label() -> Label {
    let read = |path| std::fs::read(path).unwrap_or_default();
    let command = read("/proc/self/cmdline");
    let command = command.strip_suffix(b"\0").unwrap_or(&command);
    let set = |name: &&str| {
        let value = std::env::var_os(name)?.to_string_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    };
    let first = |names: &[&str]| names.iter().find_map(set).unwrap_or_default();
    Label {
        name: String::from_utf8_lossy(read("/proc/self/comm").trim_ascii_end()).into_owned(),
        command: String::from_utf8_lossy(command).replace('\0', " "),
        rank: first(&Label::RANK),
        job: first(&Label::JOB),
    }
}

/// The most segments with one process number and start time.
const SEGMENT_NUMBERS: u32 = 64;

/// `/dev/shm/ttmem-<pid>-<start time>`, and `-<number>` after it if that name belongs to another process.
pub(super) fn segment_path(pid: u32, start_ticks: u64, number: u32) -> CString {
    let path = match number {
        0 => format!("/dev/shm/ttmem-{pid}-{start_ticks}"),
        number => format!("/dev/shm/ttmem-{pid}-{start_ticks}-{number}"),
    };
    CString::new(path).unwrap_or_default()
}

/// Creates the file, reserves all its bytes and maps it. Reserved, they cannot run out under a store, which would kill
/// the process. Returns the number in its name too.
fn map_segment(owner: &Owner, bytes: usize) -> Result<(*mut AtomicU64, u32), Off> {
    for number in 0..SEGMENT_NUMBERS {
        let path = segment_path(owner.pid, owner.start_ticks, number);
        let created = create(&path).or_else(|error| {
            if error.raw_os_error() != Some(EEXIST) || !owner.wrote(&path) {
                return Err(error);
            }
            remove(&path);
            create(&path)
        });
        let file = match created {
            Ok(file) => file,
            Err(error) if error.raw_os_error() == Some(EEXIST) => continue,
            Err(error) => return Err(because(OffStep::Create)(error)),
        };
        let mapping = system::without_signals(|| reserve_and_map(file, bytes));
        // SAFETY: the descriptor was just opened and has no other users; the mapping stays.
        unsafe { libc::close(file) };
        if mapping.is_err() {
            remove(&path);
        }
        return mapping.map(|mapping| (mapping, number));
    }
    Err(Off { step: OffStep::Create, errno: EEXIST })
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

fn reserve_and_map(file: c_int, bytes: usize) -> Result<*mut AtomicU64, Off> {
    let too_large = Off { step: OffStep::Limit, errno: EFBIG };
    let length = i64::try_from(bytes).or(Err(too_large))?;
    if file_size_limit() < bytes as u64 {
        // To try would bring a signal that kills the process.
        return Err(too_large);
    }
    reserve(file, length).map_err(because(OffStep::Reserve))?;
    let (access, kind) = (PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
    // SAFETY: a new mapping, wherever the kernel likes, of a file that is as long.
    let mapping = unsafe { libc::mmap(null_mut(), bytes, access, kind, file, 0) };
    match mapping {
        MAP_FAILED => Err(because(OffStep::Map)(io::Error::last_os_error())),
        mapping => Ok(mapping.cast()),
    }
}

/// The most retries of a reservation that a signal interrupted: stops come even where signals are blocked.
const RESERVE_ATTEMPTS: u32 = 100;

fn reserve(file: c_int, length: i64) -> io::Result<()> {
    let mut outcome = Ok(());
    for _ in 0..RESERVE_ATTEMPTS {
        // SAFETY: a plain call on an open descriptor.
        if unsafe { libc::fallocate(file, 0, 0, length) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(EINTR) {
            return Err(error);
        }
        outcome = Err(error);
    }
    outcome
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

/// Returns the start time of this process, in clock ticks since boot. The name before it may be any bytes.
pub(super) fn start_ticks() -> io::Result<u64> {
    let stat = std::fs::read("/proc/self/stat")?;
    let after_name = stat.iter().rposition(|byte| *byte == b')').map(|end| &stat[end + 1..]);
    after_name
        .and_then(|rest| std::str::from_utf8(rest).ok()?.split_whitespace().nth(19)?.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Makes the agent's panics print nothing. Only its own: the standard library is linked into it.
fn quiet_panics() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

/// Registers a handler that notes the end of the process: without the note it was killed.
fn note_exit() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        // SAFETY: the function lives as long as the process, for a preloaded library is never unloaded.
        unsafe { libc::atexit(exited) };
    }
}

extern "C" fn exited() {
    note_state(AgentState::Exited);
}

/// Notes the end of the process, if it has a segment.
pub(super) fn note_state(state: AgentState) {
    if let Some(process) = process(false).filter(|process| process.phase() == Phase::Recording) {
        words(process)[Counter::State as usize].store(state as u64, Ordering::Release);
    }
}
