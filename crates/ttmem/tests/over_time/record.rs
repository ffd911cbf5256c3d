//! `ttmem record`.

use rustix::process::Signal;

use super::{fail, host, print, run, signal, start};

#[test]
fn what_was_recorded_is_printed_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let recorded = run(here, &["--demo", "record", "-o", "a.ttmem", "-l", "0.1", "--for", "250ms"]);
    assert!(recorded.status.success());
    let error = String::from_utf8(recorded.stderr).unwrap();
    assert!(error.starts_with("ttmem: recording to a.ttmem every 100ms for 250ms"), "{error}");
    assert!(
        error.contains("ttmem: wrote a.ttmem: 3 snapshots, allocations of 1 process, "),
        "{error}"
    );
    // The demonstration moves.
    let at = |time| print(here, &["replay", "a.ttmem", "--at", time, "--json"]);
    let time =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["time_us"].clone();
    assert!(time(&at("start")).as_u64() < time(&at("end")).as_u64());
    // A captured host does not.
    print(here, &["--demo", "capture", "captured", "--command-lines"]);
    let live = print(here, &["--root", "captured", "--json"]);
    assert!(live.contains("\"demo\": true"), "a capture of the demonstration is marked");
    let one = folder.path().join("one.ttmem");
    let one = one.to_str().unwrap();
    run(here, &["--root", "captured", "record", "-o", one, "--for", "1ms"]);
    assert!(print(here, &["replay", one, "--at", "end", "--json"]) == live);
    let events = print(here, &["replay", one, "--events"]);
    assert!(events.lines().all(|line| line.starts_with("2026-11-02T09:30:00")), "{events}");
}

#[test]
fn a_file_that_is_there_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "mine").unwrap();
    let said = fail(folder.path(), &["--demo", "record", "-o", "a"], 5);
    assert_eq!(said, "a exists already; name another file with -o, or remove it");
    assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"mine");
    let said = fail(folder.path(), &["--demo", "record", "-o", "no/where"], 5);
    assert!(said.starts_with("cannot create no/where: No such file"), "{said}");
}

#[test]
fn a_signal_ends_the_recording_whole() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    for end in [Signal::INT, Signal::TERM, Signal::HUP] {
        let name = format!("{}.ttmem", end.as_raw());
        let (mut child, mut lines) =
            start(folder.path(), &["--root", &host, "record", "-o", &name, "-l", "100ms"]);
        signal(&child, end);
        assert!(child.wait().unwrap().success());
        assert!(lines.next().unwrap().unwrap().contains("wrote "));
        let summary = print(folder.path(), &["replay", &name]);
        assert!(!summary.contains("missing"), "{summary}");
    }
}

#[test]
fn a_ring_is_written_out_on_sigusr1() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    let arguments = ["--root", &host, "record", "--ring", "1m", "-o", "ring.ttmem", "-l", "100ms"];
    let (mut child, mut lines) = start(folder.path(), &arguments);
    signal(&child, Signal::USR1);
    let said = lines.next().unwrap().unwrap();
    signal(&child, Signal::INT);
    assert!(child.wait().unwrap().success());
    let name = said.split(' ').find(|word| word.starts_with("ring-")).unwrap();
    assert!(said.starts_with("ttmem: SIGUSR1: wrote ring-2"), "{said}");
    let summary = print(folder.path(), &["replay", name]);
    assert!(summary.contains("host       tt-host"), "{summary}");
}

#[test]
fn a_process_that_dies_writes_the_ring() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    let arguments = ["--root", &host, "record", "--ring", "1m", "-o", "ring.ttmem", "-l", "100ms"];
    let (mut child, mut lines) = start(folder.path(), &arguments);
    std::fs::remove_dir_all(format!("{host}/proc/{}", ttmem_fake::PID)).unwrap();
    let said = lines.next().unwrap().unwrap();
    signal(&child, Signal::INT);
    assert!(child.wait().unwrap().success());
    assert!(said.contains("has died and left device memory behind: wrote ring-2"), "{said}");
    let name = said.split(' ').find(|word| word.starts_with("ring-")).unwrap();
    let events = print(folder.path(), &["replay", name, "--events"]);
    assert!(events.contains("process-died"), "{events}");
}

#[test]
fn a_recording_of_nothing_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let small = ["--demo", "record", "-o", "a", "--for", "1ms", "--max-size", "1KB"];
    let output = run(here, &small);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("--max-size is too small"), "{error}");
    let left_out = ["--demo", "record", "-o", "b", "--for", "1ms", "--max-size", "8KB"];
    let error = String::from_utf8(run(here, &left_out).stderr).unwrap();
    assert!(error.contains("beside the snapshots are skipped: --max-size is reached"), "{error}");
    let said = fail(here, &["--demo", "record", "-o", "-"], 2);
    assert!(said.contains("name one with -o"), "{said}");
    let said = fail(here, &["--demo", "record", "--ring", "1m", "-o", "no/where"], 5);
    assert!(said.starts_with("cannot create no/where: No such file"), "{said}");
}

#[test]
fn a_ring_that_is_lost_is_an_error_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let arguments = ["--demo", "record", "--ring", "1m", "-o", "inner/ring.ttmem", "-l", "100ms"];
    let (mut child, mut lines) = start(folder.path(), &arguments);
    std::fs::remove_dir(&inner).unwrap();
    signal(&child, Signal::USR1);
    assert!(lines.next().unwrap().unwrap().contains("cannot write the ring"));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let last = lines.next().unwrap().unwrap();
    assert!(
        last.contains("a ring was lost: SIGUSR1") && last.ends_with("nothing was written"),
        "{last}"
    );
}

#[test]
fn names_of_processes_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let root = here.join("host");
    ttmem_fake::variants::regions::control_characters_in_names().write_to(&root).unwrap();
    let host = root.to_str().unwrap();
    let before = ["--root", host, "--json", "-f", "before.json"];
    print(here, &before);
    let arguments = ["--root", host, "record", "--ring", "1m", "-o", "ring", "-l", "100ms"];
    let (mut child, mut lines) = start(here, &arguments);
    std::fs::remove_dir_all(root.join(format!("proc/{}", ttmem_fake::PID))).unwrap();
    let said = lines.next().unwrap().unwrap();
    assert!(said.contains("has died and left device memory behind: wrote ring-2"), "{said}");
    signal(&child, Signal::INT);
    assert!(child.wait().unwrap().success());
    let name = said.split(' ').find(|word| word.starts_with("ring-")).unwrap();
    let events = print(here, &["replay", name, "--events"]);
    print(here, &["--root", host, "--json", "-f", "after.json"]);
    let diff = print(here, &["diff", "after.json", "before.json"]);
    assert!(diff.contains('␛') && events.contains('␛'), "{diff}{events}");
    for text in [said, events.replace('\n', ""), diff.replace('\n', "")] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(events.lines().all(|line| line.starts_with("20")), "{events}");
}

#[test]
fn a_limit_of_the_shells_ends_the_recording_as_a_full_disk_does() {
    let folder = tempfile::tempdir().unwrap();
    let script = "ulimit -f 1 && exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ttmem"), "--demo", "record"]);
    let output = command.args(["-o", "a", "--for", "1ms"]).current_dir(folder.path()).output();
    let output = output.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(error.contains("the recording stopped: File too large"), "{error}");
    let summary = print(folder.path(), &["replay", "a"]);
    assert!(!summary.contains("missing") && !summary.contains("damage"), "{summary}");
}
