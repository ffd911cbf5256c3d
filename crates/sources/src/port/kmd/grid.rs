//! Positions of worker cores on the NOC, by formula, so that no other core is ever read.
//!
//! Translated coordinates, the ones that TT-Metal uses: Wormhole adds 18 to both; Blackhole's columns are 1 to 7 and
//! 10 to 16, its rows start at 2 (tt-umd 0.9.14, `docs/COORDINATE_SYSTEMS.md` and its coordinate managers). Cores
//! that work come first, harvested ones last, so a grid of `columns` × `rows` from (0, 0) on has no harvested core.

use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Grid};

/// The first core in TT-Metal's counting. There is no chip without it.
pub(super) const FIRST: Coordinate = Coordinate { x: 0, y: 0 };

/// The grid of a chip with nothing harvested.
pub(super) fn largest(arch: Arch) -> Grid {
    match arch {
        Arch::Wormhole => Grid { columns: 8, rows: 10 },
        Arch::Blackhole => Grid { columns: 14, rows: 10 },
    }
}

/// The NOC coordinate of a logical one; `None` outside the largest grid.
pub(super) fn translated(arch: Arch, logical: Coordinate) -> Option<Coordinate> {
    /// Columns of Blackhole before the two that are not Tensix.
    const LEFT_COLUMNS: u8 = 7;
    let Grid { columns, rows } = largest(arch);
    let Coordinate { x, y } = logical;
    if x >= columns || y >= rows {
        return None;
    }
    Some(match arch {
        Arch::Wormhole => Coordinate { x: 18 + x, y: 18 + y },
        Arch::Blackhole if x < LEFT_COLUMNS => Coordinate { x: 1 + x, y: 2 + y },
        Arch::Blackhole => Coordinate { x: 3 + x, y: 2 + y },
    })
}

/// Every core of a grid, row by row; `None` if the chip cannot have such a grid.
pub(super) fn cores(arch: Arch, grid: Grid) -> Option<Vec<Coordinate>> {
    if grid.columns == 0 || grid.rows == 0 {
        return None;
    }
    let rows = 0..grid.rows;
    rows.flat_map(|y| (0..grid.columns).map(move |x| Coordinate { x, y }))
        .map(|logical| translated(arch, logical))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: u8, y: u8) -> Coordinate {
        Coordinate { x, y }
    }

    #[test]
    fn wormhole_starts_at_18_and_has_no_gap() {
        let cores = cores(Arch::Wormhole, Grid { columns: 8, rows: 9 }).unwrap();
        assert_eq!(cores.len(), 72);
        assert_eq!((cores[0], cores[71]), (at(18, 18), at(25, 26)));
    }

    #[test]
    fn blackhole_leaves_out_columns_8_and_9() {
        let cores = cores(Arch::Blackhole, Grid { columns: 14, rows: 10 }).unwrap();
        let first_row: Vec<u8> = cores[..14].iter().map(|core| core.x).collect();
        assert_eq!(first_row, [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!((cores[0], cores[139]), (at(1, 2), at(16, 11)));
    }

    #[test]
    fn a_grid_that_no_chip_has_gives_no_core() {
        for (columns, rows) in [(0, 10), (8, 0), (9, 10), (8, 11), (255, 255)] {
            assert_eq!(cores(Arch::Wormhole, Grid { columns, rows }), None, "{columns}x{rows}");
        }
        assert_eq!(cores(Arch::Blackhole, Grid { columns: 15, rows: 10 }), None);
    }
}
