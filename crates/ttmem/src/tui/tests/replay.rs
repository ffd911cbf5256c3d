//! Views 3 and 5 of `ttmem replay`: what a recording holds of buffers and of cores, and what it does not.

use std::path::Path;
use std::sync::Arc;

use crate::cmd::record::cores::CorePeak;
use crate::tui::app::{App, CoreRequest, Event, ListKind, Pace, Replay, Sample};
use crate::tui::choice::Settings;
use crate::tui::choice::View;
use crate::tui::history::Moment;
use crate::tui::key::Key;
use crate::tui::recorded;
use crate::tui::sampler::CoreFeed;
use insta::assert_snapshot;
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{BYTES, Host, NOW, PID, Process};
use ttmem_model::buffers::{BufferList, BufferOwner};
use ttmem_model::{Pid, Snapshot, Timestamp};
use ttmem_recording::{Attachment, AttachmentKind, Contents, Encoder, Header, Limits, Parts};
use ttmem_root::{Clock, Root};
use ttmem_segment::{AllocatorKind, BufferLayout, CoreRange, PartKind};
use ttmem_sources::{Collector, L1Request};

use super::screen::{LOOK, press, screen};

const SECOND: u64 = 1_000_000;
/// Time at which the agent begins.
const BEGIN: u64 = NOW.0 - 600 * SECOND;

fn buffer(kind: AllocatorKind, kib: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(kind, kib << 10, op)
}

/// The segment of an agent, at several seconds after its start.
fn story() -> Vec<(u64, Segment)> {
    let start = Process::new(PID, "python3").start_ticks();
    let sharded = buffer(AllocatorKind::L1, 64, "Conv2d").layout(BufferLayout::BlockSharded);
    let first = Segment::wormhole(PID, start, Host::n150().region_ids()[0])
        .allocate(buffer(AllocatorKind::Dram, 48 << 10, "Embedding"))
        .allocate(buffer(AllocatorKind::Dram, 900, "KvCache"));
    let second = first
        .clone()
        .wait(2_000)
        .allocate(buffer(AllocatorKind::L1, 320, "Matmul"))
        .allocate(sharded)
        .allocate(buffer(AllocatorKind::Dram, 12 << 10, ""));
    // The first goes before the others; a hole is left where it lay.
    let third = second
        .clone()
        .wait(3_000)
        .free_oldest(AllocatorKind::Dram)
        .free_newest_of("Matmul")
        .allocate(buffer(AllocatorKind::Dram, 3 << 10, "Softmax"));
    let fourth = third.clone().wait(4_000).close();
    vec![(1, first), (3, second), (6, third), (10, fourth)]
}

/// A recording of twelve seconds, whose process runs with an agent until the last.
struct Film {
    snapshots: Vec<Snapshot>,
    attached: Vec<(Attachment, Vec<u8>)>,
    /// True if the recording has its end.
    is_whole: bool,
}

impl Film {
    fn of(story: &[(u64, Segment)]) -> Self {
        let snapshot = |second: u64| {
            let written = story.iter().rev().find(|(since, _)| *since <= second);
            let mut host = Host::n150().workload(Process::new(PID, "python3"), BYTES);
            if let Some((_, segment)) = written {
                host = host.segment_of(PID, segment.clone());
            }
            let clock = Clock::Fixed(Timestamp(BEGIN + second * SECOND));
            Collector::new(Root::memory(host.into_tree())).with_clock(clock).snapshot()
        };
        let mut film = Self {
            snapshots: (0..12).map(snapshot).collect(),
            attached: Vec::new(),
            is_whole: true,
        };
        if let Some((_, last)) = story.last() {
            film.attach(AttachmentKind::Segment, &last.name(), NOW, last.image());
        }
        film
    }

    fn attach(&mut self, kind: AttachmentKind, name: &str, time: Timestamp, content: Vec<u8>) {
        let attachment = Attachment {
            kind,
            name: name.to_owned(),
            pid: (kind == AttachmentKind::Segment).then_some(Pid(PID)),
            is_running: false,
            time,
            bytes: content.len() as u64,
        };
        self.attached.push((attachment, content));
    }

    /// Removes the attachments and the end, as if the recorder was killed.
    fn cut(self) -> Self {
        Self { attached: Vec::new(), is_whole: false, ..self }
    }

    fn write(&self, path: &Path) {
        let (mut contents, mut bytes) = Contents::begin(&Header::default());
        let mut encoder = Encoder::new(Limits::default());
        let mut blocks = Vec::new();
        for snapshot in &self.snapshots {
            blocks.extend(encoder.push(snapshot.time_us, snapshot).unwrap());
        }
        blocks.extend(encoder.flush());
        for (attachment, content) in &self.attached {
            let mut parts = Parts::of(attachment.clone()).unwrap();
            while let Some((offset, length)) = parts.wanted() {
                let from = usize::try_from(offset).unwrap();
                blocks.push(parts.block(&content[from..from + length]));
            }
        }
        for block in &blocks {
            contents.add(block);
            bytes.extend_from_slice(&block.bytes);
        }
        if self.is_whole {
            bytes.extend(contents.end());
        }
        std::fs::write(path, bytes).unwrap();
    }

    /// Shows a second of it, with the results of its readers.
    fn shown(&self, view: View, second: u64) -> App {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.ttmem");
        self.write(&path);
        let mut app = App::new(Settings { view, ..Settings::default() }, LOOK, false);
        let [first, last] = [self.snapshots.first(), self.snapshots.last()];
        let span = (first.unwrap().time_us, last.unwrap().time_us);
        app.replay(Replay::new("run.ttmem".to_owned(), span), SECOND);
        self.play(&mut app, second);
        if let Some((kind, Pace::Once(at))) = app.wanted_list() {
            app.update(at, self.list(kind, second));
        }
        if view == View::L1 {
            let recipe = recorded::cores(path);
            let Ok(CoreFeed::Recording(look)) = recipe(CoreRequest::Recorded)() else { panic!() };
            app.update(Moment(0), Event::Cores(look));
        }
        app
    }

    /// A list of a second.
    fn list(&self, kind: ListKind, second: u64) -> Event {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.ttmem");
        self.write(&path);
        let mut list = recorded::lister(path)().unwrap();
        list(kind, Moment(self.snapshots[usize::try_from(second).unwrap()].time_us.0))
    }

    fn play(&self, app: &mut App, second: u64) {
        let snapshot = self.snapshots[usize::try_from(second).unwrap()].clone();
        let at = Moment(snapshot.time_us.0);
        let sample = Sample { at, snapshot: Arc::new(snapshot), boot: None };
        app.update(at, Event::Sample(sample));
    }
}

fn screens(app: &App) -> String {
    [(160, 50), (80, 24)].map(|size| screen(app, size)).join("\n")
}

#[test]
fn buffers_are_those_of_the_moment_that_is_shown() {
    let film = Film::of(&story());
    for second in [1, 4, 7, 11] {
        let app = film.shown(View::Buffers, second);
        assert_snapshot!(format!("buffers_{second}"), screens(&app));
    }
}

#[test]
fn buffers_of_a_recording_are_chosen_sorted_and_saved_like_those_of_now() {
    let mut app = Film::of(&story()).shown(View::Buffers, 4);
    press(&mut app, "/kind:dram⏎ss↓⏎");
    assert_snapshot!("buffers_chosen", screen(&app, (80, 24)));
    let saved = crate::tui::export::document(&app, crate::tui::export::Format::Json).unwrap();
    let list: BufferList = serde_json::from_slice(&saved.bytes).unwrap();
    let ops: Vec<_> = list.buffers.iter().map(|buffer| buffer.op.as_deref()).collect();
    assert_eq!(ops, [None, Some("Embedding"), Some("KvCache")]);
    assert_eq!(list.time_us.0, BEGIN + 4 * SECOND);
}

#[test]
fn a_list_of_another_moment_says_so_until_the_next_one_comes() {
    let film = Film::of(&story());
    let mut app = film.shown(View::Buffers, 4);
    assert!(!screen(&app, (80, 24)).contains("reading"));
    film.play(&mut app, 7);
    assert!(screen(&app, (80, 24)).contains("as of 09:20:04 UTC, reading …"));
    let wanted = (ListKind::Buffers, Pace::Once(Moment(BEGIN + 7 * SECOND)));
    assert_eq!(app.wanted_list(), Some(wanted));
    let mut empty = film.shown(View::Buffers, 11);
    assert!(screen(&empty, (80, 24)).contains("No live buffers."));
    film.play(&mut empty, 7);
    let text = screen(&empty, (80, 24));
    assert!(text.contains("reading buffers …") && !text.contains("No buffer"), "{text}");
    // What is paused is as old as it is.
    app.update(Moment(NOW.0 + 3_600 * SECOND), Event::Tick);
    assert_eq!(app.wait(Moment(NOW.0 + 3_600 * SECOND)), None);
    app.update(Moment(0), Event::Key(Key::Char('1')));
    assert_eq!(app.wanted_list(), None, "the view is closed");
}

#[test]
fn where_a_recording_does_not_tell_of_buffers_it_says_why() {
    let mut busy = story()[0].1.clone();
    for _ in 0..5_000 {
        busy =
            busy.allocate(buffer(AllocatorKind::Dram, 64, "Add")).free_newest(AllocatorKind::Dram);
    }
    let overwritten = Film::of(&[(1, busy)]).shown(View::Buffers, 1);
    assert_snapshot!("buffers_overwritten", screens(&overwritten));
    let cut = Film::of(&story()).cut().shown(View::Buffers, 4);
    assert_snapshot!("buffers_cut", screens(&cut));
    let film = Film::of(&story());
    let mut app = film.shown(View::Buffers, 4);
    let Event::Buffers(_, list) = film.list(ListKind::Buffers, 4) else { panic!() };
    let mut list = *list;
    let silent = BufferOwner {
        pid: Pid(5_001),
        name: "other".to_owned(),
        unknown: Some("its agent's segment is not in the recording".to_owned()),
        ..list.processes[0].clone()
    };
    list.processes.push(silent);
    let at = Moment(list.time_us.0);
    app.update(at, Event::Buffers(at, Box::new(list)));
    assert_snapshot!("buffers_of_one_of_two", screens(&app));
    let without = Film::of(&[]).shown(View::Buffers, 4);
    assert_snapshot!("buffers_without_agents", screens(&without));
}

/// A film of the demonstration with its cores at a second.
fn film_with_cores(second: u64) -> Film {
    let request = L1Request { devices: true, ..L1Request::default() };
    let mut collector = Collector::demo().with_l1(request).unwrap();
    let look = collector.look();
    let mut peak = CorePeak::default();
    peak.observe(&look);
    let (_, content) = peak.attachment().unwrap();
    let begin = look.snapshot.time_us.0;
    let at = |second: u64| {
        let time_us = Timestamp(begin + second * SECOND);
        Snapshot { time_us, ..look.snapshot.clone() }
    };
    let mut film =
        Film { snapshots: (0..12).map(at).collect(), attached: Vec::new(), is_whole: true };
    film.attach(AttachmentKind::L1, "peak", Timestamp(begin + second * SECOND), content);
    film
}

#[test]
fn cores_are_those_that_were_recorded_with_their_distance_in_time() {
    let film = film_with_cores(4);
    assert_snapshot!("cores", screens(&film.shown(View::L1, 9)));
    let mut app = film.shown(View::L1, 4);
    assert!(screen(&app, (80, 24)).contains("as of 09:30:04 UTC, at the shown time"));
    press(&mut app, "lljjb");
    assert_eq!(app.update(Moment(0), Event::Key(Key::Enter)), crate::tui::app::Action::Draw);
    assert_snapshot!("cores_headroom", screens(&app));
    press(&mut app, "x");
    assert!(screen(&app, (80, 24)).contains("at the shown time"), "nothing is being read");
    assert!(screen(&film.shown(View::L1, 0), (80, 24)).contains("4.0s after the shown time"));
}

#[test]
fn a_recording_without_cores_says_how_it_would_have_some() {
    let film = Film::of(&story());
    assert_snapshot!("cores_none", screens(&film.shown(View::L1, 4)));
    let text = screen(&film_with_cores(4).cut().shown(View::L1, 4), (80, 24));
    assert!(text.contains("where cores are stored") && text.contains("record --l1"), "{text}");
}

#[test]
fn cores_that_cannot_be_are_not_drawn() {
    let mut film = film_with_cores(4);
    let honest = film.attached[0].1.clone();
    let mut report: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    report["chips"][0]["cores"][3]["regions"][1]["start"] = u64::MAX.into();
    let cases = [
        (report.to_string().into_bytes(), "overlap or leave gaps"),
        (honest[..honest.len() / 2].to_vec(), "cannot be read"),
        (b"[]".to_vec(), "cannot be read"),
    ];
    for (content, why) in cases {
        let time = film.attached[0].0.time;
        film.attached.clear();
        film.attach(AttachmentKind::L1, "peak", time, content);
        let text = screen(&film.shown(View::L1, 4), (160, 50));
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn l1_by_op_is_that_of_the_moment_that_is_shown() {
    let whole = CoreRange { start: (0, 0), end: (7, 7) };
    let program =
        |op, bytes| NewProgram::new(op).place(PartKind::DataflowBuffer, 105_824, bytes, whole);
    let start = Process::new(PID, "python3").start_ticks();
    let segment = Segment::wormhole(PID, start, Host::n150().region_ids()[0])
        .program(&program("Matmul", 512 << 10))
        .program(&program("Softmax", 64 << 10))
        .wait(2_000)
        .dispatch(0)
        .wait(4_000)
        .dispatch(1);
    let film = Film::of(&[(1, segment)]);
    let early = screen(&film.shown(View::Ops, 4), (100, 20));
    assert!(early.contains("Matmul") && !early.contains("Softmax"), "{early}");
    let late = screen(&film.shown(View::Ops, 11), (100, 20));
    assert!(late.contains("2 ops") && late.contains("Softmax"), "{late}");
}

#[test]
fn a_moment_without_chips_says_that_there_may_be_some_at_another() {
    let mut film = Film::of(&story());
    film.snapshots[0].chips.clear();
    for size in [(120, 40), (80, 24)] {
        let text = screen(&film.shown(View::Overview, 0), size);
        assert!(text.contains("No chips at this time."), "{text}");
        assert!(text.contains("n goes to the next event."), "{text}");
        assert!(!text.contains("--demo"), "{text}");
    }
}
