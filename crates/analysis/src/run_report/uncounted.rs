//! Processes that used TT-Metal where the agent did not see it.

use serde::Serialize;
use ttmem_model::Kind;
use ttmem_model::reading::Quality;

/// A process that used TT-Metal where the agent did not see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uncounted {
    /// Process id on this host.
    pub pid: u32,
    /// Short name.
    pub name: String,
    /// The reason and the remedy.
    pub reason: String,
    /// The peaks that were sampled in TT-Metal's memory regions, of a process whose TT-Metal is linked statically. `None` if no
    /// region was sampled; empty if it had no memory in any sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Vec<RegionPeak>>,
}

/// The most bytes of one kind that a process had in samples of a chip's memory region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionPeak {
    /// The number in the region's name: the unique id of the chip, or 0.
    pub unique_id: u64,
    /// Index of the chip on the host. `None` if the chip is not known there.
    pub index: Option<u32>,
    /// The kind.
    pub kind: Kind,
    /// Requested bytes on the chip. Between two samples it may have been more.
    pub bytes: u64,
    /// Always `approximate`.
    pub quality: Quality,
}
