//! Metrics of chips: by the names of OpenTelemetry's conventions for hardware where they have one, else by our own.

use ttmem_model::metric::Quantity;
use ttmem_model::snapshot::Chip;
use ttmem_model::{Kind, Metric as Reading, Snapshot};

use super::point::{Attributes, Metric, Number, Shape};

/// The metrics of all chips.
pub(super) fn metrics(snapshot: &Snapshot) -> Vec<Metric> {
    let mut metrics = device_memory(snapshot);
    metrics.extend(memory(snapshot));
    metrics.extend(telemetry(snapshot));
    metrics
}

/// Returns the attributes of a chip. The conventions have no type of hardware for accelerators but `gpu`.
fn of_chip(chip: &Chip, snapshot: &Snapshot) -> Attributes {
    let board = chip.board.as_deref();
    Attributes::default()
        .with("hw.id", &chip.id.to_string())
        .with("hw.name", &format!("{} {}", board.unwrap_or("chip"), chip.index))
        .with("hw.type", "gpu")
        .with("hw.vendor", "Tenstorrent")
        .maybe("hw.model", board)
        .maybe("hw.parent", chip.serial.as_deref())
        .maybe("hw.firmware_version", chip.firmware.get("bundle").map(String::as_str))
        .maybe("hw.driver_version", snapshot.host.driver.as_deref())
}

/// DRAM as a whole, under the names that every dashboard of accelerators knows. Other kinds are not in it, so that
/// adding up over chips stays right.
fn device_memory(snapshot: &Snapshot) -> Vec<Metric> {
    let mut limit = Metric::new("hw.gpu.memory.limit", "By", Shape::Amount, "DRAM of the chip.");
    let mut usage = Metric::new(
        "hw.gpu.memory.usage",
        "By",
        Shape::Amount,
        "DRAM that living processes hold, traces included.",
    );
    let mut share = Metric::new(
        "hw.gpu.memory.utilization",
        "1",
        Shape::Gauge,
        "Share of the DRAM that living processes hold.",
    );
    for chip in &snapshot.chips {
        let capacity = chip.memory.dram.capacity.value().copied();
        let dram = chip.memory.dram.used.value().copied();
        let used = dram.and_then(|dram| dram.checked_add(*chip.memory.trace.used.value()?));
        let of_chip = || of_chip(chip, snapshot);
        capacity.into_iter().for_each(|bytes| limit.add(of_chip(), Number::Whole(bytes)));
        used.into_iter().for_each(|bytes| usage.add(of_chip(), Number::Whole(bytes)));
        if let (Some(used), Some(capacity @ 1..)) = (used, capacity) {
            share.add(of_chip(), Number::Real(used as f64 / capacity as f64));
        }
    }
    vec![limit, usage, share]
}

/// Memory by kind. The conventions have no kinds of memory.
fn memory(snapshot: &Snapshot) -> Vec<Metric> {
    let amount = |name, text| Metric::new(name, "By", Shape::Amount, text);
    let mut used = amount("ttmem.memory.usage", "Memory that living processes hold, by kind.");
    let mut capacity = amount("ttmem.memory.limit", "Memory that there is for a kind.");
    let mut left = amount(
        "ttmem.memory.stale",
        "Bytes that TT-Metal's bookkeeping still lists for processes that have ended.",
    );
    let mut free = Metric::new(
        "ttmem.memory.largest_free",
        "By",
        Shape::Gauge,
        "Largest free block of one bank, as TT-Metal counts it.",
    );
    for chip in &snapshot.chips {
        let of_kind = |kind: Kind| of_chip(chip, snapshot).with("ttmem.memory.kind", kind.as_str());
        let mut add_used = |kind, reading: &ttmem_model::Reading<u64>| {
            if let (Some(value), Some(source), Some(quality)) =
                (reading.value(), reading.source(), reading.quality())
            {
                let attributes = of_kind(kind)
                    .with("ttmem.source", source.as_str())
                    .with("ttmem.quality", quality.as_str());
                used.add(attributes, Number::Whole(*value));
            }
        };
        for kind in Kind::ALLOCATOR {
            let Some(memory) = chip.memory.allocator(kind) else { continue };
            add_used(kind, &memory.used);
            let others = [
                (&mut capacity, &memory.capacity),
                (&mut free, &memory.largest_free),
                (&mut left, &memory.stale),
            ];
            for (metric, reading) in others {
                let known = reading.value().copied();
                known.into_iter().for_each(|bytes| metric.add(of_kind(kind), Number::Whole(bytes)));
            }
        }
        add_used(Kind::CircularBuffers, &chip.memory.circular_buffers.used);
        add_used(Kind::Kernels, &chip.memory.kernels.used);
        add_used(Kind::Reserved, &chip.memory.reserved.used);
    }
    vec![used, capacity, left, free]
}

/// Where a reading of the driver goes.
struct Place {
    name: &'static str,
    unit: &'static str,
    shape: Shape,
    label: Option<(&'static str, &'static str)>,
    factor: f64,
}

fn place(reading: Reading) -> Place {
    let gauge = |name, unit, label| Place { name, unit, shape: Shape::Gauge, label, factor: 1.0 };
    let count = |name| Place { name, unit: "1", shape: Shape::Counter, label: None, factor: 1.0 };
    let clock = |domain| Place {
        factor: 1e6,
        ..gauge("ttmem.clock", "Hz", Some(("ttmem.clock.domain", domain)))
    };
    let limit = Some(("hw.limit_type", "high.degraded"));
    let direction = |direction| Some(("network.io.direction", direction));
    match reading {
        Reading::AsicTemperature => {
            gauge("hw.temperature", "Cel", Some(("hw.sensor_location", "asic")))
        }
        Reading::AsicTemperatureLimit => gauge("hw.temperature.limit", "Cel", limit),
        Reading::Power => gauge("hw.power", "W", None),
        Reading::PowerLimit => gauge("ttmem.power.limit", "W", None),
        Reading::Current => gauge("ttmem.current", "A", None),
        Reading::CurrentLimit => gauge("ttmem.current.limit", "A", None),
        Reading::Voltage => gauge("hw.voltage", "V", None),
        Reading::VoltageLimit => gauge("hw.voltage.limit", "V", limit),
        Reading::AiClock => clock("ai"),
        Reading::AxiClock => clock("axi"),
        Reading::ArcClock => clock("arc"),
        Reading::Fan => gauge("hw.fan.speed", "rpm", None),
        Reading::Heartbeat => count("ttmem.heartbeat"),
        Reading::ThermalTrips => count("ttmem.thermal_trips"),
        // The conventions' `hw.gpu.io` counts bytes; what is known is a rate.
        Reading::PcieHostToDevice => gauge("ttmem.pcie.throughput", "By/s", direction("receive")),
        Reading::PcieDeviceToHost => gauge("ttmem.pcie.throughput", "By/s", direction("transmit")),
    }
}

fn telemetry(snapshot: &Snapshot) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for reading in Reading::ALL {
        let Place { name, unit, shape, label, factor } = place(*reading);
        let known = metrics.iter().position(|metric| metric.name() == name);
        let index = known.unwrap_or_else(|| {
            metrics.push(Metric::new(name, unit, shape, reading.help()));
            metrics.len() - 1
        });
        let Some(metric) = metrics.get_mut(index) else { continue };
        for chip in &snapshot.chips {
            let value = chip.telemetry.get(reading).and_then(ttmem_model::Reading::value);
            let Some(Quantity(value)) = value.copied() else { continue };
            let attributes = match label {
                Some((key, text)) => of_chip(chip, snapshot).with(key, text),
                None => of_chip(chip, snapshot),
            };
            metric.add(attributes, Number::Real(value * factor));
        }
    }
    metrics
}
