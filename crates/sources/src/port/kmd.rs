//! Port `kmd`: the L1 of a device, through its driver.
//!
//! The one place of `ttmem` that opens a device. What it does is little and always the same: see `docs/safety.md`
//! for every rule, why it is there and what proves it.
//!
//! - Opened only while the driver's own list shows TT-Metal as an owner (`owners`), and closed by dropping.
//! - One window of the smallest kind, mapped for reading; five calls of the driver, none of which changes anything
//!   but this window (`ioctl`).
//! - Only worker cores, found by formula (`grid`): at first the one at logical (0, 0), then those of the grid that
//!   it names ([`KmdPort::admit_grid`]).
//! - A budget per sample ([`Budget`]).
//!
//! ```no_run
//! use ttmem_root::Root;
//! use ttmem_sources::port::kmd::{KmdPort, Rules};
//! use ttmem_model::Arch;
//!
//! let root = Root::system();
//! let mut port = KmdPort::open(&root, 0, Arch::Wormhole, Rules::default())?;
//! let mut reader = port.discover()?;
//! port.begin_sample(&root)?;
//! let (cores, cost) = reader.sample(&mut port)?;
//! # drop((cores, cost));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
mod discover;
mod error;
mod grid;
mod ioctl;
mod meter;
mod owners;
mod sys;

use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Grid};

use super::{L1Port, PortChip, PortError};
use device::{Device, Identity};
use meter::Meter;
use ttmem_root::Root;
use ttmem_root::clock::Clock;

pub use discover::DiscoverError;
pub use error::KmdPortError;
pub use meter::{Budget, Cost};
pub use owners::Evidence;

/// On what terms a device is read.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The evidence that an owner runs TT-Metal.
    pub evidence: Evidence,
    /// The budget of a sample.
    pub budget: Budget,
    /// The clock that the budget's time is measured with.
    pub clock: Clock,
}

impl Default for Rules {
    fn default() -> Self {
        Self { evidence: Evidence::AskMaps, budget: Budget::default(), clock: Clock::System }
    }
}

/// A device that is open for reading.
#[derive(Debug)]
pub struct KmdPort {
    number: u32,
    evidence: Evidence,
    chip: PortChip,
    identity: Identity,
    meter: Meter,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Device),
    /// Closed, for this reason.
    Closed(String),
}

impl KmdPort {
    /// Opens device `number` of the driver.
    ///
    /// The chip has one core at first, the one at logical (0, 0); [`Self::admit_grid`] adds the others.
    ///
    /// # Errors
    /// If the host is no system, no owner of the device runs TT-Metal, the device is of another architecture, or the
    /// driver refuses. Nothing stays open then.
    pub fn open(root: &Root, number: u32, arch: Arch, rules: Rules) -> Result<Self, KmdPortError> {
        let path = ioctl::device_path(root, number).ok_or(KmdPortError::NotSystem)?;
        owners::check(root, number, rules.evidence)?;
        let (device, identity) = Device::open(&path, number, arch)?;
        // The owner may have left while we came in. Then so do we.
        owners::check(root, number, rules.evidence)?;
        let first = grid::translated(arch, grid::FIRST);
        let chip = PortChip {
            name: path,
            arch,
            noc_translation: true,
            harvesting: 0,
            l1_bytes: arch.l1_bytes_per_core(),
            cores: first.into_iter().collect(),
        };
        let meter = Meter::new(rules.budget, rules.clock);
        let evidence = rules.evidence;
        Ok(Self { number, evidence, chip, identity, meter, state: State::Open(device) })
    }

    /// Takes in what the core at logical (0, 0) says of itself: where it is and of which grid. From then on every core
    /// of that grid may be asked.
    ///
    /// # Errors
    /// If it says that it is another core, or names a grid that the architecture cannot have. Coordinates then do not
    /// mean what we think, and the device is closed.
    pub fn admit_grid(&mut self, logical: Coordinate, grid: Grid) -> Result<(), KmdPortError> {
        let number = self.number;
        let admitted = match grid::cores(self.chip.arch, grid) {
            _ if logical != grid::FIRST => Err(KmdPortError::Misplaced { number, found: logical }),
            None => Err(KmdPortError::Grid { number, grid }),
            Some(cores) => Ok(cores),
        };
        self.chip.cores = admitted.inspect_err(|error| self.shut(error))?;
        Ok(())
    }

    /// Begins a sample: the budget is whole again, provided that TT-Metal is still there.
    ///
    /// # Errors
    /// If it is not, or the device is closed already. It is closed then.
    pub fn begin_sample(&mut self, root: &Root) -> Result<(), KmdPortError> {
        if let State::Closed(because) = &self.state {
            return Err(KmdPortError::Closed { because: because.clone() });
        }
        owners::check(root, self.number, self.evidence).inspect_err(|error| self.shut(error))?;
        self.meter.restart();
        Ok(())
    }

    /// The cost of this sample so far.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.meter.cost()
    }

    /// The PCIe address that the driver names for the open device, such as `0000:c1:00.0`.
    #[must_use]
    pub fn bdf(&self) -> &str {
        &self.identity.bdf
    }

    /// The release of the driver, such as `2.10.0`.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.identity.driver
    }

    /// Closes the device and tells whether the driver took the window back. Dropping closes it as well.
    ///
    /// # Errors
    /// If the driver refused to take it. The window is free nevertheless, since the file is closed.
    pub fn close(mut self) -> Result<(), KmdPortError> {
        match &mut self.state {
            State::Open(device) => device.release(),
            State::Closed(_) => Ok(()),
        }
    }

    /// Closes the device for good: after an error nothing more is asked.
    fn shut(&mut self, because: &KmdPortError) {
        self.state = State::Closed(because.to_string());
    }

    fn fill(
        &mut self,
        core: Coordinate,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), KmdPortError> {
        let device = match &mut self.state {
            State::Open(device) => device,
            State::Closed(because) => {
                return Err(KmdPortError::Closed { because: because.clone() });
            }
        };
        self.meter.begin_read(u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        device.read(core, address, buffer, &mut self.meter)
    }
}

impl L1Port for KmdPort {
    fn chip(&self) -> &PortChip {
        &self.chip
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        let name = || self.chip.name.clone();
        if !self.chip.cores.contains(&core) {
            return Err(PortError::NoSuchCore { name: name(), core });
        }
        let bytes = buffer.len();
        let end = u64::try_from(bytes).ok().and_then(|bytes| address.checked_add(bytes));
        if end.is_none_or(|end| end > self.chip.l1_bytes) {
            return Err(PortError::Outside { name: name(), core, address, bytes });
        }
        self.fill(core, address, buffer).map_err(|error| {
            if error.is_final() {
                self.shut(&error);
            }
            PortError::Failed { name: self.chip.name.clone(), detail: error.to_string() }
        })
    }

    /// A word costs a read over PCIe and a call costs nothing, so no gap is worth reading.
    fn worthwhile_gap(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
