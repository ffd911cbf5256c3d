//! Limits that no tensor has a part in: channels of the fabric, arenas of host memory, runtime arguments, entries; and what is
//! refused without a number.

use serde::Serialize;

/// A need that is larger than a limit of TT-Metal, or an op that does without L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FixedLimit {
    /// The limit.
    pub(crate) what: Fixed,
    /// The need, in the unit of `what`.
    pub(crate) need: Option<u64>,
    /// The limit, in the unit of `what`.
    pub(crate) limit: Option<u64>,
    /// The kernel or op that the message names.
    pub(crate) name: Option<String>,
}

/// What has such a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fixed {
    /// Bytes of the fabric's channels in an Ethernet core.
    FabricChannels,
    /// Bytes of a socket's ring in an arena of host memory.
    HostArena,
    /// Runtime arguments of a kernel on one core.
    RuntimeArgs,
    /// Bytes of the runtime arguments of a kernel on one core.
    RuntimeArgBytes,
    /// Entries of a dataflow buffer.
    Entries,
    /// Bytes of a global circular buffer in each receiving core.
    GlobalBuffer,
    /// Bytes of DRAM in each bank that the buffers of a compiled function take at once.
    CompiledDram,
    /// Tokens of the longest sequence in vLLM's KV cache.
    KvCache,
    /// No number: an op that cannot shard its output keeps it in DRAM.
    DramOutput,
    /// No number: sub-devices that hold buffers are to be replaced by others.
    SubDeviceSwitch,
    /// No number: a file in `/dev/shm` that the system refuses.
    SharedFile,
}
