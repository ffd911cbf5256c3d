//! Peaks in TT-Metal's memory regions, of a process that no agent can count in.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_analysis::run_report::RegionPeak;
use ttmem_model::Kind;
use ttmem_model::order::Gather as _;
use ttmem_model::reading::Quality;
use ttmem_root::Root;
use ttmem_sources::source::upstream::region_at;

/// The most regions of a process that are sampled.
const MAX_REGIONS: usize = 64;

/// The most bytes so far, by region and kind.
#[derive(Debug, Default)]
pub(super) struct RegionPeaks(BTreeMap<(u64, Kind), u64>);

impl RegionPeaks {
    /// Samples the regions in the maps of a process, which has the number `inner` in its own namespace.
    pub(super) fn sample(&mut self, pid: u32, inner: i32, maps: &str) {
        let root = Root::system();
        for path in regions(maps).into_iter().take(MAX_REGIONS) {
            let Some((id, content)) = region_at(&root, &format!("/proc/{pid}/root{path}")) else {
                continue;
            };
            for slot in content.slots.iter().filter(|slot| slot.pid == inner) {
                for (kind, bytes) in slot.bytes.allocators() {
                    let peak = self.0.entry((id, kind.into())).or_default();
                    *peak = bytes.max(*peak);
                }
            }
        }
    }

    /// The peaks that are not 0. `None` if the process was in no sample.
    pub(super) fn finish(self) -> Option<Vec<RegionPeak>> {
        let peak = |((unique_id, kind), bytes)| RegionPeak {
            unique_id,
            index: None,
            kind,
            bytes,
            quality: Quality::Approximate,
        };
        let used = |peak: &RegionPeak| peak.bytes > 0;
        (!self.0.is_empty()).then(|| self.0.into_iter().map(peak).filter(used).collect())
    }
}

/// Paths of the regions in the maps of a process.
fn regions(maps: &str) -> BTreeSet<&str> {
    let paths = maps.lines().filter_map(|line| line.split_ascii_whitespace().nth(5));
    paths.filter(|path| path.starts_with("/dev/shm/tt_device_")).gather()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_is_mapped_twice_is_sampled_once() {
        let maps = "7f00-7f01 rw-s 00000000 00:1b 12 /dev/shm/tt_device_7_memory\n\
                    7f02-7f03 rw-s 00002000 00:1b 12 /dev/shm/tt_device_7_memory\n\
                    7f04-7f05 rw-s 00000000 00:1b 13 /dev/shm/ttmem-1-2\n7f06-7f07 rw-p 00000000 00:00 0";
        assert_eq!(regions(maps).into_iter().collect::<Vec<_>>(), ["/dev/shm/tt_device_7_memory"]);
    }

    #[test]
    fn no_sample_is_not_a_peak_of_0() {
        assert_eq!(RegionPeaks::default().finish(), None);
        let idle = RegionPeaks(BTreeMap::from([((7, Kind::Dram), 0)]));
        assert_eq!(idle.finish(), Some(Vec::new()));
        let used = RegionPeaks(BTreeMap::from([((7, Kind::Dram), 5), ((7, Kind::L1), 0)]));
        let peaks = used.finish().unwrap();
        assert_eq!((peaks.len(), peaks[0].kind, peaks[0].bytes), (1, Kind::Dram, 5));
    }
}
