//! The driver's port against a preloaded stand-in for the driver, which notices every step outside the rules of
//! `docs/safety.md`. The code under test is the one that ships: the stand-in replaces libc's functions below it.
//!
//! Each test sets a stage and starts this binary again on it, to do one scene.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "port_kmd/scenes.rs"]
mod scenes;
#[path = "port_kmd/wrong.rs"]
mod wrong;

use std::os::unix::process::ExitStatusExt as _;

use ttmem_sources::l1::Reader;
use ttmem_sources::port::image::ImagePort;
use ttmem_test_support::capture::{Chip, fixture};
use ttmem_test_support::stage::{DEVICE, Ending, OWNER, SCENE, Stage};

const CAPTURES: [&str; 3] =
    ["wormhole/matmul", "wormhole-fast-dispatch/matmul", "blackhole/matmul"];

/// The program under test on a stage. Does nothing in a normal test run.
#[test]
fn scene() {
    match std::env::var(SCENE) {
        Ok(scene) if scene.starts_with("wrong ") => wrong::play(&scene["wrong ".len()..]),
        Ok(scene) => scenes::play(&scene),
        Err(_) => {}
    }
}

fn played(stage: &Stage, scene: &str) -> Ending {
    let ending = stage.play(scene);
    let output = String::from_utf8_lossy(&ending.output.stderr);
    assert!(ending.output.status.success(), "{scene}: {output}");
    assert_eq!(ending.violations(), [""; 0], "{scene}");
    ending
}

/// The output of the scene.
fn outcome(stage: &Stage) -> String {
    std::fs::read_to_string(stage.directory().join("outcome")).unwrap()
}

#[test]
fn every_captured_byte_of_every_core_is_read_by_the_rules() {
    for name in CAPTURES {
        let chip = Chip::load(name);
        let mut stage = Stage::new(&chip);
        stage.set("arch", chip.arch_name());
        let ending = played(&stage, "read everything");
        let mut cores = 0;
        for core in &chip.cores {
            let Some((x, y)) = chip.translated(core) else { continue };
            let read = std::fs::read(stage.directory().join(format!("read-{x}-{y}"))).unwrap();
            let captured: Vec<u8> =
                core.segments.iter().flat_map(|(_, bytes)| bytes[..4096].to_vec()).collect();
            assert_eq!(read, captured, "{name} ({x}, {y})");
            cores += 1;
        }
        assert_eq!(outcome(&stage), format!("{cores} cores of 0000:01:00.0, driver 2.10.0"));
        assert_frame(&ending, cores);
    }
}

/// One file, one window, one mapping; each taken and given back once, in this order.
fn assert_frame(ending: &Ending, cores: usize) {
    let (aims, frame): (Vec<&str>, Vec<&str>) =
        ending.steps().into_iter().partition(|step| step.starts_with("CONFIGURE_TLB"));
    assert_eq!(aims.len(), cores, "a core is aimed at once");
    let expected = [
        "open",
        "GET_DRIVER_INFO",
        "GET_DEVICE_INFO",
        "ALLOCATE_TLB",
        "mmap",
        "munmap",
        "FREE_TLB",
        "close",
        "exit",
    ];
    let names = frame.iter().map(|step| step.split(' ').next().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

/// The decoder finds the same by way of the driver as in the capture itself, within the budget.
#[test]
fn a_chip_is_discovered_and_decoded_as_its_capture_is() {
    for name in CAPTURES {
        let chip = Chip::load(name);
        let mut stage = Stage::new(&chip);
        stage.set("arch", chip.arch_name());
        played(&stage, "decode");
        let mut image = ImagePort::open(&fixture(name)).unwrap().remove(0);
        let mut reader = Reader::open(&mut image).unwrap();
        let (cores, _cost) = reader.sample(&mut image).unwrap();
        assert_eq!(outcome(&stage), scenes::shown(cores), "{name}");
    }
}

/// Every access to the window is seen: the program reads aligned words, each once, and counts them right.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_device_sees_aligned_words_and_no_more_than_are_counted() {
    for name in [CAPTURES[0], CAPTURES[2]] {
        let chip = Chip::load(name);
        let mut stage = Stage::new(&chip);
        stage.set("arch", chip.arch_name()).set("trace", 1);
        let ending = played(&stage, "sample");
        let counted: u64 = outcome(&stage).trim().parse().unwrap();
        let seen = ending.steps().iter().find_map(|step| step.strip_prefix("words "));
        assert_eq!(seen.unwrap().parse::<u64>().unwrap() * 4, counted, "{name}");
    }
}

#[test]
fn pieces_at_odd_addresses_and_over_the_edge_of_the_window_are_whole() {
    for name in [CAPTURES[0], CAPTURES[2]] {
        let chip = Chip::load(name);
        let mut stage = Stage::new(&chip);
        stage.set("arch", chip.arch_name());
        played(&stage, "odd pieces");
        assert_eq!(outcome(&stage), "well");
    }
}

#[test]
fn what_must_not_be_asked_does_not_reach_the_device() {
    let stage = Stage::new(&Chip::load(CAPTURES[0]));
    let ending = played(&stage, "outside");
    assert_eq!(outcome(&stage), "NoSuchCore NoSuchCore Outside Outside Outside");
    assert!(!ending.steps().iter().any(|step| step.starts_with("CONFIGURE_TLB")));
}

#[test]
fn a_grid_that_cannot_be_closes_the_device() {
    let stage = Stage::new(&Chip::load(CAPTURES[0]));
    for (scene, expected) in [("misplaced", "reports (3, 0)"), ("huge grid", "9 by 10")] {
        let ending = played(&stage, scene);
        assert!(outcome(&stage).contains(expected), "{}", outcome(&stage));
        assert!(outcome(&stage).contains("then: the device is closed"), "{}", outcome(&stage));
        assert!(ending.steps().contains(&"close"));
        std::fs::remove_file(stage.directory().join("report")).unwrap();
    }
}

/// Opens with one thing wrong; returns what it said and the steps that it took.
fn refused(change: impl FnOnce(&mut Stage)) -> (String, String) {
    let mut stage = Stage::new(&Chip::load(CAPTURES[0]));
    change(&mut stage);
    let ending = played(&stage, "open");
    (outcome(&stage), ending.steps().join(" "))
}

#[test]
fn without_metal_as_an_owner_the_device_is_not_opened() {
    let maps = format!("proc/{OWNER}/maps");
    for (expected, owners) in [
        ("no process has device 61 open", ""),
        ("known to run TT-Metal", "77,0"),
        ("cannot tell who owns", "x"),
    ] {
        let (said, steps) = refused(|stage| _ = stage.set("owners", owners));
        assert!(said.contains(expected), "{said}");
        assert_eq!(steps, "");
    }
    let (said, steps) = refused(|stage| _ = stage.file(&maps, "7f-80 r-xp 0 0:0 0 /bin/tt-smi\n"));
    assert!(said.contains("known to run TT-Metal"), "{said}");
    assert_eq!(steps, "");
}

#[test]
fn an_owner_that_leaves_takes_us_along() {
    let (said, steps) = refused(|stage| _ = stage.set("fault", "owner-leaves"));
    assert!(said.contains("left while ttmem opened it"), "{said}");
    assert!(steps.ends_with("mmap munmap FREE_TLB close exit"), "{steps}");
}

#[test]
fn a_device_is_closed_before_the_next_core_once_its_owner_has_ended() {
    let mut stage = Stage::new(&Chip::load("wormhole/matmul"));
    stage.set("arch", "wormhole");
    let ending = played(&stage, "owner ends");
    assert!(outcome(&stage).contains("the owner of device 61 left while it was read"));
    assert!(ending.steps().ends_with(&["close", "exit"]), "{:?}", ending.steps());
}

#[test]
fn whatever_the_driver_refuses_everything_is_given_back() {
    const OPENED: &str = "open GET_DRIVER_INFO";
    for (fault, expected, trail) in [
        ("exclusive", "held exclusively", ""),
        ("denied", "permission denied", ""),
        ("gone", "was reset or is gone", ""),
        ("interface", "version 3 of its interface", " close exit"),
        ("no-window", "no free window", " GET_DEVICE_INFO ALLOCATE_TLB 1048576 close exit"),
    ] {
        let (said, steps) = refused(|stage| _ = stage.set("fault", fault));
        assert!(said.contains(expected), "{fault}: {said}");
        let expected = if trail.is_empty() { String::new() } else { format!("{OPENED}{trail}") };
        assert_eq!(steps, expected, "{fault}");
    }
    let (said, steps) = refused(|stage| _ = stage.set("pci_device", 0xB140));
    assert!(said.contains("1e52:b140, not a wormhole"), "{said}");
    assert_eq!(steps, "open GET_DRIVER_INFO GET_DEVICE_INFO close exit");
}

#[test]
fn a_device_that_fails_while_it_is_read_is_closed_and_not_asked_again() {
    for (fault, after, expected) in [
        ("not-ours", 0, "the window is not ours"),
        ("reset", 3, "was reset or is gone"),
        ("reset-while-reading", 3, "was reset or is gone"),
        ("dead-link", 0, "answers every read with ones"),
    ] {
        let mut stage = Stage::new(&Chip::load(CAPTURES[0]));
        stage.set("arch", "wormhole").set("fault", fault).set("after", after);
        let ending = played(&stage, "read until it fails");
        let said = outcome(&stage);
        assert!(said.contains(expected), "{fault}: {said}");
        assert!(said.contains("then: "), "{fault}: {said}");
        let aims = ending.steps().iter().filter(|step| step.starts_with("CONF")).count();
        assert!(aims <= after + 1, "{fault}: {aims}");
        assert!(ending.steps().contains(&"close"), "{fault}");
    }
}

#[test]
fn words_of_ones_are_believed_of_a_core_that_lives() {
    let stage = Stage::new(&Chip::load(CAPTURES[0]));
    let mut l1 = std::fs::read(stage.directory().join("cores/18-18")).unwrap();
    l1[4096..4112].fill(0xFF);
    std::fs::write(stage.directory().join("cores/18-18"), l1).unwrap();
    played(&stage, "ones");
    assert_eq!(outcome(&stage), "ones, after 5 words");
}

#[test]
fn a_sample_over_its_budget_ends_and_the_next_one_begins() {
    let stage = Stage::new(&Chip::load(CAPTURES[0]));
    played(&stage, "budget");
    assert_eq!(outcome(&stage), "over its budget after 2 reads, 1024 bytes; then well");
}

#[test]
fn a_window_that_the_driver_keeps_is_told() {
    let mut stage = Stage::new(&Chip::load(CAPTURES[0]));
    stage.set("fault", "busy");
    played(&stage, "close");
    assert!(outcome(&stage).contains("busy"), "{}", outcome(&stage));
}

#[test]
fn a_bus_error_elsewhere_still_ends_the_program() {
    const SIGBUS: i32 = 7;
    let stage = Stage::new(&Chip::load(CAPTURES[0]));
    let ending = stage.play("wrong bus error elsewhere");
    assert_eq!(ending.output.status.signal(), Some(SIGBUS));
}

/// The stand-in itself: each of these clients breaks one rule, and it must notice.
#[test]
fn every_broken_rule_is_noticed() {
    for (client, expected) in wrong::CLIENTS {
        let mut stage = Stage::new(&Chip::load(CAPTURES[1]));
        let traced = ["narrow read", "wide read", "unaligned read", "write"].contains(client);
        stage.set("trace", u8::from(traced && cfg!(target_arch = "x86_64")));
        if traced && !cfg!(target_arch = "x86_64") {
            continue;
        }
        if *client == "no owner" {
            stage.set("owners", "");
        }
        let ending = stage.play(&format!("wrong {client}"));
        let violations = ending.violations();
        assert!(violations.iter().any(|line| line.contains(expected)), "{client}: {ending:?}");
    }
}

/// The client that breaks no rule passes, so it is the rules that are noticed.
#[test]
fn the_right_client_breaks_no_rule() {
    let stage = Stage::new(&Chip::load(CAPTURES[1]));
    let ending = stage.play("wrong nothing");
    assert_eq!(ending.violations(), [""; 0]);
    assert!(ending.output.status.success() && ending.steps().contains(&"FREE_TLB"));
    assert_eq!(DEVICE, 61, "scenes name it in texts");
}
