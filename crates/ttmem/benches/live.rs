//! The cost of the live view, without reading the host: one frame, one sample.
//!
//! `cargo bench -p ttmem --bench live`

use std::sync::Arc;

use divan::Bencher;
use ratatui_core::backend::Backend as _;
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;
use ttmem::tui::app::{App, Event, Sample};
use ttmem::tui::choice::Settings;
use ttmem::tui::choice::View;
use ttmem::tui::demo::Work;
use ttmem::tui::history::Moment;
use ttmem::tui::key::Key;
use ttmem::tui::look::{Charset, Depth, Look, Theme};
use ttmem::tui::screen::Screen;
use ttmem::tui::view;
use ttmem_fake::{Host, NOW};
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

fn main() {
    divan::main();
}

/// The live view of 32 chips after two minutes under load.
fn galaxy(view: View) -> (App, Work) {
    let root = Root::memory(Host::galaxy().into_tree());
    let mut work = Work::new(Collector::new(root).with_clock(Clock::Fixed(NOW)));
    let look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };
    let mut app = App::new(Settings { view, ..Settings::default() }, look, false);
    for second in 0..120 {
        take(&mut app, &mut work, second);
    }
    (app, work)
}

fn take(app: &mut App, work: &mut Work, second: u64) {
    let at = Moment(work.begin().0 + second * 1_000_000);
    let snapshot = Arc::new(work.at(at));
    app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
}

fn screen() -> Terminal<Screen<std::io::Sink>> {
    Terminal::new(Screen::new(std::io::sink(), Size::new(160, 50))).unwrap()
}

/// A frame of which the terminal shows nothing yet.
#[divan::bench(args = View::ALL)]
fn frame_of_32_chips(bencher: Bencher<'_, '_>, view: View) {
    let (app, _) = galaxy(view);
    let mut terminal = screen();
    bencher.bench_local(|| {
        terminal.clear().unwrap();
        view::draw(&app, &mut terminal.get_frame());
        terminal.flush().unwrap();
        terminal.swap_buffers();
        terminal.backend_mut().flush().unwrap();
    });
}

/// A frame that is the same as the one before.
#[divan::bench]
fn frame_in_which_nothing_changed(bencher: Bencher<'_, '_>) {
    let (app, _) = galaxy(View::Overview);
    let mut terminal = screen();
    bencher.bench_local(|| {
        view::draw(&app, &mut terminal.get_frame());
        terminal.flush().unwrap();
        terminal.swap_buffers();
    });
}

/// Taking in a sample of 32 chips, its conclusions among it.
#[divan::bench]
fn sample_of_32_chips(bencher: Bencher<'_, '_>) {
    let (mut app, mut work) = galaxy(View::Overview);
    let mut second = 120;
    bencher.bench_local(|| {
        take(&mut app, &mut work, second);
        second += 1;
    });
}

#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    let (mut app, work) = galaxy(View::Processes);
    bencher.bench_local(|| app.update(work.begin(), Event::Key(Key::Down)));
}
