//! The state of the live view, and its update for every event.
//!
//! Pure: no I/O, no clock, no terminal. Events carry the time, and work for the outside is returned as an [`Action`].
//! Views draw from the state and never change it, but for the end of what scrolls.

mod buffers;
mod chart;
mod command;
mod cores;
mod event;
mod listed;
mod ops;
mod overlay;
mod past;
mod replay;
mod sample;
mod subjects;
mod telemetry;

use std::cell::Cell;
use std::sync::Arc;

use ttmem_model::order;
use ttmem_model::snapshot::{Chip, Process, Snapshot};
use ttmem_model::{ChipId, Finding, Timestamp};

use super::choice::{Settings, View};
use super::details::Details;
use super::history::Moment;
use super::key::Step;
use super::look::{Look, Role};
use super::select::{Filter, Order, Row, RowId, rows};
use super::track::ProcessId;

pub(crate) use buffers::Buffers;
pub(crate) use chart::Charts;
pub(crate) use cores::{CoreRequest, Cores, Heat};
pub(crate) use event::{Action, Event, Gesture, Mouse, Target};
pub(crate) use listed::{ListKind, Listed, Pace};
pub(crate) use ops::Ops;
pub(crate) use overlay::{Overlay, Signal};
pub(crate) use past::{Past, Rates};
pub(crate) use replay::{FRAME_MICROS, Jump, Playback, Replay};
pub(crate) use sample::{Sample, Shown};
pub(crate) use telemetry::ChipOrder;

/// Intervals between samples, in microseconds.
pub(crate) const INTERVALS: [u64; 10] = [
    100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 30_000_000,
    60_000_000,
];

/// Microseconds of delay that are not reported.
const SILENCE_LEAST: u64 = 2_000_000;

/// Microseconds that a message stays.
const MESSAGE_MICROS: u64 = 4_000_000;

/// The focused part of the overview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    /// The chips.
    #[default]
    Chips,
    /// The processes.
    Processes,
}

/// The subject that is shown alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Only {
    /// Everything is shown.
    #[default]
    All,
    /// One chip and its processes.
    Chip(ChipId),
    /// One process and its chips.
    Process(ProcessId),
}

/// A line at the bottom of the screen that disappears after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The text.
    pub(crate) text: String,
    /// The style.
    pub(crate) role: Role,
    until: Moment,
}

/// The cursors. Each follows its subject, not the row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursors {
    /// The chip.
    pub(crate) chip: Option<ChipId>,
    /// The row of the process table.
    pub(crate) row: Option<RowId>,
    /// The id of the finding.
    pub(crate) finding: usize,
    /// Scroll offset of the telemetry, in lines.
    pub(crate) telemetry: usize,
}

/// The state.
#[derive(Debug)]
pub(crate) struct App {
    pub(super) look: Look,
    pub(super) view: View,
    pub(super) shown: Option<Shown>,
    /// The newest sample while the screen is frozen.
    pub(super) waiting: Option<Shown>,
    pub(super) frozen: bool,
    pub(super) past: Past,
    pub(super) interval: u64,
    /// Arrival time of the last sample.
    pub(super) heard: Option<Moment>,
    pub(super) now: Moment,
    pub(super) focus: Focus,
    pub(super) only: Only,
    pub(super) cursors: Cursors,
    /// Scroll offset of the details of a process, buffer or core, in lines. Drawing limits it to their length.
    pub(super) scroll: Cell<usize>,
    pub(super) order: Order,
    pub(super) chip_order: ChipOrder,
    pub(super) filter: Filter,
    pub(super) filter_text: String,
    pub(super) charts: Charts,
    pub(super) cores: Cores,
    pub(super) buffers: Buffers,
    pub(super) ops: Ops,
    /// The recording that is being played, if any.
    pub(super) replay: Option<Replay>,
    pub(super) overlay: Option<Overlay>,
    /// The process whose details are shown, and its details.
    pub(super) details: Option<(ProcessId, Option<Details>)>,
    pub(super) message: Option<Message>,
    /// The largest move of a cursor, in pages.
    pub(super) page: usize,
    allow_signals: bool,
    settings: Settings,
}

impl App {
    /// Creates the state before the first sample.
    #[must_use]
    pub(crate) fn new(settings: Settings, look: Look, allow_signals: bool) -> Self {
        Self {
            look,
            view: settings.view,
            shown: None,
            waiting: None,
            frozen: false,
            past: Past::default(),
            interval: settings.interval_micros,
            heard: None,
            now: Moment::default(),
            focus: Focus::default(),
            only: Only::default(),
            cursors: Cursors::default(),
            scroll: Cell::default(),
            order: Order {
                column: settings.sort,
                ascending: settings.ascending,
                tree: settings.tree,
            },
            chip_order: ChipOrder::default(),
            filter: Filter::default(),
            filter_text: String::new(),
            charts: Charts::new(&settings),
            cores: Cores::default(),
            buffers: Buffers::new(settings.sort_buffers, settings.reverse_buffers),
            ops: Ops::new(settings.sort_ops, settings.reverse_ops),
            replay: None,
            overlay: None,
            details: None,
            message: None,
            page: 10,
            allow_signals,
            settings,
        }
    }

    /// Returns the settings to save.
    #[must_use]
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            theme: Some(self.look.theme),
            interval_micros: match self.replay {
                // The interval of a recording is not a setting.
                Some(_) => self.settings.interval_micros,
                None => self.interval,
            },
            view: self.view,
            sort: self.order.column,
            ascending: self.order.ascending,
            tree: self.order.tree,
            sort_buffers: self.buffers.key,
            reverse_buffers: self.buffers.reversed,
            sort_ops: self.ops.key,
            reverse_ops: self.ops.reversed,
            window: self.charts.window,
            metrics: self.charts.panels.clone(),
            arrange: self.charts.arrange,
            scale: self.charts.scale,
            ..self.settings.clone()
        }
    }

    /// Returns the microseconds between samples.
    #[must_use]
    pub(crate) fn interval_micros(&self) -> u64 {
        self.interval
    }

    /// Sets the half-page step of the movement keys.
    pub(crate) fn set_page(&mut self, rows: usize) {
        self.page = (rows / 2).max(1);
    }

    /// Shows a message.
    pub(crate) fn notify(&mut self, role: Role, text: impl Into<String>) {
        let until = Moment(self.now.0 + MESSAGE_MICROS);
        self.message = Some(Message { text: text.into(), role, until });
    }

    /// Handles an event at a time.
    pub(crate) fn update(&mut self, at: Moment, event: Event) -> Action {
        let is_first = self.now == Moment::default();
        self.now = self.now.max(at);
        // A message from before the first time event lasts as long as any other.
        if let Some(message) = self.message.as_mut().filter(|_| is_first) {
            message.until = Moment(self.now.0 + MESSAGE_MICROS);
        }
        if self.message.as_ref().is_some_and(|message| message.until <= self.now) {
            self.message = None;
        }
        let action = self.handle(event);
        self.choose_buffers();
        self.choose_ops();
        action
    }

    fn handle(&mut self, event: Event) -> Action {
        match event {
            Event::Key(key) => self.press(key),
            Event::Paste(text) => self.paste(&text),
            Event::Mouse(mouse) => self.point(mouse),
            Event::Sample(sample) => {
                self.show_sample(sample);
                self.refresh_details()
            }
            Event::Before(past) => {
                self.past = *past;
                Action::Draw
            }
            Event::Cores(look) => {
                if self.cores.requested.is_some() {
                    self.cores.store(self.now, *look);
                }
                Action::Draw
            }
            Event::Buffers(at, list) => {
                self.store_buffers(at, *list);
                Action::Draw
            }
            Event::Ops(at, list) => {
                self.store_ops(at, list);
                Action::Draw
            }
            Event::Past(sought, past, rates) => {
                self.take_past(sought, *past, rates);
                Action::Draw
            }
            Event::Happened(events) => {
                if let Some(replay) = &mut self.replay {
                    replay.events = events;
                }
                Action::Draw
            }
            Event::Ended => {
                self.end_replay();
                Action::Draw
            }
            Event::Details(process, details) => {
                if let Some((asked, known)) = &mut self.details
                    && *asked == process
                {
                    *known = Some(details);
                }
                Action::Draw
            }
            Event::Done(Ok(text)) => {
                self.notify(Role::Strong, text);
                Action::Draw
            }
            Event::Done(Err(text)) => {
                self.notify(Role::Alarm, text);
                Action::Draw
            }
            Event::Tick => Action::Draw,
        }
    }

    /// Returns the sample on screen: the newest one, or the one at which the screen was frozen.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.shown.as_ref().map(|shown| &*shown.snapshot)
    }

    /// Returns the end of the time axis.
    pub(super) fn until(&self) -> Moment {
        self.shown.as_ref().map(|shown| shown.at).unwrap_or_default()
    }

    /// Returns the microseconds since the last sample, if the next one is late.
    pub(super) fn silence(&self) -> Option<u64> {
        let silence = self.now.since(self.heard.filter(|_| self.replay.is_none())?);
        (silence >= SILENCE_LEAST.max(self.interval.saturating_mul(3))).then_some(silence)
    }

    /// Returns the microseconds until the screen changes without an event: a message expires, or a delay must be shown
    /// or grows by a second. `None` if nothing is due.
    #[must_use]
    pub(crate) fn wait(&self, now: Moment) -> Option<u64> {
        const SECOND: u64 = 1_000_000;
        let message = self.message.as_ref().map(|message| message.until.since(now));
        let silence = match self.silence() {
            Some(_) => Some(SECOND),
            None => self.heard.filter(|_| self.replay.is_none()).map(|heard| {
                let silent_from =
                    Moment(heard.0 + SILENCE_LEAST.max(self.interval.saturating_mul(3)));
                silent_from.since(now)
            }),
        };
        let list = self.list_wait(now);
        // A little later than due, so that it is due then.
        message.into_iter().chain(silence).chain(list).min().map(|micros| micros + 1_000)
    }

    /// Returns the visible chips.
    pub(super) fn chips(&self) -> Vec<&Chip> {
        let Some(snapshot) = self.snapshot() else { return Vec::new() };
        let held = |chip: &&Chip| match self.only {
            Only::Process(id) => snapshot
                .processes
                .iter()
                .filter(|process| ProcessId::of(process) == id)
                .any(|process| process.chips.iter().any(|on_chip| on_chip.chip == chip.id)),
            Only::All | Only::Chip(_) => true,
        };
        let alone = |chip: &&Chip| match self.only {
            Only::Chip(id) => chip.id == id,
            Only::All | Only::Process(_) => true,
        };
        in_order(snapshot).into_iter().filter(held).filter(alone).collect()
    }

    /// True if a selection or a filter hides anything.
    pub(super) fn hides(&self) -> bool {
        self.only != Only::All || !self.filter.is_empty()
    }

    /// True if a process is visible.
    pub(super) fn shows(&self, snapshot: &Snapshot, process: &Process) -> bool {
        let selected = match self.only {
            Only::All => true,
            Only::Process(id) => ProcessId::of(process) == id,
            Only::Chip(id) => process.chips.iter().any(|chip| chip.chip == id),
        };
        selected && self.filter.shows_process(snapshot, process)
    }

    /// Returns the rows of the process table.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let tree = self.order.tree && self.view == View::Processes;
        let order = Order { tree, ..self.order.clone() };
        let snapshot = &*shown.snapshot;
        rows(snapshot, &shown.cpu, &order, |process| self.shows(snapshot, process))
    }

    /// Returns the visible findings.
    pub(super) fn findings(&self) -> Vec<&Finding> {
        let Some(snapshot) = self.snapshot() else { return Vec::new() };
        let selected = |finding: &&Finding| match self.only {
            Only::All => true,
            Only::Chip(id) => finding.chip.is_none_or(|chip| chip == id),
            Only::Process(id) => finding.pid.is_none_or(|pid| pid == id.pid),
        };
        let findings = snapshot.findings.iter().filter(selected);
        let shown = findings.filter(|finding| self.filter.shows_finding(snapshot, finding));
        let mut findings: Vec<_> = shown.collect();
        // Newest first; those of one sample keep the order of the snapshot, which is worst first.
        order::sort_by_key(&mut findings, |finding| std::cmp::Reverse(self.seen_first(finding)));
        findings
    }

    /// Returns the time at which a finding first appeared.
    pub(super) fn seen_first(&self, finding: &Finding) -> Moment {
        self.past.seen_first(finding)
    }

    /// Returns the index of the chip cursor among the visible chips.
    pub(super) fn chip_index(&self) -> usize {
        let chips = self.chips();
        chips.iter().position(|chip| Some(chip.id) == self.cursors.chip).unwrap_or(0)
    }

    /// Returns the index of the row cursor among the visible rows.
    pub(super) fn row_index(&self) -> usize {
        let rows = self.rows();
        rows.iter().position(|row| Some(row.id()) == self.cursors.row).unwrap_or(0)
    }

    /// Returns the start time of a process, if it is known.
    pub(super) fn started(&self, process: &Process) -> Option<Timestamp> {
        let boot = self.shown.as_ref()?.boot?;
        (process.start_time > 0).then(|| {
            /// Clock ticks of Linux are hundredths of a second on every host that the driver supports.
            const MICROS_PER_TICK: u64 = 10_000;
            Timestamp(boot.0 + process.start_time * MICROS_PER_TICK)
        })
    }

    /// Reads visible details again with every sample.
    fn refresh_details(&mut self) -> Action {
        match &self.details {
            Some((process, _)) if !self.frozen && self.replay.is_none() => {
                Action::Details(*process)
            }
            // It is the first view, so no key opened it.
            _ if self.view == View::L1 => self.open_l1(),
            _ => Action::Draw,
        }
    }
}

/// The identity of a finding across samples. Its text may contain numbers that change.
type FindingKey = (String, Option<ChipId>, Option<ttmem_model::Pid>);

fn key_of(finding: &Finding) -> FindingKey {
    (finding.id.clone(), finding.chip, finding.pid)
}

/// Returns the chips of a snapshot with each remote chip after its gateway.
pub(super) fn in_order(snapshot: &Snapshot) -> Vec<&Chip> {
    let is_behind = |chip: &Chip, gateway: &Chip| chip.gateway == Some(gateway.id);
    let has_gateway = |chip: &Chip| snapshot.chips.iter().any(|gateway| is_behind(chip, gateway));
    let first = snapshot.chips.iter().filter(|chip| !has_gateway(chip));
    first
        .flat_map(|chip| {
            let behind = snapshot.chips.iter().filter(move |other| is_behind(other, chip));
            std::iter::once(chip).chain(behind)
        })
        .collect()
}

/// Moves an index by a step and clamps it to the list.
fn moved(index: usize, count: usize, step: Step, page: usize) -> usize {
    let last = count.saturating_sub(1);
    match step {
        Step::Up | Step::Left => index.saturating_sub(1),
        Step::Down | Step::Right => (index + 1).min(last),
        Step::PageUp => index.saturating_sub(page),
        Step::PageDown => (index + page).min(last),
        Step::First => 0,
        Step::Last => last,
    }
}

/// Shares a snapshot with the views.
pub(super) type Shared = Arc<Snapshot>;

#[cfg(test)]
mod tests;
