//! What a snapshot says of L1, from facts that were changed: torn cores, missing names, simulated chips with a region.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use ttmem_collect::fake::{Host, NOW, Process, Region};
use ttmem_collect::merge::merge;
use ttmem_collect::{Clock, Collector, L1Request, Root};
use ttmem_model::facts::{Facts, L1Facts, L1Place, RegionBytes};
use ttmem_model::l1::{CoreState, KernelNames};
use ttmem_model::snapshot::{ChipMemory, IdSource, JoinedBy};
use ttmem_model::{Missing, MissingReason, Pid, Quality, Reading};

const DISPATCH: &str = "wormhole-fast-dispatch/matmul";

fn facts(capture: &str) -> Facts {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(capture);
    Collector::capture(&directory, L1Request::default()).unwrap().facts()
}

fn memory(facts: &Facts) -> ChipMemory {
    merge(facts, None).chips.pop().unwrap().memory
}

fn content(facts: &mut Facts) -> &mut ttmem_model::facts::L1Content {
    facts.l1[0].content.as_mut().unwrap()
}

fn reason(reading: &Reading<u64>) -> (MissingReason, &str) {
    let missing = reading.missing().unwrap();
    (missing.reason, &missing.detail)
}

#[test]
fn one_torn_core_makes_every_sum_unknown_and_says_what_the_others_have() {
    let mut facts = facts(DISPATCH);
    let core = &mut content(&mut facts).cores[0];
    core.state = CoreState::Torn;
    core.program = None;
    core.detail = Some("a record cannot be true".to_owned());
    let memory = memory(&facts);
    let (why, detail) = reason(&memory.circular_buffers.used);
    assert_eq!(why, MissingReason::Failed);
    let bytes = 63 * 196_608;
    let expected = format!(
        "1 of 72 cores do not tell; (0, 0): a record cannot be true; the others have {bytes} bytes"
    );
    assert_eq!(detail, expected);
    assert_eq!(reason(&memory.kernels.used).0, MissingReason::Failed);
    assert_eq!(reason(&memory.circular_buffers.running).0, MissingReason::Failed);
    assert_eq!(reason(&memory.l1_total.used).0, MissingReason::Failed);
    // Where free memory begins is known of a torn core as well.
    assert_eq!(memory.reserved.used.value(), Some(&(72 * 105_824)));
}

#[test]
fn without_names_all_kernels_are_inferred_to_be_the_application_s() {
    let mut facts = facts(DISPATCH);
    assert_eq!(memory(&facts).kernels.system.value(), Some(&48_096));
    facts.l1[0].names = Err(Missing::denied("hidden"));
    let kernels = memory(&facts).kernels;
    assert_eq!(kernels.used.value(), Some(&(85_760 + 48_096)));
    assert_eq!(kernels.used.quality(), Some(Quality::Inferred));
    let (why, detail) = reason(&kernels.system);
    assert_eq!(why, MissingReason::Denied);
    assert!(detail.ends_with("kernels apart: hidden"), "{detail}");

    facts.l1[0].names = Ok(KernelNames::default());
    assert_eq!(reason(&memory(&facts).kernels.system).0, MissingReason::NoSource);
}

#[test]
fn a_chip_without_programs_has_zeros_that_need_no_names() {
    let mut facts = facts("wormhole/idle");
    facts.l1[0].names = Err(Missing::no_source("none"));
    let memory = memory(&facts);
    for reading in [
        &memory.circular_buffers.used,
        &memory.circular_buffers.aliasing,
        &memory.kernels.used,
        &memory.kernels.system,
    ] {
        assert_eq!((reading.value(), reading.quality()), (Some(&0), Some(Quality::Exact)));
    }
    assert_eq!(reason(&memory.l1_total.used).0, MissingReason::NoSource);
}

#[test]
fn what_could_not_be_read_is_a_reason_in_every_reading() {
    let mut facts = facts(DISPATCH);
    facts.l1[0].content = Err(Missing::unsupported("unknown TT-Metal layout"));
    let memory = memory(&facts);
    for reading in [&memory.circular_buffers.used, &memory.reserved.used, &memory.l1_total.used] {
        assert_eq!(reason(reading), (MissingReason::Unsupported, "unknown TT-Metal layout"));
    }
}

/// A process that simulates chip 0 and writes its region.
fn simulated(owner: Option<Pid>) -> Facts {
    let bytes = RegionBytes { dram: 4096, ..RegionBytes::default() };
    let region = Region::new(7).device_id(0).slot(4242, "python", bytes);
    let host = Host::new().process(Process::new(4242, "python")).region(region);
    let root = Root::memory(host.into_tree());
    let mut all = Collector::new(root).with_clock(Clock::Fixed(NOW)).facts();
    let read = facts(DISPATCH).l1.remove(0);
    all.l1 = vec![L1Facts { place: L1Place::Simulated { chip: 0, owner }, ..read }];
    all
}

#[test]
fn a_simulated_chip_is_the_one_whose_region_its_process_writes() {
    let snapshot = merge(&simulated(Some(Pid(4242))), None);
    assert_eq!(snapshot.chips.len(), 1);
    let chip = &snapshot.chips[0];
    assert_eq!((chip.id.0, chip.id_source), (7, IdSource::Region));
    assert_eq!(chip.region.as_ref().unwrap().joined_by, JoinedBy::Unmatched);
    assert_eq!(chip.memory.dram.used.value(), Some(&4096));
    assert_eq!(chip.memory.circular_buffers.used.value(), Some(&12_582_912));
}

#[test]
fn a_simulated_chip_of_nobody_known_is_a_chip_of_its_own() {
    for owner in [None, Some(Pid(77))] {
        let snapshot = merge(&simulated(owner), None);
        let sources: Vec<IdSource> = snapshot.chips.iter().map(|chip| chip.id_source).collect();
        assert_eq!(sources, [IdSource::Region, IdSource::Simulator]);
        assert_eq!(snapshot.chips[1].owners.pids, []);
    }
}
