//! `ttmem` looks and does not touch: every system call of it, seen through strace.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "what a test passes over is said")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use ttmem_fake::Host;
use ttmem_root::Root;
use ttmem_sources::Collector;

/// The system calls of one run, one a line.
fn trace(arguments: &[&str]) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-s", "200", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_ttmem"))
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output();
    match status {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{arguments:?}: {error}");
            let text = std::fs::read_to_string(log).unwrap();
            assert!(text.contains("execve("), "strace saw nothing");
            Some(text.lines().map(str::to_owned).collect())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "strace is not installed: {error}");
            eprintln!("passed over: strace is not installed ({error})");
            None
        }
    }
}

/// Returns the effect of a call that a passive read must not have.
fn offence(call: &str) -> Option<&'static str> {
    let call = call.split_once(' ').map_or(call, |(_, call)| call.trim_start());
    let name = call.split('(').next().unwrap_or(call);
    let is_device = call.contains("/dev/tenstorrent/");
    match name {
        "open" | "openat" | "openat2" | "creat" => {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"];
            if writes.iter().any(|flag| call.contains(flag)) {
                Some("opens for writing")
            } else if is_device {
                Some("opens a device")
            } else {
                None
            }
        }
        // The terminal is asked for its size; nothing else is.
        "ioctl" => (!call.contains("TIOCGWINSZ") && !call.contains("TCGETS")).then_some("ioctl"),
        "mmap" => (call.contains("MAP_SHARED") && call.contains("PROT_WRITE"))
            .then_some("maps shared for writing"),
        "kill" | "tgkill" | "tkill" | "pidfd_send_signal" | "ptrace" => Some("signals a process"),
        "socket" | "connect" | "bind" | "sendto" | "sendmsg" => Some("goes over a network"),
        "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "mkdir" | "mkdirat"
        | "chmod" | "fchmodat" | "chown" | "truncate" | "ftruncate" | "symlink" | "link" => {
            Some("changes a file")
        }
        _ => None,
    }
}

fn offences(calls: &[String]) -> Vec<String> {
    calls.iter().filter_map(|call| Some(format!("{}: {call}", offence(call)?))).collect()
}

fn fake_host(folder: &Path) -> String {
    Host::t3000().into_tree().write_to(folder).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_look_at_a_host_writes_nothing_and_opens_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let host = fake_host(folder.path());
    let runs: [&[&str]; 6] = [
        &[],
        &["-q"],
        &["--json"],
        &["-L"],
        &["--query-device=index,memory.dram.used", "--format=csv"],
        &["--query-processes=pid,memory.dram"],
    ];
    for run in runs {
        let arguments = [&["--root", host.as_str()], run].concat();
        let Some(calls) = trace(&arguments) else { return };
        assert!(calls.iter().any(|call| call.contains("tt_device_")), "{run:?} read no region");
        assert_eq!(offences(&calls), [""; 0], "{run:?}");
    }
}

#[test]
fn the_reader_of_a_look_is_a_copy_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let host = fake_host(folder.path());
    let Some(calls) = trace(&["--root", &host, "--json"]) else { return };
    let count = |name: &str| calls.iter().filter(|call| call.contains(name)).count();
    assert_eq!((count("execve("), count("PR_SET_NAME, \"ttmem-reader\"")), (1, 1));
    assert_eq!(offences(&calls), [""; 0]);
}

#[test]
fn a_copy_of_the_process_reads_what_a_process_reads_itself() {
    let folder = tempfile::tempdir().unwrap();
    let host = fake_host(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem"))
        .args(["--root", &host, "--no-server", "--json"])
        .output()
        .unwrap();
    let copied: Value = serde_json::from_slice(&output.stdout).unwrap();
    let root = Root::directory(folder.path()).unwrap();
    let alone = Collector::new(root).with_programs().snapshot();
    for part in ["chips", "processes", "findings"] {
        let alone = serde_json::to_value(&alone).unwrap();
        assert_eq!(without_times(&copied[part]), without_times(&alone[part]), "{part}");
    }
}

/// A value without the ages in it.
fn without_times(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(without_times).collect(),
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !key.ends_with("age_us"));
            kept.map(|(key, value)| (key.clone(), without_times(value))).collect()
        }
        other => other.clone(),
    }
}

fn capture() -> String {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1/wormhole/matmul");
    capture.to_str().unwrap().to_owned()
}

#[test]
fn a_look_at_a_capture_writes_nothing() {
    let capture = capture();
    for view in [&["l1"][..], &["l1", "--json"], &["l1", "--core=0,0"], &["--json"]] {
        let arguments = [&["--capture", capture.as_str()], view].concat();
        let Some(calls) = trace(&arguments) else { return };
        assert!(calls.iter().any(|call| call.contains("l1.bin.gz")), "{view:?} read no capture");
        assert_eq!(offences(&calls), [""; 0], "{view:?}");
    }
}

#[test]
fn saving_writes_below_its_directory_and_nowhere_else() {
    let (capture, folder) = (capture(), tempfile::tempdir().unwrap());
    let directory = folder.path().join("saved");
    let directory = directory.to_str().unwrap();
    let Some(calls) = trace(&["l1", "--capture", &capture, "--save", directory]) else { return };
    let offences = offences(&calls);
    let (inside, outside): (Vec<_>, Vec<_>) =
        offences.into_iter().partition(|call| call.contains(&format!("\"{directory}")));
    assert_eq!(outside, [""; 0]);
    for file in ["index.json", "l1.bin.gz", "kernels.yaml"] {
        assert!(inside.iter().any(|call| call.contains(file)), "{file}: {inside:?}");
    }
}

#[test]
fn the_demonstration_touches_nothing() {
    for arguments in [&["--demo"][..], &["--demo", "--l1"], &["l1", "--demo"]] {
        let Some(calls) = trace(arguments) else { return };
        assert_eq!(offences(&calls), [""; 0]);
        let host = |call: &String| call.contains("/dev/shm") || call.contains("/sys/class");
        assert!(!calls.iter().any(host), "the demonstration read the host");
    }
}

#[test]
fn the_check_notices_what_it_looks_for() {
    let calls = [
        r#"12 openat(AT_FDCWD, "/dev/shm/tt_device_0_memory", O_RDWR) = 3"#,
        r#"12 openat(AT_FDCWD, "/dev/tenstorrent/0", O_RDONLY) = 3"#,
        r#"12 ioctl(3, _IOC(_IOC_NONE, 0xfa, 0, 0), 0x7ffe) = 0"#,
        r#"12 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f"#,
        r#"12 kill(4242, 0) = 0"#,
        r#"12 socket(AF_INET, SOCK_STREAM, 0) = 3"#,
        r#"12 unlinkat(AT_FDCWD, "/dev/shm/x", 0) = 0"#,
    ];
    for call in calls {
        assert!(offence(call).is_some(), "{call}");
    }
    assert_eq!(offence(r#"12 openat(AT_FDCWD, "/proc/stat", O_RDONLY|O_CLOEXEC) = 3"#), None);
}
