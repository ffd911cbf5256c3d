//! A trace that <https://ui.perfetto.dev> opens: the JSON trace event format. Each chip is a process with a counter for
//! each kind, each process with an agent has its ops as slices, and what was refused or went wrong is an instant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ttmem_analysis::run_report::{OpSpan, ProcessReport, RecordingReport, Timeline, op_spans};
use ttmem_analysis::series::ProcessLine;
use ttmem_recording::{Event, EventKind};
use ttmem_segment::Segment;

/// Numbers of processes are below this; chips come from here on.
const FIRST_CHIP: u64 = 1 << 30;

/// The segment of one process.
#[derive(Debug)]
pub(crate) struct Traced<'a> {
    /// Its process, by which its slices are grouped.
    pub(crate) pid: i32,
    /// Its report.
    pub(crate) report: &'a ProcessReport,
    /// The inputs of the report.
    pub(crate) segment: &'a Segment,
}

/// The trace, one event a line.
///
/// # Errors
/// If it cannot be written as JSON.
pub(crate) fn render(
    recordings: &[RecordingReport],
    agents: &[Traced<'_>],
) -> serde_json::Result<String> {
    let mut trace = Trace::default();
    let mut first_chip = FIRST_CHIP;
    for recording in recordings {
        trace.add_recording(recording, first_chip)?;
        first_chip += recording.series.chips().len() as u64;
    }
    for agent in agents {
        trace.add_agent(agent)?;
    }
    Ok(format!(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"ttmem\":\"{}\"}},\"traceEvents\":[\n{}\n]}}\n",
        env!("CARGO_PKG_VERSION"),
        trace.lines.join(",\n")
    ))
}

/// A name for each process that no other one has: a counter is known by its name, and a number may come again.
fn names(processes: &[ProcessLine]) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let name = |process: &ProcessLine| {
        let name = format!("{} {}", process.name, process.pid);
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 { format!("{name} ({times})") } else { name }
    };
    processes.iter().map(name).collect()
}

#[derive(Default)]
struct Trace {
    lines: Vec<String>,
}

impl Trace {
    fn push(&mut self, event: &Value) -> serde_json::Result<()> {
        self.lines.push(serde_json::to_string(event)?);
        Ok(())
    }

    fn name(&mut self, what: &str, pid: u64, tid: u64, name: &str) -> serde_json::Result<()> {
        self.push(
            &json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": { "name": name } }),
        )
    }

    fn count(&mut self, pid: u64, name: &str, at_us: u64, bytes: u64) -> serde_json::Result<()> {
        self.push(&json!({ "ph": "C", "pid": pid, "name": name, "ts": at_us, "args": { "bytes": bytes } }))
    }

    fn add_recording(
        &mut self,
        recording: &RecordingReport,
        first_chip: u64,
    ) -> serde_json::Result<()> {
        let series = &recording.series;
        let names = names(series.processes());
        for (pid, chip) in (first_chip..).zip(series.chips()) {
            let board = chip.board.as_deref().unwrap_or("");
            let name = format!("chip {} {board}", chip.index);
            self.name("process_name", pid, 0, name.trim_end())?;
            for kind in
                chip.kinds.iter().filter(|kind| kind.used.iter().flatten().any(|used| *used > 0))
            {
                let label = kind.kind.label();
                for (time, used) in series.times().iter().zip(&kind.used) {
                    if let Some(used) = used {
                        self.count(pid, label, time.0, *used)?;
                    }
                }
                for share in &kind.shares {
                    let Some(process) = names.get(share.process) else { continue };
                    let name = format!("{label} of {process}");
                    let mut before = None;
                    for (time, bytes) in series.times().iter().zip(&share.bytes) {
                        if before.replace(*bytes) != Some(*bytes) {
                            self.count(pid, &name, time.0, *bytes)?;
                        }
                    }
                }
            }
        }
        for event in &recording.events {
            let place = event
                .chip
                .and_then(|id| (first_chip..).zip(series.chips()).find(|(_, chip)| chip.id == id));
            self.add_event(event, place.map(|(pid, _)| pid))?;
        }
        Ok(())
    }

    fn add_event(&mut self, event: &Event, chip: Option<u64>) -> serde_json::Result<()> {
        // The counters show these.
        if matches!(event.kind, EventKind::Peak) {
            return Ok(());
        }
        let process = event.pid.and_then(|pid| u64::try_from(pid.0).ok());
        let (scope, pid) = match chip.or(process) {
            Some(pid) => ("p", pid),
            None => ("g", 0),
        };
        let args = json!({ "text": event.text });
        self.push(&json!({
            "ph": "i", "s": scope, "pid": pid, "tid": 0, "ts": event.time.0, "name": event.kind.as_str(), "args": args
        }))
    }

    fn add_agent(&mut self, agent: &Traced<'_>) -> serde_json::Result<()> {
        let pid = u64::try_from(agent.pid).unwrap_or_default();
        let name = agent.report.name.as_deref().unwrap_or("TT-Metal");
        self.name("process_name", pid, 0, name)?;
        let pools = Timeline::of(agent.segment).pools.into_iter();
        // A counter that is never anything but 0 only takes room.
        for pool in pools.filter(|pool| pool.steps.bytes.iter().any(|bytes| *bytes > 0)) {
            let devices: Vec<String> = pool.devices.iter().map(ToString::to_string).collect();
            let chips = if devices.len() > 1 { "each of chips" } else { "chip" };
            let name = format!("{} on {chips} {}", pool.kind.label(), devices.join(", "));
            for (time, bytes) in pool.steps.at_us.iter().zip(&pool.steps.bytes) {
                self.count(pid, &name, *time, *bytes)?;
            }
        }
        for OpSpan { thread, op, from_us, to_us, events, footprints, .. } in op_spans(agent.segment)
        {
            // What has no length cannot be seen.
            let duration = to_us.saturating_sub(from_us).max(1);
            let args = json!({ "allocations and frees": events, "programs": footprints.len() });
            self.push(&json!({
                "ph": "X", "pid": pid, "tid": thread, "ts": from_us, "dur": duration, "name": op, "cat": "op", "args": args
            }))?;
        }
        let since = agent.report.since.0;
        for failure in &agent.report.failures {
            let told = &failure.explanation;
            let advice: Vec<&str> = told.advice.iter().map(|advice| advice.text.as_str()).collect();
            let args = json!({ "op": failure.op, "meaning": told.meaning, "advice": advice });
            self.push(&json!({
                "ph": "i", "s": "p", "pid": pid, "tid": 0, "ts": since + failure.after_us, "name": told.title,
                "cat": "failure", "args": args
            }))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_model::Pid;

    #[test]
    fn two_processes_of_one_number_have_two_counters() {
        let line =
            |pid, start_time| ProcessLine { pid: Pid(pid), start_time, name: "python3".to_owned() };
        assert_eq!(
            names(&[line(7, 1), line(8, 1), line(7, 2)]),
            ["python3 7", "python3 8", "python3 7 (2)"]
        );
    }
}
