use ttmem_segment::{CoreRange, DispatchKind, PartKind, Reader, RefusalKind, Resident};

use super::*;

const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
const CORNER: CoreRange = CoreRange { start: (0, 0), end: (1, 1) };

#[test]
fn programs_come_back_with_what_is_resident() {
    let matmul = NewProgram::new("MatmulDeviceOperation")
        .place(PartKind::DataflowBuffer, 105_824, 32_768, WHOLE)
        .kernel("bmm", Some(268), WHOLE);
    let add = NewProgram::new("BinaryNgDeviceOperation")
        .place(PartKind::CircularBuffer, 105_824, 4096, CORNER)
        .place_backed(1_337_344, 65_536, CORNER);
    let image = Segment::wormhole(7, 8, 9)
        .program(&matmul)
        .program(&add)
        .dispatch(0)
        .dispatch(1)
        .allocate(NewBuffer::new(AllocatorKind::L1, 16_384, "x"))
        .begin_trace(3)
        .dispatch(1)
        .dispatch(0)
        .dispatch(1)
        .end_trace(1024)
        .refuse(0, RefusalKind::Clash, 0)
        .image();
    let segment = Reader::parse(&image).unwrap();
    let programs = &segment.programs;
    assert_eq!(segment.losses.torn, 0);
    assert_eq!(programs.resident(0, (7, 7)), Resident::Footprint(&programs.footprints[0]));
    assert_eq!(programs.resident(0, (1, 1)), Resident::Footprint(&programs.footprints[1]));
    assert_eq!(programs.footprints[1].lowest_l1, None);
    assert_eq!(programs.dispatches.len(), 5);
    assert_eq!(programs.dispatches[4].kind, DispatchKind::Captured);
    assert_eq!(programs.traces[0].footprints, [(0, 1), (1, 2)]);
    assert_eq!(programs.refusals[0].limit, Some(1_449_984));
    assert_eq!(segment.allocators[0].l1_size, Some(1_499_136));

    let replayed = Segment::wormhole(7, 8, 9)
        .program(&matmul)
        .program(&add)
        .begin_trace(3)
        .dispatch(1)
        .dispatch(0)
        .end_trace(1024)
        .replay_trace()
        .image();
    let programs = Reader::parse(&replayed).unwrap().programs;
    assert_eq!(programs.resident(0, (1, 1)), Resident::Footprint(&programs.footprints[0]));
    assert_eq!((programs.dispatched, programs.dispatches.len()), (5, 3));
    assert_eq!((programs.traces[0].replays, programs.traces[0].last_replay), (1, 3));
}
