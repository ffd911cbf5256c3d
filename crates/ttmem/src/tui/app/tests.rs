mod buffers;
mod replay;

use std::sync::Arc;

use ttmem_fake::Host;
use ttmem_model::snapshot::ProcessState;
use ttmem_recording::Event as Happened;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

use super::*;
use crate::tui::choice::{Arrange, Scale};
use crate::tui::demo::Work;
use crate::tui::key::Key;
use crate::tui::look::{Charset, Depth, Theme};
use crate::tui::select::Column;
use crate::tui::track::Subject;

const SECOND: u64 = 1_000_000;
const LOOK: Look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };

/// The live view of the demonstration host, and the host itself.
struct Scene {
    app: App,
    work: Work,
    at: Moment,
}

impl Scene {
    fn new() -> Self {
        Self::of(Work::new(Collector::demo()))
    }

    fn of(work: Work) -> Self {
        let at = work.begin();
        let app = App::new(Settings::default(), LOOK, true);
        let mut scene = Self { app, work, at };
        scene.sample();
        scene
    }

    fn galaxy() -> Self {
        let root = Root::memory(Host::galaxy().into_tree());
        let clock = Clock::Fixed(ttmem_fake::NOW);
        Self::of(Work::new(Collector::new(root).with_clock(clock)))
    }

    /// One second later.
    fn sample(&mut self) -> Action {
        self.at = Moment(self.at.0 + SECOND);
        let snapshot = Arc::new(self.work.at(self.at));
        self.give(snapshot)
    }

    fn give(&mut self, snapshot: Shared) -> Action {
        let sample = Sample { at: self.at, snapshot, boot: None };
        self.app.update(self.at, Event::Sample(sample))
    }

    fn press(&mut self, key: Key) -> Action {
        self.app.update(self.at, Event::Key(key))
    }

    fn type_in(&mut self, text: &str) -> Action {
        text.chars().map(|letter| self.press(Key::Char(letter))).last().unwrap_or(Action::Draw)
    }

    fn pids(&self) -> Vec<i32> {
        self.app.rows().iter().map(|row| row.process.pid.0).collect()
    }

    fn chips(&self) -> Vec<u32> {
        self.app.chips().iter().map(|chip| chip.index).collect()
    }
}

/// Describes the state after the keys of a scenario.
type Says = fn(&Scene) -> String;

#[test]
fn keys_do_what_the_table_says() {
    const VIEW: Says = |scene| scene.app.view.name().to_owned();
    const CHIPS: Says = |scene| format!("{:?}", scene.chips());
    const PIDS: Says = |scene| format!("{:?}", scene.pids());
    const INTERVAL: Says = |scene| (scene.app.interval / 1000).to_string();
    const WINDOW: Says = |scene| scene.app.charts.window.minutes().to_string();
    const CURSOR: Says = |scene| format!("{:?}", scene.app.charts.cursor);
    const FILTER: Says = |scene| scene.app.filter_text.clone();
    const OVERLAY: Says = |scene| format!("{:?}", scene.app.overlay.is_some());
    const SORT: Says =
        |scene| format!("{} {}", scene.app.order.column.name(), scene.app.order.ascending);
    const PANELS: Says = |scene| scene.app.charts.picked().len().to_string();
    const THEME: Says = |scene| scene.app.look.theme.name().to_owned();
    // In the keys `⏎` is Enter, `⎋` is Escape, `⇥` is Tab, `←` is the arrow.
    let scenarios: &[(&str, Says, &str)] = &[
        ("", VIEW, "overview"),
        ("2", VIEW, "charts"),
        ("27", VIEW, "findings"),
        ("", CHIPS, "[0, 1, 3, 2]"),
        ("j⏎", CHIPS, "[1]"),
        ("j⏎⎋", CHIPS, "[0, 1, 3, 2]"),
        ("j⏎⏎", CHIPS, "[0, 1, 3, 2]"),
        ("jj⏎", PIDS, "[52110]"),
        ("G⏎", PIDS, "[]"),
        ("⇥j⏎", CHIPS, "[1, 3]"),
        ("⇥j⏎6", CHIPS, "[1, 3]"),
        ("⇥⏎⎋", CHIPS, "[0, 1, 3, 2]"),
        ("", PIDS, "[41377, 52110, 58213, 39122]"),
        ("S", PIDS, "[39122, 58213, 52110, 41377]"),
        ("s", SORT, "l1 false"),
        ("sS", SORT, "l1 true"),
        ("ssssssssss", SORT, "user true"),
        ("4t", PIDS, "[41377, 52110, 52110, 52110, 58213, 39122]"),
        ("t", PIDS, "[41377, 52110, 58213, 39122]"),
        ("4/user:bob⏎", PIDS, "[52110]"),
        ("4/user:bob", PIDS, "[52110]"),
        ("4/bob⏎⎋", FILTER, ""),
        ("4/bob⏎7", FILTER, "bob"),
        ("5", VIEW, "buffers"),
        ("/usr:bob⏎", OVERLAY, "true"),
        ("/usr:bob⎋", OVERLAY, "false"),
        ("+", INTERVAL, "500"),
        ("++++++", INTERVAL, "100"),
        ("-----------", INTERVAL, "60000"),
        ("2-", WINDOW, "5"),
        ("2--", WINDOW, "15"),
        ("2---+", WINDOW, "15"),
        ("2-----", WINDOW, "60"),
        ("2-", INTERVAL, "1000"),
        ("2←", CURSOR, "Some(0)"),
        ("2←←hl", CURSOR, "Some(1)"),
        ("2←l", CURSOR, "None"),
        ("2←⎋", CURSOR, "None"),
        ("2⇥", CURSOR, "None"),
        ("2", PANELS, "4"),
        ("2m⏎", PANELS, "3"),
        ("2mjj⏎", PANELS, "5"),
        ("2mm", OVERLAY, "false"),
        ("m", OVERLAY, "false"),
        ("?", OVERLAY, "true"),
        ("??", OVERLAY, "false"),
        ("?q", OVERLAY, "false"),
        ("?sq", OVERLAY, "true"),
        ("c", THEME, "light"),
        ("ccccc", THEME, "default"),
    ];
    for (keys, says, expected) in scenarios {
        let mut scene = Scene::new();
        for key in keys.chars() {
            let key = match key {
                '⏎' => Key::Enter,
                '⎋' => Key::Escape,
                '⇥' => Key::Tab,
                '←' => Key::Left,
                letter => Key::Char(letter),
            };
            // A message expires before the next key, as it does for users.
            scene.app.message = None;
            scene.press(key);
        }
        assert_eq!(says(&scene), *expected, "{keys}");
    }
}

#[test]
fn actions_leave_the_state_to_whoever_can_do_them() {
    let mut scene = Scene::new();
    assert_eq!(scene.press(Key::Char('q')), Action::Quit);
    assert_eq!(scene.press(Key::Control('c')), Action::Quit);
    assert_eq!(scene.press(Key::Control('z')), Action::Suspend);
    assert_eq!(scene.press(Key::Control('l')), Action::Redraw);
    assert_eq!(scene.press(Key::Char('-')), Action::Interval(2 * SECOND));
    scene.press(Key::Char('4'));
    let process = scene.app.rows()[0].id().process;
    assert_eq!(scene.press(Key::Enter), Action::Details(process));
    assert_eq!(scene.sample(), Action::Details(process));
    scene.press(Key::Escape);
    assert_eq!(scene.sample(), Action::Draw);
    let Action::Save(document) = scene.type_in("ec") else { panic!("nothing was saved") };
    assert!(document.name.starts_with("ttmem-processes-20261102T0930"), "{}", document.name);
    assert!(document.name.ends_with("Z.csv"));
    assert_eq!(scene.app.overlay, None);
}

#[test]
fn a_frozen_screen_stays_while_samples_go_on() {
    let mut scene = Scene::new();
    let before = scene.app.snapshot().cloned();
    let until = scene.app.until();
    scene.press(Key::Char(' '));
    for _ in 0..5 {
        scene.sample();
    }
    assert_eq!(scene.app.snapshot().cloned(), before);
    assert_eq!(scene.app.until(), until);
    assert_eq!(scene.app.past.history.last(), Some(Moment(until.0 + 5 * SECOND)));
    scene.press(Key::Char(' '));
    assert_eq!(scene.app.until(), Moment(until.0 + 5 * SECOND));
}

#[test]
fn cursors_follow_what_they_are_on() {
    let mut scene = Scene::new();
    scene.type_in("4j");
    assert_eq!(scene.app.row_index(), 1);
    let row = scene.app.rows()[1].id();
    scene.type_in("S");
    assert_eq!(scene.app.rows()[scene.app.row_index()].id(), row);
    scene.type_in("/58213");
    scene.press(Key::Enter);
    assert_eq!(scene.app.row_index(), 0);
}

#[test]
fn a_silent_source_is_told_and_a_late_one_is_not_frozen() {
    let mut scene = Scene::new();
    let tick = |scene: &mut Scene, seconds: u64| {
        let at = Moment(scene.at.0 + seconds * SECOND);
        scene.app.update(at, Event::Tick);
        scene.app.silence().map(|micros| micros / SECOND)
    };
    assert_eq!(tick(&mut scene, 2), None);
    assert_eq!(scene.app.wait(Moment(scene.at.0 + 2 * SECOND)), Some(SECOND + 1_000));
    assert_eq!(tick(&mut scene, 4), Some(4));
    assert_eq!(scene.press(Key::Char('q')), Action::Quit);
    scene.at = Moment(scene.at.0 + 4 * SECOND);
    scene.sample();
    assert_eq!(scene.app.silence(), None);
}

#[test]
fn processor_time_needs_two_samples_and_one_process() {
    let mut scene = Scene::new();
    let cpu = |scene: &Scene| scene.app.shown.as_ref().map(|shown| shown.cpu.len());
    assert_eq!(cpu(&scene), Some(0));
    scene.sample();
    assert_eq!(cpu(&scene), Some(3));
    let mut next = with_new_start(scene.work.at(Moment(scene.at.0 + SECOND)));
    scene.at = Moment(scene.at.0 + SECOND);
    next.time_us.0 += 1;
    scene.give(Arc::new(next));
    assert_eq!(cpu(&scene), Some(2), "a reused number is another process");
}

/// A snapshot in which the first live process is replaced by another with the same pid.
fn with_new_start(mut snapshot: Snapshot) -> Snapshot {
    let is_live = |process: &&mut Process| process.state == ProcessState::Live;
    let first = snapshot.processes.iter_mut().find(is_live).unwrap();
    first.start_time += 1;
    snapshot
}

#[test]
fn a_chip_that_vanishes_takes_its_cursor_and_leaves_a_gap() {
    let mut scene = Scene::new();
    scene.type_in("j");
    let gone = scene.app.cursors.chip.unwrap();
    let line = crate::tui::track::Line {
        subject: Subject::Chip(gone),
        track: crate::tui::track::Track::Dram,
    };
    for _ in 0..10 {
        scene.at = Moment(scene.at.0 + SECOND);
        let mut snapshot = scene.work.at(scene.at);
        snapshot.chips.retain(|chip| chip.id != gone);
        scene.give(Arc::new(snapshot));
    }
    assert_eq!(scene.app.chip_index(), 0);
    let window = crate::tui::history::Window::Minute;
    let columns = scene.app.past.history.columns(line, window, scene.app.until(), 60);
    assert!(columns[51..].iter().all(Option::is_none));
    assert!(columns[..51].iter().any(Option::is_some));
}

#[test]
fn the_newest_finding_stands_first() {
    let mut scene = Scene::new();
    let old = scene.app.findings()[0].id.clone();
    scene.at = Moment(scene.at.0 + 61 * SECOND);
    let mut snapshot = scene.work.at(scene.at);
    let mut new = snapshot.findings[0].clone();
    new.id = "new".to_owned();
    new.severity = ttmem_model::Severity::Info;
    snapshot.findings.push(new);
    scene.give(Arc::new(snapshot));
    let ids: Vec<&str> = scene.app.findings().iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["new", &old]);
}

#[test]
fn a_signal_is_asked_for_twice_and_only_where_it_is_allowed() {
    let mut scene = Scene::new();
    scene.type_in("4K");
    let process = scene.app.rows()[0].id().process;
    let Some(Overlay::Signal { name, .. }) = &scene.app.overlay else { panic!("no question") };
    assert_eq!(name, "python3");
    assert_eq!(scene.press(Key::Enter), Action::Draw, "the first line sends nothing");
    scene.type_in("Kj");
    assert_eq!(scene.press(Key::Enter), Action::Signal(process, Signal::Terminate));
    scene.type_in("GK");
    assert_eq!(scene.app.overlay, None, "what is gone cannot be sent a signal");
    scene.app.allow_signals = false;
    scene.type_in("gK");
    assert_eq!(scene.app.overlay, None);
    assert!(scene.app.message.as_ref().unwrap().text.contains("--allow-signals"));
}

#[test]
fn a_message_goes_away_by_itself() {
    let mut scene = Scene::new();
    scene.app.update(scene.at, Event::Done(Ok("saved x".to_owned())));
    assert_eq!(scene.app.wait(scene.at), Some(3 * SECOND + 1_000));
    scene.app.update(Moment(scene.at.0 + 2 * SECOND), Event::Tick);
    assert!(scene.app.message.is_some());
    scene.app.update(Moment(scene.at.0 + 4 * SECOND), Event::Tick);
    assert!(scene.app.message.is_none());
}

#[test]
fn what_is_said_before_the_first_sample_can_be_read() {
    let mut app = App::new(Settings::default(), LOOK, false);
    app.notify(Role::Notice, "config.toml, line 1: unknown key colour");
    let at = Moment(1_800_000_000 * SECOND);
    app.update(at, Event::Tick);
    assert!(app.message.is_some(), "it was never on the screen");
    app.update(Moment(at.0 + 5 * SECOND), Event::Tick);
    assert!(app.message.is_none());
}

#[test]
fn what_is_pasted_is_no_keys() {
    let mut scene = Scene::new();
    let paste =
        |scene: &mut Scene, text: &str| scene.app.update(scene.at, Event::Paste(text.to_owned()));
    assert_eq!(paste(&mut scene, "7q\n"), Action::Draw);
    assert_eq!(scene.app.view, View::Overview);
    scene.type_in("/");
    assert_eq!(paste(&mut scene, "user:al\u{7}ice\rq"), Action::Draw);
    assert_eq!(scene.app.filter_text, "user:alice");
    assert!(scene.app.overlay.is_some(), "only Enter keeps a filter");
}

#[test]
fn the_mouse_points_and_clicks() {
    let mut scene = Scene::new();
    let mouse = |scene: &mut Scene, gesture, target| {
        scene.app.update(scene.at, Event::Mouse(Mouse { gesture, target }))
    };
    mouse(&mut scene, Gesture::Click, Some(Target::Column(Column::Pid)));
    assert_eq!(scene.pids(), [39_122, 41_377, 52_110, 58_213]);
    let chip = scene.app.chips()[1].id;
    mouse(&mut scene, Gesture::Click, Some(Target::Chip(chip)));
    assert_eq!(scene.chips().len(), 4);
    mouse(&mut scene, Gesture::Click, Some(Target::Chip(chip)));
    assert_eq!(scene.chips(), [1]);
    mouse(&mut scene, Gesture::Click, Some(Target::View(View::Charts)));
    mouse(&mut scene, Gesture::Hover, Some(Target::Instant(7)));
    assert_eq!((scene.app.view, scene.app.charts.cursor), (View::Charts, Some(7)));
    scene.type_in("e");
    mouse(&mut scene, Gesture::Click, None);
    assert_eq!(scene.app.overlay, None);
    scene.type_in("e");
    let saved = mouse(&mut scene, Gesture::Click, Some(Target::Item(1)));
    assert!(matches!(saved, Action::Save(_)), "{saved:?}");
}

#[test]
fn thirty_two_chips_are_walked_through() {
    let mut scene = Scene::galaxy();
    assert_eq!(scene.chips().len(), 32);
    scene.press(Key::End);
    assert_eq!(scene.app.chip_index(), 31);
    scene.app.set_page(20);
    scene.press(Key::PageUp);
    assert_eq!(scene.app.chip_index(), 21);
}

#[test]
fn choices_can_be_remembered() {
    let mut scene = Scene::new();
    scene.type_in("c+t4s2-oa");
    let now = scene.app.settings();
    assert_eq!(now.theme, Some(Theme::Light));
    assert_eq!(now.interval_micros, SECOND / 2);
    assert_eq!((now.view, now.window.minutes()), (View::Charts, 5));
    assert_eq!((now.arrange, now.scale), (Some(Arrange::Apart), Scale::Auto));
    assert_eq!(now.sort, Column::L1);
}

#[test]
fn a_device_is_opened_only_after_somebody_said_so() {
    let mut scene = Scene::new();
    assert_eq!(scene.press(Key::Char('3')), Action::Cores(CoreRequest::WithoutDevices));
    assert_eq!(scene.press(Key::Char('3')), Action::Draw, "it is being read already");
    assert_eq!(scene.press(Key::Enter), Action::Cores(CoreRequest::WithDevices));
    assert_eq!(scene.press(Key::Enter), Action::Draw);
    assert_eq!(scene.press(Key::Char('x')), Action::Cores(CoreRequest::Nothing));
    assert_eq!(scene.app.cores.requested, None);
    let mut first = Scene::new();
    first.app.view = View::L1;
    assert_eq!(first.sample(), Action::Cores(CoreRequest::WithoutDevices));
}

#[test]
fn what_l1_says_is_kept_while_it_is_fresh() {
    let mut scene = Scene::new();
    let request = ttmem_sources::L1Request { devices: true, ..Default::default() };
    let look = || {
        let look = Collector::demo().with_l1(request.clone()).unwrap().look();
        Box::new(crate::tui::cores::CoreLook::live(&look))
    };
    let used = |scene: &Scene| {
        let chip = &scene.app.snapshot().unwrap().chips[0];
        chip.memory.circular_buffers.used.clone()
    };
    scene.app.update(scene.at, Event::Cores(look()));
    assert!(scene.app.cores.read.is_none(), "it was not requested");
    scene.press(Key::Char('3'));
    scene.app.update(scene.at, Event::Cores(look()));
    scene.sample();
    let ttmem_model::Reading::Known { age_us, .. } = used(&scene) else { panic!("missing") };
    assert_eq!(age_us, SECOND);
    assert!(scene.app.core().is_some());
    scene.type_in("ll");
    assert_eq!(scene.app.cores.cursor, (2, 0));
    for _ in 0..6 {
        scene.sample();
    }
    assert!(used(&scene).missing().is_some(), "what was read six seconds ago is not now");
    scene.type_in("1");
    assert_eq!(scene.app.view, View::Overview);
}
