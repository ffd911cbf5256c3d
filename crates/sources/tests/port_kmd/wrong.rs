//! Clients that break one rule each, and one that breaks none. They share nothing with the port: requests and offsets
//! are written down again (tt-kmd 2.10.0, `ioctl.h`, `memory.c`).
#![expect(
    unsafe_code,
    reason = "a client that breaks the rules has to go past everything that keeps them"
)]

use std::ffi::CString;

use libc::{c_int, c_void};
use ttmem_test_support::stage::DEVICE;

const FLAGS: c_int = libc::O_RDWR | libc::O_CLOEXEC | libc::O_APPEND | libc::O_NONBLOCK;
const ALLOCATE: u64 = 0xFA0B;
const FREE: u64 = 0xFA0C;
const CONFIGURE: u64 = 0xFA0D;
const WINDOW: usize = 1 << 20;

/// Rule that each client breaks, and the answer that the stand-in must give.
pub(crate) const CLIENTS: &[(&str, &str)] = &[
    ("no owner", "opened without an owner"),
    ("power", "opened with flags"),
    ("blocking", "opened with flags"),
    ("inherited", "opened with flags"),
    ("exclusive", "opened with flags"),
    ("read only", "opened with flags"),
    ("opened twice", "opened a second time"),
    ("another device", "open of /dev/tenstorrent/62"),
    ("reset", "ioctl 0xfa06"),
    ("lock", "ioctl 0xfa08"),
    ("bars", "ioctl 0xfa02"),
    ("cleanup", "ioctl 0xfa0e"),
    ("power state", "ioctl 0xfa0f"),
    ("terminal", "ioctl 0x5401"),
    ("large window", "a window of 16777216 bytes"),
    ("two windows", "a second window"),
    ("writable", "mapped with protection 3"),
    ("executable", "mapped with protection 5"),
    ("private", "mapped with flags"),
    ("combined", "not the window's uncached one"),
    ("registers", "not the window's uncached one"),
    ("half a window", "mapped 524288 bytes"),
    ("made writable", "a window was made writable"),
    ("misaligned", "no multiple of the window"),
    ("multicast", "mcast = 1"),
    ("linked", "linked = 1"),
    ("other noc", "noc = 1"),
    ("rectangle", "x_start = 18"),
    ("relaxed", "ordering 0"),
    ("reserved", "a reserved field"),
    ("another's window", "which is not the program's"),
    ("second core first", "was asked before 18-18"),
    ("beyond the grid", "outside the grid"),
    ("harvested", "outside the grid"),
    ("arc", "outside the grid"),
    ("beyond L1", "outside the grid"),
    ("read beyond L1", "no L1 is shown"),
    ("read unaimed", "no L1 is shown"),
    ("narrow read", "a read of Some(1) bytes"),
    ("wide read", "a read of Some(8) bytes"),
    ("unaligned read", "a read of Some(4) bytes"),
    ("write", "a write to a window"),
    ("leak", "a window that was not given back"),
    ("free mapped", "FREE_TLB of a window that is mapped"),
    ("left open", "the device is open at exit"),
    ("write call", "write on the device"),
    ("read call", "read on the device"),
    ("copied", "dup on the device"),
];

/// The steps of a client; a rule is broken by changing one of them.
struct Client {
    flags: c_int,
    device: u32,
    request: u64,
    window: u64,
    protection: c_int,
    map_flags: c_int,
    offset: i64,
    bytes: usize,
    /// Offset and value of a byte in CONFIGURE_TLB.
    changed: Option<(usize, u8)>,
    core: (u8, u8),
    address: u64,
    frees: bool,
    closes: bool,
}

impl Client {
    fn right() -> Self {
        Self {
            flags: FLAGS,
            device: DEVICE,
            request: 0,
            window: 1 << 20,
            protection: libc::PROT_READ,
            map_flags: libc::MAP_SHARED,
            // MMAP_OFFSET_TLB_UC, and the third window.
            offset: (6 << 36) + (3 << 20),
            bytes: WINDOW,
            changed: None,
            core: (18, 18),
            address: 0,
            frees: true,
            closes: true,
        }
    }

    fn breaking(rule: &str) -> Self {
        let right = Self::right();
        match rule {
            "power" => Self { flags: FLAGS & !libc::O_APPEND, ..right },
            "blocking" => Self { flags: FLAGS & !libc::O_NONBLOCK, ..right },
            "inherited" => Self { flags: FLAGS & !libc::O_CLOEXEC, ..right },
            "exclusive" => Self { flags: FLAGS | libc::O_EXCL, ..right },
            "read only" => Self { flags: FLAGS & !libc::O_RDWR, ..right },
            "another device" => Self { device: DEVICE + 1, ..right },
            "reset" => Self { request: 0xFA06, ..right },
            "lock" => Self { request: 0xFA08, ..right },
            "bars" => Self { request: 0xFA02, ..right },
            "cleanup" => Self { request: 0xFA0E, ..right },
            "power state" => Self { request: 0xFA0F, ..right },
            "terminal" => Self { request: 0x5401, ..right },
            "large window" => Self { window: 16 << 20, ..right },
            "writable" => Self { protection: libc::PROT_READ | libc::PROT_WRITE, ..right },
            "executable" => Self { protection: libc::PROT_READ | libc::PROT_EXEC, ..right },
            "private" => Self { map_flags: libc::MAP_PRIVATE, ..right },
            "combined" => Self { offset: (7 << 36) + (3 << 20), ..right },
            "registers" => Self { offset: 0, ..right },
            "half a window" => Self { bytes: WINDOW / 2, ..right },
            "misaligned" => Self { address: 4096, ..right },
            "multicast" => Self { changed: Some((25, 1)), ..right },
            "linked" => Self { changed: Some((27, 1)), ..right },
            "other noc" => Self { changed: Some((24, 1)), ..right },
            "rectangle" => Self { changed: Some((20, 18)), ..right },
            "relaxed" => Self { changed: Some((26, 0)), ..right },
            "reserved" => Self { changed: Some((33, 1)), ..right },
            "another's window" => Self { changed: Some((0, 9)), ..right },
            "second core first" => Self { core: (19, 18), ..right },
            "beyond the grid" => Self { core: (26, 18), ..right },
            "harvested" => Self { core: (18, 27), ..right },
            "arc" => Self { core: (0, 10), ..right },
            "beyond L1" => Self { address: 2 << 20, ..right },
            "leak" => Self { frees: false, ..right },
            "left open" => Self { closes: false, ..right },
            _ => right,
        }
    }

    fn open(&self) -> c_int {
        let path = CString::new(format!("/dev/tenstorrent/{}", self.device)).unwrap();
        // SAFETY: a valid path.
        unsafe { libc::open(path.as_ptr(), self.flags, 0) }
    }

    fn map(&self, file: c_int) -> *mut u8 {
        let null = std::ptr::null_mut();
        // SAFETY: the kernel chooses the address.
        let mapping = unsafe {
            libc::mmap(null, self.bytes, self.protection, self.map_flags, file, self.offset)
        };
        mapping.cast()
    }

    fn aim(&self, file: c_int) {
        let mut message = [0; 48];
        message[0] = 3;
        message[8..16].copy_from_slice(&self.address.to_le_bytes());
        message[16] = self.core.0;
        message[18] = self.core.1;
        message[26] = 1;
        if let Some((offset, value)) = self.changed {
            message[offset] = value;
        }
        call(file, CONFIGURE, &mut message);
    }
}

fn call(file: c_int, request: u64, message: &mut [u8; 48]) {
    // SAFETY: no request of the driver has a longer message.
    unsafe { libc::ioctl(file, request, message.as_mut_ptr()) };
}

pub(crate) fn play(rule: &str) {
    let client = Client::breaking(rule);
    let file = client.open();
    if rule == "opened twice" {
        client.open();
    }
    if client.request != 0 {
        call(file, client.request, &mut [0; 48]);
    }
    let mut message = [0; 48];
    message[..8].copy_from_slice(&client.window.to_le_bytes());
    call(file, ALLOCATE, &mut message);
    if rule == "two windows" {
        call(file, ALLOCATE, &mut message.clone());
    }
    let window = client.map(file);
    if window.cast() != libc::MAP_FAILED {
        if rule != "read unaimed" {
            client.aim(file);
        }
        touch(rule, file, window);
    }
    if rule != "free mapped" {
        // SAFETY: mapped above.
        unsafe { libc::munmap(window.cast::<c_void>(), client.bytes) };
    }
    if client.frees {
        let mut message = [0; 48];
        message[0] = 3;
        call(file, FREE, &mut message);
    }
    if client.closes {
        // SAFETY: opened above.
        unsafe { libc::close(file) };
    }
}

/// Reads memory and ignores the value.
fn ignore<T>(_: T) {}

/// Reads a word, or breaks a rule about how.
fn touch(rule: &str, file: c_int, window: *mut u8) {
    // SAFETY, for all of them: what is wrong about an access is for the stand-in to find, which ends the program.
    match rule {
        // SAFETY: see above.
        "narrow read" => ignore(unsafe { window.read_volatile() }),
        // SAFETY: see above.
        "wide read" => ignore(unsafe { window.cast::<u64>().read_volatile() }),
        "unaligned read" => unaligned(window),
        // SAFETY: see above.
        "write" => unsafe { window.write_volatile(1) },
        // SAFETY: see above.
        "made writable" => ignore(unsafe {
            libc::mprotect(window.cast(), WINDOW, libc::PROT_READ | libc::PROT_WRITE)
        }),
        // SAFETY: see above.
        "write call" => ignore(unsafe { libc::write(file, [0_u8].as_ptr().cast(), 1) }),
        // SAFETY: see above.
        "read call" => ignore(unsafe { libc::read(file, [0_u8].as_mut_ptr().cast(), 1) }),
        // SAFETY: see above.
        "copied" => ignore(unsafe { libc::dup(file) }),
        "read beyond L1" => beyond_l1(file, window),
        "bus error elsewhere" => bus_error(),
        // SAFETY: see above.
        "nothing" | "read unaimed" => ignore(unsafe { window.cast::<u32>().read_volatile() }),
        _ => {}
    }
}

/// A word that is not aligned. Not through a pointer of Rust, whose checks would end the program first.
fn unaligned(window: *mut u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: see above.
    unsafe {
        std::arch::asm!("mov {word:e}, dword ptr [{window} + 2]", window = in(reg) window, word = out(reg) _);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _unused = window;
}

/// The second window of Wormhole ends 597,024 bytes before its end: L1 is no longer.
fn beyond_l1(file: c_int, window: *mut u8) {
    Client { address: 1 << 20, ..Client::right() }.aim(file);
    // SAFETY: see above.
    let last = unsafe { window.add(WINDOW - 4) };
    // SAFETY: see above.
    ignore(unsafe { last.cast::<u32>().read_volatile() });
}

/// Accesses a file that shrank, mapped by another component, with a port open and so with its handler installed.
fn bus_error() {
    use ttmem_sources::port::kmd::{KmdPort, Rules};
    // The wrong client has the device open, so this only installs the handler on the way.
    drop(KmdPort::open(
        &ttmem_root::Root::system(),
        DEVICE,
        ttmem_model::Arch::Wormhole,
        Rules::default(),
    ));
    let file = tempfile::tempfile().unwrap();
    let file = std::os::fd::AsRawFd::as_raw_fd(&file);
    // SAFETY: the kernel chooses the address.
    let mapping = unsafe {
        libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_SHARED, file, 0)
    };
    // SAFETY: mapped; that there is no page behind it is the point.
    ignore(unsafe { mapping.cast::<u32>().read_volatile() });
}
