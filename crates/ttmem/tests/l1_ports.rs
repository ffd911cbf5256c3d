//! `ttmem` over the ports to busy chips: a simulation server, and a preloaded driver that reports every step
//! outside the rules.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use ttmem_test_support::capture::{Chip, fixture};
use ttmem_test_support::simulator::{Bad, Behaviour, Server};
use ttmem_test_support::stage::{DEVICE, Stage};

fn ttmem(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.args(arguments).env_remove("COLUMNS");
    command
}

/// A command with a `/dev/shm` of its own, where that is allowed: the agents and regions of others have chips, too. It cannot see
/// the open files of this process.
fn alone(arguments: &[&str]) -> Command {
    const PRIVATE: [&str; 4] = ["--mount", "--map-root-user", "sh", "-c"];
    const MOUNT: &str = "mount -t tmpfs tmpfs /dev/shm";
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(PRIVATE).arg(script);
        command
    };
    let is_allowed = unshared(MOUNT).stderr(Stdio::null()).status();
    if !is_allowed.is_ok_and(|status| status.success()) {
        return ttmem(arguments);
    }
    let mut command = unshared(&format!("{MOUNT} && exec \"$@\""));
    command.args(["-", env!("CARGO_BIN_EXE_ttmem")]).args(arguments).env_remove("COLUMNS");
    command
}

fn said(output: &Output) -> (i32, String) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(message.matches('\n').count(), 1, "{message}");
    (output.status.code().unwrap(), message.trim_end().to_owned())
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The cores of a report without what differs from port to port: where the NOC has them, and names.
fn cores(report: &Value) -> Vec<Value> {
    let mut cores = report["chips"][0]["cores"].as_array().unwrap().clone();
    for core in &mut cores {
        core.as_object_mut().unwrap().remove("noc");
        for kernel in core["kernels"].as_array_mut().unwrap() {
            kernel["name"] = Value::Null;
            kernel["system"] = Value::Null;
            kernel.as_object_mut().unwrap().remove("operation");
        }
    }
    cores.sort_by_key(|core| core["logical"].to_string());
    cores
}

fn of_capture(name: &str) -> Vec<Value> {
    let capture = fixture(name);
    cores(&json(
        &ttmem(&["l1", "--json", "--capture", capture.to_str().unwrap()]).output().unwrap(),
    ))
}

#[test]
fn a_simulated_chip_is_read_like_its_capture() {
    for name in ["wormhole/matmul", "blackhole/sharded_add"] {
        let server = Server::start(Chip::load(name), Behaviour::Good);
        let socket = server.path().to_str().unwrap();
        let report = json(&alone(&["l1", "--json", "--simulator", socket]).output().unwrap());
        assert_eq!(cores(&report), of_capture(name), "{name}");
        assert_eq!(report["chips"][0]["id"], Value::Null);
        // Asking for the device, finding the layout, and at most three reads of each core.
        let asked = server.requests().len();
        let count = cores(&report).len();
        assert!(asked <= 2 + 3 * count, "{name}: {asked} requests for {count} cores");
        // What is reported is what was asked, and a core that has not gone on is read once.
        let text = alone(&["l1", "--simulator", socket]).output().unwrap().stdout;
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!(" {asked} reads, ")), "{name}: {text}");
        let before = server.requests().len();
        let arguments = ["l1", "--json", "-l", "100ms", "-c", "3", "--simulator", socket];
        alone(&arguments).output().unwrap();
        assert_eq!(server.requests().len() - before, asked + 2 * count, "{name}");
    }
}

/// The server runs in this process, so this process is the owner, and the `kernels.yaml` it has open is the owner's.
#[test]
fn a_simulated_chip_has_the_names_of_its_owner_in_every_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let inspector = folder.path().join("generated/inspector");
    fs::create_dir_all(&inspector).unwrap();
    let yaml = fs::read(fixture("wormhole-fast-dispatch/matmul").join("kernels.yaml")).unwrap();
    fs::write(inspector.join("kernels.yaml"), yaml).unwrap();
    let open = fs::File::open(inspector.join("kernels.yaml")).unwrap();
    fs::remove_file(inspector.join("kernels.yaml")).unwrap();

    let server = Server::start(Chip::load("wormhole-fast-dispatch/matmul"), Behaviour::Good);
    let socket = server.path().to_str().unwrap();
    let snapshot = json(&ttmem(&["--json", "--simulator", socket]).output().unwrap());
    drop(open);
    let chips = snapshot["chips"].as_array().unwrap();
    let chip = chips.iter().find(|chip| chip["id_source"] == "simulator").unwrap();
    assert_eq!(chip["owners"]["pids"], serde_json::json!([std::process::id()]));
    assert_eq!(chip["memory"]["circular_buffers"]["used"]["value"], 12_582_912);
    assert_eq!(chip["memory"]["kernels"]["used"]["value"], 85_760);
    assert_eq!(chip["memory"]["kernels"]["system"]["value"], 48_096);
    let processes = snapshot["processes"].as_array().unwrap();
    assert!(processes.iter().any(|process| process["pid"] == std::process::id()));
}

/// A simulator that runs an op answers after seconds: the samples go on with the last values and ask nothing twice.
#[test]
fn samples_go_on_while_a_simulator_does_not_answer() {
    let server = Server::start(Chip::load("wormhole/matmul"), Behaviour::Good);
    let socket = server.path().to_str().unwrap();
    let mut command = alone(&["l1", "--json", "-l", "100ms", "--simulator", socket]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = cores(&next());
    server.hold(true);
    let asked = server.requests().len();
    for _ in 0..4 {
        assert_eq!(cores(&next()), first);
    }
    assert!(server.requests().len() <= asked + 3, "a late request is not made again");
    let asked = server.requests().len();
    server.hold(false);
    while server.requests().len() < asked + 100 {
        assert_eq!(cores(&next()), first);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The host of slow dispatch writes the circular buffers of a program before its launch message: the cores still name the
/// program before, which has ended. No such sum is called exact; those of programs that run are.
#[test]
fn circular_buffers_of_the_next_program_are_not_called_exact() {
    // The two circular buffers of gelu, and those of a gelu with pages for twice as many tiles: address, size, pages,
    // bytes of a page.
    const OF_GELU: [[u32; 4]; 2] = [[105_824, 4096, 2, 2048], [109_920, 4096, 2, 2048]];
    const OF_THE_NEXT: [[u32; 4]; 2] = [[105_824, 8192, 4, 2048], [114_016, 8192, 4, 2048]];
    let bytes = |record: [u32; 4]| record.map(u32::to_le_bytes).concat();
    let gelu = Chip::load("wormhole-ops/gelu");
    let mut between = gelu.clone();
    for (_, l1) in between.cores.iter_mut().flat_map(|core| &mut core.segments) {
        for (old, new) in OF_GELU.map(bytes).iter().zip(OF_THE_NEXT.map(bytes)) {
            if let Some(offset) = l1.windows(16).position(|window| window == old) {
                l1[offset..offset + 16].copy_from_slice(&new);
            }
        }
    }
    let server = Server::start(gelu, Behaviour::Good);
    let socket = server.path().to_str().unwrap();
    let used = || {
        let snapshot = json(&alone(&["--json", "--simulator", socket]).output().unwrap());
        let chips = snapshot["chips"].as_array().unwrap();
        let chip = chips.iter().find(|chip| chip["id_source"] == "simulator").unwrap();
        let used = chip["memory"]["circular_buffers"]["used"].clone();
        (used["value"].as_u64(), used["quality"].as_str().map(str::to_owned))
    };
    let first = used();
    assert_eq!(first, (Some(72 * 8192), Some("inferred".to_owned())));
    server.show(between);
    assert_eq!(used(), (Some(72 * 16_384), Some("inferred".to_owned())));
    server.show(Chip::load("wormhole/add"));
    assert_eq!(used().1.as_deref(), Some("exact"), "a program that runs");
}

#[test]
fn a_simulated_chip_is_saved_with_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("saved");
    let server = Server::start(Chip::load("wormhole/matmul"), Behaviour::Good);
    let arguments = [
        "l1",
        "--simulator",
        server.path().to_str().unwrap(),
        "--save",
        directory.to_str().unwrap(),
    ];
    let output = alone(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let capture = directory.to_str().unwrap();
    let report = json(&ttmem(&["l1", "--json", "--capture", capture]).output().unwrap());
    assert_eq!(cores(&report), of_capture("wormhole/matmul"));
}

#[test]
fn a_server_that_misbehaves_is_one_line() {
    let nowhere = alone(&["l1", "--simulator", "/nowhere.sock"]).output().unwrap();
    let (code, message) = said(&nowhere);
    assert_eq!(code, 12, "{message}");
    assert!(message.contains("/nowhere.sock"), "{message}");
    for manners in [Behaviour::Bad(Bad::Malformed), Behaviour::BadReads(Bad::Closing)] {
        let server = Server::start(Chip::load("wormhole/idle"), manners);
        let socket = server.path().to_str().unwrap();
        let output = alone(&["l1", "--simulator", socket]).output().unwrap();
        let (code, message) = said(&output);
        assert_eq!(code, 12, "{manners:?}: {message}");
    }
}

/// A host with one device, of which the driver's directory tells no more than the architecture.
fn staged(name: &str) -> Stage {
    let chip = Chip::load(name);
    let mut stage = Stage::new(&chip);
    let pci_device = if chip.arch == 2 { "0x401e\n" } else { "0xb140\n" };
    let device = format!("sys/class/tenstorrent/tenstorrent!{DEVICE}/device/device");
    stage.file(&device, pci_device).file("sys/module/tenstorrent/version", "2.10.0\n");
    stage
}

/// A window of the driver may be in use: the program opens the device, reads, and exits.
fn played(stage: &Stage, arguments: &[&str]) -> Output {
    let ending = stage.run(&mut ttmem(arguments));
    assert_eq!(ending.violations(), [""; 0], "{arguments:?}");
    ending.output
}

#[test]
fn a_device_is_read_like_its_capture_and_by_the_rules() {
    for name in ["wormhole-fast-dispatch/matmul", "blackhole/matmul"] {
        let stage = staged(name);
        let report = json(&played(&stage, &["l1", "--json"]));
        assert_eq!(cores(&report), of_capture(name), "{name}");
        assert!(report["chips"][0]["id"].is_string());
    }
}

#[test]
fn a_snapshot_opens_the_device_only_if_it_is_asked_for() {
    let stage = staged("wormhole-fast-dispatch/matmul");
    let ending = stage.run(&mut ttmem(&["--json"]));
    let snapshot = json(&ending.output);
    assert_eq!(snapshot["chips"][0]["memory"]["reserved"]["used"]["missing"], "not-read");
    assert!(!ending.report.iter().any(|step| step.starts_with("open")), "{:?}", ending.report);

    let snapshot = json(&played(&stage, &["--json", "--l1"]));
    let chip = &snapshot["chips"][0];
    assert_eq!(chip["memory"]["circular_buffers"]["used"]["value"], 12_582_912);
    assert_eq!(chip["worker_cores"]["value"], 72);
}

#[test]
fn a_device_is_opened_anew_for_each_look_and_saved_whole() {
    let stage = staged("wormhole-fast-dispatch/matmul");
    let output = played(&stage, &["l1", "--json", "-l", "100ms", "-c", "2"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);

    let directory = stage.directory().join("saved");
    let output = played(&stage, &["l1", "--save", directory.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let capture = directory.to_str().unwrap();
    let report = json(&ttmem(&["l1", "--json", "--capture", capture]).output().unwrap());
    assert_eq!(cores(&report), of_capture("wormhole-fast-dispatch/matmul"));
}

#[test]
fn a_device_that_must_not_be_opened_says_why() {
    let ends = |stage: &Stage| said(&played(stage, &["l1"]));
    let mut alone = staged("wormhole/idle");
    alone.set("owners", "");
    alone.file(&format!("proc/driver/tenstorrent/{DEVICE}/pids"), "");
    let (code, message) = ends(&alone);
    assert_eq!(code, 6, "{message}");
    assert!(message.contains("no process has device"), "{message}");

    let mut stranger = staged("wormhole/idle");
    stranger.file("proc/4242/maps", "7f00-7f01 r-xp 0 08:01 9 /usr/bin/tt-smi\n");
    let (code, message) = ends(&stranger);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("run as the owner's user or as root"), "{message}");

    for (fault, code) in [("denied", 4), ("interface", 3), ("no-window", 12), ("exclusive", 12)] {
        let mut stage = staged("wormhole/idle");
        stage.set("fault", fault);
        let (ended, message) = ends(&stage);
        assert_eq!(ended, code, "{fault}: {message}");
    }
    assert!(!Path::new("/dev/tenstorrent/61").exists(), "this host has the staged device");
}
