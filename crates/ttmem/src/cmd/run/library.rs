//! Finds the agent library, and passes it to the dynamic linker.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The variable of the dynamic linker.
pub(super) const PRELOAD: &str = "LD_PRELOAD";
/// The variable of the address sanitizer.
pub(super) const SANITIZER: &str = "ASAN_OPTIONS";
/// The variable that names the library.
const VARIABLE: &str = "TTMEM_AGENT";
/// The library's name.
const NAME: &str = "libttmem_agent.so";

/// Finds the library: where `TTMEM_AGENT` says; beside the program, as cargo builds them; in `../lib/ttmem` and
/// `../lib`, as they are installed; in the folder above, for programs that cargo builds for tests.
///
/// # Errors
/// If it is in none of them.
pub(in crate::cmd) fn find() -> Result<PathBuf, Error> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let path = PathBuf::from(named);
        return usable(&path).ok_or_else(|| {
            Error::unsupported(format!(
                "{VARIABLE} names {}, and there is no file; name {NAME}",
                path.display()
            ))
        });
    }
    let program = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("/"));
    let folders = ["", "../lib/ttmem", "../lib", ".."];
    folders.iter().find_map(|relative| usable(&folder.join(relative).join(NAME))).ok_or_else(|| {
        Error::unsupported(format!(
            "{NAME} is neither in {} nor in ../lib/ttmem from there; build it with \
             `cargo build -p ttmem-agent` or name it in {VARIABLE}",
            folder.display()
        ))
    })
}

fn usable(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| std::fs::canonicalize(path).ok()).flatten()
}

/// The value of `LD_PRELOAD` with the library after the libraries already in it: those may have to be first.
///
/// # Errors
/// If the linker could not read the path: it separates libraries by spaces and colons.
pub(super) fn preload(library: &Path) -> Result<OsString, Error> {
    let bytes = library.as_os_str().as_bytes();
    if bytes.iter().any(|byte| matches!(byte, b' ' | b':')) {
        return Err(Error::unsupported(format!(
            "{} has a space or a colon in its path, which {PRELOAD} cannot hold; name a copy elsewhere in {VARIABLE}",
            library.display()
        )));
    }
    Ok(behind(std::env::var_os(PRELOAD).as_deref(), library))
}

fn behind(existing: Option<&OsStr>, library: &Path) -> OsString {
    let mut value = existing.map(OsStr::to_os_string).unwrap_or_default();
    let is_there = value
        .as_bytes()
        .split(|byte| matches!(byte, b' ' | b':'))
        .any(|one| one == library.as_os_str().as_bytes());
    if is_there {
        return value;
    }
    if !value.is_empty() {
        value.push(":");
    }
    value.push(library);
    value
}

/// The value of `ASAN_OPTIONS` with which a program of the address sanitizer starts although another library is loaded
/// before the sanitizer's. What the user set stays, and takes precedence where it sets one of these.
pub(super) fn sanitizer_options() -> OsString {
    let mut value = OsString::from("verify_asan_link_order=0");
    if let Some(existing) = std::env::var_os(SANITIZER).filter(|existing| !existing.is_empty()) {
        value.push(":");
        value.push(existing);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preloaded_already_stays_first() {
        let library = Path::new("/lib/libttmem_agent.so");
        let value = |existing: Option<&str>| behind(existing.map(OsStr::new), library);
        assert_eq!(value(None), "/lib/libttmem_agent.so");
        assert_eq!(value(Some("")), "/lib/libttmem_agent.so");
        assert_eq!(value(Some("a.so b.so")), "a.so b.so:/lib/libttmem_agent.so");
        assert_eq!(value(Some("/lib/libttmem_agent.so")), "/lib/libttmem_agent.so");
    }

    #[test]
    fn a_path_that_the_linker_would_split_is_refused() {
        assert!(preload(Path::new("/my libs/libttmem_agent.so")).is_err());
    }
}
