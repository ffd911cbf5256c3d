//! The time of a jump in a long recording: to the moment, its charts, and the frame.
//!
//! ```sh
//! cargo run --release -p ttmem --example recording -- galaxy 3600 10 target/galaxy.ttmem
//! TTMEM_RECORDING=$PWD/target/galaxy.ttmem cargo bench -p ttmem --bench replay
//! ```

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

use divan::Bencher;
use ratatui_core::backend::Backend as _;
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;
use ttmem::cmd::replay::open;
use ttmem::tui::app::{App, Event, Playback, Replay};
use ttmem::tui::choice::Settings;
use ttmem::tui::history::Moment;
use ttmem::tui::look::{Charset, Depth, Look, Theme};
use ttmem::tui::player::Player;
use ttmem::tui::recorded::lister;
use ttmem::tui::sampler::{Stamped, Timeline};
use ttmem::tui::screen::Screen;
use ttmem::tui::view;

fn main() {
    if path().is_some() {
        divan::main();
    }
}

fn path() -> Option<PathBuf> {
    std::env::var_os("TTMEM_RECORDING").map(PathBuf::from)
}

/// Moments all over the recording.
fn moments() -> impl FnMut() -> Moment {
    let path = path().unwrap_or_default();
    let span = open(&path).ok().and_then(|recording| recording.span());
    let Some((first, last)) = span else { panic!("{} has no moment", path.display()) };
    let mut place = 1_u64;
    move || {
        // Golden-ratio steps come everywhere and nowhere twice.
        place = place.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let span = u128::from(last.0 - first.0);
        let part = (u128::from(place) * span) >> 64;
        Moment(first.0 + u64::try_from(part).unwrap_or(0))
    }
}

/// A paused player, its events, and moments all over its recording.
fn player() -> (Player, Receiver<Stamped>, impl FnMut() -> Moment) {
    let path = path().unwrap_or_default();
    let (sender, events) = sync_channel(64);
    let Ok(player) = Player::start(&path, Timeline::now(), sender) else {
        panic!("{} cannot be opened again", path.display())
    };
    player.order(Playback::Pause);
    wait(&events, |event| matches!(event, Event::Happened(_)));
    (player, events, moments())
}

fn wait(events: &Receiver<Stamped>, is_it: impl Fn(&Event) -> bool) -> Option<Event> {
    events.iter().map(|(_, event)| event).find(is_it)
}

/// From the key to the frame.
#[divan::bench(sample_count = 200)]
fn jump_to_frame(bencher: Bencher<'_, '_>) {
    let (player, events, mut moments) = player();
    let look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };
    let mut app = App::new(Settings::default(), look, false);
    app.replay(
        Replay::new(String::new(), (ttmem_model::Timestamp(0), ttmem_model::Timestamp(u64::MAX))),
        100_000,
    );
    let screen = Screen::new(std::io::sink(), Size::new(160, 50));
    let Ok(mut terminal) = Terminal::new(screen);
    bencher.bench_local(|| {
        player.order(Playback::Seek(moments(), 0.0));
        if let Some(event) = wait(&events, |event| matches!(event, Event::Sample(_))) {
            app.update(Moment(0), event);
        }
        view::draw(&app, &mut terminal.get_frame());
        let Ok(()) = terminal.flush();
        terminal.swap_buffers();
        let Ok(()) = terminal.backend_mut().flush();
    });
}

/// From the key to charts of all four windows.
#[divan::bench(sample_count = 10)]
fn jump_to_charts(bencher: Bencher<'_, '_>) {
    let (player, events, mut moments) = player();
    bencher.bench_local(|| {
        player.order(Playback::Seek(moments(), 0.0));
        wait(&events, |event| matches!(event, Event::Past(..)))
    });
}

/// From nothing to the list of the first moment: what agents said is read once.
#[divan::bench(sample_count = 10)]
fn first_buffers(bencher: Bencher<'_, '_>) {
    let mut moments = moments();
    bencher.bench_local(|| {
        let Ok(mut list) = lister(path().unwrap_or_default())() else { panic!("cannot be opened") };
        list(moments())
    });
}

/// From a jump to the list of buffers, in the background.
#[divan::bench(sample_count = 200)]
fn jump_to_buffers(bencher: Bencher<'_, '_>) {
    let mut moments = moments();
    let Ok(mut list) = lister(path().unwrap_or_default())() else { panic!("cannot be opened") };
    bencher.bench_local(|| list(moments()));
}
