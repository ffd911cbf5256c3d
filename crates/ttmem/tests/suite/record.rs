//! `ttmem record -- CMD`: the command passes through, and what its agents said is in the recording. The commands are shells
//! that leave a made-up segment; `real_ttnn.rs` covers TT-Metal in one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_recording::Recording;
use ttmem_segment::{AgentState, AllocatorKind, Reader};

use crate::agent_library;
use crate::cli::ttmem;

/// `ttmem record` of a shell script, in a folder, into the file `a`.
fn record(folder: &Path, options: &[&str], script: &str) -> Command {
    agent_library::build();
    let mut command = ttmem(
        &[
            &["record", "--no-server", "-o", "a", "-l", "100ms"],
            options,
            &["--", "sh", "-c", script],
        ]
        .concat(),
    );
    command.current_dir(folder).env_remove("LD_PRELOAD").env_remove("TTMEM_AGENT");
    command
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn opened(folder: &Path) -> Recording<Vec<u8>> {
    Recording::open(std::fs::read(folder.join("a")).unwrap()).unwrap()
}

/// A script that leaves an image as the segment of its own process, says where, and goes on with `rest`.
fn leaving(folder: &Path, rest: &str) -> String {
    let image = folder.join("image");
    let segment = Segment::wormhole(4242, 5, 0x180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 8 << 20, "Matmul"))
        .state(AgentState::Exited);
    std::fs::write(&image, segment.image()).unwrap();
    format!(
        "set -- $(cat /proc/$$/stat); s=/dev/shm/ttmem-$$-${{22}}; cp {} $s; echo $s; {rest}",
        image.display()
    )
}

#[test]
fn what_the_agent_of_a_command_said_is_in_the_recording_and_its_segment_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let script = leaving(folder.path(), "sleep 0.4; exit 7");
    let output = record(folder.path(), &[], &script).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", error(&output));
    assert!(error(&output).contains("ttmem: wrote a: "), "{}", error(&output));
    let path = String::from_utf8(output.stdout).unwrap();
    assert!(!Path::new(path.trim()).exists(), "{path}");
    let mut recording = opened(folder.path());
    let name = path.trim().trim_start_matches("/dev/shm/");
    let attached = recording.attachments();
    let own = attached.iter().find(|attached| attached.attachment.name == name).unwrap();
    assert!(!own.attachment.is_running);
    let segment = Reader::parse(&recording.attachment(own).unwrap()).unwrap();
    assert_eq!(segment.buffers[0].op.as_ref().unwrap().name.as_ref(), "Matmul");
    let events = recording.events().unwrap();
    let end = events.iter().find(|event| event.kind == ttmem_recording::EventKind::Ended);
    assert!(end.unwrap().text.ends_with("ended with 7"), "{end:?}");
}

#[test]
fn the_streams_and_the_exit_code_are_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = record(folder.path(), &[], "cat; exit 3")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"through\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"through\n"[..]));
    assert!(opened(folder.path()).is_ended());
}

#[test]
fn a_signal_is_the_commands_and_the_recording_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = record(folder.path(), &[], script)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(opened(folder.path()).is_ended());
}

#[test]
fn a_recording_that_is_full_does_not_end_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--max-size", "100"];
    let output = record(folder.path(), &options, "sleep 0.5; echo done; exit 4").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(4), &b"done\n"[..]));
    assert!(error(&output).contains("--max-size is too small"), "{}", error(&output));
}

#[test]
fn a_command_that_cannot_run_leaves_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    agent_library::build();
    let arguments = ["record", "--no-server", "-o", "a", "--", "/nowhere/command"];
    let output = ttmem(&arguments).current_dir(folder.path()).output().unwrap();
    assert_eq!((output.status.code(), error(&output).lines().count()), (Some(127), 1));
    assert!(!folder.path().join("a").exists());
    for wrong in [&["--demo", "record", "--", "true"][..], &["record", "--for", "1s", "--", "true"]]
    {
        let output = ttmem(wrong).current_dir(folder.path()).output().unwrap();
        assert_eq!((output.status.code(), error(&output).lines().count()), (Some(2), 1));
    }
}

#[test]
fn a_command_that_cannot_run_leaves_no_file_and_takes_none_away() {
    agent_library::build();
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    std::fs::write(&mine, "mine").unwrap();
    let run = |options: &[&str], library: &str| {
        let command = ["--", "/nowhere/command"];
        let mut command = ttmem(&[&["record"], options, &command].concat());
        command.current_dir(folder.path()).env_remove("LD_PRELOAD").env_remove("TTMEM_AGENT");
        if !library.is_empty() {
            command.env("TTMEM_AGENT", library);
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(run(&["-o", "new"], ""), Some(127));
    assert_ne!(run(&["-o", "new"], "/nowhere/library"), Some(0));
    assert_eq!(run(&["--ring", "1m", "-o", "mine"], ""), Some(127));
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_recording_through_a_server_has_the_facts_of_its_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let serve = ["--demo", "serve", "--socket", "s", "-l", "100ms"];
    let mut server = ttmem(&serve);
    let mut server = server.current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("serving on s"), "{line}");
    let arguments = ["--server", "s", "record", "-o", "a", "-l", "100ms", "--for", "1s"];
    let output = ttmem(&arguments).current_dir(folder.path()).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let mut recording = opened(folder.path());
    let mut with_facts = 0;
    for number in 0..recording.len() {
        let moment = recording.moment(number).unwrap().unwrap();
        let Some(merged) = ttmem_analysis::replay::merged(&moment) else { continue };
        let snapshot = moment.snapshot().unwrap();
        assert_eq!(merged.time_us, snapshot.time_us);
        assert_eq!(merged.sources, snapshot.sources);
        assert_eq!(merged.processes, snapshot.processes);
        let memory = |snapshot: &ttmem_model::Snapshot| -> Vec<_> {
            snapshot.chips.iter().map(|chip| chip.memory.clone()).collect()
        };
        assert_eq!(memory(&merged), memory(&snapshot));
        with_facts += 1;
    }
    assert!(with_facts > 2 && with_facts + 1 >= recording.len(), "{with_facts}");
}
