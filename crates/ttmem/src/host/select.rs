//! Selection of chips by `-i`.

use ttmem_model::ChipId;
use ttmem_model::snapshot::{Chip, Process, ProcessState, Snapshot};

use crate::error::Error;

/// A selector that matches no chip.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NoSuchChip {
    /// The selector as typed.
    pub(crate) selector: String,
    /// The chips that exist, in one line.
    pub(crate) existing: String,
    /// The snapshot with the chips that other selectors match.
    pub(crate) rest: Box<Snapshot>,
}

impl NoSuchChip {
    /// The error that ends a command.
    pub(crate) fn error(&self) -> Error {
        let Self { selector, existing, .. } = self;
        Error::NotFound(format!("no chip `{selector}`; {existing}"))
    }
}

impl From<NoSuchChip> for Error {
    fn from(missing: NoSuchChip) -> Self {
        missing.error()
    }
}

/// Returns the snapshot with only the chips that a selector matches, their processes, and the findings about either. An
/// empty list selects everything.
///
/// # Errors
/// [`NoSuchChip`] if a selector matches no chip.
pub(crate) fn select(mut snapshot: Snapshot, selectors: &[String]) -> Result<Snapshot, NoSuchChip> {
    if selectors.is_empty() {
        return Ok(snapshot);
    }
    let is_unmatched =
        |selector: &&String| !snapshot.chips.iter().any(|chip| matches(chip, selector));
    let unmatched = selectors.iter().find(is_unmatched);
    let unmatched = unmatched.map(|selector| (selector.clone(), existing(&snapshot)));
    snapshot.chips.retain(|chip| selectors.iter().any(|selector| matches(chip, selector)));
    let chips: Vec<ChipId> = snapshot.chips.iter().map(|chip| chip.id).collect();
    let owns = |process: &Process| {
        process.state == ProcessState::Live
            && snapshot.chips.iter().any(|chip| chip.owners.pids.contains(&process.pid))
    };
    for process in &mut snapshot.processes {
        process.chips.retain(|on_chip| chips.contains(&on_chip.chip));
    }
    snapshot.processes.retain(|process| !process.chips.is_empty() || owns(process));
    let processes = &snapshot.processes;
    snapshot.findings.retain(|finding| match (finding.chip, finding.pid) {
        (Some(chip), _) => chips.contains(&chip),
        (None, Some(pid)) => processes.iter().any(|process| process.pid == pid),
        (None, None) => true,
    });
    match unmatched {
        Some((selector, existing)) => {
            Err(NoSuchChip { selector, existing, rest: Box::new(snapshot) })
        }
        None => Ok(snapshot),
    }
}

/// Returns true if a selector names the chip: by index, device node, PCIe address with or without its domain, ASIC id,
/// or the serial number of its board.
fn matches(chip: &Chip, selector: &str) -> bool {
    let is_index = |text: &str| text.parse() == Ok(chip.index);
    if let Some(number) = selector.strip_prefix("/dev/tenstorrent/") {
        return chip.bdf.is_some() && is_index(number);
    }
    if let Some(digits) = selector.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().is_some_and(|id| chip.id.known() == Some(id));
    }
    let selector = selector.to_ascii_lowercase();
    let has_address = |bdf: &str| {
        let bdf = bdf.to_ascii_lowercase();
        bdf == selector || bdf.split_once(':').is_some_and(|(_, short)| short == selector)
    };
    is_index(&selector)
        || chip.bdf.as_deref().is_some_and(has_address)
        || chip.serial.as_deref().is_some_and(|serial| serial.eq_ignore_ascii_case(&selector))
}

fn existing(snapshot: &Snapshot) -> String {
    let named = |chip: &Chip| match &chip.bdf {
        Some(bdf) => format!("{} ({bdf})", chip.index),
        None => chip.index.to_string(),
    };
    let chips = &snapshot.chips;
    match chips.as_slice() {
        [] => "no chip was found".to_owned(),
        [chip] => format!("there is chip {}", named(chip)),
        _ if chips.len() > MOST_LISTED => {
            let runs = chips.chunk_by(|chip, next| chip.index.checked_add(1) == Some(next.index));
            let runs: Vec<String> = runs
                .filter_map(|run| match run {
                    [] => None,
                    [chip] => Some(named(chip)),
                    [first, .., last] => Some(format!("{} to {}", named(first), named(last))),
                })
                .collect();
            format!("there are {} chips, {}", chips.len(), runs.join(", "))
        }
        _ => {
            format!("there are chips {}", chips.iter().map(named).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The most chips that are listed one by one; of more, the first and the last of each run of indexes are named.
const MOST_LISTED: usize = 8;
