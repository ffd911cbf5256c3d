//! The reason that a device cannot be read through its driver.

use rustix::io::Errno;
use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Grid};
use ttmem_model::reading::Missing;

/// The reason that a device cannot be read through its driver, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KmdPortError {
    /// The host is a capture or made up.
    #[error("a captured host has no devices; read an image of its L1 instead")]
    NotSystem,
    /// The driver's list of owners cannot be read.
    #[error("cannot tell who owns the device: {}; its L1 is read only while one does", .0.detail)]
    NoOwnerList(Missing),
    /// The device is idle: no other process has it open.
    #[error(
        "no process has device {number} open, and opening an idle chip may wake it; start the workload first"
    )]
    NoOwner {
        /// The device.
        number: u32,
    },
    /// An owner is there, but none is known to be TT-Metal.
    #[error(
        "no owner of device {number} is known to run TT-Metal, so the addresses of its cores are not certain; \
         run as the owner's user or as root"
    )]
    NotMetal {
        /// The device.
        number: u32,
    },
    /// The owner left while the device was read.
    #[error("the owner of device {number} left while it was read; nothing of that is kept")]
    OwnerLeft {
        /// The device.
        number: u32,
    },
    /// The owner left between the last check and the open.
    #[error(
        "the owner of device {number} left while ttmem opened it: if the driver was about to power the chip down, it \
         stays awake until a program opens and closes it again"
    )]
    Raced {
        /// The device.
        number: u32,
    },
    /// The device file does not exist.
    #[error("there is no {path}; the driver has no such device, or the container was not given it")]
    Absent {
        /// The device file.
        path: String,
    },
    /// The device file may not be opened.
    #[error("{path}: permission denied; install tt-kmd's udev rule, which gives all users access")]
    Denied {
        /// The device file.
        path: String,
    },
    /// A tool holds the device exclusively.
    #[error("{path} is held exclusively, by a reset or flash tool; try again when it is done")]
    Exclusive {
        /// The device file.
        path: String,
    },
    /// The device is being reset, was reset since it was opened, or is gone.
    #[error("device {number} was reset or is gone; open it again once its owner has")]
    Reset {
        /// The device.
        number: u32,
    },
    /// The device is another one than the caller expects.
    #[error("device {number} is PCI {vendor:04x}:{device:04x}, not a {}", expected.as_str())]
    WrongDevice {
        /// The device.
        number: u32,
        /// PCI vendor of the device.
        vendor: u16,
        /// PCI device number.
        device: u16,
        /// The expected value.
        expected: Arch,
    },
    /// The driver speaks another version of its interface.
    #[error(
        "driver {} speaks version {version} of its interface, this ttmem knows version {}; use a newer ttmem",
        release,
        super::ioctl::INTERFACE_VERSION
    )]
    Interface {
        /// The version of the interface.
        version: u32,
        /// The release of the driver.
        release: String,
    },
    /// Every small window is taken.
    #[error("device {number} has no free window; its owners use them all, try again later")]
    NoWindow {
        /// The device.
        number: u32,
    },
    /// The driver reports that the window is not ours.
    #[error(
        "the driver refused {call} on device {number}: the window is not ours; open the device again"
    )]
    NotOurs {
        /// The device.
        number: u32,
        /// The call.
        call: &'static str,
    },
    /// The window is still in use.
    #[error(
        "the driver refused {call} on device {number}: busy; the window goes back when the file is closed"
    )]
    Busy {
        /// The device.
        number: u32,
        /// The call.
        call: &'static str,
    },
    /// Another error of the driver.
    #[error("{call} on device {number}: {errno}")]
    Driver {
        /// The device.
        number: u32,
        /// The call.
        call: &'static str,
        /// The answer.
        errno: Errno,
    },
    /// The first core reports another coordinate: coordinates do not mean what ttmem expects.
    #[error(
        "the core at logical (0, 0) of device {number} reports ({}, {}); nothing more is read", found.x, found.y
    )]
    Misplaced {
        /// The device.
        number: u32,
        /// Coordinate that the core reports.
        found: Coordinate,
    },
    /// The first core names a grid that this architecture cannot have.
    #[error(
        "the first core of device {number} names a grid of {} by {} cores; nothing more is read",
        grid.columns, grid.rows
    )]
    Grid {
        /// The device.
        number: u32,
        /// The grid.
        grid: Grid,
    },
    /// The chip answers with ones, as a dead link does.
    #[error(
        "device {number} answers every read with ones: its PCIe link is down or the core hangs; reset it"
    )]
    DeadLink {
        /// The device.
        number: u32,
    },
    /// The sample took more than it may.
    #[error("the sample is over its budget after {reads} reads, {bytes} bytes and {micros} µs")]
    OverBudget {
        /// Calls of the port.
        reads: u64,
        /// Bytes read from the device.
        bytes: u64,
        /// Microseconds since the sample began.
        micros: u64,
    },
    /// The port was closed after an earlier error.
    #[error("the device is closed: {because}")]
    Closed {
        /// The earlier error.
        because: String,
    },
}

impl KmdPortError {
    /// Translates an error of `open`.
    pub(super) fn of_open(path: &str, number: u32, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::Absent { path },
            Errno::ACCESS | Errno::PERM => Self::Denied { path },
            Errno::AGAIN => Self::Exclusive { path },
            Errno::NODEV | Errno::NXIO => Self::Reset { number },
            errno => Self::Driver { number, call: "open", errno },
        }
    }

    /// Translates an error of another call.
    pub(super) fn of_call(call: &'static str, number: u32, errno: Errno) -> Self {
        match errno {
            Errno::NODEV => Self::Reset { number },
            Errno::NOMEM => Self::NoWindow { number },
            Errno::PERM => Self::NotOurs { number, call },
            Errno::BUSY => Self::Busy { number, call },
            errno => Self::Driver { number, call, errno },
        }
    }

    /// True if the device must not be touched again through this port.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::OverBudget { .. })
    }
}
