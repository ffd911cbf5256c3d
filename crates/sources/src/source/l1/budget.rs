//! A port with an end: a sample that takes more than it may is given up.

use ttmem_model::l1::Coordinate;

use crate::l1::Cost;
use crate::port::{L1Port, PortChip, PortError};

/// A port that reads up to a number of bytes.
pub(super) struct Budgeted<'a> {
    port: &'a mut dyn L1Port,
    budget: u64,
    left: u64,
    cost: Cost,
}

impl<'a> Budgeted<'a> {
    pub(super) fn new(port: &'a mut dyn L1Port, budget: Option<u64>) -> Self {
        let budget = budget.unwrap_or(u64::MAX);
        Self { port, budget, left: budget, cost: Cost::default() }
    }

    /// The cost of all reads so far, whoever asked.
    pub(super) fn cost(&self) -> Cost {
        self.cost
    }
}

impl L1Port for Budgeted<'_> {
    fn chip(&self) -> &PortChip {
        self.port.chip()
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        let bytes = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(bytes).ok_or_else(|| PortError::Failed {
            name: self.port.chip().name.clone(),
            detail: format!(
                "the sample takes more than the {} bytes of its budget; give it more with --budget",
                self.budget
            ),
        })?;
        self.cost = self.cost.plus(Cost { reads: 1, bytes });
        self.port.read(core, address, buffer)
    }

    fn worthwhile_gap(&self) -> u64 {
        self.port.worthwhile_gap()
    }
}
