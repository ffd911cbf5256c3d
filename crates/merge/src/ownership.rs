//! Checks that the owner of a file in shared memory may write about the processes that the file names.
//!
//! TT-Metal and the agent create their files as the user of the process. Any user may create a file with such a name,
//! but none that belongs to another user: a file of neither the process's user nor root is forged.

use ttmem_model::facts::{Facts, ProcessFacts};
use ttmem_model::reading::Missing;

use super::join::Joined;

/// Makes regions and segments unusable that state figures of another user's process.
pub fn reject_forged(facts: &mut Facts) {
    if !is_any_suspect(facts) {
        return;
    }
    let (regions, segments) = forged(facts);
    for (index, why) in regions {
        if let Some(region) = facts.regions.get_mut(index) {
            region.content = Err(why);
        }
    }
    for (index, why) in segments {
        if let Some(segment) = facts.segments.get_mut(index) {
            segment.content = Err(why);
        }
    }
}

/// True if some file is not of the user of every process.
fn is_any_suspect(facts: &Facts) -> bool {
    let mut uids = facts.regions.iter().map(|file| file.uid);
    let mut others = facts.segments.iter().map(|file| file.uid);
    let is_suspect = |uid| facts.processes.values().any(|process| is_of_another(uid, process));
    uids.any(is_suspect) || others.any(is_suspect)
}

/// The indices of a kind of file that are forged, each with the reason.
type Forged = Vec<(usize, Missing)>;

/// Returns the regions and segments that are forged.
fn forged(facts: &Facts) -> (Forged, Forged) {
    let joined = Joined::new(facts);
    let reason = |uid: Option<u32>, user: Option<&str>, pid| {
        let process = facts.processes.get(&pid).filter(|process| is_of_another(uid, process))?;
        let name = |user: Option<&str>| user.unwrap_or("another user").to_owned();
        Some(Missing::failed(format!(
            "it belongs to {}, and process {pid} in it to {}",
            name(user),
            name(process.user.as_deref())
        )))
    };
    let of_region = |(index, file): (usize, &ttmem_model::facts::RegionFile)| {
        let mut writers = joined.writers(index).iter().filter_map(super::join::Owner::live);
        let why = writers.find_map(|pid| reason(file.uid, file.user.as_deref(), pid))?;
        file.content.is_ok().then_some((index, why))
    };
    let of_segment = |(index, file): (usize, &ttmem_model::facts::SegmentFile)| {
        let pid = joined.segment_owner(index).live()?;
        let why = reason(file.uid, file.user.as_deref(), pid)?;
        file.content.is_ok().then_some((index, why))
    };
    let regions = facts.regions.iter().enumerate().filter_map(of_region).collect();
    let segments = facts.segments.iter().enumerate().filter_map(of_segment).collect();
    (regions, segments)
}

/// True if a file belongs to neither the process's user nor root.
fn is_of_another(uid: Option<u32>, process: &ProcessFacts) -> bool {
    uid.is_some_and(|uid| uid != 0 && process.uid.is_some_and(|own| own != uid))
}
