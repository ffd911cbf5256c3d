//! The owner of a segment, where several processes have its number in namespaces of their own.

use ttmem_fake::segment::Segment;
use ttmem_fake::{Container, Host};
use ttmem_model::Pid;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

use super::super::{Owner, owners};
use super::{N150, busy, fake, python};

#[test]
fn of_processes_that_started_together_the_one_with_the_very_time_is_the_owner() {
    const START: u64 = 1000;
    const SHIFT: i64 = 500_000;
    let mut host = Host::new().without_driver();
    for (pid, ticks) in [(500, 501_000), (600, 501_001), (700, 1000)] {
        let inside = python(pid).container(Container::Docker, 1);
        host = host.process(inside).segment_of(pid, busy(Segment::wormhole(1, ticks, N150)));
    }
    let collector = Collector::new(Root::memory(host.into_tree()));
    let mut facts = collector.with_clock(Clock::Fixed(fake::NOW)).facts();
    // All three share a directory, and the first two have a time namespace each.
    for (pid, start, shift) in [(500, START, SHIFT), (600, START + 1, SHIFT), (700, START, 0)] {
        let process = facts.processes.get_mut(&Pid(pid)).unwrap();
        (process.start_time, process.start_shift) = (Ok(start), shift);
    }
    let pids: Vec<_> = facts
        .segments
        .iter()
        .zip(owners(&facts))
        .map(|(file, owner)| (file.start_ticks, owner))
        .collect();
    for (ticks, pid) in [(501_000, 500), (501_001, 600), (1000, 700)] {
        let found = pids.iter().find(|(of, _)| *of == ticks);
        assert!(
            matches!(found, Some((_, Owner::Live(owner))) if *owner == Pid(pid)),
            "{ticks}: {found:?}"
        );
    }
}
