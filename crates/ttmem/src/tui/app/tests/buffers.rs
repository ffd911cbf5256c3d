//! The view of buffers.

use super::*;

/// The byte counts, kinds or other fields of the visible buffers.
fn shown<T>(scene: &Scene, of: impl Fn(&ttmem_model::buffers::LiveBuffer) -> T) -> Vec<T> {
    scene.app.buffers.shown().map(of).collect()
}

impl Scene {
    fn buffers(&mut self) {
        let list = Box::new(self.work.buffers_at(self.at));
        self.app.update(self.at, Event::Buffers(self.at, list));
    }
}

#[test]
fn buffers_are_sorted_filtered_and_walked_through() {
    let mut scene = Scene::new();
    scene.type_in("5");
    scene.buffers();
    let all = shown(&scene, |buffer| buffer.bytes);
    let list = scene.work.buffers_at(scene.at).buffers;
    assert_eq!(all.len(), list.len());
    assert!(all.is_sorted_by(|one, other| one >= other));
    scene.type_in("S");
    assert!(shown(&scene, |buffer| buffer.bytes).is_sorted());
    scene.type_in("Ss");
    assert!(shown(&scene, |buffer| buffer.age_us).is_sorted_by(|one, other| one >= other));
    scene.type_in("s");
    assert!(shown(&scene, |buffer| buffer.op.clone()).is_sorted());
    scene.type_in("/kind:l1z");
    assert_eq!(shown(&scene, |buffer| buffer.kind).len(), 0);
    scene.press(Key::Backspace);
    scene.press(Key::Enter);
    let in_l1 = list.iter().filter(|buffer| buffer.kind == ttmem_model::Kind::L1).count();
    assert!(in_l1 > 0 && in_l1 < list.len());
    assert_eq!(shown(&scene, |buffer| buffer.kind), vec![ttmem_model::Kind::L1; in_l1]);
    scene.press(Key::End);
    let last = scene.app.buffers.current().cloned().unwrap();
    scene.type_in("S");
    assert_eq!(scene.app.buffers.index(), 0, "the cursor stays on its buffer");
    assert_eq!(scene.app.buffers.current(), Some(&last));
    scene.press(Key::Escape);
    assert_eq!(scene.app.buffers.shown().len(), list.len());
    scene.app.only = Only::Chip(scene.app.snapshot().unwrap().chips[0].id);
    scene.press(Key::Down);
    assert_eq!(scene.app.buffers.shown().len(), 0, "no agent allocates on chip 0");
}

#[test]
fn buffers_are_read_only_while_somebody_looks_at_them() {
    let mut scene = Scene::new();
    assert!(scene.app.wanted_list().is_none());
    scene.buffers();
    assert!(scene.app.buffers.list().is_none(), "it was not requested");
    scene.type_in("5");
    assert!(scene.app.wanted_list().is_some());
    scene.buffers();
    let read = scene.app.buffers.listed.read.clone();
    scene.type_in(" ");
    scene.at = Moment(scene.at.0 + SECOND);
    scene.buffers();
    assert_eq!(scene.app.buffers.listed.read, read, "a frozen screen stands still");
    scene.type_in(" ");
    assert_eq!(scene.app.buffers.listed.read.as_ref().map(|(at, _)| *at), Some(scene.at));
    scene.type_in("4");
    assert!(scene.app.wanted_list().is_none());
    scene.type_in("5");
    assert!(scene.app.buffers.list().is_none(), "what was read before is old");
}

#[test]
fn buffers_that_are_late_say_how_old_they_are() {
    let mut scene = Scene::new();
    scene.type_in("5");
    scene.buffers();
    let at = Moment(scene.at.0 + 4 * SECOND);
    scene.app.update(at, Event::Tick);
    assert_eq!(scene.app.buffers.listed.silence(at, scene.app.interval), Some(4 * SECOND));
    scene.at = at;
    scene.sample();
    assert_eq!(scene.app.wait(at), Some(SECOND + 1_000), "the age grows by the second");
}

#[test]
fn page_keys_scroll_the_details_of_a_buffer_and_the_next_buffer_begins_at_its_top() {
    let mut scene = Scene::new();
    scene.type_in("5");
    scene.buffers();
    scene.press(Key::PageDown);
    assert_eq!(scene.app.scroll.get(), 0, "without details the cursor moves");
    scene.press(Key::Home);
    let first = scene.app.buffers.index();
    scene.press(Key::Enter);
    scene.press(Key::PageDown);
    assert!(scene.app.scroll.get() > 0);
    assert_eq!(scene.app.buffers.index(), first);
    scene.press(Key::PageUp);
    assert_eq!(scene.app.scroll.get(), 0);
    scene.press(Key::PageDown);
    scene.press(Key::Down);
    assert_eq!((scene.app.scroll.get(), scene.app.buffers.index()), (0, first + 1));
}

#[test]
fn details_open_only_where_there_is_a_buffer() {
    let mut scene = Scene::new();
    scene.press(Key::Enter);
    scene.type_in("5");
    scene.buffers();
    assert_eq!(scene.app.buffers.shown().len(), 0, "no agent allocates on chip 0");
    scene.press(Key::Enter);
    scene.press(Key::Escape);
    assert_eq!(scene.app.only, Only::All, "Escape clears what the screen says that it clears");
    scene.press(Key::Enter);
    assert!(scene.app.buffers.details);
    scene.type_in("/nobody");
    scene.press(Key::Enter);
    scene.press(Key::Escape);
    assert_eq!(scene.app.filter_text, "");
    scene.press(Key::Escape);
    assert!(!scene.app.buffers.details);
}
