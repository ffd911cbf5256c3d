//! The container of a process, from the names of its control groups.

/// Digits of a container id that people and tools write.
const SHORT_ID: usize = 12;
/// Digits of a whole container id.
const FULL_ID: usize = 64;

/// The container of a process: `docker:…`, `podman:…`, `containerd:…`, `cri-o:…`, `lxc:…`, or `pod:<uid>/…` for one
/// of a Kubernetes pod.
pub(super) fn of(control_groups: &str) -> Option<String> {
    control_groups.lines().find_map(|line| {
        // `hierarchy:controllers:path`; a systemd-less containerd puts further colons into the path.
        of_path(line.splitn(3, ':').nth(2)?)
    })
}

fn of_path(path: &str) -> Option<String> {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let container = components.iter().rev().find_map(|component| container_id(component));
    if let Some(pod) = components.iter().rev().find_map(|component| pod_uid(component)) {
        return Some(match container {
            Some((_, id)) => format!("pod:{pod}/{}", shorten(id)),
            None => format!("pod:{pod}"),
        });
    }
    if let Some((runtime, id)) = container {
        return Some(format!("{}:{}", runtime.unwrap_or_else(|| runtime_of(path)), shorten(id)));
    }
    components.iter().enumerate().find_map(|(index, component)| {
        let name = match *component {
            "lxc" => components.get(index + 1)?,
            name => name.strip_prefix("lxc.payload.")?,
        };
        Some(format!("lxc:{name}"))
    })
}

/// The runtime and the whole id in one component, such as `docker-<id>.scope`, `libpod-<id>` or a bare id.
fn container_id(component: &str) -> Option<(Option<&'static str>, &str)> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    // containerd without systemd names the group `slice:cri-containerd:<id>`.
    let name = name.rsplit(':').next().unwrap_or(name);
    let (prefix, id) = name.rsplit_once('-').unwrap_or(("", name));
    let is_id = id.len() == FULL_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let runtime = match prefix {
        "docker" => Some("docker"),
        "libpod" | "libpod-payload" => Some("podman"),
        "cri-containerd" | "nerdctl" | "containerd" => Some("containerd"),
        "crio" => Some("cri-o"),
        _ => None,
    };
    is_id.then_some((runtime, id))
}

/// The runtime of a bare id, from the rest of the path.
fn runtime_of(path: &str) -> &'static str {
    let known = [
        ("docker", "docker"),
        ("libpod", "podman"),
        ("podman", "podman"),
        ("containerd", "containerd"),
    ];
    known.iter().find(|(word, _)| path.contains(word)).map_or("container", |(_, runtime)| *runtime)
}

/// The uid in `kubepods-burstable-pod<uid>.slice` (dashes written as underscores; below a kubelet with a group of its own
/// `kubelet-kubepods-…`) or `pod<uid>`.
fn pod_uid(component: &str) -> Option<String> {
    let name = component.split(':').next()?;
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match name.strip_prefix("pod") {
        Some(uid) => uid,
        None if name.starts_with("kubepods") || name.starts_with("kubelet-kubepods") => {
            name.rsplit_once("-pod")?.1
        }
        None => return None,
    };
    let is_uid = uid.len() >= 32
        && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-' || byte == b'_');
    is_uid.then(|| uid.replace('_', "-"))
}

fn shorten(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "6f1b2c3d-0000-4111-8222-933344445555";

    #[test]
    fn every_runtime_is_known_by_its_group() {
        let slice = format!("kubepods-burstable-pod{}.slice", UID.replace('-', "_"));
        let pod = format!("pod:{UID}/0123456789ab");
        let cases = [
            (format!("/system.slice/docker-{ID}.scope"), "docker:0123456789ab"),
            (format!("/docker/{ID}"), "docker:0123456789ab"),
            (format!("/machine.slice/libpod-{ID}.scope/container"), "podman:0123456789ab"),
            (format!("/user.slice/user-1000.slice/libpod-{ID}.scope"), "podman:0123456789ab"),
            (format!("/system.slice/nerdctl-{ID}.scope"), "containerd:0123456789ab"),
            (format!("/system.slice/containerd.service/{ID}"), "containerd:0123456789ab"),
            (format!("/default/{ID}"), "container:0123456789ab"),
            (format!("/kubepods.slice/{slice}/cri-containerd-{ID}.scope"), pod.as_str()),
            (format!("/kubepods.slice/{slice}/crio-{ID}.scope"), pod.as_str()),
            (format!("/kubepods/besteffort/pod{UID}/{ID}"), pod.as_str()),
            (
                format!(
                    "/kubelet.slice/kubelet-kubepods.slice/kubelet-{slice}/cri-containerd-{ID}.scope"
                ),
                pod.as_str(),
            ),
            (format!("/system.slice/containerd.service/{slice}:cri-containerd:{ID}"), pod.as_str()),
            ("/lxc.payload.web/init.scope".to_owned(), "lxc:web"),
            ("/lxc/web".to_owned(), "lxc:web"),
        ];
        for (path, expected) in cases {
            assert_eq!(of_path(&path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_login_is_no_container() {
        for path in ["/", "/user.slice/user-1000.slice/session-3.scope", "/init.scope", "/podman"] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }
}
