//! A trace that <https://ui.perfetto.dev> opens: the JSON trace event format. Each chip is a process with a counter for
//! each kind, each process with an agent has its ops as slices, and what was refused or went wrong is an instant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use ttmem_analysis::run_report::{
    OpSpan, ProcessReport, RecordingReport, Timeline, dispatch_uses, op_spans,
};
use ttmem_analysis::series::ProcessLine;
use ttmem_recording::{Event, EventKind};
use ttmem_segment::Segment;

use crate::output::json;

/// Numbers of threads are below this; the tracks of command queues come from here on.
const FIRST_QUEUE: u64 = 1 << 31;
/// Numbers of processes are below this; chips come from here on.
const FIRST_CHIP: u64 = 1 << 30;

/// The segment of one process.
#[derive(Debug)]
pub(crate) struct Traced<'a> {
    /// Process id by which its slices are grouped.
    pub(crate) pid: i32,
    /// Report of the process.
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
        self.lines.push(json::escaped(&serde_json::to_string(event)?).into_owned());
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
            let chip = event
                .chip
                .and_then(|id| (first_chip..).zip(series.chips()).find(|(_, chip)| chip.id == id));
            self.add_event(event, chip.map(|(pid, _)| pid))?;
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
        self.add_dispatches(pid, agent.segment)?;
        let since = agent.report.since.0;
        for failure in &agent.report.failures {
            let explanation = &failure.explanation;
            let advice: Vec<&str> =
                explanation.advice.iter().map(|advice| advice.text.as_str()).collect();
            let args =
                json!({ "op": failure.op, "meaning": explanation.meaning, "advice": advice });
            self.push(&json!({
                "ph": "i", "s": "p", "pid": pid, "tid": 0, "ts": since + failure.after_us, "name": explanation.title,
                "cat": "failure", "args": args
            }))?;
        }
        Ok(())
    }

    /// A slice for each dispatch, on a track for each thread and command queue, and a counter of the circular buffers of
    /// the newest program. When a program ends is not known: its slice has the least length.
    fn add_dispatches(&mut self, pid: u64, segment: &Segment) -> serde_json::Result<()> {
        let mut named = BTreeSet::new();
        for dispatch in dispatch_uses(segment) {
            let queue = dispatch.queue.map_or(u64::from(u8::MAX), u64::from);
            let track = FIRST_QUEUE + queue;
            if named.insert(track) {
                let name = match dispatch.queue {
                    Some(queue) => format!("dispatches, queue {queue}"),
                    None => "dispatches".to_owned(),
                };
                self.name("thread_name", pid, track, &name)?;
            }
            let args = dispatch.l1.map_or(Value::Null, |l1| {
                json!({
                    "program": l1.program, "cores": l1.cores, "circular buffers per core": l1.circular_buffers,
                    "kernel text per core": l1.kernel_text, "tensors per core": l1.tensors, "headroom": l1.headroom,
                    "thread": dispatch.thread
                })
            });
            self.push(&json!({
                "ph": "X", "pid": pid, "tid": track, "ts": dispatch.at_us, "dur": 1, "name": dispatch.op,
                "cat": "dispatch", "args": args
            }))?;
            if let Some(l1) = dispatch.l1 {
                let devices: Vec<String> =
                    dispatch.chips.iter().map(|chip| chip.device.to_string()).collect();
                let chips = if devices.len() > 1 { "each of chips" } else { "chip" };
                let name = format!("circular buffers per core on {chips} {}", devices.join(", "));
                self.count(pid, &name, dispatch.at_us, l1.circular_buffers)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_fake::segment::{NewProgram, Segment as Fake};
    use ttmem_model::Pid;
    use ttmem_segment::{CoreRange, PartKind, Reader};

    #[test]
    fn each_dispatch_is_a_slice_and_circular_buffers_are_a_counter() {
        let cores = CoreRange { start: (0, 0), end: (7, 7) };
        let program = NewProgram::new("Matmul")
            .place(PartKind::DataflowBuffer, 105_824, 32_768, cores)
            .kernel("bmm", Some(268), cores);
        let fake = Fake::wormhole(7, 70, 5).program(&program).dispatch(0).dispatch(0);
        let segment = Reader::parse(&fake.image()).unwrap();
        let report = ProcessReport::of(&segment, false);
        let traced = Traced { pid: 7, report: &report, segment: &segment };
        let text = render(&[], &[traced]).unwrap();
        let trace: Value = serde_json::from_str(&text).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let slices: Vec<&Value> = events.iter().filter(|it| it["cat"] == "dispatch").collect();
        assert_eq!(slices.len(), 2);
        assert_eq!(
            (&slices[0]["name"], &slices[0]["args"]["cores"]),
            (&json!("Matmul"), &json!(64))
        );
        let is_counter = |it: &&Value| it["name"] == "circular buffers per core on chip 0";
        let counted: Vec<&Value> = events.iter().filter(is_counter).collect();
        assert_eq!(counted.len(), 2);
        assert_eq!(counted[0]["args"]["bytes"], 32_768);
    }

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
