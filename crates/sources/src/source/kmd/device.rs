//! One device of the driver: identity, firmware, telemetry, PCIe.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ttmem_model::board::Arch;
use ttmem_model::facts::{Device, Field, PcieFacts, PcieWords};
use ttmem_model::metric::Metric;
use ttmem_model::reading::Missing;

use super::lasting::{Known, Lasting};
use super::{PCI_DEVICES, Place};
use crate::source::{read_number, shorten};
use ttmem_root::clock::Clock;
use ttmem_root::{Folder, Root, RootError};

/// A telemetry file, its unit and what it can hold. All ones, as a chip that hangs answers, is outside every range.
struct Gauge {
    metric: Metric,
    file: &'static str,
    /// Units of the file per unit of the metric.
    scale: f64,
    /// In the metric's unit.
    range: RangeInclusive<f64>,
}

const fn gauge(
    metric: Metric,
    file: &'static str,
    scale: f64,
    range: RangeInclusive<f64>,
) -> Gauge {
    Gauge { metric, file, scale, range }
}

/// hwmon: m°C, mV, mA, µW, RPM.
const HWMON: [Gauge; 9] = [
    gauge(Metric::AsicTemperature, "temp1_input", 1e3, -60.0..=200.0),
    gauge(Metric::AsicTemperatureLimit, "temp1_max", 1e3, -60.0..=200.0),
    gauge(Metric::Power, "power1_input", 1e6, 0.0..=2_000.0),
    gauge(Metric::PowerLimit, "power1_max", 1e6, 0.0..=2_000.0),
    gauge(Metric::Current, "curr1_input", 1e3, 0.0..=4_000.0),
    gauge(Metric::CurrentLimit, "curr1_max", 1e3, 0.0..=4_000.0),
    gauge(Metric::Voltage, "in0_input", 1e3, 0.0..=20.0),
    gauge(Metric::VoltageLimit, "in0_max", 1e3, 0.0..=20.0),
    gauge(Metric::Fan, "fan1_input", 1.0, 0.0..=100_000.0),
];

/// The driver's own files: MHz and counts of 32 bits.
const ATTRIBUTES: [Gauge; 5] = [
    gauge(Metric::AiClock, "tt_aiclk", 1.0, 0.0..=10_000.0),
    gauge(Metric::AxiClock, "tt_axiclk", 1.0, 0.0..=10_000.0),
    gauge(Metric::ArcClock, "tt_arcclk", 1.0, 0.0..=10_000.0),
    gauge(Metric::Heartbeat, "tt_heartbeat", 1.0, 0.0..=4_294_967_294.0),
    gauge(Metric::ThermalTrips, "tt_therm_trip_count", 1.0, 0.0..=4_294_967_294.0),
];

/// Firmware versions: the driver's file and the name we show.
const FIRMWARE: [(&str, &str); 6] = [
    ("tt_fw_bundle_ver", "bundle"),
    ("tt_m3app_fw_ver", "m3_application"),
    ("tt_m3bl_fw_ver", "m3_bootloader"),
    ("tt_arc_fw_ver", "arc"),
    ("tt_eth_fw_ver", "ethernet"),
    ("tt_ttflash_ver", "tt_flash"),
];

/// Reads one device. `holders` is left for the caller, who reads them for all devices at once.
pub(super) fn read(
    root: &Root,
    number: u32,
    place: &Place,
    clock: Clock,
    known: &mut Known,
) -> Device {
    let pci = match &place.bdf {
        Some(bdf) => format!("{PCI_DEVICES}/{bdf}"),
        None => format!("{}/device", place.attributes),
    };
    let mut reader = Reader { root, vanished: None };
    let attributes = &root.folder(place.attributes.as_str());
    let pci = &root.folder(pci);
    let asic_id = reader.id(attributes, "tt_asic_id");
    let before = known.of(number, place.bdf.as_ref(), &asic_id, clock.now()).cloned();
    let mut is_new = before.is_none();
    let mut lasting = before.unwrap_or_else(|| reader.lasting(pci, attributes));
    let mut telemetry = reader.hwmon(&lasting.hwmon);
    // A driver that was loaded again gives the directory another number.
    if !is_new && telemetry.values().all(Result::is_err) {
        is_new = true;
        lasting = reader.lasting(pci, attributes);
        telemetry = reader.hwmon(&lasting.hwmon);
    }
    telemetry.extend(reader.gauges(attributes, &ATTRIBUTES));
    let to_remember = is_new.then(|| lasting.clone());
    let device = Device {
        number,
        bdf: place.bdf.clone(),
        asic_id,
        telemetry,
        pcie: reader.pcie(pci, &lasting),
        pcie_words: reader.pcie_words(attributes),
        arch: lasting.arch,
        card_type: lasting.card_type,
        serial: lasting.serial,
        firmware: lasting.firmware,
        holders: Err(Missing::not_read("the owners were not read")),
        vanished: None,
        read_at: clock.now(),
    };
    let device = Device { vanished: reader.vanished(&device, &place.attributes), ..device };
    if let Some(lasting) = to_remember {
        known.remember(&device, lasting);
    }
    device
}

/// Reads files of one device and remembers whether the device went away meanwhile.
struct Reader<'a> {
    root: &'a Root,
    vanished: Option<Missing>,
}

impl Reader<'_> {
    fn note<T>(&mut self, result: Result<T, RootError>) -> Field<T> {
        result.map_err(|error| {
            let missing = error.missing();
            if error.is_vanished() {
                self.vanished.get_or_insert_with(|| missing.clone());
            }
            missing
        })
    }

    fn number<T>(
        &mut self,
        folder: &Folder<'_>,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Field<T> {
        let read = read_number(folder, name, parse);
        self.note(read)?
    }

    fn text(&mut self, folder: &Folder<'_>, name: &str) -> Field<String> {
        let text = folder.read_text(name);
        let text = self.note(text)?;
        if text.is_empty() {
            return Err(Missing::failed(format!("{name} is empty")));
        }
        Ok(text)
    }

    /// A 64-bit id written as 16 hex digits. All zeros or ones is what a chip without firmware answers.
    fn id(&mut self, folder: &Folder<'_>, name: &str) -> Field<u64> {
        let id = self.number(folder, name, |text| u64::from_str_radix(text, 16).ok())?;
        match id {
            0 | u64::MAX => Err(Missing::failed(format!("{name}: {id:#x} is no id"))),
            id => Ok(id),
        }
    }

    fn lasting(&mut self, pci: &Folder<'_>, attributes: &Folder<'_>) -> Lasting {
        Lasting {
            arch: self.arch(pci),
            card_type: self.text(attributes, "tt_card_type"),
            serial: self.id(attributes, "tt_serial"),
            firmware: self.firmware(attributes),
            max_speed_gts: self.number(pci, "max_link_speed", transfer_rate),
            max_width: self.number(pci, "max_link_width", lanes),
            numa_node: self.numa_node(pci),
            hwmon: self.hwmon_directory(pci),
        }
    }

    fn arch(&mut self, pci: &Folder<'_>) -> Field<Arch> {
        let device = self.number(pci, "device", |text| {
            u16::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        })?;
        Arch::from_pci_device(device).ok_or_else(|| {
            Missing::unsupported(format!(
                "PCI device {device:#06x} is neither Wormhole nor Blackhole"
            ))
        })
    }

    fn firmware(&mut self, attributes: &Folder<'_>) -> BTreeMap<String, String> {
        FIRMWARE
            .iter()
            .filter_map(|(file, name)| {
                let version = self.text(attributes, file).ok()?;
                Some(((*name).to_owned(), shorten(&version)))
            })
            .collect()
    }

    /// The directory of the driver's hwmon files.
    fn hwmon_directory(&mut self, pci: &Folder<'_>) -> Field<String> {
        let listed = self.root.list(&pci.path("hwmon"));
        let directories = self.note(listed)?;
        directories
            .iter()
            .filter_map(|name| Some(pci.path(&format!("hwmon/{}", name.to_str()?))))
            .find(|path| {
                let name = self.root.read_text(&format!("{path}/name"));
                matches!(name.as_deref(), Ok("wormhole" | "blackhole"))
            })
            .ok_or_else(|| Missing::unsupported("the driver has no hwmon directory for this chip"))
    }

    fn hwmon(&mut self, directory: &Field<String>) -> BTreeMap<Metric, Field<f64>> {
        match directory {
            Ok(directory) => self.gauges(&self.root.folder(directory.as_str()), &HWMON),
            Err(missing) => {
                HWMON.iter().map(|gauge| (gauge.metric, Err(missing.clone()))).collect()
            }
        }
    }

    fn gauges(&mut self, folder: &Folder<'_>, gauges: &[Gauge]) -> BTreeMap<Metric, Field<f64>> {
        gauges.iter().map(|gauge| (gauge.metric, self.gauge(folder, gauge))).collect()
    }

    fn gauge(&mut self, folder: &Folder<'_>, gauge: &Gauge) -> Field<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no file here holds more than 2^53")]
        let value =
            self.number(folder, gauge.file, |text| text.parse::<i64>().ok())? as f64 / gauge.scale;
        if gauge.range.contains(&value) {
            Ok(value)
        } else {
            Err(Missing::failed(format!(
                "{}: {value} {} cannot be",
                gauge.file,
                gauge.metric.unit()
            )))
        }
    }

    fn pcie(&mut self, pci: &Folder<'_>, lasting: &Lasting) -> PcieFacts {
        PcieFacts {
            current_speed_gts: self.number(pci, "current_link_speed", transfer_rate),
            max_speed_gts: lasting.max_speed_gts.clone(),
            current_width: self.number(pci, "current_link_width", lanes),
            max_width: lasting.max_width.clone(),
            numa_node: lasting.numa_node.clone(),
        }
    }

    fn numa_node(&mut self, pci: &Folder<'_>) -> Field<u64> {
        let node = self.number(pci, "numa_node", |text| text.parse::<i64>().ok())?;
        u64::try_from(node).map_err(|_negative| {
            Missing::unsupported("the machine does not say which NUMA node the slot belongs to")
        })
    }

    fn pcie_words(&mut self, attributes: &Folder<'_>) -> PcieWords {
        PcieWords {
            host_to_device: self.words(attributes, "slv_posted_wr_data_word_received"),
            device_to_host: self.words(attributes, "mst_posted_wr_data_word_sent"),
        }
    }

    fn words(&mut self, attributes: &Folder<'_>, counter: &str) -> Field<[u32; 2]> {
        let mut word = |noc: u8| {
            let name = format!("pcie_perf_counters/{counter}{noc}");
            self.number(attributes, &name, |text| text.parse::<u32>().ok())
        };
        Ok([word(0)?, word(1)?])
    }

    /// The reason that the device is gone, if it is: a file said so, or every file of its own went away with its
    /// directory.
    fn vanished(self, device: &Device, attributes: &str) -> Option<Missing> {
        let silent = device.card_type.is_err() && device.serial.is_err() && device.asic_id.is_err();
        self.vanished.or_else(|| {
            let gone = silent && self.root.list(attributes).is_err_and(|error| error.is_absent());
            gone.then(|| Missing::failed("the chip went away while its files were read"))
        })
    }
}

/// `16.0 GT/s PCIe` as 16.0.
fn transfer_rate(text: &str) -> Option<f64> {
    let number = text.split(' ').next()?.parse::<f64>().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// Lanes of a link. A device that fell off the bus answers 0 or 255.
fn lanes(text: &str) -> Option<u64> {
    text.parse().ok().filter(|lanes| (1..=32).contains(lanes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_fell_off_the_bus_has_no_lanes() {
        assert_eq!(lanes("16"), Some(16));
        assert_eq!(lanes("0"), None);
        assert_eq!(lanes("255"), None);
        assert_eq!(transfer_rate("16.0 GT/s PCIe"), Some(16.0));
        assert_eq!(transfer_rate("Unknown"), None);
    }
}
