//! The live buffers at any moment of a recording, from the segments that are attached to it.

use ttmem_model::buffers::{BufferList, BufferOwner, ChipRef};
use ttmem_model::snapshot::{Chip, Process, ProcessState};
use ttmem_model::{ChipId, Pid, Reading, Snapshot, SourceName, Timestamp};
use ttmem_recording::{EventKind, ReadAt, Recording};
use ttmem_segment::Segment;

use super::recording::{RecordedSegment, recorded_segments};
use super::rewind::{Rewind, Then};
use ttmem_merge::listing::{self, SegmentProcess};
use ttmem_segment::parse_file_name;

/// The agent segments of a recording, for lists of any moment.
#[derive(Debug)]
pub struct RecordedBuffers {
    agents: Vec<Agent>,
    /// Times at which the time of day moved ahead of the clocks of agents, and by how many microseconds.
    steps: Vec<(Timestamp, i64)>,
    /// False if the end of the recording is missing.
    is_ended: bool,
}

/// The agent of one process.
#[derive(Debug)]
struct Agent {
    pid: Option<Pid>,
    /// Clock ticks between boot and the start of its process, as the name of the segment has it.
    start_time: Option<u64>,
    name: String,
    rewind: Result<Rewind, String>,
}

impl RecordedBuffers {
    /// Reads what is attached to a recording. Where that is damaged the lists will say so.
    pub fn read<R: ReadAt>(recording: &mut Recording<R>) -> Self {
        let segments = recorded_segments(recording);
        let is_ended = recording.is_ended();
        // Events are read block by block, and are not needed without an agent.
        let events = match segments.is_empty() {
            true => Vec::new(),
            false => recording.events().unwrap_or_default(),
        };
        let steps = events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::ClockStepped | EventKind::Suspended));
        let steps = steps.filter_map(|event| Some((event.time, event.value?))).collect();
        Self { agents: segments.into_iter().map(Agent::new).collect(), steps, is_ended }
    }

    /// The list of a moment of which nothing can be read.
    #[must_use]
    pub fn nothing(time: Timestamp) -> BufferList {
        listing::empty(time, false)
    }

    /// The list of the moment of a snapshot.
    #[must_use]
    pub fn at(&self, snapshot: &Snapshot) -> BufferList {
        let mut list = listing::empty(snapshot.time_us, snapshot.demo);
        let mut listed = Vec::new();
        for agent in &self.agents {
            let process = agent.process(&self.agents, snapshot);
            listed.extend(process.map(|process| (process.pid, process.start_time)));
            self.add(agent, snapshot, process, &mut list);
        }
        let is_silent = |process: &&Process| {
            has_agent(process) && !listed.contains(&(process.pid, process.start_time))
        };
        for process in snapshot.processes.iter().filter(is_silent) {
            list.processes.push(BufferOwner {
                unknown: Some(self.not_there()),
                ..listing::owner(&holder(process, String::new(), Vec::new()), None)
            });
        }
        listing::sort(&mut list);
        list
    }

    /// Adds what one agent recorded of a moment, or the reason that it is not known.
    fn add(
        &self,
        agent: &Agent,
        snapshot: &Snapshot,
        process: Option<&Process>,
        list: &mut BufferList,
    ) {
        let rewind = match (&agent.rewind, process) {
            (Ok(rewind), _) => rewind,
            (Err(why), Some(process)) => {
                let holder = holder(process, agent.name.clone(), Vec::new());
                let unknown = Some(format!("its agent's segment cannot be read: {why}"));
                list.processes.push(BufferOwner { unknown, ..listing::owner(&holder, None) });
                return;
            }
            (Err(_), None) => return,
        };
        let segment = rewind.segment();
        let time = self.own_time(segment, snapshot.time_us);
        let chips = chips(segment, snapshot, process);
        let holder = match process {
            Some(process) => holder(process, agent.name.clone(), chips),
            // It ended and left nothing, or the snapshot is a little older than its first buffer.
            None if rewind.is_over(time) => return,
            None => agent.holder(segment, chips),
        };
        match rewind.at(time) {
            Then::NotYet => {}
            Then::Known(holding) => holding.add_to(list, &holder),
            Then::Unknown(gap) => list.processes.push(BufferOwner {
                unknown: Some(gap.to_string()),
                ..listing::owner(&holder, Some(segment))
            }),
        }
    }

    /// A moment by the clock of a segment, which does not follow changes of the time of day since the segment was made.
    fn own_time(&self, segment: &Segment, time: Timestamp) -> Timestamp {
        let made = Timestamp(segment.header.real_time / 1000);
        let since = self.steps.iter().filter(|(at, _)| *at > made && *at <= time);
        let ahead = since.fold(0_i64, |sum, (_, step)| sum.saturating_add(*step));
        Timestamp(time.0.saturating_add_signed(ahead.saturating_neg()))
    }

    fn not_there(&self) -> String {
        let text = "its agent's segment is not in the recording";
        match self.is_ended {
            true => text.to_owned(),
            false => format!("{text}, whose end is missing"),
        }
    }
}

impl Agent {
    fn new(recorded: RecordedSegment) -> Self {
        let RecordedSegment { pid, name, segment, .. } = recorded;
        let start_time = parse_file_name(&name).map(|(_, start_time)| start_time);
        Self { pid, start_time, name, rewind: segment.map(Rewind::new) }
    }

    /// Returns the process of the agent in a snapshot. A process in a container may have another number in its segment.
    fn process<'a>(&self, others: &[Self], snapshot: &'a Snapshot) -> Option<&'a Process> {
        let processes = || snapshot.processes.iter();
        processes().find(|process| self.is_of(process)).or_else(|| {
            // Two processes may start within one tick of the clock.
            let is_free = |process: &&Process| !others.iter().any(|other| other.is_of(process));
            let mut same = processes().filter(|process| {
                Some(process.start_time) == self.start_time
                    && process.container.is_some()
                    && has_agent(process)
            });
            same.next().filter(|_| same.next().is_none()).filter(is_free)
        })
    }

    /// True if a process has the number and the start time in the name of the segment.
    fn is_of(&self, process: &Process) -> bool {
        let same_start = Some(process.start_time) == self.start_time || process.start_time == 0;
        Some(process.pid) == self.pid && same_start
    }

    /// The process as its segment alone knows it.
    fn holder(&self, segment: &Segment, chips: Vec<Option<ChipRef>>) -> SegmentProcess {
        let own = i32::try_from(segment.header.pid).unwrap_or_default();
        SegmentProcess {
            pid: self.pid.unwrap_or(Pid(own)),
            start_time: segment.header.start_ticks,
            name: String::new(),
            user: None,
            container: None,
            state: ProcessState::Live,
            segment: self.name.clone(),
            chips,
        }
    }
}

fn holder(process: &Process, segment: String, chips: Vec<Option<ChipRef>>) -> SegmentProcess {
    SegmentProcess {
        pid: process.pid,
        start_time: process.start_time,
        name: process.name.clone(),
        user: process.user.clone(),
        container: process.container.clone(),
        state: process.state,
        segment,
        chips,
    }
}

/// True if a snapshot has something of a process from its agent.
fn has_agent(process: &Process) -> bool {
    let is_told = |reading: &Reading<u64>| match reading {
        Reading::Known { source, .. } => *source == SourceName::Agent,
        Reading::Missing(_) => false,
    };
    let readings = process.chips.iter().flat_map(|of| of.memory.allocators());
    readings.into_iter().any(|(_, reading)| is_told(reading))
}

/// The chips of a segment as a snapshot numbers them: by their ids, else by the numbers of the devices that the process
/// has open.
fn chips(
    segment: &Segment,
    snapshot: &Snapshot,
    process: Option<&Process>,
) -> Vec<Option<ChipRef>> {
    let refer = |chip: &Chip| ChipRef { id: chip.id, index: chip.index };
    let is_open = |chip: &&Chip| {
        process.is_none_or(|process| process.chips.iter().any(|of| of.chip == chip.id))
    };
    let find = |is_it: &dyn Fn(&&Chip) -> bool| snapshot.chips.iter().find(is_it).map(refer);
    let by_id = |id: u64| {
        find(&|chip| chip.id == ChipId::Known(id))
            .or_else(|| find(&|chip| chip.region.as_ref().is_some_and(|region| region.id == id)))
    };
    let by_number = |number: u32| {
        let has = |chip: &&Chip| {
            let device =
                chip.region.as_ref().and_then(|region| u32::try_from(region.device_id).ok());
            device.unwrap_or(chip.index) == number
        };
        find(&|chip| is_open(chip) && has(chip))
    };
    let only = || {
        let mut open = snapshot.chips.iter().filter(is_open);
        let first = open.next().filter(|_| segment.chips.len() == 1)?;
        open.next().is_none().then(|| refer(first))
    };
    let find = |chip: &ttmem_segment::Chip| {
        chip.unique_id.and_then(by_id).or_else(|| by_number(chip.device)).or_else(only)
    };
    segment.chips.iter().map(find).collect()
}

mod ops;

#[cfg(test)]
mod tests;
