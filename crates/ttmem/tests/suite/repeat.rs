//! `ttmem -l`: samples of a host that changes meanwhile.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use ttmem_fake::Host;

use super::cli::ttmem;

#[test]
fn samples_go_on_while_the_driver_is_unloaded() {
    let folder = tempfile::tempdir().unwrap();
    Host::n150().into_tree().write_to(folder.path()).unwrap();
    let root = folder.path().to_str().unwrap();
    let arguments = ["--root", root, "-i", "0", "-l", "100ms", "--json"];
    let mut child = ttmem(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wait_for_chips = |count: usize| {
        let found = lines.by_ref().map(Result::unwrap).any(|line| {
            let snapshot: serde_json::Value = serde_json::from_str(&line).unwrap();
            snapshot["chips"].as_array().unwrap().len() == count
        });
        assert!(found, "the samples ended before there were {count} chips");
    };
    wait_for_chips(1);
    let rename = |from: &str, to: &str| {
        std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("dev", "dev-away");
    rename("sys", "sys-away");
    wait_for_chips(0);
    rename("sys-away", "sys");
    rename("dev-away", "dev");
    wait_for_chips(1);
    child.kill().unwrap();
    child.wait().unwrap();
}
