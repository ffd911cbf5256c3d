//! Metrics of a snapshot, as Prometheus (text 0.0.4) and OpenMetrics 1.0 have them.
//!
//! Base units, one family a quantity, and nothing where nothing is known: a reading that is missing has no sample.

mod devices;
mod processes;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use ttmem_model::Snapshot;
use ttmem_model::order::Gather as _;

use crate::field::cell::{Cell, Number};
use crate::field::device::{self, DeviceField};
use crate::field::metric::{self, Metric, Sample, Shape, prometheus};
use crate::field::source::{self, SourceField};
use crate::field::{Field, finding};

/// The two text formats of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a scraper would rather have, from its `Accept` header: OpenMetrics only if it is named, and not
    /// below the other.
    #[must_use]
    pub(crate) fn accepted(accept: &str) -> Self {
        let weights = Weights::of(accept);
        match weights.open_metrics {
            Some(weight) if weight > 0 && weight >= weights.prometheus.unwrap_or(0) => {
                Self::OpenMetrics
            }
            _ => Self::Prometheus,
        }
    }

    /// The content type of an answer.
    #[must_use]
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The weight of each format for a scraper, in thousandths; `None` if it is not named.
#[derive(Default)]
struct Weights {
    open_metrics: Option<u32>,
    prometheus: Option<u32>,
}

impl Weights {
    fn of(accept: &str) -> Self {
        let mut weights = Self::default();
        // What is named more exactly counts: from `*/*` to a type.
        let mut exactness = 0;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1000;
            let mut version = String::new();
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                match key.trim().to_ascii_lowercase().as_str() {
                    "q" => weight = thousandths(value.trim()),
                    "version" => version = value.trim().trim_matches('"').to_owned(),
                    _ => {}
                }
            }
            let exact = match name.as_str() {
                "application/openmetrics-text" => {
                    if matches!(version.as_str(), "" | "0.0.1" | "1.0.0") {
                        weights.open_metrics = weights.open_metrics.max(Some(weight));
                    }
                    continue;
                }
                "text/plain" => 3,
                "text/*" => 2,
                "*/*" => 1,
                _ => continue,
            };
            if exact > exactness {
                (exactness, weights.prometheus) = (exact, Some(weight));
            } else if exact == exactness {
                weights.prometheus = weights.prometheus.max(Some(weight));
            }
        }
        weights
    }
}

/// `0.25` as 250. What is no weight counts as nothing wanted.
fn thousandths(weight: &str) -> u32 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let part = part.get(..3).unwrap_or(part);
    format!("{whole}{part:0<3}").parse().ok().filter(|weight| *weight <= 1000).unwrap_or(0)
}

/// True if processes have metrics of their own. They come and go, and each is a new series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processes {
    /// Processes are left out.
    Hidden,
    /// Processes that hold most are included, up to [`MAX_PROCESSES`].
    Shown,
}

/// Processes with metrics of their own at most.
pub(crate) const MAX_PROCESSES: usize = 64;

/// A metric with its samples.
#[derive(Debug)]
struct Family {
    metric: &'static Metric,
    /// The lines of the samples.
    samples: String,
}

impl Family {
    fn new(metric: &'static Metric) -> Self {
        Self { metric, samples: String::new() }
    }

    fn suffix(&self) -> &'static str {
        match self.metric.shape {
            Shape::Gauge | Shape::Amount => "",
            Shape::Counter => "_total",
            Shape::Info => "_info",
        }
    }

    fn add(&mut self, labels: &Labels, value: impl Display) {
        let suffix = self.suffix();
        self.samples.extend([self.metric.name, suffix]);
        if !labels.0.is_empty() {
            self.samples.extend(["{", &labels.0, "}"]);
        }
        // Writing to a string cannot fail.
        let (Ok(()) | Err(std::fmt::Error)) = writeln!(self.samples, " {value}");
    }

    /// Adds a row's sample if its value is known.
    fn sample(&mut self, labels: &Labels, sample: &Sample, cell: &Cell<'_>) {
        let Cell::Number(number, _) = cell else { return };
        let labels = match sample.label {
            Some((name, value)) => &labels.and(name, value),
            None => labels,
        };
        match sample.scale.apply(*number) {
            Number::Whole(value) => self.add(labels, value),
            number => self.add(labels, number.real()),
        }
    }

    fn put(&self, format: Format, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let suffix = self.suffix();
        let Metric { name, unit, shape, help, .. } = self.metric;
        let (family, kind) = match (format, shape) {
            (Format::OpenMetrics, Shape::Info) => ((*name).to_owned(), "info"),
            (Format::OpenMetrics, Shape::Counter) => ((*name).to_owned(), "counter"),
            (Format::Prometheus, Shape::Counter) => (format!("{name}{suffix}"), "counter"),
            (_, Shape::Gauge | Shape::Amount | Shape::Info) => (format!("{name}{suffix}"), "gauge"),
        };
        let help = escape(help, false);
        let mut line = |line: String| {
            out.push_str(&line);
            out.push('\n');
        };
        line(format!("# HELP {family} {help}"));
        line(format!("# TYPE {family} {kind}"));
        if format == Format::OpenMetrics && !unit.is_empty() {
            line(format!("# UNIT {family} {unit}"));
        }
        out.push_str(&self.samples);
    }
}

/// The labels of a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Labels(String);

impl Labels {
    fn with(mut self, name: &str, value: &str) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        self.0.extend([comma, name, "=\"", &escape(value, true), "\""]);
        self
    }

    /// Returns the labels with one more.
    fn and(&self, name: &str, value: &str) -> Self {
        let mut longer = String::with_capacity(2 * self.0.len() + 64);
        longer.push_str(&self.0);
        Self(longer).with(name, value)
    }

    /// Adds the cells that have a value.
    fn with_cells<'a>(self, cells: impl Iterator<Item = (&'static str, Cell<'a>)>) -> Self {
        cells.fold(self, |labels, (name, cell)| match cell {
            Cell::Text(text) => labels.with(name, &text),
            Cell::Number(number, _) => labels.with(name, &number.in_full()),
            Cell::Blank(..) | Cell::None(_) => labels,
        })
    }
}

fn escape(text: &str, quotes: bool) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out.into()
}

/// All metrics of a snapshot.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, format: Format, processes: Processes) -> String {
    let mut families = devices::families(snapshot);
    families.extend(host(snapshot));
    if processes == Processes::Shown {
        families.extend(processes::families(snapshot));
    }
    let mut out = String::new();
    families.iter().for_each(|family| family.put(format, &mut out));
    if format == Format::OpenMetrics && writeln!(out, "# EOF").is_err() {
        return String::new();
    }
    out
}

/// Returns the metrics of the host, of its sources and of its findings.
fn host(snapshot: &Snapshot) -> Vec<Family> {
    let read = |field: &DeviceField| field.of_host(snapshot);
    let mut build = Family::new(&prometheus::BUILD);
    let labels =
        Field::info_rows(device::fields()).filter_map(|(label, field)| Some((label, read(field)?)));
    build.add(&Labels::default().with_cells(labels), 1);
    let groups = metric::grouped(device::fields(), |field| read(field).and(field.prometheus));
    let mut families = vec![build];
    families.extend(groups.into_iter().map(|(metric, rows)| {
        let mut family = Family::new(metric);
        for (sample, field) in rows {
            read(field).iter().for_each(|cell| family.sample(&Labels::default(), &sample, cell));
        }
        family
    }));
    families.extend(sources(snapshot));
    families.push(findings(snapshot));
    families
}

fn sources(snapshot: &Snapshot) -> Vec<Family> {
    let groups = metric::grouped(source::FIELDS, |field| field.prometheus);
    let family = |(metric, rows): (&'static Metric, metric::Rows<'_, _>)| {
        let mut family = Family::new(metric);
        for source in &snapshot.sources {
            let labels = Field::labelled(source::FIELDS, |field| (field.read)(source));
            let labels = Labels::default().with_cells(labels);
            rows.iter().for_each(|(sample, field): &(Sample, &SourceField)| {
                family.sample(&labels, sample, &(field.read)(source));
            });
        }
        family
    };
    groups.into_iter().map(family).collect()
}

/// Returns the kinds of findings, each once.
fn findings(snapshot: &Snapshot) -> Family {
    let mut family = Family::new(&prometheus::FINDING);
    let of_finding = |finding| {
        let rows = Field::info_rows(finding::FIELDS);
        let cells = rows.map(|(label, field)| (label, (field.read)(finding)));
        Labels::default().with_cells(cells)
    };
    let kinds: BTreeSet<Labels> = snapshot.findings.iter().map(of_finding).gather();
    kinds.iter().for_each(|labels| family.add(labels, 1));
    family
}

#[cfg(test)]
mod tests;
