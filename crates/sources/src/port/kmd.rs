//! Port `kmd`: the L1 of a device, through its driver.
//!
//! The one module of `ttmem` that opens a device. What it does is little and always the same: see `docs/safety.md`
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
use owners::Owner;
use ttmem_root::Root;
use ttmem_root::clock::{Clock, Stopwatch};

pub use discover::DiscoverError;
pub use error::KmdPortError;
pub use meter::{Budget, Cost};
pub use owners::Evidence;

/// Conditions under which a device is read.
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
    clock: Clock,
    watch: Watch,
    chip: PortChip,
    identity: Identity,
    meter: Meter,
    state: State,
}

/// The owner, and when it was last seen.
#[derive(Debug)]
struct Watch {
    owner: Owner,
    checked: Stopwatch,
    /// The core that was read last.
    core: Option<Coordinate>,
}

/// Longest time between two checks that the owner is still there, in microseconds. A reading that outlasts its owner
/// meets the driver's power-down. The check comes every [`BYTES_BETWEEN_CHECKS`] at the earliest.
const CHECK_MICROS: u64 = 4_000;

/// Bytes that are read without a look at the clock: 256 words, 1 ms even if a word takes 4 µs.
const BYTES_BETWEEN_CHECKS: usize = 1024;

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
        let owner = owners::find(root, number, rules.evidence)?;
        // Finding it took a while. An open after its close would cancel the driver's delayed power-down.
        owners::is_still(root, number, owner)?;
        let (device, identity) = Device::open(&path, number, arch)?;
        owners::is_still(root, number, owner).map_err(|error| match error {
            KmdPortError::OwnerLeft { .. } => KmdPortError::Raced { number },
            error => error,
        })?;
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
        let watch = Watch { owner, checked: rules.clock.start(), core: None };
        let Rules { evidence, clock, .. } = rules;
        let state = State::Open(device);
        Ok(Self { number, evidence, clock, watch, chip, identity, meter, state })
    }

    /// Takes in what the core at logical (0, 0) says of itself: where it is and of which grid. From then on every core
    /// of that grid may be asked.
    ///
    /// # Errors
    /// If it reports that it is another core, or names a grid that the architecture cannot have. Coordinates then do
    /// not mean what we think, and the device is closed.
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
        let owner = owners::find(root, self.number, self.evidence);
        let owner = owner.inspect_err(|error| self.shut(error))?;
        self.watch = Watch { owner, checked: self.clock.start(), core: None };
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
        if let State::Closed(because) = &self.state {
            return Err(KmdPortError::Closed { because: because.clone() });
        }
        self.meter.begin_read(u64::try_from(buffer.len()).unwrap_or(u64::MAX))?;
        let (mut address, mut rest) = (address, buffer);
        while !rest.is_empty() {
            self.watch_owner(core)?;
            let State::Open(device) = &mut self.state else { break };
            // Pieces end at whole words, so that no word is read twice.
            let skip = usize::try_from(address % 4).unwrap_or(0);
            let count = rest.len().min(BYTES_BETWEEN_CHECKS - skip);
            let (piece, later) = rest.split_at_mut(count);
            device.read(core, address, piece, &mut self.meter)?;
            address += u64::try_from(count).unwrap_or(0);
            rest = later;
        }
        Ok(())
    }

    /// Checks that the owner is still there: before each core, and every few milliseconds.
    fn watch_owner(&mut self, core: Coordinate) -> Result<(), KmdPortError> {
        if self.watch.core == Some(core) && self.watch.checked.micros() < CHECK_MICROS {
            return Ok(());
        }
        owners::is_still(&Root::system(), self.number, self.watch.owner)?;
        self.watch.core = Some(core);
        self.watch.checked = self.clock.start();
        Ok(())
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
            let (name, detail) = (self.chip.name.clone(), error.to_string());
            match error {
                KmdPortError::OverBudget { .. } => PortError::OverBudget { name, detail },
                _ => PortError::Failed { name, detail },
            }
        })
    }

    /// A word costs a read over PCIe and a call costs nothing, so no gap is worth reading.
    fn worthwhile_gap(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
