//! L1 by the programs that agents recorded.

use ttmem_fake as fake;
use ttmem_fake::Host;
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_model::Snapshot;
use ttmem_model::facts::RegionBytes;
use ttmem_model::reading::{MissingReason, Quality, Reading, SourceName};
use ttmem_root::{Clock, Root};
use ttmem_segment::layout::Counter;
use ttmem_segment::{AllocatorKind, CoreRange, Hook, PartKind};
use ttmem_sources::Collector;

use super::{HELD, N150, PID, busy, finding_ids, python};

const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
const CORNER: CoreRange = CoreRange { start: (0, 0), end: (1, 1) };

/// A matmul on all cores, then an add on four, whose circular buffer is the tensor.
fn programs(pid: i32) -> Segment {
    let matmul = NewProgram::new("Matmul")
        .place(PartKind::DataflowBuffer, 105_824, 32_768, WHOLE)
        .place(PartKind::DataflowBuffer, 138_592, 131_072, WHOLE)
        .kernel("bmm", Some(300), WHOLE);
    let add = NewProgram::new("Add")
        .place(PartKind::CircularBuffer, 105_824, 4096, CORNER)
        .place_backed(1_400_832, 65_536, CORNER)
        .kernel("add", Some(100), CORNER);
    busy(Segment::wormhole(pid, python(pid).start_ticks(), N150))
        .program(&matmul)
        .program(&add)
        .dispatch(0)
        .dispatch(1)
        .counter(Counter::ProgramsTracked, 2)
}

fn snapshot_with_programs(host: Host) -> Snapshot {
    let collector = Collector::new(Root::memory(host.into_tree()));
    collector.with_clock(Clock::Fixed(fake::NOW)).with_programs().snapshot()
}

#[test]
fn before_the_first_program_l1_has_tensors_alone() {
    let bytes = RegionBytes { dram: HELD[0], l1: HELD[1], ..RegionBytes::default() };
    let host = || Host::new().board(fake::Board::n150()).workload(python(PID), bytes);
    let memory = |host| snapshot_with_programs(host).chips.remove(0).memory;
    let exact = |bytes| Reading::exact(bytes, SourceName::Agent);
    let idle = |pid: i32| busy(Segment::wormhole(pid, python(pid).start_ticks(), N150));
    let one = memory(host().segment_of(PID, idle(PID)));
    let buffers = &one.circular_buffers;
    assert_eq!([&buffers.used, &buffers.aliasing, &one.kernels.used], [&exact(0); 3]);
    let cores = one.l1_total.capacity.value().unwrap() / 1_499_136;
    let used = cores * 105_824 + 64 * (65_536 + 32_768);
    assert_eq!(one.l1_total.used, exact(used));

    // What it ran was not read, or cannot be known.
    let ran = memory(host().segment_of(PID, idle(PID).counter(Counter::WorkloadsEnqueued, 1)));
    let unhooked = memory(host().segment_of(PID, idle(PID).hooks(&[Hook::OpenMesh])));
    for unknown in [ran, unhooked] {
        let missing = unknown.circular_buffers.used.missing().unwrap();
        assert_eq!(missing.reason, MissingReason::NotRead);
    }

    // The tensors of a process that ran nothing are in L1 beside the programs of another.
    let other = PID + 1;
    let shared = || host().workload(python(other), bytes).segment_of(PID, programs(PID));
    let tensor = NewBuffer::new(AllocatorKind::L1, 8192, "Ones");
    let both = memory(shared().segment_of(other, idle(other).allocate(tensor)));
    let alone = memory(host().segment_of(PID, programs(PID)));
    let alone = alone.l1_total.used.value().unwrap();
    assert_eq!(both.l1_total.used, exact(alone + 64 * 8192));
}

#[test]
fn a_dataflow_buffer_that_is_a_tensor_may_be_smaller_than_it() {
    let bytes = RegionBytes { dram: HELD[0], l1: HELD[1], ..RegionBytes::default() };
    let qualities = |address| {
        let gelu = NewProgram::new("Gelu").borrow(address, 65_536, CORNER);
        let segment = programs(PID).program(&gelu).dispatch(2);
        let segment = segment.counter(Counter::ProgramsTracked, 3);
        let host = Host::new().board(fake::Board::n150()).workload(python(PID), bytes);
        let memory = snapshot_with_programs(host.segment_of(PID, segment)).chips.remove(0).memory;
        let buffers = &memory.circular_buffers;
        let readings = [&buffers.used, &buffers.aliasing, &memory.l1_total.used, &buffers.headroom];
        readings.map(|reading| reading.quality().unwrap())
    };
    let (exact, inferred) = (Quality::Exact, Quality::Inferred);
    assert_eq!(qualities(1_400_832), [inferred, inferred, exact, exact]);
    // The tensor is freed.
    assert_eq!(qualities(1_300_000), [inferred, inferred, inferred, exact]);
}

#[test]
fn l1_is_known_from_the_agent_without_opening_a_device() {
    let bytes = RegionBytes { dram: HELD[0], l1: HELD[1], ..RegionBytes::default() };
    let host = || Host::new().board(fake::Board::n150()).workload(python(PID), bytes);
    let snapshot = snapshot_with_programs(host().segment_of(PID, programs(PID)));
    let memory = &snapshot.chips[0].memory;
    let exact = |bytes| Reading::exact(bytes, SourceName::Agent);
    let (matmul, add) = (32_768 + 131_072, 4096 + 65_536);
    assert_eq!(memory.circular_buffers.used, exact(60 * matmul + 4 * add));
    assert_eq!(memory.circular_buffers.aliasing, exact(4 * 65_536));
    assert_eq!(memory.kernels.used, exact(60 * 300 + 4 * 100));
    // The tensor is at 1,400,832; the matmul ends at 269,664.
    assert_eq!(memory.circular_buffers.headroom, exact(1_400_832 - 269_664));
    let cores = memory.l1_total.capacity.value().unwrap() / 1_499_136;
    assert_eq!(memory.reserved.used, exact(cores * 105_824));
    let tensors_and_small = 65_536 + 32_768;
    let used = cores * 105_824 + 64 * tensors_and_small + 60 * matmul + 4 * 4096;
    assert_eq!(memory.l1_total.used, exact(used));
    assert_eq!(finding_ids(&snapshot), [""; 0], "{:?}", snapshot.findings);

    // The parts of each sum are the 60 cores of one program and the 4 of the other.
    let host = host().segment_of(PID, programs(PID)).into_tree();
    let collector = Collector::new(Root::memory(host)).with_clock(Clock::Fixed(fake::NOW));
    let facts = collector.with_programs().facts();
    let tracer = crate::Tracer::new(&facts, None);
    for (field, reading, parts) in [
        ("circular_buffers.used", &memory.circular_buffers.used, 2),
        ("circular_buffers.aliasing", &memory.circular_buffers.aliasing, 1),
        ("kernels.used", &memory.kernels.used, 2),
        ("reserved.used", &memory.reserved.used, 1),
        ("l1_total.used", &memory.l1_total.used, 3),
    ] {
        let why = tracer.why(&format!("chips.0.memory.{field}")).unwrap();
        assert_eq!((why.rule.name, why.parts.len()), ("resident-programs", parts), "{field}");
        let sum: u64 = why.parts.iter().map(|part| part.value.clone().unwrap()).sum();
        assert_eq!(Some(&sum), reading.value(), "{field}");
    }

    // Another process on the chip without an agent may have run programs since.
    let host = || Host::new().board(fake::Board::n150()).workload(python(PID), bytes);
    let other = PID + 1;
    let shared = host().workload(python(other), bytes).segment_of(PID, programs(PID));
    let snapshot = snapshot_with_programs(shared);
    let circular = &snapshot.chips[0].memory.circular_buffers.used;
    assert_eq!(circular.missing().unwrap().reason, MissingReason::NoSource);
}
