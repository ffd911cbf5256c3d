//! The driver's files of one PCIe function: sysfs, hwmon and the device node.

use ttmem_model::board::{self, Arch};

use ttmem_root::{Entry, Tree};

/// The sensors and counters of a chip, in the units of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Clock of the Tensix cores, in MHz.
    pub aiclk_mhz: u32,
    /// Temperature, in thousandths of a degree.
    pub temperature_mc: u32,
    /// Core voltage, in mV.
    pub voltage_mv: u32,
    /// Core current, in mA; the driver rounds to whole amperes.
    pub current_ma: u32,
    /// Power, in µW; the driver rounds to whole watts.
    pub power_uw: u32,
    /// Fan speed; published on Blackhole only.
    pub fan_rpm: u32,
    /// Heartbeats of the management processor.
    pub heartbeat: u32,
    /// 32-byte words written by the host to the chip, over each NOC.
    pub host_to_device_words: [u32; 2],
    /// 32-byte words written by the chip to the host, over each NOC.
    pub device_to_host_words: [u32; 2],
}

impl Telemetry {
    /// An idle chip.
    #[must_use]
    pub(crate) fn idle(arch: Arch) -> Self {
        let (aiclk_mhz, temperature_mc, current_ma, power_uw) = match arch {
            Arch::Wormhole => (500, 36_000, 12_000, 11_000_000),
            Arch::Blackhole => (800, 38_000, 21_000, 17_000_000),
        };
        Self {
            aiclk_mhz,
            temperature_mc,
            voltage_mv: 720,
            current_ma,
            power_uw,
            fan_rpm: 1500,
            heartbeat: 11_349_000,
            host_to_device_words: [4_096, 0],
            device_to_host_words: [512, 0],
        }
    }

    /// Creates a chip with the telemetry of a busy one.
    #[must_use]
    pub fn busy(arch: Arch) -> Self {
        let (aiclk_mhz, temperature_mc, current_ma, power_uw) = match arch {
            Arch::Wormhole => (1000, 45_000, 40_000, 35_000_000),
            Arch::Blackhole => (1350, 52_000, 70_000, 60_000_000),
        };
        Self {
            aiclk_mhz,
            temperature_mc,
            voltage_mv: 800,
            current_ma,
            power_uw,
            fan_rpm: 2000,
            heartbeat: 11_349_000,
            host_to_device_words: [271_582_818, 1_048_576],
            device_to_host_words: [31_415_926, 65_536],
        }
    }
}

/// One board of a fake host.
#[derive(Clone, Debug)]
pub struct Board {
    pub(super) kind: &'static board::Board,
    pub(super) serial: u64,
    pub(super) asic_id: u64,
    /// PCIe buses of its functions; empty until the host assigns one.
    pub(super) buses: Vec<u8>,
    /// Unique ids of its chips as TT-Metal names regions: those with a PCIe function first.
    pub(super) region_ids: Vec<u64>,
    pub(super) telemetry: Option<Telemetry>,
}

impl Board {
    /// Creates a board of any type with one PCIe function. Without a link to another chip TT-Metal names the region of
    /// a Wormhole after the board id and that of a Blackhole after the ASIC id.
    #[must_use]
    pub fn new(kind: &'static board::Board) -> Self {
        let serial = (u64::from(kind.code) << 36) | 1;
        let asic_id = 0x0004_1c5a_0000_0001 | (u64::from(kind.code) << 20);
        let region_id = match kind.arch {
            Arch::Wormhole => serial,
            Arch::Blackhole => asic_id,
        };
        let region_ids = vec![region_id];
        Self { kind, serial, asic_id, buses: Vec::new(), region_ids, telemetry: None }
    }

    /// Creates an n150: one Wormhole.
    #[must_use]
    pub fn n150() -> Self {
        const KIND: &board::Board = by_code(0x18);
        Self::new(KIND)
    }

    /// Creates an n300: a Wormhole with a PCIe function and one behind it. The ids of their regions come from their
    /// Ethernet cores and cannot be computed from the driver's files.
    #[must_use]
    pub fn n300() -> Self {
        const KIND: &board::Board = by_code(0x14);
        let local = 0x2_6190_302b;
        Self::new(KIND).serial(0x0100_0146_1183_2060).with_region_ids(&[local, local + (1 << 32)])
    }

    /// Creates a p150a: one Blackhole.
    #[must_use]
    pub fn p150() -> Self {
        const KIND: &board::Board = by_code(0x40);
        Self::new(KIND)
    }

    /// Creates one of the four trays of a Wormhole Galaxy: eight chips on the buses from `first_bus` on, all with a
    /// PCIe function. Region ids come from the Ethernet cores here too.
    #[must_use]
    pub fn galaxy_tray(first_bus: u8) -> Self {
        const KIND: &board::Board = by_code(0x35);
        let tray = u64::from(first_bus >> 4);
        let region_ids: Vec<u64> = (0..8).map(|chip| 0x5_7a20_1000 | (tray << 8) | chip).collect();
        let board = Self::new(KIND);
        let (serial, asic_id) = (board.serial + tray, board.asic_id + (tray << 8));
        let buses = (0..8).map(|chip| first_bus + chip).collect();
        Self { buses, ..board }.serial(serial).asic_id(asic_id).with_region_ids(&region_ids)
    }

    /// Sets the board id.
    #[must_use]
    pub fn serial(mut self, serial: u64) -> Self {
        self.serial = serial;
        self
    }

    /// Sets the ASIC id of the first PCIe function; the next ones count on from it.
    #[must_use]
    pub fn asic_id(mut self, asic_id: u64) -> Self {
        self.asic_id = asic_id;
        self
    }

    /// Returns the unique ids of its chips as TT-Metal names regions: those with a PCIe function first.
    #[must_use]
    pub fn region_ids(&self) -> &[u64] {
        &self.region_ids
    }

    /// Sets the unique ids of its chips as TT-Metal names regions: those with a PCIe function first.
    #[must_use]
    pub(crate) fn with_region_ids(mut self, ids: &[u64]) -> Self {
        self.region_ids = ids.to_vec();
        self
    }

    /// Sets the sensor values; by default they depend on whether a process has the device open.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }
}

/// Returns the board with a code, or the first one.
const fn by_code(code: u16) -> &'static board::Board {
    let mut index = 0;
    while index < board::Board::ALL.len() {
        if board::Board::ALL[index].code == code {
            return &board::Board::ALL[index];
        }
        index += 1;
    }
    &board::Board::ALL[0]
}

/// The version of tt-kmd, which decides what it publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DriverVersion(pub(super) [u32; 3]);

impl DriverVersion {
    /// Parses `2.10.0` or `2.10.0-rc1`; a part that is not a number counts as 0.
    pub(super) fn parse(text: &str) -> Self {
        let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        Self(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
    }
}

/// One PCIe function of a board.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) number: u32,
    pub(super) bus: u8,
    pub(super) kind: &'static board::Board,
    pub(super) serial: u64,
    pub(super) asic_id: u64,
    pub(super) telemetry: Option<Telemetry>,
}

impl Device {
    pub(super) fn bdf(&self) -> String {
        format!("0000:{:02x}:00.0", self.bus)
    }

    /// The directory of the PCIe function, below the bridge that it is behind.
    pub(super) fn pci_directory(&self) -> String {
        format!("/sys/devices/{}", self.below_devices())
    }

    fn below_devices(&self) -> String {
        let (root, port) = (self.bus & 0xF0, self.bus & 0x0F);
        format!("pci0000:{root:02x}/0000:{root:02x}:{port:02x}.0/{}", self.bdf())
    }

    pub(super) fn directory(&self) -> String {
        format!("{}/tenstorrent/tenstorrent!{}", self.pci_directory(), self.number)
    }

    /// Other drivers took the first hwmon numbers, so the device's number is not its hwmon's.
    pub(super) fn hwmon_directory(&self) -> String {
        format!("{}/hwmon/hwmon{}", self.pci_directory(), self.number + 3)
    }

    /// Adds the files of PCI itself, which exist with or without a driver.
    pub(super) fn put_pci(&self, tree: &mut Tree) {
        let (device, speed) = match self.kind.arch {
            Arch::Wormhole => ("0x401e", "16.0 GT/s PCIe"),
            Arch::Blackhole => ("0xb140", "32.0 GT/s PCIe"),
        };
        let directory = self.pci_directory();
        tree.put(
            format!("/sys/bus/pci/devices/{}", self.bdf()),
            Entry::Link(format!("../../../devices/{}", self.below_devices())),
        );
        let mut line = |name: &str, text: &str| tree.put_line(format!("{directory}/{name}"), text);
        line("vendor", "0x1e52");
        line("device", device);
        line("subsystem_vendor", "0x1e52");
        line("subsystem_device", &format!("{:#06x}", self.kind.code));
        line("class", "0x120000");
        line("numa_node", if self.bus < 0x80 { "0" } else { "1" });
        line("current_link_speed", speed);
        line("max_link_speed", speed);
        line("current_link_width", "16");
        line("max_link_width", "16");
    }

    /// Adds the files of the driver. `busy` selects the sensor values where the board has none of its own.
    pub(super) fn put_driver(&self, tree: &mut Tree, driver: DriverVersion, busy: bool) {
        let Self { number, .. } = self;
        let arch = self.kind.arch;
        let by_activity = || if busy { Telemetry::busy(arch) } else { Telemetry::idle(arch) };
        let telemetry = self.telemetry.clone().unwrap_or_else(by_activity);
        let below = self.below_devices();
        tree.put(
            format!("/sys/class/tenstorrent/tenstorrent!{number}"),
            Entry::Link(format!("../../devices/{below}/tenstorrent/tenstorrent!{number}")),
        );
        self.put_attributes(tree, driver, &telemetry);
        if driver >= DriverVersion([2, 0, 0]) {
            self.put_pcie_counters(tree, &telemetry);
        }
        self.put_hwmon(tree, driver, &telemetry);
        tree.put(format!("/dev/tenstorrent/{number}"), Entry::file(""));
        let by_id = format!("/dev/tenstorrent/by-id/{}-{:016X}", arch.as_str(), self.asic_id);
        tree.put(by_id, Entry::Link(format!("../{number}")));
    }

    fn put_attributes(&self, tree: &mut Tree, driver: DriverVersion, telemetry: &Telemetry) {
        let Self { number, kind, serial, asic_id, .. } = self;
        let directory = self.directory();
        let mut line = |name: &str, text: &str| tree.put_line(format!("{directory}/{name}"), text);
        let is_wormhole = kind.arch == Arch::Wormhole;
        line("dev", &format!("240:{number}"));
        line("uevent", &format!("MAJOR=240\nMINOR={number}\nDEVNAME=tenstorrent/{number}"));
        line("tt_aiclk", &telemetry.aiclk_mhz.to_string());
        line("tt_axiclk", "900");
        line("tt_arcclk", if is_wormhole { "540" } else { "800" });
        line("tt_card_type", kind.name);
        line("tt_serial", &format!("{serial:016X}"));
        line("tt_fw_bundle_ver", "19.6.0.0");
        line("tt_m3app_fw_ver", "5.12.0.0");
        if is_wormhole {
            line("tt_m3bl_fw_ver", "129.2.0.0");
            line("tt_arc_fw_ver", "2.40.0.0");
            line("tt_eth_fw_ver", "7.2.0");
            line("tt_ttflash_ver", "3.5.0.0");
        }
        let asic_id_since = DriverVersion(if is_wormhole { [2, 3, 0] } else { [2, 1, 0] });
        if driver >= asic_id_since {
            line("tt_asic_id", &format!("{asic_id:016X}"));
        }
        if driver >= DriverVersion([2, 7, 0]) {
            line("tt_heartbeat", &telemetry.heartbeat.to_string());
            if !is_wormhole {
                line("tt_therm_trip_count", "0");
            }
        }
        tree.put(format!("{directory}/device"), Entry::Link(format!("../../../{}", self.bdf())));
    }

    fn put_pcie_counters(&self, tree: &mut Tree, telemetry: &Telemetry) {
        let counters = [
            ("mst_rd_data_word_received", telemetry.host_to_device_words.map(|words| words / 7)),
            ("mst_nonposted_wr_data_word_sent", [0, 0]),
            ("mst_posted_wr_data_word_sent", telemetry.device_to_host_words),
            ("slv_nonposted_wr_data_word_received", [0, 0]),
            ("slv_posted_wr_data_word_received", telemetry.host_to_device_words),
            ("slv_rd_data_word_sent", telemetry.device_to_host_words.map(|words| words / 9)),
        ];
        for (name, words) in counters {
            for (noc, words) in words.into_iter().enumerate() {
                let path = format!("{}/pcie_perf_counters/{name}{noc}", self.directory());
                tree.put_line(path, words);
            }
        }
    }

    fn put_hwmon(&self, tree: &mut Tree, driver: DriverVersion, telemetry: &Telemetry) {
        let arch = self.kind.arch;
        let directory = self.hwmon_directory();
        let mut line = |name: &str, text: &str| tree.put_line(format!("{directory}/{name}"), text);
        let (labels, limits) = match arch {
            Arch::Wormhole => (
                ["asic1_temp", "vcore1", "current1", "power1"],
                ["75000", "950", "160000", "85000000"],
            ),
            Arch::Blackhole => (
                ["asic_temp", "vcore", "current", "power"],
                ["95000", "1000", "300000", "150000000"],
            ),
        };
        let has_limits = arch == Arch::Wormhole || driver >= DriverVersion([2, 9, 0]);
        let Telemetry { temperature_mc, voltage_mv, current_ma, power_uw, .. } = telemetry;
        line("name", arch.as_str());
        let sensors = [
            ("temp1", temperature_mc),
            ("in0", voltage_mv),
            ("curr1", current_ma),
            ("power1", power_uw),
        ];
        for (((sensor, value), label), limit) in sensors.into_iter().zip(labels).zip(limits) {
            line(&format!("{sensor}_label"), label);
            line(&format!("{sensor}_input"), &value.to_string());
            if has_limits {
                line(&format!("{sensor}_max"), limit);
            }
        }
        if arch == Arch::Blackhole && driver >= DriverVersion([2, 0, 0]) {
            line("fan1_label", "fan_rpm");
            line("fan1_input", &telemetry.fan_rpm.to_string());
        }
        tree.put(format!("{directory}/device"), Entry::Link(format!("../../../{}", self.bdf())));
    }
}
