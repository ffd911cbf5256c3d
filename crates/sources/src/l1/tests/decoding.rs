//! The rules of decoding, on cores made by hand for every release and both architectures.

use super::support::{Image, Slot, core_with_program, port, records, slot};
use crate::l1::{Cost, Layout, LayoutError, OpenError, ROWS, Reader};
use crate::port::{L1Port, PortChip, PortError};
use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Core, CoreState, Count, Dispatch, Program};

fn newest(arch: Arch) -> Layout {
    Layout::of_release(arch, "0.81.1").unwrap()
}

fn wormhole() -> Layout {
    newest(Arch::Wormhole)
}

fn sample(images: &[Image]) -> Vec<Core> {
    let mut port = port(images);
    let layout = images[0].layout.clone();
    Reader::with_layout(&mut port, layout).unwrap().sample(&mut port).unwrap().0
}

fn only(image: Image) -> Core {
    sample(&[image]).pop().unwrap()
}

fn program(core: &Core) -> &Program {
    core.program.as_ref().unwrap_or_else(|| panic!("{core:?}"))
}

fn torn(image: Image) -> String {
    let core = only(image);
    assert_eq!(core.state, CoreState::Torn, "{core:?}");
    assert_eq!((core.program.as_ref(), core.signal), (None, 0));
    core.detail.unwrap()
}

fn ranges(core: &Core) -> Vec<(u8, u64, u64)> {
    let buffers = &program(core).circular_buffers;
    buffers.iter().map(|buffer| (buffer.id, buffer.address, buffer.size)).collect()
}

#[test]
fn every_release_decodes_the_same_program() {
    for row in ROWS {
        let layout = Layout::of_release(row.arch, row.releases[0]).unwrap();
        let (mut image, slot) = core_with_program(&layout, 7);
        image.go(0, 0x80);
        let mut port = port(std::slice::from_ref(&image));
        let mut reader = match layout.mailbox.core_info.magic {
            Some(_) => {
                let reader = Reader::open(&mut port).unwrap();
                assert_eq!(reader.layout().label, format!("{} (magic)", row.label()));
                assert_eq!(reader.layout().memory, row.memory);
                reader
            }
            None => Reader::with_layout(&mut port, layout.clone()).unwrap(),
        };
        let core = reader.sample(&mut port).unwrap().0.pop().unwrap();
        let name = format!("{} on {:?}", row.label(), row.arch);
        assert_eq!(core.state, CoreState::Running, "{name}: {core:?}");
        assert_eq!(program(&core).id, 7);
        let kernels: Vec<_> = program(&core)
            .kernels
            .iter()
            .map(|kernel| (kernel.id, kernel.text_start - slot.base, kernel.text_bytes))
            .collect();
        let (length, last) = match layout.mailbox.config.text_size {
            Some(_) => (268, Some(268)),
            None => (272, None),
        };
        let length = Some(length);
        assert_eq!(
            kernels,
            [
                (1, 192, length),
                (2, 464, length),
                (3, 736, length),
                (3, 1008, length),
                (3, 1280, last)
            ],
            "{name}"
        );
        let start = image.unreserved;
        assert_eq!(ranges(&core), [(0, start, 4096), (2, start + 4096, 8192)], "{name}");
        assert_eq!(core.circular_buffer_bytes(), Count::Known(12_288));
        assert_eq!(core.kernel_text_bytes().value(), last.map(|_| 5 * 268), "{name}");
    }
}

#[test]
fn a_ring_of_another_size_leaves_two_releases_and_one_reading() {
    let layout = Layout::of_release(Arch::Wormhole, "0.77.0").unwrap();
    let mut image = Image::with_unreserved(&layout, Coordinate { x: 0, y: 0 }, 120_000);
    let slot = slot(&layout, 1);
    image.slot(0, &slot);
    records(&mut image, &slot);
    let mut port = port(&[image]);
    let mut reader = Reader::open(&mut port).unwrap();
    assert_eq!(reader.layout().label, "0.74.0–0.77.0 (magic)");
    assert!(!reader.layout().is_ring_certain);
    let core = reader.sample(&mut port).unwrap().0.pop().unwrap();
    assert_eq!(core.unreserved, Some(120_000));
    assert_eq!(ranges(&core), [(0, 120_000, 4096), (2, 124_096, 8192)]);
}

fn refusal(image: Image) -> LayoutError {
    match Reader::open(&mut port(&[image])) {
        Err(OpenError::Layout(error)) => {
            assert!(error.to_string().starts_with("unknown TT-Metal layout"), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_layout_that_is_not_known_is_refused() {
    let old = Layout::of_release(Arch::Wormhole, "0.65.1").unwrap();
    let image = Image::new(&old, Coordinate { x: 0, y: 0 });
    assert_eq!(refusal(image), LayoutError::NoMagic { cores: 1 });

    let mut image = Image::new(&wormhole(), Coordinate { x: 0, y: 0 });
    image.set(image.layout.mailbox.core_info.grid_x, 99);
    assert!(matches!(refusal(image), LayoutError::Implausible { .. }));

    let error = Layout::of_release(Arch::Blackhole, "0.55.0").unwrap_err();
    assert!(error.to_string().contains("release 0.55.0 on blackhole; known are 0.60.1, 0.62.2"));
}

#[test]
fn a_magic_that_an_older_release_left_is_not_chosen_between() {
    let mut image = Image::new(&wormhole(), Coordinate { x: 0, y: 0 });
    let older = Image::new(
        &Layout::of_release(Arch::Wormhole, "0.67.4").unwrap(),
        Coordinate { x: 0, y: 0 },
    );
    for (byte, left) in image.l1.iter_mut().zip(&older.l1) {
        *byte |= left;
    }
    let error = LayoutError::Ambiguous { first: "0.67.4".into(), second: "0.79.0".into() };
    assert_eq!(refusal(image), error);
}

#[test]
fn a_core_that_says_nonsense_of_itself_is_torn_and_nowhere() {
    let (image, _) = core_with_program(&wormhole(), 1);
    let mut outside = image.clone();
    outside.set(image.layout.mailbox.core_info.logical_y, 9);
    let cores = sample(&[image, outside]);
    assert_eq!(cores[0].state, CoreState::Finished);
    assert_eq!(
        (cores[1].state, cores[1].logical, cores[1].unreserved),
        (CoreState::Torn, None, None)
    );
    assert_eq!(cores[1].detail.as_deref(), Some("core (0, 9) is outside its grid"));
}

/// A core whose slots hold programs with these numbers.
fn with_ids(ids: &[(u32, u64)], change: impl Fn(u32, &mut Slot)) -> Image {
    let mut image = Image::new(&wormhole(), Coordinate { x: 0, y: 0 });
    for (index, id) in ids {
        let mut slot = slot(&image.layout, *id);
        slot.base += 4096 * u64::from(*index);
        slot.ids[0] = 100 + u64::from(*index);
        slot.enables = 0;
        change(*index, &mut slot);
        image.slot(*index, &slot);
        records(&mut image, &slot);
    }
    image
}

fn chosen(mut image: Image, read_pointer: u64) -> u16 {
    image.read_pointer(read_pointer);
    let core = only(image);
    assert_eq!(core.state, CoreState::Finished);
    program(&core).kernels[0].id - 100
}

#[test]
fn the_newest_slot_is_the_one_with_the_highest_number() {
    let ids = [(0, 9), (1, 10), (2, 3), (3, 4)];
    assert_eq!(chosen(with_ids(&ids, |_, _| {}), 4), 1);
    // On some cores the pointer runs ahead of slots that are armed.
    let arm = |_: u32, slot: &mut Slot| (slot.enables, slot.preload) = (31, 0x80);
    assert_eq!(chosen(with_ids(&[(0, 1), (1, 2), (2, 3)], arm), 5), 2);
}

#[test]
fn numbers_wrap_at_two_to_the_32() {
    let ids = [(0, 0xFFFF_FFFE), (1, 0xFFFF_FFFF), (2, 0), (3, 1)];
    assert_eq!(chosen(with_ids(&ids, |_, _| {}), 4), 3);
}

#[test]
fn among_equal_numbers_the_slot_that_was_passed_last_wins() {
    let ids = [(0, 0), (1, 0), (2, 0)];
    assert_eq!(chosen(with_ids(&ids, |_, _| {}), 2), 1);
    assert_eq!(chosen(with_ids(&ids, |_, _| {}), 0), 2);
    let arm_second = |index: u32, slot: &mut Slot| {
        if index == 2 {
            slot.enables = 31;
        }
    };
    assert_eq!(chosen(with_ids(&ids, arm_second), 2), 2);
}

#[test]
fn an_armed_slot_does_not_run_and_a_go_without_a_slot_does_not_either() {
    let (mut image, slot) = core_with_program(&wormhole(), 3);
    image.slot(0, &Slot { preload: 0x80, ..slot });
    assert_eq!(only(image.clone()).state, CoreState::Finished);
    image.go(0, 0x80);
    assert_eq!(only(image.clone()).state, CoreState::Running);
    image.read_pointer(1);
    let core = only(image.clone());
    assert_eq!((core.state, core.signal), (CoreState::Finished, 0x80));
    image.read_pointer(0);
    for signal in [0x40, 0xC0, 0xE0, 0xF0] {
        image.go(0, signal);
        assert_eq!(only(image.clone()).state, CoreState::Finished);
    }
}

#[test]
fn the_go_message_of_the_sub_device_counts() {
    let (mut image, _) = core_with_program(&wormhole(), 3);
    image.go(0, 0x80);
    image.go(5, 0);
    assert_eq!(only(image.clone()).state, CoreState::Finished);
    image.go(8, 0x80);
    assert_eq!(only(image.clone()).state, CoreState::Running);
    image.set(image.layout.mailbox.go_message_index.unwrap(), 9);
    assert_eq!(torn(image), "go message 9 does not exist");
}

#[test]
fn only_enabled_processors_have_kernels() {
    let (mut image, slot) = core_with_program(&wormhole(), 3);
    image.slot(0, &Slot { enables: 0b00010, ..slot });
    let ids = |image: Image| {
        program(&only(image)).kernels.iter().map(|kernel| kernel.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(image.clone()), [2]);
    // A program of fast dispatch that is over: enables are cleared, sizes are not.
    let mut text = slot.text;
    text[0].1 = 0;
    image.slot(0, &Slot { enables: 0, text, ..slot });
    assert_eq!(ids(image.clone()), [2, 3, 3, 3]);
    image.slot(0, &Slot { enables: 0x20, ..slot });
    assert_eq!(torn(image), "enables 0x20 has bits of no processor");
}

#[test]
fn a_named_layout_is_that_of_the_cores_or_refused() {
    for row in ROWS {
        for release in row.releases {
            let layout = Layout::of_release(row.arch, release).unwrap();
            let (image, _) = core_with_program(&layout, 3);
            let mut chip = port(std::slice::from_ref(&image));
            let reader = Reader::with_named_layout(&mut chip, layout.clone()).unwrap();
            assert_eq!(reader.layout().label, format!("{release} (named)"));
            let core = reader.clone().sample(&mut chip).unwrap().0.pop().unwrap();
            assert_eq!(program(&core).id, 3, "{release}");

            let mut unused = image;
            unused.l1.fill(0);
            let refused = Reader::with_named_layout(&mut port(&[unused]), layout);
            let error = LayoutError::NoCore(format!("{release} (named)"));
            assert!(matches!(refused, Err(OpenError::Layout(found)) if found == error));
        }
    }
}

#[test]
fn three_classes_stand_for_five_processors_before_0_64() {
    for enables in [0b100, 0] {
        let layout = Layout::of_release(Arch::Blackhole, "0.62.2").unwrap();
        let (mut image, slot) = core_with_program(&layout, 3);
        image.slot(0, &Slot { enables, ids: [0, 0, 9, 0, 0], ..slot });
        let core = only(image);
        let ids: Vec<_> = program(&core).kernels.iter().map(|kernel| kernel.id).collect();
        assert_eq!(ids, [9, 9, 9]);
    }
}

#[test]
fn mode_says_who_started_a_program() {
    let (mut image, slot) = core_with_program(&wormhole(), 3);
    assert_eq!(only(image.clone()).dispatch, Dispatch::Fast);
    image.slot(0, &Slot { mode: 1, ..slot });
    assert_eq!(only(image).dispatch, Dispatch::Slow);
}

/// A core with the program of [`slot`] changed.
fn changed(change: impl Fn(&mut Slot)) -> Image {
    let (mut image, mut slot) = core_with_program(&wormhole(), 3);
    change(&mut slot);
    image.slot(0, &slot);
    image
}

#[test]
fn what_lies_where_it_cannot_is_torn() {
    let ring = wormhole().memory.ring_start;
    let message = torn(changed(|slot| slot.base = 0));
    assert!(message.starts_with("configuration at 0 is outside the ring"), "{message}");
    let message = torn(changed(|slot| slot.text[4].0 = 0xFFFF_FFFF));
    assert!(message.starts_with("text of trisc2"), "{message}");
    let message = torn(changed(|slot| slot.text[1].1 = 70_656));
    assert!(message.starts_with("text of ncrisc"), "{message}");
    let message = torn(changed(|slot| slot.base = ring + 70_600));
    assert!(message.contains("outside the kernel config ring"), "{message}");
    let message = torn(changed(|slot| (slot.enables, slot.local_cb_offset) = (0, 65_535)));
    assert!(message.contains("circular buffer"), "{message}");
    // Wormhole's firmware has 32 circular buffers, whatever the mask could hold.
    let message = torn(changed(|slot| slot.mask = 1 << 32));
    assert_eq!(
        message,
        "circular buffer mask 0x100000000 and first remote index 32 cannot both be"
    );
    assert!(torn(changed(|slot| slot.first_remote = 33)).contains("first remote index 33"));
    assert!(torn(changed(|slot| slot.first_remote = 2)).contains("first remote index 2"));
}

#[test]
fn a_record_that_cannot_be_is_torn() {
    let with = |record: [u64; 4]| {
        let (mut image, slot) = core_with_program(&wormhole(), 3);
        image.local(&slot, 2, record);
        torn(image)
    };
    let start = 105_824;
    assert_eq!(
        with([start, 4096, 3, 2048]),
        "circular buffer 2 has 4096 bytes, but 3 pages of 2048"
    );
    assert!(with([start - 32, 4096, 2, 2048]).contains("at 105792"));
    assert!(with([1_499_136 - 2048, 4096, 2, 2048]).contains("outside the part of L1"));
    assert!(with([start, 0xFFFF_FFFF, 1, 0xFFFF_FFFF]).contains("outside the part of L1"));
    assert!(with([start, 0, 0xFFFF_FFFF, 0xFFFF_FFFF]).contains("pages"));
}

#[test]
fn the_last_circular_buffer_of_a_blackhole_is_number_63() {
    let (mut image, mut slot) = core_with_program(&newest(Arch::Blackhole), 3);
    (slot.mask, slot.local_cb_offset) = (1 << 63, 0);
    slot.text = slot.text.map(|(offset, size)| (offset + 2048, size));
    image.slot(0, &slot);
    image.local(&slot, 63, [200_000, 64, 1, 64]);
    assert_eq!(ranges(&only(image)), [(63, 200_000, 64)]);
}

fn with_remotes() -> (Image, Slot) {
    let (mut image, mut slot) = core_with_program(&wormhole(), 3);
    slot.first_remote = 29;
    slot.text = slot.text.map(|(offset, size)| (offset + 64, size));
    image.slot(0, &slot);
    image.remote(&slot, 31, [1_400_000, 2048]);
    image.remote(&slot, 29, [1_400_064, 1000]);
    for (page, address) in [(1_400_000, 900_000), (1_400_064, 950_000)] {
        for (index, word) in (0..).zip([0, 1, address, 16_384, address, 0]) {
            image.set_at(page + 4 * index, 4, word);
        }
    }
    (image, slot)
}

#[test]
fn remote_circular_buffers_are_read_through_their_configuration_pages() {
    let (image, _) = with_remotes();
    let core = only(image);
    let start = 105_824;
    assert_eq!(
        ranges(&core),
        [(0, start, 4096), (2, start + 4096, 8192), (29, 950_000, 16_384), (31, 900_000, 16_384)]
    );
    // Number 30 has no page: this core does not use it.
    let remote = program(&core).circular_buffers[2];
    assert_eq!(
        (remote.pages, remote.page_size, remote.config_address),
        (16, 1000, Some(1_400_064))
    );
    assert_eq!(core.circular_buffer_bytes(), Count::Known(12_288 + 32_768));
}

#[test]
fn a_remote_circular_buffer_that_cannot_be_is_torn() {
    let (mut image, slot) = with_remotes();
    image.remote(&slot, 31, [0xFFFF_FFF0, 2048]);
    assert!(torn(image).starts_with("circular buffer 31 at 4294967280"));
    let (mut image, slot) = with_remotes();
    image.remote(&slot, 31, [1_400_000, 0]);
    assert_eq!(torn(image), "circular buffer 31 has 16384 bytes, but 0 pages of 0");
    let (mut image, _) = with_remotes();
    image.set_at(1_400_008, 4, 64);
    assert!(torn(image).starts_with("circular buffer 31 at 64"));
}

/// A port whose core changes a byte before each read as long as it has any left.
struct Restless<P> {
    inner: P,
    changes: usize,
    reads: Vec<usize>,
}

impl<P: L1Port> L1Port for Restless<P> {
    fn chip(&self) -> &PortChip {
        self.inner.chip()
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        self.inner.read(core, address, buffer)?;
        self.reads.push(buffer.len());
        let is_block = buffer.len() > 1000;
        if is_block && self.reads.len().is_multiple_of(3) && self.changes > 0 {
            self.changes -= 1;
            buffer[0] ^= 1;
        }
        Ok(())
    }
}

fn restless(changes: usize) -> (Core, Cost, Vec<usize>) {
    let (image, _) = core_with_program(&wormhole(), 3);
    let mut port = Restless { inner: port(&[image]), changes: 0, reads: Vec::new() };
    let mut reader = Reader::open(&mut port).unwrap();
    // The first sample takes the block that came with the opening.
    assert_eq!(port.reads, [426, 2780]);
    assert_eq!(reader.sample(&mut port).unwrap().1.reads, 2);
    reader.sample(&mut port).unwrap();
    port.inner = self::port(&[core_with_program(&wormhole(), 4).0]);
    port.reads.clear();
    port.changes = changes;
    let (mut cores, cost) = reader.sample(&mut port).unwrap();
    (cores.pop().unwrap(), cost, port.reads)
}

#[test]
fn a_core_that_goes_on_is_read_again_three_times() {
    let (core, cost, reads) = restless(0);
    assert_eq!((core.state, reads), (CoreState::Finished, vec![1208, 48, 1208]));
    assert_eq!(cost, Cost { reads: 3, bytes: 2464 });
    let (core, cost, _) = restless(3);
    assert_eq!((core.state, cost.reads), (CoreState::Finished, 12));
    let (core, cost, _) = restless(4);
    assert_eq!((core.state, cost.reads), (CoreState::Torn, 12));
    assert_eq!(core.detail.as_deref(), Some("the core went on while it was read"));
}

/// A port that breaks after some reads.
struct Breaking<P> {
    inner: P,
    reads: usize,
}

impl<P: L1Port> L1Port for Breaking<P> {
    fn chip(&self) -> &PortChip {
        self.inner.chip()
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        let Some(left) = self.reads.checked_sub(1) else {
            return Err(PortError::Failed { name: "made".into(), detail: "gone".into() });
        };
        self.reads = left;
        self.inner.read(core, address, buffer)
    }
}

#[test]
fn a_broken_port_is_no_torn_core() {
    let (image, _) = core_with_program(&wormhole(), 3);
    let mut whole = Breaking { inner: port(&[image]), reads: usize::MAX };
    let mut reader = Reader::open(&mut whole).unwrap();
    for reads in 0..3 {
        let mut broken = Breaking { inner: whole.inner.clone(), reads };
        assert_eq!(reader.sample(&mut broken).unwrap_err().to_string(), "made: gone");
        assert_eq!(Reader::open(&mut broken).unwrap_err().to_string(), "made: gone");
    }
    assert_eq!(reader.sample(&mut whole).unwrap().0[0].state, CoreState::Finished);
}
