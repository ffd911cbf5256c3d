//! The buffers that lived when TT-Metal refused something, for explanations of a log after the process ended.

use ttmem_merge::words::{at_caller, origin_name, with_tensor};
use ttmem_segment::{Chip, EventKind, Segment};

use super::replay::{LiveSet, Replay, name};
use crate::explain::{LiveBuffer, LiveChip, Refused};

/// The buffers of each chip at every moment at which TT-Metal refused an allocation or a program. Where it refused
/// nothing that the agent saw, at the last allocation. `process` is the name of the process for people, and `index_of`
/// gives the host's index of a chip by its unique id.
#[must_use]
pub fn past_buffers(
    segment: &Segment,
    process: &str,
    index_of: &dyn Fn(u64) -> Option<u32>,
) -> Vec<LiveChip> {
    let name = |chip: &Chip| match chip.unique_id.and_then(index_of) {
        Some(index) => format!("chip {index} ({process})"),
        None => format!("TT-Metal device {} ({process})", chip.device),
    };
    let replay = Replay::new(segment);
    let mut past: Vec<LiveChip> = Vec::new();
    for moment in moments(segment) {
        let Some(living) = replay.after(moment.event) else { continue };
        for chip in chips(&replay, &living, &moment, &name) {
            let is_known = |other: &LiveChip| {
                (&other.name, &other.buffers, &other.refused)
                    == (&chip.name, &chip.buffers, &chip.refused)
            };
            if !past.iter().any(is_known) {
                past.push(chip);
            }
        }
    }
    past
}

/// A moment at which a message may have been written.
struct Moment {
    /// Sequence number of the newest event.
    event: u64,
    /// Monotonic nanoseconds.
    time: u64,
    /// The program that was refused, if its addresses are known.
    refused: Option<Vec<Refused>>,
}

/// Returns the moments of refusals, in any order; without one, that of the last allocation.
fn moments(segment: &Segment) -> Vec<Moment> {
    let refusals = &segment.programs.refusals;
    let of_programs = refusals.iter().map(|refusal| Moment {
        event: refusal.event,
        time: refusal.time,
        refused: Refused::of([refusal]),
    });
    // Beside a failed allocation no program was refused, if the refused ones are known.
    let none = Refused::of(refusals).map(|_| Vec::new());
    let of_allocations = segment.failures.iter().map(|failure| Moment {
        event: failure.event,
        time: failure.time,
        refused: none.clone(),
    });
    let mut moments: Vec<Moment> = of_programs.chain(of_allocations).collect();
    if moments.is_empty() {
        let is_allocation = |event: &&ttmem_segment::Event| event.kind == EventKind::Allocate;
        let last = segment.events.iter().rfind(is_allocation);
        moments.extend(last.map(|event| Moment {
            event: event.sequence,
            time: event.time,
            refused: None,
        }));
    }
    moments
}

fn chips(
    replay: &Replay<'_>,
    living: &LiveSet<'_>,
    moment: &Moment,
    name_of: &dyn Fn(&Chip) -> String,
) -> Vec<LiveChip> {
    let segment = replay.segment;
    let on_chip = |chip: usize| {
        let is_there = move |index: u8| {
            replay.allocator(index).is_none_or(|allocator| {
                allocator.chips.contains(&chip) || allocator.chips.is_empty()
            })
        };
        living.iter().filter(move |live| is_there(live.allocator)).map(|live| {
            let origin = origin_name(live.origin);
            let op = name(live.op).map(|op| format!(" of {op}")).unwrap_or_default();
            let age = live.allocated.map(|(since, _)| {
                let micros = moment.time.saturating_sub(since) / 1000;
                format!(", {}.{:02} s old", micros / 1_000_000, micros % 1_000_000 / 10_000)
            });
            LiveBuffer {
                address: live.address,
                bytes: live.footprint.bytes_per_bank,
                kind: live.footprint.kind.into(),
                label: format!(
                    "{origin}{op}{}{}{}",
                    with_tensor(live.shape),
                    at_caller(live.stack),
                    age.unwrap_or_default()
                ),
            }
        })
    };
    let chips = segment.chips.iter().enumerate();
    chips
        .map(|(index, chip)| LiveChip {
            name: name_of(chip),
            buffers: on_chip(index).collect(),
            refused: moment.refused.clone(),
        })
        .filter(|chip| !chip.buffers.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, NewProgram, Segment as Fake};
    use ttmem_segment::{AllocatorKind, CoreRange, PartKind, Reader, RefusalKind};

    use super::*;
    use crate::explain::{LiveMap, explain_with};

    fn past(fake: &Fake) -> LiveMap {
        let segment = Reader::parse(&fake.image()).unwrap();
        LiveMap { chips: past_buffers(&segment, "process 7, ended", &|_| None) }
    }

    const LOG: &str = "Statically allocated dataflow buffers in program 1 clash with L1 buffers on core range \
                       [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 155648 and static dataflow buffer region ends at \
                       240000";

    /// A process whose buffer begins at 155,648, and whose program ends at 240,000.
    fn softmax_below_a_cache() -> Fake {
        const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
        let softmax =
            NewProgram::new("Softmax").place(PartKind::DataflowBuffer, 105_824, 134_176, WHOLE);
        let bytes = 1_499_136 - 32_768 - 155_648;
        let buffer = NewBuffer::new(AllocatorKind::L1, bytes, "KvCache");
        Fake::wormhole(7, 70, 5).program(&softmax).allocate(buffer)
    }

    #[test]
    fn the_culprit_is_found_after_the_process_ended_with_and_without_a_recorded_refusal() {
        let fake = softmax_below_a_cache();
        let refused = fake.clone().refuse(0, RefusalKind::Clash, 0).close();
        for fake in [refused, fake.close()] {
            let explanations = explain_with(LOG, &past(&fake));
            let [explanation] = explanations.as_slice() else { panic!("{explanations:?}") };
            let [blocker] = explanation.blockers.as_slice() else { panic!("{explanation:?}") };
            assert!(blocker.label.starts_with("tensor of KvCache"), "{}", blocker.label);
            assert_eq!(blocker.chip, "TT-Metal device 0 (process 7, ended)");
        }
    }

    #[test]
    fn a_chip_that_the_host_knows_has_its_index() {
        let segment = Reader::parse(&softmax_below_a_cache().image()).unwrap();
        let names = |index_of: &dyn Fn(u64) -> Option<u32>| {
            let chips = past_buffers(&segment, "process 7", index_of);
            chips.into_iter().map(|chip| chip.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&|id| (id == 5).then_some(3)), ["chip 3 (process 7)"]);
        assert_eq!(names(&|_| None), ["TT-Metal device 0 (process 7)"]);
    }

    #[test]
    fn a_process_that_was_refused_another_program_is_not_named() {
        let past = past(&softmax_below_a_cache().refuse(0, RefusalKind::Clash, 0).close());
        let other = LOG.replace("240000", "714080");
        let explanations = explain_with(&other, &past);
        let [explanation] = explanations.as_slice() else { panic!("{explanations:?}") };
        assert_eq!(explanation.blockers, []);
    }
}
