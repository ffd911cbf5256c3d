//! The L1 of chips, core by core, as the page's map of cores needs it.

use serde::Serialize;
use ttmem_model::l1::report::{CoreReport, L1Report};
use ttmem_model::l1::{CoreState, RegionKind};
use ttmem_model::{ChipId, Timestamp};

/// The L1 of chips at a moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct L1Moment {
    /// Time of the sample.
    pub(crate) time_us: Timestamp,
    /// The chips.
    pub(crate) chips: Vec<L1Chip>,
}

/// The cores of a chip.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct L1Chip {
    /// ASIC id, where the port knows it.
    pub(crate) id: Option<ChipId>,
    /// Cores whose position is known.
    pub(crate) cores: Vec<L1Core>,
}

/// The content of the L1 of a core.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct L1Core {
    /// Column and row.
    pub(crate) position: [u8; 2],
    /// The state.
    pub(crate) state: CoreState,
    /// Bytes of circular buffers, if that is known.
    pub(crate) circular_buffers: Option<u64>,
    /// Bytes of kernel text, if that is known.
    pub(crate) kernels: Option<u64>,
    /// Bytes of tensors, as far as they are known.
    pub(crate) tensors: u64,
    /// Names of its kernels, each once.
    pub(crate) names: Vec<String>,
}

impl L1Moment {
    /// The part of a report that the page needs.
    #[must_use]
    pub(crate) fn new(time_us: Timestamp, report: &L1Report) -> Self {
        let chip = |chip: &ttmem_model::l1::report::ChipReport| L1Chip {
            id: chip.id,
            cores: chip.cores.iter().filter_map(core).collect(),
        };
        Self { time_us, chips: report.chips.iter().map(chip).collect() }
    }
}

fn core(core: &CoreReport) -> Option<L1Core> {
    let position = core.logical?;
    let mut names: Vec<String> = Vec::new();
    for kernel in &core.kernels {
        let name = kernel.name.clone().or_else(|| kernel.id.map(|id| format!("kernel {id}")));
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    Some(L1Core {
        position: [position.x, position.y],
        state: core.state,
        circular_buffers: core.circular_buffer_bytes.value(),
        kernels: core.kernel_text_bytes.value(),
        tensors: core.bytes(RegionKind::L1).saturating_add(core.bytes(RegionKind::L1Small)),
        names,
    })
}
