//! A recording instead of a host.

use super::*;
use crate::tui::app::ListKind;

/// A scene that plays a recording of five minutes.
fn replayed() -> Scene {
    let mut scene = Scene::new();
    let first = scene.at.0;
    let last = first + 300 * SECOND;
    let span = (ttmem_model::Timestamp(first), ttmem_model::Timestamp(last));
    scene.app.replay(Replay::new("run.ttmem".to_owned(), span), SECOND);
    let happened = [(60, "a"), (120, "b"), (120, "c")].map(|(second, text)| {
        let time = ttmem_model::Timestamp(first + second * SECOND);
        Happened::new(time, ttmem_recording::EventKind::ProcessStarted, text)
    });
    scene.app.update(scene.at, Event::Happened(happened.to_vec()));
    scene
}

/// The position, in seconds, that an action sets, and its speed.
fn sought(scene: &Scene, action: &Action) -> (u64, f64) {
    let Action::Replay(Playback::Seek(moment, speed)) = action else { panic!("{action:?}") };
    let first = scene.app.replay.as_ref().unwrap().span.0;
    (moment.since(first) / SECOND, *speed)
}

#[test]
fn a_recording_is_played_paused_and_searched() {
    let mut scene = replayed();
    let now = scene.at;
    let seek = |scene: &mut Scene, keys: &str| {
        let action = scene.type_in(keys);
        let found = sought(scene, &action);
        let first = scene.app.replay.as_ref().unwrap().span.0;
        let at = Moment(first.0 + found.0 * SECOND);
        let snapshot = Arc::new(scene.work.at(at));
        scene.app.update(now, Event::Sample(Sample { at, snapshot, boot: None }));
        found
    };
    assert_eq!(seek(&mut scene, "n"), (60, 1.0));
    assert!(scene.app.message.as_ref().unwrap().text.ends_with("process-started: a"));
    assert_eq!(seek(&mut scene, "n"), (120, 1.0));
    assert!(scene.app.message.as_ref().unwrap().text.ends_with(" and 1 more"));
    assert_eq!(scene.press(Key::Char('n')), Action::Draw, "nothing more happened");
    assert_eq!(seek(&mut scene, "p"), (60, 1.0));
    assert_eq!(scene.press(Key::Char(' ')), Action::Replay(Playback::Pause));
    assert_eq!(seek(&mut scene, "]"), (70, 0.0));
    assert_eq!(seek(&mut scene, "{"), (0, 0.0), "not before the beginning");
    assert_eq!(seek(&mut scene, "}"), (300, 0.0), "nor behind the end");
    assert_eq!(scene.press(Key::Char('>')), Action::Draw, "a speed of what stands still");
    assert_eq!(seek(&mut scene, " "), (0, 2.0), "at the end it begins again");
    assert_eq!(scene.press(Key::Char('<')), Action::Replay(Playback::Play(1.0)));
    scene.type_in("@+90s");
    let action = scene.press(Key::Enter);
    assert_eq!(sought(&scene, &action), (90, 1.0));
    scene.type_in("@yesterday");
    assert_eq!(scene.press(Key::Enter), Action::Draw);
    assert!(scene.app.message.as_ref().unwrap().text.contains("is not a time"));
    assert!(scene.app.overlay.is_some(), "it can be corrected");
}

#[test]
fn nothing_of_a_recording_is_asked_of_this_machine() {
    let mut scene = replayed();
    assert_eq!(scene.type_in("3"), Action::Cores(CoreRequest::Recorded));
    assert_eq!(scene.type_in("3"), Action::Draw, "once is enough");
    assert_eq!(scene.press(Key::Enter), Action::Draw);
    assert_eq!(scene.type_in("x"), Action::Draw);
    assert_eq!(scene.type_in("4"), Action::Draw);
    assert_eq!(scene.press(Key::Enter), Action::Draw, "details are not read");
    let Some((_, Some(details))) = &scene.app.details else { panic!("no details") };
    assert!(details.threads.as_ref().unwrap_err().detail.contains("recording"));
    assert_eq!(scene.sample(), Action::Draw);
    scene.type_in("K");
    assert_eq!(scene.app.overlay, None);
    scene.type_in("5");
    let wanted = Some((ListKind::Buffers, Pace::Once(scene.at)));
    assert_eq!(scene.app.wanted_list(), wanted, "of that moment, not of now");
    assert_eq!(scene.app.settings().interval_micros, SECOND, "its interval is not a setting");
    let later = Moment(scene.at.0 + 60 * SECOND);
    scene.app.update(later, Event::Tick);
    assert_eq!(scene.app.silence(), None, "a recording that stands still is not silent");
}

#[test]
fn charts_are_those_of_the_moment_that_was_jumped_to() {
    let mut scene = replayed();
    for _ in 0..5 {
        scene.sample();
    }
    let before = scene.app.past.history.last().unwrap();
    scene.type_in("@+1s");
    let action = scene.press(Key::Enter);
    assert_eq!(sought(&scene, &action), (1, 1.0));
    let at = Moment(scene.app.replay.as_ref().unwrap().span.0.0 + SECOND);
    let snapshot = Arc::new(scene.work.at(at));
    scene.app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
    assert_eq!(scene.app.past.history.last(), Some(before), "until the past was read");
    let past = |scene: &mut Scene, upto: Moment| {
        let mut past = Past::default();
        let mut rates = Rates::new();
        for second in (0..4).rev() {
            let at = upto.before(second * SECOND);
            rates = past.note(at, SECOND, &scene.work.at(at));
        }
        (Box::new(past), rates)
    };
    let (other, rates) = past(&mut scene, before);
    scene.app.update(at, Event::Past(before, other, rates));
    assert!(scene.app.replay.as_ref().unwrap().filling, "that is another jump's");
    let (its, rates) = past(&mut scene, at);
    scene.app.update(at, Event::Past(at, its, rates));
    assert!(!scene.app.replay.as_ref().unwrap().filling);
    assert_eq!(scene.app.past.history.last(), Some(at));
    assert!(!scene.app.shown.as_ref().unwrap().cpu.is_empty());
}
