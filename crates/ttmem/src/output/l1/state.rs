//! The state of a core, as the grids of `ttmem l1` and `ttmem top` show it.

use ttmem_model::l1::CoreState;

use crate::output::page::Charset;

/// The state of a core in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellState {
    /// An application's program is running.
    Running,
    /// An application's program is there and is over.
    Finished,
    /// No program has run on the core.
    Idle,
    /// TT-Metal's own kernels are on it.
    System,
    /// The core could not be read.
    Torn,
    /// A program is there, by the record of an agent.
    Resident,
}

impl CellState {
    /// All of them, in the order of a legend.
    pub(crate) const ALL: [Self; 6] =
        [Self::Running, Self::Finished, Self::Resident, Self::Idle, Self::System, Self::Torn];

    /// Returns the state to show of a core, given whether TT-Metal's own kernels are on it.
    #[must_use]
    pub(crate) fn new(state: CoreState, is_system: bool) -> Self {
        match state {
            CoreState::Torn => Self::Torn,
            _ if is_system => Self::System,
            CoreState::Running => Self::Running,
            CoreState::Finished => Self::Finished,
            CoreState::Idle => Self::Idle,
            CoreState::Resident => Self::Resident,
        }
    }

    /// Returns the sign, one column wide.
    #[must_use]
    pub(crate) fn sign(self, charset: Charset) -> &'static str {
        let (unicode, ascii) = match self {
            Self::Running => ("●", "R"),
            Self::Finished => ("○", "f"),
            Self::Resident => ("◉", "r"),
            Self::Idle => ("·", "."),
            Self::System => ("◆", "D"),
            Self::Torn => ("!", "!"),
        };
        match charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }

    /// Returns the word of the legend.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::System => "dispatch",
            Self::Torn => "torn",
            Self::Resident => "resident",
        }
    }
}

/// Returns the sign of a position in the grid where no core answers.
#[must_use]
pub(crate) fn absent(charset: Charset) -> &'static str {
    match charset {
        Charset::Unicode => "×",
        Charset::Ascii => "x",
    }
}
