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
    /// When it was made.
    time_us: Timestamp,
}

impl About {
    /// The path of the file in a capture.
    pub(crate) const PATH: &str = "/ttmem-capture.json";

    /// Describes a capture that this version makes.
    #[must_use]
    pub(crate) fn new(time: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: "1.0".to_owned(),
            ttmem: env!("CARGO_PKG_VERSION").to_owned(),
            time_us: time,
        }
    }
}

/// Returns the time at which a captured host was read; `None` if `ttmem capture` did not make it.
#[must_use]
pub(crate) fn time_of(root: &Root) -> Option<Timestamp> {
    let file = root.read(About::PATH, MAX_BYTES).ok()?;
    let about: About = serde_json::from_slice(&file.bytes).ok()?;
    (about.schema == SCHEMA).then_some(about.time_us)
}
