//! `docs/metrics.md` is generated from the table of fields.

use std::fmt::Write as _;
use std::path::Path;

use crate::field::metric::{Metric, Sample, Shape, otel, prometheus};
use crate::field::{Field, device, process};

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
    let devices: Vec<Sample> =
        device::fields().iter().filter_map(|field| field.prometheus).collect();
    let processes = process::fields().iter().filter_map(|field| field.prometheus);
    let samples: Vec<Sample> = devices.into_iter().chain(processes).collect();
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
            _ => Vec::new(),
        };
        let labels = labels(metric, &samples, &more);
        let (name, end, kind) = (metric.name, suffix(metric.shape), kind(metric.shape, false));
        let (unit, labels) = (dash(metric.unit), dash(&labels));
        writeln!(page, "| `{name}{end}` | {kind} | {unit} | {labels} | {} |", metric.help).unwrap();
    }
    page += "\nProcesses have metrics of their own with `--process-metrics`: those of the 64 that hold most.\n\n## OpenTelemetry\n\n\
             Every point has the attributes `hw.id`, `hw.name`, `hw.type`, `hw.vendor`, and, where known, `hw.model`, `hw.parent`,\n\
             `hw.firmware_version` and `hw.driver_version` of its chip.\n\n\
             | Name | Type | Unit | Attributes | Description |\n| --- | --- | --- | --- | --- |\n";
    let samples: Vec<Sample> = device::fields().iter().filter_map(|field| field.otel).collect();
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

#[test]
fn every_metric_of_a_row_is_in_the_list() {
    for field in device::fields() {
        for (sample, list) in [(field.prometheus, prometheus::ALL), (field.otel, otel::ALL)] {
            let Some(sample) = sample else { continue };
            assert!(list.contains(&sample.metric), "{}", field.name);
            if let Some((label, _)) = sample.label {
                assert!(sample.metric.labels.contains(&label), "{}: {label}", field.name);
            }
        }
    }
}
