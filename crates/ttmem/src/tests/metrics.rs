//! `docs/metrics.md` is generated from the table of fields.

use std::fmt::Write as _;
use std::path::Path;

use crate::field::metric::{Attribute, Metric, Sample, Shape, otel, prometheus};
use crate::field::{Field, device, finding, process, source};

const FILE: &str = "docs/metrics.md";

/// The names of the labels of a metric, with the values that its rows set.
fn labels(metric: &Metric, samples: &[Sample], info: &[&'static str]) -> String {
    let name = |name: &&str| {
        let values: Vec<&str> = samples
            .iter()
            .filter(|sample| sample.metric == metric)
            .filter_map(|sample| sample.label.filter(|(label, _)| label == name))
            .map(|(_, value)| value)
            .collect();
        if values.is_empty() {
            format!("`{name}`")
        } else {
            format!("`{name}` ({})", values.join(", "))
        }
    };
    let labels: Vec<String> = metric.labels.iter().chain(info).map(name).collect();
    labels.join(", ")
}

fn kind(shape: Shape, otlp: bool) -> &'static str {
    match (shape, otlp) {
        (Shape::Info, _) => "info",
        (Shape::Counter, _) => "counter",
        (Shape::Amount, true) => "up-down counter",
        (Shape::Gauge | Shape::Amount, _) => "gauge",
    }
}

fn suffix(shape: Shape) -> &'static str {
    match shape {
        Shape::Counter => "_total",
        Shape::Info => "_info",
        Shape::Gauge | Shape::Amount => "",
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

fn generated() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the table of fields: `UPDATE_DOCS=1 cargo test -p ttmem --lib metrics`. A value that is \
         missing has no\nsample. [serve.md](serve.md) describes the endpoints.\n\n## Prometheus and OpenMetrics\n\n\
         | Name | Type | Unit | Labels | Help |\n| --- | --- | --- | --- | --- |\n",
    );
    let samples: Vec<Sample> = samples().into_iter().filter_map(|row| row.prometheus).collect();
    let info = |of_host: bool| -> Vec<&'static str> {
        let is_host = |field: &&device::DeviceField| {
            matches!(field.read, device::DeviceRead::Host(_)) == of_host
        };
        let fields = device::fields().iter().filter(is_host);
        fields.filter_map(|field: &Field<_>| field.info).collect()
    };
    for metric in prometheus::ALL {
        let more = match metric.name {
            "tt_device" => info(false),
            "tt_build" => info(true),
            "tt_process" => process::fields().iter().filter_map(|field| field.info).collect(),
            "tt_finding" => finding::FIELDS.iter().filter_map(|field| field.info).collect(),
            _ => Vec::new(),
        };
        let labels = labels(metric, &samples, &more);
        let (name, end, kind) = (metric.name, suffix(metric.shape), kind(metric.shape, false));
        let (unit, labels) = (dash(metric.unit), dash(&labels));
        writeln!(page, "| `{name}{end}` | {kind} | {unit} | {labels} | {} |", metric.help).unwrap();
    }
    let points: Vec<&str> = device::fields()
        .iter()
        .flat_map(|field| field.attributes)
        .filter_map(|attribute| match attribute {
            Attribute::Point(name) => Some(*name),
            Attribute::Resource(_) => None,
        })
        .collect();
    let points = points.join("`, `");
    page += "\nProcesses have metrics of their own with `--process-metrics`: those of the 64 that hold most.\n\n## OpenTelemetry\n\n\
             A point of a chip has the attributes `hw.name`, `hw.type`, `hw.vendor` and, where known,\n";
    writeln!(page, "`{points}`.\n").unwrap();
    page += "| Name | Type | Unit | Attributes | Description |\n| --- | --- | --- | --- | --- |\n";
    let samples: Vec<Sample> = samples_of_otel();
    for metric in otel::ALL {
        let labels = labels(metric, &samples, &[]);
        let (name, kind) = (metric.name, kind(metric.shape, true));
        let (unit, labels) = (dash(metric.unit), dash(&labels));
        writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {} |", metric.help).unwrap();
    }
    page
}

#[test]
fn the_page_of_metrics_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
    let text = generated();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        file == text,
        "{FILE} differs from the table of fields: run this test with UPDATE_DOCS=1"
    );
}

/// A row of any table, as far as the exports are concerned.
struct Row {
    /// The table and the name of the row.
    name: String,
    prometheus: Option<Sample>,
    otel: Vec<Sample>,
    /// True if the row is a label, or an attribute, of samples.
    is_label: bool,
    is_attribute: bool,
}

fn rows_of<R>(table: &str, fields: &[Field<R>]) -> Vec<Row> {
    let row = |field: &Field<R>| Row {
        name: format!("{table} {}", field.name),
        prometheus: field.prometheus,
        otel: field.otel.into_iter().flatten().collect(),
        is_label: field.label.or(field.info).is_some(),
        is_attribute: !field.attributes.is_empty(),
    };
    fields.iter().map(row).collect()
}

/// The rows of all tables.
fn samples() -> Vec<Row> {
    [
        rows_of("chip", device::fields()),
        rows_of("process", process::fields()),
        rows_of("source", source::FIELDS),
        rows_of("finding", finding::FIELDS),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn samples_of_otel() -> Vec<Sample> {
    samples().into_iter().flat_map(|row| row.otel).collect()
}

#[test]
fn every_metric_of_a_row_is_in_the_list() {
    for row in samples() {
        let prometheus = row.prometheus.map(|sample| (sample, prometheus::ALL));
        let otel = row.otel.into_iter().map(|sample| (sample, otel::ALL));
        for (sample, list) in prometheus.into_iter().chain(otel) {
            assert!(list.contains(&sample.metric), "{}", row.name);
            if let Some((label, _)) = sample.label {
                assert!(sample.metric.labels.contains(&label), "{}: {label}", row.name);
            }
        }
    }
}

#[test]
fn every_metric_is_one_of_rows() {
    let rows = samples();
    // Labels alone, the sources and qualities of the rows, and what the output itself leaves out.
    let beside = ["tt_device", "tt_build", "tt_finding", "tt_process", "tt_processes_omitted"];
    let readings =
        ["tt_device_memory_reading", "tt_process_memory_reading", "ttmem.memory.reading"];
    for metric in prometheus::ALL.iter().chain(otel::ALL) {
        let is_of_rows = rows.iter().any(|row| {
            row.prometheus.iter().chain(&row.otel).any(|sample| sample.metric == *metric)
        });
        let is_beside = [&beside[..], &readings].concat().contains(&metric.name);
        assert_ne!(is_of_rows, is_beside, "{}", metric.name);
    }
}

/// Rows that are not exported, with the reason. `*` stands for a part of the name.
const NOT_IN_PROMETHEUS: &[(&str, &str)] = &[
    ("chip host.name", "a scraper adds the instance"),
    ("chip demo", "a demonstration is not scraped"),
    ("chip count", "count(tt_device_info)"),
    ("chip id", "asic_id and index identify a chip"),
    ("chip id_source", "asic_id is absent unless it is one"),
    ("chip tray", "follows from the bus address"),
    ("chip gateway", "follows from the ASIC id of a remote chip"),
    ("chip region.*", "says how a figure was found, not how much it is"),
    ("chip worker_cores", "constant for a board"),
    ("chip firmware.*", "the bundle has a version of its own"),
    ("chip memory.*.free", "capacity - used"),
    ("chip memory.*.banks", "constant for a board"),
    ("chip memory.*.allocatable", "the capacity without what was set aside at the start"),
    ("chip memory.*.fragmentation", "largest_free shows it"),
    ("chip memory.*.upstream", "a second count, for comparison on a screen"),
    ("chip memory.*.source", "a label of tt_device_memory_reading_info"),
    ("chip memory.*.quality", "a label of tt_device_memory_reading_info"),
    ("chip memory.dram_total.*", "dram + trace"),
    ("chip memory.*.running", "changes faster than a scraper asks"),
    ("chip memory.*.aliasing", "changes faster than a scraper asks"),
    ("chip memory.kernels.system", "constant while a chip is open"),
    ("chip memory.l1_total.*", "known on request only"),
    ("chip pcie.*", "constant, and other exporters have it"),
    ("chip owners.pids", "a list; tt_device_holders counts it"),
    ("process timestamp", "tt_sample_timestamp_seconds"),
    ("process chip", "asic_id and index identify a chip"),
    ("process start_time", "other exporters have it"),
    ("process command", "may hold secrets"),
    ("process cpu_time_us", "other exporters have it"),
    ("process host_memory_bytes", "other exporters have it"),
    ("process memory.*.source", "a label of tt_process_memory_reading_info"),
    ("process memory.*.quality", "a label of tt_process_memory_reading_info"),
    ("process memory.circular_buffers_reported", "the most there was, of all processes"),
    ("process memory.upstream.*", "a second count, for comparison on a screen"),
    ("source status", "tt_memory_source_up"),
    ("source detail", "a text"),
    ("finding chip", "a finding is counted once"),
    ("finding chip_index", "a finding is counted once"),
    ("finding pid", "a finding is counted once"),
    ("finding text", "a text"),
    ("finding remedy", "a text"),
];

/// Rows of Prometheus that OpenTelemetry does not have.
const NOT_IN_OTEL: &[(&str, &str)] = &[
    ("chip timestamp", "every point has its time"),
    ("chip host.kernel", "the collector's resource detection has it"),
    ("chip index", "in hw.name"),
    ("chip asic_id", "hw.id"),
    ("chip arch", "follows from the board"),
    ("chip bdf", "hw.id identifies a chip"),
    ("chip remote", "hw.id identifies a chip"),
    ("chip memory.circular_buffers.reported", "the most there was"),
    ("chip owners.*", "processes are not exported"),
    ("process *", "processes are not exported"),
    ("source cost_us", "about ttmem, not about the host"),
    ("finding *", "counted by severity"),
];

fn is_listed(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(pattern, _)| match pattern.split_once('*') {
        Some((start, end)) => {
            let rest = name.strip_prefix(start);
            rest.is_some_and(|rest| rest.ends_with(end) && rest.len() > end.len())
        }
        None => *pattern == name,
    })
}

#[test]
fn every_row_is_exported_or_has_a_reason_why_not() {
    for row in samples() {
        let in_prometheus = row.prometheus.is_some() || row.is_label;
        assert!(
            in_prometheus || is_listed(NOT_IN_PROMETHEUS, &row.name),
            "Prometheus: {}",
            row.name
        );
        let is_named = NOT_IN_PROMETHEUS.iter().any(|(pattern, _)| *pattern == row.name);
        assert!(!(in_prometheus && is_named), "{} is exported", row.name);
        let in_otel = !row.otel.is_empty() || row.is_attribute;
        let is_excused = is_listed(NOT_IN_OTEL, &row.name) || !in_prometheus;
        assert!(in_otel || is_excused, "OpenTelemetry: {}", row.name);
    }
}
