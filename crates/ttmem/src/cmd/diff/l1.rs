//! L1 by op, before and after: what the programs of each op took, by the record of agents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use ttmem_analysis::run_report::{OpL1, op_l1};
use ttmem_model::order::Gather as _;
use ttmem_segment::Segment;

/// An op of processes of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpKey {
    process: Option<String>,
    op: String,
}

impl OpKey {
    fn who(&self) -> String {
        match &self.process {
            Some(process) => format!("{} in {process}", self.op),
            None => self.op.clone(),
        }
    }
}

/// The use of L1 by the programs of an op. Bytes are of one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct OpFigure {
    /// Dispatches, replays of traces included.
    dispatches: u64,
    /// The most L1 in use during a dispatch.
    peak: Option<u64>,
    /// The most circular buffers, those that are the memory of a tensor included.
    circular_buffers: u64,
    /// The least headroom; negative if circular buffers and tensors overlap.
    headroom: Option<i64>,
}

impl OpFigure {
    fn of(op: &OpL1) -> Self {
        Self {
            dispatches: op.dispatches,
            peak: op.peak,
            circular_buffers: op.circular_buffers.saturating_add(op.aliasing),
            headroom: op.headroom,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            dispatches: self.dispatches.saturating_add(other.dispatches),
            peak: self.peak.max(other.peak),
            circular_buffers: self.circular_buffers.max(other.circular_buffers),
            headroom: [self.headroom, other.headroom].into_iter().flatten().min(),
        }
    }
}

/// The ops of one side.
#[derive(Debug, Default)]
pub(super) struct OpsL1 {
    ops: BTreeMap<OpKey, OpFigure>,
}

impl OpsL1 {
    /// Adds the programs of one agent.
    pub(super) fn add(&mut self, process: Option<&String>, segment: &Segment) {
        for op in op_l1(segment) {
            let name = op.op.clone().unwrap_or_else(|| "no op known".to_owned());
            let key = OpKey { process: process.cloned(), op: name };
            let figure = OpFigure::of(&op);
            self.ops.entry(key).and_modify(|known| *known = known.with(figure)).or_insert(figure);
        }
    }
}

/// An op on both sides.
#[derive(Debug, Serialize)]
pub(super) struct OpRow {
    process: Option<String>,
    op: String,
    before: Option<OpFigure>,
    after: Option<OpFigure>,
}

/// The ops of both sides; none where one side has no agent, since every op would look new.
pub(super) fn rows(before: &OpsL1, after: &OpsL1) -> Vec<OpRow> {
    if before.ops.is_empty() || after.ops.is_empty() {
        return Vec::new();
    }
    let keys: BTreeSet<&OpKey> = before.ops.keys().chain(after.ops.keys()).gather();
    let row = |key: &OpKey| OpRow {
        process: key.process.clone(),
        op: key.op.clone(),
        before: before.ops.get(key).copied(),
        after: after.ops.get(key).copied(),
    };
    keys.into_iter().map(row).collect()
}

/// The columns of the table of ops: who, and each figure before and after.
pub(super) const COLUMNS: usize = 9;

/// The ops that differ, as rows of text under a heading; none if no op differs.
pub(super) fn table(rows: &[OpRow]) -> Vec<[String; COLUMNS]> {
    let differing = rows.iter().filter(|row| row.before != row.after);
    let line = |row: &OpRow| {
        let figures = [row.before, row.after];
        let cells = |of: fn(&OpFigure) -> Option<String>| {
            figures.map(|it| it.as_ref().and_then(of).unwrap_or_else(|| "-".to_owned()))
        };
        let [peak_a, peak_b] = cells(|it| it.peak.map(|bytes| bytes.to_string()));
        let [buffers_a, buffers_b] = cells(|it| Some(it.circular_buffers.to_string()));
        let [room_a, room_b] = cells(|it| it.headroom.map(|bytes| bytes.to_string()));
        let [runs_a, runs_b] = cells(|it| Some(it.dispatches.to_string()));
        let key = OpKey { process: row.process.clone(), op: row.op.clone() };
        [key.who(), peak_a, peak_b, buffers_a, buffers_b, room_a, room_b, runs_a, runs_b]
    };
    let lines: Vec<_> = differing.map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    let heading = [
        "L1 PER CORE, CBS WITH ALIASING",
        "PEAK A",
        "PEAK B",
        "CBS A",
        "CBS B",
        "HEADROOM A",
        "HEADROOM B",
        "RUNS A",
        "RUNS B",
    ];
    std::iter::once(heading.map(str::to_owned)).chain(lines).collect()
}
