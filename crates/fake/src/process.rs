//! The procfs files of one process.

use rustix::io::Errno;
use ttmem_model::id::Timestamp;

use super::{BOOT, NOW};
use ttmem_root::{Entry, Tree};

/// Clock ticks in a second, as on every Linux that `ttmem` supports.
pub(crate) const TICKS_PER_SECOND: u64 = 100;

/// The container's id in every fake control group: 64 hex digits.
pub(crate) const CONTAINER_ID: &str =
    "4f1c0a9be27d5386b1e4c7a2d90f6358aa7be41c93d2056f8e1b74c5da603f92";

/// The pod's uid in every fake control group.
pub(crate) const POD_UID: &str = "0d9e6f1a-58c3-4b7e-9a42-c6e1f7305b8d";

/// The container runtime, which determines the name of the control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Docker.
    Docker,
    /// Podman, without root.
    Podman,
    /// containerd, through nerdctl (v2) or ctr (v1).
    Containerd,
    /// containerd, as the runtime of a Kubernetes node.
    Kubernetes,
}

/// The version of the control group hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cgroup {
    /// One line for each controller.
    V1,
    /// One line in total.
    V2,
}

/// One process under construction.
#[derive(Clone, Debug)]
pub struct Process {
    pid: i32,
    name: Vec<u8>,
    command: Vec<Vec<u8>>,
    uid: u32,
    started: Timestamp,
    user_ticks: u64,
    system_ticks: u64,
    resident_bytes: u64,
    threads: u32,
    environment: Vec<String>,
    container: Option<Container>,
    cgroup: Cgroup,
    namespace_pid: Option<i32>,
    has_own_shm: bool,
    is_private: bool,
    has_ended: bool,
    /// The namespace and name of its Kubernetes pod.
    pod: Option<(String, String)>,
    /// The number of its Slurm job.
    job: Option<u32>,
}

impl Process {
    /// Creates a process of alice's that started an hour before [`NOW`], outside any container. `name` is its short
    /// name, which Linux cuts at 15 bytes.
    #[must_use]
    pub fn new(pid: i32, name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref();
        Self {
            pid,
            name: name[..name.len().min(15)].to_vec(),
            command: vec![name.to_vec()],
            uid: 1000,
            started: Timestamp(NOW.0 - 3_600_000_000),
            user_ticks: 182_340,
            system_ticks: 9_120,
            resident_bytes: 1_288_490_188 / 4096 * 4096,
            threads: 57,
            environment: vec!["PATH=/usr/bin:/bin".to_owned(), "LANG=C.UTF-8".to_owned()],
            container: None,
            cgroup: Cgroup::V2,
            namespace_pid: None,
            has_own_shm: false,
            is_private: false,
            has_ended: false,
            pod: None,
            job: None,
        }
    }

    /// Puts it into a Kubernetes pod that shares the host's process numbers and files, and names the pod as the kubelet does.
    #[must_use]
    pub fn pod(mut self, namespace: &str, name: &str) -> Self {
        self.container = Some(Container::Kubernetes);
        self.pod = Some((namespace.to_owned(), name.to_owned()));
        self
    }

    /// Makes it a task of a Slurm job of alice's.
    #[must_use]
    pub fn slurm(mut self, job: u32) -> Self {
        self.job = Some(job);
        self.variable("SLURM_JOB_ID", &job.to_string()).variable("SLURM_JOB_USER", "alice")
    }

    /// Makes it a zombie: it has ended, its parent has not noticed, and it has no memory or command line.
    #[must_use]
    pub(crate) fn ended(mut self) -> Self {
        self.has_ended = true;
        self.command.clear();
        self
    }

    /// Returns its pid on the host.
    #[must_use]
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Returns its pid in its own namespace, which it writes into regions.
    #[must_use]
    pub(crate) fn own_pid(&self) -> i32 {
        self.namespace_pid.unwrap_or(self.pid)
    }

    /// Returns its start time, in clock ticks since boot.
    #[must_use]
    pub fn start_ticks(&self) -> u64 {
        self.started.micros_since(BOOT) / (1_000_000 / TICKS_PER_SECOND)
    }

    /// Returns its short name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns its user id.
    #[must_use]
    pub(crate) fn user(&self) -> u32 {
        self.uid
    }

    /// Sets its command line. Kernel threads have an empty one.
    #[must_use]
    pub fn command<T: AsRef<[u8]>>(mut self, arguments: &[T]) -> Self {
        self.command = arguments.iter().map(|argument| argument.as_ref().to_vec()).collect();
        self
    }

    /// Sets its user id: 0 is root, 1000 alice, 1001 bob.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// Sets its start time, to a hundredth of a second.
    #[must_use]
    pub fn started(mut self, started: Timestamp) -> Self {
        self.started = started;
        self
    }

    /// Sets its CPU time in user and in system mode, in clock ticks.
    #[must_use]
    pub fn cpu_ticks(mut self, user: u64, system: u64) -> Self {
        (self.user_ticks, self.system_ticks) = (user, system);
        self
    }

    /// Sets its host memory, to a KiB.
    #[must_use]
    pub fn resident_bytes(mut self, bytes: u64) -> Self {
        self.resident_bytes = bytes;
        self
    }

    /// Sets the number of its threads.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// Puts it into a container, where its pid is `namespace_pid`.
    #[must_use]
    pub fn container(mut self, container: Container, namespace_pid: i32) -> Self {
        self.container = Some(container);
        self.namespace_pid = Some(namespace_pid);
        self
    }

    /// Sets the version of the control group hierarchy [default: 2].
    #[must_use]
    pub(crate) fn cgroup(mut self, cgroup: Cgroup) -> Self {
        self.cgroup = cgroup;
        self
    }

    /// Gives its container a `/dev/shm` of its own, as containers have by default.
    #[must_use]
    pub fn with_own_shm(mut self) -> Self {
        self.has_own_shm = true;
        self
    }

    /// Returns the path of its regions on the host.
    #[must_use]
    pub(crate) fn shm_directory(&self) -> String {
        if self.has_own_shm {
            format!("/proc/{}/root/dev/shm", self.pid)
        } else {
            "/dev/shm".to_owned()
        }
    }

    /// Makes it another user's process for the reader: its environment, open files, namespaces and root are denied.
    /// Such a host exists only in memory.
    #[must_use]
    pub(crate) fn private(mut self) -> Self {
        self.is_private = true;
        self
    }

    /// Adds its files below `/proc/<pid>`. `devices` are the numbers of its open devices, one per file.
    pub(super) fn put(&self, tree: &mut Tree, devices: &[u32]) {
        let directory = format!("/proc/{}", self.pid);
        let file = |name: &str| format!("{directory}/{name}");
        tree.put(file("comm"), Entry::file([&self.name[..], b"\n"].concat()));
        let command: Vec<u8> =
            self.command.iter().flat_map(|argument| [&argument[..], b"\0"].concat()).collect();
        tree.put(file("cmdline"), Entry::file(command));
        tree.put(file("status"), Entry::file(self.status()));
        tree.put(file("stat"), Entry::file(self.stat()));
        tree.put(file("cgroup"), Entry::file(self.control_groups()));
        if let Some((namespace, name)) = &self.pod {
            let logs = format!("/var/log/pods/{namespace}_{name}_{POD_UID}");
            tree.put(logs, Entry::Directory);
        }
        if self.is_private {
            for name in ["environ", "fd", "ns/pid", "ns/mnt", "root"] {
                tree.put(file(name), Entry::Error(Errno::ACCESS));
            }
            return;
        }
        let environment: String =
            self.environment.iter().flat_map(|variable| [variable, "\0"]).collect();
        tree.put(file("environ"), Entry::file(environment));
        let (pid_namespace, mount_namespace) = self.namespaces();
        tree.put(file("ns/pid"), Entry::Link(format!("pid:[{pid_namespace}]")));
        tree.put(file("ns/mnt"), Entry::Link(format!("mnt:[{mount_namespace}]")));
        if self.has_own_shm {
            tree.put(file("root/dev/shm"), Entry::Directory);
        } else if self.container.is_some() {
            tree.put(file("root/dev/shm"), Entry::Link("/dev/shm".to_owned()));
        } else {
            tree.put(file("root"), Entry::Link("/".to_owned()));
        }
        let standard = ["/dev/null", "pipe:[38211]", "pipe:[38211]", "anon_inode:[eventpoll]"];
        let opened = devices.iter().map(|number| format!("/dev/tenstorrent/{number}"));
        for (number, target) in standard.into_iter().map(str::to_owned).chain(opened).enumerate() {
            tree.put(file(&format!("fd/{number}")), Entry::Link(target));
        }
    }

    fn is_kernel_thread(&self) -> bool {
        self.command.is_empty()
    }

    fn status(&self) -> Vec<u8> {
        let Self { pid, uid, threads, .. } = self;
        let all_ids = format!("{uid}\t{uid}\t{uid}\t{uid}");
        let namespace_pids =
            self.namespace_pid.map_or(pid.to_string(), |inner| format!("{pid}\t{inner}"));
        let resident_kib = self.resident_bytes / 1024;
        let memory = if self.is_kernel_thread() {
            String::new()
        } else {
            format!(
                "VmPeak:\t{0:8} kB\nVmSize:\t{0:8} kB\nVmHWM:\t{resident_kib:8} kB\nVmRSS:\t{resident_kib:8} kB\n",
                resident_kib * 9
            )
        };
        let state = if self.has_ended { "Z (zombie)" } else { "S (sleeping)" };
        let rest = format!(
            "\nUmask:\t0022\nState:\t{state}\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t1\n\
             TracerPid:\t0\nUid:\t{all_ids}\nGid:\t{all_ids}\nFDSize:\t256\nGroups:\t{uid} \n\
             NStgid:\t{namespace_pids}\nNSpid:\t{namespace_pids}\nNSpgid:\t{namespace_pids}\n\
             {memory}Threads:\t{threads}\n"
        );
        // The kernel escapes only these two here.
        let name = self.name.iter().flat_map(|byte| match byte {
            b'\n' => b"\\n".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            _ => vec![*byte],
        });
        b"Name:\t".iter().copied().chain(name).chain(rest.into_bytes()).collect()
    }

    fn stat(&self) -> Vec<u8> {
        let Self { pid, user_ticks, system_ticks, threads, .. } = self;
        let start_ticks = self.start_ticks();
        let pages = if self.is_kernel_thread() { 0 } else { self.resident_bytes / 4096 };
        let size = pages * 4096 * 9;
        let state = if self.has_ended { 'Z' } else { 'S' };
        let rest = format!(
            ") {state} 1 {pid} {pid} 0 -1 4194560 412345 0 211 0 {user_ticks} {system_ticks} 0 0 20 0 {threads} 0 \
             {start_ticks} {size} {pages} 18446744073709551615 1 1 0 0 0 0 0 16781312 134235650 0 0 0 \
             17 5 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        [format!("{pid} (").as_bytes(), &self.name, rest.as_bytes()].concat()
    }

    /// Returns the ids of its pid and mount namespaces: those of the first process, or its container's own.
    fn namespaces(&self) -> (u32, u32) {
        const FIRST_PID_NAMESPACE: u32 = 4_026_531_836;
        const FIRST_MOUNT_NAMESPACE: u32 = 4_026_531_841;
        if self.container.is_none() || self.pod.is_some() {
            return (FIRST_PID_NAMESPACE, FIRST_MOUNT_NAMESPACE);
        }
        let own = 4_026_540_000 + self.pid.unsigned_abs();
        (own, own - 1)
    }

    fn control_groups(&self) -> String {
        let id = CONTAINER_ID;
        let slice_uid = POD_UID.replace('-', "_");
        let (v1, v2) = match self.container {
            None if let Some(job) = self.job => (
                format!("/slurm/uid_{}/job_{job}/step_0/task_0", self.uid),
                format!("/system.slice/slurmstepd.scope/job_{job}/step_0/user/task_0"),
            ),
            Some(Container::Docker) => {
                (format!("/docker/{id}"), format!("/system.slice/docker-{id}.scope"))
            }
            Some(Container::Podman) => {
                let user = format!("/user.slice/user-{0}.slice/user@{0}.service", self.uid);
                (
                    format!("/machine.slice/libpod-{id}.scope"),
                    format!("{user}/user.slice/libpod-{id}.scope/container"),
                )
            }
            Some(Container::Containerd) => {
                (format!("/default/{id}"), format!("/system.slice/nerdctl-{id}.scope"))
            }
            Some(Container::Kubernetes) => (
                format!("/kubepods/burstable/pod{POD_UID}/{id}"),
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice_uid}.slice/\
                     cri-containerd-{id}.scope"
                ),
            ),
            None if self.is_kernel_thread() => ("/".to_owned(), "/".to_owned()),
            None if self.uid == 0 => {
                ("/system.slice/ssh.service".to_owned(), "/system.slice/ssh.service".to_owned())
            }
            None => {
                let slice = format!("/user.slice/user-{}.slice", self.uid);
                (slice.clone(), format!("{slice}/session-3.scope"))
            }
        };
        match self.cgroup {
            Cgroup::V1 => ["12:pids", "11:memory", "4:cpu,cpuacct", "2:devices", "1:name=systemd"]
                .map(|controller| format!("{controller}:{v1}\n"))
                .concat(),
            Cgroup::V2 => format!("0::{v2}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::Root;

    fn root(process: &Process, devices: &[u32]) -> Root {
        let mut tree = Tree::new();
        process.put(&mut tree, devices);
        Root::memory(tree)
    }

    #[test]
    fn the_start_time_is_the_twenty_second_field() {
        let process = Process::new(77, "a (b) c)")
            .started(Timestamp(BOOT.0 + 12_340_000))
            .cpu_ticks(500, 20)
            .threads(3);
        let stat = root(&process, &[]).read_text("/proc/77/stat").unwrap();
        let rest = stat.strip_prefix("77 (a (b) c)) ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        // The third field is the first after the name.
        assert_eq!(fields.len(), 52 - 2);
        assert_eq!([fields[14 - 3], fields[15 - 3]], ["500", "20"]);
        assert_eq!(fields[20 - 3], "3");
        assert_eq!(fields[22 - 3], "1234");
    }

    #[test]
    fn the_status_has_user_namespaces_memory_and_threads() {
        let process = Process::new(5123, "python3")
            .uid(1001)
            .container(Container::Docker, 1)
            .resident_bytes(3 << 20);
        let status = root(&process, &[]).read_text("/proc/5123/status").unwrap();
        for line in [
            "Name:\tpython3",
            "Uid:\t1001\t1001\t1001\t1001",
            "NSpid:\t5123\t1",
            "VmRSS:\t    3072 kB",
            "Threads:\t57",
        ] {
            assert!(status.lines().any(|other| other == line), "{line:?} in {status}");
        }
    }

    #[test]
    fn each_container_has_its_control_group_in_both_versions() {
        let cgroup = |container, version| {
            let process = Process::new(9, "x").container(container, 1).cgroup(version);
            root(&process, &[]).read_text("/proc/9/cgroup").unwrap()
        };
        for container in
            [Container::Docker, Container::Podman, Container::Containerd, Container::Kubernetes]
        {
            let text = cgroup(container, Cgroup::V1);
            assert!(text.lines().count() == 5 && text.contains(CONTAINER_ID), "{text}");
            let text = cgroup(container, Cgroup::V2);
            assert!(text.starts_with("0::/") && text.contains(CONTAINER_ID), "{text}");
        }
        assert!(cgroup(Container::Kubernetes, Cgroup::V1).contains(POD_UID));
        let plain = root(&Process::new(9, "x"), &[]).read_text("/proc/9/cgroup").unwrap();
        assert_eq!(plain, "0::/user.slice/user-1000.slice/session-3.scope");
    }

    #[test]
    fn open_devices_are_links_below_fd() {
        let root = root(&Process::new(9, "x"), &[3, 3]);
        let target = |number| root.link(&format!("/proc/9/fd/{number}")).unwrap();
        assert_eq!(root.list("/proc/9/fd").unwrap().len(), 6);
        assert_eq!(target(4), std::path::Path::new("/dev/tenstorrent/3"));
        assert_eq!(target(5), std::path::Path::new("/dev/tenstorrent/3"));
    }

    #[test]
    fn a_private_process_shows_only_what_everyone_may_read() {
        let root = root(&Process::new(9, "x").private(), &[0]);
        assert_eq!(root.read_text("/proc/9/comm").unwrap(), "x");
        assert!(root.read("/proc/9/environ", 9).unwrap_err().is_denied());
        assert!(root.list("/proc/9/fd").unwrap_err().is_denied());
        assert!(root.link("/proc/9/ns/pid").unwrap_err().is_denied());
        assert!(root.list("/proc/9/root/dev/shm").unwrap_err().is_denied());
    }
}
