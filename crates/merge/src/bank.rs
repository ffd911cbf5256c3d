//! The layout of a bank, from the live buffers and TT-Metal's figures.
//!
//! TT-Metal reports how many bytes a bank has, how many are free and how large the largest free block is, but not where
//! the region begins. The buffers tell their addresses. What is between two of them is free; what else is free is below
//! the lowest or above the highest. DRAM is handed out from the bottom and L1 from the top, so the open end of the one
//! is above, and of the other below; a second block at the closed end shows by the largest block's size.

use ttmem_model::Kind;
use ttmem_model::buffers::{BankMap, Block};

/// TT-Metal's figures of a bank, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Bytes that can be handed out.
    pub allocatable: u64,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes of the largest free block.
    pub largest_free: u64,
}

/// The map of a bank; `None` if the buffers and the figures do not fit together, or there is no buffer to go by.
#[must_use]
pub fn map(kind: Kind, bank: Bank, mut buffers: Vec<Block>) -> Option<BankMap> {
    buffers.sort_unstable();
    let used = buffers.iter().try_fold(0_u64, |sum, buffer| sum.checked_add(buffer.bytes))?;
    if bank.allocatable.checked_sub(bank.free)? != used {
        return None;
    }
    let lowest = buffers.first()?.address;
    let mut free = Vec::new();
    let mut next = lowest;
    for buffer in &buffers {
        let gap = buffer.address.checked_sub(next)?;
        if gap > 0 {
            free.push(Block { address: next, bytes: gap });
        }
        next = buffer.address.checked_add(buffer.bytes)?;
    }
    let between: u64 = free.iter().map(|block| block.bytes).sum();
    let largest_between = free.iter().map(|block| block.bytes).max().unwrap_or(0);
    let outside = bank.free.checked_sub(between)?;
    let (open, closed) = ends(bank.largest_free, largest_between, outside)?;
    let (below, above) = match kind {
        Kind::L1 | Kind::L1Small => (open, closed),
        _ => (closed, open),
    };
    let (start, end) = (lowest.checked_sub(below)?, next.checked_add(above)?);
    if below > 0 {
        free.insert(0, Block { address: start, bytes: below });
    }
    if above > 0 {
        free.push(Block { address: next, bytes: above });
    }
    Some(BankMap { start, end, free })
}

/// The free bytes at the open and at the closed end.
fn ends(largest: u64, largest_between: u64, outside: u64) -> Option<(u64, u64)> {
    if largest == largest_between {
        // Which of the outer bytes are at which end does not show; most often all are at the open one.
        return Some((outside, 0));
    }
    (largest > largest_between).then_some(())?;
    Some((largest, outside.checked_sub(largest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(address: u64, bytes: u64) -> Block {
        Block { address, bytes }
    }

    fn bank(free: u64, largest_free: u64) -> Bank {
        Bank { allocatable: 1000, free, largest_free }
    }

    #[test]
    fn dram_is_open_above_and_l1_below() {
        let buffers = vec![block(164, 36), block(100, 50)];
        let dram = map(Kind::Dram, bank(914, 900), buffers.clone()).unwrap();
        assert_eq!((dram.start, dram.end), (100, 1100));
        assert_eq!(dram.free, [block(150, 14), block(200, 900)]);
        let shifted = buffers.iter().map(|one| block(one.address + 1000, one.bytes)).collect();
        let l1 = map(Kind::L1, bank(914, 900), shifted).unwrap();
        assert_eq!((l1.start, l1.end), (200, 1200));
        assert_eq!(l1.free, [block(200, 900), block(1150, 14)]);
    }

    #[test]
    fn a_hole_at_the_closed_end_shows_by_the_largest_block() {
        let map = map(Kind::Dram, bank(950, 900), vec![block(150, 50)]).unwrap();
        assert_eq!((map.start, map.end), (100, 1100));
        assert_eq!(map.free, [block(100, 50), block(200, 900)]);
    }

    #[test]
    fn what_does_not_fit_together_is_no_map() {
        assert_eq!(map(Kind::Dram, bank(1000, 1000), Vec::new()), None);
        assert_eq!(map(Kind::Dram, bank(900, 900), vec![block(0, 50)]), None);
        assert_eq!(map(Kind::Dram, bank(900, 900), vec![block(0, 60), block(50, 40)]), None);
        assert_eq!(map(Kind::Dram, bank(900, 10), vec![block(0, 40), block(500, 60)]), None);
        assert_eq!(map(Kind::L1, bank(900, 900), vec![block(0, 100)]), None);
        let huge = vec![block(u64::MAX, 100)];
        assert_eq!(map(Kind::Dram, bank(900, 900), huge), None);
    }
}
