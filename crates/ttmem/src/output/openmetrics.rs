//! Metrics of a snapshot, as Prometheus (text 0.0.4) and OpenMetrics 1.0 have them.
//!
//! Base units, one family a quantity, and nothing where nothing is known: a reading that is missing has no sample.

mod devices;
mod processes;

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use ttmem_model::Snapshot;

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a scraper would rather have, from its `Accept` header: OpenMetrics only if it is named, and not
    /// below the other.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
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
    pub fn content_type(self) -> &'static str {
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
pub enum Processes {
    /// No.
    Hidden,
    /// Those that hold most, up to [`MAX_PROCESSES`].
    Shown,
}

/// Processes with metrics of their own at most.
pub const MAX_PROCESSES: usize = 64;

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Gauge,
    Counter,
    Info,
}

/// One family: everything of one name.
#[derive(Debug)]
struct Family {
    /// Without `_total` and `_info`, which the type adds.
    name: &'static str,
    unit: &'static str,
    kind: Type,
    help: &'static str,
    /// The lines of the samples.
    samples: String,
}

impl Family {
    fn new(name: &'static str, kind: Type, help: &'static str) -> Self {
        const UNITS: [&str; 7] =
            ["bytes", "celsius", "watts", "amperes", "volts", "hertz", "seconds"];
        let unit = UNITS.into_iter().find(|unit| name.ends_with(unit)).unwrap_or("");
        Self { name, unit, kind, help, samples: String::new() }
    }

    fn suffix(&self) -> &'static str {
        match self.kind {
            Type::Gauge => "",
            Type::Counter => "_total",
            Type::Info => "_info",
        }
    }

    fn add(&mut self, labels: &Labels, value: impl Display) {
        let suffix = self.suffix();
        self.samples.extend([self.name, suffix]);
        if !labels.0.is_empty() {
            self.samples.extend(["{", &labels.0, "}"]);
        }
        // Writing to a string cannot fail.
        let (Ok(()) | Err(std::fmt::Error)) = writeln!(self.samples, " {value}");
    }

    fn put(&self, format: Format, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let suffix = self.suffix();
        let (family, kind) = match (format, self.kind) {
            (Format::OpenMetrics, Type::Info) => (self.name.to_owned(), "info"),
            (Format::OpenMetrics, Type::Counter) => (self.name.to_owned(), "counter"),
            (Format::Prometheus, Type::Counter) => (format!("{}{suffix}", self.name), "counter"),
            (_, Type::Gauge | Type::Info) => (format!("{}{suffix}", self.name), "gauge"),
        };
        let help = escape(self.help, false);
        let mut line = |line: String| {
            out.push_str(&line);
            out.push('\n');
        };
        line(format!("# HELP {family} {help}"));
        line(format!("# TYPE {family} {kind}"));
        if format == Format::OpenMetrics && !self.unit.is_empty() {
            line(format!("# UNIT {family} {}", self.unit));
        }
        out.push_str(&self.samples);
    }
}

/// The labels of a sample.
#[derive(Clone, Debug, Default)]
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

    fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
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
pub fn render(snapshot: &Snapshot, format: Format, processes: Processes) -> String {
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

/// Writes the families of the host and of the sources.
fn host(snapshot: &Snapshot) -> Vec<Family> {
    use ttmem_model::snapshot::SourceStatus;
    let mut build = Family::new("tt_build", Type::Info, "The ttmem that answers.");
    let host = &snapshot.host;
    let labels = Labels::default()
        .with("version", &host.ttmem)
        .maybe("driver", host.driver.as_deref())
        .maybe("kernel", host.kernel.as_deref());
    build.add(&labels, 1);
    let mut up = Family::new("tt_memory_source_up", Type::Gauge, "1 if the source could be read.");
    let mut cost = Family::new(
        "tt_scrape_duration_seconds",
        Type::Gauge,
        "Wall time that reading the source took for this sample.",
    );
    for source in &snapshot.sources {
        // A source that is not there or was not asked for is neither up nor down.
        let status = match source.status {
            SourceStatus::Ok => 1,
            SourceStatus::Denied | SourceStatus::Failed => 0,
            SourceStatus::Absent | SourceStatus::NotRead => continue,
        };
        let labels = Labels::default().with("source", source.name.as_str());
        up.add(&labels, status);
        cost.add(&labels, micros(source.cost_us));
    }
    let mut sample = Family::new(
        "tt_sample_timestamp_seconds",
        Type::Gauge,
        "When the sample was taken, in seconds since 1970.",
    );
    sample.add(&Labels::default(), micros(snapshot.time_us.0));
    vec![build, up, cost, findings(snapshot), sample]
}

fn findings(snapshot: &Snapshot) -> Family {
    use ttmem_model::Severity;
    let mut family = Family::new("tt_findings", Type::Gauge, "Findings of ttmem by severity.");
    for severity in [Severity::Info, Severity::Warning, Severity::Error] {
        let count = snapshot.findings.iter().filter(|finding| finding.severity == severity).count();
        family.add(&Labels::default().with("severity", severity.as_str()), count);
    }
    family
}

/// Microseconds as seconds, every digit of them.
fn micros(value: u64) -> String {
    format!("{}.{:06}", value / 1_000_000, value % 1_000_000)
}

#[cfg(test)]
mod tests;
