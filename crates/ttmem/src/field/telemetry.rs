//! The rows of telemetry: one for each metric of the driver.

use ttmem_model::Metric;

use super::Field;
use super::device::{DeviceField, DeviceRead};
use super::metric::{Sample, Scale, otel, prometheus, telemetry_name};

/// Returns the row of every telemetry metric.
pub(super) fn fields() -> impl Iterator<Item = DeviceField> {
    Metric::ALL.iter().map(|metric| {
        let (prometheus, otel) = samples(*metric);
        let row = Field {
            name: telemetry_name(*metric),
            unit: metric.unit(),
            heading: heading(*metric),
            help: metric.help().into(),
            prometheus: None,
            otel: [None; 2],
            label: None,
            info: None,
            attributes: &[],
            read: DeviceRead::Telemetry(*metric),
        };
        row.exported(prometheus, otel)
    })
}

/// Returns the heading of a column of a metric; empty where its label is short enough.
fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::AsicTemperature => "Temp",
        Metric::AiClock => "AICLK",
        Metric::AxiClock => "AXICLK",
        Metric::ArcClock => "ARCCLK",
        Metric::Fan => "Fan",
        Metric::ThermalTrips => "Trips",
        Metric::PcieHostToDevice => "PCIe in",
        Metric::PcieDeviceToHost => "PCIe out",
        _ => "",
    }
}

/// Returns the samples of a metric. Megahertz become hertz; OpenTelemetry's `hw.gpu.io` counts bytes and therefore cannot
/// hold a rate.
fn samples(metric: Metric) -> (Sample, Sample) {
    use {otel as o, prometheus as p};
    let pair = |prometheus, otel| (Sample::of(prometheus), Sample::of(otel));
    let clock = |domain| {
        (
            Sample::of(&p::CLOCK).label("domain", domain).scaled(Scale::Mega),
            Sample::of(&o::CLOCK).label("ttmem.clock.domain", domain).scaled(Scale::Mega),
        )
    };
    let pcie = |direction, otel_direction| {
        (
            Sample::of(&p::PCIE).label("direction", direction),
            Sample::of(&o::PCIE).label("network.io.direction", otel_direction),
        )
    };
    let limit = |metric| Sample::of(metric).label("hw.limit_type", "high.degraded");
    match metric {
        Metric::AsicTemperature => (
            Sample::of(&p::TEMPERATURE).label("sensor", "asic"),
            Sample::of(&o::TEMPERATURE).label("hw.sensor_location", "asic"),
        ),
        Metric::AsicTemperatureLimit => (
            Sample::of(&p::TEMPERATURE_LIMIT).label("sensor", "asic"),
            limit(&o::TEMPERATURE_LIMIT),
        ),
        Metric::Power => pair(&p::POWER, &o::POWER),
        Metric::PowerLimit => pair(&p::POWER_LIMIT, &o::POWER_LIMIT),
        Metric::Current => pair(&p::CURRENT, &o::CURRENT),
        Metric::CurrentLimit => pair(&p::CURRENT_LIMIT, &o::CURRENT_LIMIT),
        Metric::Voltage => pair(&p::VOLTAGE, &o::VOLTAGE),
        Metric::VoltageLimit => (Sample::of(&p::VOLTAGE_LIMIT), limit(&o::VOLTAGE_LIMIT)),
        Metric::AiClock => clock("ai"),
        Metric::AxiClock => clock("axi"),
        Metric::ArcClock => clock("arc"),
        Metric::Fan => pair(&p::FAN, &o::FAN),
        Metric::Heartbeat => pair(&p::HEARTBEAT, &o::HEARTBEAT),
        Metric::ThermalTrips => pair(&p::THERMAL_TRIPS, &o::THERMAL_TRIPS),
        Metric::PcieHostToDevice => pcie("host_to_device", "receive"),
        Metric::PcieDeviceToHost => pcie("device_to_host", "transmit"),
    }
}
