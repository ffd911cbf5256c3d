//! L1 by op at any moment of a recording.

use ttmem_merge::listing::owner;
use ttmem_model::Snapshot;
use ttmem_model::facts::Facts;
use ttmem_model::order;

use super::super::programs::{Overwritten, ProcessOps, Then, l1_by_op};
use super::super::rewind::{Clock, Rewind};
use super::{Agent, RecordedBuffers, chips, holder};

impl RecordedBuffers {
    /// Returns L1 by op at the moment of a snapshot: from the facts of that moment where they have programs, else from
    /// the dispatches that the attached segments still list.
    #[must_use]
    pub fn ops(&self, snapshot: &Snapshot, facts: Option<&Facts>) -> Vec<ProcessOps> {
        let mut processes = facts.map(l1_by_op).unwrap_or_default();
        processes.retain(|process| !process.ops.is_empty());
        for agent in &self.agents {
            let Ok(rewind) = &agent.rewind else { continue };
            let is_known = |process: &ProcessOps| process.owner.segment.ends_with(&agent.name);
            if processes.iter().any(is_known) {
                continue;
            }
            processes.extend(self.ops_of(agent, rewind, snapshot));
        }
        order::sort_by_key(&mut processes, |process| (process.owner.pid, process.owner.start_time));
        processes
    }

    /// L1 by op of one process; `None` if it had not begun, was over, or ran no program.
    fn ops_of(&self, agent: &Agent, rewind: &Rewind, snapshot: &Snapshot) -> Option<ProcessOps> {
        let segment = rewind.segment();
        let time = self.own_time(segment, snapshot.time_us);
        if segment.programs.dispatched == 0 || time.0 < segment.header.real_time / 1000 {
            return None;
        }
        let process = agent.process(&self.agents, snapshot);
        let chips = chips(segment, snapshot, process);
        let holder = match process {
            Some(process) => holder(process, agent.name.clone(), chips),
            None if rewind.is_over(time) => return None,
            None => agent.holder(segment, chips),
        };
        Some(match Then::at(segment, rewind.monotonic(time)) {
            Ok(then) => then.ops(segment, &holder),
            Err(Overwritten(first)) => ProcessOps::unknown(
                owner(&holder, Some(segment)),
                format!(
                    "the dispatches of its agent before {} are overwritten; a larger TTMEM_SEGMENT_MB keeps more",
                    Clock(rewind.real(first))
                ),
            ),
        })
    }
}
