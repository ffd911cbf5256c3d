//! The worker cores that hold the allocator's buffers.
//!
//! Each core of the compute grid is one bank, and a buffer takes the same bytes at the same address in every bank. The
//! compute grid is the worker grid less the rows or columns that are kept for dispatch.

use super::core::{Coordinate, Core, Grid};
use super::map::{Buffers, Geometry, L1Map};
use crate::board::Arch;

/// The allocator buffers of a chip, and the cores that hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankBuffers {
    /// The content of each of the banks.
    pub buffers: Buffers,
    /// The cores that are banks: from (0, 0), this many columns and rows.
    pub grid: Grid,
}

impl BankBuffers {
    /// The map of a core of the chip.
    #[must_use]
    pub fn map(&self, core: &Core, geometry: &Geometry) -> L1Map {
        match self.of(core) {
            Some(buffers) => L1Map::new(core, geometry, Some(buffers)),
            None => L1Map::outside_banks(core, geometry),
        }
    }

    /// The content of the bank of a core; `None` if it is none, or it is not known where the core is.
    #[must_use]
    pub fn of(&self, core: &Core) -> Option<&Buffers> {
        core.logical.filter(|position| contains(self.grid, *position)).map(|_| &self.buffers)
    }
}

fn contains(grid: Grid, position: Coordinate) -> bool {
    position.x < grid.columns && position.y < grid.rows
}

/// The cores of a worker grid that are banks, by their number; `None` if no rows or columns less give that number. Rows
/// are kept for dispatch on Wormhole and columns on Blackhole unless the process wants it otherwise (TT-Metal 0.81.1
/// core descriptors, `DispatchCoreAxis`); `system` are the cores that are known to run dispatch, none of which is a
/// bank.
#[must_use]
pub fn bank_grid(worker: Grid, banks: u64, arch: Arch, system: &[Coordinate]) -> Option<Grid> {
    let less = |kept: u8, cut: u8| {
        let rest =
            banks.checked_div(u64::from(kept)).filter(|_| banks.is_multiple_of(u64::from(kept)))?;
        u8::try_from(rest).ok().filter(|rest| (1..=cut).contains(rest))
    };
    let Grid { columns, rows } = worker;
    let by_rows = less(columns, rows).map(|rows| Grid { columns, rows });
    let by_columns = less(rows, columns).map(|columns| Grid { columns, rows });
    let in_order = match arch {
        Arch::Wormhole => [by_rows, by_columns],
        Arch::Blackhole => [by_columns, by_rows],
    };
    let is_free = |grid: &Grid| !system.iter().any(|position| contains(*grid, *position));
    in_order.into_iter().flatten().find(is_free)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(columns: u8, rows: u8) -> Grid {
        Grid { columns, rows }
    }

    #[test]
    fn dispatch_takes_rows_on_wormhole_and_columns_on_blackhole() {
        let bank_grid = |worker, banks, arch| bank_grid(worker, banks, arch, &[]);
        assert_eq!(bank_grid(grid(8, 9), 64, Arch::Wormhole), Some(grid(8, 8)));
        assert_eq!(bank_grid(grid(8, 10), 72, Arch::Wormhole), Some(grid(8, 9)));
        assert_eq!(bank_grid(grid(8, 8), 64, Arch::Wormhole), Some(grid(8, 8)));
        assert_eq!(bank_grid(grid(8, 8), 56, Arch::Wormhole), Some(grid(8, 7)));
        assert_eq!(bank_grid(grid(14, 10), 130, Arch::Blackhole), Some(grid(13, 10)));
        assert_eq!(bank_grid(grid(13, 10), 120, Arch::Blackhole), Some(grid(12, 10)));
        assert_eq!(bank_grid(grid(8, 9), 63, Arch::Wormhole), Some(grid(7, 9)), "asked for");
    }

    #[test]
    fn a_core_that_dispatches_is_no_bank() {
        let system = [Coordinate { x: 7, y: 0 }];
        assert_eq!(bank_grid(grid(8, 8), 56, Arch::Wormhole, &system), Some(grid(7, 8)));
        assert_eq!(bank_grid(grid(8, 8), 64, Arch::Wormhole, &system), None);
    }

    #[test]
    fn a_number_that_fits_no_rows_and_no_columns_names_no_core() {
        for banks in [0, 1, 65, 81, u64::MAX] {
            assert_eq!(bank_grid(grid(8, 9), banks, Arch::Wormhole, &[]), None, "{banks}");
        }
        assert_eq!(bank_grid(grid(0, 0), 0, Arch::Wormhole, &[]), None);
    }
}
