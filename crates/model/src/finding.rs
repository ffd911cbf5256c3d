//! Problems that were found, with their remedies.

use serde::{Deserialize, Serialize};

use crate::id::{ChipId, NamesChip, Pid};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; every number is valid.
    Info,
    /// Some number is less than it could be.
    Warning,
    /// Some number is missing or cannot be true.
    Error,
}

impl Severity {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// A stable name, such as `stale-memory`.
    pub id: String,
    /// The severity.
    pub severity: Severity,
    /// The id of the chip it is about, if it is about one and the id is known.
    pub chip: Option<ChipId>,
    /// The index of the chip, if it is still there. A snapshot before 2.3 has none.
    #[serde(default)]
    pub chip_index: Option<u32>,
    /// The process it is about, if it is about one.
    pub pid: Option<Pid>,
    /// The problem, in one line.
    pub text: String,
    /// The remedy, in one line.
    pub remedy: String,
}

impl Finding {
    /// Returns the problem without the chip that it begins with: `is late` of `chip 0 (0000:01:00.0) is late`.
    #[must_use]
    pub fn words(&self) -> &str {
        let Some(named) = self.text.strip_prefix("chip ") else { return &self.text };
        let rest = named.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let address = rest.strip_prefix(" (").and_then(|rest| rest.split_once(')'));
        address.map_or(rest, |(_, rest)| rest).trim_start()
    }

    /// Returns the findings with one for all that have the same words about several chips: the first names the others.
    #[must_use]
    pub fn together(findings: &[Self]) -> Vec<Self> {
        let mut groups: Vec<(&Self, Vec<String>)> = Vec::new();
        for finding in findings {
            let is_same = |(first, _): &&mut (&Self, Vec<String>)| {
                let of = |one: &Self| (one.chip_index.is_some(), one.severity, one.pid);
                of(first) == of(finding)
                    && (&first.id, &first.remedy, first.words())
                        == (&finding.id, &finding.remedy, finding.words())
            };
            match (groups.iter_mut().find(is_same), finding.chip_index) {
                (Some((_, others)), Some(index)) => others.push(index.to_string()),
                _ => groups.push((finding, Vec::new())),
            }
        }
        let one = |(first, others): (&Self, Vec<String>)| {
            let chips = if others.len() == 1 { "chip" } else { "chips" };
            let others = match others.is_empty() {
                true => String::new(),
                false => format!("; the same of {chips} {}", others.join(", ")),
            };
            Self { text: format!("{}{others}", first.text), ..first.clone() }
        };
        groups.into_iter().map(one).collect()
    }
}

impl NamesChip for Finding {
    fn settle(&mut self) {
        self.chip = self.chip.or(self.chip_index.map(ChipId::Unknown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(chip: u32, text: &str) -> Finding {
        Finding {
            id: "device-late".to_owned(),
            severity: Severity::Warning,
            chip: None,
            chip_index: Some(chip),
            pid: None,
            text: text.to_owned(),
            remedy: "wait".to_owned(),
        }
    }

    #[test]
    fn the_same_words_about_several_chips_are_one_finding() {
        let all = [
            finding(0, "chip 0 (0000:01:00.0) is late"),
            finding(1, "chip 1 is hot"),
            finding(12, "chip 12 (0000:0d:00.0) is late"),
            finding(3, "chip 3 is late"),
        ];
        let texts = Finding::together(&all).into_iter().map(|one| one.text).collect::<Vec<_>>();
        assert_eq!(
            texts,
            ["chip 0 (0000:01:00.0) is late; the same of chips 12, 3", "chip 1 is hot"]
        );
        assert_eq!(all[0].words(), "is late");
        assert_eq!(finding(0, "the driver shows 7 chips").words(), "the driver shows 7 chips");
    }
}
