//! Recorded facts are merged again: with today's rules, whatever the recorded snapshots say.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use ttmem_analysis::replay;
use ttmem_fake as fake;
use ttmem_fake::NOW;
use ttmem_model::facts::Facts;
use ttmem_model::{Reading, Snapshot, SourceName, Timestamp};
use ttmem_recording::{Contents, Encoded, Encoder, Header, Limits, Recording};
use ttmem_root::{Clock, Root, Tree};
use ttmem_sources::demo::Busy;
use ttmem_sources::source::l1::L1Request;
use ttmem_sources::{Collector, L1Look};

/// One block to two moments, and one in three begins with all facts.
const LIMITS: Limits = Limits { moments: 2, span_us: u64::MAX, bytes: 1 << 20, facts_every: 3 };

/// Two samples of a host, a second apart.
fn looks(trees: [Tree; 2]) -> Vec<L1Look> {
    let mut previous: Option<Arc<Facts>> = None;
    let look = |(second, tree)| {
        let clock = Clock::Fixed(Timestamp(NOW.0 + second * 1_000_000));
        let collector = Collector::new(Root::memory(tree)).with_clock(clock);
        let facts = Arc::new(collector.with_programs().facts());
        let before = previous.replace(Arc::clone(&facts));
        L1Look::of(facts, before.as_deref())
    };
    (0_u64..).zip(trees).map(look).collect()
}

fn blocks(looks: &[L1Look], limits: Limits) -> Vec<Encoded> {
    let mut encoder = Encoder::new(limits);
    let mut blocks: Vec<Encoded> = looks
        .iter()
        .filter_map(|look| encoder.push_merged(&look.snapshot, look.facts.clone()).unwrap())
        .collect();
    blocks.extend(encoder.flush());
    blocks
}

fn recording<'a>(blocks: impl IntoIterator<Item = &'a Encoded>) -> Recording<Vec<u8>> {
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    for block in blocks {
        contents.add(block);
        bytes.extend_from_slice(&block.bytes);
    }
    bytes.extend(contents.end());
    Recording::open(bytes).unwrap()
}

fn replayed(recording: &mut Recording<Vec<u8>>) -> Vec<Snapshot> {
    let numbers = 0..recording.len();
    let mut moment = |number| recording.moment(number).unwrap().unwrap();
    numbers.map(|number| replay::snapshot(&moment(number)).unwrap()).collect()
}

/// What a merge that doubles the DRAM in use would have recorded.
fn wrong(look: &L1Look) -> L1Look {
    let mut look = look.clone();
    for chip in &mut look.snapshot.chips {
        let used = &mut chip.memory.dram.used;
        *used = used.clone().map(|bytes| bytes * 2 + 1);
    }
    look.snapshot.findings.clear();
    look
}

#[test]
fn every_host_is_merged_to_what_it_was_in_any_order() {
    let mut all = Vec::new();
    let hosts = || fake::healthy().into_iter().chain(fake::variants());
    for ((name, first), (_, second)) in hosts().zip(hosts()) {
        all.extend(looks([first, second]).into_iter().map(|look| (name, look)));
    }
    let looks: Vec<L1Look> = all.iter().map(|(_, look)| look.clone()).collect();
    let mut recording = recording(&blocks(&looks, LIMITS));
    let numbers = 0..recording.len();
    for number in numbers.clone().rev().chain(numbers) {
        let (name, look) = &all[usize::try_from(number).unwrap()];
        let moment = recording.moment(number).unwrap().unwrap();
        // The first of each host has the last of another one before it.
        if number % 2 == 1 {
            let merged = replay::merged(&moment).unwrap();
            assert!(merged == look.snapshot, "{name}: {merged:#?}\n{:#?}", look.snapshot);
        }
        assert_eq!(moment.snapshot().as_ref(), Ok(&look.snapshot), "{name}");
    }
}

#[test]
fn facts_of_l1_and_of_agents_are_merged_to_what_they_were() {
    let request = L1Request { devices: true, ..L1Request::default() };
    let mut collector = Collector::demo().with_l1(request).unwrap().with_programs();
    let looks: Vec<L1Look> = (0..4).map(|_| collector.look()).collect();
    let [look, ..] = &looks[..] else { panic!() };
    assert!(!look.read().is_empty());
    let mut recording = recording(&blocks(&looks, LIMITS));
    for (replayed, look) in replayed(&mut recording).iter().zip(&looks) {
        assert_eq!(replayed, &look.snapshot);
    }
}

#[test]
fn what_a_wrong_rule_recorded_is_replayed_right() {
    let mut busy = Busy::galaxy();
    let right: Vec<L1Look> = (0..9).map(|_| busy.look(1_000_000)).collect();
    let recorded: Vec<L1Look> = right.iter().map(wrong).collect();
    let mut with_facts = recording(&blocks(&recorded, LIMITS));
    for (replayed, right) in replayed(&mut with_facts).iter().zip(&right) {
        assert!(replayed == &right.snapshot);
    }
    let without = |look: &L1Look| L1Look { facts: None, ..look.clone() };
    let without: Vec<L1Look> = recorded.iter().map(without).collect();
    let mut without_facts = recording(&blocks(&without, LIMITS));
    for (replayed, wrong) in replayed(&mut without_facts).iter().zip(&recorded) {
        assert!(replayed == &wrong.snapshot, "there is nothing else");
    }
}

#[test]
fn moments_without_facts_are_shown_as_they_were_recorded() {
    let mut busy = Busy::galaxy();
    let right: Vec<L1Look> = (0..9).map(|_| busy.look(1_000_000)).collect();
    // A server has no facts: it was there at first, in between, and at the end.
    let has_facts = |number: usize| !matches!(number, 0 | 3 | 8);
    let recorded: Vec<L1Look> = (0..)
        .zip(&right)
        .map(|(number, look)| match has_facts(number) {
            true => wrong(look),
            false => L1Look { facts: None, ..wrong(look) },
        })
        .collect();
    let mut recording = recording(&blocks(&recorded, LIMITS));
    for (number, replayed) in replayed(&mut recording).iter().enumerate() {
        let rates = |snapshot: &Snapshot| snapshot.chips[0].memory.dram.clone();
        let expected = if has_facts(number) { &right[number] } else { &recorded[number] };
        assert_eq!(rates(replayed), rates(&expected.snapshot), "{number}");
    }
}

#[test]
fn behind_a_lost_block_facts_are_read_from_the_next_whole_ones() {
    let mut busy = Busy::galaxy();
    let right: Vec<L1Look> = (0..12).map(|_| busy.look(1_000_000)).collect();
    let recorded: Vec<L1Look> = right.iter().map(wrong).collect();
    let blocks = blocks(&recorded, LIMITS);
    assert_eq!(blocks.len(), 6);
    // The second of six: the third continues it, the fourth has facts of its own.
    let left = blocks.iter().enumerate().filter(|(number, _)| *number != 1);
    let mut recording = recording(left.map(|(_, block)| block));
    let replayed = replayed(&mut recording);
    let kept = |number: usize| if number < 2 { number } else { number + 2 };
    for (number, replayed) in replayed.iter().enumerate() {
        let is_lost = (2..4).contains(&number);
        let expected = if is_lost { &recorded } else { &right };
        assert!(replayed == &expected[kept(number)].snapshot, "{number}");
    }
}

#[test]
fn one_block_in_many_has_all_facts() {
    let mut busy = Busy::galaxy();
    let looks: Vec<L1Look> = (0..24).map(|_| busy.look(1_000_000)).collect();
    let bytes = |facts_every| -> usize {
        let blocks = blocks(&looks, Limits { facts_every, ..LIMITS });
        blocks.iter().map(|block| block.bytes.len()).sum()
    };
    assert!(bytes(12) * 10 < bytes(1) * 9, "{} {}", bytes(12), bytes(1));
}

/// Every number of the facts is replaced by an extreme one, some at a time, and merged: none may end the program.
#[test]
fn facts_that_cannot_be_are_merged_all_the_same() {
    const EXTREMES: [u64; 6] = [0, 1, u32::MAX as u64, i64::MAX as u64, u64::MAX - 1, u64::MAX];
    let request = L1Request { devices: true, ..L1Request::default() };
    let demo = Collector::demo().with_l1(request).unwrap().with_programs().facts();
    let hosts = fake::variants().into_iter();
    let hosts = hosts.map(|(_, tree)| Collector::new(Root::memory(tree)).with_programs().facts());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut merged = 0;
    for facts in [demo].into_iter().chain(hosts) {
        let whole = serde_json::to_value(&facts).unwrap();
        for one_in in [3, 20, 20, 200] {
            let mut value = whole.clone();
            change(&mut value, &mut |number| {
                if random(one_in) == 0 {
                    let index = usize::try_from(random(EXTREMES.len() as u64)).unwrap();
                    *number = EXTREMES[index].into();
                }
            });
            // A number beyond the range of its type is refused before merging.
            let Ok(changed) = serde_json::from_value::<Facts>(value) else { continue };
            drop(L1Look::of(Arc::new(changed), Some(&facts)));
            merged += 1;
        }
    }
    assert!(merged > 20, "{merged}");
}

fn change(value: &mut serde_json::Value, with: &mut impl FnMut(&mut serde_json::Value)) {
    match value {
        serde_json::Value::Number(number) if number.is_u64() => with(value),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| change(value, with)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|value| change(value, with)),
        _ => {}
    }
}

#[test]
fn a_rate_is_taken_from_the_facts_before() {
    let mut busy = Busy::galaxy();
    let looks: Vec<L1Look> = (0..6).map(|_| busy.look(1_000_000)).collect();
    let mut recording = recording(&blocks(&looks, LIMITS));
    let replayed = replayed(&mut recording);
    let rate = |snapshot: &Snapshot| {
        snapshot.chips[0].telemetry[&ttmem_model::Metric::PcieHostToDevice].clone()
    };
    assert!(replayed[0].chips[0].telemetry.len() > 3);
    for (replayed, look) in replayed.iter().zip(&looks) {
        assert_eq!(rate(replayed), rate(&look.snapshot));
    }
    assert!(matches!(rate(&replayed[3]), Reading::Known { source: SourceName::Kmd, .. }));
}

/// What the fuzz target `facts` does, with changed bytes of real facts.
#[test]
fn changed_bytes_of_stored_facts_never_end_the_program() {
    let request = L1Request { devices: true, ..L1Request::default() };
    let mut collector = Collector::demo().with_l1(request).unwrap().with_programs();
    let looks: Vec<L1Look> = (0..2).map(|_| collector.look()).collect();
    let facts: Vec<Arc<Facts>> = looks.into_iter().filter_map(|look| look.facts).collect();
    let rows = ttmem_recording::facts_of(&facts);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut read = 0;
    for _ in 0..400 {
        let mut changed = rows.clone();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let offset = usize::try_from(state >> 33).unwrap() % changed.len();
        changed[offset] = state.to_le_bytes()[3];
        let bytes = ttmem_recording::unsealed_facts(&changed);
        let mut recording = Recording::open(bytes).unwrap();
        for number in 0..2 {
            let moment = recording.moment(number).unwrap().unwrap();
            read += u64::from(replay::merged(&moment).is_some());
        }
    }
    assert!(read > 20, "{read}");
}
