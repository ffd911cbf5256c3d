//! Commands from keys and the mouse.

use super::{
    Action, App, Focus, Gesture, Heat, INTERVALS, Mouse, Only, Overlay, Role, Target, moved,
};
use crate::tui::choice::{Scale, View};
use crate::tui::details::Details;
use crate::tui::key::{Command, Key, Mode, Step, command};
use crate::tui::select::Column;
use crate::tui::track::ProcessId;

impl App {
    pub(super) fn press(&mut self, key: Key) -> Action {
        if let Some(overlay) = self.overlay.take() {
            return self.press_overlay(overlay, key);
        }
        match command(self.view, self.mode(), key) {
            Some(command) => self.dispatch(command),
            None => Action::Draw,
        }
    }

    /// The keys that work now.
    pub(crate) fn mode(&self) -> Mode {
        if self.replay.is_some() { Mode::Replay } else { Mode::Live }
    }

    fn dispatch(&mut self, command: Command) -> Action {
        match command {
            Command::Quit => return Action::Quit,
            Command::Suspend => return Action::Suspend,
            Command::Redraw => return Action::Redraw,
            Command::Faster => return self.change_interval(|index| index.saturating_sub(1)),
            Command::Slower => return self.change_interval(|index| index + 1),
            Command::Select => return self.select(),
            Command::Signal => self.ask_for_signal(),
            Command::Help => self.overlay = Some(Overlay::Help { search: String::new(), top: 0 }),
            Command::Filter => {
                self.overlay = Some(Overlay::Filter { text: self.filter_text.clone() });
            }
            Command::Metrics => self.overlay = Some(Overlay::Metrics { cursor: 0 }),
            Command::Export => self.overlay = Some(Overlay::Export { cursor: 0 }),
            Command::Open(view) => return self.open(view),
            Command::StopL1 => return self.stop_reading(),
            Command::Play => return self.play_or_pause(),
            Command::SpeedUp => return self.change_speed(|index| index + 1),
            Command::SpeedDown => return self.change_speed(|index| index.saturating_sub(1)),
            Command::Jump(jump) => return self.jump(jump),
            Command::GoTo => self.overlay = Some(Overlay::GoTo { text: String::new() }),
            Command::Heat => {
                self.cores.heat = match self.cores.heat {
                    Heat::Bytes => Heat::Headroom,
                    Heat::Headroom => Heat::Bytes,
                };
            }
            Command::Move(step) => self.step(step),
            Command::NextPanel | Command::PreviousPanel => self.next_panel(),
            Command::Back => self.back(),
            Command::Sort if self.view == View::Buffers => {
                self.sort_buffers(self.buffers.key.next());
            }
            Command::Reverse if self.view == View::Buffers => {
                self.buffers.reversed = !self.buffers.reversed;
            }
            Command::Sort if self.view == View::Ops => self.sort_ops(self.ops.key.next()),
            Command::Reverse if self.view == View::Ops => self.ops.reversed = !self.ops.reversed,
            Command::Sort if self.view == View::Telemetry => {
                self.chip_order.key = self.chip_order.key.next();
            }
            Command::Reverse if self.view == View::Telemetry => {
                self.chip_order.reversed = !self.chip_order.reversed;
            }
            Command::Sort => self.sort_by(self.order.column.next()),
            Command::Reverse => self.order.ascending = !self.order.ascending,
            Command::Tree => self.order.tree = !self.order.tree,
            Command::Freeze => self.freeze(),
            Command::ZoomIn => self.charts.window = self.charts.window.shorter(),
            Command::ZoomOut => self.charts.window = self.charts.window.longer(),
            Command::Arrange => self.next_arrangement(),
            Command::Scale => {
                self.charts.scale = match self.charts.scale {
                    Scale::Limit => Scale::Auto,
                    Scale::Auto => Scale::Limit,
                };
            }
            Command::Colours => {
                self.look.theme = self.look.theme.next();
                self.notify(Role::Strong, format!("theme {}", self.look.theme.name()));
            }
        }
        Action::Draw
    }

    fn change_interval(&mut self, change: impl Fn(usize) -> usize) -> Action {
        let nearest = (0..INTERVALS.len()).min_by_key(|i| INTERVALS[*i].abs_diff(self.interval));
        let index = change(nearest.unwrap_or(0)).min(INTERVALS.len() - 1);
        self.interval = INTERVALS[index];
        Action::Interval(self.interval)
    }

    fn freeze(&mut self) {
        self.frozen = !self.frozen;
        if self.frozen {
            return;
        }
        if let Some(newest) = self.waiting.take() {
            self.shown = Some(newest);
        }
        self.buffers.listed.thaw();
        self.ops.listed.thaw();
    }

    fn sort_by(&mut self, column: Column) {
        if self.order.column == column {
            self.order.ascending = !self.order.ascending;
        } else {
            self.order.column = column;
            self.order.ascending = !column.is_amount();
        }
    }

    fn open(&mut self, view: View) -> Action {
        self.view = view;
        self.scroll.set(0);
        if view != View::Buffers {
            self.buffers.discard();
        }
        if view != View::Ops {
            self.ops.discard();
        }
        if view == View::L1 { self.open_l1() } else { Action::Draw }
    }

    fn next_panel(&mut self) {
        match self.view {
            View::L1 => self.next_chip(),
            View::Buffers => self.next_allocator(),
            View::Charts => {
                self.charts.of_processes = !self.charts.of_processes;
                self.charts.cursor = None;
            }
            _ => {
                self.focus = match self.focus {
                    Focus::Chips => Focus::Processes,
                    Focus::Processes => Focus::Chips,
                };
            }
        }
    }

    fn step(&mut self, step: Step) {
        match (self.view, step) {
            (View::L1, _) => self.step_core(step),
            (View::Charts, Step::Left | Step::Right) => self.step_in_time(step),
            (View::Charts, _) if self.charts.of_processes => self.step_row(step),
            (View::Charts, _) => self.step_subject(step),
            (View::Overview, _) if self.focus == Focus::Processes => self.step_row(step),
            (View::Overview, _) => self.step_chip(step),
            (View::Processes, Step::PageUp | Step::PageDown) if self.details.is_some() => {
                self.scroll_details(step);
            }
            (View::Processes, _) => self.step_row(step),
            (View::Buffers, Step::PageUp | Step::PageDown) if self.buffers.has_details() => {
                self.scroll_details(step);
            }
            (View::Buffers, _) => self.step_buffer(step),
            (View::Ops, _) => self.step_op(step),
            (View::Telemetry, _) => self.step_telemetry(step),
            (View::Findings, _) => {
                let count = self.findings().len();
                self.cursors.finding = moved(self.cursors.finding, count, step, self.page);
            }
        }
    }

    /// Scrolls details by half a pane.
    pub(super) fn scroll_details(&self, step: Step) {
        let (offset, lines) = (self.scroll.get(), (self.page / 2).max(1));
        self.scroll.set(match step {
            Step::PageUp => offset.saturating_sub(lines),
            _ => offset.saturating_add(lines),
        });
    }

    fn step_in_time(&mut self, step: Step) {
        /// Upper bound of the columns of a screen.
        const COLUMNS: usize = 2_000;
        let cursor = self.charts.cursor;
        self.charts.cursor = match (step, cursor) {
            (Step::Right, None | Some(0)) => None,
            (Step::Right, Some(column)) => Some(column - 1),
            (_, None) => Some(0),
            (_, Some(column)) => Some((column + 1).min(COLUMNS)),
        };
    }

    fn step_chip(&mut self, step: Step) {
        let chips: Vec<_> = self.chips().iter().map(|chip| chip.id).collect();
        let index = moved(self.chip_index(), chips.len(), step, self.page);
        self.cursors.chip = chips.get(index).copied();
    }

    fn step_subject(&mut self, step: Step) {
        let count = self.subjects().len();
        if count < 2 {
            return self.step_chip(step);
        }
        self.put_subject_cursor(moved(self.subject_index(), count, step, self.page));
    }

    fn step_row(&mut self, step: Step) {
        let rows: Vec<_> = self.rows().iter().map(|row| row.id()).collect();
        let index = moved(self.row_index(), rows.len(), step, self.page);
        self.cursors.row = rows.get(index).copied();
    }

    /// Shows only the selected item, or everything again (Enter).
    fn select(&mut self) -> Action {
        match self.view {
            View::Processes => return self.open_details(),
            View::L1 => return self.read_devices(),
            View::Buffers if self.buffers.current().is_some() => {
                self.buffers.details = !self.buffers.details;
                self.scroll.set(0);
            }
            View::Buffers => {}
            View::Ops => {
                let id = self.ops.current().map(|(process, _)| ProcessId {
                    pid: process.owner.pid,
                    start_time: process.owner.start_time,
                });
                self.toggle(id.map(Only::Process));
            }
            View::Overview if self.focus == Focus::Processes => self.select_process(),
            View::Charts if self.charts.of_processes => self.select_process(),
            View::Overview | View::Charts | View::Telemetry => {
                let id = self.chips().get(self.chip_index()).map(|chip| chip.id);
                self.toggle(id.map(Only::Chip));
            }
            View::Findings => {
                let findings = self.findings();
                let found = findings.get(self.cursors.finding);
                let chip = found.and_then(|finding| finding.chip);
                self.toggle(chip.map(Only::Chip));
            }
        }
        Action::Draw
    }

    fn select_process(&mut self) {
        let process = self.rows().get(self.row_index()).map(|row| row.id().process);
        self.toggle(process.map(Only::Process));
    }

    fn toggle(&mut self, only: Option<Only>) {
        let Some(only) = only else { return };
        self.only = if self.only == only { Only::All } else { only };
    }

    /// Opens the details first; a second Enter shows only that process.
    fn open_details(&mut self) -> Action {
        let Some(process) = self.rows().get(self.row_index()).map(|row| row.id().process) else {
            return Action::Draw;
        };
        if self.replay.is_some() && self.details.as_ref().is_none_or(|(shown, _)| *shown != process)
        {
            self.details = Some((process, Some(Details::not_recorded())));
            self.scroll.set(0);
            return Action::Draw;
        }
        if self.details.as_ref().is_some_and(|(shown, _)| *shown == process) {
            self.toggle(Some(Only::Process(process)));
            return Action::Draw;
        }
        self.details = Some((process, None));
        self.scroll.set(0);
        Action::Details(process)
    }

    /// Goes one step back (Escape).
    fn back(&mut self) {
        if self.message.take().is_some() {
        } else if self.view == View::Processes && self.details.is_some() {
            self.details = None;
        } else if self.view == View::Buffers && self.buffers.has_details() {
            self.buffers.details = false;
        } else if self.view == View::Charts && self.charts.cursor.is_some() {
            self.charts.cursor = None;
        } else if !self.filter_text.is_empty() {
            self.filter = crate::tui::select::Filter::default();
            self.filter_text.clear();
        } else {
            self.only = Only::All;
        }
    }

    fn ask_for_signal(&mut self) {
        if self.replay.is_some() {
            self.notify(Role::Notice, "the processes of a recording cannot be sent a signal");
            return;
        }
        if !self.allow_signals {
            self.notify(Role::Notice, "signals are off; start ttmem top with --allow-signals");
            return;
        }
        let rows = self.rows();
        let Some(row) = rows.get(self.row_index()) else { return };
        let process = row.process;
        if process.state != ttmem_model::snapshot::ProcessState::Live {
            self.notify(Role::Notice, "only processes that run here can be sent a signal");
            return;
        }
        let (id, name) = (ProcessId::of(process), process.name.clone());
        self.overlay = Some(Overlay::Signal { process: id, name, cursor: 0 });
    }

    pub(super) fn point(&mut self, mouse: Mouse) -> Action {
        match (mouse.gesture, mouse.target) {
            (Gesture::Click, target) if self.overlay.is_some() => self.click_overlay(target),
            (Gesture::Click, Some(target)) => self.click(target),
            (Gesture::Hover, Some(Target::Instant(column))) => {
                self.charts.cursor = Some(column);
                Action::Draw
            }
            (Gesture::WheelUp, _) => self.press(Key::Up),
            (Gesture::WheelDown, _) => self.press(Key::Down),
            _ => Action::Draw,
        }
    }

    /// Handles a click: on a line like Enter, outside everything like Escape.
    fn click_overlay(&mut self, target: Option<Target>) -> Action {
        let Some(Target::Item(item)) = target else { return self.press(Key::Escape) };
        match &mut self.overlay {
            Some(
                Overlay::Metrics { cursor }
                | Overlay::Export { cursor }
                | Overlay::Signal { cursor, .. },
            ) => *cursor = item,
            _ => return Action::Draw,
        }
        self.press(Key::Enter)
    }

    fn click(&mut self, target: Target) -> Action {
        match target {
            Target::View(view) => return self.open(view),
            Target::Core(x, y) => self.cores.cursor = (x, y),
            Target::Time(moment) => return self.seek(moment),
            Target::Column(column) => self.sort_by(column),
            Target::Instant(column) => self.charts.cursor = Some(column),
            Target::BufferColumn(key) => self.sort_buffers(key),
            Target::Buffer(index) if index == self.buffers.index() => return self.select(),
            Target::Buffer(index) => self.put_buffer_cursor(index),
            Target::OpColumn(key) => self.sort_ops(key),
            Target::Op(index) if index == self.ops.index() => return self.select(),
            Target::Op(index) => self.put_op_cursor(index),
            Target::Finding(index) => self.cursors.finding = index,
            Target::Chip(id) => {
                self.focus = Focus::Chips;
                if self.cursors.chip.replace(id) == Some(id) {
                    return self.select();
                }
            }
            Target::Row(id) => {
                self.focus = Focus::Processes;
                if self.cursors.row.replace(id) == Some(id) {
                    return self.select();
                }
            }
            Target::Item(_) => {}
        }
        Action::Draw
    }
}
