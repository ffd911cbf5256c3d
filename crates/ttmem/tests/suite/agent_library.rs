//! The agent library beside the `ttmem` under test. Cargo builds no library of another package for a test, so this does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the library with the profile of the tests, once, and says where it is: beside `ttmem`, which finds it there.
pub(crate) fn build() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_ttmem")).parent().unwrap();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "-p", "ttmem-agent", "--target-dir"]);
        cargo.arg(folder.parent().unwrap());
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let library = folder.join("libttmem_agent.so");
        assert!(library.exists(), "{} is not there", library.display());
        library
    })
}
