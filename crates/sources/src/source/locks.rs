//! UMD's locks in shared memory: which process holds one, and which processes wait for it.
//!
//! A lock is a file with a robust, process-shared mutex of glibc, a magic number, and the holder (UMD
//! `robust_mutex.cpp`, x86-64). It is read, never locked.

use ttmem_model::Pid;
use ttmem_model::order;
use ttmem_root::Root;

use super::agent::find_in_other_namespaces;
use super::process::{pids, start_ticks};
use super::shared_memory::SharedMemory;

/// First part of the name of each lock.
const PREFIX: &str = "TT_UMD_LOCK.";
/// Bytes of a lock: `pthread_mutex_t` of glibc (40), the magic number, two ids.
const LOCK_BYTES: usize = 56;
/// Offset of the magic number: after the mutex.
const MAGIC_OFFSET: usize = 40;
/// The magic number, `TTUMDMTX`.
const MAGIC: [u8; 8] = 0x5454_554d_444d_5458_u64.to_le_bytes();
/// Offset of the holder's process id.
const OWNER_OFFSET: usize = 52;
/// Bits of the mutex's first word with the thread that holds it (`FUTEX_TID_MASK` of `linux/futex.h`).
const HOLDER: u32 = 0x3fff_ffff;
/// Bit of the mutex's first word: a thread waits (`FUTEX_WAITERS` of `linux/futex.h`).
const WAITERS: u32 = 0x8000_0000;
/// Number of the system call `futex` (x86-64, aarch64).
const FUTEX: &str = if cfg!(target_arch = "aarch64") { "98" } else { "202" };
/// Most bytes of a process's maps that are searched.
const MAX_MAPS_BYTES: usize = 4 << 20;

/// A lock of UMD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The name without UMD's prefix, such as `CHIP_IN_USE_0_PCIe`.
    pub name: String,
    /// Number of the device that it locks; `None` for a lock of all devices, or of another bus than PCIe.
    pub device: Option<u32>,
    /// The holder; `None` if the lock is free.
    pub holder: Option<Holder>,
}

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Pid in the holder's own namespace, as the holder wrote it.
    pub own_pid: i32,
    /// The process here; `None` if none runs that it can be.
    pub pid: Option<Pid>,
    /// True if another thread waits for the lock.
    pub is_awaited: bool,
    /// The processes that wait, where their threads can be seen: as their user, or as root.
    pub waiters: Vec<Pid>,
}

/// Reads the locks of this namespace and of those that `owners` see. If a holder's pid can mean several processes, an
/// owner is the likeliest.
#[must_use]
pub fn read(root: &Root, owners: &[Pid]) -> Vec<Lock> {
    let memory = SharedMemory::list(root, owners);
    let mut locks = Vec::new();
    for directory in &memory.directories {
        for name in directory.names.iter().filter_map(|name| name.to_str()) {
            let Some(lock_name) = name.strip_prefix(PREFIX) else { continue };
            let path = format!("{}/{name}", directory.path);
            let Ok(file) = root.read_regular(&path, LOCK_BYTES) else { continue };
            let Some(held) = parse(&file.bytes) else { continue };
            let holder = held.map(|(own_pid, is_awaited)| Holder {
                own_pid,
                pid: find(root, own_pid, owners, &directory.through),
                is_awaited,
                waiters: if is_awaited { waiters(root, name) } else { Vec::new() },
            });
            locks.push(Lock { name: lock_name.to_owned(), device: device(lock_name), holder });
        }
    }
    order::sort_by(&mut locks, |one, other| {
        (one.device, &one.name).cmp(&(other.device, &other.name))
    });
    locks
}

/// The holder's own pid and whether a thread waits; the inner `None` if the lock is free, the outer if it is no lock.
fn parse(bytes: &[u8]) -> Option<Option<(i32, bool)>> {
    let word =
        |offset: usize| bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_le_bytes);
    if bytes.get(MAGIC_OFFSET..MAGIC_OFFSET + 8)? != MAGIC {
        return None;
    }
    let state = word(0)?;
    let pid = i32::try_from(word(OWNER_OFFSET)?).ok().filter(|pid| *pid > 0);
    Some(pid.filter(|_| state & HOLDER != 0).map(|pid| (pid, state & WAITERS != 0)))
}

/// The device in a lock's name: `CHIP_IN_USE_3_PCIe` is of device 3.
fn device(name: &str) -> Option<u32> {
    name.strip_suffix("_PCIe")?.rsplit('_').next()?.parse().ok()
}

/// The process that a pid means which its own namespace counts.
fn find(root: &Root, own_pid: i32, owners: &[Pid], through: &[Pid]) -> Option<Pid> {
    let inner = find_in_other_namespaces(root, &[own_pid]);
    let here = Some(Pid(own_pid)).filter(|_| through.is_empty());
    let all = here.into_iter().chain(inner);
    let candidates: Vec<Pid> = all.filter(|pid| may_run(root, *pid)).collect();
    let is_owner = |pid: &&Pid| owners.contains(pid) || through.contains(pid);
    candidates.iter().find(is_owner).or(candidates.first()).copied()
}

/// True if a process is there and has not ended. A capture may have no `stat`.
fn may_run(root: &Root, pid: Pid) -> bool {
    let has_stat = || root.read(&format!("/proc/{pid}/stat"), 4096).is_ok();
    start_ticks(root, pid).is_some() || root.list(&format!("/proc/{pid}")).is_ok() && !has_stat()
}

/// The processes with a thread that waits in `futex` on the first word of a lock.
fn waiters(root: &Root, name: &str) -> Vec<Pid> {
    pids(root).into_iter().filter(|pid| waits(root, *pid, name) == Some(true)).collect()
}

fn waits(root: &Root, pid: Pid, name: &str) -> Option<bool> {
    let maps = root.read(&format!("/proc/{pid}/maps"), MAX_MAPS_BYTES).ok()?;
    let maps = String::from_utf8_lossy(&maps.bytes);
    let start = maps.lines().find(|line| line.ends_with(name))?.split('-').next()?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let tasks = format!("/proc/{pid}/task");
    let is_in_it = |task: &std::ffi::OsString| {
        let call = root.read_text(&format!("{tasks}/{}/syscall", task.to_str()?)).ok()?;
        let mut words = call.split(' ');
        let is_futex = words.next() == Some(FUTEX);
        let address = words.next()?.strip_prefix("0x")?;
        (is_futex && u64::from_str_radix(address, 16).ok()? == start).then_some(())
    };
    Some(root.list(&tasks).ok()?.iter().any(|task| is_in_it(task).is_some()))
}

#[cfg(test)]
mod tests {
    use ttmem_root::{Entry, Tree};

    use super::*;

    fn file(state: u32, pid: i32) -> Entry {
        let mut bytes = vec![0; LOCK_BYTES];
        bytes[..4].copy_from_slice(&state.to_le_bytes());
        bytes[MAGIC_OFFSET..MAGIC_OFFSET + 8].copy_from_slice(&MAGIC);
        bytes[OWNER_OFFSET..].copy_from_slice(&pid.to_le_bytes());
        Entry::file(bytes)
    }

    #[test]
    fn a_holder_and_those_who_wait_are_named() {
        let mut tree = Tree::new();
        let name = "TT_UMD_LOCK.CHIP_IN_USE_3_PCIe";
        tree.put(format!("/dev/shm/{name}"), file(4242 | WAITERS, 4242));
        tree.put("/dev/shm/TT_UMD_LOCK.ARC_MSG", file(0, 9));
        tree.put("/dev/shm/TT_UMD_LOCK.cut", Entry::file("x"));
        let stat = |pid: i32| format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 70 0 0");
        for pid in [4242, 5151, 6161] {
            tree.put_line(format!("/proc/{pid}/stat"), stat(pid));
            let maps = format!("7f10-7f20 rw-s 00000000 00:1a 5 /dev/shm/{name}");
            tree.put_line(format!("/proc/{pid}/maps"), maps);
        }
        tree.put_line("/proc/5151/task/5152/syscall", format!("{FUTEX} 0x7f10 0x0 0x80"));
        tree.put_line("/proc/6161/task/6161/syscall", format!("{FUTEX} 0x7f18 0x0 0x80"));
        let locks = read(&Root::memory(tree), &[]);
        let holder = Holder {
            own_pid: 4242,
            pid: Some(Pid(4242)),
            is_awaited: true,
            waiters: vec![Pid(5151)],
        };
        let expected = [
            Lock { name: "ARC_MSG".to_owned(), device: None, holder: None },
            Lock { name: "CHIP_IN_USE_3_PCIe".to_owned(), device: Some(3), holder: Some(holder) },
        ];
        assert_eq!(locks, expected);
    }

    #[test]
    fn a_holder_that_only_waits_to_be_reaped_has_ended() {
        let holder = |state: char| {
            let mut tree = Tree::new();
            tree.put("/dev/shm/TT_UMD_LOCK.ARC_MSG", file(7, 7));
            for (pid, namespaces) in [(7, "7"), (90, "90\t7")] {
                let stat =
                    format!("{pid} (x) {state} 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 70 0 0");
                tree.put_line(format!("/proc/{pid}/stat"), stat);
                tree.put_line(format!("/proc/{pid}/status"), format!("NSpid:\t{namespaces}"));
            }
            read(&Root::memory(tree), &[]).remove(0).holder.unwrap().pid
        };
        assert_eq!(holder('Z'), None);
        assert_eq!(holder('S'), Some(Pid(7)));
    }
}
