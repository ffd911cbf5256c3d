//! A busy host: every pass gives other numbers, as real telemetry, real processes and a real clock do.

use std::sync::Arc;

use ttmem_model::facts::Facts;
use ttmem_model::{Metric, Pid, Snapshot, Timestamp};

use crate::collector::{Collector, L1Look};
use ttmem_fake::{BYTES, Board, Host, NOW, Process, Region};
use ttmem_root::Root;
use ttmem_root::clock::Clock;

/// The number of busy processes.
const PROCESSES: i32 = 8;
/// The number of chips of each.
const CHIPS_EACH: usize = 4;
/// The pid of the first.
const FIRST_PID: i32 = 7001;

/// A Galaxy of 32 chips and eight processes with four chips each. At every step each process allocates and frees DRAM
/// and L1 on each of its chips, and every chip has other telemetry. The same at every run.
#[derive(Debug)]
pub struct Busy {
    facts: Facts,
    last: Option<Arc<Facts>>,
    state: u64,
    step: u64,
}

impl Busy {
    /// The host before its first step.
    #[must_use]
    pub fn galaxy() -> Self {
        let trays = [0xc1, 0x81, 0x01, 0x41];
        let mut host =
            trays.into_iter().fold(Host::new(), |host, bus| host.board(Board::galaxy_tray(bus)));
        let ids = host.region_ids();
        for (number, chips) in (0..PROCESSES).zip(ids.chunks(CHIPS_EACH)) {
            let pid = FIRST_PID + number;
            let script = format!("serve_{number}.py");
            let process = Process::new(pid, "python3").command(&["python3", script.as_str()]);
            host = host.process(process);
            for (index, id) in (0_u32..).zip(chips) {
                host = host.owner(u32::try_from(number).unwrap_or_default() * 4 + index, pid, 4);
                let region = Region::new(*id).device_id(index).slot(pid, "python3", BYTES);
                host = host.region_of(pid, region);
            }
        }
        let mut collector =
            Collector::new(Root::memory(host.into_tree())).with_clock(Clock::Fixed(NOW));
        Self { facts: collector.facts(), last: None, state: 0x9e37_79b9_7f4a_7c15, step: 0 }
    }

    /// The snapshot after this many microseconds.
    pub fn next(&mut self, microseconds: u64) -> Snapshot {
        self.look(microseconds).snapshot
    }

    /// The snapshot after this many microseconds, with its facts.
    pub fn look(&mut self, microseconds: u64) -> L1Look {
        let late = self.random(400);
        self.step += 1;
        let time = Timestamp(NOW.0 + self.step * microseconds + late);
        self.facts.time = time;
        self.change_devices(time);
        self.change_regions(time);
        for process in self.facts.processes.values_mut() {
            process.cpu_time_us = process.cpu_time_us.clone().map(|spent| spent + microseconds);
        }
        for index in 0..self.facts.sources.len() {
            let cost = 900 + self.random(300);
            if let Some(source) = self.facts.sources.get_mut(index) {
                source.cost_us = cost;
            }
        }
        let facts = Arc::new(self.facts.clone());
        let before = self.last.replace(Arc::clone(&facts));
        L1Look::of(facts, before.as_deref())
    }

    /// Lets one of the processes go away with all that it holds.
    pub fn end_process(&mut self, number: i32) {
        let pid = Pid(FIRST_PID + number);
        self.facts.processes.remove(&pid);
        for device in &mut self.facts.devices {
            if let Ok(holders) = &mut device.holders {
                holders.pids.retain(|holder| *holder != pid);
            }
        }
        for region in &mut self.facts.regions {
            if let Ok(content) = &mut region.content {
                content.slots.retain(|slot| slot.pid != pid.0);
                content.totals = content.slots.first().map(|slot| slot.bytes).unwrap_or_default();
            }
        }
    }

    /// Power in watts, current in amperes, voltage in millivolts, temperature in sixteenths, as firmware gives them.
    fn change_devices(&mut self, time: Timestamp) {
        let mut devices = std::mem::take(&mut self.facts.devices);
        let mut age = 6000;
        for device in &mut devices {
            age -= 100 + self.random(40);
            device.read_at = Timestamp(time.0 - age);
            let mut walk = |this: &mut Self, metric, one_in, unit: f64| {
                let up = this.random(2) == 0;
                let moves = this.random(one_in) == 0;
                if let Some(Ok(value)) = device.telemetry.get_mut(&metric).filter(|_| moves) {
                    *value =
                        ((*value / unit).round() + if up { 1.0 } else { -1.0 }).max(1.0) * unit;
                }
            };
            walk(self, Metric::Power, 2, 1.0);
            walk(self, Metric::Current, 2, 1.0);
            walk(self, Metric::Voltage, 4, 0.001);
            walk(self, Metric::AsicTemperature, 5, 0.0625);
            if let Some(Ok(beats)) = device.telemetry.get_mut(&Metric::Heartbeat) {
                *beats += 1.0;
            }
        }
        self.facts.devices = devices;
    }

    fn change_regions(&mut self, time: Timestamp) {
        let mut regions = std::mem::take(&mut self.facts.regions);
        let mut age = 2500;
        for region in &mut regions {
            age -= 30 + self.random(20);
            region.read_at = Timestamp(time.0 - age);
            let Ok(content) = &mut region.content else { continue };
            content.updated_ns = time.0 * 1000;
            for slot in &mut content.slots {
                slot.bytes.dram = (1 << 30) + (self.random(4096) << 11);
                slot.bytes.l1 = (8 << 20) + (self.random(512) << 11);
                slot.updated_ns = time.0 * 1000;
                content.totals = slot.bytes;
            }
        }
        self.facts.regions = regions;
    }

    /// A number below `limit`, the same at every run.
    fn random(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) % limit
    }
}
