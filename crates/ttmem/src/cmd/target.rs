//! Delivery of output. A file is replaced atomically; samples of a loop are appended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::common::{Repeat, Target};
use crate::error::Error;

/// The treatment of an existing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Replace it.
    Replace,
    /// Append to it.
    Append,
}

impl Mode {
    /// Returns the treatment of the file of an output: the samples of a loop follow one another.
    #[must_use]
    pub(crate) fn of(repeat: Option<Repeat>) -> Self {
        if repeat.is_some() { Self::Append } else { Self::Replace }
    }
}

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The sample was written.
    Done,
    /// The reader has closed the pipe.
    Closed,
}

/// Writes a sample to `target`.
///
/// # Errors
/// [`Error::File`] if it cannot be written. A closed pipe is not an error.
pub(crate) fn deliver(target: &Target, mode: Mode, bytes: &[u8]) -> Result<Delivery, Error> {
    let written = match target {
        Target::Standard => to_standard(bytes),
        Target::File(path) => to_file(path, mode, bytes),
    };
    match written {
        Ok(()) => Ok(Delivery::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Delivery::Closed),
        Err(error) => Err(match target {
            Target::Standard => Error::standard_output(&error),
            Target::File(path) => {
                let name = path.display();
                Error::File(format!("cannot write {name}: {error}; name another file"))
            }
        }),
    }
}

fn to_standard(bytes: &[u8]) -> io::Result<()> {
    let mut standard = io::stdout().lock();
    standard.write_all(bytes)?;
    standard.flush()
}

fn to_file(path: &Path, mode: Mode, bytes: &[u8]) -> io::Result<()> {
    match (mode, fs::metadata(path)) {
        (Mode::Append, _) => {
            OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
        }
        // A pipe, a terminal or /dev/null cannot be replaced by a file.
        (Mode::Replace, Ok(status)) if !status.is_file() => {
            OpenOptions::new().write(true).open(path)?.write_all(bytes)
        }
        (Mode::Replace, Ok(status)) => {
            replace(&fs::canonicalize(path)?, bytes, Some(status.permissions()))
        }
        (Mode::Replace, Err(_)) => replace(path, bytes, None),
    }
}

/// Writes a new file next to `path` and renames it, so that a reader sees the old content or the new.
fn replace(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    let beside = beside(path);
    let written = write_new(&beside, bytes, permissions).and_then(|()| fs::rename(&beside, path));
    if written.is_err() && beside.exists() {
        fs::remove_file(&beside)?;
    }
    written
}

fn write_new(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.write_all(bytes)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        let target = Target::File(path.clone());
        deliver(&target, Mode::Replace, b"a longer first text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        deliver(&target, Mode::Replace, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn samples_are_appended() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().join("out.csv"));
        deliver(&target, Mode::Append, b"one\n").unwrap();
        deliver(&target, Mode::Append, b"two\n").unwrap();
        assert_eq!(fs::read(directory.path().join("out.csv")).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        deliver(&Target::File(link.clone()), Mode::Replace, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        deliver(&Target::File("/dev/null".into()), Mode::Replace, b"new").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_one_line() {
        let target = Target::File("/nowhere/out".into());
        let failure = deliver(&target, Mode::Replace, b"").unwrap_err();
        assert!(failure.message().starts_with("cannot write /nowhere/out: "));
        assert!(!failure.message().contains('\n'));
    }
}
