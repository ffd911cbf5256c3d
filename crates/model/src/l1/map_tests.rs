//! The map against a byte map that is made the slow way.

use proptest::prelude::*;

use super::*;
use crate::l1::core::{Coordinate, Dispatch, Grid, Kernel, Processor, Program};
use crate::l1::names::{KernelName, KernelNames};
use crate::l1::report::CoreReport;

/// A small L1, so that random ranges meet.
const L1: u64 = 256;
const RING: u64 = 32;
const UNRESERVED: u64 = 64;

fn geometry() -> Geometry {
    let reserved = vec![("mailbox".into(), 8), ("brisc firmware".into(), 20)];
    Geometry { l1_bytes: L1, ring_start: RING, reserved }
}

fn core(program: Option<Program>) -> Core {
    Core {
        noc: Coordinate { x: 1, y: 1 },
        logical: Some(Coordinate { x: 0, y: 0 }),
        grid: Some(Grid { columns: 8, rows: 10 }),
        state: if program.is_some() { CoreState::Finished } else { CoreState::Idle },
        signal: 0,
        dispatch: Dispatch::Fast,
        unreserved: Some(UNRESERVED),
        program,
        detail: None,
        recorded: None,
    }
}

fn circular_buffer(id: u8, address: u64, size: u64) -> CircularBuffer {
    CircularBuffer { id, address, size, pages: 1, page_size: size, config_address: None }
}

fn buffers(ranges: &[(u64, u64)]) -> Buffers {
    let buffer = |(start, end): &(u64, u64)| Buffer {
        range: ByteRange::new(*start, *end),
        label: format!("tensor {start}"),
    };
    Buffers { l1_small_bytes: 16, buffers: ranges.iter().map(buffer).collect() }
}

fn program(kernels: Vec<Kernel>, circular_buffers: Vec<CircularBuffer>) -> Program {
    let end = kernels.iter().filter_map(Kernel::text).map(|text| text.end).max();
    Program {
        id: 1,
        config_start: RING,
        config_end: Some(end.unwrap_or(RING)),
        kernels,
        circular_buffers,
        unread_remote: Vec::new(),
    }
}

/// The kind of each byte, by the rules of the design and nothing else.
fn byte_map(core: &Core, buffers: &Buffers) -> Vec<RegionKind> {
    use RegionKind as K;
    let program = core.program.as_ref();
    let within = |byte: u64, range: ByteRange| range.start <= byte && byte < range.end;
    let kind = |byte: u64| {
        let tensors = || buffers.buffers.iter().filter(|buffer| within(byte, buffer.range));
        let small = ByteRange::new(L1 - buffers.l1_small_bytes, L1);
        let text = |kernel: &Kernel| kernel.text().is_some_and(|text| within(byte, text));
        if program.is_some_and(|p| p.circular_buffers.iter().any(|cb| within(byte, cb.range()))) {
            K::CircularBuffers
        } else if tensors().any(|buffer| !small.contains(buffer.range)) {
            K::L1
        } else if within(byte, small) {
            K::L1Small
        } else if program.is_some_and(|p| p.kernels.iter().any(text)) {
            K::Kernels
        } else if byte < RING {
            K::Reserved
        } else if byte >= UNRESERVED {
            K::Free
        } else if program.is_some_and(|p| p.config_start <= byte && Some(byte) < p.config_end) {
            K::KernelConfig
        } else {
            K::KernelConfigFree
        }
    };
    (0..L1).map(kind).collect()
}

fn any_program() -> impl Strategy<Value = Option<Program>> {
    let kernel =
        (0..5_usize, RING..UNRESERVED, 0..16_u64).prop_map(|(index, start, bytes)| Kernel {
            processor: Processor::ALL[index],
            id: 7,
            text_start: start,
            text_bytes: Some(bytes.min(UNRESERVED - start)),
        });
    let buffer = (0..64_u8, UNRESERVED..L1, 0..80_u64)
        .prop_map(|(id, address, size)| circular_buffer(id, address, size.min(L1 - address)));
    let kernels = proptest::collection::vec(kernel, 0..6);
    let circular_buffers = proptest::collection::vec(buffer, 0..8);
    proptest::option::of(
        (kernels, circular_buffers)
            .prop_map(|(kernels, circular_buffers)| program(kernels, circular_buffers)),
    )
}

fn any_buffers() -> impl Strategy<Value = Buffers> {
    proptest::collection::vec((UNRESERVED..L1, 0..40_u64), 0..6).prop_map(|ranges| {
        let ranges: Vec<_> =
            ranges.into_iter().map(|(start, bytes)| (start, (start + bytes).min(L1))).collect();
        buffers(&ranges)
    })
}

fn assert_covers(map: &L1Map) {
    let mut next = 0;
    for region in map.regions() {
        assert_eq!(region.range.start, next, "{map:?}");
        assert!(!region.range.is_empty(), "{map:?}");
        next = region.range.end;
    }
    assert_eq!(next, L1);
}

proptest! {
    #[test]
    fn regions_cover_the_core_exactly_and_agree_with_a_byte_map(
        program in any_program(), buffers in any_buffers()
    ) {
        let core = core(program);
        let map = L1Map::new(&core, &geometry(), Some(&buffers));
        assert_covers(&map);
        let bytes = byte_map(&core, &buffers);
        for region in map.regions() {
            for byte in region.range.start..region.range.end {
                prop_assert_eq!(region.kind, bytes[usize::try_from(byte).unwrap()], "byte {}", byte);
            }
        }
        let count = |rule: &dyn Fn(RegionKind) -> bool| {
            u64::try_from(bytes.iter().filter(|kind| rule(**kind)).count()).unwrap()
        };
        prop_assert_eq!(map.used_bytes(), &Count::Known(count(&|kind| kind != RegionKind::Free)));
        let circular_buffers = count(&|kind| kind == RegionKind::CircularBuffers);
        prop_assert_eq!(core.circular_buffer_bytes(), Count::Known(circular_buffers));
        let shared = |region: &&L1Region| region.shared_with.is_some();
        let shared: u64 = map.regions().iter().filter(shared).map(|region| region.range.bytes()).sum();
        prop_assert_eq!(map.aliasing_bytes(), &Count::Known(shared));
    }

    /// Circular buffers grow from below, and none that is not a tensor begins in `l1_small`.
    #[test]
    fn a_report_has_the_headroom_of_its_map(program in any_program(), buffers in any_buffers()) {
        let mut core = core(program);
        if let Some(program) = &mut core.program {
            let fits = |buffer: &CircularBuffer| buffer.size > 0 && buffer.range().end <= L1 - 16;
            program.circular_buffers.retain(fits);
        }
        let known = Some(buffers).filter(|buffers| buffers.ranges().bytes() > 0);
        let map = L1Map::new(&core, &geometry(), known.as_ref());
        let report = CoreReport::new(&core, &map, &KernelNames::default());
        prop_assert_eq!(report.headroom().ok(), map.headroom().ok());
        prop_assert_eq!(report.l1_bytes(), L1);
        prop_assert_eq!(report.bytes(RegionKind::Kernels), map.bytes(RegionKind::Kernels));
    }

    #[test]
    fn ranges_that_no_decoder_lets_pass_still_give_a_map(
        address in any::<u64>(), size in any::<u64>(), start in any::<u64>(), end in any::<u64>(),
        unreserved in proptest::option::of(any::<u64>())
    ) {
        let mut core = core(Some(program(Vec::new(), vec![circular_buffer(0, address, size)])));
        core.unreserved = unreserved;
        let map = L1Map::new(&core, &geometry(), Some(&buffers(&[(start, end)])));
        assert_covers(&map);
    }
}

#[test]
fn two_circular_buffers_at_one_address_are_one_range() {
    let core = core(Some(program(
        Vec::new(),
        vec![circular_buffer(2, 64, 32), circular_buffer(3, 64, 32), circular_buffer(4, 96, 8)],
    )));
    let map = L1Map::new(&core, &geometry(), Some(&buffers(&[])));
    assert_eq!(core.circular_buffer_bytes(), Count::Known(40));
    let labels: Vec<_> = map
        .regions()
        .iter()
        .filter(|region| region.kind == RegionKind::CircularBuffers)
        .map(|region| (region.range, region.label.as_str()))
        .collect();
    assert_eq!(labels, [(ByteRange::new(64, 96), "2, 3"), (ByteRange::new(96, 104), "4")]);
}

#[test]
fn a_circular_buffer_that_is_a_tensor_counts_once_and_is_named() {
    let core = core(Some(program(Vec::new(), vec![circular_buffer(0, 128, 32)])));
    let map = L1Map::new(&core, &geometry(), Some(&buffers(&[(128, 160)])));
    assert_eq!(map.aliasing_bytes(), &Count::Known(32));
    assert_eq!(map.used_bytes(), &Count::Known(UNRESERVED + 32 + 16));
    let region = map.regions().iter().find(|region| region.range.start == 128).unwrap();
    assert_eq!(
        (region.kind, region.shared_with),
        (RegionKind::CircularBuffers, Some(RegionKind::L1))
    );
    assert_eq!(map.headroom(), Ok(i64::try_from(128 - UNRESERVED).unwrap()));
}

#[test]
fn headroom_is_negative_where_buffers_clash() {
    let core = core(Some(program(Vec::new(), vec![circular_buffer(0, 64, 80)])));
    let headroom = |ranges| L1Map::new(&core, &geometry(), Some(&buffers(ranges))).headroom().ok();
    assert_eq!(headroom(&[(160, 200)]), Some(16));
    assert_eq!(headroom(&[(140, 200)]), Some(-4));
    assert_eq!(headroom(&[]), Some(i64::try_from(L1 - 16 - 144).unwrap()));
}

#[test]
fn nothing_is_called_free_where_buffers_are_not_known() {
    let map = L1Map::new(&core(None), &geometry(), None);
    assert_covers(&map);
    assert_eq!(map.bytes(RegionKind::Free), 0);
    assert_eq!(map.bytes(RegionKind::Unknown), L1 - UNRESERVED);
    assert_eq!(map.used_bytes().value(), None);
    assert_eq!(map.aliasing_bytes(), &Count::Known(0), "it has no circular buffer");
    assert!(map.headroom().is_err());
}

#[test]
fn of_a_core_that_is_no_bank_what_is_known_to_be_used_counts() {
    let core = core(Some(program(Vec::new(), vec![circular_buffer(0, 64, 80)])));
    let map = L1Map::outside_banks(&core, &geometry());
    assert_covers(&map);
    assert_eq!(map.used_bytes(), &Count::Known(UNRESERVED + 80));
    assert_eq!(map.aliasing_bytes(), &Count::Known(0));
    assert_eq!(map.bytes(RegionKind::Free), 0);
    let report = CoreReport::new(&core, &map, &KernelNames::default());
    assert!(report.headroom_bytes.is_none() && report.headroom().is_err());
}

#[test]
fn numbers_that_the_watcher_took_away_are_not_known() {
    let name = KernelName { name: "reader".to_owned(), source: String::new() };
    let names = KernelNames { by_id: [(0, name.clone()), (7, name)].into() };
    let report = |program_id, kernel_id| {
        let processor = Processor::Brisc;
        let kernel = Kernel { processor, id: kernel_id, text_start: RING, text_bytes: Some(16) };
        let core = core(Some(Program { id: program_id, ..program(vec![kernel], Vec::new()) }));
        let map = L1Map::new(&core, &geometry(), None);
        let report = CoreReport::new(&core, &map, &names);
        let kernel = &report.kernels[0];
        (report.program, kernel.id, kernel.name.is_some(), kernel.text_bytes)
    };
    assert_eq!(report(0, 0), (None, None, false, Some(16)));
    assert_eq!(report(5, 0), (Some(5), None, false, Some(16)));
    assert_eq!(report(0, 7), (Some(0), Some(7), true, Some(16)), "TT-Metal's own");
}

#[test]
fn a_torn_core_has_a_map_without_claims() {
    let mut core = core(None);
    core.state = CoreState::Torn;
    core.detail = Some("read pointer 9".to_owned());
    let map = L1Map::new(&core, &geometry(), Some(&buffers(&[(128, 160)])));
    assert_covers(&map);
    assert_eq!(map.bytes(RegionKind::L1), 32);
    assert_eq!(map.bytes(RegionKind::Free), 0);
    assert_eq!(core.circular_buffer_bytes(), Count::Missing(Missing::failed("read pointer 9")));
}

#[test]
fn the_names_of_what_is_reserved_are_kept() {
    let map = L1Map::new(&core(None), &geometry(), None);
    let labels: Vec<_> = map
        .regions()
        .iter()
        .filter(|region| region.kind == RegionKind::Reserved)
        .map(|region| (region.range.start, region.label.as_str()))
        .collect();
    assert_eq!(labels, [(0, ""), (8, "mailbox"), (20, "brisc firmware")]);
}
