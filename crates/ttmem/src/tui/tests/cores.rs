//! View 3 by the record of agents.

use insta::assert_snapshot;
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{Board, Host, NOW, PID, Process};
use ttmem_model::SourceName;
use ttmem_model::facts::RegionBytes;
use ttmem_model::snapshot::{Source, SourceStatus};
use ttmem_root::{Clock, Root, Tree};
use ttmem_segment::layout::Counter;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind};
use ttmem_sources::Collector;

use super::sampled::watch;
use super::screen::{LOOK, press, screen};
use super::views::screens;
use crate::tui::app::{App, Event};
use crate::tui::choice::View;
use crate::tui::cores::CoreLook;
use crate::tui::history::Moment;

/// A chip whose owner ran a program under the agent; another owner has no agent.
fn tree_with_agent(is_alone: bool) -> Tree {
    let process = || Process::new(PID, "python3");
    let whole = CoreRange { start: (0, 0), end: (7, 7) };
    let matmul = NewProgram::new("Matmul")
        .place(PartKind::CircularBuffer, 105_824, 32_768, whole)
        .kernel("bmm", Some(300), whole);
    let segment = Segment::wormhole(PID, process().start_ticks(), 0x0000_0180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
        .program(&matmul)
        .dispatch(0)
        .counter(Counter::ProgramsTracked, 1);
    let bytes = RegionBytes { l1: 64 * 65_536, ..RegionBytes::default() };
    let host = Host::new().board(Board::n150()).workload(process(), bytes);
    let host = match is_alone {
        true => host,
        false => host.workload(Process::new(PID + 1, "python3"), RegionBytes::default()),
    };
    host.segment_of(PID, segment).into_tree()
}

#[test]
fn l1_by_agents_needs_no_device_and_no_question() {
    let watched = |is_alone| {
        let tree = || tree_with_agent(is_alone);
        let mut app = watch(tree(), View::L1, LOOK);
        // As the view asks by itself: without devices.
        let collector = Collector::new(Root::memory(tree())).with_clock(Clock::Fixed(NOW));
        let look = collector.with_segments().look();
        app.update(Moment(0), Event::Cores(Box::new(CoreLook::live(&look))));
        app
    };
    let mut app = watched(true);
    assert_snapshot!("cores_by_agent", screens(&app));
    let text = screen(&app, (160, 50));
    assert!(text.contains("◉ resident 64"), "the sign of ttmem l1: {text}");
    let status = |app: &App| {
        let l1 = |source: &&Source| source.name == SourceName::L1;
        app.snapshot().unwrap().sources.iter().find(l1).unwrap().status
    };
    assert_ne!(status(&app), SourceStatus::Ok, "no L1 was read");
    let before = app.cores.requested;
    press(&mut app, "⏎");
    assert_eq!(app.cores.requested, before, "nothing asks for a device");
    let text = screen(&watched(false), (80, 24));
    assert!(text.contains("Reading it opens /dev/tenstorrent/0"), "{text}");
    assert!(!text.contains("source agent"), "{text}");
}
