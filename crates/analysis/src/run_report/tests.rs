use ttmem_model::Kind;
use ttmem_segment::layout::Counter;
use ttmem_segment::{AgentState, AllocatorKind, AllocatorRole, Label, Origin, Reader};

use super::*;
use crate::explain::Fit;
use ttmem_fake::segment::Segment as Fake;
use ttmem_fake::segment::{NewBuffer, WORMHOLE};

const MIB: u64 = 1 << 20;

fn report(fake: &Fake) -> ProcessReport {
    ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false)
}

fn dram(mib: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::Dram, mib * MIB, op)
}

fn fake() -> Fake {
    Fake::wormhole(7, 70, 5)
}

#[test]
fn a_peak_names_the_op_that_made_it_and_the_largest_buffers_then() {
    let fake = fake()
        .allocate(dram(1, "Embedding"))
        .allocate(dram(8, "Matmul"))
        .allocate(dram(3, "Softmax"))
        .free_newest(AllocatorKind::Dram)
        .free_newest(AllocatorKind::Dram)
        .allocate(dram(2, "Add"))
        .close()
        .state(AgentState::Exited);
    let report = report(&fake);
    assert_eq!(report.end, End::Exited);
    let [peak] = report.peaks.as_slice() else { panic!("{:?}", report.peaks) };
    assert_eq!((peak.bytes, peak.bytes_per_bank), (144 * MIB, 12 * MIB));
    assert_eq!((peak.op.as_deref(), peak.buffers), (Some("Softmax"), Some(3)));
    let ops: Vec<_> =
        report.largest[0].buffers.iter().map(|buffer| buffer.op.as_deref().unwrap()).collect();
    assert!(report.largest[0].at_peak);
    assert_eq!(ops, ["Matmul", "Softmax", "Embedding"]);
    let held: Vec<_> =
        report.held.iter().map(|held| (held.moment, held.op.as_deref().unwrap())).collect();
    assert_eq!(held, [(Moment::Closed, "Add"), (Moment::Closed, "Embedding")]);
}

#[test]
fn a_program_cache_is_no_leak() {
    let fake = fake()
        .allocate(dram(1, "Matmul").origin(Origin::Kernels))
        .allocate(dram(2, "Matmul").origin(Origin::Trace))
        .allocate(dram(3, "Matmul"))
        .allocate(dram(4, "Matmul"))
        .close();
    let held = report(&fake).held;
    let told: Vec<_> = held.iter().map(|held| (held.origin, held.buffers, held.bytes)).collect();
    assert_eq!(told, [("tensor", 2, 84 * MIB), ("trace", 1, 24 * MIB), ("kernels", 1, 12 * MIB)]);
}

#[test]
fn what_was_held_whenever_a_chip_was_closed_is_told_by_op() {
    let mut fake = fake().allocate(dram(3, "Matmul")).allocate(dram(1, "Add")).close();
    for _ in 0..30 {
        fake = fake.open(AllocatorRole::Mesh, &[0], WORMHOLE).allocate(dram(3, "Matmul")).close();
    }
    let held = report(&fake).held;
    let told: Vec<_> =
        held.iter().map(|held| (held.op.as_deref(), held.buffers, held.bytes)).collect();
    assert_eq!(told, [(Some("Matmul"), 31, 31 * 36 * MIB), (Some("Add"), 1, 12 * MIB)]);
}

#[test]
fn a_killed_process_held_what_it_held() {
    let report = report(&fake().allocate(dram(3, "Matmul")));
    assert_eq!(report.end, End::Killed);
    assert_eq!(report.held[0].moment, Moment::End);
}

#[test]
fn how_a_process_ended_is_known_from_its_own_note_or_its_parent() {
    let of = |fake: Fake| report(&fake.allocate(dram(1, "Add")).close());
    assert_eq!(of(fake()).end, End::Ended);
    let code = u64::from((-3_i32).cast_unsigned());
    let mut left = of(fake().state(AgentState::Left).counter(Counter::ExitCode, code));
    assert_eq!((left.end, left.exit_code), (End::Left, Some(-3)));
    left.set_status(Some(253), None);
    assert_eq!((left.end, left.exit_code), (End::Left, Some(253)));
    let mut killed = of(fake());
    killed.set_status(None, Some(9));
    assert_eq!((killed.end, killed.signal, killed.exit_code), (End::Killed, Some(9), None));
}

#[test]
fn the_largest_buffers_say_which_tensor_they_hold_also_after_it_was_freed() {
    let fake = fake()
        .shape(&[1, 1, 1024, 50], 0, 1)
        .allocate(dram(8, "Matmul"))
        .shape(&[], 0, 0)
        .allocate(dram(4, "Add"))
        .free_oldest(AllocatorKind::Dram)
        .shape(&[7], 99, 9)
        .allocate(dram(1, "Softmax"))
        .close();
    let report = report(&fake);
    let tensors: Vec<_> = report.largest[0]
        .buffers
        .iter()
        .map(|buffer| buffer.tensor.as_ref().map(ToString::to_string))
        .collect();
    assert_eq!(tensors, [Some("[1, 1, 1024, 50] bfloat16 tile".to_owned()), None]);
}

#[test]
fn a_process_is_named_by_its_segment() {
    let label = Label {
        name: "python3".to_owned(),
        command: "python3 train.py".to_owned(),
        rank: "3".to_owned(),
        job: String::new(),
    };
    let named = report(&fake().label(label));
    assert_eq!(named.name.as_deref(), Some("python3"));
    assert_eq!(named.command.as_deref(), Some("python3 train.py"));
    assert_eq!((named.rank.as_deref(), named.job), (Some("3"), None));
    assert_eq!(report(&fake()).name, None);
}

#[test]
fn devices_opened_one_after_the_other_do_not_add_up() {
    let fake = fake().allocate(dram(3, "Matmul")).close();
    let fake = fake.open(AllocatorRole::Mesh, &[0], WORMHOLE).allocate(dram(2, "Add"));
    let again = report(&fake);
    assert_eq!(again.peaks[0].bytes, 36 * MIB);
    // The first buffer of another allocator overlaps the first of this one, the second beside it.
    let together = fake.open(AllocatorRole::Device, &[0], WORMHOLE);
    let together = together.allocate(dram(2, "Early")).allocate(dram(2, "Late"));
    let both = report(&together);
    assert_eq!((both.peaks[0].bytes, both.peaks[0].op.as_deref()), (48 * MIB, Some("Late")));
    let largest = &both.largest[0];
    let ops: Vec<_> = largest.buffers.iter().map(|buffer| buffer.op.as_deref()).collect();
    assert!(largest.at_peak);
    assert_eq!(ops, [Some("Add"), Some("Early"), Some("Late")]);
    // Without the events it is not known whether the peaks met.
    let late = together.counter(Counter::Events, 1 << 40);
    assert!(report(&late).peaks[0].at_most);
}

#[test]
fn a_refused_allocation_is_full_or_fragmented() {
    let fake = fake()
        .allocate(dram(300, "KvCache"))
        .allocate(dram(300, "Weights"))
        .allocate(dram(300, "Embedding"))
        .fail(dram(200, "Matmul"))
        .fail(dram(200, "Matmul"))
        .free_oldest(AllocatorKind::Dram)
        .fail(dram(400, "Matmul"));
    let report = report(&fake);
    let told: Vec<_> = report
        .failures
        .iter()
        .map(|failure| {
            (failure.count, failure.explanation.fit, failure.explanation.over_bytes.is_some())
        })
        .collect();
    assert_eq!(told, [(2, Fit::Full, true), (1, Fit::Fragmented, true)]);
    let blocker = &report.failures[1].explanation.blockers[0];
    assert_eq!(blocker.label, "tensor of Embedding");
}

#[test]
fn a_mesh_is_told_once_for_all_its_chips() {
    let fake = Fake::new(7, 70).chip(0, Some(1)).chip(1, Some(2));
    let fake = fake.open(AllocatorRole::Mesh, &[0, 1], WORMHOLE).allocate(dram(1, "Matmul"));
    let report = report(&fake);
    assert_eq!(report.peaks.len(), 1);
    assert_eq!(report.peaks[0].chips.len(), 2);
    assert_eq!(report.highest(Kind::Dram).unwrap().bytes, 12 * MIB);
    assert!(report.highest(Kind::L1).is_none());
}

#[test]
fn what_the_ring_lost_is_found_again_where_its_end_is_known() {
    // More events than the ring holds; the first buffer's allocation is lost and its end is not.
    let mut fake = fake().allocate(dram(9, "Weights")).allocate(dram(5, "KvCache"));
    for _ in 0..5000 {
        fake = fake.allocate(dram(1, "Add")).free_newest(AllocatorKind::Dram);
    }
    let fake = fake.allocate(dram(20, "Peak")).free_oldest(AllocatorKind::Dram);
    let report = report(&fake);
    assert!(report.losses.events_overwritten > 0);
    let largest = &report.largest[0];
    assert!(largest.at_peak);
    let sizes: Vec<_> = largest
        .buffers
        .iter()
        .map(|buffer| (buffer.bytes_per_bank / MIB, buffer.op.as_deref()))
        .collect();
    assert_eq!(sizes, [(20, Some("Peak")), (9, None), (5, Some("KvCache"))]);
}

#[test]
fn hostile_segments_do_no_harm() {
    let image = fake().allocate(dram(3, "Matmul")).fail(dram(900, "Add")).close().image();
    for round in 0..300_usize {
        let mut bytes = image.clone();
        for index in 0..30 {
            let offset = 256 + (round * 7919 + index * 104_729) % (bytes.len() - 256);
            bytes[offset] ^= u8::try_from(round % 255).unwrap() | 1;
        }
        if let Ok(segment) = Reader::parse(&bytes) {
            let report = ProcessReport::of(&segment, round % 2 == 0);
            serde_json::to_string(&report).unwrap();
        }
    }
}

#[test]
fn what_the_agent_had_no_room_to_list_is_held_too() {
    let fake = fake().allocate(dram(1, "Matmul")).unlisted(AllocatorKind::Dram, 5 * MIB, 300);
    let report = report(&fake);
    let told: Vec<_> =
        report.held.iter().map(|held| (held.origin, held.buffers, held.bytes)).collect();
    assert_eq!(told, [("tensor", 1, 12 * MIB), ("unlisted", 300, 60 * MIB)]);
}
