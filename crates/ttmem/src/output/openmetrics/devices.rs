//! Metrics of chips.

use ttmem_model::metric::Quantity;
use ttmem_model::snapshot::Chip;
use ttmem_model::{Kind, Metric, Reading, Snapshot};

use super::{Family, Labels, Type};

/// The families of all chips.
pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let chips: Vec<(&Chip, Labels)> =
        snapshot.chips.iter().map(|chip| (chip, of_chip(chip))).collect();
    let mut families = vec![info(&chips)];
    families.extend(memory(&chips));
    families.extend(telemetry(&chips));
    families.push(holders(&chips));
    families
}

/// Returns the labels of every sample of a chip.
fn of_chip(chip: &Chip) -> Labels {
    Labels::default().with("asic_id", &chip.id.to_string()).with("index", &chip.index.to_string())
}

fn info(chips: &[(&Chip, Labels)]) -> Family {
    let mut family = Family::new("tt_device", Type::Info, "What a chip is.");
    for (chip, labels) in chips {
        let labels = labels
            .clone()
            .maybe("bdf", chip.bdf.as_deref())
            .maybe("serial", chip.serial.as_deref())
            .maybe("board", chip.board.as_deref())
            .maybe("arch", chip.arch.map(ttmem_model::Arch::as_str))
            .with("remote", if chip.remote { "true" } else { "false" })
            .maybe("fw", chip.firmware.get("bundle").map(String::as_str));
        family.add(&labels, 1);
    }
    family
}

/// The name of a kind as a label.
pub(super) fn kind_label(kind: Kind) -> &'static str {
    match kind {
        Kind::CircularBuffers => "cb",
        kind => kind.as_str(),
    }
}

/// Adds a sample if the number is known; source and quality tell how far it can be trusted.
pub(super) fn add_bytes(family: &mut Family, labels: &Labels, kind: &str, reading: &Reading<u64>) {
    if let (Some(value), Some(source), Some(quality)) =
        (reading.value(), reading.source(), reading.quality())
    {
        let labels = labels
            .and("type", kind)
            .with("source", source.as_str())
            .with("quality", quality.as_str());
        family.add(&labels, value);
    }
}

fn add_plain(family: &mut Family, labels: &Labels, kind: &str, reading: &Reading<u64>) {
    if let Some(value) = reading.value() {
        family.add(&labels.and("type", kind), value);
    }
}

fn memory(chips: &[(&Chip, Labels)]) -> [Family; 5] {
    let gauge = |name, help| Family::new(name, Type::Gauge, help);
    let mut used = gauge(
        "tt_device_memory_used_bytes",
        "Memory of a chip that living processes hold, by kind.",
    );
    let mut capacity =
        gauge("tt_device_memory_capacity_bytes", "Memory that a chip has for a kind.");
    let mut free = gauge(
        "tt_device_memory_largest_free_bytes",
        "Largest free block of one bank, as TT-Metal counts it.",
    );
    let mut stale = gauge(
        "tt_device_memory_stale_bytes",
        "Bytes that TT-Metal's bookkeeping still lists for processes that have ended. The memory is free.",
    );
    let mut reported = gauge(
        "tt_device_memory_reported_bytes",
        "Circular buffers as the shared memory region reports them: an upper envelope.",
    );
    for (chip, labels) in chips {
        for kind in Kind::ALLOCATOR {
            let Some(memory) = chip.memory.allocator(kind) else { continue };
            let name = kind_label(kind);
            add_bytes(&mut used, labels, name, &memory.used);
            add_plain(&mut capacity, labels, name, &memory.capacity);
            add_plain(&mut free, labels, name, &memory.largest_free);
            add_plain(&mut stale, labels, name, &memory.stale);
        }
        let memory = &chip.memory;
        let in_l1 = [
            (Kind::CircularBuffers, &memory.circular_buffers.used),
            (Kind::Kernels, &memory.kernels.used),
            (Kind::Reserved, &memory.reserved.used),
        ];
        for (kind, reading) in in_l1 {
            add_bytes(&mut used, labels, kind_label(kind), reading);
        }
        let cb = kind_label(Kind::CircularBuffers);
        add_bytes(&mut reported, labels, cb, &memory.circular_buffers.reported);
    }
    [used, capacity, free, stale, reported]
}

/// A metric, its family, the label that tells it apart within the family, and its factor to the base unit.
struct Place {
    metric: Metric,
    family: &'static str,
    label: Option<(&'static str, &'static str)>,
    factor: f64,
}

fn place(metric: Metric) -> Place {
    let place = |family, label| Place { metric, family, label, factor: 1.0 };
    let asic = Some(("sensor", "asic"));
    let clock = |domain| Place {
        metric,
        family: "tt_device_clock_hertz",
        label: Some(("domain", domain)),
        factor: 1e6,
    };
    match metric {
        Metric::AsicTemperature => place("tt_device_temperature_celsius", asic),
        Metric::AsicTemperatureLimit => place("tt_device_temperature_limit_celsius", asic),
        Metric::Power => place("tt_device_power_watts", None),
        Metric::PowerLimit => place("tt_device_power_limit_watts", None),
        Metric::Current => place("tt_device_current_amperes", None),
        Metric::CurrentLimit => place("tt_device_current_limit_amperes", None),
        Metric::Voltage => place("tt_device_voltage_volts", None),
        Metric::VoltageLimit => place("tt_device_voltage_limit_volts", None),
        Metric::AiClock => clock("ai"),
        Metric::AxiClock => clock("axi"),
        Metric::ArcClock => clock("arc"),
        Metric::Fan => place("tt_device_fan_rpm", None),
        Metric::Heartbeat => place("tt_device_heartbeat", None),
        Metric::ThermalTrips => place("tt_device_thermal_trips", None),
        Metric::PcieHostToDevice => {
            place("tt_device_pcie_throughput", Some(("direction", "host_to_device")))
        }
        Metric::PcieDeviceToHost => {
            place("tt_device_pcie_throughput", Some(("direction", "device_to_host")))
        }
    }
}

fn telemetry(chips: &[(&Chip, Labels)]) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for metric in Metric::ALL {
        let Place { metric, family: name, label, factor } = place(*metric);
        let known = families.iter().position(|family| family.name == name);
        let index = known.unwrap_or_else(|| {
            families.push(Family::new(name, kind(metric), help(metric)));
            families.len() - 1
        });
        let Some(family) = families.get_mut(index) else { continue };
        for (chip, labels) in chips {
            if let Some(Quantity(value)) = chip.telemetry.get(&metric).and_then(Reading::value) {
                match label {
                    Some((label, text)) => family.add(&labels.and(label, text), value * factor),
                    None => family.add(labels, value * factor),
                }
            }
        }
    }
    families
}

fn kind(metric: Metric) -> Type {
    match metric {
        Metric::Heartbeat | Metric::ThermalTrips => Type::Counter,
        _ => Type::Gauge,
    }
}

fn help(metric: Metric) -> &'static str {
    match metric {
        Metric::AiClock => {
            "Clocks of the Tensix cores (ai), the NOC (axi) and the management processor (arc)."
        }
        Metric::PcieHostToDevice => "Bytes per second over PCIe, over both NOCs.",
        metric => metric.help(),
    }
}

fn holders(chips: &[(&Chip, Labels)]) -> Family {
    let mut family = Family::new(
        "tt_device_holders",
        Type::Gauge,
        "Processes that have the chip open (visible), and open files of processes outside this pid namespace.",
    );
    for (chip, labels) in chips.iter().filter(|(chip, _)| chip.bdf.is_some()) {
        let visible = chip.owners.pids.len();
        family.add(&labels.and("scope", "visible"), visible);
        if let Some(outside) = chip.owners.outside_namespace.value() {
            family.add(&labels.and("scope", "other_pid_ns"), outside);
        }
    }
    family
}
