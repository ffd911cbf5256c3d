//! Hosts of their own network namespace behind one bridge, all inside a namespace that ends with the test. Where the system
//! does not allow that, three addresses of the loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use ttmem_fake::Host;

use super::stores::eventually;
use super::{installed, say};

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "TTMEM_TEST_NAMESPACE";

/// Runs the test of this name again inside a network namespace of its own. Returns false if the caller is in it, or if there
/// is none and it is to run here.
pub(crate) fn enter(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let is_allowed = installed(&[("ip", "iproute2")])
        && Command::new("unshare")
            .args(["--net", "true"])
            .output()
            .is_ok_and(|o| o.status.success());
    if !is_allowed {
        say("no network namespaces here: the hosts are three addresses of the loopback");
        return false;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    assert!(command.status().unwrap().success());
    true
}

/// Network of the hosts.
pub(crate) enum Network {
    /// Each in a namespace, with the address 10.9.0.N behind a bridge.
    Namespaces,
    /// 127.0.0.N of this machine.
    Loopback,
}

/// A server on a fake host; ends with the value.
pub(crate) struct Serving {
    child: Child,
    /// Open as long as the host is to run.
    _start: Option<ChildStdin>,
    socket: PathBuf,
    /// The address and port for Prometheus.
    pub(crate) target: String,
    /// The name that the relabelling makes of it.
    pub(crate) instance: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Serving {
    /// The snapshot as `ttmem --json` prints it.
    pub(crate) fn snapshot(&self) -> Value {
        let mut ttmem = Command::new(env!("CARGO_BIN_EXE_ttmem"));
        let output = ttmem.arg("--json").arg("--server").arg(&self.socket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Network {
    pub(crate) fn new() -> Self {
        if std::env::var_os(INSIDE).is_none() {
            return Self::Loopback;
        }
        ip("link set lo up");
        ip("link add br0 type bridge");
        ip("address add 10.9.0.254/24 dev br0");
        ip("link set br0 up");
        Self::Namespaces
    }

    /// An address of the loopback for a store.
    pub(crate) fn own_address(&self) -> String {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
    }

    /// Starts host number `number`, and waits until it serves.
    pub(crate) fn serve(&self, folder: &Path, host: Host, number: u8) -> Serving {
        let root = folder.join(format!("host{number}"));
        host.into_tree().write_to(&root).unwrap();
        let socket = folder.join(format!("socket{number}"));
        let (instance, address, target) = match self {
            // The port of ttmem is added by the relabelling.
            Self::Namespaces => {
                let host = format!("10.9.0.{number}");
                (host.clone(), format!("{host}:9401"), host)
            }
            Self::Loopback => {
                let host = format!("127.0.0.{}", number + 1);
                let free = TcpListener::bind((host.as_str(), 0)).unwrap().local_addr().unwrap();
                (host, free.to_string(), free.to_string())
            }
        };
        let mut command = match self {
            Self::Namespaces => {
                let mut command = Command::new("unshare");
                let script = format!(
                    "read -r start; ip link set lo up; ip address add {instance}/24 dev eth0; ip link set eth0 up; exec \"$0\" \"$@\""
                );
                command.args(["--net", "sh", "-c", &script]).arg(env!("CARGO_BIN_EXE_ttmem"));
                command
            }
            Self::Loopback => Command::new(env!("CARGO_BIN_EXE_ttmem")),
        };
        command.arg("--root").arg(&root).args(["serve", "-l", "1s", "--process-metrics"]);
        command.arg("--http").arg(&address).arg("--socket").arg(&socket);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut start = child.stdin.take();
        if let Self::Namespaces = self {
            connect(child.id(), number, start.as_mut().unwrap());
        }
        let serving = Serving { child, _start: start, socket, target, instance };
        // Telemetry that is a rate needs two samples.
        eventually("the server serves", || {
            serving.socket.exists().then_some(()).ok_or("no socket".to_owned())
        });
        std::thread::sleep(Duration::from_millis(2500));
        serving
    }
}

/// Connects the namespace of a process with the bridge, and lets its script go on.
fn connect(pid: u32, number: u8, start: &mut ChildStdin) {
    use std::io::Write as _;
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    eventually("the namespace is there", || match namespace(&pid.to_string()) {
        Some(theirs) if Some(&theirs) != namespace("self").as_ref() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    ip(&format!("link add h{number} type veth peer name eth0 netns {pid}"));
    ip(&format!("link set h{number} master br0 up"));
    start.write_all(b"start\n").unwrap();
}
