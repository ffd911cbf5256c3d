//! A made-up host under load: shown by `--demo` in the live view, and used by tests that run for a while.
//!
//! The facts of a static host are changed a little with time and merged again, so that all values agree with each
//! other. A given time always yields the same host.

mod segment;

use std::sync::Arc;

use ttmem_analysis::run_report::{ProcessOps, l1_by_op};
use ttmem_merge::buffers;
use ttmem_model::buffers::BufferList;
use ttmem_model::facts::{Facts, Field, RegionBytes, RegionContent};
use ttmem_model::{Metric, Snapshot, Timestamp};
use ttmem_sources::source::agent::Depth;
use ttmem_sources::{Collector, L1Look};

use super::history::Moment;
use super::number::bytes;

/// A made-up host under load.
#[derive(Debug)]
pub struct Work {
    still: Facts,
    before: Option<Arc<Facts>>,
}

impl Work {
    /// Creates a host under load from a collector.
    #[must_use]
    pub fn new(mut collector: Collector) -> Self {
        Self { still: collector.facts_at(Depth::Full), before: None }
    }

    /// The time of the static host.
    #[must_use]
    pub fn begin(&self) -> Moment {
        Moment(self.still.time.0)
    }

    /// Returns the snapshot at a time.
    pub fn at(&mut self, moment: Moment) -> Snapshot {
        self.look(moment).snapshot
    }

    /// Returns the snapshot at a time, with the cores of every chip whose L1 was requested.
    pub fn look(&mut self, moment: Moment) -> L1Look {
        let facts = Arc::new(self.facts_at(moment));
        let before = self.before.replace(Arc::clone(&facts));
        L1Look::of(facts, before.as_deref())
    }

    /// Returns the buffers of its processes at a time.
    #[must_use]
    pub(crate) fn buffers_at(&self, moment: Moment) -> BufferList {
        buffers(&self.facts_at(moment))
    }

    /// Returns L1 by op of its processes at a time.
    #[must_use]
    pub(crate) fn ops_at(&self, moment: Moment) -> Vec<ProcessOps> {
        l1_by_op(&self.facts_at(moment))
    }

    fn facts_at(&self, moment: Moment) -> Facts {
        let seconds = moment.since(self.begin()) as f64 / 1e6;
        let mut facts = self.still.clone();
        facts.time = Timestamp(moment.0);
        for device in &mut facts.devices {
            device.read_at = facts.time;
            let shift = f64::from(device.number) * 1.7;
            let is_busy = device.holders.as_ref().is_ok_and(|holders| !holders.pids.is_empty());
            if is_busy {
                work_of_device(device, seconds, shift);
            }
        }
        for file in &mut facts.segments {
            file.read_at = facts.time;
            if let Ok(content) = &mut file.content {
                segment::work(content, seconds);
            }
        }
        for (index, region) in (0_u32..).zip(&mut facts.regions) {
            region.read_at = facts.time;
            if let Ok(content) = &mut region.content {
                work_of_region(content, seconds, f64::from(index) * 1.7);
                segment::repeat(content, &facts.segments);
            }
        }
        for (pid, process) in &mut facts.processes {
            // Some processes are busier than others.
            let cores = 0.4 + f64::from(pid.0 % 7) * 0.35;
            let time = seconds * cores * 1e6 + (1.0 + wave(seconds, 11.0)) * cores * 2e5;
            add(&mut process.cpu_time_us, bytes(time));
        }
        facts
    }
}

fn work_of_device(device: &mut ttmem_model::facts::Device, seconds: f64, shift: f64) {
    let work = load(seconds + shift);
    let mut change = |metric: Metric, by: f64| {
        if let Some(Ok(value)) = device.telemetry.get_mut(&metric) {
            *value = (*value + by).round();
        }
    };
    change(Metric::Power, 14.0 * work - 6.0);
    change(Metric::Current, 16.0 * work - 7.0);
    change(Metric::AsicTemperature, 3.0 * wave(seconds + shift, 47.0) + 2.0 * work - 1.0);
    change(Metric::Heartbeat, (seconds * 10.0).floor());
    for (words, rate) in
        [(&mut device.pcie_words.host_to_device, 6e6), (&mut device.pcie_words.device_to_host, 9e5)]
    {
        if let Ok([first, _]) = words {
            // The counters of the driver wrap, and so may these.
            let moved = bytes(seconds * rate + wave(seconds + shift, 9.0) * rate) & 0xFFFF_FFFF;
            *first = first.wrapping_add(u32::try_from(moved).unwrap_or(0));
        }
    }
}

/// Changes the memory of the processes of a region: a cache that fills up and starts over, and transient operations.
fn work_of_region(content: &mut RegionContent, seconds: f64, shift: f64) {
    /// Seconds until the cache is full.
    const FILL_SECONDS: f64 = 75.0;
    let filled = ((seconds + shift * 20.0) % FILL_SECONDS) / FILL_SECONDS;
    let phase = load(seconds + shift);
    for slot in &mut content.slots {
        let of = |part: u64, share: f64| bytes(part as f64 * share) & !0x1FFF;
        let held = slot.bytes;
        // Stale memory does not change: its process has ended.
        if slot.updated_ns + 3_600_000_000_000 > content.updated_ns {
            slot.bytes.dram = of(held.dram, 0.84 + 0.16 * filled);
            slot.bytes.l1 = of(held.l1, 0.35 + 0.65 * phase);
            slot.bytes.circular_buffers = held.circular_buffers;
        }
    }
    add_up(content);
}

/// Sets a region's totals to the sums of its slots.
fn add_up(content: &mut RegionContent) {
    let mut totals = RegionBytes::default();
    for slot in &content.slots {
        totals.dram += slot.bytes.dram;
        totals.l1 += slot.bytes.l1;
        totals.l1_small += slot.bytes.l1_small;
        totals.trace += slot.bytes.trace;
        totals.circular_buffers += slot.bytes.circular_buffers;
    }
    content.totals = totals;
}

/// Returns a value between 0 and 1 that follows the phases of a model.
fn load(seconds: f64) -> f64 {
    let slow = wave(seconds, 23.0);
    let fast = wave(seconds, 3.1);
    (0.55 + 0.35 * slow + 0.1 * fast).clamp(0.0, 1.0)
}

/// A sine of this period, as the sum of its series, so that no maths library is loaded.
fn wave(seconds: f64, period: f64) -> f64 {
    let turns = seconds / period;
    let phase = turns - turns.round();
    let quarter = if phase.abs() > 0.25 { phase.signum() * 0.5 - phase } else { phase };
    let angle = quarter * std::f64::consts::TAU;
    let (mut sum, mut term) = (angle, angle);
    for step in 1..=9 {
        let double = f64::from(2 * step);
        term *= -angle * angle / (double * (double + 1.0));
        sum += term;
    }
    sum
}

fn add(field: &mut Field<u64>, amount: u64) {
    if let Ok(value) = field {
        *value = value.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use ttmem_fake::{Host, NOW};
    use ttmem_root::{Clock, Root};

    use super::*;

    fn galaxy() -> Work {
        let root = Root::memory(Host::galaxy().into_tree());
        Work::new(Collector::new(root).with_clock(Clock::Fixed(NOW)))
    }

    #[test]
    fn a_wave_is_a_sine() {
        for step in 0..500 {
            let seconds = f64::from(step) / 100.0;
            let sine = (seconds / 3.1 * std::f64::consts::TAU).sin();
            assert!((wave(seconds, 3.1) - sine).abs() < 1e-13, "{seconds}");
        }
    }

    #[test]
    fn the_same_moment_gives_the_same_host() {
        let at = |work: &mut Work, second: u64| work.at(Moment(NOW.0 + second * 1_000_000));
        let (mut one, mut other) = (galaxy(), galaxy());
        assert_eq!(at(&mut one, 7), at(&mut other, 7));
        assert_ne!(at(&mut one, 9).chips, at(&mut other, 12).chips);
    }

    #[test]
    fn a_host_at_work_is_as_sound_as_a_still_one() {
        for (mut work, findings) in [(galaxy(), 0), (Work::new(Collector::demo()), 1)] {
            let begin = work.begin();
            for second in 0..200_u64 {
                let snapshot = work.at(Moment(begin.0 + second * 1_000_000));
                assert_eq!(snapshot.findings.len(), findings, "{:?}", snapshot.findings);
                for chip in &snapshot.chips {
                    let used = chip.memory.dram.used.value();
                    assert!(used <= chip.memory.dram.capacity.value(), "{used:?}");
                }
            }
        }
    }
    #[test]
    fn what_its_agent_says_fits_together_at_every_moment() {
        let work = Work::new(Collector::demo());
        let mut counts = std::collections::BTreeSet::new();
        for second in 0..200_u64 {
            let list = work.buffers_at(Moment(work.begin().0 + second * 1_000_000));
            counts.insert(list.buffers.len());
            for kind in list.allocators.iter().flat_map(|allocator| &allocator.kinds) {
                let bank = kind.bank.as_ref().unwrap();
                let free = |blocks: &[ttmem_model::buffers::Block]| {
                    blocks.iter().map(|block| block.bytes).sum::<u64>()
                };
                assert_eq!(Some(free(&bank.free)), kind.free_per_bank, "{kind:?}");
                let largest = bank.free.iter().map(|block| block.bytes).max().unwrap_or(0);
                assert_eq!(Some(largest), kind.largest_free, "{kind:?}");
            }
        }
        assert!(counts.len() > 5, "{counts:?}");
    }
}
