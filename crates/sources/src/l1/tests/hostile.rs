//! Decoding of arbitrary L1: a core is decoded, torn or absent, or the layout is refused; never a panic, an overlap or
//! a range outside L1.

use std::path::Path;
use std::sync::LazyLock;

use super::support::{Image, core_with_program, port};
use crate::l1::{Layout, ROWS, Reader};
use crate::port::L1Port;
use crate::port::image::ImagePort;
use proptest::prelude::*;
use ttmem_model::l1::{Buffer, Buffers, ByteRange, Core, CoreState, L1Map};

fn buffers() -> Buffers {
    let buffer = Buffer { range: ByteRange::new(1_400_000, 1_466_368), label: String::new() };
    Buffers { l1_small_bytes: 32_768, buffers: vec![buffer] }
}

/// Checks the invariants of a decoded core.
fn check(reader: &Reader, core: &Core) {
    let l1_bytes = reader.geometry().l1_bytes;
    let ring_start = reader.geometry().ring_start;
    for buffers in [None, Some(&buffers())] {
        let map = L1Map::new(core, &reader.geometry(), buffers);
        let mut next = 0;
        for region in map.regions() {
            assert_eq!(region.range.start, next, "{map:?}");
            assert!(!region.range.is_empty());
            next = region.range.end;
        }
        assert_eq!(next, l1_bytes);
        assert!(map.used_bytes().value().is_none_or(|bytes| bytes <= l1_bytes));
    }
    assert_eq!(core.state == CoreState::Torn, core.detail.is_some());
    let has_program = matches!(core.state, CoreState::Running | CoreState::Finished);
    assert_eq!(core.program.is_some(), has_program);
    let Some(program) = &core.program else { return };
    let unreserved = core.unreserved.unwrap();
    let free = ByteRange::new(unreserved, l1_bytes);
    let ring = ByteRange::new(ring_start, unreserved);
    for buffer in &program.circular_buffers {
        assert!(free.contains(buffer.range()), "{buffer:?}");
        assert!(buffer.config_address.is_some() || buffer.pages * buffer.page_size == buffer.size);
    }
    for text in program.kernels.iter().filter_map(|kernel| kernel.text()) {
        assert!(text.is_empty() || ring.contains(text), "{text:?}");
    }
    assert!(ring.contains(ByteRange::new(
        program.config_start,
        program.config_end.unwrap_or(program.config_start)
    )));
}

fn check_port(port: &mut dyn L1Port, layout: Option<Layout>) {
    let reader = match layout {
        Some(layout) => Ok(Reader::with_layout(port, layout).unwrap()),
        None => Reader::open(port),
    };
    match reader {
        Ok(mut reader) => {
            let (cores, _) = reader.sample(port).unwrap();
            for core in &cores {
                check(&reader, core);
            }
        }
        Err(error) => assert!(error.to_string().starts_with("unknown TT-Metal layout"), "{error}"),
    }
}

/// A core of each release, and the part of its L1 that is read.
static IMAGES: LazyLock<Vec<(Image, Vec<u8>)>> = LazyLock::new(|| {
    let image = |row: &crate::l1::layout::Row| {
        let layout = Layout::of_release(row.arch, row.releases[0]).unwrap();
        let (mut image, _) = core_with_program(&layout, 7);
        image.go(0, 0x80);
        let end = usize::try_from(image.unreserved).unwrap();
        let bytes = image.l1[..end].to_vec();
        (image, bytes)
    };
    ROWS.iter().map(image).collect()
});

/// A port to one core of which only the first bytes are kept.
fn cut_port(image: &Image, bytes: Vec<u8>) -> ImagePort {
    let whole = port(std::slice::from_ref(&Image { l1: Vec::new(), ..image.clone() }));
    let core = whole.chip().cores[0];
    ImagePort::from_parts(whole.chip(), &[(core, vec![(0, bytes)])]).unwrap()
}

fn check_damaged(image: &Image, bytes: Vec<u8>) {
    let mut port = cut_port(image, bytes);
    check_port(&mut port, Some(image.layout.clone()));
    check_port(&mut port, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_byte_of_what_is_read_may_be_any_other(
        row in 0..ROWS.len(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let (image, bytes) = &IMAGES[row];
        let layout = &image.layout;
        // Where a byte counts: the mailbox up to core_info, and the program's part of the ring.
        let mailbox = usize::try_from(layout.memory.mailbox).unwrap()..4096;
        let ring = usize::try_from(layout.memory.ring_start).unwrap();
        let addresses: Vec<usize> = mailbox.chain(ring..ring + 2048).collect();
        let mut bytes = bytes.clone();
        bytes[addresses[at.index(addresses.len())]] = byte;
        check_damaged(image, bytes);
    }

    #[test]
    fn several_bytes_of_the_launch_slots_may_be_any_others(
        row in 0..ROWS.len(), changes in proptest::collection::vec((0..1300_usize, any::<u8>()), 1..40)
    ) {
        let (image, bytes) = &IMAGES[row];
        let mut bytes = bytes.clone();
        for (at, byte) in changes {
            bytes[usize::try_from(image.layout.memory.mailbox).unwrap() + at] = byte;
        }
        check_damaged(image, bytes);
    }

    #[test]
    fn the_bytes_may_end_anywhere(row in 0..ROWS.len(), end in any::<prop::sample::Index>()) {
        let (image, bytes) = &IMAGES[row];
        check_damaged(image, bytes[..end.index(bytes.len())].to_vec());
    }

    #[test]
    fn records_may_say_anything(
        row in 0..ROWS.len(), words in proptest::collection::vec(any::<u32>(), 8), mask in any::<u64>(),
        first_remote in 0..80_u64
    ) {
        let (image, _) = &IMAGES[row];
        let (_, mut slot) = core_with_program(&image.layout, 7);
        (slot.mask, slot.first_remote) = (mask, first_remote);
        let mut image = image.clone();
        image.slot(0, &slot);
        for (index, word) in (0..).zip(words) {
            image.set_at(slot.base + slot.local_cb_offset + 4 * index, 4, word.into());
        }
        let end = usize::try_from(image.unreserved).unwrap();
        let bytes = image.l1[..end].to_vec();
        check_damaged(&image, bytes);
    }
}

#[test]
fn every_byte_of_a_real_mailbox_may_be_flipped() {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1/wormhole-fast-dispatch/gelu");
    let mut capture = ImagePort::open(&directory).unwrap().pop().unwrap();
    let core = capture.chip().cores[0];
    let mut mailbox = vec![0; 13_312];
    capture.read(core, 16, &mut mailbox).unwrap();
    let mut ring = vec![0; 70_656];
    capture.read(core, 35_168, &mut ring).unwrap();
    let chip = crate::port::PortChip { cores: vec![core], ..capture.chip().clone() };
    // Only what the layout names is read; the rest is watcher, prints and profiler.
    for at in (0..1232).chain(2544..2800) {
        for bit in [0x01, 0x80, 0xFF] {
            let mut mailbox = mailbox.clone();
            mailbox[at] ^= bit;
            let parts = vec![(16, mailbox), (35_168, ring.clone())];
            let mut port = ImagePort::from_parts(&chip, &[(core, parts)]).unwrap();
            check_port(&mut port, None);
        }
    }
}
