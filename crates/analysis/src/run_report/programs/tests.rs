use ttmem_fake::segment::{Bank, NewBuffer, NewProgram, Segment as Fake, WORMHOLE};
use ttmem_segment::{AllocatorRole, CoreRange, PartKind, Reader, RefusalKind};

use super::super::ProcessReport;
use super::*;

/// Reserved memory of the fake Wormhole's L1.
const BASE: u64 = 105_824;
/// Bytes of L1 of a core.
const SIZE: u64 = 1_499_136;
/// Bytes of L1_SMALL.
const L1_SMALL: u64 = 32_768;
const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
const CORNER: CoreRange = CoreRange { start: (0, 0), end: (1, 1) };

fn report(fake: &Fake) -> Programs {
    let segment = Reader::parse(&fake.image()).unwrap();
    ProcessReport::of(&segment, false).programs.unwrap()
}

fn fake() -> Fake {
    let matmul = NewProgram::new("Matmul")
        .place(PartKind::DataflowBuffer, 105_824, 32_768, WHOLE)
        .place(PartKind::DataflowBuffer, 138_592, 131_072, WHOLE)
        .place(PartKind::DataflowBuffer, 269_664, 32_768, CORNER)
        .kernel("bmm", Some(268), WHOLE)
        .kernel("reader", Some(100), CORNER);
    let add = NewProgram::new("Add")
        .place(PartKind::CircularBuffer, 105_824, 4096, CORNER)
        .place(PartKind::CircularBuffer, 107_872, 4096, CORNER)
        .place_backed(1_433_600, 65_536, CORNER);
    Fake::wormhole(7, 70, 5).program(&matmul).program(&add)
}

#[test]
fn l1_of_an_op_is_that_of_the_device_it_ran_on() {
    let none = Bank { bytes: 0, banks: 0, ..WORMHOLE[2] };
    let reopened = fake()
        .dispatch(0)
        .wait(1000)
        .close()
        .wait(1000)
        .open(AllocatorRole::Mesh, &[0], [WORMHOLE[0], WORMHOLE[1], none, WORMHOLE[3]])
        .dispatch(1);
    let programs = report(&reopened);
    let [matmul, add] = programs.ops.as_slice() else { panic!("{programs:?}") };
    assert_eq!(matmul.peak, Some(BASE + 32_768 + 131_072 + 32_768 + L1_SMALL));
    assert_eq!(add.peak, Some(BASE + 6144));
}

#[test]
fn l1_by_op_is_that_of_the_fullest_core_and_the_least_headroom() {
    let fake = fake()
        .dispatch(0)
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "input"))
        .dispatch(0)
        .dispatch(1);
    let programs = report(&fake);
    let [matmul, add] = programs.ops.as_slice() else { panic!("{programs:?}") };
    assert_eq!((matmul.op.as_deref(), matmul.dispatches, matmul.cores), (Some("Matmul"), 2, 64));
    let buffers = 32_768 + 131_072 + 32_768;
    assert_eq!((matmul.circular_buffers, matmul.aliasing), (buffers, 0));
    assert_eq!((matmul.kernel_text, matmul.tensors), (Some(368), 65_536));
    assert_eq!(matmul.peak, Some(BASE + buffers + 65_536 + L1_SMALL), "as in the figure of now");
    let lowest = SIZE - L1_SMALL - 65_536;
    assert_eq!(matmul.headroom, Some(i64::try_from(lowest - 302_432).unwrap()));
    assert_eq!((add.cores, add.circular_buffers, add.aliasing), (4, 6144, 65_536), "overlap once");

    let [peak] = programs.peaks.as_slice() else { panic!("{programs:?}") };
    let circular = 64 * (32_768 + 131_072) + 4 * 32_768;
    assert_eq!((peak.circular_buffers, peak.tensors), (circular, 64 * 65_536));
    assert_eq!(peak.kernels, Some(64 * 268 + 4 * 100));
    assert_eq!(peak.bytes, circular + 64 * 65_536 + 64 * 268 + 400);
    assert_eq!(peak.op.as_deref(), Some("Matmul"));
}

#[test]
fn circular_buffers_that_alias_tensors_are_apart_in_the_peak() {
    let fake = fake().allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Add")).dispatch(1);
    let programs = report(&fake);
    let [peak] = programs.peaks.as_slice() else { panic!("{programs:?}") };
    assert_eq!((peak.circular_buffers, peak.aliasing), (4 * 6144, 4 * 65_536));
    assert_eq!(peak.bytes, 4 * 6144 + 64 * 65_536 + peak.kernels.unwrap_or(0));
}

#[test]
fn a_clash_names_the_buffer_at_the_limit() {
    let fake = fake()
        .allocate(NewBuffer::new(AllocatorKind::L1, 1_310_720, "KvCache"))
        .dispatch(0)
        .refuse(0, RefusalKind::Clash, 0)
        .refuse(0, RefusalKind::Clash, 0);
    let programs = report(&fake);
    let [refused] = programs.refused.as_slice() else { panic!("{programs:?}") };
    assert_eq!(
        (refused.reason, refused.count, refused.op.as_deref()),
        ("clash", 2, Some("Matmul"))
    );
    let explanation = refused.explanation.as_ref().unwrap();
    let [blocker] = explanation.blockers.as_slice() else { panic!("{explanation:?}") };
    assert_eq!(Some(blocker.address), refused.limit);
    assert!(blocker.label.starts_with("tensor of KvCache, allocated "), "{}", blocker.label);
}

#[test]
fn traces_say_what_they_need() {
    let fake = fake().begin_trace(3).dispatch(1).dispatch(0).end_trace(1024).replay_trace();
    let traces = report(&fake).traces.unwrap();
    let [trace] = traces.traces.as_slice() else { panic!("{traces:?}") };
    assert_eq!((trace.id, trace.dispatches, trace.replays, trace.is_released), (3, 2, 1, false));
}

#[test]
fn a_process_without_programs_has_no_such_report() {
    let segment = Reader::parse(&Fake::wormhole(7, 70, 5).image()).unwrap();
    assert_eq!(ProcessReport::of(&segment, false).programs, None);
}
