//! `ttmem pick`: free devices and exit codes.

use ttmem_fake::{Board, Host};

use super::cli::ttmem;

fn pick(host: Host, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    host.into_tree().write_to(folder.path()).unwrap();
    let root = ["--root", folder.path().to_str().unwrap(), "pick"];
    let output = ttmem(&[&root, arguments].concat()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Four boards, the second of which a process outside the namespace has open.
fn four() -> Host {
    let host = (0..4).fold(Host::new(), |host, _| host.board(Board::n150()));
    host.outside(1, 2)
}

#[test]
fn free_devices_are_picked() {
    let (code, text, _) = pick(four(), &["-n", "3", "--free"]);
    assert_eq!((code, text.as_str()), (0, "TT_VISIBLE_DEVICES=0,2,3\n"));
    let (code, text, _) = pick(four(), &["-n", "2", "--free", "-i", "1,2,3"]);
    assert_eq!((code, text.as_str()), (0, "TT_VISIBLE_DEVICES=2,3\n"));
    let (code, text, _) = pick(four(), &["--wait"]);
    assert_eq!((code, text.as_str()), (0, "TT_VISIBLE_DEVICES=0\n"));
}

#[test]
fn too_few_free_devices_are_code_1_and_print_nothing() {
    let (code, text, error) = pick(four(), &["-n", "4", "--free"]);
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(error.contains("3 of 4 devices free, 4 wanted"), "{error}");
    let (code, ..) = pick(four(), &["-n", "5", "--wait"]);
    assert_eq!(code, 1);
}

#[test]
fn without_free_a_device_in_use_comes_last() {
    let (code, text, error) = pick(four(), &["-n", "4"]);
    assert_eq!((code, text.as_str()), (0, "TT_VISIBLE_DEVICES=0,1,2,3\n"));
    assert_eq!(error, "ttmem: note: device 1 is in use; --free picks free devices alone\n");
    let (.., error) = pick(four(), &["-n", "3"]);
    assert_eq!(error, "");
}

#[test]
fn picked_devices_in_use_are_named_with_their_owners() {
    let (code, text, error) = pick(Host::n300(), &["-n", "1"]);
    assert_eq!((code, text.as_str()), (0, "TT_VISIBLE_DEVICES=0\n"));
    let expected =
        "ttmem: note: device 0 is in use by 4242 (python3); --free picks free devices alone\n";
    assert_eq!(error, expected);
    let (code, _, error) = pick(Host::t3000(), &["-n", "4"]);
    assert_eq!(code, 0);
    let expected = "ttmem: note: devices 0, 1, 2, 3 are in use; --free picks free devices alone\n";
    assert_eq!(error, expected);
}

#[test]
fn without_a_device_there_is_nothing_to_pick_or_to_wait_for() {
    let expected =
        "ttmem: there is no device to pick; ttmem doctor names what the driver did not find\n";
    for option in ["--free", "--wait", "--json"] {
        let found = pick(Host::new(), &[option]);
        assert_eq!(found, (6, String::new(), expected.to_owned()), "{option}");
    }
    let (code, _, error) = pick(Host::n300(), &["-i", "1"]);
    assert!(code == 6 && error.contains("none of these chips is a device"), "{code} {error}");
}

#[test]
fn a_device_brings_its_remote_chips() {
    let (code, text, _) = pick(Host::t3000(), &["--json", "-n", "1"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &value["schema"]), (0, &"ttmem/pick".into()));
    assert_eq!(value["devices"][0]["chips"].as_array().unwrap().len(), 2);
    let (code, ..) = pick(Host::t3000(), &["--free"]);
    assert_eq!(code, 1);
}
