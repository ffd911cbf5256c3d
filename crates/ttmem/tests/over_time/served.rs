//! `ttmem` and `ttmem record` beside a server: on this very machine, since no other is a server's to speak for, but with the
//! shared memory of a made-up host.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::signal;

/// A server in a folder that is the user's `XDG_RUNTIME_DIR`; ends with the test.
struct Serving {
    child: Child,
    folder: tempfile::TempDir,
}

impl Serving {
    /// `None` where there can be no namespace of one's own.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        super::host(folder.path());
        Some(Self { child: serve(folder.path())?, folder })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        with_regions(self.folder.path(), arguments).stdout(Stdio::piped()).output().unwrap()
    }

    fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server; `None` where there can be no namespace of one's own.
fn serve(folder: &Path) -> Option<Child> {
    let arguments = ["serve", "--socket", "ttmem.sock", "-l", "100ms"];
    let mut child = with_regions(folder, &arguments).spawn().unwrap();
    let first = super::lines(&mut child).next().unwrap().unwrap();
    if first.starts_with("ttmem: serving") {
        return Some(child);
    }
    assert!(std::env::var_os("CI").is_none(), "{first}");
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "passed over: no namespace of one's own here: {first}").unwrap();
    None
}

/// Returns the status of the server as a source, and the lines on standard error.
fn source(output: &Output) -> (Option<String>, String) {
    let snapshot: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut sources = snapshot["sources"].as_array().unwrap().iter();
    let server = sources.find(|source| source["name"] == "server");
    let status = server.map(|server| format!("{} {}", server["status"], server["detail"]));
    let lines = String::from_utf8(output.stderr.clone()).unwrap();
    // A machine without a driver is no fault of the server's.
    let about = lines.lines().filter(|line| line.contains("server"));
    (status, about.collect::<Vec<_>>().join("\n"))
}

/// Returns the result of the doctor's check of the server, and true if it runs.
fn checked(serving: &Serving) -> (String, bool) {
    let diagnosis: Value =
        serde_json::from_slice(&serving.run(&["doctor", "--json"]).stdout).unwrap();
    let mut checks = diagnosis["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == "server").unwrap();
    let runs = check["text"].as_str().unwrap().contains("every 100ms");
    (check["status"].as_str().unwrap().to_owned(), runs)
}

#[test]
fn a_running_server_is_used_unless_told_otherwise() {
    let Some(mut serving) = Serving::new() else { return };
    let (status, said) = source(&serving.run(&["--json"]));
    let status = status.unwrap();
    assert!(status.starts_with("\"ok\"") && status.contains("every 100ms"), "{status}");
    assert_eq!(said, "");
    assert_eq!(source(&serving.run(&["--no-server", "--json"])).0, None);
    assert_eq!(source(&serving.run(&["--demo", "--json"])).0, None);
    let (status, _) = source(&serving.run(&["--json", "--server", "ttmem.sock"]));
    assert!(status.unwrap().contains("ttmem.sock, every 100ms"));

    assert_eq!(checked(&serving), ("pass".to_owned(), true));
    serving.kill();
    assert_eq!(checked(&serving), ("warn".to_owned(), false));
    let (status, said) = source(&serving.run(&["--json"]));
    assert!(status.unwrap().starts_with("\"failed\""));
    assert!(said.ends_with("ttmem.sock is a stale socket: no server; reading directly"), "{said}");
    std::fs::remove_file(serving.folder.path().join("ttmem.sock")).unwrap();
    assert_eq!(source(&serving.run(&["--json"])), (None, String::new()));
    let alone = serving.run(&["--server", "ttmem.sock"]);
    let said = String::from_utf8(alone.stderr).unwrap();
    assert_eq!(alone.status.code(), Some(12), "{said}");
    assert!(said.contains("the server at ttmem.sock is not there"), "{said}");
}

#[test]
fn a_server_is_named_only_where_it_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["serve", "--server", "s"][..], &["--l1", "--server", "s"]] {
        let said = super::fail(folder.path(), arguments, 2);
        assert!(said.starts_with("--server goes with plain ttmem"), "{said}");
    }
    super::fail(folder.path(), &["--demo", "--server", "s"], 2);
}

/// `ttmem` in a mount namespace of its own, in which the shared memory of a made-up host is the machine's.
fn with_regions(folder: &Path, arguments: &[&str]) -> Command {
    // The machine's own server, or what is there of one, is out of sight.
    let script = "if [ -d /run/ttmem ]; then mount -t tmpfs tmpfs /run/ttmem; fi && \
                  mount --bind host/dev/shm /dev/shm && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "bash", "-c", script, "bash"]);
    command.arg(env!("CARGO_BIN_EXE_ttmem")).args(arguments).current_dir(folder);
    command.env("XDG_RUNTIME_DIR", folder).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn a_recording_goes_on_when_its_server_is_killed_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::host(folder);
    let Some(mut server) = serve(folder) else { return };
    let mut child =
        with_regions(folder, &["record", "-o", "a.ttmem", "-l", "100ms"]).spawn().unwrap();
    let mut lines = super::lines(&mut child);
    assert!(lines.next().unwrap().unwrap().contains("recording to a.ttmem"));
    server.kill().unwrap();
    server.wait().unwrap();
    let said = lines.next().unwrap().unwrap();
    assert!(said.ends_with("is a stale socket: no server; reading directly"), "{said}");
    let Some(mut server) = serve(folder) else { return };
    let said = lines.next().unwrap().unwrap();
    assert!(said.ends_with("ttmem.sock is back"), "{said}");
    signal(&child, Signal::INT);
    assert!(child.wait().unwrap().success());
    server.kill().unwrap();
    server.wait().unwrap();
    let events = super::print(folder, &["replay", "a.ttmem", "--events"]);
    for kind in ["process-", "chip-", "finding-"] {
        assert!(!events.contains(kind), "the host did not change: {events}");
    }
}
