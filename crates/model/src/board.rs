//! Boards and architectures: the properties that follow from a name or a code of the driver.

use serde::{Deserialize, Serialize};

/// The architecture of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Wormhole, PCI device 0x401e.
    Wormhole,
    /// Blackhole, PCI device 0xb140.
    Blackhole,
}

impl Arch {
    /// Bytes of L1 in one worker core (`MEM_L1_SIZE` of TT-Metal 0.60 to 0.81).
    #[must_use]
    pub fn l1_bytes_per_core(self) -> u64 {
        match self {
            Self::Wormhole => 1_499_136,
            Self::Blackhole => 1_572_864,
        }
    }

    /// The architecture whose worker cores have so much L1.
    #[must_use]
    pub fn from_l1_bytes_per_core(bytes: u64) -> Option<Self> {
        [Self::Wormhole, Self::Blackhole].into_iter().find(|arch| arch.l1_bytes_per_core() == bytes)
    }

    /// Bytes in one DRAM bank as TT-Metal counts banks (12 of 1 GiB, or 8 of 4080 MiB).
    #[must_use]
    pub fn dram_bytes_per_bank(self) -> u64 {
        match self {
            Self::Wormhole => 1 << 30,
            Self::Blackhole => 0xFF00_0000,
        }
    }

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wormhole => "wormhole",
            Self::Blackhole => "blackhole",
        }
    }

    /// The architecture of a PCI device number of vendor 0x1e52.
    #[must_use]
    pub fn from_pci_device(device: u16) -> Option<Self> {
        match device {
            0x401e => Some(Self::Wormhole),
            0xb140 => Some(Self::Blackhole),
            _ => None,
        }
    }
}

/// The properties of every board of one type. Harvesting that differs from board to board is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// The driver's name for it (`tt_card_type`, tt-kmd 2.10).
    pub name: &'static str,
    /// Board code: bits 36 to 51 of the board id.
    pub code: u16,
    /// Architecture.
    pub arch: Arch,
    /// ASICs that are reached only through another ASIC of the same board (1 on an n300).
    pub remote_asics: u8,
    /// Worker cores enabled on each ASIC (TT-Metal 0.81.1 core descriptors).
    pub worker_cores: Option<u32>,
    /// DRAM banks of each ASIC.
    pub dram_banks: Option<u32>,
}

impl Board {
    const fn new(name: &'static str, code: u16, arch: Arch) -> Self {
        let dram_banks = match arch {
            Arch::Wormhole => Some(12),
            Arch::Blackhole => Some(8),
        };
        Self { name, code, arch, remote_asics: 0, worker_cores: None, dram_banks }
    }

    const fn with_cores(mut self, cores: u32) -> Self {
        self.worker_cores = Some(cores);
        self
    }

    const fn with_banks(mut self, banks: Option<u32>) -> Self {
        self.dram_banks = banks;
        self
    }

    const fn with_remote_asics(mut self, count: u8) -> Self {
        self.remote_asics = count;
        self
    }

    /// Every board that tt-kmd 2.10 names.
    pub const ALL: &'static [Self] = &[
        Self::new("n150", 0x18, Arch::Wormhole).with_cores(72),
        Self::new("n300", 0x14, Arch::Wormhole).with_cores(64).with_remote_asics(1),
        Self::new("galaxy-wormhole", 0x35, Arch::Wormhole).with_cores(80),
        Self::new("p100", 0x36, Arch::Blackhole).with_cores(120).with_banks(None),
        Self::new("p100a", 0x43, Arch::Blackhole).with_cores(120).with_banks(Some(7)),
        Self::new("p150a", 0x40, Arch::Blackhole),
        Self::new("p150b", 0x41, Arch::Blackhole),
        Self::new("p150c", 0x42, Arch::Blackhole),
        Self::new("p300a", 0x45, Arch::Blackhole),
        Self::new("p300b", 0x44, Arch::Blackhole),
        Self::new("p300c", 0x46, Arch::Blackhole),
        Self::new("galaxy-blackhole", 0x47, Arch::Blackhole),
    ];

    /// The board of a driver's name, such as `n150`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|board| board.name == name)
    }

    /// The board of a board id (`tt_serial`): its type is in bits 36 to 51.
    #[must_use]
    pub fn by_serial(serial: u64) -> Option<&'static Self> {
        let code = (serial >> 36) & 0xFFFF;
        Self::ALL.iter().find(|board| u64::from(board.code) == code)
    }

    /// Bytes of DRAM of one ASIC, where the number of banks is known.
    #[must_use]
    pub fn dram_bytes(&self) -> Option<u64> {
        Some(u64::from(self.dram_banks?) * self.arch.dram_bytes_per_bank())
    }

    /// Bytes of L1 of one ASIC, where the number of worker cores is known.
    #[must_use]
    pub fn l1_bytes(&self) -> Option<u64> {
        Some(u64::from(self.worker_cores?) * self.arch.l1_bytes_per_core())
    }
}

/// Devices of a tray of a Galaxy.
pub const TRAY_DEVICES: u8 = 8;

/// The position of a chip in a Galaxy, which its bus number gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrayPosition {
    /// The tray, 1 to 4.
    pub tray: u8,
    /// The position in the tray, 1 to 8: the UBB position of tt-smi.
    pub position: u8,
}

impl TrayPosition {
    /// Returns the position of the chip of an architecture at a PCIe address, such as `0000:c1:00.0`, in a Galaxy. The high
    /// digit of the bus number is the tray's (tt-kmd 2.10, `enumerate.c`).
    #[must_use]
    pub fn of(arch: Arch, bdf: &str) -> Option<Self> {
        let trays = match arch {
            Arch::Wormhole => [0xC, 0x8, 0x0, 0x4],
            Arch::Blackhole => [0x0, 0x4, 0xC, 0x8],
        };
        let bus = u8::from_str_radix(bdf.split(':').nth(1)?, 16).ok()?;
        let tray = (1..).zip(trays).find(|(_, high)| *high == bus >> 4)?.0;
        let position = Some(bus & 0xF).filter(|position| (1..=TRAY_DEVICES).contains(position))?;
        Some(Self { tray, position })
    }

    /// Returns the number that the driver gives to the device.
    #[must_use]
    pub fn device(self) -> u8 {
        (self.tray - 1) * TRAY_DEVICES + self.position - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_of_a_galaxy_is_its_tray_and_position() {
        let of =
            |arch, bdf| TrayPosition::of(arch, bdf).map(|at| (at.tray, at.position, at.device()));
        assert_eq!(of(Arch::Wormhole, "0000:c1:00.0"), Some((1, 1, 0)));
        assert_eq!(of(Arch::Wormhole, "0000:48:00.0"), Some((4, 8, 31)));
        assert_eq!(of(Arch::Blackhole, "0000:c3:00.0"), Some((3, 3, 18)));
        assert_eq!(of(Arch::Wormhole, "0000:c9:00.0"), None);
        assert_eq!(of(Arch::Wormhole, "0000:51:00.0"), None);
        assert_eq!(of(Arch::Wormhole, "c1"), None);
    }

    #[test]
    fn capacities_follow_from_cores_and_banks() {
        let n150 = Board::by_name("n150").unwrap();
        assert_eq!(n150.l1_bytes(), Some(72 * 1_499_136));
        assert_eq!(n150.dram_bytes(), Some(12 << 30));
        assert_eq!(Board::by_name("n300").unwrap().l1_bytes(), Some(64 * 1_499_136));
        assert_eq!(Board::by_name("p100a").unwrap().dram_bytes(), Some(7 * 4_278_190_080));
    }

    #[test]
    fn harvesting_that_differs_from_board_to_board_is_unknown() {
        assert_eq!(Board::by_name("p150a").unwrap().l1_bytes(), None);
        assert_eq!(Board::by_name("p150a").unwrap().dram_bytes(), Some(8 * 4_278_190_080));
    }

    #[test]
    fn the_board_type_stands_in_the_serial() {
        assert_eq!(Board::by_serial(0x0100_0146_1183_2060).unwrap().name, "n300");
        assert_eq!(Board::by_serial(0x0000_0180_0000_0001).unwrap().name, "n150");
        assert_eq!(Board::by_serial(0x0000_0400_0000_0001).unwrap().name, "p150a");
        assert!(Board::by_serial(0).is_none());
    }
}
