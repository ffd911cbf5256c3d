//! The L1 of worker cores: the request, the result, and the selected core.

use ttmem_model::facts::Field;
use ttmem_model::l1::Coordinate;
use ttmem_model::l1::report::{ChipReport, CoreReport};
use ttmem_model::snapshot::{Snapshot, SourceStatus};
use ttmem_model::{ChipId, Reading, SourceName};

use super::{Action, App, Step};
use crate::tui::cores::CoreLook;
use crate::tui::history::Moment;

/// A request for L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoreRequest {
    /// Read simulated chips, captures, the demonstration, and the record of agents: no device is opened.
    WithoutDevices,
    /// Read devices too.
    WithDevices,
    /// Show what the recording contains; this machine is not read.
    Recorded,
    /// Stop reading.
    Nothing,
}

/// The quantity shown in a cell of the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Heat {
    /// Bytes of circular buffers.
    #[default]
    Bytes,
    /// Headroom: bytes left for the next program or tensor.
    Headroom,
}

/// The L1 of worker cores.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// The current request, if there is one.
    pub(crate) requested: Option<CoreRequest>,
    /// The last result, and its time.
    pub(crate) read: Option<(Moment, CoreLook)>,
    /// The coordinate of the selected core.
    pub(crate) cursor: (u8, u8),
    /// The quantity shown in the grid.
    pub(crate) heat: Heat,
}

impl Cores {
    /// Returns the cores of a chip.
    #[must_use]
    pub(crate) fn of(&self, chip: ChipId) -> Option<&Field<ChipReport>> {
        let (_, look) = self.read.as_ref()?;
        look.chips.iter().find(|(id, _)| *id == chip).map(|(_, cores)| cores)
    }

    /// Stores a result.
    pub(super) fn store(&mut self, at: Moment, look: CoreLook) {
        self.read = Some((at, look));
    }

    /// Adds L1 values to a snapshot that was taken without them, as long as they are fresh.
    pub(super) fn complete(&self, at: Moment, interval: u64, snapshot: &mut Snapshot) {
        /// The age, in microseconds, beyond which values are not current. Three samples if that is longer.
        const FRESH_MICROS: u64 = 5_000_000;
        let Some((read_at, look)) = &self.read else { return };
        let age = at.since(*read_at);
        if age > FRESH_MICROS.max(interval.saturating_mul(3)) {
            return;
        }
        if !look.memory.is_empty()
            && let Some(source) = snapshot.sources.iter_mut().find(|it| it.name == SourceName::L1)
        {
            source.status = SourceStatus::Ok;
            source.detail = format!("L1 of {} read for view 3", chips_in_words(look.memory.len()));
        }
        for chip in &mut snapshot.chips {
            let Some((_, of_l1)) = look.memory.iter().find(|(id, _)| *id == chip.id) else {
                continue;
            };
            let memory = &mut chip.memory;
            let pairs = [
                (&mut memory.circular_buffers.used, &of_l1.circular_buffers.used),
                (&mut memory.circular_buffers.running, &of_l1.circular_buffers.running),
                (&mut memory.circular_buffers.aliasing, &of_l1.circular_buffers.aliasing),
                (&mut memory.kernels.used, &of_l1.kernels.used),
                (&mut memory.kernels.running, &of_l1.kernels.running),
                (&mut memory.kernels.system, &of_l1.kernels.system),
                (&mut memory.reserved.used, &of_l1.reserved.used),
                (&mut memory.l1_total.used, &of_l1.l1_total.used),
            ];
            for (target, reading) in pairs {
                if target.value().is_none() {
                    *target = older(reading, age);
                }
            }
        }
    }
}

fn chips_in_words(count: usize) -> String {
    if count == 1 { "1 chip".to_owned() } else { format!("{count} chips") }
}

/// Returns the reading with microseconds added to its age.
fn older(reading: &Reading<u64>, micros: u64) -> Reading<u64> {
    match reading {
        Reading::Known { age_us, .. } => reading.clone().aged(age_us + micros),
        Reading::Missing(_) => reading.clone(),
    }
}

impl App {
    /// Returns the cores of the selected chip.
    pub(crate) fn chip_cores(&self) -> Option<&Field<ChipReport>> {
        let chips = self.chips();
        self.cores.of(chips.get(self.chip_index())?.id)
    }

    /// Returns the selected core.
    pub(crate) fn core(&self) -> Option<&CoreReport> {
        let (x, y) = self.cores.cursor;
        self.chip_cores()?.as_ref().ok()?.at(Coordinate { x, y })
    }

    /// Starts reading sources that need no device, when the view opens for the first time.
    pub(super) fn open_l1(&mut self) -> Action {
        if self.cores.requested.is_some() {
            return Action::Draw;
        }
        self.request_cores(match self.replay {
            None => CoreRequest::WithoutDevices,
            Some(_) => CoreRequest::Recorded,
        })
    }

    /// Starts reading devices too (Enter).
    pub(super) fn read_devices(&mut self) -> Action {
        if self.replay.is_some()
            || self.cores.requested == Some(CoreRequest::WithDevices)
            || self.chip_cores().is_some()
        {
            return Action::Draw;
        }
        self.request_cores(CoreRequest::WithDevices)
    }

    /// Stops reading L1.
    pub(super) fn stop_reading(&mut self) -> Action {
        self.cores.read = None;
        self.cores.requested = None;
        Action::Cores(CoreRequest::Nothing)
    }

    fn request_cores(&mut self, request: CoreRequest) -> Action {
        self.cores.requested = Some(request);
        Action::Cores(request)
    }

    /// Moves the core cursor within the grid.
    pub(super) fn step_core(&mut self, step: Step) {
        let cores = self.chip_cores().and_then(|cores| cores.as_ref().ok());
        let Some(grid) = cores.and_then(|cores: &ChipReport| cores.grid) else { return };
        let (right, bottom) = (grid.columns.saturating_sub(1), grid.rows.saturating_sub(1));
        let (x, y) = self.cores.cursor;
        match step {
            Step::PageUp | Step::PageDown => self.scroll_details(step),
            _ => self.scroll.set(0),
        }
        self.cores.cursor = match step {
            Step::Left => (x.saturating_sub(1), y),
            Step::Right => ((x + 1).min(right), y),
            Step::Up => (x, y.saturating_sub(1)),
            Step::Down => (x, (y + 1).min(bottom)),
            Step::PageUp | Step::PageDown => (x, y),
            Step::First => (0, y),
            Step::Last => (right, y),
        };
    }

    /// Selects the next chip.
    pub(super) fn next_chip(&mut self) {
        let chips: Vec<ChipId> = self.chips().iter().map(|chip| chip.id).collect();
        let next = (self.chip_index() + 1) % chips.len().max(1);
        self.cursors.chip = chips.get(next).copied();
        self.scroll.set(0);
    }
}
