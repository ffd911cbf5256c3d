//! The cores of a chip, added up by state.

use serde::{Deserialize, Serialize};

use super::core::{Core, CoreState};
use super::count::Count;
use super::names::KernelNames;
use super::report::CoreReport;
use crate::reading::Missing;

/// The cores in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateTotals {
    /// The number.
    pub cores: u64,
    /// Bytes of circular buffers; in each core every byte counts once.
    pub circular_buffer_bytes: Count,
    /// Bytes of kernel text, the system's among it.
    pub kernel_text_bytes: Count,
    /// Bytes that circular buffers share with allocator buffers.
    pub(crate) aliasing_bytes: Count,
}

/// The cores of a chip by state. Torn cores are in none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    /// Cores whose program is running.
    pub running: StateTotals,
    /// Cores whose last program is over.
    pub finished: StateTotals,
    /// Cores that have had none.
    pub idle: StateTotals,
    /// Cores on which a program is resident by the record of an agent; absent where the cores were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<StateTotals>,
}

impl Totals {
    /// Adds up cores; `is_recorded` is true if an agent recorded them.
    #[must_use]
    pub fn of(cores: &[CoreReport], is_recorded: bool) -> Self {
        let of = |state| {
            let cores = || cores.iter().filter(move |core| core.state == state);
            StateTotals {
                cores: cores().map(|_| 1).sum(),
                circular_buffer_bytes: cores().map(|core| core.circular_buffer_bytes.clone()).sum(),
                kernel_text_bytes: cores().map(|core| core.kernel_text_bytes.clone()).sum(),
                aliasing_bytes: cores().map(|core| core.aliasing_bytes.clone()).sum(),
            }
        };
        Self {
            running: of(CoreState::Running),
            finished: of(CoreState::Finished),
            idle: of(CoreState::Idle),
            resident: is_recorded.then(|| of(CoreState::Resident)),
        }
    }
}

impl KernelNames {
    /// Bytes of kernel text of TT-Metal itself, on all cores. A core none of whose kernels has a name makes it
    /// unknown, because no rule but the name distinguishes them.
    #[must_use]
    pub fn system_text_bytes<'a>(&self, cores: impl IntoIterator<Item = &'a Core>) -> Count {
        let of = |core: &Core| match (&core.program, self.is_system_core(core)) {
            (Some(_), Some(true)) => core.kernel_text_bytes(),
            (None, _) | (Some(_), Some(false)) => Count::Known(0),
            (Some(_), None) => {
                Missing::no_source("Inspector's kernels.yaml does not name the kernels").into()
            }
        };
        cores.into_iter().map(of).sum()
    }
}
