//! Inputs of a report: recordings, segments in files, and processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ttmem_analysis::run_report::{
    Member, ProcessReport, Ranks, RecordingReport, RunReport, recorded_segments, saved_ranks,
};
use ttmem_merge::{buffers, host_index};
use ttmem_model::Pid;
use ttmem_model::facts::Facts;
use ttmem_model::l1::report::L1Report;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::ProcessState;
use ttmem_recording::{AttachmentKind, DamageAccount, OpenError, Recording};
use ttmem_segment::layout::MAX_SEGMENT_BYTES;
use ttmem_segment::{Reader, Segment, SegmentError, parse_file_name};
use ttmem_service::recorder::FileSource;
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;
use ttmem_sources::source::process::runs_since;

use crate::error::Error;
use crate::output::html::L1Moment;

/// Recordings of a folder that a report reads at most.
const MAX_FILES: usize = 1024;

/// The inputs of a report, read.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The recordings.
    pub(crate) recordings: Vec<RecordingReport>,
    /// The segments, including those in recordings.
    pub(crate) agents: Vec<Agent>,
    /// The ranks of reports that were saved as JSON.
    pub(crate) saved: Vec<Member>,
    /// The recorded L1 of chips, core by core.
    pub(crate) l1: Vec<L1Moment>,
    /// Notices about inputs that could not be read, one line each.
    pub(crate) notes: Vec<String>,
}

/// The segment of one process.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The process id on this or the recorded host; in its own namespace if no other is known.
    pub(crate) pid: i32,
    /// The name of the process, if known.
    pub(crate) name: Option<String>,
    /// The host of the recording that it is from.
    pub(crate) host: Option<String>,
    /// False if a command was recorded and the process is not of it.
    pub(crate) is_of_run: bool,
    /// True if the process is running.
    pub(crate) is_running: bool,
    /// The content of the segment.
    pub(crate) segment: Segment,
    /// Known unique ids of its chips, with their index on the host.
    pub(crate) indexes: BTreeMap<u64, u32>,
}

impl Agent {
    /// Returns the report of the process.
    #[must_use]
    pub(crate) fn report(&self) -> ProcessReport {
        let index_of = |id: u64| self.indexes.get(&id).copied();
        let report = ProcessReport::of(&self.segment, self.is_running).with_indexes(&index_of);
        let name = self.name.clone().or(report.name.clone());
        ProcessReport { name, host: self.host.clone(), ..report }
    }
}

impl Input {
    /// Reads the inputs. Each name is a recording, a segment, a folder of both, or a process id.
    ///
    /// # Errors
    /// If one does not exist or cannot be read.
    pub(crate) fn read<'a>(
        names: impl IntoIterator<Item = &'a Path>,
        collector: &mut Collector,
    ) -> Result<Self, Error> {
        let mut input = Self::default();
        let mut files = Vec::new();
        for name in names {
            match name.is_dir() {
                true => files.extend(files_in(name)?),
                false => files.push(name.to_path_buf()),
            }
        }
        for name in files.iter().map(PathBuf::as_path) {
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                let agent = of_process(collector, pid)?;
                input.agents.push(agent);
            } else if let Some(recording) = open(name)? {
                input.add_recording(name, recording)?;
            } else if let Some(ranks) = saved(name)? {
                input.saved.extend(ranks);
            } else {
                let segment = segment(name)?;
                let pid = i32::try_from(segment.header.pid).unwrap_or_default();
                let start = segment.header.start_ticks;
                let is_running = runs_since(collector.root(), Pid(pid), start);
                let indexes = indexes_on_host(&collector.facts(), &segment);
                input.agents.push(Agent {
                    pid,
                    name: None,
                    host: None,
                    is_of_run: true,
                    is_running,
                    segment,
                    indexes,
                });
            }
        }
        Ok(input)
    }

    /// Adds the process of a recording. The recorders of several ranks on one host have each other's processes: the recorder
    /// whose command it is has it until its end.
    fn add_agent(&mut self, agent: Agent) {
        let key = |agent: &Agent| {
            let header = &agent.segment.header;
            (agent.host.clone(), header.pid, header.start_ticks, header.identity.pid_namespace)
        };
        let worth = |agent: &Agent| (agent.is_of_run, !agent.is_running);
        let same = |known: &&mut Agent| known.host.is_some() && key(known) == key(&agent);
        match self.agents.iter_mut().find(same) {
            Some(known) if worth(&agent) > worth(known) => *known = agent,
            Some(_) => {}
            None => self.agents.push(agent),
        }
    }

    fn add_recording(
        &mut self,
        path: &Path,
        mut recording: Recording<FileSource>,
    ) -> Result<(), Error> {
        let name = path.display().to_string();
        let report = RecordingReport::of(name.clone(), &mut recording)
            .map_err(|damage| Error::File(format!("{name}: {damage}")))?;
        let processes = report.series.processes().iter();
        let names: BTreeMap<Pid, String> =
            processes.map(|process| (process.pid, process.name.clone())).gather();
        let chips = report.series.chips().iter();
        let indexes: BTreeMap<u64, u32> = chips
            .flat_map(|chip| [Some(chip.id), chip.region].map(|id| (id, chip.index)))
            .filter_map(|(id, index)| Some((id?.known()?, index)))
            .gather();
        let run = recording.header().run.clone();
        for recorded in recorded_segments(&recording) {
            match recorded.segment {
                Ok(segment) => {
                    let own = i32::try_from(segment.header.pid).unwrap_or_default();
                    let pid = recorded.pid.unwrap_or(Pid(own));
                    self.add_agent(Agent {
                        pid: pid.0,
                        name: names.get(&pid).cloned(),
                        host: report.host.clone(),
                        is_of_run: run
                            .as_ref()
                            .is_none_or(|run| segment.header.identity.runs.contains(run)),
                        is_running: recorded.is_running,
                        segment,
                        indexes: indexes.clone(),
                    });
                }
                Err(why) => {
                    self.notes.push(format!("{name}: {} is skipped: {why}", recorded.name));
                }
            }
        }
        self.add_cores(&name, &recording);
        self.recordings.push(report);
        Ok(())
    }

    /// Adds the maps of cores that were attached to a recording.
    fn add_cores(&mut self, name: &str, recording: &Recording<FileSource>) {
        for attached in recording.attachments() {
            if attached.attachment.kind != AttachmentKind::L1 {
                continue;
            }
            let bytes = recording.attachment(&attached).map_err(|damage| damage.to_string());
            let report = bytes.and_then(|bytes| {
                serde_json::from_slice::<L1Report>(&bytes).map_err(|error| error.to_string())
            });
            match report {
                Ok(report) => self.l1.push(L1Moment::new(attached.attachment.time, &report)),
                Err(why) => self.notes.push(format!("{name}: the map of cores is skipped: {why}")),
            }
        }
    }

    /// Fails if there is nothing but saved reports, and these are not of two ranks.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn has_content(&self) -> Result<(), Error> {
        let only_saved = !self.saved.is_empty() && self.agents.is_empty();
        if only_saved && self.recordings.is_empty() && self.report(false).ranks.is_none() {
            let text =
                "the JSON reports are of one rank; name those of the other ranks, or their folder";
            return Err(Error::not_found(text.to_owned()));
        }
        Ok(())
    }

    /// Fails if a recording is damaged: its report leaves that out.
    ///
    /// # Errors
    /// [`Error::File`] for the first that is.
    pub(crate) fn is_whole(&self) -> Result<(), Error> {
        let damaged = self.recordings.iter().find(|recording| !recording.damage().is_empty());
        damaged.map_or(Ok(()), |recording| Err(damaged_file(&recording.file, recording.damage())))
    }

    /// Returns the report of all inputs; with the address of every buffer over time if `with_timelines` is set.
    #[must_use]
    pub(crate) fn report(&self, with_timelines: bool) -> RunReport {
        let process = |agent: &Agent| match with_timelines {
            true => agent.report().with_timeline(&agent.segment),
            false => agent.report(),
        };
        let processes: Vec<ProcessReport> = self.agents.iter().map(process).collect();
        let members = processes.iter().zip(&self.agents).filter(|(_, agent)| agent.is_of_run);
        let mut ranks: Vec<Member> =
            members.filter_map(|(process, _)| Member::of(process)).collect();
        for saved in &self.saved {
            // A recording of the same process has its host, too.
            if !ranks.iter().any(|rank| rank.is_same(saved)) {
                ranks.push(saved.clone());
            }
        }
        let ranks = Ranks::of(ranks);
        let key = |process: &ProcessReport| (process.host.clone(), process.pid, process.start_time);
        let others = processes.iter().zip(&self.agents).filter(|(_, agent)| !agent.is_of_run);
        let others: BTreeSet<_> = others.map(|(process, _)| key(process)).gather();
        let mut report =
            RunReport { recordings: self.recordings.clone(), ranks, ..RunReport::new(processes) };
        // Of the host of a recorded command, processes that are not of it come last.
        order::sort_by_key(&mut report.processes, |process| others.contains(&key(process)));
        report
    }
}

/// The recordings, segments and saved reports in a folder, by name. Other files are passed over.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| Error::reading(folder, &error, "name another folder");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_segment = || parse_file_name(path.file_name()?.to_str()?);
        // A fifo would block.
        if path.is_file()
            && (is_segment().is_some() || open(&path)?.is_some() || saved(&path)?.is_some())
        {
            files.push(path);
        }
    }
    order::sort(&mut files);
    let name = folder.display();
    match files.len() {
        0 => Err(Error::not_found(format!(
            "{name} has no recording and no report of ttmem run; name another folder"
        ))),
        1..=MAX_FILES => Ok(files),
        count => Err(Error::File(format!(
            "{name} has {count} recordings, and a report reads {MAX_FILES}; name some of them"
        ))),
    }
}

/// The largest report in JSON that is read.
const MAX_SAVED_BYTES: u64 = 256 << 20;

/// Reads the ranks of a report in JSON; `None` if the file is not one.
fn saved(path: &Path) -> Result<Option<Vec<Member>>, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    let mut file = file.take(MAX_SAVED_BYTES);
    file.by_ref().take(1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes != b"{" {
        return Ok(None);
    }
    file.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    saved_ranks(&bytes).map_err(|error| Error::File(format!("{}: {error}", path.display())))
}

/// Opens a recording; `None` if the file is not one.
fn open(path: &Path) -> Result<Option<Recording<FileSource>>, Error> {
    let name = path.display();
    let source = FileSource::open(path).map_err(|error| unreadable(path, &error))?;
    match Recording::open(source) {
        Ok(recording) => Ok(Some(recording)),
        Err(OpenError::NotARecording) => Ok(None),
        Err(error @ OpenError::TooNew { .. }) => {
            Err(Error::Unsupported(format!("{name}: {error}")))
        }
        Err(error) => Err(Error::File(format!("{name}: {error}"))),
    }
}

/// The error of a command that left out what is damaged.
pub(crate) fn damaged_file(name: impl std::fmt::Display, damage: DamageAccount) -> Error {
    Error::File(format!("{name} is damaged: {damage}"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::reading(path, error, "name a recording or an agent segment")
}

/// Reads the segment in a file that the user names.
///
/// # Errors
/// If it does not exist, cannot be read, or is not a segment of this version.
fn segment(path: &Path) -> Result<Segment, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    segment_in(path, file)
}

/// Reads the segment in an open file.
///
/// # Errors
/// As [`segment`]. `path` is its name in messages.
pub(crate) fn segment_in(path: &Path, file: impl Read) -> Result<Segment, Error> {
    let mut bytes = Vec::new();
    let limit = MAX_SEGMENT_BYTES as u64;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Reader::parse(&bytes).map_err(|error| {
        let name = path.display();
        Error::File(match error {
            SegmentError::NotASegment | SegmentError::Short { .. } => {
                format!("{name} is neither a recording nor a complete agent segment")
            }
            error => format!("{name}: {error}"),
        })
    })
}

/// Reads the segment of a process of the host.
fn of_process(collector: &mut Collector, pid: i32) -> Result<Agent, Error> {
    let facts = collector.facts_at(Depth::Full);
    let list = buffers(&facts);
    let owner = list.processes.iter().rev().find(|process| process.pid == Pid(pid));
    let file =
        owner.and_then(|owner| facts.segments.iter().find(|file| file.path == owner.segment));
    let segment = file.and_then(|file| file.content.as_ref().ok().cloned());
    let is_running = owner.is_some_and(|owner| owner.state == ProcessState::Live);
    let name = facts.processes.get(&Pid(pid)).map(|process| process.name.clone());
    let segment = segment.ok_or_else(|| {
        Error::not_found(format!(
            "no segment of process {pid}; start the process with ttmem run; add --keep to see its segment after it exits"
        ))
    })?;
    let indexes = indexes_on_host(&facts, &segment);
    Ok(Agent { pid, name, host: None, is_of_run: true, is_running, segment, indexes })
}

/// The index on the host of each chip of a segment, by unique id; chips that the host does not have are left out.
pub(crate) fn indexes_on_host(facts: &Facts, segment: &Segment) -> BTreeMap<u64, u32> {
    let ids = segment.chips.iter().filter_map(|chip| chip.unique_id);
    ids.filter_map(|id| Some((id, host_index(facts, id)?))).gather()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processes_of_a_recorded_command_come_first() {
        let agent = |(pid, is_of_run): (i32, bool)| {
            let image = ttmem_fake::segment::Segment::wormhole(pid, 9, 1).image();
            Agent {
                pid,
                name: None,
                host: None,
                is_of_run,
                is_running: false,
                segment: Reader::parse(&image).unwrap(),
                indexes: BTreeMap::new(),
            }
        };
        let agents = [(3, false), (9, true), (5, false), (7, true)].map(agent).into();
        let input = Input { agents, ..Input::default() };
        let pids = input.report(false).processes.into_iter().map(|process| process.pid);
        assert_eq!(pids.collect::<Vec<_>>(), [7, 9, 3, 5]);
    }
}
