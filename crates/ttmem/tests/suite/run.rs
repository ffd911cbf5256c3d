//! `ttmem run`: exit codes, streams, signals, segments, reports, limits. The commands are shells; what TT-Metal does in
//! one is covered in `real_ttnn.rs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_segment::{AgentState, AllocatorKind, CoreRange, PartKind, RefusalKind};
use unicode_width::UnicodeWidthStr as _;

use crate::agent_library;
use crate::cli::ttmem;

fn run(arguments: &[&str]) -> Command {
    agent_library::build();
    let mut command = ttmem(&[&["run"], arguments].concat());
    command.env_remove("LD_PRELOAD").env_remove("TTMEM_AGENT");
    command
}

pub(crate) fn sh(options: &[&str], script: &str) -> Command {
    run(&[options, &["--", "sh", "-c", script]].concat())
}

pub(crate) fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_exit_code_is_the_commands() {
    for (script, code) in [("true", 0), ("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137)] {
        let output = sh(&[], script).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}");
        assert_eq!(error(&output), "", "{script}");
    }
    let output = run(&["--", "/nowhere/command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(error(&output).lines().count(), 1);
    assert_eq!(run(&["--", "/dev/null"]).output().unwrap().status.code(), Some(126));
}

#[test]
fn exit_code_137_is_explained_with_the_memory_of_the_host() {
    let output = sh(&["--report"], "sleep 0.3; kill -KILL $$").output().unwrap();
    assert_eq!(output.status.code(), Some(137));
    let text = error(&output).replace('\n', " ");
    for part in ["Exit code 137 is SIGKILL", "OOM", "(VmHWM", "the host has ", "locked memory "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!error(&sh(&["--report"], "exit 0").output().unwrap()).contains("VmHWM"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let option = format!("--report={}", file.display());
    sh(&[&option], "dd if=/dev/zero of=/dev/null bs=64M count=1 2> /dev/null; exit 3")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let memory = &report["host_memory"];
    assert!(memory["peak_bytes"].as_u64().unwrap() > 64 << 20, "{memory}");
    assert!(memory["total_bytes"].as_u64() > memory["peak_bytes"].as_u64(), "{memory}");
    assert_eq!(memory["cause"], Value::Null);
}

#[test]
fn the_streams_are_the_commands() {
    let mut child =
        run(&["cat", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"through\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"through\n");
}

#[test]
fn the_agent_is_behind_what_is_preloaded_already() {
    let library = agent_library::build().canonicalize().unwrap();
    let library = library.to_str().unwrap();
    let output = sh(&[], "echo $LD_PRELOAD").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), library);
    let output = sh(&[], "echo $LD_PRELOAD").env("LD_PRELOAD", "libc.so.6").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), format!("libc.so.6:{library}"));
}

#[test]
fn a_missing_library_is_one_line_and_three() {
    let output =
        sh(&[], "echo no").env("TTMEM_AGENT", "/nowhere/libttmem_agent.so").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert_eq!(
        error(&output),
        "ttmem: TTMEM_AGENT names /nowhere/libttmem_agent.so, and there is no file; name libttmem_agent.so\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone/ttmem");
    std::fs::create_dir(folder.path().join("alone")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_ttmem"), &alone).unwrap();
    let output =
        Command::new(&alone).args(["run", "true"]).env_remove("TTMEM_AGENT").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(error(&output).contains("cargo build -p ttmem-agent"));
    // As it is installed: bin/ttmem and lib/ttmem/libttmem_agent.so.
    let lib = folder.path().join("lib/ttmem");
    std::fs::create_dir_all(&lib).unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::fs::copy(agent_library::build(), lib.join("libttmem_agent.so")).unwrap();
    let installed = folder.path().join("bin/ttmem");
    std::fs::rename(&alone, &installed).unwrap();
    let output =
        Command::new(&installed).args(["run", "true"]).env_remove("TTMEM_AGENT").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
}

/// A command that says `ready` and the signals that it gets, and ends by the third.
fn listener() -> Child {
    let script = "trap 'echo got $name; n=$((n+1)); [ $n = 3 ] && exit 9' USR1; \
                  for s in INT TERM HUP; do trap \"echo got $s\" $s; done; n=0; name=USR1; \
                  echo ready; while :; do sleep 0.05; done";
    // What the test was started to ignore, by `nohup` perhaps, a shell cannot trap.
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_ttmem"), "run", "sh", "-c", script]);
    agent_library::build();
    command.env_remove("TTMEM_AGENT").stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn signals_reach_the_command_once() {
    let mut child = listener();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "ready");
    let pid = Pid::from_child(&child);
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        kill_process(pid, signal).unwrap();
        assert_eq!(next(), format!("got {name}"));
    }
    for _ in 0..3 {
        kill_process(pid, Signal::USR1).unwrap();
        assert_eq!(next(), "got USR1");
    }
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn a_command_that_a_signal_ends_ends_ttmem_as_a_shell_would() {
    let mut child = sh(&[], "echo ready; exec sleep 60").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(128 + 15), None));
}

#[test]
fn what_is_ignored_stays_ignored() {
    let program = env!("CARGO_BIN_EXE_ttmem");
    agent_library::build();
    let script = format!("trap '' HUP; exec {program} run -- grep SigIgn /proc/self/status");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mask = u64::from_str_radix(text.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    assert_eq!(mask & 1, 1, "{text}");
}

/// Returns the output of a shell script.
fn printed(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_ignored_sigpipe_is_passed_on_and_no_other() {
    agent_library::build();
    let program = env!("CARGO_BIN_EXE_ttmem");
    for ignored in ["trap '' PIPE;", "trap - PIPE;"] {
        let is_ignored = |start: &str| {
            let text = printed(&format!("{ignored} {start} grep SigIgn /proc/self/status"));
            let mask = text.trim_start_matches("SigIgn:").trim();
            u64::from_str_radix(mask, 16).unwrap() >> (13 - 1) & 1 == 1
        };
        assert_eq!(is_ignored(&format!("{program} run --")), is_ignored(""), "{ignored}");
    }
}

#[test]
fn a_signal_of_timeout_comes_as_often_as_without_ttmem() {
    agent_library::build();
    let program = env!("CARGO_BIN_EXE_ttmem");
    // Counts for half a second from the first one.
    let script = "import signal, time; got = []; signal.signal(signal.SIGTERM, lambda *_: got.append(1)); \
                  [time.sleep(0.01) for _ in iter(lambda: bool(got), True)]; time.sleep(0.5); print(len(got))";
    let counted = |start: &str| {
        // A program that is not ready when the signal comes dies of it: on a busy machine it gets more time.
        let count = [1, 4, 16, 64].into_iter().find_map(|seconds| {
            let text = printed(&format!("timeout {seconds} {start} python3 -c '{script}'"));
            text.trim().parse::<u32>().ok()
        });
        count.unwrap()
    };
    let most = (0..3).map(|_| counted(&format!("{program} run --"))).max().unwrap();
    assert!((1..=2).contains(&most), "{most} signals; timeout sends two");
}

#[test]
fn a_first_process_collects_orphans() {
    agent_library::build();
    let program = env!("CARGO_BIN_EXE_ttmem");
    let namespace = "unshare --user --map-root-user --pid --fork --mount-proc";
    if printed(&format!("{namespace} sh -c 'echo $$' 2>&1")).trim() != "1" {
        // No namespaces for this user: nothing to test here.
        return;
    }
    let orphans = "for i in 1 2 3; do (sleep 0.1 &); done; sleep 0.6; grep -l \"^State:.Z\" /proc/[0-9]*/status; exit 7";
    let text = printed(&format!("{namespace} {program} run -- sh -c '{orphans}'; echo $?"));
    assert_eq!(text, "7\n");
}

/// A shell that leaves `image` as the segment of its own process, and then does `script`.
fn with_segment(options: &[&str], image: &Path, script: &str) -> Output {
    let leave = format!(
        "set -- $(cat /proc/$$/stat); s=/dev/shm/ttmem-$$-${{22}}; cp {} $s; echo $s; sleep 0.3; {script}",
        image.display()
    );
    sh(options, &leave).env("COLUMNS", "91").output().unwrap()
}

pub(crate) fn image(folder: &Path) -> PathBuf {
    let path = folder.join("image");
    let segment = Segment::wormhole(4242, 5, 0x180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 8 << 20, "Matmul"))
        .allocate(NewBuffer::new(AllocatorKind::L1, 64 << 10, "Softmax"))
        .free_newest(AllocatorKind::L1)
        .fail(NewBuffer::new(AllocatorKind::L1, 2 << 20, "Softmax"))
        .close()
        .state(AgentState::Exited);
    std::fs::write(&path, segment.image()).unwrap();
    path
}

/// A process whose matmul runs and then clashes with a tensor.
fn image_with_programs(folder: &Path) -> PathBuf {
    const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
    let path = folder.join("programs");
    let matmul = NewProgram::new("MatmulDeviceOperation")
        .place(PartKind::DataflowBuffer, 105_824, 32_768, WHOLE)
        .place(PartKind::DataflowBuffer, 138_592, 131_072, WHOLE)
        .place(PartKind::DataflowBuffer, 269_664, 32_768, WHOLE)
        .kernel("bmm_large_block_zm", Some(268), WHOLE);
    let segment = Segment::wormhole(4242, 5, 0x180_0000_0001)
        .program(&matmul)
        .allocate(NewBuffer::new(AllocatorKind::L1, 144 << 10, "Softmax"))
        .dispatch(0)
        .dispatch(0)
        .begin_trace(1)
        .dispatch(0)
        .end_trace(1024)
        .replay_trace()
        .allocate(NewBuffer::new(AllocatorKind::L1, 1_100_000, "KvCache"))
        .refuse(0, RefusalKind::Clash, 0)
        .state(AgentState::Exited);
    std::fs::write(&path, segment.image()).unwrap();
    path
}

#[test]
fn a_report_shows_l1_by_op_with_circular_buffers_and_explains_a_clash() {
    let folder = tempfile::tempdir().unwrap();
    let image = image_with_programs(folder.path());
    let text = error(&with_segment(&["--report"], &image, "true"));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let line = |start: &str| {
        *lines
            .iter()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{start}: {text}"))
    };
    // Both shares are of L1 of all cores.
    assert!(line("L1 ").ends_with("23%  Matmul"), "{text}");
    assert!(line("tensors   ").contains("83%  KvCache"), "{text}");
    let core = "fullest core: 471 KiB of 1.43 MiB, reserved memory included";
    assert_eq!(line("fullest core"), core);
    assert_eq!(line("tensors 9."), "tensors 9.00 MiB, circular buffers 12.0 MiB, kernels 16.8 KiB");
    assert!(line("blocked by: ").contains("tensor of KvCache, allocated "), "{text}");
    assert!(line("Matmul ").contains("192 KiB"), "{text}");
    assert_eq!(line("trace 1:"), "trace 1: 12.0 KiB, 1 dispatches, 1 replays");
    assert!(text.lines().all(|line| line.width() <= 91), "{text}");

    let file = folder.path().join("report.json");
    with_segment(&[&format!("--report={}", file.display())], &image, "true");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let programs = &json["processes"][0]["programs"];
    assert_eq!(programs["peaks"][0]["circular_buffers"], 12_582_912);
    assert_eq!(programs["ops"][0]["dispatches"], 3);
    assert_eq!(programs["refused"][0]["buffer"]["op"], "KvCache");
}

fn segment_of(output: &Output) -> PathBuf {
    String::from_utf8(output.stdout.clone()).unwrap().lines().next().unwrap().into()
}

#[test]
fn the_segment_is_removed_unless_it_is_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let output = with_segment(&[], &image, "exit 5");
    assert_eq!((output.status.code(), error(&output).as_str()), (Some(5), ""));
    assert!(!segment_of(&output).exists());
    let output = with_segment(&["--keep"], &image, "true");
    let path = segment_of(&output);
    assert!(error(&output).contains(&format!("ttmem report {}", path.display())));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_report_goes_to_standard_error_or_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let output = with_segment(&["--report"], &image, "true");
    let text = error(&output);
    for words in [
        "ttmem run sh -c",
        "exit 0",
        "Peaks on TT-Metal device 0",
        "Matmul",
        "Refused",
        "Still held",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.lines().all(|line| line.width() <= 91), "{text}");
    for name in ["report.txt", "report.json", "report.html"] {
        let file = folder.path().join(name);
        let output = with_segment(&[&format!("--report={}", file.display())], &image, "exit 3");
        assert_eq!((output.status.code(), error(&output).as_str()), (Some(3), ""));
        let text = std::fs::read_to_string(&file).unwrap();
        match name {
            "report.json" => {
                let json: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(json["exit_code"], 3);
                assert_eq!(json["processes"][0]["peaks"][0]["bytes"], 12 * (8 << 20));
                let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
                assert_eq!(json["processes"][0]["host"], host.trim());
            }
            "report.html" => assert!(text.contains("\"timeline\":{") && text.contains("Matmul")),
            _ => assert!(text.starts_with("ttmem run sh -c"), "{text}"),
        }
    }
    let output = sh(&["--report"], "true").output().unwrap();
    assert!(error(&output).contains("No process of this command"), "{}", error(&output));
}

#[test]
fn a_limit_names_the_culprit() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let limited = |limit: &str, script: &str| with_segment(&["--limit", limit], &image, script);
    let output = limited("dram=50MiB,l1=1GiB", "true");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        error(&output),
        "ttmem: limit exceeded: process 4242 held 96.0 MiB of DRAM on TT-Metal device 0, reached by Matmul; the limit is 50.0 MiB\n"
    );
    assert_eq!(limited("dram=96MiB,l1=64KiB/bank", "true").status.code(), Some(0));
    let both = limited("dram=1MiB,l1=63KiB/bank", "true");
    assert_eq!(error(&both).lines().count(), 2, "{}", error(&both));
    let failing = limited("dram=1MiB", "exit 4");
    assert_eq!((failing.status.code(), error(&failing).lines().count()), (Some(4), 1));
    let unchecked = sh(&["--limit", "dram=1MiB"], "true").output().unwrap();
    assert_eq!(unchecked.status.code(), Some(3));
    for wrong in ["dram", "sram=1MiB", "dram=lots"] {
        let output = sh(&["--limit", wrong], "true").output().unwrap();
        assert_eq!((output.status.code(), error(&output).lines().count()), (Some(2), 1), "{wrong}");
    }
}

#[test]
fn a_command_runs_on_this_machine() {
    for other in [&["--demo"][..], &["--root", "/"]] {
        let output = ttmem(&[other, &["run", "true"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
    }
}

/// A process that maps a file for a while, as the linker maps a library.
fn maps(file: &Path) -> String {
    format!(
        "python3 -c 'import mmap, time; f = open(\"{}\", \"rb\"); \
         m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); time.sleep(6)'",
        file.display()
    )
}

#[test]
fn a_process_with_a_cleared_environment_is_named_and_its_limit_is_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libtt_metal.so");
    std::fs::write(&library, [0; 4096]).unwrap();
    let script = format!("env -i PATH=\"$PATH\" {}", maps(&library));
    let output = sh(&["--report", "--limit", "dram=1GiB"], &script).output().unwrap();
    let text = error(&output);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("(python3) used TT-Metal without being counted"), "{text}");
    assert!(text.contains("sudo ttmem run -- CMD"), "{text}");
    assert_eq!(output.status.code(), Some(3), "{text}");
    // With the environment the agent is there, and TT-Metal has opened no device.
    let output = sh(&["--report"], &maps(&library)).output().unwrap();
    assert!(!error(&output).contains("without being counted"), "{}", error(&output));
}

#[test]
fn a_child_before_exec_is_not_a_second_process_that_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("dev/shm");
    std::fs::create_dir_all(&shared).unwrap();
    // TT-Metal as a library without the agent, and as a part of another library, which only its region shows.
    let library = folder.path().join("libtt_metal.so");
    let region = shared.join("tt_device_7_memory");
    for (environment, file) in [("env -i PATH=\"$PATH\" ", &library), ("", &region)] {
        std::fs::write(file, [0; 4096]).unwrap();
        let script = format!(
            "{environment}python3 -c 'import mmap, os, time; f = open(\"{}\", \"rb\")\n\
             m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n\
             ends = os.fork() or (time.sleep(1), os._exit(0))\n\
             goes_on = os.fork() or (time.sleep(1), os.execlp(\"sleep\", \"sleep\", \"1\"))\n\
             os.waitpid(goes_on, 0)'",
            file.display()
        );
        let output = sh(&["--report"], &script).output().unwrap();
        let text = error(&output);
        assert_eq!(text.matches("without being").count(), 1, "{text}");
    }
}

#[test]
fn a_segment_in_a_shared_memory_of_its_own_is_in_the_report() {
    let private = "unshare --mount --map-root-user";
    let is_allowed = Command::new("sh").args(["-c", &format!("{private} true")]).status();
    if !is_allowed.is_ok_and(|status| status.success()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path());
    let inside = format!(
        "mount -t tmpfs tmpfs /dev/shm; set -- $(cat /proc/$$/stat); \
         cp {} /dev/shm/ttmem-$$-${{22}}; sleep 2",
        image.display()
    );
    let script = folder.path().join("inside");
    std::fs::write(&script, inside).unwrap();
    let command = format!("{private} sh {}", script.display());
    let output = sh(&["--report"], &command).env("COLUMNS", "91").output().unwrap();
    assert!(error(&output).contains("Matmul"), "{}", error(&output));
}
