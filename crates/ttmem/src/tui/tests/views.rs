//! Every view of `ttmem top` at three sizes, of hosts with no, one, four and 32 chips, with every missing reason,
//! with 16 colours and with none.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use crate::tui::app::{App, Event, Replay, Sample};
use crate::tui::choice::View;
use crate::tui::choice::{Arrange, Settings};
use crate::tui::cores::CoreLook;
use crate::tui::demo::Work;
use crate::tui::details;
use crate::tui::history::Moment;
use crate::tui::look::{Charset, Depth, Look, Theme};
use crate::tui::screen::Screen;
use crate::tui::view;
use insta::assert_snapshot;
use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;
use rustix::io::Errno;
use ttmem_fake as fake;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{BOOT, Host, NOW, PID};
use ttmem_model::snapshot::{ProcessState, SourceStatus};
use ttmem_model::{MissingReason, Pid, Timestamp};
use ttmem_recording::{Event as Happened, EventKind};
use ttmem_root::{Clock, Root};
use ttmem_root::{Entry, Tree};
use ttmem_segment::AllocatorKind;
use ttmem_segment::layout::Counter;
use ttmem_sources::{Collector, L1Request};

use super::sampled::{Sampled, demo, watch};
use super::screen::{LOOK, press, screen};

const SIZES: [(u16, u16); 3] = [(160, 50), (80, 24), (40, 12)];

pub(super) fn screens(app: &App) -> String {
    SIZES.map(|size| screen(app, size)).join("\n")
}

#[test]
fn every_view_of_every_host_at_every_size() {
    let hosts = [
        ("none", Sampled::of_tree(Host::new().without_driver().into_tree())),
        ("one", Sampled::of_tree(Host::n150().into_tree())),
        ("four", Sampled::new(Collector::demo())),
        ("thirty_two", Sampled::of_tree(Host::galaxy().into_tree())),
    ];
    for view in View::ALL {
        for (name, host) in &hosts {
            let app = host.watch(view, LOOK);
            assert_snapshot!(format!("{}_{name}", view.name()), screens(&app));
        }
    }
}

#[test]
fn an_amount_among_many_chips_is_whole_where_its_share_is_not_known() {
    let mock = fake::Region::new(7).slot(77, "mock", fake::BYTES);
    let host = Host::galaxy().process(fake::Process::new(77, "mock")).region(mock);
    let text = screen(&watch(host.into_tree(), View::Overview, LOOK), (80, 24));
    let row = text.lines().find(|line| line.contains("  32  ")).unwrap();
    assert!(row.contains('M') && !row.contains('…'), "{text}");
}

#[test]
fn what_keys_open() {
    let cases = [
        ("details", View::Processes, "⏎"),
        ("tree", View::Processes, "t"),
        ("filter", View::Processes, "/user:al"),
        ("nothing_left", View::Overview, "/nobody⏎"),
        ("no_such_field", View::Processes, "/group:alice⏎"),
        ("one_chip", View::Charts, "↓⏎"),
        ("apart", View::Charts, "o"),
        ("of_processes", View::Charts, "⇥"),
        ("cursor", View::Charts, "←←←←←←←←←←←←←←←←←←←←"),
        ("hour", View::Charts, "---"),
        ("auto", View::Charts, "a"),
        ("metrics", View::Charts, "m"),
        ("help", View::Charts, "?"),
        ("help_search", View::Overview, "?sort"),
        ("export", View::Charts, "e"),
        ("signal", View::Processes, "K"),
        ("frozen", View::Overview, " "),
        ("buffer", View::Buffers, "↓↓⏎"),
        ("buffers_by_address", View::Buffers, "sssS"),
        ("buffers_of_an_op", View::Buffers, "/op:as_tensor kind:dram⏎"),
        ("no_buffer_left", View::Buffers, "/nobody⏎"),
        ("ops_by_name", View::Ops, "sss"),
        ("no_op_left", View::Ops, "/nobody⏎"),
    ];
    for (name, view, keys) in cases {
        let mut app = demo(view, LOOK);
        press(&mut app, keys);
        assert_snapshot!(format!("keys_{name}"), screens(&app));
    }
}

#[test]
fn many_chips_are_charted_together_or_each_on_one_scale() {
    let cases = [
        ("maximum", Host::galaxy(), "o"),
        ("trays", Host::galaxy(), "oo"),
        ("each", Host::galaxy(), "oooo"),
        ("boards", Host::t3000(), "oooo↓"),
        ("sum_of_eight", Host::t3000(), "oo←←←"),
    ];
    for (name, host, keys) in cases {
        let mut app = watch(host.into_tree(), View::Charts, LOOK);
        press(&mut app, keys);
        assert_snapshot!(format!("chips_{name}"), screens(&app));
    }
}

#[test]
fn a_part_of_the_chips_is_not_added_up() {
    let mut app = watch(Host::galaxy().into_tree(), View::Charts, LOOK);
    assert_eq!(app.subjects().len(), 1, "more than eight are a sum");
    press(&mut app, "↓⏎");
    assert_eq!(app.arrange(), Arrange::Together);
    assert!(screen(&app, (100, 24)).contains("only chip 1"), "{}", screen(&app, (100, 24)));
    press(&mut app, "⏎ooo");
    assert_eq!(app.arrange(), Arrange::Together, "after maximum and per tray");
    assert_eq!(app.subjects().len(), 32);
}

#[test]
fn a_process_that_was_looked_at_closely() {
    let mut app = demo(View::Processes, LOOK);
    press(&mut app, "⏎");
    let root = ttmem_sources::demo::root();
    let process = crate::tui::track::ProcessId { pid: Pid(41_377), start_time: 95_130_000 };
    let found = details::read(&root, process.pid);
    app.update(Moment(0), Event::Details(process, found));
    assert_snapshot!("details_read", screens(&app));
}

/// The live view with the L1 of the demonstration read.
fn demo_with_l1(view: View, look: Look) -> App {
    let mut app = demo(View::L1, look);
    let request = L1Request { devices: true, ..L1Request::default() };
    let mut collector = Collector::demo().with_l1(request).unwrap();
    let mut work = Work::new(Collector::demo());
    let at = Moment(work.begin().0 + 90_000_000);
    app.update(at, Event::Cores(Box::new(CoreLook::live(&collector.look()))));
    for second in 90..100_u64 {
        let at = Moment(work.begin().0 + second * 1_000_000);
        app.update(at, Event::Cores(Box::new(CoreLook::live(&collector.look()))));
        let snapshot = Arc::new(work.at(at));
        app.update(at, Event::Sample(Sample { at, snapshot, boot: Some(BOOT) }));
    }
    press(&mut app, &view.number().to_string());
    app
}

#[test]
fn the_worker_cores_of_a_chip() {
    for (name, keys) in
        [("first", ""), ("dispatch", "jjjjjjjj"), ("headroom", "llb"), ("other", "⇥")]
    {
        let mut app = demo_with_l1(View::L1, LOOK);
        press(&mut app, keys);
        assert_snapshot!(format!("cores_{name}"), screens(&app));
    }
    let ascii = Look { charset: Charset::Ascii, ..LOOK };
    let text = screen(&demo_with_l1(View::L1, ascii), (100, 40));
    assert!(text.is_ascii(), "{text}");
    assert_snapshot!("cores_ascii", text);
}

#[test]
fn details_that_do_not_fit_scroll_to_their_last_line() {
    let small = (80, 24);
    let mut app = demo_with_l1(View::L1, LOOK);
    // Circular buffer 3 begins here, too.
    let last = "3   0x041d60";
    assert!(!screen(&app, small).contains(last));
    press(&mut app, "⇟");
    let text = screen(&app, small);
    assert!(text.contains(last) && text.contains("core 0,0 at NOC"), "{text}");
    assert!(text.contains("PgUp PgDn: 0 more; total 192 KiB"), "{text}");
    press(&mut app, "l");
    assert!(!screen(&app, small).contains(last), "the next core begins at its top");
    let mut app = demo(View::Buffers, LOOK);
    press(&mut app, "⏎");
    let smallest = "0x00ba0040  2.38 MiB";
    assert!(!screen(&app, small).contains(smallest));
    press(&mut app, "⇟⇟⇟");
    let text = screen(&app, small);
    assert!(text.contains(smallest) && text.contains("PgUp PgDn: 0 more"), "{text}");
    for _ in 0..9 {
        press(&mut app, "⇟");
        assert_eq!(screen(&app, small), text, "nothing is below");
    }
    press(&mut app, "⇞");
    assert_ne!(screen(&app, small), text, "the way back begins at the last line");
}

#[test]
fn no_device_is_offered_for_a_chip_that_only_a_region_names() {
    let tree = fake::variants::regions::region_without_driver;
    let mut app = watch(tree(), View::L1, LOOK);
    let look = Collector::new(Root::memory(tree())).with_clock(Clock::Fixed(NOW)).look();
    app.update(Moment(0), Event::Cores(Box::new(CoreLook::live(&look))));
    let text = screen(&app, (80, 24));
    assert!(text.contains("only from a memory"), "{text}");
    assert!(!text.contains("/dev/tenstorrent"), "{text}");
}

#[test]
fn stale_memory_of_an_ended_process_has_a_row() {
    let mut work = Work::new(Collector::demo());
    let at = work.begin();
    let mut snapshot = work.at(at);
    let mut app = App::new(Settings { view: View::Processes, ..Settings::default() }, LOOK, false);
    let sample = |snapshot| Event::Sample(Sample { at, snapshot, boot: None });
    app.update(at, sample(Arc::new(snapshot.clone())));
    press(&mut app, "⏎");
    let pid = Pid(41377);
    let owner = snapshot.processes.iter_mut().find(|process| process.pid == pid).unwrap();
    (owner.start_time, owner.state) = (0, ProcessState::Stale);
    app.update(at, sample(Arc::new(snapshot)));
    let text = screen(&app, (80, 24));
    assert!(text.contains("Its stale memory has a row of its own"), "{text}");
}

#[test]
fn a_source_that_failed_is_told_in_every_view() {
    for view in View::ALL {
        let mut work = Work::new(Collector::demo());
        let at = work.begin();
        let mut snapshot = work.at(at);
        snapshot.findings.clear();
        snapshot.sources[0].status = SourceStatus::Failed;
        let mut app = App::new(Settings { view, ..Settings::default() }, LOOK, false);
        app.update(at, Event::Sample(Sample { at, snapshot: Arc::new(snapshot), boot: None }));
        let text = screen(&app, (80, 24));
        assert!(text.contains("kmd failed"), "{text}");
        assert!(!text.contains("Nothing is wrong"), "{text}");
    }
}

#[test]
fn no_view_is_empty_where_no_chip_is_left() {
    for view in [View::Overview, View::Charts, View::L1, View::Telemetry] {
        let mut work = Work::new(Collector::demo());
        let at = work.begin();
        let mut snapshot = work.at(at);
        let mut app = App::new(Settings::default(), LOOK, false);
        let sample = |snapshot| Event::Sample(Sample { at, snapshot, boot: None });
        app.update(at, sample(Arc::new(snapshot.clone())));
        press(&mut app, &format!("↓⏎{}", view.number()));
        snapshot.chips.remove(1);
        app.update(at, sample(Arc::new(snapshot)));
        let text = screen(&app, (80, 24));
        assert!(text.contains("Esc clears it"), "{text}");
    }
}

#[test]
fn what_l1_says_is_in_every_view() {
    for view in [View::Overview, View::Charts] {
        let app = demo_with_l1(view, LOOK);
        assert_snapshot!(format!("with_l1_{}", view.name()), screen(&app, (160, 50)));
    }
}

/// The demonstration as a recording of ten minutes, at its fourth.
fn replayed(view: View, look: Look) -> App {
    let mut work = Work::new(Collector::demo());
    let begin = work.begin().0;
    let mut app = App::new(Settings { view, ..Settings::default() }, look, false);
    let span = (Timestamp(begin), Timestamp(begin + 600_000_000));
    app.replay(Replay::new("run.ttmem".to_owned(), span), 1_000_000);
    for second in 150..240_u64 {
        let at = Moment(begin + second * 1_000_000);
        let snapshot = Arc::new(work.at(at));
        app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
    }
    let happened = [
        (30, EventKind::ProcessStarted, "python3 (pid 41377) started"),
        (200, EventKind::Peak, "DRAM 8257536000 bytes"),
        (480, EventKind::ProcessDied, "python (pid 39122) has died"),
    ];
    let happened = happened.map(|(second, kind, text)| {
        Happened::new(Timestamp(begin + second * 1_000_000), kind, text).with_value(8_257_536_000)
    });
    app.update(Moment(begin), Event::Happened(happened.to_vec()));
    app
}

#[test]
fn a_recording_has_the_same_views_and_a_time_line() {
    for view in [View::Overview, View::Charts] {
        let name = format!("replay_{}", view.name());
        assert_snapshot!(name, screens(&replayed(view, LOOK)));
    }
    let cases = [("details", "4⏎"), ("go_to", "@09:31"), ("help", "?"), ("before", "p")];
    for (name, keys) in cases {
        let mut app = replayed(View::Overview, LOOK);
        press(&mut app, keys);
        assert_snapshot!(format!("replay_{name}"), screen(&app, (100, 30)));
    }
    let ascii =
        screen(&replayed(View::Overview, Look { charset: Charset::Ascii, ..LOOK }), (80, 24));
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn buffers_that_were_not_read_say_so() {
    let mut app = App::new(Settings { view: View::Buffers, ..Settings::default() }, LOOK, false);
    let mut work = Work::new(Collector::demo());
    let at = work.begin();
    let snapshot = Arc::new(work.at(at));
    app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
    assert!(screen(&app, (80, 24)).contains("reading buffers"));
    app.update(at, Event::Buffers(at, Box::new(work.buffers_at(at))));
    let later = Moment(at.0 + 7_000_000);
    app.update(later, Event::Tick);
    assert!(screen(&app, (80, 24)).contains("read 7 s ago"));
}

/// Two processes with the agent: one that runs, without statistics, and one that is gone.
fn two_agents() -> Tree {
    let start = fake::Process::new(PID, "python3").start_ticks();
    let nasty = "an op with \u{1b}[31m a name that no screen is wide enough for ".repeat(4);
    let mut running = Segment::wormhole(PID, start, 0x0000_0180_0000_0001).without_statistics();
    for op in ["Matmul", &nasty, ""] {
        running = running.allocate(NewBuffer::new(AllocatorKind::Dram, 3 << 20, op));
    }
    let gone = Segment::wormhole(4_321, 12, 0x0000_0180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::L1, 64 << 10, "Softmax"))
        .allocate(NewBuffer::new(AllocatorKind::L1, 640 << 10, "Matmul"))
        .allocate(NewBuffer::new(AllocatorKind::L1, 64 << 10, "Add"))
        .free_newest_of("Matmul")
        .counter(Counter::BuffersDropped, 7);
    let host = Host::n150().workload(fake::Process::new(PID, "python3"), fake::BYTES);
    host.segment_of(PID, running).segment_of(4_321, gone).into_tree()
}

#[test]
fn several_processes_with_the_agent() {
    let mut app = watch(two_agents(), View::Buffers, LOOK);
    assert_snapshot!("buffers_two_agents", screens(&app));
    press(&mut app, "⇥⏎");
    let text = screen(&app, (100, 30));
    assert!(text.contains("4321") && text.contains("gone; what it held then"), "{text}");
    assert_snapshot!("buffers_next_agent", text);
}

#[test]
fn whoever_may_not_read_a_segment_is_told() {
    let mut tree = Host::n150().into_tree();
    tree.put("/dev/shm/ttmem-4242-77", Entry::Error(Errno::ACCESS));
    let text = screen(&watch(tree, View::Buffers, LOOK), (100, 30));
    assert!(text.contains("no permission to read"), "{text}");
}

#[test]
fn every_reason_for_a_blank_is_said() {
    use fake::variants::{devices, processes, regions};
    let hosts: [(MissingReason, fn() -> Tree); 5] = [
        (MissingReason::NoSource, processes::tracking_disabled),
        (MissingReason::Denied, regions::unreadable_region),
        (MissingReason::Unsupported, devices::very_old_driver),
        (MissingReason::NotRead, || Host::p150().into_tree()),
        (MissingReason::Failed, regions::counter_below_zero),
    ];
    for (reason, tree) in hosts {
        let mut all = String::new();
        let host = Sampled::of_tree(tree());
        for view in [View::Overview, View::Processes, View::Telemetry, View::Charts] {
            let mut app = host.watch(view, LOOK);
            if view == View::Processes {
                press(&mut app, "⏎");
            }
            all.push_str(&screen(&app, (132, 30)));
        }
        assert!(all.contains(reason.as_str()), "{reason:?} is not said");
        assert_snapshot!(format!("blank_{}", reason.as_str()), all);
    }
}

#[test]
fn no_host_is_too_strange_to_be_drawn() {
    for (name, tree) in fake::variants() {
        let host = Sampled::of_tree(tree);
        let mut app = host.watch(View::Overview, LOOK);
        for view in View::ALL {
            press(&mut app, &view.number().to_string());
            host.list(&mut app);
            for size in [(160, 50), (80, 24), (40, 12), (20, 4), (1, 1)] {
                let text = screen(&app, size);
                let control = text.chars().find(|letter| letter.is_control() && *letter != '\n');
                assert_eq!(control, None, "{name} {view:?}");
            }
        }
    }
}

#[test]
fn what_is_too_small_says_so() {
    let app = demo(View::Overview, LOOK);
    assert_snapshot!("too_small", screen(&app, (38, 8)));
}

#[test]
fn before_the_first_sample() {
    let app = App::new(Settings::default(), LOOK, false);
    assert_snapshot!("waiting", screen(&app, (80, 24)));
}

/// The output to a terminal, with the escape character made visible.
fn written(app: &App, (width, height): (u16, u16)) -> String {
    let mut bytes = Vec::new();
    {
        let mut terminal =
            Terminal::new(Screen::new(&mut bytes, Size::new(width, height))).unwrap();
        let mut frame = terminal.get_frame();
        view::draw(app, &mut frame);
        terminal.flush().unwrap();
        ratatui_core::backend::Backend::flush(terminal.backend_mut()).unwrap();
    }
    String::from_utf8(bytes).unwrap().replace("\x1b[0", "\n␛[0").replace('\x1b', "␛")
}

#[test]
fn colours_are_those_of_the_terminal() {
    let sixteen = Look { depth: Depth::Sixteen, ..LOOK };
    let text = written(&demo(View::Overview, sixteen), (80, 24));
    assert!(!text.contains("38;2;") && !text.contains("38;5;"), "{text}");
    assert_snapshot!("sixteen_colours", text);
    let mono = Look { theme: Theme::Mono, ..LOOK };
    let text = written(&demo(View::Overview, mono), (80, 24));
    let has_colour = |line: &str| {
        let codes = line.strip_prefix("␛[0").and_then(|rest| rest.split('m').next());
        codes.is_some_and(|codes| codes.split(';').any(|code| code.len() > 1))
    };
    assert!(!text.lines().any(has_colour), "{text}");
    assert_snapshot!("mono", text);
    assert_snapshot!("mono_charts", screen(&demo(View::Charts, mono), (160, 50)));
}

#[test]
fn ascii_is_ascii() {
    let ascii = Look { charset: Charset::Ascii, ..LOOK };
    let mut all = String::new();
    for view in View::ALL {
        let text = screen(&demo(view, ascii), (80, 24));
        assert!(text.is_ascii(), "{text}");
        all.push_str(&text);
    }
    let mut app = demo(View::Charts, ascii);
    press(&mut app, "?");
    assert!(screen(&app, (80, 24)).is_ascii());
    assert_snapshot!("ascii", all);
}

/// A writer that counts bytes.
#[derive(Clone, Debug, Default)]
struct ByteCount(Rc<Cell<usize>>);

impl Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_did_not_change_is_not_written() {
    let bytes = ByteCount::default();
    let screen = Screen::new(bytes.clone(), Size::new(160, 50));
    let mut terminal = Terminal::new(screen).unwrap();
    let app = demo(View::Charts, LOOK);
    let mut draw = || {
        view::draw(&app, &mut terminal.get_frame());
        terminal.flush().unwrap();
        terminal.swap_buffers();
        ratatui_core::backend::Backend::flush(terminal.backend_mut()).unwrap();
        bytes.0.get()
    };
    let first = draw();
    assert!(first > 1_000);
    assert_eq!(draw(), first);
}
