//! The chooser of `ttmem pick`: the devices of a host, their use, and which of them are picked. Pure: `cmd::pick` reads the
//! terminal and the host.

use std::collections::BTreeSet;

use ratatui_core::layout::Rect;
use ratatui_core::terminal::Frame;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::{Chip, Snapshot};

use super::key::Key;
use super::look::{Look, Role};
use super::number::cells;
use super::view::owners;
use super::widget::bar::{Bar, Part, Rest};
use super::widget::canvas::{Canvas, scroll};
use super::widget::figure;
use crate::output::text::width;

/// A device that can be picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The number of its node.
    pub(crate) number: u32,
    /// Use of the device in words.
    pub(crate) used: &'static str,
    /// True if no process has the device open.
    pub(crate) is_free: bool,
}

/// The result of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The picker stays open.
    Open,
    /// The devices are picked.
    Picked,
    /// No device: the user cancelled.
    Cancelled,
}

/// The state of the chooser.
#[derive(Debug)]
pub(crate) struct Picker {
    snapshot: Snapshot,
    choices: Vec<Choice>,
    cursor: usize,
    picked: BTreeSet<u32>,
    /// True after Enter without a device.
    is_empty_handed: bool,
}

impl Picker {
    /// Creates the chooser. No device is picked.
    #[must_use]
    pub(crate) fn new(snapshot: Snapshot, choices: Vec<Choice>) -> Self {
        Self { snapshot, choices, cursor: 0, picked: BTreeSet::new(), is_empty_handed: false }
    }

    /// Shows a newer sample. Devices that are gone are not picked any more.
    pub(crate) fn refresh(&mut self, snapshot: Snapshot, choices: Vec<Choice>) {
        self.picked.retain(|number| choices.iter().any(|choice| choice.number == *number));
        self.cursor = self.cursor.min(choices.len().saturating_sub(1));
        (self.snapshot, self.choices) = (snapshot, choices);
    }

    /// Returns the numbers of the picked devices, ascending.
    #[must_use]
    pub(crate) fn picked(&self) -> Vec<u32> {
        self.picked.iter().copied().collect()
    }

    /// Handles a key.
    pub(crate) fn press(&mut self, key: Key) -> Outcome {
        let last = self.choices.len().saturating_sub(1);
        self.is_empty_handed = false;
        match key {
            Key::Up | Key::Char('k') => self.cursor = self.cursor.saturating_sub(1),
            Key::Down | Key::Char('j') => self.cursor = (self.cursor + 1).min(last),
            Key::Home | Key::Char('g') => self.cursor = 0,
            Key::End | Key::Char('G') => self.cursor = last,
            Key::Char(' ') => {
                if let Some(choice) = self.choices.get(self.cursor)
                    && !self.picked.remove(&choice.number)
                {
                    self.picked.insert(choice.number);
                }
                self.cursor = (self.cursor + 1).min(last);
            }
            Key::Char('f') => self.picked = self.numbers(|choice| choice.is_free),
            Key::Char('a') => self.picked = self.numbers(|_| true),
            Key::Char('n') => self.picked.clear(),
            Key::Enter if self.picked.is_empty() => self.is_empty_handed = true,
            Key::Enter => return Outcome::Picked,
            Key::Escape | Key::Char('q') | Key::Control('c') => return Outcome::Cancelled,
            _ => {}
        }
        Outcome::Open
    }

    fn numbers(&self, is_it: impl Fn(&Choice) -> bool) -> BTreeSet<u32> {
        self.choices.iter().filter(|choice| is_it(choice)).map(|choice| choice.number).gather()
    }

    /// Draws the chooser.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>, look: Look) {
        let area = frame.area();
        let mut canvas = Canvas::new(frame.buffer_mut(), look);
        let (end, rows) = (area.right(), area.height.saturating_sub(4));
        let free = self.choices.iter().filter(|choice| choice.is_free).count();
        let x = canvas.text(area.x + 1, area.y, end, Role::Strong, "ttmem pick");
        let host = self.snapshot.host.name.as_deref().unwrap_or_default();
        let text = format!("{host}   {} devices, {free} free", self.choices.len());
        canvas.text(x + 2, area.y, end, Role::Quiet, text.trim_start());
        let boards = self.snapshot.chips.iter().map(|chip| width(&board(chip)));
        let columns = Columns::of(area, boards.max().unwrap_or(0));
        columns.draw_heading(&mut canvas, area.y + 1);
        let first = scroll(self.choices.len(), usize::from(rows), self.cursor);
        let visible = self.choices.iter().enumerate().skip(first).take(usize::from(rows));
        for (y, (index, choice)) in (area.y + 2..).zip(visible) {
            self.draw_choice(&mut canvas, &columns, choice, y);
            if index == self.cursor {
                let style = canvas.look.style(Role::Accent);
                canvas.sign(area.x, y, style, canvas.glyphs().pointer);
                canvas.cursor(Rect { y, height: 1, ..area });
            }
        }
        self.draw_foot(&mut canvas, area);
    }

    fn draw_choice(&self, canvas: &mut Canvas<'_>, columns: &Columns, choice: &Choice, y: u16) {
        let is_it = |chip: &&Chip| chip.index == choice.number && chip.bdf.is_some();
        let Some(chip) = self.snapshot.chips.iter().find(is_it) else { return };
        let is_picked = self.picked.contains(&choice.number);
        let (role, sign) = if is_picked { (Role::Accent, "[x]") } else { (Role::Quiet, "[ ]") };
        canvas.text(columns.mark, y, columns.number, role, sign);
        canvas.right(
            columns.mark + 4,
            y,
            columns.board - 2,
            Role::Strong,
            &choice.number.to_string(),
        );
        let text = board(chip);
        canvas.text(columns.board, y, columns.dram - 2, Role::Plain, &text);
        let memory = &chip.memory.dram;
        let (used, capacity) = (&memory.used, &memory.capacity);
        let part =
            used.value().copied().map(|bytes| Part { amount: bytes as f64, role: Role::Dram });
        let rest = if used.value().is_some() { Rest::Free } else { Rest::Unknown };
        let whole = capacity.value().copied().unwrap_or(0) as f64;
        let parts: Vec<Part> = part.into_iter().filter(|_| whole > 0.0).collect();
        Bar { parts: &parts, whole, rest, peak: None }.draw(canvas, columns.dram, y, columns.bar);
        let amount = figure::short(canvas.look, used);
        let share = figure::percent(used, capacity);
        let text = format!("{amount:>7} {share:>5}");
        canvas.right(columns.dram + columns.bar, y, columns.used - 2, Role::Plain, &text);
        let role = if choice.is_free { Role::Plain } else { Role::Quiet };
        canvas.text(columns.used, y, columns.owners - 1, role, choice.used);
        let (role, text) = owners(canvas.look, &self.snapshot, chip);
        canvas.text(columns.owners, y, columns.end, role, &text);
    }

    /// Draws the picked devices, and the keys.
    fn draw_foot(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let Some(y) = area.bottom().checked_sub(2).filter(|y| *y > area.y) else { return };
        let numbers: Vec<String> = self.picked.iter().map(ToString::to_string).collect();
        let (role, text) = match (self.picked.is_empty(), self.is_empty_handed) {
            (true, true) => (Role::Notice, "no device is picked; Space picks one".to_owned()),
            (true, false) => (Role::Quiet, "no device is picked".to_owned()),
            _ => (Role::Strong, format!("TT_VISIBLE_DEVICES={}", numbers.join(","))),
        };
        canvas.text(area.x + 1, y, area.right(), role, &text);
        let keys = [
            ("Space", "pick"),
            ("Enter", "print"),
            ("f", "free devices"),
            ("a", "all"),
            ("n", "none"),
            ("q", "cancel"),
        ];
        let mut x = area.x + 1;
        for (key, hint) in keys {
            if x + cells(width(key) + 1 + hint.len()) >= area.right() {
                break;
            }
            x = canvas.text(x, y + 1, area.right(), Role::Accent, key);
            x = canvas.text(x + 1, y + 1, area.right(), Role::Quiet, hint) + 2;
        }
    }
}

/// Returns the board of a chip, after its tray and position in a Galaxy.
fn board(chip: &Chip) -> String {
    let board = chip.board.as_deref().unwrap_or("?");
    match chip.tray() {
        Some(at) => format!("{}:{} {board}", at.tray, at.position),
        None => board.to_owned(),
    }
}

/// Columns at which the texts of a row begin.
struct Columns {
    mark: u16,
    number: u16,
    board: u16,
    dram: u16,
    bar: u16,
    used: u16,
    owners: u16,
    end: u16,
}

impl Columns {
    /// Divides a width: the bar and the owners share what the others leave.
    fn of(area: Rect, boards: usize) -> Self {
        /// Columns of bytes and share.
        const AMOUNT: u16 = 14;
        let mark = area.x + 2;
        let board = mark + 12;
        let dram = board + cells(boards).clamp(5, area.width.max(40) / 4) + 2;
        let bar = (area.width / 10).clamp(4, 24);
        let used = dram + bar + AMOUNT + 2;
        Self { mark, number: mark + 4, board, dram, bar, used, owners: used + 9, end: area.right() }
    }

    fn draw_heading(&self, canvas: &mut Canvas<'_>, y: u16) {
        let headings = [
            (self.number, "DEVICE"),
            (self.board, "BOARD"),
            (self.dram, "DRAM"),
            (self.used, "USE"),
            (self.owners, "OWNERS"),
        ];
        for (x, heading) in headings {
            canvas.text(x, y, self.end, Role::Quiet, heading);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::backend::TestBackend;
    use ratatui_core::terminal::Terminal;
    use ttmem_sources::Collector;

    use super::*;
    use crate::tui::look::{Charset, Depth, Theme};

    fn picker() -> Picker {
        let choice = |number, used, is_free| Choice { number, used, is_free };
        let choices =
            vec![choice(0, "in use", false), choice(1, "in use", false), choice(2, "free", true)];
        Picker::new(Collector::demo().snapshot(), choices)
    }

    fn screen(picker: &Picker, charset: Charset) -> String {
        let look = Look { theme: Theme::Default, depth: Depth::True, charset };
        let mut terminal = Terminal::new(TestBackend::new(100, 10)).unwrap();
        picker.draw(&mut terminal.get_frame(), look);
        let rows = terminal.current_buffer_mut().content().chunks(100);
        let line = |row: &[ratatui_core::buffer::Cell]| {
            row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
        };
        rows.map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn devices_are_picked_with_space_and_printed_in_order() {
        let mut picker = picker();
        assert_eq!(picker.press(Key::Enter), Outcome::Open);
        assert!(screen(&picker, Charset::Unicode).contains("Space picks one"));
        for key in [Key::End, Key::Char(' '), Key::Home, Key::Char(' ')] {
            assert_eq!(picker.press(key), Outcome::Open);
        }
        insta::assert_snapshot!(screen(&picker, Charset::Unicode));
        assert!(screen(&picker, Charset::Ascii).is_ascii());
        assert_eq!((picker.press(Key::Enter), picker.picked()), (Outcome::Picked, vec![0, 2]));
        picker.press(Key::Char('f'));
        assert_eq!(picker.picked(), [2]);
        picker.press(Key::Char('a'));
        assert_eq!(picker.picked(), [0, 1, 2]);
        picker.press(Key::Char(' '));
        assert_eq!(picker.picked(), [0, 2], "the cursor is on the second");
        assert_eq!(picker.press(Key::Escape), Outcome::Cancelled);
    }

    #[test]
    fn no_screen_is_too_small() {
        for (columns, rows) in [(40, 12), (20, 4), (3, 1)] {
            let look = Look { theme: Theme::Mono, depth: Depth::Mono, charset: Charset::Ascii };
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            picker().draw(&mut terminal.get_frame(), look);
        }
    }

    #[test]
    fn a_device_that_is_gone_is_not_picked() {
        let mut picker = picker();
        picker.press(Key::Char('a'));
        let left = picker.choices[..1].to_vec();
        picker.refresh(Collector::demo().snapshot(), left);
        assert_eq!(picker.picked(), [0]);
    }
}
