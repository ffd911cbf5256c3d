//! The files that `ttmem doctor --clean` removes: what ended processes left.

use ttmem_merge::{regions_left, segments_left};
use ttmem_model::facts::{Facts, RegionFile};
use ttmem_root::Root;

/// Bytes of the longest list of mappings that is read.
const MAX_MAPS_BYTES: usize = 16 << 20;

/// A file that can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removable {
    /// Path of the file.
    pub path: String,
    /// Former owner of the file, in words.
    pub whose: String,
}

/// The files in this namespace's own directory whose processes are gone: segments, and memory regions that are of no chip of
/// the host. Nothing else may be removed. Outside the initial pid namespace these are only the segments that record the
/// end of their process.
#[must_use]
pub fn removable(root: &Root, facts: &Facts) -> Vec<Removable> {
    let owned = |user: &Option<String>| user.clone().unwrap_or_else(|| "unknown user".to_owned());
    let segments = segments_left(facts).into_iter().filter(|file| file.through.is_empty());
    let segments = segments.map(|file| Removable {
        path: file.path.clone(),
        whose: format!("process {} of {}, ended", file.pid, owned(&file.user)),
    });
    let mut regions = regions_left(facts);
    regions.retain(|file| file.through.is_empty());
    retain_unmapped(root, &mut regions);
    let regions = regions.into_iter().map(|file| {
        let slots = file.content.as_ref().map_or(&[][..], |content| &content.slots);
        let whose = match slots {
            [] => "no process".to_owned(),
            [slot] => format!("process {}", slot.pid),
            slots => format!("{} processes", slots.len()),
        };
        Removable {
            path: file.path.clone(),
            whose: format!("{whose} of {}, ended", owned(&file.user)),
        }
    });
    segments.chain(regions).collect()
}

/// Keeps the regions that no process has mapped: one that has not allocated has no slot. Others than the owner of a region and
/// root cannot map it.
fn retain_unmapped(root: &Root, regions: &mut Vec<&RegionFile>) {
    if regions.is_empty() {
        return;
    }
    for entry in root.list("/proc").unwrap_or_default() {
        let Some(pid) = entry.to_str().filter(|name| name.parse::<u32>().is_ok()) else { continue };
        let Ok(maps) = root.read(&format!("/proc/{pid}/maps"), MAX_MAPS_BYTES) else { continue };
        // A list that is cut may have had any.
        let is_cut = maps.bytes.len() >= MAX_MAPS_BYTES;
        let maps = String::from_utf8_lossy(&maps.bytes);
        regions.retain(|region| !is_cut && !maps.contains(name(&region.path)));
    }
}

/// The name of a file with the slash before it, which other mount namespaces may have elsewhere.
fn name(path: &str) -> &str {
    path.rfind('/').and_then(|slash| path.get(slash..)).unwrap_or(path)
}
