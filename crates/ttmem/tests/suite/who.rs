//! `ttmem who`: verdicts and exit codes.

use ttmem_fake::{Board, Host};

use super::cli::ttmem;

fn who(host: Host, arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    host.into_tree().write_to(folder.path()).unwrap();
    let root = ["--root", folder.path().to_str().unwrap(), "who"];
    let output = ttmem(&[&root, arguments].concat()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_chip_in_use_is_code_1_and_a_free_one_code_0() {
    let (code, text) = who(Host::n300(), &[]);
    assert_eq!(code, 1);
    let expected = "\
chip 0  n300  0000:01:00.0  in use
    4242  python3  alice  since 2026-11-02 08:30:00 UTC  ~1.00 GiB DRAM, ~8.00 MiB L1, ~64.0 KiB L1_SMALL, ~2.00 MiB trace  host memory at most 1.20 GiB
    lock CHIP_IN_USE_0_PCIe held by 4242 (python3, alice)
    a reset of the board resets chips 0, 1 and ends 4242
";
    assert!(text.starts_with(expected), "{text}");
    let (code, text) = who(Host::new().board(Board::n150()), &["--wait"]);
    assert_eq!((code, text.as_str()), (0, "chip 0  n150  0000:01:00.0  free\n"));
}

#[test]
fn the_json_has_the_verdicts() {
    let (code, text) = who(Host::t3000(), &["--json", "-i", "2"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &value["schema"]), (1, &"ttmem/who".into()));
    assert_eq!(value["chips"].as_array().unwrap().len(), 1);
    assert_eq!(value["chips"][0]["use"], "in-use");
    assert_eq!(value["chips"][0]["owners"][0]["pid"], 4242);
}
