//! The state as one class of viewer sees it.

use std::sync::Arc;

use ttmem_model::Snapshot;
use ttmem_model::facts::Facts;
use ttmem_recording::wire::{FactsWriter, FrameKind, LiveWriter, frame};

/// The state for one class of viewer.
#[derive(Debug)]
pub(super) struct View {
    sees_all: bool,
    writer: LiveWriter,
    /// The facts that clients have, while a client requests them.
    facts: Option<FactsWriter>,
}

/// The frames with the facts of a state. A frame is missing if the facts are too large, or there are none.
#[derive(Debug, Default)]
pub(super) struct FactsFrames {
    /// Frame for clients that have the facts of the previous state.
    pub(super) change: Option<Arc<[u8]>>,
    /// Frame for clients without facts.
    pub(super) full: Option<Arc<[u8]>>,
}

impl View {
    pub(super) fn new(sees_all: bool) -> Self {
        Self { sees_all, writer: LiveWriter::default(), facts: None }
    }

    /// Stores the next state. Returns the frame for clients that have the previous state.
    pub(super) fn push(&mut self, snapshot: &Snapshot, user: Option<&str>) -> Arc<[u8]> {
        let time = snapshot.time_us;
        let pushed = if self.sees_all {
            self.writer.push(time, snapshot)
        } else {
            self.writer.push(time, &without_commands(snapshot, user))
        };
        match pushed {
            Ok(Some(change)) => frame(FrameKind::Change, &change).into(),
            // A state that cannot be encoded is rejected by the history, which comes first.
            Ok(None) | Err(_) => self.full(),
        }
    }

    /// Returns the frame for clients without a state.
    pub(super) fn full(&self) -> Arc<[u8]> {
        frame(FrameKind::Full, &self.writer.full()).into()
    }
}

impl View {
    /// Stores the facts of the next state, or that no client requests them. `needs_all` is true if a client has none.
    pub(super) fn push_facts(
        &mut self,
        facts: Option<&Facts>,
        user: Option<&str>,
        needs_all: bool,
    ) -> FactsFrames {
        let Some(facts) = facts else {
            self.facts = None;
            return FactsFrames::default();
        };
        let writer = self.facts.get_or_insert_default();
        let change = if self.sees_all {
            writer.push(facts)
        } else {
            writer.push(&facts_without_commands(facts, user))
        };
        let full = if needs_all || change.is_none() { self.full_facts() } else { None };
        let change = change.map(|change| frame(FrameKind::FactsChange, &change).into());
        FactsFrames { change, full }
    }

    /// Returns all facts of the newest state, for a client without any.
    pub(super) fn all_facts(&mut self, facts: &Facts, user: Option<&str>) -> FactsFrames {
        if self.facts.is_none() {
            return self.push_facts(Some(facts), user, true);
        }
        FactsFrames { change: None, full: self.full_facts() }
    }

    fn full_facts(&self) -> Option<Arc<[u8]>> {
        let full = self.facts.as_ref()?.full()?;
        Some(frame(FrameKind::Facts, &full).into())
    }
}

/// Returns the facts without the command lines of other users, as [`without_commands`] does with a snapshot.
pub(super) fn facts_without_commands(facts: &Facts, user: Option<&str>) -> Facts {
    let mut facts = facts.clone();
    let is_other = |owner: &Option<String>| user.is_none() || owner.as_deref() != user;
    for process in facts.processes.values_mut().filter(|process| is_other(&process.user)) {
        process.command.clear();
    }
    for file in facts.segments.iter_mut().filter(|file| is_other(&file.user)) {
        if let Ok(segment) = &mut file.content {
            segment.header.identity.label.command.clear();
        }
    }
    facts
}

/// Returns the snapshot without the command lines of other users.
#[must_use]
pub fn without_commands(snapshot: &Snapshot, user: Option<&str>) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for process in &mut snapshot.processes {
        if user.is_none() || process.user.as_deref() != user {
            process.command.clear();
        }
    }
    snapshot
}
