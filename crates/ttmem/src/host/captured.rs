//! The origin of a host that `ttmem capture` saved.

use serde::{Deserialize, Serialize};
use ttmem_model::Timestamp;
use ttmem_root::Root;

/// The name of the format.
const SCHEMA: &str = "ttmem/capture";
/// The most bytes of the file.
const MAX_BYTES: usize = 4096;

/// The origin of a capture, as its JSON file states it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// Always `ttmem/capture`.
    schema: String,
    /// `major.minor` of the format.
    version: String,
    /// The version of the ttmem that made it.
    ttmem: String,
    /// Time at which the capture was made.
    time_us: Timestamp,
    /// True if it was made from the demonstration.
    #[serde(default)]
    demo: bool,
}

impl About {
    /// The path of the file in a capture.
    pub(crate) const PATH: &str = "/ttmem-capture.json";

    /// Describes a capture that this version makes.
    #[must_use]
    pub(crate) fn new(time: Timestamp, demo: bool) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: "1.1".to_owned(),
            ttmem: env!("CARGO_PKG_VERSION").to_owned(),
            time_us: time,
            demo,
        }
    }

    /// Reads the file of a captured host; `None` if `ttmem capture` did not make it.
    #[must_use]
    pub(crate) fn read(root: &Root) -> Option<Self> {
        let file = root.read(Self::PATH, MAX_BYTES).ok()?;
        let about: Self = serde_json::from_slice(&file.bytes).ok()?;
        (about.schema == SCHEMA).then_some(about)
    }

    /// Returns the time at which the host was read.
    #[must_use]
    pub(crate) fn time(&self) -> Timestamp {
        self.time_us
    }

    /// Returns whether the host is the demonstration.
    #[must_use]
    pub(crate) fn is_demo(&self) -> bool {
        self.demo
    }
}
