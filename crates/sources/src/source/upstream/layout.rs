//! The bytes of a memory region.
//!
//! Layout of versions 2, 3 and 4, little-endian (TT-Metal 0.70 to 0.81.1, `tt_metal/impl/memory_tracking/`; version
//! 4: tt-metal pull request 53721). All three share every offset; version 4 adds `init_state`. Every byte is
//! hostile: another process writes it.

use ttmem_model::facts::{RegionBytes, RegionChip, RegionContent, RegionSlot, SlotName};
use ttmem_model::reading::Missing;

/// Bytes of a region of any known version.
pub(crate) const SIZE: usize = 8576;

const VERSION: usize = 0;
const UPDATED_NS: usize = 8;
const REFERENCE_COUNT: usize = 16;
const ASIC_ID: usize = 32;
const DEVICE_ID: usize = 40;
const TOTALS: usize = 48;

const CHIPS: usize = 88;
const CHIP_STRIDE: usize = 48;
const CHIP_COUNT: usize = 16;
const CHIP_IS_REMOTE: usize = 4;
const CHIP_BYTES: usize = 8;
/// The chip number of a row that is not in use.
const CHIP_UNUSED: u32 = 0xFFFF_FFFF;

const SLOTS: usize = 856;
const SLOT_STRIDE: usize = 120;
const SLOT_COUNT: usize = 64;
const SLOT_BYTES: usize = 8;
const SLOT_UPDATED_NS: usize = 48;
const SLOT_NAME: usize = 56;
/// The process number of a free slot.
const SLOT_FREE: i32 = 0;
/// The process number of a slot that is being released (version 4).
const SLOT_RELEASING: i32 = -1;

const INIT_STATE: usize = 8536;
/// `REDY`: the region is set up (version 4).
const INIT_READY: u32 = 0x5245_4459;

/// The reason that the bytes of a region cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// The file is shorter than a region.
    #[error("the region has {0} of its {SIZE} bytes: it is being made, or was cut")]
    Size(usize),
    /// The version of the region is not supported.
    #[error("the region is of version {0}, and this ttmem reads 2, 3 and 4")]
    Version(u32),
    /// Version 4, and not set up yet.
    #[error("the region is being set up (init state {0:#010x})")]
    NotReady(u32),
    /// A slot's process number is impossible.
    #[error("slot {slot} of the region names process {pid}, which cannot be")]
    Pid {
        /// The slot, 0 to 63.
        slot: usize,
        /// The process number in the slot.
        pid: i32,
    },
}

impl RegionError {
    /// Returns the missing reason for every reading of the region.
    #[must_use]
    pub(crate) fn missing(&self) -> Missing {
        match self {
            Self::Version(_) => Missing::unsupported(self.to_string()),
            Self::Size(_) | Self::NotReady(_) | Self::Pid { .. } => {
                Missing::failed(self.to_string())
            }
        }
    }
}

/// Reads the bytes of a region. More than `SIZE` do no harm.
///
/// # Errors
/// If they are not the bytes of a region of version 2, 3 or 4 that is set up.
pub fn parse(bytes: &[u8]) -> Result<RegionContent, RegionError> {
    let wrong_size = || RegionError::Size(bytes.len());
    if bytes.len() < SIZE {
        return Err(wrong_size());
    }
    let version = u32_at(bytes, VERSION).ok_or_else(wrong_size)?;
    if !(2..=4).contains(&version) {
        return Err(RegionError::Version(version));
    }
    if version >= 4 {
        let state = u32_at(bytes, INIT_STATE).ok_or_else(wrong_size)?;
        if state != INIT_READY {
            return Err(RegionError::NotReady(state));
        }
    }
    let (slots, releasing) = slots(bytes)?;
    Ok(RegionContent {
        version,
        updated_ns: u64_at(bytes, UPDATED_NS).ok_or_else(wrong_size)?,
        reference_count: u32_at(bytes, REFERENCE_COUNT).ok_or_else(wrong_size)?,
        asic_id: u64_at(bytes, ASIC_ID).ok_or_else(wrong_size)?,
        device_id: i32_at(bytes, DEVICE_ID).ok_or_else(wrong_size)?,
        totals: amounts(bytes, TOTALS).ok_or_else(wrong_size)?,
        chips: (0..CHIP_COUNT).filter_map(|row| chip(bytes, row)).collect(),
        slots,
        releasing,
    })
}

fn chip(bytes: &[u8], row: usize) -> Option<RegionChip> {
    let start = CHIPS + row * CHIP_STRIDE;
    let chip_id = u32_at(bytes, start)?;
    if chip_id == CHIP_UNUSED {
        return None;
    }
    let remote = u32_at(bytes, start + CHIP_IS_REMOTE)? != 0;
    Some(RegionChip { chip_id, remote, bytes: amounts(bytes, start + CHIP_BYTES)? })
}

/// The slots in use, and how many are being released. Slots are freed in any order, so all 64 are looked at.
fn slots(bytes: &[u8]) -> Result<(Vec<RegionSlot>, u32), RegionError> {
    let table = bytes.get(SLOTS..SLOTS + SLOT_COUNT * SLOT_STRIDE).unwrap_or_default();
    let (rows, _) = table.as_chunks::<SLOT_STRIDE>();
    let used = rows.iter().filter(|row| i32_at(*row, 0) > Some(SLOT_FREE)).count();
    let mut slots = Vec::with_capacity(used);
    let mut releasing = 0;
    for (slot, row) in rows.iter().enumerate() {
        match i32_at(row, 0) {
            Some(SLOT_FREE) | None => {}
            Some(SLOT_RELEASING) => releasing += 1,
            Some(pid @ 1..) => slots.extend(used_slot(slot, row, pid)),
            Some(pid) => return Err(RegionError::Pid { slot, pid }),
        }
    }
    Ok((slots, releasing))
}

/// A slot with the bytes of its row, of which all are in bounds.
#[inline]
fn used_slot(index: usize, row: &[u8; SLOT_STRIDE], pid: i32) -> Option<RegionSlot> {
    Some(RegionSlot {
        index: u32::try_from(index).ok()?,
        pid,
        bytes: amounts(row, SLOT_BYTES)?,
        updated_ns: u64_at(row, SLOT_UPDATED_NS)?,
        name: SlotName(array_at(row, SLOT_NAME)?),
    })
}

/// Five counters in a row: DRAM, L1, `l1_small`, trace, circular buffers.
#[inline]
fn amounts(bytes: &[u8], start: usize) -> Option<RegionBytes> {
    let counter = |index: usize| u64_at(bytes, start + 8 * index);
    Some(RegionBytes {
        dram: counter(0)?,
        l1: counter(1)?,
        l1_small: counter(2)?,
        trace: counter(3)?,
        circular_buffers: counter(4)?,
    })
}

#[inline]
fn array_at<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..start.checked_add(N)?)?.try_into().ok()
}

#[inline]
fn u32_at(bytes: &[u8], start: usize) -> Option<u32> {
    array_at(bytes, start).map(u32::from_le_bytes)
}

#[inline]
fn i32_at(bytes: &[u8], start: usize) -> Option<i32> {
    array_at(bytes, start).map(i32::from_le_bytes)
}

#[inline]
fn u64_at(bytes: &[u8], start: usize) -> Option<u64> {
    array_at(bytes, start).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty(version: u32) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[..4].copy_from_slice(&version.to_le_bytes());
        for row in 0..CHIP_COUNT {
            bytes[CHIPS + row * CHIP_STRIDE..][..4].copy_from_slice(&[0xFF; 4]);
        }
        bytes
    }

    #[test]
    fn versions_2_and_3_need_no_init_state_and_4_does() {
        assert_eq!(parse(&empty(2)).unwrap().version, 2);
        assert_eq!(parse(&empty(3)).unwrap().version, 3);
        assert_eq!(parse(&empty(4)), Err(RegionError::NotReady(0)));
        let mut ready = empty(4);
        ready[INIT_STATE..][..4].copy_from_slice(&INIT_READY.to_le_bytes());
        assert_eq!(parse(&ready).unwrap().version, 4);
    }

    #[test]
    fn other_versions_and_sizes_are_refused_by_name() {
        assert_eq!(parse(&empty(9)), Err(RegionError::Version(9)));
        assert_eq!(parse(&empty(0)), Err(RegionError::Version(0)));
        assert_eq!(parse(&empty(3)[..SIZE - 1]), Err(RegionError::Size(SIZE - 1)));
        assert_eq!(parse(&[]), Err(RegionError::Size(0)));
        let mut long = empty(3);
        long.push(0);
        assert_eq!(parse(&long), parse(&empty(3)));
    }

    #[test]
    fn free_and_releasing_slots_hold_nobody() {
        let mut bytes = empty(3);
        bytes[SLOTS + 63 * SLOT_STRIDE..][..4].copy_from_slice(&77_i32.to_le_bytes());
        bytes[SLOTS..][..4].copy_from_slice(&(-1_i32).to_le_bytes());
        let content = parse(&bytes).unwrap();
        assert_eq!(content.slots.len(), 1);
        assert_eq!(content.slots[0].pid, 77);
        assert_eq!(content.releasing, 1);
        bytes[SLOTS..][..4].copy_from_slice(&(-7_i32).to_le_bytes());
        assert_eq!(parse(&bytes), Err(RegionError::Pid { slot: 0, pid: -7 }));
    }

    #[test]
    fn a_name_ends_at_its_zero_or_fills_its_place_and_may_be_no_text() {
        let name = |bytes: &[u8]| {
            let mut region = empty(3);
            region[SLOTS] = 77;
            region[SLOTS + SLOT_NAME..][..bytes.len()].copy_from_slice(bytes);
            parse(&region).unwrap().slots[0].name.text()
        };
        assert_eq!(name(b""), "");
        assert_eq!(name(b"python3\0\xffrest"), "python3");
        assert_eq!(name(&[b'x'; 64]), "x".repeat(64));
        assert_eq!(name(b"a\xffb"), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..SIZE + 8)) {
            let _parsed = parse(&bytes);
        }

        #[test]
        fn every_slot_in_use_is_found(pids in proptest::collection::vec(0_i32..5, SLOT_COUNT)) {
            let mut bytes = empty(3);
            for (slot, pid) in pids.iter().enumerate() {
                bytes[SLOTS + slot * SLOT_STRIDE..][..4].copy_from_slice(&pid.to_le_bytes());
            }
            let found: Vec<i32> = parse(&bytes).unwrap().slots.iter().map(|slot| slot.pid).collect();
            let expected: Vec<i32> = pids.into_iter().filter(|pid| *pid != 0).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
