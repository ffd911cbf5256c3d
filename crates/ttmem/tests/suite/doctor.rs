//! `ttmem doctor`.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;
use ttmem_fake::segment::Segment;
use ttmem_fake::{BYTES, Region};

use crate::cli::{failure, ttmem};

fn at(width: usize, arguments: &[&str]) -> (i32, String) {
    let output = ttmem(arguments).env("COLUMNS", width.to_string()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_demonstration_has_warnings() {
    let (code, text) = at(91, &["--demo", "doctor"]);
    assert_eq!(code, 1);
    assert_snapshot!("doctor_91", text);
    assert_snapshot!("doctor_60", at(60, &["--demo", "doctor"]).1);
    assert_snapshot!("doctor_40_ascii", at(40, &["--demo", "--ascii", "doctor"]).1);
}

#[test]
fn a_failed_check_is_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    ttmem_fake::Host::n150().without_driver().into_tree().write_to(directory.path()).unwrap();
    let (code, text) = at(91, &["--root", root, "doctor", "--json"]);
    assert_eq!(code, 1);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["schema"], &json["status"]), (&"ttmem/doctor".into(), &"fail".into()));
    for check in json["checks"].as_array().unwrap() {
        assert_eq!(check["remedy"].is_null(), check["status"] == "pass", "{check}");
    }
}

#[test]
fn only_this_machine_is_cleaned() {
    let (code, message) = failure(&["--demo", "doctor", "--clean", "--yes"]);
    assert_eq!(code, 2);
    assert!(message.contains("this host only"), "{message}");
    assert_eq!(failure(&["doctor", "--yes"]).0, 2);
}

#[test]
fn a_segment_is_kept_in_an_inner_pid_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let segment = Segment::new(i32::MAX - 1, 5);
    let path = folder.path().join(segment.name());
    std::fs::write(&path, segment.image()).unwrap();
    let script = "mount --bind \"$1\" /dev/shm && exec \"$2\" doctor --clean --yes";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--pid", "--fork", "--mount-proc"]);
    command.args(["bash", "-c", script, "bash"]).arg(folder.path());
    let output = command.arg(env!("CARGO_BIN_EXE_ttmem")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("unshare:") || error.contains("mount:") {
        eprintln!("passed over: no namespace of one's own here: {error}");
        return;
    }
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "nothing is left of ended processes\n",
        "{error}"
    );
    assert!(path.exists());
}

/// `ttmem` in a mount namespace whose `/dev/shm` is a folder of the test's; `None` where that is not allowed.
fn with_shared_memory(folder: &Path, arguments: &[&str]) -> Option<(i32, String)> {
    let script = "mount --bind \"$1\" /dev/shm && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "bash", "-c", script, "bash"]);
    command.arg(folder).arg(env!("CARGO_BIN_EXE_ttmem")).args(arguments);
    let output = command.stdin(std::process::Stdio::null()).output().ok()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if error.contains("unshare:") || error.contains("mount:") {
        eprintln!("passed over: no namespace of one's own here: {error}");
        return None;
    }
    Some((output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap() + &error))
}

#[test]
fn cleaning_asks_and_takes_segments_of_the_dead_alone() {
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    if namespace.as_os_str() != "pid:[4026531836]" {
        eprintln!("passed over: processes that are not shown may run in other pid namespaces");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start =
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let own = Segment::new(i32::try_from(std::process::id()).unwrap(), start);
    let dead = Segment::new(i32::MAX - 1, 5);
    let live = put(&own.name(), own.image());
    let gone = put(&dead.name(), dead.image());
    let region = put("tt_device_5_memory", vec![0; 8576]);
    let of_dead = Region::new(6).slot(i32::MAX - 1, "python3", BYTES);
    let left = put("tt_device_6_memory", of_dead.image());
    let lock = put("TT_UMD_LOCK.CHIP_IN_USE_0_PCIe", vec![0; 56]);
    let broken = put("ttmem-77-1", vec![1; 99]);

    let Some((code, text)) = with_shared_memory(folder.path(), &["doctor", "--clean"]) else {
        return;
    };
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("--yes") && gone.exists(), "{text}");
    let (code, text) = with_shared_memory(folder.path(), &["doctor", "--clean", "--yes"]).unwrap();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("removed 3"), "{text}");
    assert!(!gone.exists() && !broken.exists() && !left.exists());
    assert!(live.exists() && region.exists() && lock.exists());
    let (_, text) = with_shared_memory(folder.path(), &["doctor", "--clean", "--yes"]).unwrap();
    assert_eq!(text, "nothing is left of ended processes\n");
}
