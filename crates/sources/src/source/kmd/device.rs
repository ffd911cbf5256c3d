//! One device of the driver: identity, firmware, telemetry, PCIe.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ttmem_model::board::{Arch, Board};
use ttmem_model::facts::{Device, Field, PcieFacts, PcieWords};
use ttmem_model::metric::Metric;
use ttmem_model::order::Gather as _;
use ttmem_model::reading::Missing;

use super::files::{Files, FolderKind};
use super::lasting::Lasting;
use super::text::{ONES, halves, hexadecimal, is_ones, is_version_of_zeros, lanes, transfer_rate};
use super::{Wanted, holders};
use crate::source::shorten;
use ttmem_root::clock::Clock;
use ttmem_root::{Root, RootError};

/// A telemetry file, its unit and what it can hold. All ones, as a chip that hangs answers, is outside every range.
pub(super) struct Gauge {
    metric: Metric,
    pub(super) file: &'static str,
    /// Units of the file per unit of the metric.
    scale: f64,
    /// Range of valid values, in the metric's unit.
    range: RangeInclusive<f64>,
}

impl Gauge {
    fn is_temperature(&self) -> bool {
        matches!(self.metric, Metric::AsicTemperature | Metric::AsicTemperatureLimit)
    }
}

const fn gauge(
    metric: Metric,
    file: &'static str,
    scale: f64,
    range: RangeInclusive<f64>,
) -> Gauge {
    Gauge { metric, file, scale, range }
}

/// hwmon: m°C, mV, mA, µW, RPM. A limit of 0, and no voltage at all, are answers of firmware that has no such value.
const SENSORS: [Gauge; 5] = [
    gauge(Metric::AsicTemperature, "temp1_input", 1e3, -60.0..=200.0),
    gauge(Metric::Power, "power1_input", 1e6, 0.0..=2_000.0),
    gauge(Metric::Current, "curr1_input", 1e3, 0.0..=4_000.0),
    gauge(Metric::Voltage, "in0_input", 1e3, 0.001..=20.0),
    gauge(Metric::Fan, "fan1_input", 1.0, 0.0..=100_000.0),
];

/// Limits of the sensors, in the same units. The firmware sets them when it starts.
const LIMITS: [Gauge; 4] = [
    gauge(Metric::AsicTemperatureLimit, "temp1_max", 1e3, 1.0..=200.0),
    gauge(Metric::PowerLimit, "power1_max", 1e6, 1.0..=2_000.0),
    gauge(Metric::CurrentLimit, "curr1_max", 1e3, 1.0..=4_000.0),
    gauge(Metric::VoltageLimit, "in0_max", 1e3, 0.001..=20.0),
];

/// The driver's own files: MHz and counts of 32 bits. A clock of 0 is the answer of a table that has no such entry, as
/// tt-kmd 2.0 and 2.1 find it in newer firmware.
const ATTRIBUTES: [Gauge; 5] = [
    gauge(Metric::AiClock, "tt_aiclk", 1.0, 1.0..=10_000.0),
    gauge(Metric::AxiClock, "tt_axiclk", 1.0, 1.0..=10_000.0),
    gauge(Metric::ArcClock, "tt_arcclk", 1.0, 1.0..=10_000.0),
    gauge(Metric::Heartbeat, "tt_heartbeat", 1.0, 0.0..=4_294_967_294.0),
    gauge(Metric::ThermalTrips, "tt_therm_trip_count", 1.0, 0.0..=4_294_967_294.0),
];

/// The file of a telemetry metric.
pub(super) enum TelemetryFile {
    /// A sensor in the hwmon directory.
    Sensor(&'static str),
    /// An attribute of the driver.
    Attribute(&'static str),
}

impl TelemetryFile {
    /// Returns the file of a metric; `None` for a metric that is calculated.
    pub(super) fn of(metric: Metric) -> Option<Self> {
        let find =
            |gauges: &[Gauge]| Some(gauges.iter().find(|gauge| gauge.metric == metric)?.file);
        let sensor = find(&SENSORS).or_else(|| find(&LIMITS)).map(Self::Sensor);
        sensor.or_else(|| find(&ATTRIBUTES).map(Self::Attribute))
    }
}

/// Firmware versions: the driver's file and the name we show.
pub(super) const FIRMWARE: [(&str, &str); 6] = [
    ("tt_fw_bundle_ver", "bundle"),
    ("tt_m3app_fw_ver", "m3_application"),
    ("tt_m3bl_fw_ver", "m3_bootloader"),
    ("tt_arc_fw_ver", "arc"),
    ("tt_eth_fw_ver", "ethernet"),
    ("tt_ttflash_ver", "tt_flash"),
];

/// Files that are all ones where the chip does not answer, of the counters that `PcieFacts` shows.
pub(super) const COUNTERS: [&str; 4] = [
    "slv_posted_wr_data_word_received0",
    "slv_posted_wr_data_word_received1",
    "mst_posted_wr_data_word_sent0",
    "mst_posted_wr_data_word_sent1",
];

/// The driver's attributes that are read at every sample, besides the ASIC id.
pub(super) fn gauges() -> &'static [Gauge] {
    &ATTRIBUTES
}

/// The sensors of hwmon.
pub(super) fn sensors() -> &'static [Gauge] {
    &SENSORS
}

/// The limits of the sensors.
pub(super) fn limits() -> &'static [Gauge] {
    &LIMITS
}

/// True if no sensor of a device could be read. A driver that was loaded again gives the directory another number.
pub(super) fn has_no_sensor(device: &Device) -> bool {
    SENSORS.iter().all(|gauge| device.telemetry.get(&gauge.metric).is_none_or(Result::is_err))
}

/// Finds the directory of the driver's hwmon files. Its name needs no lock of the driver.
pub(super) fn hwmon_directory(root: &Root, pci: &str) -> Field<String> {
    let directories = root.list(&format!("{pci}/hwmon")).map_err(|error| error.missing())?;
    directories
        .iter()
        .filter_map(|name| Some(format!("{pci}/hwmon/{}", name.to_str()?)))
        .find(|path| {
            let name = root.read_text(&format!("{path}/name"));
            matches!(name.as_deref(), Ok("wormhole" | "blackhole"))
        })
        .ok_or_else(|| Missing::unsupported("the driver has no hwmon directory for this chip"))
}

/// Turns the files of one device into facts, and notes whether the device went away meanwhile.
pub(super) struct Reader<'a> {
    root: &'a Root,
    files: &'a Files,
    /// True if the chip answers reads with all ones, as one in reset or with a dead link does.
    answers_ones: bool,
    /// True if such a chip has no attribute and no sensor either: in a capture of a chip in reset these files are not
    /// there, because the driver answered that they have no data.
    is_silent: bool,
    vanished: Option<Missing>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(root: &'a Root, files: &'a Files) -> Self {
        let answers_ones = answers_ones(files);
        let is_absent =
            |folder, name: &str| files.bytes(folder, name).is_err_and(|error| error.is_absent());
        let is_silent = answers_ones
            && is_absent(FolderKind::Attributes, "tt_aiclk")
            && is_absent(FolderKind::Hwmon, "temp1_input");
        Self { root, files, answers_ones, is_silent, vanished: None }
    }

    /// The ASIC id: all zeros or ones is the answer of a chip without firmware.
    pub(super) fn asic_id(&mut self) -> Field<u64> {
        self.id("tt_asic_id")
    }

    /// Facts of the device. The owners are those of the driver's list.
    pub(super) fn device(
        mut self,
        wanted: &Wanted,
        asic_id: Field<u64>,
        mut lasting: Lasting,
        clock: Clock,
    ) -> Device {
        let mut telemetry = self.hwmon(&SENSORS, &lasting.hwmon);
        telemetry.extend(match self.answers_ones {
            true => LIMITS.iter().map(|gauge| (gauge.metric, Err(ones(gauge.file)))).collect(),
            false => std::mem::take(&mut lasting.limits),
        });
        telemetry.extend(self.gauges(FolderKind::Attributes, &ATTRIBUTES));
        let pids = self.files.bytes(FolderKind::Owners, "pids");
        let device = Device {
            number: wanted.number,
            bdf: wanted.path.bdf.clone(),
            asic_id,
            last_asic_id: None,
            telemetry,
            pcie: self.pcie(&lasting),
            pcie_words: self.pcie_words(),
            arch: lasting.arch,
            card_type: lasting.card_type,
            serial: lasting.serial,
            firmware: select(&lasting.firmware, Result::ok),
            firmware_missing: select(&lasting.firmware, Result::err),
            holders: pids
                .map_err(|error| holders::no_list(&error))
                .and_then(|listed| holders::parse(self.root, listed)),
            answers_ones: self.answers_ones,
            late: None,
            vanished: None,
            read_at: self.files.read_at().unwrap_or_else(|| clock.now()),
        };
        Device { vanished: self.vanished(&device, &wanted.path.attributes), ..device }
    }

    pub(super) fn lasting(&mut self, hwmon: Field<String>) -> Lasting {
        let arch = self.arch();
        let named = self.text("tt_card_type");
        Lasting {
            card_type: named.or_else(|why| self.board_of_subsystem(arch.as_ref().ok()).ok_or(why)),
            arch,
            serial: self.id("tt_serial"),
            firmware: self.firmware(),
            max_speed_gts: self.number(FolderKind::Pci, "max_link_speed", transfer_rate),
            max_width: self.number(FolderKind::Pci, "max_link_width", lanes),
            numa_node: self.numa_node(),
            limits: self.hwmon(&LIMITS, &hwmon),
            hwmon,
        }
    }

    fn hwmon(
        &mut self,
        gauges: &[Gauge],
        directory: &Field<String>,
    ) -> BTreeMap<Metric, Field<f64>> {
        match directory {
            Ok(_) => self.gauges(FolderKind::Hwmon, gauges),
            Err(missing) => {
                gauges.iter().map(|gauge| (gauge.metric, Err(missing.clone()))).gather()
            }
        }
    }

    fn note<T>(&mut self, result: Result<T, RootError>) -> Field<T> {
        result.map_err(|error| {
            let missing = match error.is_absent() && self.is_silent {
                true => ones(error.path.rsplit('/').next().unwrap_or_default()),
                false => error.missing(),
            };
            if error.is_vanished() {
                self.vanished.get_or_insert_with(|| missing.clone());
            }
            missing
        })
    }

    fn number<T>(
        &mut self,
        folder: FolderKind,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Field<T> {
        let text = self.note(self.files.text(folder, name))?;
        // What PCI remembers of a function is no answer of the chip.
        if self.answers_ones && !REMEMBERED.contains(&name) {
            return Err(ones(name));
        }
        parse(&text).ok_or_else(|| {
            Missing::failed(format!("{name}: `{}` is not a number it can hold", shorten(&text)))
        })
    }

    fn text(&mut self, name: &str) -> Field<String> {
        let text = self.note(self.files.text(FolderKind::Attributes, name))?;
        match &*text {
            _ if self.answers_ones || text.split('.').all(is_ones) => Err(ones(name)),
            "" => Err(Missing::failed(format!("{name} is empty"))),
            "unknown" => {
                Err(Missing::failed(format!("{name}: the driver does not know the board")))
            }
            _ if is_version_of_zeros(&text) => {
                Err(Missing::failed(format!("{name}: the firmware reports no version ({text})")))
            }
            _ => Ok(text.into_owned()),
        }
    }

    /// A 64-bit id of 16 hexadecimal digits.
    fn id(&mut self, name: &str) -> Field<u64> {
        let parse = |text: &str| u64::from_str_radix(text, 16).ok();
        match self.number(FolderKind::Attributes, name, parse)? {
            id if id == 0 || halves(id).contains(&u32::MAX) => {
                Err(Missing::failed(format!("{name}: {id:#x} is not an id")))
            }
            id => Ok(id),
        }
    }

    /// The board that the PCI function names: its subsystem has the code of the board id. The kernel remembers it through a
    /// reset, and firmware in recovery mode has nothing else (tt-kmd 1.34 `blackhole.c`, tt-smi `reset.py`).
    fn board_of_subsystem(&self, arch: Option<&Arch>) -> Option<String> {
        let code = hexadecimal(&self.files.text(FolderKind::Pci, "subsystem_device").ok()?)?;
        let is_it = |board: &&Board| board.code == code && Some(&board.arch) == arch;
        Some(Board::ALL.iter().find(is_it)?.name.to_owned())
    }

    fn arch(&mut self) -> Field<Arch> {
        let device = self.number(FolderKind::Pci, "device", hexadecimal)?;
        Arch::from_pci_device(device).ok_or_else(|| {
            Missing::unsupported(format!(
                "PCI device {device:#06x} is neither Wormhole nor Blackhole"
            ))
        })
    }

    fn firmware(&mut self) -> BTreeMap<String, Field<String>> {
        let version = |(file, name): &(&str, &str)| {
            ((*name).to_owned(), self.text(file).map(|version| shorten(&version)))
        };
        FIRMWARE.iter().map(version).gather()
    }

    fn gauges(&mut self, folder: FolderKind, gauges: &[Gauge]) -> BTreeMap<Metric, Field<f64>> {
        gauges.iter().map(|gauge| (gauge.metric, self.gauge(folder, gauge))).gather()
    }

    fn gauge(&mut self, folder: FolderKind, gauge: &Gauge) -> Field<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no file here holds more than 2^53")]
        let value = self.number(folder, gauge.file, |text| match text {
            // All bits of a number with 16 bits behind the point, in thousandths, and of one without.
            "65535999" | "-1" => None,
            text => text.parse::<i64>().ok(),
        })? as f64
            / gauge.scale;
        // The driver keeps 16 bits of a temperature's whole degrees without their sign (telemetry.c).
        let is_below_zero = gauge.is_temperature() && (65_436.0..65_536.0).contains(&value);
        let value = if is_below_zero { value - 65_536.0 } else { value };
        if gauge.range.contains(&value) {
            Ok(value)
        } else if value == 0.0 {
            Err(Missing::failed(format!(
                "{}: 0 {} is no reading: the driver does not know the firmware's table",
                gauge.file,
                gauge.metric.unit()
            )))
        } else {
            Err(Missing::failed(format!(
                "{}: {value} {} is out of range",
                gauge.file,
                gauge.metric.unit()
            )))
        }
    }

    fn pcie(&mut self, lasting: &Lasting) -> PcieFacts {
        PcieFacts {
            current_speed_gts: self.number(FolderKind::Pci, "current_link_speed", transfer_rate),
            max_speed_gts: lasting.max_speed_gts.clone(),
            current_width: self.number(FolderKind::Pci, "current_link_width", lanes),
            max_width: lasting.max_width.clone(),
            numa_node: lasting.numa_node.clone(),
        }
    }

    fn numa_node(&mut self) -> Field<u64> {
        /// The most nodes that Linux can be built for (`NODES_SHIFT` of 10).
        const NODES: i16 = 1024;
        let read = |text: &str| text.parse().ok().filter(|node| (-1..NODES).contains(node));
        let node = self.number(FolderKind::Pci, "numa_node", read)?;
        u64::try_from(node).map_err(|_negative| {
            Missing::unsupported("the host does not report the NUMA node of the slot")
        })
    }

    fn pcie_words(&mut self) -> PcieWords {
        PcieWords {
            host_to_device: self.words([COUNTERS[0], COUNTERS[1]]),
            device_to_host: self.words([COUNTERS[2], COUNTERS[3]]),
        }
    }

    /// The words that a counter of each NOC has counted.
    fn words(&mut self, [first, second]: [&str; 2]) -> Field<[u32; 2]> {
        let mut word =
            |name: &str| self.number(FolderKind::Counters, name, |text| text.parse::<u32>().ok());
        Ok([word(first)?, word(second)?])
    }

    /// The reason that the device is gone, if it is: a read failed so, or all its files disappeared with its directory.
    fn vanished(self, device: &Device, attributes: &str) -> Option<Missing> {
        let silent = device.serial.is_err() && device.asic_id.is_err();
        self.vanished.or_else(|| {
            let gone = silent && self.root.list(attributes).is_err_and(|error| error.is_absent());
            gone.then(|| Missing::failed("the chip went away while its files were read"))
        })
    }
}

/// The versions that are known, or the reasons of the others.
fn select<T>(
    fields: &BTreeMap<String, Field<String>>,
    side: fn(Field<String>) -> Option<T>,
) -> BTreeMap<String, T> {
    let sides = fields.iter().map(|(name, field)| Some((name.clone(), side(field.clone())?)));
    sides.flatten().gather()
}

/// Files of the PCI function that the kernel remembers from when it found the function.
const REMEMBERED: [&str; 2] = ["device", "numa_node"];

fn ones(name: &str) -> Missing {
    Missing::failed(format!("{name}: the chip answers with all ones"))
}

/// True if the chip answers reads with all ones: it is in reset, or its PCIe link is down. The driver passes such words
/// on as numbers.
fn answers_ones(files: &Files) -> bool {
    let is = |folder, name: &str, ones: &str| {
        files.bytes(folder, name).is_ok_and(|text| text == ones.as_bytes())
    };
    let ids = ["tt_asic_id", "tt_serial"];
    let clocks = ["tt_aiclk", "tt_axiclk", "tt_arcclk"];
    let link = is(FolderKind::Pci, "current_link_speed", "Unknown")
        && is(FolderKind::Pci, "current_link_width", "63");
    link || ids.iter().any(|name| is(FolderKind::Attributes, name, "FFFFFFFFFFFFFFFF"))
        || clocks.iter().any(|name| is(FolderKind::Attributes, name, ONES))
        || COUNTERS.iter().any(|name| is(FolderKind::Counters, name, ONES))
}

#[cfg(test)]
mod tests {
    use super::super::KmdSource;
    use super::*;
    use ttmem_fake::{Host, NOW};
    use ttmem_root::Entry;

    /// The device of a host in whose files of some names something else is.
    fn device(files: &[(&str, &str)]) -> Device {
        let mut tree = Host::n150().into_tree();
        for (name, text) in files {
            let is_it = |path: &&str| path.ends_with(&format!("/{name}"));
            let path = tree.iter().map(|(path, _)| path).find(is_it).unwrap().to_owned();
            tree.put(path, Entry::file(format!("{text}\n")));
        }
        KmdSource::default().read(&Root::memory(tree), Clock::Fixed(NOW)).devices.remove(0)
    }

    /// A chip in reset or in recovery has no board id; a subsystem of another architecture is none of its boards.
    #[test]
    fn a_board_that_the_driver_does_not_name_is_that_of_the_subsystem() {
        let ones = ("tt_aiclk", "4294967295");
        let named = |subsystem: &str| {
            device(&[ones, ("tt_card_type", "unknown"), ("subsystem_device", subsystem)]).card_type
        };
        assert_eq!(named("0x0014").unwrap(), "n300");
        assert_eq!(named("0x0035").unwrap(), "galaxy-wormhole");
        for other in ["0x0046", "0xffff", "x"] {
            assert!(named(other).is_err(), "{other}");
        }
    }

    /// Whatever width and form the driver prints a word in that the chip answered with all bits set.
    #[test]
    fn all_ones_are_no_name_no_version_no_id_and_no_temperature() {
        let words = ["-1", "0xffffffff", "FFFFFFFF", "255", "65535", "4294967295"];
        for word in words.into_iter().chain(["-1.-1.-1.-1", "65535.65535", "255.15.4095"]) {
            let subsystem = ("subsystem_device", "0xffff");
            let device = device(&[("tt_card_type", word), ("tt_fw_bundle_ver", word), subsystem]);
            assert!(!device.answers_ones);
            let why = device.card_type.unwrap_err().detail;
            assert_eq!(&*why, "tt_card_type: the chip answers with all ones", "{word}");
            assert_eq!(device.firmware.get("bundle"), None, "{word}");
        }
        for id in ["00000000FFFFFFFF", "FFFFFFFF00041C5A", "-1", "0xffffffff"] {
            let device = device(&[("tt_asic_id", id), ("tt_serial", id)]);
            assert!(device.asic_id.is_err() && device.serial.is_err(), "{id}");
        }
        for reading in ["-1", "65535999", "4294967295"] {
            let device = device(&[("temp1_input", reading)]);
            assert!(device.telemetry[&Metric::AsicTemperature].is_err(), "{reading}");
        }
        let device = device(&[("tt_fw_bundle_ver", "19.6.255.15"), ("temp1_input", "-9500")]);
        assert_eq!(device.firmware["bundle"], "19.6.255.15");
        assert_eq!(device.telemetry[&Metric::AsicTemperature], Ok(-9.5));
    }

    #[test]
    fn a_link_that_fell_off_the_bus_has_no_lanes() {
        assert_eq!(lanes("16"), Some(16));
        assert_eq!(lanes("0"), None);
        assert_eq!(lanes("255"), None);
        assert_eq!(transfer_rate("16.0 GT/s PCIe"), Some(16.0));
        assert_eq!(transfer_rate("Unknown"), None);
    }
}
