//! Captures of the L1 of a chip's cores, as in `fixtures/l1`: `index.json` and `l1.bin.gz`.

use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The cores of one chip.
#[derive(Clone, Debug)]
pub struct Chip {
    /// `tt::ARCH`: 2 Wormhole, 3 Blackhole.
    pub arch: u8,
    /// Bytes of L1 of a core.
    pub l1_bytes: usize,
    /// Harvested rows or columns.
    pub harvesting: u32,
    /// The cores, harvested ones among them.
    pub cores: Vec<Core>,
}

/// A core, and the captured parts of its L1.
#[derive(Clone, Debug)]
pub struct Core {
    /// Untranslated coordinate: column, row.
    pub noc: (u8, u8),
    /// Address and bytes of each piece.
    pub segments: Vec<(usize, Vec<u8>)>,
    l1_bytes: usize,
}

/// Returns a directory of `fixtures/l1`, such as `wormhole/matmul`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(name)
}

impl Chip {
    /// Loads the first chip of a capture in `fixtures/l1`.
    #[must_use]
    pub fn load(name: &str) -> Self {
        let directory = fixture(name);
        let index = std::fs::read(directory.join("index.json")).expect("a fixture has an index");
        let index: Value = serde_json::from_slice(&index).unwrap();
        let packed = std::fs::read(directory.join("l1.bin.gz")).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        let chip = &index[0];
        let l1_bytes = number(&chip["worker_l1_size"]);
        let cores = chip["cores"].as_array().unwrap().iter();
        Self {
            arch: u8::try_from(number(&chip["arch"])).unwrap(),
            l1_bytes,
            harvesting: u32::try_from(number(&chip["harvest"])).unwrap(),
            cores: cores.map(|core| Core::load(core, &bytes, l1_bytes)).collect(),
        }
    }

    /// Returns the name of its architecture.
    #[must_use]
    pub fn arch_name(&self) -> &'static str {
        if self.arch == 2 { "wormhole" } else { "blackhole" }
    }

    /// Returns the core at this untranslated coordinate.
    #[must_use]
    pub fn core(&self, noc: (u8, u8)) -> Option<&Core> {
        self.cores.iter().find(|core| core.noc == noc)
    }

    /// Returns the translated coordinate of a core by its logical coordinate in TT-Metal 0.81; `None` for a harvested
    /// one, which has no logical coordinate. Read from the core's own mailbox.
    #[must_use]
    pub fn translated(&self, core: &Core) -> Option<(u8, u8)> {
        // The offset of the mailbox, and in it of the worker's magic number and the logical coordinate.
        let (mailbox, magic, logical) =
            if self.arch == 2 { (16, 2788, 2779) } else { (96, 2916, 2907) };
        if core.read(mailbox + magic, 4) != 0x50EC_09A3_u32.to_le_bytes() {
            return None;
        }
        let coordinate = core.read(mailbox + logical, 2);
        let (x, y) = (coordinate[0], coordinate[1]);
        Some(match self.arch {
            2 => (x + 18, y + 18),
            _ if x < 7 => (x + 1, y + 2),
            _ => (x + 3, y + 2),
        })
    }

    /// Returns an SoC descriptor with these cores, as UMD writes one.
    #[must_use]
    pub fn soc_descriptor(&self) -> String {
        let mut text =
            "grid:\n  x_size: 17\n  y_size: 12\narc:\n  - 8-0\nfunctional_workers:\n".to_owned();
        for Core { noc: (x, y), .. } in &self.cores {
            text.push_str(&format!("  - {x}-{y}\n"));
        }
        text.push_str(&format!("router_only:\n  - 0-0\nworker_l1_size: {}\n", self.l1_bytes));
        text
    }
}

impl Core {
    fn load(core: &Value, bytes: &[u8], l1_bytes: usize) -> Self {
        let noc = |axis: usize| u8::try_from(number(&core["noc"][axis])).unwrap();
        let segments = core["segments"].as_array().unwrap().iter().map(|segment| {
            let offset = number(&segment["offset"]);
            let end = offset + number(&segment["len"]);
            (number(&segment["addr"]), bytes[offset..end].to_vec())
        });
        Self { noc: (noc(0), noc(1)), segments: segments.collect(), l1_bytes }
    }

    /// Returns all of its L1. Bytes that were not captured are zero, except the jump to the firmware at the start,
    /// which every core that TT-Metal uses has.
    #[must_use]
    pub fn l1(&self) -> Vec<u8> {
        let mut l1 = vec![0; self.l1_bytes];
        for (address, bytes) in self.pieces() {
            l1[address..address + bytes.len()].copy_from_slice(bytes);
        }
        l1
    }

    /// Writes all of its L1 into a file, with holes for bytes that were not captured.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_l1(&self, path: &Path) -> std::io::Result<()> {
        let file = std::fs::File::create(path)?;
        file.set_len(u64::try_from(self.l1_bytes).unwrap())?;
        for (address, bytes) in self.pieces() {
            file.write_all_at(bytes, u64::try_from(address).unwrap())?;
        }
        Ok(())
    }

    fn pieces(&self) -> impl Iterator<Item = (usize, &[u8])> {
        /// `jal x0, 14864`: to BRISC's firmware on Wormhole.
        const JUMP: [u8; 4] = [0x6F, 0x30, 0x00, 0x21];
        let captured = self.segments.iter().map(|(address, bytes)| (*address, &bytes[..]));
        std::iter::once((0, &JUMP[..])).chain(captured)
    }

    /// Returns a part of its L1.
    #[must_use]
    pub fn read(&self, address: usize, bytes: usize) -> Vec<u8> {
        let inside = |(start, segment): &&(usize, Vec<u8>)| {
            *start <= address && address + bytes <= start + segment.len()
        };
        match self.segments.iter().find(inside) {
            Some((start, segment)) => segment[address - start..][..bytes].to_vec(),
            None => self.l1()[address..address + bytes].to_vec(),
        }
    }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).unwrap()
}
