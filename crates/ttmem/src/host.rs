//! The choice of a host: where its files are read, which server is used, and which chips are selected.

pub(crate) mod captured;
pub(crate) mod select;
pub(crate) mod supply;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ttmem_root::readers::{self, Readers};
use ttmem_root::{Clock, Root, Tree};
use ttmem_sources::port::image::ImageError;
use ttmem_sources::{Collector, L1Request};

use self::captured::About;
use crate::cli::common::CommonArgs;
use crate::error::Error;

/// The host that the arguments choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostChoice {
    /// The system that ttmem runs on.
    System,
    /// The embedded example host.
    Demo,
    /// The files below a directory.
    Root(PathBuf),
    /// A capture of L1, which has no other files.
    Capture(PathBuf),
}

impl HostChoice {
    /// Returns the host that the arguments choose.
    #[must_use]
    pub(crate) fn of(common: &CommonArgs) -> Self {
        match (&common.root, &common.capture) {
            (Some(directory), _) => Self::Root(directory.clone()),
            (None, Some(directory)) => Self::Capture(directory.clone()),
            (None, None) if common.demo => Self::Demo,
            (None, None) => Self::System,
        }
    }

    /// Returns the files of the host; none for a capture.
    ///
    /// # Errors
    /// [`Error::File`] if the directory cannot be opened.
    pub(crate) fn root(&self) -> Result<Root, Error> {
        match self {
            Self::System => Ok(Root::system()),
            Self::Demo => Ok(ttmem_sources::demo::root()),
            Self::Root(directory) => open_root(directory),
            Self::Capture(_) => Ok(Root::memory(Tree::new())),
        }
    }

    /// Returns a collector of the host that reads L1 as `l1` says, and waits for a device as long as `common` says.
    ///
    /// # Errors
    /// As [`Self::root`], and [`Error::NoSource`] if a capture is damaged.
    pub(crate) fn collector(&self, l1: L1Request, common: &CommonArgs) -> Result<Collector, Error> {
        let deadline = common.deadline.duration();
        let readers = |directory| Readers::of_this_program(directory).with_deadline(deadline);
        let collector = match self {
            Self::System => Collector::new(Root::system()).with_readers(readers(None)),
            Self::Demo => Collector::demo(),
            Self::Root(directory) => {
                of_root(open_root(directory)?).with_readers(readers(Some(directory.as_path())))
            }
            Self::Capture(directory) => {
                return Collector::capture(directory, l1)
                    .map_err(|error| bad_capture(directory, &error));
            }
        };
        collector.with_l1(l1).map_err(|error| bad_capture(Path::new("the demonstration"), &error))
    }
}

/// Returns the L1 request of a command that runs on: no device is opened.
#[must_use]
pub(crate) fn without_devices(common: &CommonArgs) -> L1Request {
    L1Request { devices: false, simulator: common.simulator.clone(), ..L1Request::default() }
}

/// Reads files for another `ttmem`, as one of its [`readers`]. Its errors show there as missing values.
pub(crate) fn serve_reads(directory: Option<&OsString>) -> ExitCode {
    match readers::read_files(directory.map(OsString::as_os_str)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The clock of a host that `ttmem capture` saved stays at the time of the capture.
fn of_root(root: Root) -> Collector {
    match About::read(&root) {
        Some(about) => {
            let clock = Clock::Fixed(about.time());
            Collector::new(root).with_clock(clock).marked(about.is_demo())
        }
        None => Collector::new(root),
    }
}

fn open_root(directory: &Path) -> Result<Root, Error> {
    Root::directory(directory).map_err(|error| {
        Error::File(format!("cannot open --root {error}; name a directory that can be read"))
    })
}

/// A capture that cannot be opened is a file error; a damaged one is a source that cannot be read.
fn bad_capture(directory: &Path, error: &ImageError) -> Error {
    let message = format!(
        "cannot read the capture {}: {error}; name a directory that ttmem l1 --save wrote",
        directory.display()
    );
    match error {
        ImageError::Root(_) => Error::File(message),
        _ => Error::NoSource(message),
    }
}
