//! Names of processes and tensors.

use ttmem_segment::Label;

use super::*;

#[test]
fn a_buffer_names_its_tensor_or_the_process_why_not() {
    let new = || NewBuffer::new(AllocatorKind::Dram, MIB, "Add");
    let listed = |segment: Segment| {
        let host = Host::n150().segment_of(PID, segment);
        buffers(&Collector::new(Root::memory(host.into_tree())).facts_at(Depth::Full))
    };
    let list = listed(segment(PID).shape(&[3, 128], 2, 0).allocate(new()));
    let tensors: Vec<_> = list.buffers.iter().filter_map(|buffer| buffer.tensor.as_ref()).collect();
    assert_eq!(
        tensors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["[3, 128] uint32 row-major"]
    );
    assert_eq!(list.processes[0].tensors_missing, None);
    let old = listed(segment(PID).hooks(&[Hook::Allocate, Hook::Free]));
    assert!(old.processes[0].tensors_missing.as_deref().unwrap().contains("from 0.69"));
}

#[test]
fn a_process_has_a_rank_while_it_runs_and_a_name_after_it_was_killed() {
    let label = || Label {
        name: "python3".to_owned(),
        command: "python3 train.py".to_owned(),
        rank: "3".to_owned(),
        job: "4711".to_owned(),
    };
    let host = || Host::new().board(fake::Board::n150());
    let killed = snapshot(host().segment_of(PID, segment(PID).label(label())).into_tree());
    let process = &killed.processes[0];
    assert_eq!((process.state, &*process.name), (ProcessState::Stale, "python3"));
    assert_eq!(process.command, "python3 train.py");
    assert_eq!((process.rank.as_deref(), process.job.as_deref()), (Some("3"), Some("4711")));
    let live = Host::n150().segment_of(PID, segment(PID).label(label()));
    let live = snapshot(live.into_tree());
    let process = &live.processes[0];
    assert_eq!((process.state, process.rank.as_deref()), (ProcessState::Live, Some("3")));
    assert_ne!(process.command, "python3 train.py", "procfs says what it is now");
    let host = host().segment_of(PID, segment(PID).label(label()));
    let facts = Collector::new(Root::memory(host.into_tree())).facts_at(Depth::Full);
    let owner = &buffers(&facts).processes[0];
    assert_eq!((&*owner.name, owner.rank.as_deref()), ("python3", Some("3")));
}
