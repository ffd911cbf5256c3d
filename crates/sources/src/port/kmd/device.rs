//! An open device with one window, and reads through it.

use std::os::fd::OwnedFd;

use ttmem_model::Arch;
use ttmem_model::l1::Coordinate;

use super::error::KmdPortError;
use super::ioctl::{self, ConfigureTlb, INTERFACE_VERSION, VENDOR};
use super::meter::Meter;
use super::sys::{self, Window};

/// The answer of a dead PCIe link, and of a core that does not respond.
const ONES: u32 = u32::MAX;

/// A word of a core that is never all ones: the jump to the firmware at the start of L1.
const NEVER_ONES: u64 = 0;

/// An open device that holds one window. Dropping it frees everything.
#[derive(Debug)]
pub(super) struct Device {
    number: u32,
    window_bytes: u64,
    /// Target of the window.
    aim: Option<Aim>,
    // Fields are dropped in this order, but `release` is what counts: unmap, free, close.
    window: Option<Window>,
    id: Option<u32>,
    file: OwnedFd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aim {
    core: Coordinate,
    /// A multiple of the window's size.
    address: u64,
}

/// The identity of a device, from its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) bdf: String,
    pub(super) driver: String,
}

impl Device {
    /// Opens a device, checks that it is what it should be, and takes one window. Whatever fails, everything that was
    /// taken until then is given back.
    pub(super) fn open(
        path: &str,
        number: u32,
        arch: Arch,
    ) -> Result<(Self, Identity), KmdPortError> {
        let failed = |call| move |errno| KmdPortError::of_call(call, number, errno);
        let file = sys::open(path).map_err(|errno| KmdPortError::of_open(path, number, errno))?;
        let identity = identify(&file, number, arch)?;
        let window_bytes = ioctl::window_bytes(arch);
        let given = sys::allocate_window(&file, window_bytes).map_err(failed("ALLOCATE_TLB"))?;
        let (id, aim) = (Some(given.id), None);
        let mut device = Self { number, window_bytes, aim, window: None, id, file };
        let window = Window::map(&device.file, window_bytes, given.mmap_offset_uncached);
        device.window = Some(window.map_err(failed("mmap"))?);
        Ok((device, identity))
    }

    /// Fills `buffer` with the L1 of a core from `address` on, by aligned words.
    ///
    /// A word of ones is believed only if the core's first word is none: a dead link has no other answer.
    pub(super) fn read(
        &mut self,
        core: Coordinate,
        address: u64,
        buffer: &mut [u8],
        meter: &mut Meter,
    ) -> Result<(), KmdPortError> {
        let mut alive = false;
        let mut aligned = address - address % 4;
        let mut skip = usize::try_from(address % 4).unwrap_or(0);
        let mut rest = buffer;
        while !rest.is_empty() {
            let word = self.word(core, aligned, meter)?;
            if word == ONES && !alive {
                alive = aligned != NEVER_ONES && self.word(core, NEVER_ONES, meter)? != ONES;
                if !alive {
                    return Err(KmdPortError::DeadLink { number: self.number });
                }
            }
            let bytes = word.to_le_bytes();
            let wanted = bytes.get(skip..).unwrap_or_default();
            let count = wanted.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(wanted.get(..count).unwrap_or_default());
            rest = later;
            aligned += 4;
            skip = 0;
        }
        Ok(())
    }

    fn word(
        &mut self,
        core: Coordinate,
        address: u64,
        meter: &mut Meter,
    ) -> Result<u32, KmdPortError> {
        meter.count_word()?;
        let offset = address % self.window_bytes;
        self.aim(Aim { core, address: address - offset }, meter)?;
        let reset = KmdPortError::Reset { number: self.number };
        let Some(window) = &self.window else { return Err(reset) };
        let word = usize::try_from(offset).ok().and_then(|offset| window.word(offset));
        match word {
            Some(word) if !window.is_lost() => Ok(word),
            _ => Err(reset),
        }
    }

    fn aim(&mut self, aim: Aim, meter: &mut Meter) -> Result<(), KmdPortError> {
        if self.aim == Some(aim) {
            return Ok(());
        }
        let Some(id) = self.id else {
            return Err(KmdPortError::Reset { number: self.number });
        };
        // Until the driver agrees, the window points nowhere that we know.
        self.aim = None;
        let message = ConfigureTlb::unicast(id, aim.core.x, aim.core.y, aim.address);
        sys::aim_window(&self.file, message)
            .map_err(|errno| KmdPortError::of_call("CONFIGURE_TLB", self.number, errno))?;
        meter.count_aim();
        self.aim = Some(aim);
        Ok(())
    }

    /// Frees the window; the file is closed when the device is dropped, which frees the window in any case.
    pub(super) fn release(&mut self) -> Result<(), KmdPortError> {
        self.window = None;
        let Some(id) = self.id.take() else { return Ok(()) };
        sys::free_window(&self.file, id)
            .map_err(|errno| KmdPortError::of_call("FREE_TLB", self.number, errno))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Errors are ignored: after a reset the driver has taken the window back already, and the rest is released
        // with the file, which is closed next.
        drop(self.release());
    }
}

fn identify(file: &OwnedFd, number: u32, arch: Arch) -> Result<Identity, KmdPortError> {
    let failed = |call| move |errno| KmdPortError::of_call(call, number, errno);
    let driver = sys::driver_info(file).map_err(failed("GET_DRIVER_INFO"))?;
    let [major, minor, patch] = driver.release;
    let release = format!("{major}.{minor}.{patch}");
    let known = driver.interface_version == INTERFACE_VERSION
        && driver.given_bytes >= ioctl::DRIVER_INFO_BYTES;
    if !known {
        return Err(KmdPortError::Interface { version: driver.interface_version, release });
    }
    let device = sys::device_info(file).map_err(failed("GET_DEVICE_INFO"))?;
    let expected = device.given_bytes >= ioctl::DEVICE_INFO_BYTES
        && device.vendor == VENDOR
        && Arch::from_pci_device(device.device) == Some(arch);
    if !expected {
        let (vendor, device) = (device.vendor, device.device);
        return Err(KmdPortError::WrongDevice { number, vendor, device, expected: arch });
    }
    Ok(Identity { bdf: device.bdf(), driver: release })
}
