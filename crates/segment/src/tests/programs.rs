use crate::entry;
use crate::layout::{CHIPS_CLEARED, Counter, FootprintWord, Section, TraceWord, fixed};
use crate::program::{
    DispatchEntry, FootprintEntry, PartEntry, RefusalEntry, TraceEntry, trace_part,
};
use crate::{CoreRange, CoreType, DispatchKind, Losses, PartKind, Programs, RefusalKind, Resident};

use super::{Image, TAGS};

const CORES: CoreRange = CoreRange { start: (0, 1), end: (7, 3) };

pub(super) const FOOTPRINT: FootprintEntry = FootprintEntry {
    key: 0xfeed,
    program: 12,
    chips: 3,
    time: 6_000_000_000,
    first_part: 5,
    parts: 2,
    name: 5,
    thread: 4711,
    config_bytes: Some(5120),
    semaphore_bytes: None,
    pointer: 0x5555_0000_3000,
};

pub(super) const PLACEMENT: PartEntry = PartEntry {
    kind: PartKind::DataflowBuffer,
    is_backed: true,
    has_bytes: true,
    core_type: 0,
    name: 0,
    address: 105_824,
    bytes: 32_768,
    cores: CORES,
    footprint: 0,
};

pub(super) const KERNEL: PartEntry = PartEntry {
    kind: PartKind::Kernel,
    is_backed: false,
    has_bytes: false,
    name: 5,
    address: 0,
    bytes: 0,
    cores: CoreRange { start: (0, 1), end: (0, 1) },
    ..PLACEMENT
};

pub(super) const DISPATCH: DispatchEntry = DispatchEntry {
    sequence: 3,
    kind: DispatchKind::Program,
    time: 6_000_000_001,
    footprint: 0,
    thread: 4711,
    event: 18,
    name: 5,
    queue: 1,
    l1_bytes: 88_064,
    lowest_l1: 1_400_000,
};

pub(super) const TRACE: TraceEntry =
    TraceEntry { serial: 1, id: 9, queue: 0, chips: 1, begun: 6_000_000_002 };

pub(super) const REFUSAL: RefusalEntry = RefusalEntry {
    sequence: 1,
    time: 6_000_000_003,
    kind: RefusalKind::Clash,
    part: PartKind::CircularBuffer,
    name: 5,
    thread: 4711,
    footprint: 0,
    program: 12,
    cores: CORES,
    end: 1_400_001,
    limit: 1_400_000,
    buffer: [1_400_000, 88_064, 1_048_576, 17, 1_000_000_007],
    tags: Some(TAGS),
    event: 18,
    chips: 3,
    stacks: [3, 0],
    ring: None,
};

impl Image {
    /// One footprint with a placement and a kernel, dispatched last by a replay of a trace; and a refusal.
    pub(super) fn put_programs(&mut self) {
        let table = |section| self.1.table(section);
        let (footprints, parts, dispatches) =
            (table(Section::Footprints), table(Section::Parts), table(Section::Dispatches));
        let (traces, trace_parts, refusals) =
            (table(Section::Traces), table(Section::TraceParts), table(Section::Refusals));
        self.put(Counter::Dispatches as usize, &[DISPATCH.sequence]);
        self.put(Counter::Refusals as usize, &[1, 1, 7, 1, 1]);
        self.put(footprints.entry(0), &FOOTPRINT.to_words());
        let l1 = entry::pair(1_400_000, 88_064);
        self.put(
            footprints.entry(0) + FootprintWord::Dispatches as usize,
            &[2, 3, 6_000_000_001, l1, 18],
        );
        self.put(parts.entry(5), &PLACEMENT.to_words());
        self.put(parts.entry(6), &KERNEL.to_words());
        self.put(dispatches.entry(2), &DISPATCH.to_words());
        self.put(traces.entry(0), &TRACE.to_words());
        self.put(
            traces.entry(0) + TraceWord::Ended as usize,
            &[5, 0, 100, 1200, entry::pair(0, 1), 1, 4, 3],
        );
        self.put(trace_parts.entry(0), &[trace_part(0, 3)]);
        self.put(refusals.entry(0), &REFUSAL.to_words());
    }
}

#[test]
fn programs_are_read_with_what_they_place() {
    let mut image = Image::full();
    let segment = image.parse();
    let programs = &segment.programs;
    let footprint = programs.footprint(0).unwrap();
    assert_eq!(
        (footprint.program, &footprint.chips[..], footprint.dispatches),
        (12, &[0, 1][..], 2)
    );
    assert_eq!((footprint.config_bytes, footprint.semaphore_bytes), (Some(5120), None));
    assert_eq!((footprint.lowest_l1, footprint.l1_bytes), (Some(1_400_000), 88_064));
    assert_eq!((footprint.placements.len(), footprint.kernels.len()), (1, 1));
    assert_eq!(footprint.placements_on((7, 3))[0].end(), 138_592);
    assert_eq!(footprint.end_on((7, 3)), None, "it is a tensor's memory");
    assert_eq!(footprint.kernels[0].name.as_deref(), Some("layer 3"));
    assert_eq!(
        (footprint.kernel_text_on((0, 1)), footprint.kernel_text_on((7, 3))),
        (None, Some(0))
    );
    assert_eq!(programs.dispatches[0].footprint, Some(0));
    assert_eq!(programs.traces[0].footprints, [(0, 3)]);
    assert_eq!((programs.traces[0].ended, programs.traces[0].released), (Some(5), None));
    let refusal = &programs.refusals[0];
    assert_eq!((refusal.end, refusal.limit), (Some(1_400_001), Some(1_400_000)));
    assert_eq!(refusal.buffer.as_ref().unwrap().sequence, 17);
    assert_eq!(segment.losses, Losses::default());

    assert_eq!(programs.resident(0, (3, 2)), Resident::Footprint(footprint));
    assert_eq!(programs.resident(0, (3, 4)), Resident::Nothing, "it runs on other cores");
    assert_eq!(programs.resident(2, (3, 2)), Resident::Nothing, "it runs on other chips");
    image.put(Counter::LastUnknownDispatch as usize, &[4]);
    assert_eq!(image.parse().programs.resident(0, (3, 2)), Resident::Unknown);
    image.put(Counter::LastUnknownDispatch as usize, &[2]);
    image.put(CHIPS_CLEARED, &[3]);
    let programs = image.parse().programs;
    assert_eq!(programs.resident(0, (3, 2)), Resident::Nothing, "the device was closed");
    assert!(matches!(programs.resident(1, (3, 2)), Resident::Footprint(_)));
}

#[test]
fn parts_of_another_footprint_and_half_written_ones_make_it_torn() {
    for word in 0..4 {
        let mut image = Image::full();
        let part = image.1.table(Section::Parts).entry(6);
        image.0[part + word] ^= 1;
        let segment = image.parse();
        assert!(segment.programs.footprints[0].is_torn);
        assert_eq!(segment.losses.torn, 1);
        assert_eq!(segment.programs.resident(0, (3, 2)), Resident::Unknown);
    }
}

#[test]
fn a_segment_of_version_1_1_has_no_programs() {
    let mut image = Image::full();
    image.0[fixed::VERSION] = image.0[fixed::VERSION] & !0xffff_ffff | 1 << 16 | 1;
    image.0[fixed::CHECKSUM] = u64::from(entry::checksum(&image.0[1..fixed::CHECKSUM]));
    for word in fixed::PROGRAM_SECTIONS..fixed::WORDS {
        image.0[word] = 0;
    }
    let segment = image.parse();
    assert_eq!(segment.header.version, (1, 1));
    assert_eq!(segment.programs, Programs::default());
    assert_eq!(segment.buffers.len(), 1);
}

/// Core (0,1) of the Ethernet cores is another one than worker core (0,1).
#[test]
fn kernels_of_other_core_types_are_on_no_worker_core() {
    let segment = Image::full().parse();
    let mut program = segment.programs.footprints[0].clone();
    program.placements.clear();
    for kernel in &mut program.kernels {
        kernel.text_bytes = Some(512);
    }
    let cores = program.kernels[0].cores;
    assert!(program.is_on(cores.start));
    assert_eq!(program.kernel_text_on(cores.start), Some(512));
    for kernel in &mut program.kernels {
        kernel.core_type = 1;
        kernel.text_bytes = None;
    }
    assert!(!program.is_on(cores.start));
    assert_eq!(program.core_ranges().count(), 0);
    assert_eq!(program.kernel_text_on(cores.start), Some(0));
}

#[test]
fn the_type_of_cores_of_a_refusal_comes_back_or_is_not_known() {
    for ring in [None, Some(CoreType::Worker), Some(CoreType::IdleEthernet)] {
        let entry = RefusalEntry { kind: RefusalKind::ConfigTooLarge, ring, ..REFUSAL };
        assert_eq!(RefusalEntry::from_words(entry.to_words()), Some(entry));
    }
    let mut words = REFUSAL.to_words();
    words[18] = 9;
    words[23] = u64::from(entry::checksum(&words[..23]));
    assert_eq!(RefusalEntry::from_words(words).unwrap().ring, None);
}
