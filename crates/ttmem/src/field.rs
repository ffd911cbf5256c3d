//! The table of fields: everything that can be asked of a host, a chip or a process, for every output.
//!
//! A row has a name, a label, a unit, a line of help, its metrics, and the function that reads it. `-q`, CSV, the charts,
//! `/metrics`, OTLP and docs/metrics.md iterate the rows; a column of a table looks its row up by name. A new field is a
//! new row. Names are dotted paths of the snapshot's JSON, and as stable.

pub(crate) mod cell;
pub(crate) mod device;
pub(crate) mod finding;
pub(crate) mod metric;
pub(crate) mod process;
pub(crate) mod query;
pub(crate) mod source;
mod telemetry;

use std::borrow::Cow;

use self::metric::{Attribute, Sample};

/// A field. `R` is the function that reads it.
#[derive(Clone, Debug)]
pub(crate) struct Field<R> {
    /// The dotted name.
    pub(crate) name: Cow<'static, str>,
    /// The unit of a number; empty for texts and counts.
    pub(crate) unit: &'static str,
    /// The heading of a column; empty where the label serves.
    pub(crate) heading: &'static str,
    /// One sentence.
    pub(crate) help: Cow<'static, str>,
    /// The metric for Prometheus.
    pub(crate) prometheus: Option<Sample>,
    /// The metrics for OpenTelemetry: ours, and the one of its conventions beside it.
    pub(crate) otel: [Option<Sample>; 2],
    /// The label that identifies the chip, process, source or finding in each of its samples for Prometheus.
    pub(crate) label: Option<&'static str>,
    /// The label of the info metric for Prometheus.
    pub(crate) info: Option<&'static str>,
    /// The attributes for OpenTelemetry.
    pub(crate) attributes: &'static [Attribute],
    /// The function that reads it.
    pub(crate) read: R,
}

impl<R> Field<R> {
    /// Creates a text or a count.
    const fn plain(name: &'static str, help: &'static str, read: R) -> Self {
        Self::with_unit(name, "", help, read)
    }

    /// Creates a number of bytes.
    const fn bytes(name: &'static str, help: &'static str, read: R) -> Self {
        Self::with_unit(name, "B", help, read)
    }

    const fn with_unit(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        read: R,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            unit,
            heading: "",
            help: Cow::Borrowed(help),
            prometheus: None,
            otel: [None; 2],
            label: None,
            info: None,
            attributes: &[],
            read,
        }
    }

    /// Sets the unit of a number.
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Sets the heading of a column.
    const fn headed(mut self, heading: &'static str) -> Self {
        self.heading = heading;
        self
    }

    /// Returns the heading of a column of a table.
    #[must_use]
    pub(crate) fn heading(&self) -> Cow<'static, str> {
        match self.heading {
            "" => self.label().into(),
            heading => heading.into(),
        }
    }

    /// Returns the label on the screen: the last part of the name in words, without its unit.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        label(self.name.rsplit('.').next().unwrap_or(&self.name), self.unit)
    }
}

/// Returns a part of a field's name in words. A unit at its end is left out, since it follows the value.
#[must_use]
pub(crate) fn label(part: &str, unit: &str) -> String {
    match part {
        "l1_small" => return "L1_SMALL".to_owned(),
        "ttmem_version" => return "ttmem version".to_owned(),
        "tt_flash" => return "tt-flash".to_owned(),
        _ => {}
    }
    let suffix = unit.to_ascii_lowercase().replace('/', "");
    let part = part.strip_suffix(suffix.as_str()).unwrap_or(part);
    let part = part.strip_suffix("_bytes_per_s").or(part.strip_suffix("_bytes")).unwrap_or(part);
    let words = part.trim_end_matches('_').split('_').enumerate();
    let words: Vec<String> = words.map(|(index, word)| spelled(word, index == 0)).collect();
    words.join(" ")
}

fn spelled(word: &str, is_first: bool) -> String {
    match word {
        "pcie" => "PCIe".to_owned(),
        "pids" => "PIDs".to_owned(),
        "therm" => "Thermal".to_owned(),
        "aiclk" | "arc" | "arcclk" | "asic" | "axiclk" | "bdf" | "cpu" | "dram" | "id" | "l1"
        | "m3" | "numa" | "pid" => word.to_ascii_uppercase(),
        _ if is_first => {
            let mut characters = word.chars();
            let first = characters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(characters).collect()
        }
        _ => word.to_owned(),
    }
}
