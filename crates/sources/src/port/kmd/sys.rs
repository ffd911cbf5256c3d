//! The calls to the driver, the mapping of a window and the reads through it: all the unsafe code of the port.
#![expect(unsafe_code, reason = "ioctl and mmap of the driver, and memory that a device answers")]

mod fault;

use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater};
use rustix::mm::{MapFlags, ProtFlags};

use super::ioctl::{
    ALLOCATE_TLB, AllocateTlb, CONFIGURE_TLB, ConfigureTlb, FREE_TLB, FreeTlb, GET_DEVICE_INFO,
    GET_DRIVER_INFO, GetDeviceInfo, GetDriverInfo,
};

/// The only flags that a device file is opened with (tt-kmd 2.10.0, `chardev.c`, `tt_cdev_open` and
/// `admit_chardev_open`).
///
/// - `O_APPEND`: "I ask for no power state". Without it the open itself makes the driver send a message to the
///   firmware, which can wake an idle chip.
/// - `O_NONBLOCK`: do not wait behind a tool that holds the device exclusively.
/// - `O_CLOEXEC`: no child keeps the device open.
/// - `O_RDWR`: TT-Metal's driver library opens it so, and no driver release promises that less is enough.
fn open_flags() -> OFlags {
    OFlags::RDWR | OFlags::CLOEXEC | OFlags::APPEND | OFlags::NONBLOCK
}

/// Opens a device file.
pub(super) fn open(path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, open_flags(), Mode::empty())
}

/// Reads the device's identity.
pub(super) fn device_info(device: &OwnedFd) -> Result<GetDeviceInfo, Errno> {
    let mut message = GetDeviceInfo::question();
    call::<GET_DEVICE_INFO, _>(device, &mut message)?;
    Ok(message)
}

/// Reads the driver's version.
pub(super) fn driver_info(device: &OwnedFd) -> Result<GetDriverInfo, Errno> {
    let mut message = GetDriverInfo::question();
    call::<GET_DRIVER_INFO, _>(device, &mut message)?;
    Ok(message)
}

/// Takes a window of exactly this size.
pub(super) fn allocate_window(device: &OwnedFd, bytes: u64) -> Result<AllocateTlb, Errno> {
    let mut message = AllocateTlb::question(bytes);
    call::<ALLOCATE_TLB, _>(device, &mut message)?;
    Ok(message)
}

/// Points a window at a tile.
pub(super) fn aim_window(device: &OwnedFd, mut message: ConfigureTlb) -> Result<(), Errno> {
    call::<CONFIGURE_TLB, _>(device, &mut message)
}

/// Frees a window. It must not be mapped any more.
pub(super) fn free_window(device: &OwnedFd, id: u32) -> Result<(), Errno> {
    call::<FREE_TLB, _>(device, &mut FreeTlb { id })
}

fn call<const NUMBER: Opcode, Layout>(device: &OwnedFd, message: &mut Layout) -> Result<(), Errno> {
    // SAFETY: the five functions above are the only callers, and each pairs a number of `ioctl.rs` with the layout
    // that the driver reads and writes for it.
    let call = unsafe { Updater::<NUMBER, Layout>::new(message) };
    // SAFETY: the driver touches no memory but the message, which outlives the call.
    unsafe { rustix::ioctl::ioctl(device, call) }
}

/// A window, mapped for reading only.
///
/// The device may vanish at any time: a reset by any process makes the driver take the pages away, and the next read
/// raises `SIGBUS`. [`fault`] puts pages of zeros in their place, and [`Window::is_lost`] tells.
#[derive(Debug)]
pub(super) struct Window {
    start: NonNull<u32>,
    bytes: usize,
    watch: fault::Watch,
}

// SAFETY: the mapping belongs to the process, not to the thread that made it, and `Window` is its only owner.
unsafe impl Send for Window {}

impl Window {
    /// Maps a window of the device.
    pub(super) fn map(device: &OwnedFd, bytes: u64, offset: u64) -> Result<Self, Errno> {
        let bytes = usize::try_from(bytes).ok().ok_or(Errno::OVERFLOW)?;
        // SAFETY: the kernel chooses the address, so no memory of ours is replaced.
        let start = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                ProtFlags::READ,
                MapFlags::SHARED,
                device,
                offset,
            )
        }?;
        let Some(start) = NonNull::new(start.cast()) else { return Err(Errno::FAULT) };
        match fault::Watch::new(start, bytes) {
            Ok(watch) => Ok(Self { start, bytes, watch }),
            Err(errno) => {
                unmap(start, bytes);
                Err(errno)
            }
        }
    }

    /// Reads the aligned word at this offset: one read of 32 bits, exactly once. `None` outside the window.
    pub(super) fn word(&self, offset: usize) -> Option<u32> {
        let inside = offset.is_multiple_of(4) && offset < self.bytes;
        if !inside {
            return None;
        }
        // SAFETY: `offset` was found to be in the mapping, which is a multiple of four bytes long.
        let word = unsafe { self.start.as_ptr().byte_add(offset) };
        // SAFETY: the mapping lasts as long as `self`, is aligned to pages, and any four bytes are a u32. Volatile,
        // so that the compiler reads once, whole, and assume that the device's memory is constant.
        Some(unsafe { word.read_volatile() })
    }

    /// True once the driver took the window away. What was read since is nothing.
    pub(super) fn is_lost(&self) -> bool {
        self.watch.is_lost()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // First of all: once unmapped, the addresses may belong to another mapping.
        self.watch.stop();
        unmap(self.start, self.bytes);
    }
}

fn unmap(start: NonNull<u32>, bytes: usize) {
    // SAFETY: called once for a mapping of ours without references.
    let unmapped = unsafe { rustix::mm::munmap(start.as_ptr().cast(), bytes) };
    debug_assert_eq!(unmapped, Ok(()), "a mapping of ours can be unmapped");
}
