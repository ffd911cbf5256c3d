use proptest::prelude::*;

use super::entry::{BufferEntry, EventEntry, FailureEntry, Free, OwnBuffer, Tags, live_step};
use super::head::HeadFacts;
use super::layout::{
    BUFFER_WORDS, Counter, EVENT_WORDS, KindWord, MIN_SEGMENT_BYTES, MINOR, Plan, Section,
    WORD_BYTES, fixed, kind_block,
};
use super::name::NameEntry;
use super::owner::{Alignments, AllocatorHead, Chip, PeakOrigin};
use super::stack::{FunctionEntry, StackEntry};
use super::*;

use self::labels::{label, shape};
use self::programs::{DISPATCH, FOOTPRINT, KERNEL, PLACEMENT, REFUSAL, TRACE};

mod any_bytes;
mod labels;
mod programs;

const TAGS: Tags = Tags {
    allocator: 3,
    kind: AllocatorKind::L1Small,
    origin: Origin::Kernels,
    layout: BufferLayout::BlockSharded,
    name: 0x1234,
};

const BUFFER: BufferEntry = BufferEntry {
    key: 0x5555_0000_1000,
    address: 0x10_0040,
    bytes_per_bank: 88_064,
    requested: 1_048_576,
    sequence: 17,
    stack: 3,
    shape: 5,
    time: 1_000_000_007,
    page_bytes: 2048,
    block_padding: 32,
    thread: 4711,
    tags: TAGS,
};

const EVENT: EventEntry = EventEntry {
    kind: EventKind::Free,
    sequence: 18,
    stack: 3,
    shape: 5,
    time: 1_000_000_009,
    address: 0x10_0040,
    bytes_per_bank: 88_064,
    requested: 1_048_576,
    live_after: 176_128,
    page_bytes: 2048,
    block_padding: 32,
    thread: 4711,
    tags: TAGS,
};

const STATISTICS: Statistics =
    Statistics { total: 1000, allocated: 400, free: 600, largest_free: 500, time: 77 };

const FAILURE: FailureEntry = FailureEntry {
    sequence: 1,
    time: 77,
    requested: 12_000,
    bytes_per_bank: 550,
    page_bytes: 32,
    thread: 4711,
    tags: TAGS,
    statistics: STATISTICS,
    live_bytes: 400,
    live_buffers: 2,
    banks: 12,
    event: 19,
    stack: 3,
};

const PEAK: PeakOrigin = PeakOrigin {
    bytes_per_bank: 88_064,
    buffers: 1,
    time: 1_000_000_007,
    event: 17,
    thread: 4711,
    name: 5,
};

const ALLOCATOR: AllocatorHead = AllocatorHead {
    serial: 4,
    pointer: 0x5555_0000_2000,
    role: AllocatorRole::Mesh,
    alignments: Alignments { dram: 64, l1: 16 },
    chips: 1 << 100 | 3,
    opened: 5,
    closed: 0,
};

const CHIP: Chip = Chip { device: 4, unique_id: Some(0x2_6190_302b) };

const HEAD: HeadFacts<'_> = HeadFacts {
    pid: 1000,
    start_ticks: 123_456,
    real_time: 1_800_000_000_000_000_000,
    monotonic_time: 5_000_000_000,
    build_id: &[0x23, 0xbb, 0x34],
    tt_metal_version: "0.81.1",
    agent_version: "0.1.0",
};

/// A segment in plain memory.
struct Image(Vec<u64>, Plan);

impl Image {
    fn new() -> Self {
        let plan = Plan::within(MIN_SEGMENT_BYTES);
        let mut image = Self(vec![0; plan.segment_bytes / WORD_BYTES], plan);
        image.put(0, &HEAD.to_words(&plan));
        image.put(Counter::State as usize, &[1]);
        image
    }

    /// An image with one entry of every kind.
    fn full() -> Self {
        let mut image = Self::new();
        let table = |section| image.1.table(section);
        let (chips, allocators, names) =
            (table(Section::Chips), table(Section::Allocators), table(Section::Names));
        let (buffers, events, failures) =
            (table(Section::Buffers), table(Section::Events), table(Section::Failures));
        image.put(chips.entry(0), &CHIP.to_words());
        image.put(chips.entry(1), &Chip { device: 5, unique_id: None }.to_words());
        let first = allocators.entry(3);
        image.put(first, &ALLOCATOR.to_words());
        let block = first + kind_block(AllocatorKind::L1Small);
        image.put(block + KindWord::Live as usize, &[live_step(88_064), 88_064, 64]);
        image.put(block + KindWord::PeakOrigin as usize, &PEAK.to_words());
        image.put(block + KindWord::Statistics as usize, &STATISTICS.to_words(350));
        let name = NameEntry::to_words(9, NameSource::Label, 0, b"layer 3");
        image.put(names.entry(usize::from(PEAK.name)), &name);
        image.put(buffers.entry(7), &BUFFER.to_words());
        image.put(Counter::Events as usize, &[EVENT.sequence]);
        image.put(events.entry(17), &EVENT.to_words());
        image.put(Counter::Failures as usize, &[1]);
        image.put(failures.entry(0), &FAILURE.to_words());
        image.put_programs();
        let (functions, stacks) =
            (image.1.table(Section::Functions), image.1.table(Section::Stacks));
        let function = FunctionEntry::to_words(9, "Model.forward", "/home/user/model.py");
        image.put(functions.entry(7), &function);
        let stack = StackEntry::new([(7, 200), (7, 0)], true);
        image.put(stacks.entry(usize::from(BUFFER.stack)), &stack.to_words(11));
        image.put(Counter::StackState as usize, &[StackState::Recorded as u64]);
        image
    }

    fn put(&mut self, first: usize, words: &[u64]) {
        self.0[first..first + words.len()].copy_from_slice(words);
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn parse(&self) -> Segment {
        Reader::parse(&self.bytes()).unwrap()
    }
}

#[test]
fn the_bytes_of_version_3_0_are_these() {
    let hex = |name: &str, words: &[u64]| {
        let bytes: String = words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{name} {bytes}\n")
    };
    let plan = Plan::within(8 << 20);
    let golden = [
        hex("header", &HEAD.to_words(&plan)),
        hex("identity", &Identity::new(Some(4_026_531_836), "12-34,56-78").to_words()),
        hex("label", &label().to_words()),
        hex("chip", &CHIP.to_words()),
        hex("allocator", &ALLOCATOR.to_words()),
        hex("peak", &PEAK.to_words()),
        hex("statistics", &STATISTICS.to_words(350)),
        hex("name", &NameEntry::to_words(9, NameSource::Context, 7, b"ttnn.add")),
        hex("buffer", &BUFFER.to_words()),
        hex("event", &EVENT.to_words()),
        hex("failure", &FAILURE.to_words()),
        hex("footprint", &FOOTPRINT.to_words()),
        hex("placement", &PLACEMENT.to_words()),
        hex("kernel", &KERNEL.to_words()),
        hex("dispatch", &DISPATCH.to_words()),
        hex("trace", &TRACE.to_words()),
        hex("refusal", &REFUSAL.to_words()),
        hex("function", &FunctionEntry::to_words(9, "Model.forward", "/home/user/model.py")),
        hex("stack", &StackEntry::new([(3, 14), (7, 200)], true).to_words(11)),
        hex("shape", &shape().to_words(13)),
    ]
    .concat();
    assert_eq!(
        golden,
        include_str!("golden_3_0.txt"),
        "the format changed; is it a new version?\n{golden}"
    );
}

/// The words of a line of a golden file.
fn golden_words<const N: usize>(golden: &str, name: &str) -> [u64; N] {
    let line = golden.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    let word = |index: usize| u64::from_str_radix(&line[16 * index..][..16], 16).unwrap();
    std::array::from_fn(|index| word(index).swap_bytes())
}

#[test]
fn entries_of_earlier_versions_are_read() {
    let golden = include_str!("golden_1_2.txt");
    let buffer = BufferEntry::from_words(golden_words(golden, "buffer"));
    assert_eq!(buffer, Some(BufferEntry { stack: 0, shape: 0, ..BUFFER }));
    let event = EventEntry::from_words(golden_words(golden, "event"));
    assert_eq!(event, Some(EventEntry { stack: 0, shape: 0, ..EVENT }));
    let golden = include_str!("golden_1_0.txt");
    assert_eq!(
        BufferEntry::from_words(golden_words(golden, "buffer")),
        Some(BufferEntry { block_padding: 0, stack: 0, shape: 0, ..BUFFER })
    );
    assert_eq!(
        EventEntry::from_words(golden_words(golden, "event")),
        Some(EventEntry { block_padding: 0, stack: 0, shape: 0, ..EVENT })
    );
    assert_eq!(
        AllocatorHead::from_words(golden_words(golden, "allocator")),
        Some(AllocatorHead { alignments: Alignments::default(), ..ALLOCATOR })
    );
}

/// The buffer that is listed of an image with another entry for it, and its size in a bank.
fn size_per_bank(buffer: BufferEntry) -> u64 {
    let mut image = Image::full();
    image.put(image.1.table(Section::Buffers).entry(7), &buffer.to_words());
    let segment = image.parse();
    segment.buffers[0].footprint().size_per_bank(&segment.allocators[0])
}

#[test]
fn the_size_in_a_bank_is_without_what_aligns() {
    let tags = Tags { layout: BufferLayout::Interleaved, ..TAGS };
    // 130 pages of 100 bytes in 64 banks: three in the fullest, each aligned to 16 bytes, the block to 64.
    let buffer = BufferEntry {
        bytes_per_bank: 384,
        requested: 13_000,
        page_bytes: 100,
        block_padding: 48,
        tags,
        ..BUFFER
    };
    assert_eq!(size_per_bank(buffer), 300);
    let sharded = Tags { layout: BufferLayout::HeightSharded, ..TAGS };
    // Three pages of 10 bytes to a shard, whether a block of 64 bytes would hold a fourth or not.
    let buffer = BufferEntry {
        bytes_per_bank: 64,
        requested: 130,
        page_bytes: 10,
        block_padding: 16,
        tags: sharded,
        ..BUFFER
    };
    assert_eq!(size_per_bank(buffer), 30);
    assert_eq!(size_per_bank(BufferEntry { page_bytes: 0, ..buffer }), 64);
    assert_eq!(size_per_bank(BufferEntry { bytes_per_bank: 8, ..buffer }), 8);
}

#[test]
fn what_was_written_is_read() {
    let segment = Image::full().parse();
    assert_eq!(segment.header.pid, 1000);
    assert_eq!(segment.header.tt_metal_version, "0.81.1");
    assert_eq!(segment.header.build_id, [0x23, 0xbb, 0x34]);
    assert_eq!(segment.header.to_real_time(5_000_000_003), 1_800_000_000_000_000_003);
    assert_eq!(segment.chips[0], Chip { device: 4, unique_id: Some(0x2_6190_302b) });
    assert_eq!(segment.chips[1].unique_id, None);

    let allocator = &segment.allocators[0];
    assert_eq!((allocator.index, allocator.serial, allocator.role), (3, 4, AllocatorRole::Mesh));
    assert_eq!(allocator.chips, [0, 1], "chip 100 is not there");
    let used = allocator.kind(AllocatorKind::L1Small);
    assert_eq!((used.live_bytes, used.live_buffers, used.banks), (88_064, 1, 64));
    assert_eq!((used.live_total(), used.peak_total()), (88_064 * 64, 88_064 * 64));
    assert_eq!(used.statistics, Some(STATISTICS));
    assert_eq!(used.residual, Some(50));
    let op = used.peak.as_ref().unwrap().op.as_ref().unwrap();
    assert_eq!((&*op.name, op.source), ("layer 3", NameSource::Label));
    assert_eq!(allocator.kind(AllocatorKind::Dram), &KindUse::default());

    assert_eq!(
        (segment.buffers[0].address, segment.buffers[0].kind),
        (0x10_0040, AllocatorKind::L1Small)
    );
    assert_eq!(segment.buffers[0].layout, BufferLayout::BlockSharded);
    assert_eq!(segment.buffers[0].op, None, "name 0x1234 is not there");
    assert_eq!((segment.events[0].kind, segment.events[0].allocator), (EventKind::Free, Some(3)));
    assert!(segment.failures[0].is_fragmentation());
    assert_eq!(segment.losses, Losses::default());
    assert!(segment.losses.is_complete());
}

#[test]
fn a_summary_needs_only_the_first_bytes() {
    let image = Image::full();
    let summary = Reader::parse_summary(&image.bytes()[..Reader::SUMMARY_BYTES]).unwrap();
    assert_eq!(summary.chips, image.parse().chips);
    let (used, all) = (&summary.allocators[0], &image.parse().allocators[0]);
    assert_eq!(used.kinds[2].statistics, all.kinds[2].statistics);
    let short = &image.bytes()[..Reader::SUMMARY_BYTES - 1];
    assert!(matches!(Reader::parse_summary(short), Err(SegmentError::Short { .. })));
}

#[test]
fn what_is_no_segment_is_refused_with_the_reason() {
    let bytes = Image::full().bytes();
    assert!(matches!(Reader::parse(&[]), Err(SegmentError::Short { .. })));
    assert!(matches!(Reader::parse(&bytes[..bytes.len() - 1]), Err(SegmentError::Short { .. })));
    assert_eq!(Reader::parse(&vec![0; bytes.len()]), Err(SegmentError::NotReady));
    assert_eq!(Reader::parse(&vec![7; bytes.len()]), Err(SegmentError::NotASegment));
    let mut newer = Image::full();
    newer.0[fixed::VERSION] += 1;
    let error = Reader::parse(&newer.bytes()).unwrap_err();
    assert_eq!(error, SegmentError::Version { major: 4, minor: MINOR });
    assert!(error.to_string().contains("version 4.0 and this ttmem reads versions up to 3.x"));
    let mut tampered = Image::full();
    tampered.0[fixed::SECTIONS + 8] += 8;
    assert_eq!(Reader::parse(&tampered.bytes()), Err(SegmentError::Header));
}

#[test]
fn a_later_minor_version_with_longer_entries_is_read() {
    let image = Image::full();
    let mut plan = image.1;
    let mut longer = Image::new();
    longer.0.truncate(plan.table(Section::Events).first_word);
    // Nothing of programs, stacks and shapes.
    let is_new = |section: &Section| *section as usize >= Section::Footprints as usize;
    for section in Section::ALL.into_iter().filter(is_new) {
        plan.tables[section as usize].entries = 0;
        plan.tables[section as usize].first_word = 0;
    }
    // The last table's entries get one more word each, and there are fewer of them.
    let mut changed = plan;
    changed.tables[Section::Events as usize].entry_words += 1;
    changed.tables[Section::Events as usize].entries = 32;
    longer.0.resize(changed.table(Section::Events).entry(32), 0);
    changed.segment_bytes = longer.0.len() * WORD_BYTES;
    let mut head = HEAD.to_words(&changed);
    head[fixed::VERSION] += 5 << 16;
    head[fixed::CHECKSUM] = u64::from(entry::checksum(&head[1..fixed::CHECKSUM]));
    longer.put(0, &head);
    longer.put(Counter::Events as usize, &[EVENT.sequence]);
    longer.put(changed.table(Section::Events).entry(17), &EVENT.to_words());
    let segment = longer.parse();
    assert_eq!(segment.header.version, (3, MINOR + 5));
    assert_eq!(segment.events[0].address, EVENT.address);
}

#[test]
fn buffers_events_and_failures_have_their_stack() {
    let image = Image::full();
    let segment = image.parse();
    let stack = segment.buffers[0].stack.as_ref().unwrap();
    let frames: Vec<_> = stack.frames.iter().map(|frame| (&*frame.function, frame.line)).collect();
    assert_eq!(frames, [("Model.forward", Some(200)), ("Model.forward", None)]);
    assert!(stack.is_cut && &*stack.frames[0].file == "/home/user/model.py");
    assert_eq!(segment.events[0].stack.as_ref(), Some(stack));
    assert_eq!(segment.failures[0].stack.as_ref(), Some(stack));
    assert_eq!(segment.header.stacks, StackState::Recorded);
    // Without its function a frame is left out, and a stack without frames is not known.
    let mut torn = image;
    let function = torn.1.table(Section::Functions).entry(7);
    torn.0[function + 3] ^= 1;
    let segment = torn.parse();
    assert_eq!((segment.buffers[0].stack.as_ref(), segment.losses.torn), (None, 1));
}

#[test]
fn half_written_entries_are_skipped_and_counted() {
    let mut image = Image::full();
    let table = |section: Section| image.1.table(section);
    let words = [
        table(Section::Buffers).entry(7),
        table(Section::Events).entry(17),
        table(Section::Failures).entry(0),
    ];
    for word in words {
        image.0[word + 3] ^= 1;
    }
    let segment = image.parse();
    assert_eq!(segment.losses.torn, 3);
    assert!(segment.buffers.is_empty() && segment.events.is_empty() && segment.failures.is_empty());
}

#[test]
fn an_event_in_another_ones_place_is_not_believed() {
    let mut image = Image::full();
    let table = image.1.table(Section::Events);
    image.put(table.entry(18), &EVENT.to_words());
    let segment = image.parse();
    assert_eq!((segment.events.len(), segment.losses.torn), (1, 1));
}

#[test]
fn freed_and_unused_slots_are_no_buffers() {
    let mut image = Image::full();
    let first = image.1.table(Section::Buffers).entry(7);
    image.0[first] = 1;
    let segment = image.parse();
    assert_eq!((segment.buffers.len(), segment.losses.torn), (0, 0));
}

#[test]
fn a_peak_whose_note_is_of_another_one_has_no_origin() {
    let mut image = Image::full();
    let block = image.1.table(Section::Allocators).entry(3) + kind_block(AllocatorKind::L1Small);
    image.0[block + KindWord::Peak as usize] += 1;
    let segment = image.parse();
    assert_eq!(segment.allocators[0].kind(AllocatorKind::L1Small).peak, None);
}

#[test]
fn a_name_that_is_no_text_is_shown_without_harm() {
    let words = NameEntry::to_words(9, NameSource::Context, 0, b"a\x1b[2J\xff\xfe");
    assert_eq!(NameEntry::from_words(words).unwrap().text, "a\u{fffd}[2J");
    let long = NameEntry::to_words(9, NameSource::Context, 0, &[b'x'; 1000]);
    assert_eq!(NameEntry::from_words(long).unwrap().text.len(), name::NAME_BYTES);
}

proptest! {
    #[test]
    fn any_buffer_comes_back(
        numbers in any::<[u64; 6]>(), halves in any::<[u32; 2]>(), index in any::<u8>(), kind in 0..4_usize, names in any::<[u16; 3]>(),
    ) {
        let [key, address, bytes_per_bank, requested, sequence, time] = numbers;
        let (sequence, address, [name, stack, shape]) = (sequence >> 24, address >> 16, names);
        let tags = Tags { allocator: index, kind: AllocatorKind::ALL[kind], name, ..TAGS };
        let [page_bytes, thread] = halves;
        let thread = thread >> 8;
        let buffer = BufferEntry {
            key, address, bytes_per_bank, requested, sequence, stack, shape, time, page_bytes, block_padding: index, thread, tags,
        };
        prop_assert_eq!(BufferEntry::from_words(buffer.to_words()), Some(buffer));
    }

    #[test]
    fn any_changed_word_is_noticed(index in 0..BUFFER_WORDS, bit in 0..64) {
        let mut words = BUFFER.to_words();
        words[index] ^= 1_u64 << bit;
        prop_assert_eq!(BufferEntry::from_words(words), None);
        let mut words = EVENT.to_words();
        words[index % EVENT_WORDS] ^= 1_u64 << bit;
        prop_assert_eq!(EventEntry::from_words(words), None);
    }

    #[test]
    fn words_of_two_entries_do_not_pass_for_one(cut in 1..BUFFER_WORDS, address in 0..1_u64 << 48, time in any::<u64>()) {
        let other = BufferEntry { address, time, sequence: 99, thread: 1, requested: 5, bytes_per_bank: 6, ..BUFFER };
        let mut words = BUFFER.to_words();
        words[cut..].copy_from_slice(&other.to_words()[cut..]);
        prop_assert!(BufferEntry::from_words(words).is_none_or(|entry| entry == BUFFER || entry == other));
    }

}

#[test]
fn the_event_of_a_free_is_the_same_by_way_of_words_and_of_types() {
    let free = Free { sequence: 99, time: 5, live_after: 7, thread: 8, name: 9 };
    let event = EventEntry {
        sequence: 99,
        time: 5,
        live_after: 7,
        thread: 8,
        tags: Tags { name: 9, ..TAGS },
        ..EVENT
    };
    let buffer = OwnBuffer(BUFFER.to_words());
    assert_eq!(buffer.freed(&free), event.to_words());
    assert_eq!((buffer.tags(), buffer.bytes_per_bank()), (TAGS, BUFFER.bytes_per_bank));
}
