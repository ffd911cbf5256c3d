//! The Slurm job and the Kubernetes pod of a process.

use ttmem_root::Root;

/// The kubelet's directories of logs, one for each pod: `NAMESPACE_NAME_UID` (Kubernetes 1.14 and newer).
const POD_LOGS: &str = "/var/log/pods";
/// The most bytes of a variable that are taken: Slurm's numbers have up to 10 digits, users up to 32 bytes.
const MAX_VALUE_BYTES: usize = 64;

/// A job, and the user who submitted it: by name in the environment, by number in a control group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: Option<String>,
    pub(super) user: Option<String>,
    pub(super) uid: Option<u32>,
}

impl Job {
    /// The job of a process by its environment, which other users may not read, and its control groups.
    pub(super) fn of(environment: Option<&[u8]>, control_groups: &str) -> Self {
        let (of_group, uid) = of_control_groups(control_groups);
        let value = |name: &str| variable(environment?, name);
        let id = value("SLURM_JOB_ID=");
        match id.is_none() || id == of_group || of_group.is_none() {
            true => Self { id: id.or(of_group), user: value("SLURM_JOB_USER="), uid },
            // The environment of another job was handed on; the control group is Slurm's own.
            false => Self { id: of_group, user: None, uid },
        }
    }
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(name.as_bytes()))?;
    let is_fit = !value.is_empty() && value.len() <= MAX_VALUE_BYTES;
    is_fit.then(|| String::from_utf8_lossy(value).into_owned())
}

/// The job and its user in a path such as `/slurm/uid_1000/job_42/step_0` (version 1) or
/// `/system.slice/slurmstepd.scope/job_42/step_0` (version 2, which has no user; where a host is several nodes, the name of
/// the node comes first).
fn of_control_groups(control_groups: &str) -> (Option<String>, Option<u32>) {
    let path = |line: &str| line.splitn(3, ':').nth(2).map(str::to_owned);
    let is_slurm = |name: &str| name.starts_with("slurm") || name.ends_with("_slurmstepd.scope");
    for path in control_groups.lines().filter_map(path) {
        let mut below = path.split('/').skip_while(|name| !is_slurm(name)).skip(1);
        let (mut uid, mut component) = (None, below.next());
        if let Some(number) = component.and_then(|name| name.strip_prefix("uid_")) {
            uid = number.parse().ok();
            component = below.next();
        }
        let id = component.and_then(|name| name.strip_prefix("job_"));
        let is_number = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(id) = id.filter(is_number) {
            return (Some(id.to_owned()), uid);
        }
    }
    (None, None)
}

/// The pods of this host, from the kubelet's directories; read once, when the first process of a pod is seen.
#[derive(Debug, Default)]
pub(super) struct Pods(Option<Vec<String>>);

impl Pods {
    /// Returns the pod of a container `pod:UID/…` as `NAMESPACE/NAME`.
    pub(super) fn name(&mut self, root: &Root, container: &str) -> Option<String> {
        let uid = container.strip_prefix("pod:")?.split('/').next()?;
        let names = self.0.get_or_insert_with(|| {
            let names = root.list(POD_LOGS).unwrap_or_default();
            names.into_iter().filter_map(|name| name.into_string().ok()).collect()
        });
        names.iter().find_map(|name| {
            let (rest, found) = name.rsplit_once('_')?;
            let (namespace, pod) = rest.split_once('_')?;
            (found == uid).then(|| {
                // A capture keeps what was asked for: this pod's directory, and no other pod's.
                let _status = root.status(&format!("{POD_LOGS}/{name}"));
                format!("{namespace}/{pod}")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use ttmem_root::{Entry, Tree};

    use super::*;

    #[test]
    fn a_pod_is_named_by_the_kubelets_directories() {
        let mut tree = Tree::new();
        let uid = "6f1b2c3d-0000-4111-8222-933344445555";
        tree.put(format!("{POD_LOGS}/team-a_train-0_{uid}"), Entry::Directory);
        tree.put(format!("{POD_LOGS}/x"), Entry::Directory);
        let root = Root::memory(tree).capturing();
        let mut pods = Pods::default();
        let of_pod = pods.name(&root, &format!("pod:{uid}/abc"));
        assert_eq!(of_pod.as_deref(), Some("team-a/train-0"));
        assert_eq!(pods.name(&root, "pod:0/abc"), None);
        assert_eq!(pods.name(&root, "docker:abc"), None);
        let copy = Root::memory(root.captured());
        assert_eq!(Pods::default().name(&copy, &format!("pod:{uid}/abc")), of_pod);
        assert_eq!(copy.list(POD_LOGS).unwrap().len(), 1, "no other pod is kept");
    }

    #[test]
    fn a_job_is_that_of_the_control_group_then_of_the_environment() {
        let job = |id: &str, user: Option<&str>, uid| Job {
            id: Some(id.to_owned()),
            user: user.map(str::to_owned),
            uid,
        };
        let environment = b"A=1\0SLURM_JOB_ID=42\0SLURM_JOB_USER=alice\0".as_slice();
        let first = "4:memory:/slurm/uid_1000/job_42/step_0/task_0\n";
        let second = "0::/system.slice/slurmstepd.scope/job_42/step_0/user/task_0\n";
        assert_eq!(Job::of(None, first), job("42", None, Some(1000)));
        assert_eq!(Job::of(None, second), job("42", None, None));
        assert_eq!(Job::of(Some(environment), second), job("42", Some("alice"), None));
        assert_eq!(Job::of(Some(environment), "0::/user.slice\n"), job("42", Some("alice"), None));
        let other = "0::/system.slice/node1_slurmstepd.scope/job_7/step_batch\n";
        assert_eq!(Job::of(Some(environment), other), job("7", None, None));
        for group in ["0::/slurm/job_x", "0::/slurm", "0::/slurm/uid_x/job_", "job_7", ""] {
            assert_eq!(Job::of(None, group), Job::default(), "{group}");
        }
        let long = format!("SLURM_JOB_ID={}", "9".repeat(65));
        assert_eq!(Job::of(Some(long.as_bytes()), ""), Job::default());
    }
}
