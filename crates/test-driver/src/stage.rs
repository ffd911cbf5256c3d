//! The stage: the configuration of the stand-in, and the report on the program.
//!
//! `cores/X-Y` has the L1 of the core at these coordinates, and there are no other cores; `root/…` has files of a host;
//! `report` is written. `settings` has lines `key=value`:
//!
//! - `device`: the number of the device; `pci_device`: its PCI id; `l1_bytes`: of each core.
//! - `owners`: the lines of the driver's list, with commas between them.
//! - `window`: bytes of the only allowed kind of window; `first`: the core that must be read first, `X-Y`.
//! - `trace=1`: observe every single read.
//! - `fault`: the injected error, and `after` how many calls of CONFIGURE_TLB: `exclusive`, `denied`, `gone` (open),
//!   `owner-leaves` (once it is open), `interface` (another version), `no-window`, `not-ours`, `busy` (FREE_TLB),
//!   `reset` (every call), `reset-while-reading` (the pages are unmapped), `dead-link` (ones).

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use crate::raw;

/// The variable with the stage's directory.
const VARIABLE: &str = "TTMEM_TEST_DRIVER";

/// The configuration.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: String,
    settings: BTreeMap<String, String>,
}

/// Returns the stage, or `None` in a program without one: then every call goes to the system.
pub(crate) fn stage() -> Option<&'static Stage> {
    static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
    STAGE.get_or_init(Stage::from_environment).as_ref()
}

impl Stage {
    fn from_environment() -> Option<Self> {
        let directory = std::env::var(VARIABLE).ok()?;
        let text = raw::content(&format!("{directory}/settings"));
        let settings = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Some(Self { directory, settings })
    }

    /// Returns a text setting; empty if it is not set.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    /// Returns a number setting; 0 if it is not set.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }

    /// True if this error is injected.
    pub(crate) fn fault(&self, name: &str) -> bool {
        self.text("fault") == name
    }

    /// Returns the path of a core's L1.
    pub(crate) fn core(&self, name: &str) -> String {
        format!("{}/cores/{name}", self.directory)
    }

    /// Returns the replacement of a host path, if the stage has it.
    pub(crate) fn stands_for(&self, path: &CStr) -> Option<CString> {
        let path = path.to_str().ok().filter(|path| path.starts_with('/'))?;
        let path = CString::new(format!("{}/root{path}", self.directory)).ok()?;
        raw::exists(&path).then_some(path)
    }

    /// Records an action of the program.
    pub(crate) fn note(&self, line: &str) {
        raw::append(&format!("{}/report", self.directory), &format!("{line}\n"));
    }

    /// Records a violation.
    pub(crate) fn violation(&self, line: &str) {
        self.note(&format!("violation: {line}"));
    }

    /// Records a violation if the rule does not hold.
    pub(crate) fn insist(&self, holds: bool, line: impl FnOnce() -> String) {
        if !holds {
            self.violation(&line());
        }
    }
}
