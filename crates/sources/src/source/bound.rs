//! Bounds on what one user can make ttmem read: where any user may create files, one user can create many.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::Pid;
use ttmem_model::facts::{Bounded, Excess};
use ttmem_model::order;
use ttmem_root::Root;

use super::process::Users;
use super::shared_memory::Directory;

/// The most regions, and the most segments, of one user that are read in a directory. A process has one segment, a chip one
/// region: a host with 32 chips has 32 regions.
pub(crate) const FILES_OF_USER: usize = 256;
/// The most regions, and the most segments, of all users that are read in a directory.
const FILES: usize = 4096;
/// The most mount namespaces of one user that are searched, besides those of the owners of devices.
pub(crate) const NAMESPACES_OF_USER: usize = 64;

/// Returns the names that are read, in order, and what is not read. For each user, names with `true` come first, then
/// the newest.
pub(crate) fn bound<'a>(
    root: &Root,
    directory: &Directory,
    what: Bounded,
    names: Vec<(&'a str, bool)>,
) -> (Vec<&'a str>, Vec<Excess>) {
    if names.len() <= FILES_OF_USER {
        return (names.into_iter().map(|(name, _)| name).collect(), Vec::new());
    }
    let mut files = Vec::new();
    let mut of_user: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    for (name, is_preferred) in names {
        let Ok(status) = root.entry_status(&format!("{}/{name}", directory.path)) else { continue };
        *of_user.entry(status.uid).or_default() += 1;
        files.push((!is_preferred, -status.changed_ns, name, status.uid));
    }
    order::sort(&mut files);
    let (mut kept, mut read) = (BTreeSet::new(), BTreeMap::new());
    for (_, _, name, uid) in files {
        let read: &mut usize = read.entry(uid).or_default();
        if *read < FILES_OF_USER && kept.len() < FILES {
            *read += 1;
            kept.insert(name);
        }
    }
    let mut users = Users::default();
    let mut excess = Excess {
        what,
        user: None,
        directory: directory.path.clone(),
        count: of_user.values().sum(),
        read: kept.len(),
    };
    // Many users with a few files each are one line.
    if of_user.len() > FILES_OF_USER && kept.len() == FILES {
        return (kept.into_iter().collect(), vec![excess]);
    }
    let too_many = of_user.into_iter().filter(|(uid, count)| read.get(uid) < Some(count));
    let excess = too_many.map(|(uid, count)| {
        excess.user = uid.map(|uid| users.name(root, uid));
        Excess { count, read: read.get(&uid).copied().unwrap_or(0), ..excess.clone() }
    });
    (kept.iter().copied().collect(), excess.collect())
}

/// Returns one process of each mount namespace that is searched, and what is not.
pub(crate) fn bound_namespaces(
    root: &Root,
    owners: &BTreeSet<Pid>,
    namespaces: Vec<Pid>,
) -> (Vec<Pid>, Vec<Excess>) {
    if namespaces.len() <= NAMESPACES_OF_USER {
        return (namespaces, Vec::new());
    }
    let mut of_user: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for pid in namespaces {
        let is_owner = owners.contains(&pid);
        let uid = root.entry_status(&format!("/proc/{pid}")).ok().and_then(|status| status.uid);
        let count = of_user.entry(uid).or_default();
        *count += usize::from(!is_owner);
        if is_owner || *count <= NAMESPACES_OF_USER {
            kept.push(pid);
        }
    }
    let mut users = Users::default();
    let too_many = of_user.into_iter().filter(|(_, count)| *count > NAMESPACES_OF_USER);
    let excess = too_many.map(|(uid, count)| Excess {
        what: Bounded::MountNamespaces,
        user: uid.map(|uid| users.name(root, uid)),
        directory: String::new(),
        count,
        read: NAMESPACES_OF_USER,
    });
    (kept, excess.collect())
}

#[cfg(test)]
mod tests {
    use ttmem_root::{Entry, Tree};

    use super::*;
    use crate::source::shared_memory::SharedMemory;

    #[test]
    fn the_files_of_one_user_are_bounded_and_those_of_others_are_all_read() {
        let mut tree = Tree::new();
        tree.put_line("/etc/passwd", "eve:x:666:666::/:/bin/sh");
        for (uid, count) in [(666, 1000), (7, 3), (0, FILES_OF_USER)] {
            for number in 0..count {
                let entry = Entry::File { bytes: Vec::new(), uid };
                tree.put(format!("/dev/shm/{uid}-{number}"), entry);
            }
        }
        let root = Root::memory(tree);
        let memory = SharedMemory::list(&root, &[]);
        let directory = &memory.directories[0];
        let all: Vec<&str> = directory.names.iter().filter_map(|name| name.to_str()).collect();
        let names = all.iter().map(|name| (*name, *name == "666-999")).collect();
        let (read, excess) = bound(&root, directory, Bounded::Segments, names);
        let of = |start: &str| read.iter().filter(|name| name.starts_with(start)).count();
        assert_eq!((of("666-"), of("7-"), of("0-")), (FILES_OF_USER, 3, FILES_OF_USER));
        assert!(read.contains(&"666-999") && read.is_sorted());
        let [Excess { user, count, read, .. }] = &excess[..] else { panic!("{excess:?}") };
        assert_eq!((user.as_deref(), *count, *read), (Some("eve"), 1000, FILES_OF_USER));
    }

    #[test]
    fn files_of_very_many_users_are_one_line() {
        let mut tree = Tree::new();
        for uid in 0..5000 {
            tree.put(format!("/dev/shm/{uid}"), Entry::File { bytes: Vec::new(), uid });
        }
        let root = Root::memory(tree);
        let memory = SharedMemory::list(&root, &[]);
        let names = memory.directories[0].names.iter();
        let names = names.filter_map(|name| Some((name.to_str()?, false))).collect();
        let (read, excess) = bound(&root, &memory.directories[0], Bounded::Regions, names);
        assert_eq!((read.len(), excess.len()), (FILES, 1));
        assert_eq!((excess[0].user.as_deref(), excess[0].count), (None, 5000));
    }

    #[test]
    fn the_namespaces_of_an_owner_are_always_searched() {
        let mut tree = Tree::new();
        for pid in 1..=200 {
            tree.put_line(format!("/proc/{pid}/comm"), "x");
        }
        let root = Root::memory(tree);
        let owners = BTreeSet::from([Pid(200)]);
        let (kept, excess) = bound_namespaces(&root, &owners, (1..=200).map(Pid).collect());
        assert_eq!(kept.len(), NAMESPACES_OF_USER + 1);
        assert_eq!((kept.last(), excess[0].count), (Some(&Pid(200)), 199));
    }
}
