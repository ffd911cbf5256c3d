//! The state as one class of viewer sees it.

use std::sync::Arc;

use ttmem_model::Snapshot;
use ttmem_recording::wire::{FrameKind, LiveWriter, frame};

/// The state for one class of viewer.
#[derive(Debug)]
pub(super) struct View {
    sees_all: bool,
    writer: LiveWriter,
}

impl View {
    pub(super) fn new(sees_all: bool) -> Self {
        Self { sees_all, writer: LiveWriter::default() }
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
