//! The used part of tt-kmd's `ioctl` interface: five calls, their numbers and their memory layouts.
//!
//! Source of everything here: tt-kmd 2.10.0, `ioctl.h`, unless a line names another file. The layouts are the same in
//! 2.5.0, the oldest release that `owners` lets pass. The interface is version 2
//! (`TENSTORRENT_DRIVER_VERSION`) from tt-kmd 2.0.0 on.
//!
//! Numbers that are missing here are missing on purpose: 6 resets a device, 3, 7 and 9 give it host memory, 14 makes
//! the driver write to it, 15 changes its clocks, 8 takes locks that TT-Metal uses.

use rustix::ioctl::{Opcode, opcode};
use ttmem_model::Arch;

use ttmem_root::Root;

/// `TENSTORRENT_IOCTL_MAGIC`. Every number is `_IO(magic, n)`: neither direction nor size is encoded.
const MAGIC: u8 = 0xFA;

/// `TENSTORRENT_IOCTL_GET_DEVICE_INFO`.
pub(super) const GET_DEVICE_INFO: Opcode = opcode::none(MAGIC, 0);
/// `TENSTORRENT_IOCTL_GET_DRIVER_INFO`.
pub(super) const GET_DRIVER_INFO: Opcode = opcode::none(MAGIC, 5);
/// `TENSTORRENT_IOCTL_ALLOCATE_TLB`.
pub(super) const ALLOCATE_TLB: Opcode = opcode::none(MAGIC, 11);
/// `TENSTORRENT_IOCTL_FREE_TLB`.
pub(super) const FREE_TLB: Opcode = opcode::none(MAGIC, 12);
/// `TENSTORRENT_IOCTL_CONFIGURE_TLB`.
pub(super) const CONFIGURE_TLB: Opcode = opcode::none(MAGIC, 13);

/// `TENSTORRENT_DRIVER_VERSION`: the version of the interface that is written down here.
pub(super) const INTERFACE_VERSION: u32 = 2;

/// The PCI vendor of every Tenstorrent device (`module.c`, the table of devices).
pub(super) const VENDOR: u16 = 0x1e52;

/// Strict order of the reads that go through a window (`ordering` of `struct tenstorrent_noc_tlb_config`). It is what
/// the driver's own windows use for their reads (`wormhole.c`, `blackhole.c`: `config.ordering = 1`). A pointer and
/// what it points to then arrive in the order in which they were asked for.
pub(super) const ORDERING_STRICT: u8 = 1;

/// The smallest kind of window: it is the one there is most of (156 of 1 MiB on Wormhole, 202 of 2 MiB on Blackhole;
/// `wormhole.c`, `blackhole.c`: the tables of window sizes and counts).
pub(super) fn window_bytes(arch: Arch) -> u64 {
    match arch {
        Arch::Wormhole => 1 << 20,
        Arch::Blackhole => 1 << 21,
    }
}

/// The device file of a number. There is none but on the system itself.
pub(super) fn device_path(root: &Root, number: u32) -> Option<String> {
    root.is_system().then(|| format!("/dev/tenstorrent/{number}"))
}

/// `struct tenstorrent_get_device_info`. The driver clears and fills `wanted_bytes` bytes of the second part, so this
/// must never be more than there are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GetDeviceInfo {
    wanted_bytes: u32,
    pub(super) given_bytes: u32,
    pub(super) vendor: u16,
    pub(super) device: u16,
    pub(super) subsystem_vendor: u16,
    pub(super) subsystem: u16,
    /// Bits 0 to 2 function, 3 to 7 device, 8 to 15 bus.
    pub(super) bus_device_function: u16,
    pub(super) max_dma_bytes_log2: u16,
    pub(super) pci_domain: u16,
    reserved: u16,
}

/// Bytes of the second part of [`GetDeviceInfo`].
pub(super) const DEVICE_INFO_BYTES: u32 = 20;

impl GetDeviceInfo {
    pub(super) fn question() -> Self {
        Self { wanted_bytes: DEVICE_INFO_BYTES, ..Self::default() }
    }

    /// The PCIe address, as Linux writes it.
    pub(super) fn bdf(&self) -> String {
        let packed = self.bus_device_function;
        format!(
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.pci_domain,
            packed >> 8,
            (packed >> 3) & 0x1F,
            packed & 7
        )
    }
}

/// `struct tenstorrent_get_driver_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GetDriverInfo {
    wanted_bytes: u32,
    pub(super) given_bytes: u32,
    pub(super) interface_version: u32,
    /// Major, minor, patch of the driver's release.
    pub(super) release: [u8; 3],
    reserved: u8,
}

/// Bytes of the second part of [`GetDriverInfo`].
pub(super) const DRIVER_INFO_BYTES: u32 = 12;

impl GetDriverInfo {
    pub(super) fn question() -> Self {
        Self { wanted_bytes: DRIVER_INFO_BYTES, ..Self::default() }
    }
}

/// `struct tenstorrent_allocate_tlb`. The driver gives no other size than the one that is asked for (`tlb.c`,
/// `tenstorrent_device_allocate_tlb`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AllocateTlb {
    bytes: u64,
    reserved_in: u64,
    pub(super) id: u32,
    reserved_out: u32,
    /// Offset at which to map the window without caching: each read is one read of the device.
    pub(super) mmap_offset_uncached: u64,
    /// Offset at which to map the window write-combined. Such a mapping may read ahead, so it is not used.
    mmap_offset_combined: u64,
    reserved_end: u64,
}

impl AllocateTlb {
    pub(super) fn question(bytes: u64) -> Self {
        Self { bytes, ..Self::default() }
    }
}

/// `struct tenstorrent_free_tlb`. Its second part is empty.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct FreeTlb {
    pub(super) id: u32,
}

/// `struct tenstorrent_configure_tlb`, with `struct tenstorrent_noc_tlb_config` as its middle.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConfigureTlb {
    id: u32,
    reserved_in: u32,
    /// Address that the window maps: a multiple of the window's size; below 2^36 on Wormhole (`wormhole.c`,
    /// `construct_tlb_config`).
    address: u64,
    x_end: u16,
    y_end: u16,
    x_start: u16,
    y_start: u16,
    noc: u8,
    multicast: u8,
    ordering: u8,
    linked: u8,
    static_vc: u8,
    reserved_config: [u8; 3],
    reserved_words: [u32; 2],
    reserved_out: u64,
}

impl ConfigureTlb {
    /// Points a window at one tile. That is what the end coordinates name when multicast is off; the start
    /// coordinates are then not looked at.
    pub(super) fn unicast(id: u32, x: u8, y: u8, address: u64) -> Self {
        Self {
            id,
            address,
            x_end: u16::from(x),
            y_end: u16::from(y),
            ordering: ORDERING_STRICT,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    /// Sizes and offsets as a C compiler lays out `ioctl.h` on a 64-bit machine.
    #[test]
    fn layouts_are_those_of_the_driver() {
        assert_eq!(size_of::<GetDeviceInfo>(), 4 + DEVICE_INFO_BYTES as usize);
        assert_eq!(offset_of!(GetDeviceInfo, pci_domain), 20);
        assert_eq!(size_of::<GetDriverInfo>(), 4 + DRIVER_INFO_BYTES as usize);
        assert_eq!(offset_of!(GetDriverInfo, release), 12);
        assert_eq!(size_of::<AllocateTlb>(), 48);
        assert_eq!(offset_of!(AllocateTlb, mmap_offset_uncached), 24);
        assert_eq!(size_of::<FreeTlb>(), 4);
        assert_eq!(size_of::<ConfigureTlb>(), 48);
        assert_eq!(offset_of!(ConfigureTlb, x_end), 16);
        assert_eq!(offset_of!(ConfigureTlb, ordering), 26);
        assert_eq!(offset_of!(ConfigureTlb, reserved_out), 40);
    }

    #[test]
    fn numbers_carry_neither_size_nor_direction() {
        let all = [GET_DEVICE_INFO, GET_DRIVER_INFO, ALLOCATE_TLB, FREE_TLB, CONFIGURE_TLB];
        assert_eq!(all, [0xFA00, 0xFA05, 0xFA0B, 0xFA0C, 0xFA0D]);
    }

    #[test]
    fn a_place_reads_like_linux_writes_it() {
        let info = GetDeviceInfo {
            bus_device_function: 0xC1 << 8 | 2 << 3 | 1,
            pci_domain: 1,
            ..GetDeviceInfo::default()
        };
        assert_eq!(info.bdf(), "0001:c1:02.1");
    }
}
