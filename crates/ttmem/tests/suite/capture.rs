//! `ttmem capture`: a saved host shows what the host showed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::cli::{failure, stdout, ttmem};

fn snapshot(root: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[root, &["--json"][..]].concat())).unwrap()
}

/// Every command line of a snapshot.
fn commands(snapshot: &mut Value) -> Vec<Value> {
    let processes = snapshot["processes"].as_array_mut().unwrap();
    processes.iter_mut().map(|process| process["command"].take()).collect()
}

/// Removes ages and costs, which depend on when a file is read.
fn settled(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("age_us");
            fields.remove("cost_us");
            fields.values_mut().for_each(settled);
        }
        Value::Array(values) => values.iter_mut().for_each(settled),
        _ => {}
    }
}

#[test]
fn a_captured_host_shows_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (name, tree) in ttmem_fake::healthy() {
        let (host, copy, full) =
            (path(name), path(&format!("{name}.copy")), path(&format!("{name}.full")));
        tree.write_to(Path::new(&host)).unwrap();
        let said = stdout(&["--root", &host, "capture", &copy]);
        assert!(said.contains("command lines are redacted"), "{said}");
        stdout(&["--root", &host, "capture", &full, "--command-lines"]);
        // A capture has the time of its host: that of a capture of a capture.
        let again = path(&format!("{name}.again"));
        stdout(&["--root", &full, "capture", &again, "--command-lines"]);
        let [mut of_copy, mut of_full, mut of_again] =
            [&copy, &full, &again].map(|root| snapshot(&["--root", root]));
        [&mut of_copy, &mut of_full, &mut of_again].into_iter().for_each(settled);
        assert_eq!(of_again, of_full, "{name}");
        let mut of_host = snapshot(&["--root", &host]);
        settled(&mut of_host);
        for other in [&of_full, &of_copy] {
            of_host["time_us"] = other["time_us"].clone();
            let chips = |snapshot: &Value| snapshot["chips"].clone();
            assert_eq!(chips(&of_host), chips(other), "{name}");
        }
        let doctor = |root: &str| {
            ttmem(&["--root", root, "doctor"]).output().unwrap().stdout.escape_ascii().to_string()
        };
        assert_eq!(doctor(&host), doctor(&copy), "{name}");
        let (of_host, of_full) = (commands(&mut of_host), commands(&mut of_full));
        assert_eq!(of_host, of_full, "{name}");
        for command in commands(&mut of_copy) {
            assert!(command == "[redacted]" || command == "", "{name}: {command}");
        }
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_directory_with_files_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let (code, message) = failure(&["--demo", "capture", folder.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(message.contains("is not an empty directory"), "{message}");
}
