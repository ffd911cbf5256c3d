//! Metrics for Prometheus and OpenTelemetry: their names, types and units. Each is defined once, here; the rows of the
//! field table name the metric that they are samples of.

use std::borrow::Cow;

use ttmem_model::metric::Quantity;

use super::Field;
use super::cell::{Cell, Number};

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A value that may go up and down, and whose sum over chips has no meaning.
    Gauge,
    /// A value that may go up and down and can be added up; a gauge in Prometheus, an UpDownCounter in OTLP.
    Amount,
    /// A value that only increases.
    Counter,
    /// A constant 1 with labels that describe what it is about; Prometheus only.
    Info,
}

/// A metric: all samples of one name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// The name, without the suffixes `_total` and `_info` that the type adds in Prometheus.
    pub(crate) name: &'static str,
    /// The unit: a base unit of Prometheus, empty for none; a UCUM unit in OTLP.
    pub(crate) unit: &'static str,
    /// The type.
    pub(crate) shape: Shape,
    /// One sentence.
    pub(crate) help: &'static str,
    /// The labels of every sample, beside those of its row.
    pub(crate) labels: &'static [&'static str],
}

/// The step from the unit of a row to the unit of its metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// The units are equal.
    Same,
    /// Megahertz to hertz.
    Mega,
    /// Microseconds to seconds. A division, since it is exact to the last digit and the product with 1e-6 is not.
    Micro,
}

impl Scale {
    /// Returns a number of the row in the unit of the metric.
    pub(crate) fn apply(self, number: Number) -> Number {
        match self {
            Self::Same => number,
            Self::Mega => Number::Measured(Quantity(number.real() * 1e6)),
            Self::Micro => Number::Measured(Quantity(number.real() / 1e6)),
        }
    }
}

/// An attribute of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// Attribute of the resource: the host.
    Resource(&'static str),
    /// Attribute of each point.
    Point(&'static str),
}

/// A sample: a row of the field table as a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The metric.
    pub(crate) metric: &'static Metric,
    /// The label that separates this row from others of the same metric.
    pub(crate) label: Option<(&'static str, &'static str)>,
    /// The step from the unit of the row to the unit of the metric.
    pub(crate) scale: Scale,
    /// The label that names the reading in the metric of sources and qualities; `None` if it is not in it.
    pub(crate) reading: Option<&'static str>,
}

impl Sample {
    /// Creates a sample in the unit of its row, without a label of its own.
    #[must_use]
    pub(crate) const fn of(metric: &'static Metric) -> Self {
        Self { metric, label: None, scale: Scale::Same, reading: None }
    }

    /// Sets the label that separates this row from others of the same metric.
    #[must_use]
    pub(crate) const fn label(mut self, name: &'static str, value: &'static str) -> Self {
        self.label = Some((name, value));
        self
    }

    /// Sets the step from the unit of the row to the unit of the metric.
    #[must_use]
    pub(crate) const fn scaled(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Lists the source and quality of the row, under this name, in the metric of sources and qualities. They are no
    /// labels of the value: its series would end when an agent comes or goes.
    #[must_use]
    pub(crate) const fn with_provenance(mut self, reading: &'static str) -> Self {
        self.reading = Some(reading);
        self
    }
}

/// The rows of one metric.
pub(crate) type Rows<'f, R> = Vec<(Sample, &'f Field<R>)>;

/// Returns the metrics of the rows that `pick` returns samples for, in the order of the rows, each with its rows.
pub(crate) fn grouped<R, S: IntoIterator<Item = Sample>>(
    fields: &[Field<R>],
    pick: impl Fn(&Field<R>) -> S,
) -> Vec<(&'static Metric, Rows<'_, R>)> {
    let mut groups: Vec<(&'static Metric, Rows<'_, R>)> = Vec::new();
    for field in fields {
        for sample in pick(field) {
            match groups.iter_mut().find(|(metric, _)| *metric == sample.metric) {
                Some((_, rows)) => rows.push((sample, field)),
                None => groups.push((sample.metric, vec![(sample, field)])),
            }
        }
    }
    groups
}

macro_rules! metrics {
    ($(#[$doc:meta])+ $list:ident: $($variable:ident = $name:literal [$unit:literal] $shape:ident { $($label:literal)* } $help:literal;)+) => {
        $(
            #[doc = $help]
            pub(crate) static $variable: Metric = Metric {
                name: $name,
                unit: $unit,
                shape: Shape::$shape,
                help: $help,
                labels: &[$($label),*],
            };
        )+

        $(#[$doc])+
        pub(crate) static $list: &[&Metric] = &[$(&$variable),+];
    };
}

/// Metrics for Prometheus.
pub(crate) mod prometheus {
    use super::{Metric, Shape};

    metrics! {
        /// Every metric of `/metrics`.
        #[cfg(test)]
        ALL:
        DEVICE = "tt_device" [""] Info { "asic_id" "index" } "Properties of a chip.";
        USED = "tt_device_memory_used_bytes" ["bytes"] Gauge { "asic_id" "index" "type" }
            "Memory of a chip held by live processes, by kind.";
        CAPACITY = "tt_device_memory_capacity_bytes" ["bytes"] Gauge { "asic_id" "index" "type" }
            "Memory that a chip has for a kind.";
        LARGEST_FREE = "tt_device_memory_largest_free_bytes" ["bytes"] Gauge { "asic_id" "index" "type" }
            "Largest free block of one bank, as TT-Metal counts it.";
        STALE = "tt_device_memory_stale_bytes" ["bytes"] Gauge { "asic_id" "index" "type" }
            "Memory still recorded for processes that have ended. The memory is free.";
        REPORTED = "tt_device_memory_reported_bytes" ["bytes"] Gauge { "asic_id" "index" "type" }
            "Circular buffers as the memory region reports them: the most over cached programs, without dataflow buffers.";
        HEADROOM = "tt_device_memory_l1_headroom_bytes" ["bytes"] Gauge { "asic_id" "index" }
            "Fewest bytes of a core between the end of its circular buffers and its lowest L1 buffer.";
        READING = "tt_device_memory_reading" [""] Info { "asic_id" "index" "type" "source" "quality" }
            "Source and quality of a figure of memory: of a kind, or of cb_reported or l1_headroom.";
        TEMPERATURE = "tt_device_temperature_celsius" ["celsius"] Gauge { "asic_id" "index" "sensor" }
            "Temperature of the ASIC.";
        TEMPERATURE_LIMIT = "tt_device_temperature_limit_celsius" ["celsius"] Gauge { "asic_id" "index" "sensor" }
            "Temperature at which the ASIC throttles.";
        POWER = "tt_device_power_watts" ["watts"] Gauge { "asic_id" "index" }
            "Power that the ASIC draws.";
        POWER_LIMIT = "tt_device_power_limit_watts" ["watts"] Gauge { "asic_id" "index" }
            "Power limit of the ASIC.";
        CURRENT = "tt_device_current_amperes" ["amperes"] Gauge { "asic_id" "index" }
            "Current that the ASIC draws.";
        CURRENT_LIMIT = "tt_device_current_limit_amperes" ["amperes"] Gauge { "asic_id" "index" }
            "Current limit of the ASIC.";
        VOLTAGE = "tt_device_voltage_volts" ["volts"] Gauge { "asic_id" "index" }
            "Core voltage of the ASIC.";
        VOLTAGE_LIMIT = "tt_device_voltage_limit_volts" ["volts"] Gauge { "asic_id" "index" }
            "Highest core voltage of the ASIC.";
        CLOCK = "tt_device_clock_hertz" ["hertz"] Gauge { "asic_id" "index" "domain" }
            "Clocks of the Tensix cores (ai), the NOC (axi) and the management processor (arc).";
        FAN = "tt_device_fan_rpm" [""] Gauge { "asic_id" "index" }
            "Fan speed.";
        HEARTBEAT = "tt_device_heartbeat" [""] Counter { "asic_id" "index" }
            "Count that the firmware increments while it runs.";
        THERMAL_TRIPS = "tt_device_thermal_trips" [""] Counter { "asic_id" "index" }
            "Thermal shutdowns.";
        PCIE = "tt_device_pcie_throughput" [""] Gauge { "asic_id" "index" "direction" }
            "Bytes per second over PCIe, over both NOCs.";
        HOLDERS = "tt_device_holders" [""] Gauge { "asic_id" "index" "scope" }
            "Processes that have the chip open (visible), and open files of processes outside this pid namespace.";
        BUILD = "tt_build" [""] Info { } "The ttmem that answers.";
        SOURCE_UP = "tt_memory_source_up" [""] Gauge { "source" } "1 if the source could be read.";
        SCRAPE_DURATION = "tt_scrape_duration_seconds" ["seconds"] Gauge { "source" }
            "Time that reading the source took for this sample.";
        FINDINGS = "tt_findings" [""] Gauge { "severity" } "Findings of ttmem by severity.";
        FINDING = "tt_finding" [""] Info { } "A finding of ttmem that there is now.";
        SAMPLE_TIME = "tt_sample_timestamp_seconds" ["seconds"] Gauge { }
            "Time of the sample, in seconds since 1970.";
        PROCESS_USED = "tt_process_memory_used_bytes" ["bytes"] Gauge
            { "asic_id" "index" "pid" "comm" "state" "type" }
            "Memory of a chip that a process holds, by kind.";
        PROCESS_READING = "tt_process_memory_reading" [""] Info
            { "asic_id" "index" "pid" "comm" "state" "type" "source" "quality" }
            "Source and quality of a figure of a process's memory.";
        PROCESS = "tt_process" [""] Info { "pid" "comm" "state" } "Properties of a process.";
        PROCESSES_OMITTED = "tt_processes_omitted" [""] Gauge { }
            "Processes without metrics of their own, since others hold more.";
    }
}

/// Metrics for OpenTelemetry: names of its hardware conventions where they have one, else `ttmem.`.
pub(crate) mod otel {
    use super::{Metric, Shape};

    metrics! {
        /// Every metric of an OTLP request.
        #[cfg(test)]
        ALL:
        GPU_LIMIT = "hw.gpu.memory.limit" ["By"] Amount { } "DRAM of the chip.";
        GPU_USAGE = "hw.gpu.memory.usage" ["By"] Amount { }
            "DRAM held by live processes, traces included.";
        GPU_UTILIZATION = "hw.gpu.memory.utilization" ["1"] Gauge { }
            "Share of the DRAM held by live processes.";
        USAGE = "ttmem.memory.usage" ["By"] Amount { "ttmem.memory.kind" }
            "Memory of a chip held by live processes, by kind.";
        LIMIT = "ttmem.memory.limit" ["By"] Amount { "ttmem.memory.kind" }
            "Memory that a chip has for a kind.";
        LARGEST_FREE = "ttmem.memory.largest_free" ["By"] Gauge { "ttmem.memory.kind" }
            "Largest free block of one bank, as TT-Metal counts it.";
        STALE = "ttmem.memory.stale" ["By"] Amount { "ttmem.memory.kind" }
            "Memory still recorded for processes that have ended. The memory is free.";
        HEADROOM = "ttmem.memory.l1_headroom" ["By"] Gauge { }
            "Fewest bytes of a core between the end of its circular buffers and its lowest L1 buffer.";
        READING = "ttmem.memory.reading" ["1"] Gauge { "ttmem.memory.kind" "ttmem.source" "ttmem.quality" }
            "1, for the source and quality of a figure of memory: of a kind, or of l1_headroom.";
        TEMPERATURE = "hw.temperature" ["Cel"] Gauge { "hw.sensor_location" } "Temperature of the ASIC.";
        TEMPERATURE_LIMIT = "hw.temperature.limit" ["Cel"] Gauge { "hw.limit_type" }
            "Temperature at which the ASIC throttles.";
        POWER = "hw.power" ["W"] Gauge { } "Power that the ASIC draws.";
        POWER_LIMIT = "ttmem.power.limit" ["W"] Gauge { } "Power limit of the ASIC.";
        CURRENT = "ttmem.current" ["A"] Gauge { } "Current that the ASIC draws.";
        CURRENT_LIMIT = "ttmem.current.limit" ["A"] Gauge { } "Current limit of the ASIC.";
        VOLTAGE = "hw.voltage" ["V"] Gauge { } "Core voltage of the ASIC.";
        VOLTAGE_LIMIT = "hw.voltage.limit" ["V"] Gauge { "hw.limit_type" }
            "Highest core voltage of the ASIC.";
        CLOCK = "ttmem.clock" ["Hz"] Gauge { "ttmem.clock.domain" }
            "Clocks of the Tensix cores (ai), the NOC (axi) and the management processor (arc).";
        FAN = "hw.fan.speed" ["rpm"] Gauge { } "Fan speed.";
        HEARTBEAT = "ttmem.heartbeat" ["1"] Counter { } "Count that the firmware increments while it runs.";
        THERMAL_TRIPS = "ttmem.thermal_trips" ["1"] Counter { } "Thermal shutdowns.";
        PCIE = "ttmem.pcie.throughput" ["By/s"] Gauge { "network.io.direction" }
            "Bytes per second over PCIe, over both NOCs.";
        FINDINGS = "ttmem.findings" ["1"] Amount { "ttmem.severity" } "Findings of ttmem by severity.";
        SOURCE_UP = "ttmem.source.up" ["1"] Gauge { "ttmem.source" } "1 if the source could be read.";
    }
}

impl<R> Field<R> {
    /// Sets the samples of the row in Prometheus and OpenTelemetry.
    #[must_use]
    pub(super) const fn exported(mut self, prometheus: Sample, otel: Sample) -> Self {
        self.prometheus = Some(prometheus);
        self.otel[0] = Some(otel);
        self
    }

    /// Sets the sample of the row in a metric of OpenTelemetry's conventions.
    #[must_use]
    pub(super) const fn in_conventions(mut self, sample: Sample) -> Self {
        self.otel[1] = Some(sample);
        self
    }

    /// Makes the row a label of each sample of its chip, process, source or finding.
    #[must_use]
    pub(super) const fn labels(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// Sets the attributes of the row in OpenTelemetry.
    #[must_use]
    pub(super) const fn attributes(mut self, attributes: &'static [Attribute]) -> Self {
        self.attributes = attributes;
        self
    }

    /// Sets the sample of the row in Prometheus.
    #[must_use]
    pub(super) const fn in_prometheus(mut self, sample: Sample) -> Self {
        self.prometheus = Some(sample);
        self
    }

    /// Makes the row a label of the info metric about its chip or host.
    #[must_use]
    pub(super) const fn info(mut self, label: &'static str) -> Self {
        self.info = Some(label);
        self
    }

    /// Returns the samples for OpenTelemetry.
    pub(crate) fn otel(&self) -> impl Iterator<Item = Sample> + use<R> {
        self.otel.into_iter().flatten()
    }

    /// Returns the labels that identify a chip, process, source or finding, with the values that `read` returns.
    pub(crate) fn labelled<'a>(
        fields: &'a [Self],
        read: impl Fn(&'a Self) -> Cell<'a>,
    ) -> impl Iterator<Item = (&'static str, Cell<'a>)> {
        fields.iter().filter_map(move |field| Some((field.label?, read(field))))
    }

    /// Returns the rows that are labels of the info metric, with the names of the labels.
    pub(crate) fn info_rows(fields: &[Self]) -> impl Iterator<Item = (&'static str, &Self)> {
        fields.iter().filter_map(|field| Some((field.info?, field)))
    }
}

/// The name of a telemetry row.
#[must_use]
pub(crate) fn telemetry_name(metric: ttmem_model::Metric) -> Cow<'static, str> {
    Cow::Owned(format!("telemetry.{}", metric.as_str()))
}
