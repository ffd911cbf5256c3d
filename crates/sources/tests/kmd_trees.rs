//! What real kernel drivers published, in `fixtures/kmd`: one tree for each version and situation.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use ttmem_model::facts::{Device, Facts};
use ttmem_model::{Arch, Metric, MissingReason, Pid};
use ttmem_root::Root;
use ttmem_sources::Collector;

const WORMHOLE_ID: u64 = 0x0004_a1b2_c3d4_e5f6;
const BLACKHOLE_ID: u64 = 0x0004_b1b2_c3d4_e5f7;

/// The facts of a tree, by the name of its file without `kmd-` and extension.
fn facts(name: &str) -> Facts {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/kmd");
    let archive = fixtures.join(format!("kmd-{name}.tar.gz"));
    let status = Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(folder.path()).status();
    assert!(status.unwrap().success());
    Collector::new(Root::directory(folder.path()).unwrap()).facts()
}

fn telemetry(device: &Device, metric: Metric) -> Option<f64> {
    device.telemetry[&metric].as_ref().ok().copied()
}

#[test]
fn every_version_publishes_what_it_has_since() {
    let asic_ids = [
        ("2.0.0", None, None),
        ("2.1.0", None, Some(BLACKHOLE_ID)),
        ("2.2.0", None, Some(BLACKHOLE_ID)),
        ("2.4.0", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
        ("2.4.1", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
        ("2.5.0", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
        ("2.7.0", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
        ("2.8.0", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
        ("2.10.1-pre", Some(WORMHOLE_ID), Some(BLACKHOLE_ID)),
    ];
    for (version, wormhole_id, blackhole_id) in asic_ids {
        let facts = facts(&format!("{version}-one-owner"));
        assert_eq!(facts.host.driver.as_deref(), Some(version));
        let [wormhole, blackhole] = facts.devices.as_slice() else { panic!("{version}") };
        assert_eq!(wormhole.bdf.as_deref(), Some("0000:01:00.0"), "{version}");
        assert_eq!(wormhole.arch, Ok(Arch::Wormhole), "{version}");
        assert_eq!(blackhole.arch, Ok(Arch::Blackhole), "{version}");
        assert_eq!(wormhole.asic_id.clone().ok(), wormhole_id, "{version}");
        assert_eq!(blackhole.asic_id.clone().ok(), blackhole_id, "{version}");
        assert_eq!(telemetry(blackhole, Metric::AsicTemperature), Some(52.25), "{version}");
        assert_eq!(blackhole.card_type.as_deref(), Ok("p150a"), "{version}");
        assert!(!wormhole.answers_ones && wormhole.vanished.is_none(), "{version}");
    }
}

#[test]
fn numbers_of_owners_are_believed_from_2_7_on() {
    let holders =
        |version: &str| facts(&format!("{version}-one-owner")).devices.remove(0).holders.unwrap();
    assert_eq!(holders("2.10.1-pre").pids, [Pid(133)]);
    assert_eq!(holders("2.7.0").pids, [Pid(210)]);
    // The tree has no /proc/262/fd that would show the device: a process of another namespace.
    let older = holders("2.5.0");
    assert_eq!((older.pids.as_slice(), older.outside), ([].as_slice(), 2));
}

#[test]
fn a_chip_that_answers_ones_has_no_reading_at_all() {
    for name in ["2.10.1-pre-dead-link", "2.10.1-pre-in-reset"] {
        for device in facts(name).devices {
            assert!(device.answers_ones, "{name}");
            assert!(device.telemetry.values().all(Result::is_err), "{name}: {device:?}");
            assert!(device.firmware.is_empty(), "{name}");
            assert!(device.asic_id.is_err() && device.serial.is_err(), "{name}");
            let pcie = &device.pcie;
            assert!(pcie.max_speed_gts.is_err() && pcie.current_width.is_err(), "{name}");
            assert!(device.pcie_words.host_to_device.is_err(), "{name}");
            assert!(device.arch.is_ok(), "{name}: the kernel remembers the PCI device");
            let board = if device.number == 0 { "n150" } else { "p150a" };
            assert_eq!(device.card_type.as_deref(), Ok(board), "{name}: and its subsystem");
        }
    }
}

#[test]
fn old_and_unready_firmware_have_what_they_have() {
    for device in facts("2.10.1-pre-telemetry-not-ready").devices {
        let missing = device.telemetry.values().map(|field| field.clone().unwrap_err().reason);
        assert!(missing.into_iter().all(|reason| reason == MissingReason::Unsupported));
        assert!(device.pcie_words.host_to_device.is_ok());
    }
    let old = facts("2.10.1-pre-old-firmware").devices.remove(0);
    assert_eq!(telemetry(&old, Metric::AsicTemperature), Some(45.5));
    assert_eq!(telemetry(&old, Metric::PowerLimit), None);
    let idle = facts("2.10.1-pre-idle").devices.remove(0);
    assert_eq!(idle.holders.unwrap().open_files, 0);
}

/// tt-kmd 2.0 and 2.1 read zeros of firmware whose table they do not know.
#[test]
fn zeros_of_a_table_that_the_driver_does_not_know_are_no_readings() {
    for version in ["2.0.0", "2.1.0"] {
        let device = facts(&format!("{version}-one-owner")).devices.remove(0);
        for metric in [Metric::AiClock, Metric::AxiClock, Metric::ArcClock] {
            let missing = device.telemetry[&metric].clone().unwrap_err();
            assert_eq!(missing.reason, MissingReason::Failed, "{version}: {missing:?}");
        }
        assert!(device.firmware.is_empty(), "{version}: {:?}", device.firmware);
        assert_eq!(device.card_type.as_deref(), Ok("n150"), "{version}: of the subsystem");
        assert!(device.serial.is_err(), "{version}");
        assert_eq!(telemetry(&device, Metric::AsicTemperature), Some(45.5), "{version}");
    }
}
