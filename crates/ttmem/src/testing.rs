//! Parts of the program for its benches and for tests of long runs. Not an interface: it changes without notice.

use std::io::Sink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use ratatui_core::backend::Backend as _;
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;
use ttmem_analysis::run_report::RunReport;
use ttmem_fake::{Host, NOW};
use ttmem_model::{Snapshot, Timestamp};
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

use crate::cmd::replay::open;
use crate::output::html;
use crate::output::openmetrics::{self, Format, Processes};
use crate::tui::app::{App, Event, ListKind, Playback, Replay, Sample};
use crate::tui::choice::{Settings, View};
use crate::tui::key::Key;
use crate::tui::look::{Charset, Depth, Look, Theme};
use crate::tui::player::Player;
use crate::tui::recorded::lister;
use crate::tui::sampler::{Stamped, Timeline};
use crate::tui::screen::Screen;
use crate::tui::view;

pub use crate::tui::demo::Work;
pub use crate::tui::history::Moment;

const LOOK: Look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };

/// The live view of 32 made-up chips under load, and a screen of 160 × 50 cells that is written to nowhere.
#[derive(Debug)]
pub struct Live {
    app: App,
    work: Work,
    second: u64,
    screen: Terminal<Screen<Sink>>,
}

impl Live {
    /// Opens a view by its number, after a number of seconds under load.
    #[must_use]
    pub fn galaxy(view: u8, seconds: u64) -> Self {
        let collector = Collector::new(Root::memory(Host::galaxy().into_tree()));
        let view = View::ALL.into_iter().find(|known| known.number() == view).unwrap_or_default();
        let app = App::new(Settings { view, ..Settings::default() }, LOOK, false);
        let work = Work::new(collector.with_clock(Clock::Fixed(NOW)));
        let mut live = Self { app, work, second: 0, screen: screen() };
        (0..seconds).for_each(|_| live.sample());
        live
    }

    /// Updates the view with the sample of the next second.
    pub fn sample(&mut self) {
        let at = Moment(self.work.begin().0 + self.second * 1_000_000);
        let snapshot = Arc::new(self.work.at(at));
        self.app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
        self.second += 1;
    }

    /// Presses the key that moves the selection down.
    pub fn press_down(&mut self) {
        self.app.update(self.work.begin(), Event::Key(Key::Down));
    }

    /// Draws a frame onto an empty screen.
    pub fn draw_all(&mut self) {
        let Ok(()) = self.screen.clear();
        draw(&self.app, &mut self.screen);
    }

    /// Draws a frame onto the one before.
    pub fn draw(&mut self) {
        draw(&self.app, &mut self.screen);
    }
}

fn screen() -> Terminal<Screen<Sink>> {
    let Ok(terminal) = Terminal::new(Screen::new(std::io::sink(), Size::new(160, 50)));
    terminal
}

fn draw(app: &App, screen: &mut Terminal<Screen<Sink>>) {
    view::draw(app, &mut screen.get_frame());
    let Ok(()) = screen.flush();
    screen.swap_buffers();
    let Ok(()) = screen.backend_mut().flush();
}

/// The paused replay of a recording.
#[derive(Debug)]
pub struct Paused {
    path: PathBuf,
    app: App,
    player: Player,
    events: Receiver<Stamped>,
    screen: Terminal<Screen<Sink>>,
}

impl Paused {
    /// Opens a recording. `None` if it cannot be played.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        let (sender, events) = sync_channel(64);
        let player = Player::start(path, Timeline::now(), sender).ok()?;
        player.order(Playback::Pause);
        let mut app = App::new(Settings::default(), LOOK, false);
        let span = (Timestamp(0), Timestamp(u64::MAX));
        app.replay(Replay::new(String::new(), span), 100_000);
        let replay = Self { path: path.to_owned(), app, player, events, screen: screen() };
        replay.wait(|event| matches!(event, Event::Happened(_)));
        Some(replay)
    }

    /// Returns the first and the last moment of the recording.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        open(&self.path).ok()?.span()
    }

    /// Jumps to a moment, and draws its frame.
    pub fn jump(&mut self, moment: Moment) {
        self.player.order(Playback::Seek(moment, 0.0));
        if let Some(event) = self.wait(|event| matches!(event, Event::Sample(_))) {
            self.app.update(Moment(0), event);
        }
        draw(&self.app, &mut self.screen);
    }

    /// Jumps to a moment, and waits for the charts of all windows.
    pub fn jump_to_charts(&self, moment: Moment) {
        self.player.order(Playback::Seek(moment, 0.0));
        self.wait(|event| matches!(event, Event::Past(..)));
    }

    /// Returns what lists the buffers of a moment. `None` if the recording cannot be opened again.
    #[must_use]
    pub fn lister(&self) -> Option<impl FnMut(Moment) + use<>> {
        let mut list = lister(self.path.clone())().ok()?;
        Some(move |at| drop(list(ListKind::Buffers, at)))
    }

    fn wait(&self, is_it: impl Fn(&Event) -> bool) -> Option<Event> {
        self.events.iter().map(|(_, event)| event).find(is_it)
    }
}

/// Returns the text of `/metrics`, with or without the metrics of processes.
#[must_use]
pub fn metrics(snapshot: &Snapshot, has_processes: bool) -> String {
    let processes = if has_processes { Processes::Shown } else { Processes::Hidden };
    openmetrics::render(snapshot, Format::OpenMetrics, processes)
}

/// Returns the page of a report.
///
/// # Errors
/// If the report cannot be written as JSON.
pub fn page(title: &str, report: &RunReport) -> serde_json::Result<String> {
    html::report(title, report, &[])
}
