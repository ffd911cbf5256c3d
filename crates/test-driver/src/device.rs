//! The device: its open files and windows, and the rules for using them.

use std::ffi::{CStr, CString};
use std::sync::{Mutex, MutexGuard};

use libc::{c_int, c_ulong, c_void, off64_t};

use crate::message::{Aim, bytes_of, configuration, get, put};
use crate::stage::{Stage, stage};
use crate::{raw, trace};

/// `MMAP_OFFSET_TLB_UC` (tt-kmd 2.10.0, `memory.c`).
const UNCACHED: u64 = 6 << 36;
/// `MMAP_OFFSET_TLB_WC`.
const COMBINED: u64 = 7 << 36;

/// The number of the window that is allocated. Arbitrary.
const WINDOW_ID: u64 = 3;

static STATE: Mutex<State> = Mutex::new(State { files: Vec::new(), windows: Vec::new(), aims: 0 });

#[derive(Debug)]
struct State {
    files: Vec<c_int>,
    windows: Vec<Window>,
    /// The number of times that a window was configured.
    aims: u64,
}

#[derive(Debug)]
struct Window {
    file: c_int,
    id: u64,
    bytes: u64,
    mapping: Option<usize>,
    aim: Option<Aim>,
}

/// The target of a call.
pub(crate) enum Call {
    /// The stand-in.
    Answer(Result<c_int, c_int>),
    /// This path.
    Elsewhere(CString),
    /// The system.
    NotOurs,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn open(path: &CStr, flags: c_int) -> Call {
    let Some(stage) = stage() else { return Call::NotOurs };
    let number = stage.number("device");
    let text = path.to_str().unwrap_or_default();
    if text == format!("/proc/driver/tenstorrent/{number}/pids") {
        return Call::Answer(Ok(raw::memory_file(owners(stage).as_bytes())));
    }
    if text == format!("/dev/tenstorrent/{number}") {
        return Call::Answer(open_device(stage, flags));
    }
    stage.insist(!text.starts_with("/dev/tenstorrent/"), || format!("open of {text}"));
    stage.stands_for(path).map_or(Call::NotOurs, Call::Elsewhere)
}

/// The driver's list: one line per open file, the newest first, so ours come before the stage's.
fn owners(stage: &Stage) -> String {
    let files = state().files.len();
    let ours = format!("{}\n", std::process::id()).repeat(files);
    let left = stage.fault("owner-leaves") && files > 0;
    let others = if left { String::new() } else { stage.text("owners").replace(',', "\n") };
    format!("{ours}{others}\n")
}

fn open_device(stage: &Stage, flags: c_int) -> Result<c_int, c_int> {
    let rule = libc::O_RDWR | libc::O_CLOEXEC | libc::O_APPEND | libc::O_NONBLOCK;
    stage.insist(flags == rule, || format!("opened with flags {flags:#o}, not {rule:#o}"));
    stage.insist(!stage.text("owners").is_empty(), || "opened without an owner".to_owned());
    let mut state = state();
    stage.insist(state.files.is_empty(), || "opened a second time".to_owned());
    for (fault, errno) in
        [("exclusive", libc::EAGAIN), ("denied", libc::EACCES), ("gone", libc::ENODEV)]
    {
        if stage.fault(fault) {
            return Err(errno);
        }
    }
    stage.note("open");
    let file = raw::memory_file(&[]);
    state.files.push(file);
    // SAFETY: `at_exit` may run at any time.
    unsafe { libc::atexit(at_exit) };
    Ok(file)
}

/// Resources that must be released when the program ends.
extern "C" fn at_exit() {
    let Some(stage) = stage() else { return };
    let state = state();
    stage.insist(state.files.is_empty(), || "the device is open at exit".to_owned());
    stage.insist(state.windows.is_empty(), || "a window is leaked at exit".to_owned());
    trace::report(stage);
    stage.note("exit");
}

/// Returns `None` if the file is not a device.
pub(crate) fn ioctl(
    file: c_int,
    request: c_ulong,
    argument: *mut c_void,
) -> Option<Result<(), c_int>> {
    let stage = stage()?;
    let mut state = state();
    if !state.files.contains(&file) {
        return None;
    }
    let reset = stage.fault("reset") && state.aims > stage.number("after");
    if reset {
        // The driver takes back the windows of every file that a reset invalidates (`chardev.c`,
        // `tenstorrent_reset_reclaim_tlbs`).
        state.windows.retain(|window| window.mapping.is_some());
        return Some(Err(libc::ENODEV));
    }
    let Some(bytes) = bytes_of(request) else {
        stage.violation(&format!("ioctl {request:#x}"));
        return Some(Err(libc::EINVAL));
    };
    // SAFETY: the program passes the structure that belongs to the request, and nothing else uses it meanwhile.
    let message = unsafe { std::slice::from_raw_parts_mut(argument.cast::<u8>(), bytes) };
    Some(match request {
        0xFA00 => device_info(stage, message),
        0xFA05 => driver_info(stage, message),
        0xFA0B => allocate(stage, &mut state, file, message),
        0xFA0C => free(stage, &mut state, file, message),
        _ => configure(stage, &mut state, file, message),
    })
}

fn device_info(stage: &Stage, message: &mut [u8]) -> Result<(), c_int> {
    stage.note("GET_DEVICE_INFO");
    let bytes = get::<4>(message, 0);
    stage.insist(bytes == 20, || format!("GET_DEVICE_INFO for {bytes} bytes"));
    put::<4>(message, 4, 20);
    let fields = [0x1e52, stage.number("pci_device"), 0x1e52, 0x18, 0x0100, 12, 0, 0];
    for (index, value) in fields.into_iter().enumerate() {
        put::<2>(message, 8 + 2 * index, value);
    }
    Ok(())
}

fn driver_info(stage: &Stage, message: &mut [u8]) -> Result<(), c_int> {
    stage.note("GET_DRIVER_INFO");
    let bytes = get::<4>(message, 0);
    stage.insist(bytes == 12, || format!("GET_DRIVER_INFO for {bytes} bytes"));
    put::<4>(message, 4, 12);
    put::<4>(message, 8, if stage.fault("interface") { 3 } else { 2 });
    message[12..16].copy_from_slice(&[2, 10, 0, 0]);
    Ok(())
}

fn allocate(
    stage: &Stage,
    state: &mut State,
    file: c_int,
    message: &mut [u8],
) -> Result<(), c_int> {
    let bytes = get::<8>(message, 0);
    stage.note(&format!("ALLOCATE_TLB {bytes}"));
    let small = stage.number("window");
    stage.insist(bytes == small, || format!("a window of {bytes} bytes, not {small}"));
    stage.insist(state.windows.is_empty(), || "a second window".to_owned());
    if stage.fault("no-window") {
        return Err(libc::ENOMEM);
    }
    let id = WINDOW_ID + u64::try_from(state.windows.len()).unwrap_or(0);
    state.windows.push(Window { file, id, bytes, mapping: None, aim: None });
    put::<8>(message, 16, id);
    put::<8>(message, 24, UNCACHED + id * bytes);
    put::<8>(message, 32, COMBINED + id * bytes);
    Ok(())
}

fn free(stage: &Stage, state: &mut State, file: c_int, message: &[u8]) -> Result<(), c_int> {
    let id = get::<4>(message, 0);
    stage.note("FREE_TLB");
    let index = state.windows.iter().position(|window| window.id == id && window.file == file);
    let Some(index) = index else {
        stage.violation(&format!("FREE_TLB of window {id}, which is not the program's"));
        return Err(libc::EPERM);
    };
    let mapped = state.windows[index].mapping.is_some();
    stage.insist(!mapped, || "FREE_TLB of a window that is mapped".to_owned());
    if mapped {
        return Err(libc::EBUSY);
    }
    state.windows.remove(index);
    if stage.fault("busy") { Err(libc::EBUSY) } else { Ok(()) }
}

fn configure(stage: &Stage, state: &mut State, file: c_int, message: &[u8]) -> Result<(), c_int> {
    let aim = configuration(stage, message);
    let Aim { id, x, y, address } = aim;
    stage.note(&format!("CONFIGURE_TLB {x}-{y} {address}"));
    if stage.fault("not-ours") {
        return Err(libc::EPERM);
    }
    let core = format!("{x}-{y}");
    let first = stage.text("first");
    stage.insist(state.aims > 0 || core == first, || format!("{core} was asked before {first}"));
    state.aims += 1;
    let own = state.windows.iter_mut().find(|window| window.id == id && window.file == file);
    let Some(window) = own else {
        stage.violation(&format!("CONFIGURE_TLB of window {id}, which is not the program's"));
        return Err(libc::EPERM);
    };
    if !address.is_multiple_of(window.bytes) {
        stage.violation(&format!("address {address} is no multiple of the window"));
        return Err(libc::EINVAL);
    }
    let Ok(path) = CString::new(stage.core(&core)) else { return Err(libc::EINVAL) };
    if !raw::exists(&path) || address >= stage.number("l1_bytes") {
        stage.violation(&format!("coordinate ({x}, {y}), address {address}: outside the grid"));
        return Err(libc::EINVAL);
    }
    window.aim = Some(aim);
    let taken = stage.fault("reset-while-reading") && state.aims > stage.number("after");
    if let Some(mapping) = window.mapping {
        trace::show(stage, mapping, window.bytes, Some(aim), taken);
    }
    Ok(())
}

/// Returns `None` if the file is not a device.
pub(crate) fn mmap(
    address: *mut c_void,
    bytes: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> Option<Result<*mut c_void, c_int>> {
    // Without open files it cannot be a device: checked before the lock, because a signal handler may call this.
    if file < 0 {
        return None;
    }
    let stage = stage()?;
    let mut state = state();
    if !state.files.contains(&file) {
        return None;
    }
    stage.note("mmap");
    let reading = protection == libc::PROT_READ;
    stage.insist(reading, || format!("mapped with protection {protection}, not for reading"));
    let plain = flags == libc::MAP_SHARED && address.is_null();
    stage.insist(plain, || format!("mapped with flags {flags:#x}"));
    let offset = u64::try_from(offset).unwrap_or(0);
    let own = |window: &&mut Window| offset == UNCACHED + window.id * window.bytes;
    let Some(window) = state.windows.iter_mut().find(own) else {
        stage.violation(&format!("mapped offset {offset:#x}, not the window's uncached one"));
        return Some(Err(libc::EINVAL));
    };
    let whole = u64::try_from(bytes).is_ok_and(|bytes| bytes == window.bytes);
    stage.insist(whole, || format!("mapped {bytes} bytes of a window of {}", window.bytes));
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let mapping = raw::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, anonymous, -1, 0);
    window.mapping = Some(mapping.addr());
    trace::watch(stage, mapping.addr(), bytes);
    trace::show(stage, mapping.addr(), window.bytes, window.aim, false);
    Some(Ok(mapping))
}

pub(crate) fn munmap(address: *mut c_void, bytes: usize) {
    let Some(stage) = stage() else { return };
    let mut state = state();
    let mapped = |window: &&mut Window| window.mapping == Some(address.addr());
    let Some(window) = state.windows.iter_mut().find(mapped) else { return };
    stage.note("munmap");
    let whole = u64::try_from(bytes).is_ok_and(|bytes| bytes == window.bytes);
    stage.insist(whole, || format!("unmapped {bytes} bytes of a window of {}", window.bytes));
    window.mapping = None;
    trace::forget();
}

pub(crate) fn mprotect(address: *mut c_void, protection: c_int) {
    let Some(stage) = stage() else { return };
    let inside = trace::is_inside(address.addr());
    stage.insist(!inside || protection & libc::PROT_WRITE == 0, || {
        "a window was made writable".to_owned()
    });
}

pub(crate) fn close(file: c_int) {
    let Some(stage) = stage() else { return };
    let mut state = state();
    let Some(index) = state.files.iter().position(|open| *open == file) else { return };
    state.files.remove(index);
    stage.note("close");
    let leaked = state.windows.iter().any(|window| window.file == file);
    stage.insist(!leaked, || "closed with a window that was not given back".to_owned());
    state.windows.retain(|window| window.file != file);
}

/// Calls that a device file must never see.
pub(crate) fn forbid(file: c_int, call: &str) {
    let Some(stage) = stage() else { return };
    let ours = state().files.contains(&file);
    stage.insist(!ours, || format!("{call} on the device"));
}
