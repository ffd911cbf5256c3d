//! Messages of the driver, the user-mode driver, the kernel and launchers, as types.

use serde::Serialize;

/// The driver has no address window left for a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TlbWindows {
    /// The number of `/dev/tenstorrent/N`.
    pub(crate) device: Option<u64>,
    /// Bytes of the window that was asked for.
    pub(crate) size: Option<u64>,
    /// The driver's error number, negative; -12 is ENOMEM.
    pub(crate) error: Option<i64>,
}

/// Host memory got another NOC address than UMD expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SysmemAddress {
    /// The address expected.
    pub(crate) expected: Option<u64>,
    /// The address that the driver gave.
    pub(crate) actual: Option<u64>,
}

/// Host memory could not be pinned for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PinFailed {
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// The number of `/dev/tenstorrent/N`.
    pub(crate) device: Option<u64>,
    /// The text of the system's error.
    pub(crate) error: Option<String>,
}

/// A lock is held by another thread or process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LockWait {
    /// Name of the lock.
    pub(crate) lock: Option<String>,
    /// The process that holds it.
    pub(crate) pid: Option<u64>,
    /// The thread that holds it.
    pub(crate) tid: Option<u64>,
}

/// Huge pages are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HugePages {
    /// Pages that there are.
    pub(crate) pages: Option<u64>,
    /// Pages that are needed.
    pub(crate) needed: Option<u64>,
}

/// The part of a huge page that TT-Metal gives to sockets and profilers is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HugePageRegion {
    /// Bytes asked for.
    pub(crate) requested: Option<u64>,
    /// Bytes in use.
    pub(crate) used: Option<u64>,
    /// Bytes of the part.
    pub(crate) size: Option<u64>,
}

/// A process ended by signal 9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HostKilled {
    /// True if the kernel's out-of-memory killer is named.
    pub(crate) by_oom_killer: bool,
    /// The program that ended it before the kernel would: Ray, systemd-oomd, earlyoom, Slurm.
    pub(crate) killer: Option<&'static str>,
    /// The process, if it is named.
    pub(crate) pid: Option<u64>,
}

/// An allocation of host memory failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HostMemory {
    /// Bytes, if they are named.
    pub(crate) size: Option<u64>,
    /// True if it is the memory that processes share: files in `/dev/shm`.
    pub(crate) is_shared: bool,
}
