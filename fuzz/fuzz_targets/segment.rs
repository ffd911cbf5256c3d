//! Any bytes as a segment of the agent: the reader must not panic, and must not make entries of nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_segment::head::HeadFacts;
use ttmem_segment::layout::{MIN_SEGMENT_BYTES, Plan};
use ttmem_segment::{Reader, Segment};

fuzz_target!(|bytes: &[u8]| {
    let _parsed = Reader::parse(bytes);
    let _parsed = Reader::parse_summary(bytes);

    // Behind a good header. The first bytes say where the others go, for a segment is mostly empty.
    let plan = Plan::within(MIN_SEGMENT_BYTES);
    let mut image = vec![0; plan.segment_bytes];
    let header = HeadFacts::default().to_words(&plan);
    for (place, word) in image.chunks_exact_mut(8).zip(header) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    if let Some((place, content)) = bytes.split_first_chunk::<4>() {
        let start = header.len() * 8;
        let place = start + u32::from_le_bytes(*place) as usize % (image.len() - start);
        let length = content.len().min(image.len() - place);
        image[place..place + length].copy_from_slice(&content[..length]);
    }
    match Reader::parse(&image) {
        Ok(segment) => check(&segment),
        Err(error) => panic!("the header is good: {error}"),
    }
});

fn check(segment: &Segment) {
    assert!(segment.chips.len() <= 128 && segment.allocators.len() <= 128);
    for allocator in &segment.allocators {
        assert!(allocator.chips.iter().all(|chip| *chip < segment.chips.len()));
    }
    assert!(segment.buffers.is_sorted_by_key(|buffer| buffer.sequence));
    assert!(segment.events.is_sorted_by_key(|event| event.sequence));
    let programs = &segment.programs;
    assert!(programs.footprints.is_sorted_by_key(|footprint| footprint.index));
    assert!(programs.dispatches.is_sorted_by_key(|dispatch| dispatch.sequence));
    let parts = programs.footprints.iter().map(|it| it.placements.len() + it.kernels.len());
    assert!(parts.sum::<usize>() <= MIN_SEGMENT_BYTES / 32);
    for chip in 0..segment.chips.len() {
        let _resident = programs.resident(chip, (0, 0));
    }
    let names = segment.buffers.iter().filter_map(|buffer| buffer.op.as_ref());
    for op in names {
        assert!(!op.name.contains(char::is_control));
    }
}
