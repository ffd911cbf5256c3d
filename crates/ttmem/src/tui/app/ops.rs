//! L1 by op of processes with an agent: the list, and which of its ops are visible in which order.

use ttmem_analysis::run_report::{OpL1, ProcessOps};
use ttmem_model::Pid;
use ttmem_model::order;

use super::listed::Visible;
use super::{App, Listed, Only, Step, moved};
use crate::tui::choice::View;
use crate::tui::history::Moment;
use crate::tui::op::OpColumn;

/// The identity of an op: its process and its name.
type OpId = (Pid, Option<String>);

/// L1 by op.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    /// The list.
    pub(crate) listed: Listed<Vec<ProcessOps>>,
    /// The column of the order.
    pub(crate) key: OpColumn,
    /// True if the order is reversed.
    pub(crate) reversed: bool,
    cursor: Option<OpId>,
    /// Indexes of the process and the op of what is visible.
    visible: Visible<OpColumn, (usize, usize)>,
}

impl Ops {
    /// Creates an empty list with an order.
    #[must_use]
    pub(crate) fn new(key: OpColumn, reversed: bool) -> Self {
        Self { key, reversed, ..Self::default() }
    }

    /// Discards the list.
    pub(super) fn discard(&mut self) {
        self.listed.discard();
        self.visible = Visible::default();
    }

    /// Returns the processes.
    #[must_use]
    pub(crate) fn processes(&self) -> &[ProcessOps] {
        self.listed.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the visible ops in display order, each with its process.
    pub(crate) fn shown(&self) -> impl ExactSizeIterator<Item = (&ProcessOps, &OpL1)> {
        let processes = self.processes();
        self.visible
            .rows()
            .iter()
            .map(move |(process, op)| (&processes[*process], &processes[*process].ops[*op]))
    }

    /// Returns the index of the cursor among the visible ops.
    #[must_use]
    pub(crate) fn index(&self) -> usize {
        let is_it = |(process, op): (&ProcessOps, &OpL1)| {
            self.cursor
                .as_ref()
                .is_some_and(|(pid, name)| (*pid, name) == (process.owner.pid, &op.op))
        };
        self.shown().position(is_it).unwrap_or(0)
    }

    /// Returns the selected op and its process.
    #[must_use]
    pub(crate) fn current(&self) -> Option<(&ProcessOps, &OpL1)> {
        self.shown().nth(self.index())
    }
}

impl App {
    /// Stores a list, unless its view was closed meanwhile.
    pub(super) fn store_ops(&mut self, at: Moment, list: Vec<ProcessOps>) {
        if self.view == View::Ops {
            let heard = self.replay.is_none().then_some(self.now);
            self.ops.listed.store(heard, (at, list), self.frozen);
        }
    }

    /// True if the list belongs to another moment than the rest of the screen.
    pub(crate) fn ops_lag(&self) -> bool {
        self.lags(self.ops.listed.read.as_ref().map(|(at, _)| *at))
    }

    /// Selects and sorts the visible ops, if any input changed.
    pub(super) fn choose_ops(&mut self) {
        let Some((read, processes)) = &self.ops.listed.read else { return };
        let inputs = self.inputs(*read, self.ops.key, self.ops.reversed);
        if self.ops.visible.is_by(&inputs) {
            return;
        }
        let is_shown = |process: &ProcessOps, op: &OpL1| {
            self.selects(process, op) && self.filter.shows_op(process, op)
        };
        let mut shown = Vec::new();
        for (number, process) in processes.iter().enumerate() {
            let ops = process.ops.iter().enumerate().filter(|(_, op)| is_shown(process, op));
            shown.extend(ops.map(|(op, _)| (number, op)));
        }
        let op = |(process, op): &(usize, usize)| &processes[*process].ops[*op];
        order::sort_by(&mut shown, |one, other| inputs.key.compare(op(one), op(other)));
        self.ops.visible = Visible::new(shown, inputs);
    }

    /// True if an op belongs to the subject that is shown alone.
    fn selects(&self, process: &ProcessOps, op: &OpL1) -> bool {
        match self.only {
            Only::All => true,
            Only::Process(id) => process.owner.pid == id.pid,
            Only::Chip(id) => {
                let chips = self.snapshot().map(|snapshot| snapshot.chips.as_slice());
                let chip = chips.unwrap_or_default().iter().find(|chip| chip.id == id);
                chip.is_some_and(|chip| op.chips.iter().any(|its| its.index == Some(chip.index)))
            }
        }
    }

    /// Moves the cursor.
    pub(super) fn step_op(&mut self, step: Step) {
        let index = moved(self.ops.index(), self.ops.visible.rows().len(), step, self.page);
        self.put_op_cursor(index);
    }

    /// Selects a visible op.
    pub(super) fn put_op_cursor(&mut self, index: usize) {
        let id =
            self.ops.shown().nth(index).map(|(process, op)| (process.owner.pid, op.op.clone()));
        self.ops.cursor = id;
    }

    /// Sorts by a column, or reverses the order if that is the column already.
    pub(super) fn sort_ops(&mut self, key: OpColumn) {
        let ops = &mut self.ops;
        (ops.key, ops.reversed) = (key, ops.key == key && !ops.reversed);
    }
}
