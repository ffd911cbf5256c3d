//! Namespaces of all processes, remembered from one pass to the next: a host may have ten thousand processes, of which few are new.
//!
//! Any process can have a `/dev/shm` of its own: a simulated chip has no device that would name its owner. The kernel gives the directory of each
//! process an inode, so that a number that another process has taken is seen at once. A process can change its mount namespace while it runs; most
//! do so when they start. Its pid namespace stays the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use ttmem_model::order::Gather as _;
use ttmem_model::{Pid, Timestamp};
use ttmem_root::{Clock, Root};

use super::process::{mount_namespace, own_mount_namespace, pid_namespace};

/// Passes in which a new process is read.
const FIRST_READS: u8 = 3;
/// Passes in which each process is read once.
const TURNS: u32 = 16;
/// Age after which a process is read in any case, in microseconds: passes may be a minute apart.
const MOST_MICROS: u64 = 20_000_000;

/// Namespaces of the processes of one host.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Ascending.
    processes: Vec<Process>,
    turn: u32,
}

#[derive(Clone, Debug)]
struct Process {
    pid: i32,
    inode: u64,
    /// Mount namespace, as the kernel names it; `None` if reading it is not permitted.
    namespace: Option<Arc<str>>,
    read_at: Timestamp,
    /// Times that it was read, up to [`FIRST_READS`].
    reads: u8,
    /// True if its pid namespace is not ours; `None` until that is asked.
    is_elsewhere: Option<bool>,
}

impl Namespaces {
    /// Lists the processes of a host. Reads those that are new, those whose turn it is, and each that was not read for long.
    pub(crate) fn read(&mut self, root: &Root, clock: Clock) {
        self.turn = (self.turn + 1) % TURNS;
        let (turn, now) = (self.turn, clock.now());
        self.update(root, now, |known| {
            let age = now.0.saturating_sub(known.read_at.0);
            known.reads >= FIRST_READS
                && known.pid.unsigned_abs() % TURNS != turn
                && age < MOST_MICROS
        });
    }

    /// Lists the processes again, and reads those that were not there.
    pub(crate) fn read_new(&mut self, root: &Root, clock: Clock) {
        self.update(root, clock.now(), |_| true);
    }

    fn update(&mut self, root: &Root, now: Timestamp, is_kept: impl Fn(&Process) -> bool) {
        let listed = root.list_numbers("/proc").unwrap_or_default();
        let mut names: BTreeSet<Arc<str>> =
            self.processes.iter().filter_map(|process| process.namespace.clone()).gather();
        let mut known = std::mem::take(&mut self.processes).into_iter().peekable();
        for (pid, inode) in listed {
            while known.next_if(|known| known.pid < pid).is_some() {}
            let same = known.next_if(|known| known.pid == pid && known.inode == inode);
            let same = same.filter(|_| inode != 0);
            if let Some(same) = same.as_ref().filter(|known| is_kept(known)) {
                self.processes.push(same.clone());
                continue;
            }
            let namespace = mount_namespace(root, Pid(pid)).map(|name| {
                let name: Arc<str> = name.into();
                let shared = names.get(&name).cloned();
                shared.unwrap_or_else(|| {
                    names.insert(Arc::clone(&name));
                    name
                })
            });
            let reads = same.as_ref().map_or(1, |same| FIRST_READS.min(same.reads + 1));
            let is_elsewhere = same.and_then(|same| same.is_elsewhere);
            let process = Process { pid, inode, namespace, read_at: now, reads, is_elsewhere };
            self.processes.push(process);
        }
    }

    /// True if no process is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// The processes whose pid namespace is not ours, or not known.
    pub(crate) fn elsewhere(&mut self, root: &Root) -> impl Iterator<Item = Pid> {
        let own = pid_namespace(root, "self");
        for process in &mut self.processes {
            let is_other = || own.is_none() || pid_namespace(root, &process.pid.to_string()) != own;
            process.is_elsewhere = Some(process.is_elsewhere.unwrap_or_else(is_other));
        }
        let all = self.processes.iter();
        all.filter(|process| process.is_elsewhere == Some(true)).map(|process| Pid(process.pid))
    }

    /// The processes in any of these namespaces.
    pub(crate) fn inside(&self, namespaces: &BTreeSet<String>) -> impl Iterator<Item = Pid> {
        let is_inside = |process: &&Process| {
            process.namespace.as_deref().is_some_and(|name| namespaces.contains(name))
        };
        self.processes.iter().filter(is_inside).map(|process| Pid(process.pid))
    }

    /// One process of each mount namespace other than ours that may have a `/dev/shm` of its own: those of the owners,
    /// and every other that we may look into.
    pub(crate) fn others(&self, root: &Root, owners: &BTreeSet<Pid>) -> Vec<Pid> {
        let own = own_mount_namespace(root);
        let of_owners: Vec<_> =
            owners.iter().map(|pid| (*pid, mount_namespace(root, *pid))).collect();
        let of_owners = of_owners.iter().map(|(pid, name)| (*pid, name.as_deref()));
        let all = self.processes.iter().map(|all| (Pid(all.pid), all.namespace.as_deref()));
        let all = all.filter(|(pid, _)| !owners.contains(pid));
        let mut seen: BTreeSet<&str> = own.as_deref().into_iter().gather();
        let mut found = Vec::new();
        for (pid, namespace) in of_owners.chain(all) {
            match namespace {
                Some(namespace) => found.extend(seen.insert(namespace).then_some(pid)),
                // A capture may have no namespaces; a region under two paths is read once anyway.
                None if owners.contains(&pid) || own.is_none() => found.push(pid),
                None => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn enter(host: &Path, pid: i32, namespace: u32) {
        let folder = host.join(format!("proc/{pid}/ns"));
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join("mnt");
        fs::remove_file(&link).ok();
        symlink(format!("mnt:[{namespace}]"), link).unwrap();
    }

    fn host(count: i32) -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("proc/self/ns");
        fs::create_dir_all(&own).unwrap();
        symlink("mnt:[1]", own.join("mnt")).unwrap();
        (1..=count).for_each(|pid| enter(directory.path(), pid, 1));
        let root = Root::directory(directory.path()).unwrap();
        (directory, root)
    }

    /// Seconds since 1970.
    fn at(seconds: u64) -> Clock {
        Clock::Fixed(Timestamp(seconds * 1_000_000))
    }

    fn fresh(root: &Root) -> Vec<Pid> {
        let mut fresh = Namespaces::default();
        fresh.read(root, at(0));
        fresh.others(root, &BTreeSet::new())
    }

    #[test]
    fn what_is_remembered_is_what_is_read_anew() {
        let (directory, root) = host(40);
        let mut kept = Namespaces::default();
        let mut pass = 0;
        let mut after = |passes: u64| {
            for _ in 0..passes {
                pass += 1;
                kept.read(&root, at(pass));
            }
            kept.others(&root, &BTreeSet::new())
        };
        assert_eq!(after(u64::from(FIRST_READS) + 1), []);
        // A new process, which enters its namespace after it was seen.
        enter(directory.path(), 77, 1);
        assert_eq!(after(1), []);
        enter(directory.path(), 77, 2);
        assert_eq!(after(1), [Pid(77)]);
        // Another process with the number of one that was seen.
        fs::rename(directory.path().join("proc/5"), directory.path().join("old")).unwrap();
        enter(directory.path(), 5, 3);
        assert_eq!(after(1), [Pid(5), Pid(77)]);
        // An old process.
        enter(directory.path(), 9, 4);
        assert_eq!(after(u64::from(TURNS)), [Pid(5), Pid(9), Pid(77)]);
        fs::remove_dir_all(directory.path().join("proc/77")).unwrap();
        assert_eq!(after(1), [Pid(5), Pid(9)]);
        assert_eq!(after(0), fresh(&root));
    }

    #[test]
    fn every_process_is_read_where_passes_are_far_apart() {
        let (directory, root) = host(40);
        let mut kept = Namespaces::default();
        (0..8).for_each(|pass| kept.read(&root, at(pass)));
        (1..=40).for_each(|pid| enter(directory.path(), pid, 100 + pid.unsigned_abs()));
        kept.read(&root, at(60));
        assert_eq!(kept.others(&root, &BTreeSet::new()).len(), 40);
    }

    #[test]
    fn a_pid_namespace_is_read_once_for_each_process() {
        let (directory, root) = host(3);
        let link = |process: &str, namespace: u32| {
            let link = directory.path().join(format!("proc/{process}/ns/pid"));
            fs::remove_file(&link).ok();
            symlink(format!("pid:[{namespace}]"), link).unwrap();
        };
        for (process, own) in [("self", 1), ("1", 1), ("2", 5), ("3", 1)] {
            link(process, own);
        }
        let mut kept = Namespaces::default();
        let mut elsewhere = || {
            kept.read(&root, at(0));
            kept.elsewhere(&root).collect::<Vec<_>>()
        };
        assert_eq!(elsewhere(), [Pid(2)]);
        link("1", 6);
        enter(directory.path(), 4, 1);
        link("4", 6);
        assert_eq!(elsewhere(), [Pid(2), Pid(4)]);
        fs::rename(directory.path().join("proc/1"), directory.path().join("old")).unwrap();
        enter(directory.path(), 1, 1);
        link("1", 7);
        assert_eq!(elsewhere(), [Pid(1), Pid(2), Pid(4)]);
    }

    #[test]
    fn a_process_that_came_meanwhile_is_found() {
        let (directory, root) = host(3);
        let mut kept = Namespaces::default();
        kept.read(&root, at(0));
        enter(directory.path(), 50, 7);
        kept.read_new(&root, at(0));
        let inside: Vec<Pid> = kept.inside(&BTreeSet::from(["mnt:[7]".to_owned()])).collect();
        assert_eq!(inside, [Pid(50)]);
        assert!(!kept.is_empty());
    }
}
