//! Recorded snapshots by the rules of this version.

use ttmem_merge::merge;
use ttmem_model::Snapshot;
use ttmem_recording::{Damage, Moment};

/// Returns the snapshot of a recorded moment: its facts merged, or the recorded snapshot where there are none.
///
/// # Errors
/// If the recording is damaged.
pub fn snapshot(moment: &Moment) -> Result<Snapshot, Damage> {
    match merged(moment) {
        Some(snapshot) => Ok(snapshot),
        None => moment.snapshot(),
    }
}

/// Returns the facts of a recorded moment, merged; `None` if there are none that this version reads.
#[must_use]
pub fn merged(moment: &Moment) -> Option<Snapshot> {
    let recorded = moment.facts().ok().flatten()?;
    Some(merge(&recorded.facts, recorded.previous.as_ref()))
}
