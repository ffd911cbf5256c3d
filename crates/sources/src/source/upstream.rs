//! Source `upstream`: the shared memory regions that stock TT-Metal (0.70 and newer) writes.
//!
//! One file per chip, `/dev/shm/tt_device_<id>_memory`, owned by the user of the process that made it, mode 0600.
//! Files are read, never mapped: their writer may truncate them.

mod layout;

use ttmem_model::SourceName;
use ttmem_model::facts::{Bounded, Excess, Field, RegionContent, RegionFile};
use ttmem_model::reading::Missing;
use ttmem_model::snapshot::{Source, SourceStatus};

use crate::source::bound::bound;
use crate::source::process::Users;
use crate::source::shared_memory::{Directory, SharedMemory};
use ttmem_root::clock::Clock;
use ttmem_root::{OpenRegulars, Root, Settled, Settler};

pub(crate) use layout::SIZE;
pub use layout::parse;

/// Pairs of reads before a region that keeps changing counts as torn. The tightest loop of allocations
/// changes it every few microseconds; a pair of reads takes about two.
const MAX_READS: usize = 64;

/// The regions of one host.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    regions: Vec<RegionFile>,
    /// Directories that could not be listed.
    denied: Vec<String>,
    /// Files whose names look like a region's and have no number in them.
    nameless: usize,
    /// Regions that are not read, because one user has too many.
    excess: Vec<Excess>,
    users: Users,
}

impl Upstream {
    /// Reads the regions in these directories. Those of this namespace's own stay open for the next time.
    #[must_use]
    pub(crate) fn read(
        root: &Root,
        clock: Clock,
        memory: &SharedMemory,
        open: &mut OpenRegulars,
    ) -> Self {
        let mut upstream = Self { denied: memory.denied.clone(), ..Self::default() };
        for directory in &memory.directories {
            let mut settler = root.settler(SIZE, MAX_READS);
            // An open file of a container's directory would keep that from being unmounted.
            if let Some(identity) = directory.identity.filter(|_| directory.through.is_empty()) {
                settler = settler.keeping(open, identity);
            }
            upstream.read_directory(root, &mut settler, clock, directory);
        }
        upstream
    }

    fn read_directory(
        &mut self,
        root: &Root,
        settler: &mut Settler<'_>,
        clock: Clock,
        directory: &Directory,
    ) {
        let names = directory.names.iter().filter_map(|name| name.to_str());
        let names: Vec<&str> = names.filter(|name| number_in(name).is_some()).collect();
        let numbered = names.iter().filter(|name| id_in(name).is_some());
        let numbered: Vec<(&str, bool)> = numbered.map(|name| (*name, false)).collect();
        self.nameless += names.len() - numbered.len();
        let (names, excess) = bound(root, directory, Bounded::Regions, numbered);
        self.excess.extend(excess);
        for name in names {
            let path = format!("{}/{name}", directory.path);
            let Some(id) = id_in(name) else { continue };
            let Some((content, uid)) = read_region(root, settler, &path) else { continue };
            self.regions.push(RegionFile {
                path,
                id,
                through: directory.through.clone(),
                uid,
                user: uid.map(|uid| self.users.name(root, uid)),
                read_at: clock.now(),
                content,
            });
        }
    }

    /// Returns the regions that are not read, because one user has too many.
    pub(crate) fn excess(&self) -> &[Excess] {
        &self.excess
    }

    /// The regions, and how the source did as a whole.
    #[must_use]
    pub(crate) fn finish(self, cost_us: u64) -> (Vec<RegionFile>, Source) {
        let (status, detail) = self.status();
        (self.regions, Source { name: SourceName::Upstream, status, detail, cost_us })
    }

    fn status(&self) -> (SourceStatus, String) {
        let total = self.regions.len();
        let read = self.regions.iter().filter(|region| region.content.is_ok()).count();
        let forbidden = self.regions.iter().filter(|region| is_denied(&region.content)).count();
        let mut notes = Vec::new();
        if forbidden > 0 {
            notes.push(format!("{forbidden} of another user"));
        }
        if total > read + forbidden {
            notes.push(format!("{} not usable", total - read - forbidden));
        }
        if self.nameless > 0 {
            notes.push(format!("{} without a number in its name", self.nameless));
        }
        notes.extend(self.denied.iter().map(|directory| format!("{directory} is not readable")));
        let status = match (total, read) {
            (_, 1..) => SourceStatus::Ok,
            (0, 0) if self.denied.is_empty() && self.nameless == 0 => SourceStatus::Absent,
            (0, 0) if !self.denied.is_empty() => SourceStatus::Denied,
            _ if forbidden > 0 && forbidden == total => SourceStatus::Denied,
            _ => SourceStatus::Failed,
        };
        let mut detail = match read {
            0 if total == 0 => "no memory region of TT-Metal found".to_owned(),
            1 => "1 region".to_owned(),
            count => format!("{count} regions"),
        };
        if !notes.is_empty() {
            detail = format!("{detail}; {}", notes.join("; "));
        }
        (status, detail)
    }
}

/// The part of a region's name that should be a number; `None` if it is not named like a region.
fn number_in(name: &str) -> Option<&str> {
    name.strip_prefix("tt_device_")?.strip_suffix("_memory")
}

/// The number in a region's name.
fn id_in(name: &str) -> Option<u64> {
    number_in(name)?.parse().ok()
}

/// Reads a region and its owner; `None` if it was removed.
fn read_region(
    root: &Root,
    settler: &mut Settler<'_>,
    path: &str,
) -> Option<(Field<RegionContent>, Option<u32>)> {
    let error = match settler.read(path) {
        Ok(Settled { bytes: Some(bytes), status }) => {
            return Some((parse(bytes).map_err(|error| error.missing()), status.uid));
        }
        Ok(Settled { bytes: None, status }) => return Some((Err(torn()), status.uid)),
        Err(error) => error,
    };
    if error.is_absent() {
        return None;
    }
    if error.is_irregular() {
        return Some((Err(error.missing()), None));
    }
    let why = match error.is_denied() {
        true => denied(path),
        false => Missing::failed(error.errno.to_string()),
    };
    Some((Err(why), root.status(path).ok().and_then(|status| status.uid)))
}

/// Reads the region at a path: the number in its name, and its content. `None` if it is no region, or cannot be read.
#[must_use]
pub fn region_at(root: &Root, path: &str) -> Option<(u64, RegionContent)> {
    let id = id_in(path.rsplit('/').next()?)?;
    let (content, _) = read_region(root, &mut root.settler(SIZE, MAX_READS), path)?;
    Some((id, content.ok()?))
}

fn is_denied(content: &Field<RegionContent>) -> bool {
    content
        .as_ref()
        .is_err_and(|missing| missing.reason == ttmem_model::reading::MissingReason::Denied)
}

fn denied(path: &str) -> Missing {
    Missing::denied(format!(
        "{path}: permission denied; it belongs to another user (mode 0600): run as that user or as root"
    ))
}

fn torn() -> Missing {
    Missing::failed(format!("the region changed during each of {MAX_READS} reads"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_model::Pid;
    use ttmem_root::{Entry, Tree};

    fn region(updated: u64) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[0] = 3;
        bytes[8..16].copy_from_slice(&updated.to_le_bytes());
        for row in 0..16 {
            bytes[88 + 48 * row..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        bytes
    }

    fn read(entry: Entry) -> Upstream {
        let mut tree = Tree::new();
        tree.put("/dev/shm/tt_device_5_memory", entry);
        let root = Root::memory(tree);
        let memory = SharedMemory::list(&root, &[]);
        Upstream::read(
            &root,
            Clock::Fixed(ttmem_model::Timestamp(0)),
            &memory,
            &mut OpenRegulars::default(),
        )
    }

    #[test]
    fn a_torn_region_is_read_again() {
        let upstream = read(Entry::changing(vec![Entry::file(region(1)), Entry::file(region(2))]));
        assert_eq!(upstream.regions[0].content.as_ref().unwrap().updated_ns, 2);
    }

    #[test]
    fn a_region_that_never_stands_still_is_torn() {
        let copies = (0..200).map(|time| Entry::file(region(time))).collect();
        let upstream = read(Entry::changing(copies));
        assert!(upstream.regions[0].content.as_ref().unwrap_err().detail.contains("changed"));
        assert_eq!(upstream.finish(0).1.status, SourceStatus::Failed);
    }

    #[test]
    fn a_link_is_not_followed() {
        let mut tree = Tree::new();
        tree.put("/home/eve/region", Entry::file(region(1)));
        tree.put("/dev/shm/tt_device_5_memory", Entry::Link("/home/eve/region".to_owned()));
        let root = Root::memory(tree);
        let clock = Clock::Fixed(ttmem_model::Timestamp(0));
        let upstream = Upstream::read(
            &root,
            clock,
            &SharedMemory::list(&root, &[]),
            &mut OpenRegulars::default(),
        );
        let missing = upstream.regions[0].content.as_ref().unwrap_err();
        assert_eq!(missing.detail, "tt_device_5_memory is not a regular file");
    }

    #[test]
    fn a_region_of_another_user_is_denied() {
        let upstream = read(Entry::Error(rustix::io::Errno::ACCESS));
        assert!(is_denied(&upstream.regions[0].content));
        assert_eq!(upstream.finish(0).1.status, SourceStatus::Denied);
    }

    #[test]
    fn one_region_under_two_paths_is_one_also_where_it_is_denied() {
        let mut tree = Tree::new();
        tree.put("/dev/shm/tt_device_5_memory", Entry::Error(rustix::io::Errno::ACCESS));
        tree.put("/proc/9/root", Entry::Link("/".into()));
        let root = Root::memory(tree);
        let clock = Clock::Fixed(ttmem_model::Timestamp(0));
        let upstream = Upstream::read(
            &root,
            clock,
            &SharedMemory::list(&root, &[Pid(9)]),
            &mut OpenRegulars::default(),
        );
        assert_eq!(upstream.regions.len(), 1);
    }
}
