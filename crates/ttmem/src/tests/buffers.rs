//! The list of `ttmem buffers` from made-up segments.

use crate::output::buffers::{Listing, render};
use crate::output::page::{Charset, Colour, Page};
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{Host, NOW, PID, Process};
use ttmem_merge::buffers;
use ttmem_model::buffers::BufferList;
use ttmem_root::{Clock, Root};
use ttmem_segment::AllocatorKind;
use ttmem_segment::layout::Counter;
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

fn made(segment: Segment) -> BufferList {
    let host = Host::n150().segment_of(PID, segment).into_tree();
    buffers(&Collector::new(Root::memory(host)).with_clock(Clock::Fixed(NOW)).facts_at(Depth::Full))
}

fn segment() -> Segment {
    Segment::wormhole(PID, Process::new(PID, "python3").start_ticks(), 0x0000_0180_0000_0001)
}

#[test]
fn names_that_no_terminal_should_see_stay_on_the_page() {
    let long =
        "an op with a name that no page is wide enough for, however wide the page may be".repeat(2);
    let mut nasty = segment().counter(Counter::BuffersDropped, 7).without_statistics();
    for op in ["\u{1b}[31mred", "模型模型模型模型模型模型模型模型模型模型", &long, ""]
    {
        nasty = nasty.allocate(NewBuffer::new(AllocatorKind::L1, u64::MAX >> 44, op));
    }
    let list = made(nasty);
    assert!(!list.buffers.is_empty());
    for charset in [Charset::Unicode, Charset::Ascii] {
        for width in [40, 47, 60, 66, 91, 120, 300] {
            for listing in [Listing::Single, Listing::ByOp] {
                let page = Page { charset, colour: Colour::Off, ..Page::plain(width) };
                for line in render(&list, listing, &page).lines() {
                    assert!(crate::output::text::width(line) <= width, "{width}: {line}");
                    assert!(!line.contains(char::is_control), "{line:?}");
                    assert!(charset == Charset::Unicode || line.is_ascii(), "{line}");
                }
            }
        }
    }
}

#[test]
fn a_process_without_a_buffer_is_said_to_have_none() {
    let text = render(&made(segment()), Listing::Single, &Page::plain(91));
    assert!(text.contains("no live buffer"), "{text}");
}
