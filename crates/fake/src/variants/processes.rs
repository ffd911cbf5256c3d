//! Owners that are dead, elsewhere, in containers, or inaccessible.

use rustix::io::Errno;
use ttmem_model::facts::RegionBytes;

use super::N150;
use crate::host::pytest;
use crate::{BOOT, BYTES, Board, Cgroup, Container, Host, PID, Process, Region};
use ttmem_root::{Entry, Tree};

/// The driver's list of open files of device 0.
const HOLDERS: &str = "/proc/driver/tenstorrent/0/pids";

/// An n150 whose one process runs in a container with a `/dev/shm` of its own, where it is process 1.
fn contained(container: Container, version: Cgroup) -> Tree {
    let process = server(51_234, container).cgroup(version);
    Host::new().board(Board::n150()).workload(process, BYTES).into_tree()
}

fn server(pid: i32, container: Container) -> Process {
    Process::new(pid, "python3")
        .command(&["python3", "-m", "server"])
        .uid(0)
        .container(container, 1)
        .with_own_shm()
}

/// The driver lists a process that has ended, next to a live one, and the region has a slot of a third that has ended:
/// the first is an owner without details, the third's 1 GiB is stale.
#[must_use]
pub(crate) fn dead_pids() -> Tree {
    let region = Region::new(N150).slot(PID, "python3", BYTES).slot(9998, "python3", BYTES);
    Host::n150().owner(0, 9999, 2).region(region).into_tree()
}

/// The driver lists three files of processes outside our namespace as pid 0: one owner outside the namespace, with a
/// finding, in addition to our own.
#[must_use]
pub(crate) fn outside_owner() -> Tree {
    Host::n150().outside(0, 3).into_tree()
}

/// Two processes opened the device seven times, in turns: two owners.
#[must_use]
pub(crate) fn duplicate_pids() -> Tree {
    let second = Process::new(4243, "python3");
    Host::n150().process(second).owner(0, 4243, 2).owner(0, PID, 1).into_tree()
}

/// The driver's list contains lines that are not pids: the valid one counts once.
#[must_use]
pub(crate) fn garbage_in_pids() -> Tree {
    let lines = "4242\nabc\n\n-3\n99999999999999\n4242\n12 13\n\0\n";
    Host::n150().file(HOLDERS, Entry::file(lines)).into_tree()
}

/// The driver's list is denied: the owners are found by their open files.
#[must_use]
pub(crate) fn unreadable_pids() -> Tree {
    Host::n150().file(HOLDERS, Entry::Error(Errno::ACCESS)).into_tree()
}

/// A Docker container with its own `/dev/shm`, whose process has pid 1 there: host process 51234 uses the bytes, and
/// host process 1 none.
#[must_use]
pub(crate) fn container_with_own_shm() -> Tree {
    contained(Container::Docker, Cgroup::V2)
}

/// A Docker container under version 1 of control groups: host process 51234 uses the bytes.
#[must_use]
pub(crate) fn docker_with_cgroup_v1() -> Tree {
    contained(Container::Docker, Cgroup::V1)
}

/// A rootless Podman container: host process 51234 uses the bytes.
#[must_use]
pub(crate) fn podman_container() -> Tree {
    let process = server(51_234, Container::Podman).uid(1000);
    Host::new().board(Board::n150()).workload(process, BYTES).into_tree()
}

/// A containerd container without Kubernetes: host process 51234 uses the bytes.
#[must_use]
pub(crate) fn containerd_container() -> Tree {
    contained(Container::Containerd, Cgroup::V2)
}

/// A Kubernetes pod: host process 51234 uses the bytes.
#[must_use]
pub(crate) fn kubernetes_pod() -> Tree {
    contained(Container::Kubernetes, Cgroup::V2)
}

/// Two containers, each with its own region for the same chip and its own process 1: two processes, 1 GiB of DRAM each,
/// 2 GiB on the chip.
#[must_use]
pub(crate) fn two_containers_with_pid_1() -> Tree {
    Host::new()
        .board(Board::n150())
        .workload(server(51_234, Container::Docker), BYTES)
        .workload(server(51_377, Container::Kubernetes), BYTES)
        .into_tree()
}

/// A container that shares the host's `/dev/shm`. Its process writes pid 777 into the region, but host process 777 is
/// unrelated, started at boot and has no device open: host process 51234 uses the bytes, once.
#[must_use]
pub(crate) fn container_on_the_hosts_shm() -> Tree {
    let contained = Process::new(51_234, "python3").uid(0).container(Container::Docker, 777);
    let stranger = Process::new(777, "cron").command(&["cron", "-f"]).uid(0).started(BOOT);
    Host::new().board(Board::n150()).process(stranger).workload(contained, BYTES).into_tree()
}

/// The owner switched upstream tracking off, so there is no region: memory has no source, with a finding that names the
/// variable.
#[must_use]
pub fn tracking_disabled() -> Tree {
    let process = pytest().variable("TT_METAL_SHM_TRACKING_DISABLED", "1");
    Host::new().board(Board::n150()).process(process).owner(0, PID, 4).into_tree()
}

/// The owner is another user's: its environment, open files, namespaces and root are denied, the rest is right.
#[must_use]
pub(crate) fn unreadable_process() -> Tree {
    Host::n150().process(pytest().uid(1001).private()).into_tree()
}

/// The owner exits while it is read: its short name is still read, everything else is missing. The driver and the
/// region still list it.
#[must_use]
pub(crate) fn process_vanishes() -> Tree {
    ["cmdline", "status", "stat", "cgroup", "environ"]
        .into_iter()
        .fold(Host::n150(), |host, name| {
            host.file(format!("/proc/{PID}/{name}"), Entry::Error(Errno::SRCH))
        })
        .into_tree()
}

/// The owner was killed and its parent has not noticed yet: its bytes are stale.
#[must_use]
pub(crate) fn zombie_owner() -> Tree {
    let zombie = Process::new(PID, "python3").ended();
    Host::n150().process(zombie).into_tree()
}

/// The owner's name has spaces and parentheses, which `stat` does not escape: its start and CPU times are right.
#[must_use]
pub(crate) fn odd_process_name() -> Tree {
    let process = Process::new(PID, "a) R 1 (b c").command(&["./a) R 1 (b c", "--fast run"]);
    Host::n150().process(process).into_tree()
}

/// `stat` ends in the middle: start and CPU times failed.
#[must_use]
pub(crate) fn garbage_in_stat() -> Tree {
    let path = format!("/proc/{PID}/stat");
    Host::n150().file(path, Entry::file("4242 (python3) S 1 42")).into_tree()
}

/// `/proc/stat` has no boot time: start times are ticks only.
#[must_use]
pub(crate) fn missing_boot_time() -> Tree {
    Host::n150().without("/proc/stat").into_tree()
}

/// The owner's user has no name: the user id is shown.
#[must_use]
pub(crate) fn unknown_user() -> Tree {
    let bytes = RegionBytes { dram: 1 << 30, ..RegionBytes::default() };
    Host::new().board(Board::n150()).workload(pytest().uid(54_321), bytes).into_tree()
}
