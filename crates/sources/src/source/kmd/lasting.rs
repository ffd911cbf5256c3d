//! Facts that last as long as a device: a third of its files, which repeated samples do not read each time.
//!
//! The ASIC id, which is read every time, shows whether it is still the same chip. Firmware can be replaced under a chip
//! that keeps its id, so that nothing here is older than [`MOST_MICROS`].

use std::collections::BTreeMap;

use ttmem_model::Timestamp;
use ttmem_model::board::Arch;
use ttmem_model::facts::{Device, Field};
use ttmem_model::metric::Metric;

/// Age after which everything is read again, in microseconds.
const MOST_MICROS: u64 = 60_000_000;

/// Facts of one device that last.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    pub(super) arch: Field<Arch>,
    pub(super) card_type: Field<String>,
    pub(super) serial: Field<u64>,
    pub(super) firmware: BTreeMap<String, Field<String>>,
    pub(super) max_speed_gts: Field<f64>,
    pub(super) max_width: Field<u64>,
    pub(super) numa_node: Field<u64>,
    /// The limits of the sensors.
    pub(super) limits: BTreeMap<Metric, Field<f64>>,
    /// The directory of the hwmon files.
    pub(super) hwmon: Field<String>,
}

impl Lasting {
    /// True if every file could be read. A file that could not may be there the next time.
    fn is_whole(&self) -> bool {
        self.arch.is_ok()
            && self.card_type.is_ok()
            && self.serial.is_ok()
            && self.max_speed_gts.is_ok()
            && self.max_width.is_ok()
            && self.hwmon.is_ok()
    }
}

/// Lasting facts of devices, by number.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: BTreeMap<u32, Entry>,
    /// The last ASIC id of a number and PCIe address.
    ids: BTreeMap<(u32, Option<String>), u64>,
}

#[derive(Debug)]
struct Entry {
    bdf: Option<String>,
    asic_id: u64,
    read_at: Timestamp,
    lasting: Lasting,
}

impl Known {
    /// Lasting facts of a device that were read within the last minute.
    pub(super) fn of(&self, number: u32, bdf: Option<&String>, now: Timestamp) -> Option<&Lasting> {
        let entry = self.entries.get(&number)?;
        let is_fresh = now.0.abs_diff(entry.read_at.0) < MOST_MICROS;
        (entry.bdf.as_ref() == bdf && is_fresh).then_some(&entry.lasting)
    }

    /// Lasting facts of a device if it is still the same chip.
    pub(super) fn of_chip(&self, number: u32, asic_id: &Field<u64>) -> Option<&Lasting> {
        let entry = self.entries.get(&number)?;
        (asic_id.as_ref().ok() == Some(&entry.asic_id)).then_some(&entry.lasting)
    }

    /// Removes the lasting facts of a device.
    pub(super) fn forget(&mut self, number: u32) {
        self.entries.remove(&number);
    }

    /// The last ASIC id of a device whose id cannot be read now, as while it is reset.
    pub(super) fn last_id(
        &mut self,
        number: u32,
        bdf: Option<&String>,
        asic_id: &Field<u64>,
    ) -> Option<u64> {
        let key = (number, bdf.cloned());
        if let Ok(id) = asic_id {
            self.ids.insert(key, *id);
            return None;
        }
        self.ids.get(&key).copied()
    }

    /// Keeps the lasting facts of a device, unless it went away meanwhile.
    pub(super) fn remember(&mut self, device: &Device, lasting: Lasting) {
        let Ok(asic_id) = device.asic_id else { return };
        if !lasting.is_whole() || device.vanished.is_some() {
            return;
        }
        let (bdf, read_at) = (device.bdf.clone(), device.read_at);
        self.entries.insert(device.number, Entry { bdf, asic_id, read_at, lasting });
    }

    /// Removes devices that are gone.
    pub(super) fn keep(&mut self, numbers: impl Fn(u32) -> bool) {
        self.entries.retain(|number, _| numbers(*number));
    }
}

#[cfg(test)]
mod tests {
    use super::super::KmdSource;
    use ttmem_fake::{Host, NOW};
    use ttmem_model::metric::Metric;
    use ttmem_root::clock::Clock;
    use ttmem_root::{Entry, Root, Tree};

    /// A file of the driver, and what it holds at each look.
    type Change = (&'static str, &'static [&'static str]);

    fn tree(changes: &[Change]) -> Tree {
        let mut tree = Host::n150().into_tree();
        for (name, texts) in changes {
            let is_it = |path: &&str| path.ends_with(&format!("/{name}"));
            let path = tree.iter().map(|(path, _)| path).find(is_it).unwrap().to_owned();
            let entries = texts.iter().map(|text| Entry::file(format!("{text}\n"))).collect();
            tree.put(path, Entry::changing(entries));
        }
        tree
    }

    /// The firmware bundle and the AICLK of a host's device at each of several samples, this many microseconds apart.
    fn looks(tree: Tree, micros: u64, count: u64) -> Vec<(String, f64)> {
        let (root, mut source) = (Root::memory(tree), KmdSource::default());
        (0..count)
            .map(|look| {
                let clock = Clock::Fixed(ttmem_model::Timestamp(NOW.0 + look * micros));
                let device = source.read(&root, clock).devices.remove(0);
                let clock = device.telemetry[&Metric::AiClock].clone().unwrap();
                (device.firmware["bundle"].clone(), clock)
            })
            .collect()
    }

    const BUNDLE: Change = ("tt_fw_bundle_ver", &["1", "2", "3"]);
    const CLOCK: Change = ("tt_aiclk", &["800", "900", "1000"]);

    #[test]
    fn what_lasts_is_read_once_a_minute_and_the_rest_every_time() {
        let found = looks(tree(&[BUNDLE, CLOCK]), 1_000_000, 3);
        assert_eq!(found, [("1".into(), 800.0), ("1".into(), 900.0), ("1".into(), 1000.0)]);
        let found = looks(tree(&[BUNDLE, CLOCK]), 60_000_000, 3);
        assert_eq!(found, [("1".into(), 800.0), ("2".into(), 900.0), ("3".into(), 1000.0)]);
    }

    #[test]
    fn another_chip_in_its_place_is_read_anew() {
        let ids = ("tt_asic_id", ["0000000000000001", "0000000000000002"].as_slice());
        let found = looks(tree(&[BUNDLE, CLOCK, ids]), 1, 3);
        let bundles: Vec<&str> = found.iter().map(|(bundle, _)| bundle.as_str()).collect();
        assert_eq!(bundles, ["1", "2", "2"]);
    }

    #[test]
    fn a_directory_of_another_number_is_found_again() {
        let mut before = Host::n150().into_tree();
        let (root, mut source) = (Root::memory(Host::n150().into_tree()), KmdSource::default());
        let clock = Clock::Fixed(NOW);
        let device = source.read(&root, clock).devices.remove(0);
        let directory = Host::n150().hwmon_directory(0);
        let moved: Vec<(String, Vec<u8>)> = before
            .iter()
            .filter_map(|(path, entry)| match entry {
                Entry::File { bytes, .. } => Some((path.strip_prefix(&directory)?, bytes)),
                _ => None,
            })
            .map(|(name, bytes)| (format!("{directory}9{name}"), bytes.clone()))
            .collect();
        assert!(!moved.is_empty());
        before.remove(&directory);
        for (path, bytes) in moved {
            before.put(path, Entry::file(bytes));
        }
        let again = source.read(&Root::memory(before), clock).devices.remove(0);
        assert_eq!(again.telemetry, device.telemetry);
    }
}
