//! `ttmem l1`: the L1 of the worker cores.

mod layout;
mod refusal;
mod save;

use ttmem_model::facts::Field;
use ttmem_model::l1::Coordinate;
use ttmem_model::l1::report::{ChipReport, L1Report};
use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_sources::{Collector, L1Look};

pub(crate) use self::layout::layout;
use self::refusal::{no_such_core, nothing_read};
use super::samples::{Sample, samples};
use super::target::{Delivery, Mode, deliver};
use crate::cli::l1::{L1From, L1Request, L1View};
use crate::error::Error;
use crate::host::select::select;
use crate::output::json;
use crate::output::l1::view::ChipView;
use crate::output::l1::{Chips, Unread};
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
    let mode = Mode::of(request.repeat);
    let mut outcome = Ok(());
    for sample in samples(request.repeat) {
        // Only the first sample decides: a chip may be late or gone for a while.
        match Selected::new(&collector.look(), request) {
            Ok(look) => {
                outcome = Ok(());
                let text = look.render(request, &pages(FULL_WIDTH), sample)?;
                if deliver(&request.target, mode, &text)? == Delivery::Closed {
                    return Ok(());
                }
            }
            Err(error) if sample.is_first() => return Err(error),
            Err(error) if sample.is_last => outcome = Err(error),
            Err(error) => {
                notify(error.message());
                outcome = Err(error);
            }
        }
    }
    outcome
}

/// The L1 of chips from the requested source; without a request, by agents where L1 was not read. Captures are of L1 alone.
fn chips(look: &L1Look, request: &L1Request) -> Vec<(u32, Field<ChipReport>)> {
    let is_save = matches!(request.view, L1View::Save(_));
    match request.source {
        Some(L1From::Agent) => look.by_agents(),
        Some(L1From::L1) => look.read(),
        None if is_save => look.read(),
        None => look.or_by_agents(look.read()),
    }
}

/// A look at the selected chips.
struct Selected {
    snapshot: Snapshot,
    chips: Vec<(u32, Field<ChipReport>)>,
}

impl Selected {
    fn new(look: &L1Look, request: &L1Request) -> Result<Self, Error> {
        let mut chips = chips(look, request);
        let snapshot = look.snapshot.clone();
        if chips.is_empty() {
            return Err(nothing_read(&snapshot, &chips, request.source));
        }
        let snapshot = select(snapshot, &request.selectors)?;
        chips.retain(|(index, _)| snapshot.chips.iter().any(|chip| chip.index == *index));
        if chips.iter().all(|(_, report)| report.is_err()) {
            return Err(nothing_read(&snapshot, &chips, request.source));
        }
        Ok(Self { snapshot, chips })
    }

    /// Iterates over the chips with their L1.
    fn pairs(&self) -> impl Iterator<Item = (&Chip, &Field<ChipReport>)> {
        self.chips.iter().filter_map(|(index, report)| {
            let chip = self.snapshot.chips.iter().find(|chip| chip.index == *index)?;
            Some((chip, report))
        })
    }

    fn render(&self, request: &L1Request, page: &Page, sample: Sample) -> Result<Vec<u8>, Error> {
        let views: Vec<ChipView<'_>> = self
            .pairs()
            .filter_map(|(chip, report)| {
                let report = report.as_ref().ok()?;
                Some(ChipView { snapshot: &self.snapshot, chip, report })
            })
            .collect();
        if request.view == L1View::Json {
            let layout = match request.repeat {
                None => json::Layout::Pretty,
                Some(_) => json::Layout::Line,
            };
            let report = L1Report::new(views.iter().map(|view| view.report.clone()).collect());
            let mut bytes = Vec::new();
            json::write(&report, layout, &mut bytes).map_err(|error| Error::json(&error))?;
            return Ok(bytes);
        }
        let unread = self.unread();
        let chips = Chips { snapshot: &self.snapshot, views: &views, unread: &unread };
        let text = match &request.view {
            L1View::Core([x, y]) => {
                let core = Coordinate { x: *x, y: *y };
                if views.iter().all(|view| view.report.at(core).is_none()) {
                    return Err(no_such_core(core, &views));
                }
                chips.maps(core, page)
            }
            L1View::Cores => chips.lists(request.sort, page),
            L1View::Grid | L1View::Json | L1View::Save(_) => chips.grids(request.sort, page),
        };
        let separator = if sample.is_first() { "" } else { "\n" };
        Ok((separator.to_owned() + &text).into_bytes())
    }

    fn unread(&self) -> Vec<Unread> {
        let why = |(chip, report): (&Chip, &Field<ChipReport>)| {
            let missing = report.as_ref().err()?;
            Some(Unread { index: chip.index, why: missing.detail.to_string() })
        };
        self.pairs().filter_map(why).collect()
    }
}
