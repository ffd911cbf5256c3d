//! Comments, messages and pages use the words of docs/glossary.md: `scripts/prose` checks them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

#[test]
fn prose_stays_within_its_limits() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/prose");
    let Ok(output) = Command::new("python3").arg(script).arg("--check").output() else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("skipped: python3 is missing");
        return;
    };
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}{errors}", String::from_utf8(output.stdout).unwrap());
}
