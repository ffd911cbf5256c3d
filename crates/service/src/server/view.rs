//! What one kind of viewer sees.

use std::sync::Arc;

use ttmem_model::Snapshot;
use ttmem_recording::wire::{FrameKind, LiveWriter, frame};

/// The state as one kind of viewer sees it.
#[derive(Debug)]
pub(super) struct View {
    sees_all: bool,
    writer: LiveWriter,
}

impl View {
    pub(super) fn new(sees_all: bool) -> Self {
        Self { sees_all, writer: LiveWriter::default() }
    }

    /// Takes the next state. Gives the frame for those who have the state before.
    pub(super) fn push(&mut self, snapshot: &Snapshot, user: Option<&str>) -> Arc<[u8]> {
        let time = snapshot.time_us;
        let pushed = if self.sees_all {
            self.writer.push(time, snapshot)
        } else {
            self.writer.push(time, &without_commands(snapshot, user))
        };
        match pushed {
            Ok(Some(change)) => frame(FrameKind::Change, &change).into(),
            // What cannot be written did not pass the history, which comes first.
            Ok(None) | Err(_) => self.full(),
        }
    }

    /// The frame for those who have nothing yet.
    pub(super) fn full(&self) -> Arc<[u8]> {
        frame(FrameKind::Full, &self.writer.full()).into()
    }
}

/// The snapshot without the command lines of other users than this one.
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
