//! The filter typed after `/`: words that must all match, or `field:value`.

use ttmem_analysis::run_report::{OpL1, ProcessOps};
use ttmem_model::buffers::{AllocatorUse, BufferList, LiveBuffer};
use ttmem_model::snapshot::{Chip, Process, Snapshot};
use ttmem_model::{ChipId, Finding};

/// The fields that a filter supports.
pub(crate) const FIELDS: [&str; 13] = [
    "pid",
    "user",
    "name",
    "command",
    "container",
    "state",
    "chip",
    "board",
    "severity",
    "op",
    "kind",
    "layout",
    "origin",
];

/// The condition for a row to be visible. The default shows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Word(String),
    Field(&'static str, String),
}

/// An unknown field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownField(pub(crate) String);

impl std::fmt::Display for UnknownField {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "unknown field {}; use {}", self.0, FIELDS.join(", "))
    }
}

impl Filter {
    /// Parses a filter. A colon in a word that does not begin with a letter is part of the word, as in a PCIe address.
    ///
    /// # Errors
    /// If it names an unknown field.
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownField> {
        let term = |word: &str| match word.split_once(':') {
            Some((field, value)) if field.chars().all(|letter| letter.is_ascii_alphabetic()) => {
                let known = FIELDS.into_iter().find(|known| known.eq_ignore_ascii_case(field));
                let known = known.ok_or_else(|| UnknownField(field.to_owned()))?;
                Ok(Term::Field(known, value.to_lowercase()))
            }
            _ => Ok(Term::Word(word.to_lowercase())),
        };
        let terms = text.split_whitespace().map(term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// True if it shows everything.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True if it shows a process.
    #[must_use]
    pub(crate) fn shows_process(&self, snapshot: &Snapshot, process: &Process) -> bool {
        let text = |field: &str| match field {
            "pid" => Some(process.pid.to_string()),
            "user" => process.user.clone(),
            "name" => Some(process.name.clone()),
            "command" => Some(process.command.clone()),
            "container" => process.container.clone(),
            "state" => Some(process.state.as_str().to_owned()),
            _ => None,
        };
        let chips = || {
            let on = |id: ChipId| process.chips.iter().any(|chip| chip.chip == id);
            snapshot.chips.iter().filter(move |chip| on(chip.id))
        };
        self.terms.iter().all(|term| match term {
            Term::Word(word) => {
                FIELDS.iter().filter_map(|field| text(field)).any(|text| holds(&text, word))
            }
            Term::Field("chip", value) => chips().any(|chip| is_chip(chip, value)),
            Term::Field("board", value) => chips().any(|chip| has_board(chip, value)),
            Term::Field("pid", value) => process.pid.to_string() == *value,
            Term::Field(field, value) => text(field).is_some_and(|text| holds(&text, value)),
        })
    }

    /// True if it shows a line about a chip with these names.
    #[must_use]
    pub(crate) fn shows_reading(&self, chip: &Chip, names: &[&str]) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) | Term::Field("name", word) => {
                names.iter().any(|name| holds(name, word))
            }
            Term::Field("chip", value) => is_chip(chip, value),
            Term::Field("board", value) => has_board(chip, value),
            Term::Field(..) => false,
        })
    }

    /// True if it shows a buffer. Names of processes and chips are those of its list.
    #[must_use]
    pub(crate) fn shows_buffer(&self, list: &BufferList, buffer: &LiveBuffer) -> bool {
        let owner = || list.processes.iter().find(|owner| owner.pid == buffer.pid);
        let its = |allocator: &&AllocatorUse| {
            (allocator.pid, allocator.number) == (buffer.pid, buffer.allocator)
        };
        let op = || buffer.op.as_deref().unwrap_or_default();
        self.terms.iter().all(|term| match term {
            Term::Word(word) => {
                [op(), buffer.kind.label(), &buffer.layout, &buffer.origin]
                    .iter()
                    .any(|text| holds(text, word))
                    || format!("0x{:08x}", buffer.address).contains(word.as_str())
                    || owner().is_some_and(|owner| holds(&owner.name, word))
            }
            Term::Field("op", value) => holds(op(), value),
            Term::Field("kind", value) => buffer.kind.label().eq_ignore_ascii_case(value),
            Term::Field("layout", value) => holds(&buffer.layout, value),
            Term::Field("origin", value) => holds(&buffer.origin, value),
            Term::Field("pid", value) => buffer.pid.to_string() == *value,
            Term::Field("name", value) => owner().is_some_and(|owner| holds(&owner.name, value)),
            Term::Field("user", value) => {
                owner().and_then(|owner| owner.user.as_deref()).is_some_and(|it| holds(it, value))
            }
            Term::Field("state", value) => {
                owner().is_some_and(|owner| holds(owner.state.as_str(), value))
            }
            Term::Field("chip", value) => {
                let chips = list.allocators.iter().filter(its).flat_map(|its| &its.chips);
                chips
                    .into_iter()
                    .any(|chip| chip.index.to_string() == *value || chip.id.to_string() == *value)
            }
            Term::Field(..) => false,
        })
    }

    /// True if it shows an op of a process.
    #[must_use]
    pub(crate) fn shows_op(&self, process: &ProcessOps, op: &OpL1) -> bool {
        let owner = &process.owner;
        let name = op.op.as_deref().unwrap_or_default();
        self.terms.iter().all(|term| match term {
            Term::Word(word) => holds(name, word) || holds(&owner.name, word),
            Term::Field("op", value) => holds(name, value),
            Term::Field("pid", value) => owner.pid.to_string() == *value,
            Term::Field("name", value) => holds(&owner.name, value),
            Term::Field("user", value) => owner.user.as_deref().is_some_and(|it| holds(it, value)),
            Term::Field("state", value) => holds(owner.state.as_str(), value),
            Term::Field("chip", value) => op
                .chips
                .iter()
                .filter_map(|chip| chip.index)
                .any(|index| index.to_string() == *value),
            Term::Field(..) => false,
        })
    }

    /// True if it shows a finding.
    #[must_use]
    pub(crate) fn shows_finding(&self, snapshot: &Snapshot, finding: &Finding) -> bool {
        let chip = || snapshot.chips.iter().find(|chip| Some(chip.id) == finding.chip);
        self.terms.iter().all(|term| match term {
            Term::Word(word) => {
                let texts = [finding.id.as_str(), &finding.text, &finding.remedy];
                texts.iter().any(|text| holds(text, word))
            }
            Term::Field("name", value) => holds(&finding.id, value),
            Term::Field("severity", value) => finding.severity.as_str().starts_with(value.as_str()),
            Term::Field("pid", value) => finding.pid.is_some_and(|pid| pid.to_string() == *value),
            Term::Field("chip", value) => chip().is_some_and(|chip| is_chip(chip, value)),
            Term::Field("board", value) => chip().is_some_and(|chip| has_board(chip, value)),
            Term::Field(..) => false,
        })
    }
}

fn holds(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

fn is_chip(chip: &Chip, value: &str) -> bool {
    chip.index.to_string() == *value
        || chip.bdf.as_deref().is_some_and(|bdf| bdf.ends_with(value) && value.contains(':'))
        || chip.id.to_string() == *value
}

fn has_board(chip: &Chip, value: &str) -> bool {
    chip.board.as_deref().is_some_and(|board| holds(board, value))
}
