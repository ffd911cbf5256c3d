//! The order of chips in the telemetry of many chips, and the cursor there.

use std::cmp::Ordering;

use ttmem_model::order;
use ttmem_model::snapshot::Chip;
use ttmem_model::{Metric, Reading};

use super::{App, moved};
use crate::tui::key::Step;

/// Number of chips from which each is a row; fewer are columns.
const LEAST_ROWS: usize = 5;

/// The quantity that chips are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChipKey {
    /// The temperature, the highest first.
    #[default]
    Temperature,
    /// The power, the highest first.
    Power,
    /// The current, the highest first.
    Current,
    /// The clock of the Tensix cores, the lowest first: a hot chip slows down.
    AiClock,
    /// The number of the chip.
    Index,
}

/// The order of chips in the telemetry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChipOrder {
    /// The quantity.
    pub(crate) key: ChipKey,
    /// True if the order is turned round.
    pub(crate) reversed: bool,
}

impl ChipKey {
    /// Returns the metric; `None` for the number of the chip.
    #[must_use]
    pub(crate) fn metric(self) -> Option<Metric> {
        match self {
            Self::Temperature => Some(Metric::AsicTemperature),
            Self::Power => Some(Metric::Power),
            Self::Current => Some(Metric::Current),
            Self::AiClock => Some(Metric::AiClock),
            Self::Index => None,
        }
    }

    /// Returns the next quantity.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Temperature => Self::Power,
            Self::Power => Self::Current,
            Self::Current => Self::AiClock,
            Self::AiClock => Self::Index,
            Self::Index => Self::Temperature,
        }
    }
}

impl App {
    /// True if the telemetry has a row for each chip.
    pub(crate) fn has_telemetry_rows(&self) -> bool {
        self.chips().len() >= LEAST_ROWS
    }

    /// Returns the visible chips in the order of the telemetry.
    pub(crate) fn telemetry_chips(&self) -> Vec<&Chip> {
        let mut chips = self.chips();
        if !self.has_telemetry_rows() {
            return chips;
        }
        let ChipOrder { key, reversed } = self.chip_order;
        let value = |chip: &Chip| match key.metric() {
            Some(metric) => chip.telemetry.get(&metric).and_then(Reading::value).map(|it| it.0),
            None => Some(f64::from(chip.index)),
        };
        let ascends = matches!(key, ChipKey::AiClock | ChipKey::Index) != reversed;
        order::sort_by(&mut chips, |one, other| match (value(one), value(other)) {
            (Some(one), Some(other)) if ascends => one.total_cmp(&other),
            (Some(one), Some(other)) => other.total_cmp(&one),
            // Missing values come last in either direction.
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
        chips
    }

    /// Moves in the telemetry: between chips along their rows or columns, and between readings across.
    pub(super) fn step_telemetry(&mut self, step: Step) {
        /// Upper bound of the readings of a chip.
        const READINGS: usize = 200;
        let is_sideways = matches!(step, Step::Left | Step::Right);
        if is_sideways == self.has_telemetry_rows() {
            self.cursors.telemetry = moved(self.cursors.telemetry, READINGS, step, self.page);
            return;
        }
        let chips: Vec<_> = self.telemetry_chips().iter().map(|chip| chip.id).collect();
        let index = chips.iter().position(|chip| Some(*chip) == self.cursors.chip).unwrap_or(0);
        self.cursors.chip = chips.get(moved(index, chips.len(), step, self.page)).copied();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ttmem_fake::{BOOT, Host};
    use ttmem_model::metric::Quantity;
    use ttmem_root::{Clock, Root};

    use super::*;
    use crate::tui::app::{Event, Sample};
    use crate::tui::choice::{Settings, View};
    use crate::tui::history::Moment;
    use crate::tui::tests::screen::LOOK;

    #[test]
    fn the_hottest_chip_is_first_and_an_unknown_one_last() {
        let root = Root::memory(Host::galaxy().into_tree());
        let collector = ttmem_sources::Collector::new(root);
        let mut snapshot = collector.with_clock(Clock::Fixed(ttmem_fake::NOW)).snapshot();
        let hot = snapshot.chips[20].telemetry.get_mut(&Metric::AsicTemperature).unwrap();
        if let Reading::Known { value, .. } = hot {
            *value = Quantity(74.0);
        }
        snapshot.chips[3].telemetry.remove(&Metric::AsicTemperature);
        let mut app =
            App::new(Settings { view: View::Telemetry, ..Settings::default() }, LOOK, false);
        let (at, snapshot) = (Moment(1), Arc::new(snapshot));
        app.update(at, Event::Sample(Sample { at, snapshot, boot: Some(BOOT) }));
        let order =
            |app: &App| app.telemetry_chips().iter().map(|chip| chip.index).collect::<Vec<_>>();
        assert_eq!((order(&app)[0], order(&app)[31]), (20, 3));
        app.chip_order.reversed = true;
        assert_eq!((order(&app)[30], order(&app)[31]), (20, 3));
        app.chip_order = ChipOrder { key: ChipKey::Index, reversed: false };
        assert_eq!(order(&app), (0..32).collect::<Vec<_>>());
        app.step_telemetry(Step::Down);
        assert_eq!(app.cursors.chip, Some(app.chips()[1].id));
    }
}
