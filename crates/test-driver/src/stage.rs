//! The stage: what the stand-in plays, and the report of what the program did.
//!
//! `cores/X-Y` holds the L1 of the core at these coordinates, and there are no other cores; `root/…` holds files of a
//! host; `report` is written. `settings` has lines `key=value`:
//!
//! - `device`: the number of the device; `pci_device`: what it is; `l1_bytes`: of each core.
//! - `owners`: the lines of the driver's list, with commas between them.
//! - `window`: bytes of the only kind of window that may be taken; `first`: the core that must be asked first, `X-Y`.
//! - `trace=1`: look at every single read.
//! - `fault`: what goes wrong, and `after` how many calls of CONFIGURE_TLB: `exclusive`, `denied`, `gone` (open),
//!   `owner-leaves` (once it is open), `interface` (another version), `no-window`, `not-ours`, `busy` (FREE_TLB),
//!   `reset` (every call), `reset-while-reading` (the pages are taken away), `dead-link` (ones).

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use crate::raw;

/// Names the stage's directory.
const VARIABLE: &str = "TTMEM_TEST_DRIVER";

/// What is played.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: String,
    settings: BTreeMap<String, String>,
}

/// The stage, or `None` in a program that has none: then every call goes to the system.
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

    /// A text of the settings; empty if it is not there.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    /// A number of the settings; 0 if it is not there.
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }

    /// True if this is what is to go wrong.
    pub(crate) fn fault(&self, name: &str) -> bool {
        self.text("fault") == name
    }

    /// Where the L1 of a core lies.
    pub(crate) fn core(&self, name: &str) -> String {
        format!("{}/cores/{name}", self.directory)
    }

    /// The path that stands for one of the host, if the stage has it.
    pub(crate) fn stands_for(&self, path: &CStr) -> Option<CString> {
        let path = path.to_str().ok().filter(|path| path.starts_with('/'))?;
        let path = CString::new(format!("{}/root{path}", self.directory)).ok()?;
        raw::exists(&path).then_some(path)
    }

    /// Writes down what the program did.
    pub(crate) fn note(&self, line: &str) {
        raw::append(&format!("{}/report", self.directory), &format!("{line}\n"));
    }

    /// Writes down what the program must not do.
    pub(crate) fn violation(&self, line: &str) {
        self.note(&format!("violation: {line}"));
    }

    /// Writes down a violation if the rule does not hold.
    pub(crate) fn insist(&self, holds: bool, line: impl FnOnce() -> String) {
        if !holds {
            self.violation(&line());
        }
    }
}
