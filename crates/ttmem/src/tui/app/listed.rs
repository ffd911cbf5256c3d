//! A list that is read only while its view is open.

use std::time::Duration;

use super::{App, Only, SILENCE_LEAST};
use crate::tui::history::Moment;
use crate::tui::select::Filter;

/// The list to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The live buffers of processes with an agent.
    Buffers,
    /// L1 by op of processes with an agent.
    Ops,
}

/// The time of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The current moment, repeatedly.
    Every(Duration),
    /// A moment of a recording.
    Once(Moment),
}

/// A list, and its age.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// The last list, and its time.
    pub(crate) read: Option<(Moment, T)>,
    /// The list that arrived while the screen was frozen.
    waiting: Option<(Moment, T)>,
    /// Arrival time of the last list; `None` for a recording, which does not age.
    heard: Option<Moment>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { read: None, waiting: None, heard: None }
    }
}

impl<T> Listed<T> {
    /// Stores a list and its arrival time.
    pub(super) fn store(&mut self, heard: Option<Moment>, read: (Moment, T), frozen: bool) {
        self.heard = heard;
        let slot = if frozen { &mut self.waiting } else { &mut self.read };
        *slot = Some(read);
    }

    /// Resumes after the screen was frozen.
    pub(super) fn thaw(&mut self) {
        if let Some(newest) = self.waiting.take() {
            self.read = Some(newest);
        }
    }

    /// Discards the list: it is no longer refreshed and would grow old.
    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }

    /// Returns the list.
    #[must_use]
    pub(crate) fn get(&self) -> Option<&T> {
        self.read.as_ref().map(|(_, list)| list)
    }

    /// Returns the microseconds since the last list, if the next one is late.
    #[must_use]
    pub(crate) fn silence(&self, now: Moment, interval: u64) -> Option<u64> {
        let silence = now.since(self.heard?);
        (silence >= late(interval)).then_some(silence)
    }

    /// Returns the microseconds until a delay must be shown or grows by a second.
    pub(super) fn wait(&self, now: Moment, interval: u64) -> Option<u64> {
        const SECOND: u64 = 1_000_000;
        let heard = self.heard?;
        Some(match self.silence(now, interval) {
            Some(_) => SECOND,
            None => Moment(heard.0 + late(interval)).since(now),
        })
    }
}

/// The inputs that decide which rows of a list are visible, and in which order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Inputs<K> {
    read: Moment,
    filter: Filter,
    only: Only,
    pub(super) key: K,
    reversed: bool,
}

impl App {
    /// Returns the inputs that select and sort a list of this time.
    pub(super) fn inputs<K>(&self, read: Moment, key: K, reversed: bool) -> Inputs<K> {
        Inputs { read, filter: self.filter.clone(), only: self.only, key, reversed }
    }
}

/// The visible rows of a list in display order, and the inputs that they were chosen by.
#[derive(Debug)]
pub(super) struct Visible<K, R> {
    rows: Vec<R>,
    inputs: Option<Inputs<K>>,
}

impl<K, R> Default for Visible<K, R> {
    fn default() -> Self {
        Self { rows: Vec::new(), inputs: None }
    }
}

impl<K: PartialEq, R> Visible<K, R> {
    /// Creates the rows from those that the inputs select, sorted by the key.
    pub(super) fn new(mut rows: Vec<R>, inputs: Inputs<K>) -> Self {
        if inputs.reversed {
            rows.reverse();
        }
        Self { rows, inputs: Some(inputs) }
    }

    /// True if the rows were chosen by these inputs.
    pub(super) fn is_by(&self, inputs: &Inputs<K>) -> bool {
        self.inputs.as_ref() == Some(inputs)
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &[R] {
        &self.rows
    }
}

/// Microseconds after which a list is late. Reading many buffers takes time.
fn late(interval: u64) -> u64 {
    SILENCE_LEAST.max(interval.saturating_mul(3))
}
