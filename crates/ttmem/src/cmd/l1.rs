//! `ttmem l1`: the L1 of the worker cores.

mod refusal;
mod save;

use std::thread;
use std::time::Instant;

use ttmem_model::facts::L1Facts;
use ttmem_model::l1::Coordinate;
use ttmem_model::l1::report::L1Report;
use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_sources::{Collector, L1Look};

use self::refusal::{no_such_core, nothing_read};
use super::target::{Delivery, Mode, deliver};
use crate::cli::l1::{L1Request, L1View};
use crate::error::Error;
use crate::host::select::select;
use crate::output::json;
use crate::output::l1::view::ChipView;
use crate::output::l1::{Unread, grids, lists, maps};
use crate::output::page::{FULL_WIDTH, Page};
use crate::terminal::notify;

/// Reads L1 as often as requested and shows each look.
///
/// # Errors
/// If no L1 could be read, a chip or a core does not exist, or the output cannot be written.
pub(crate) fn run(
    request: &L1Request,
    collector: &mut Collector,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Error> {
    if let L1View::Save(directory) = &request.view {
        return save::run(request, collector, directory);
    }
    let mode = if request.repeat.is_some() { Mode::Append } else { Mode::Replace };
    let count = match request.repeat {
        None => 1,
        Some(repeat) => repeat.count.unwrap_or(u64::MAX),
    };
    let mut next = Instant::now();
    let mut outcome = Ok(());
    for sample in 0..count {
        // Only the first sample decides: a chip may be late or gone for a while.
        match Selected::new(collector.look(), &request.selectors) {
            Ok(look) => {
                outcome = Ok(());
                let text = look.render(request, &pages(FULL_WIDTH), sample)?;
                if deliver(&request.target, mode, &text)? == Delivery::Closed {
                    return Ok(());
                }
            }
            Err(error) if sample == 0 => return Err(error),
            Err(error) if sample + 1 == count => outcome = Err(error),
            Err(error) => {
                notify(error.message());
                outcome = Err(error);
            }
        }
        if let Some(repeat) = request.repeat.filter(|_| sample + 1 < count) {
            next = (next + repeat.interval.duration()).max(Instant::now());
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    outcome
}

/// A look at the selected chips.
struct Selected {
    snapshot: Snapshot,
    chips: Vec<(u32, L1Facts)>,
}

impl Selected {
    fn new(look: L1Look, selectors: &[String]) -> Result<Self, Error> {
        let L1Look { snapshot, mut chips, .. } = look;
        if chips.is_empty() {
            return Err(nothing_read(&snapshot, &chips));
        }
        let snapshot = select(snapshot, selectors)?;
        chips.retain(|(index, _)| snapshot.chips.iter().any(|chip| chip.index == *index));
        if chips.iter().all(|(_, facts)| facts.content.is_err()) {
            return Err(nothing_read(&snapshot, &chips));
        }
        Ok(Self { snapshot, chips })
    }

    /// Iterates over the chips with their L1.
    fn pairs(&self) -> impl Iterator<Item = (&Chip, &L1Facts)> {
        self.chips.iter().filter_map(|(index, facts)| {
            let chip = self.snapshot.chips.iter().find(|chip| chip.index == *index)?;
            Some((chip, facts))
        })
    }

    fn render(&self, request: &L1Request, page: &Page, sample: u64) -> Result<Vec<u8>, Error> {
        let views: Vec<ChipView<'_>> = self
            .pairs()
            .filter_map(|(chip, facts)| ChipView::new(&self.snapshot, chip, facts))
            .collect();
        if request.view == L1View::Json {
            let layout = match request.repeat {
                None => json::Layout::Pretty,
                Some(_) => json::Layout::Line,
            };
            let report = L1Report::new(views.iter().map(ChipView::report).collect());
            let mut bytes = Vec::new();
            json::write(&report, layout, &mut bytes).map_err(|error| Error::json(&error))?;
            return Ok(bytes);
        }
        let unread = self.unread();
        let text = match &request.view {
            L1View::Core([x, y]) => {
                let core = Coordinate { x: *x, y: *y };
                if views.iter().all(|view| view.core_at(core).is_none()) {
                    return Err(no_such_core(core, &views));
                }
                maps(&self.snapshot, &views, &unread, core, page)
            }
            L1View::Cores => lists(&self.snapshot, &views, &unread, request.sort, page),
            L1View::Grid | L1View::Json | L1View::Save(_) => {
                grids(&self.snapshot, &views, &unread, request.sort, page)
            }
        };
        let separator = if sample > 0 { "\n" } else { "" };
        Ok((separator.to_owned() + &text).into_bytes())
    }

    fn unread(&self) -> Vec<Unread> {
        let why = |(chip, facts): (&Chip, &L1Facts)| {
            let missing = facts.content.as_ref().err()?;
            Some(Unread { index: chip.index, why: missing.detail.clone() })
        };
        self.pairs().filter_map(why).collect()
    }
}
