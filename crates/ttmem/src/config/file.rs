//! Reads and writes the configuration file.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Fault, Settings};

/// A configuration as it was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// Path of the file, existing or not; `None` if there is no home directory.
    pub(crate) path: Option<PathBuf>,
    /// The settings.
    pub(crate) settings: Settings,
    /// The error.
    pub(crate) faults: Vec<Fault>,
    text: String,
}

/// Returns the path of the configuration: below `XDG_CONFIG_HOME`, else below `.config` in the home directory. A
/// relative `XDG_CONFIG_HOME` is ignored, as the standard demands.
#[must_use]
pub(crate) fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(directory.join("ttmem").join("config.toml"))
}

impl Configuration {
    /// Reads the configuration. That there is none is no fault.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub(crate) fn read(path: Option<PathBuf>) -> io::Result<Self> {
        let text = match path.as_deref().map(fs::read_to_string) {
            Some(Ok(text)) => text,
            None => String::new(),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Some(Err(error)) => return Err(error),
        };
        let (settings, faults) = Settings::parse(&text);
        Ok(Self { path, settings, faults, text })
    }

    /// The usual choices, in place of a file that cannot be read. It is not written to either.
    #[must_use]
    pub(crate) fn unreadable(error: &io::Error) -> Self {
        let fault = Fault { line: 1, what: format!("it cannot be read: {error}") };
        Self { faults: vec![fault], ..Self::default() }
    }

    /// Writes back what has changed since it was read. A file with faults is left as it is: its owner is about to mend
    /// it. Gives the path if something was written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn remember(&self, now: &Settings) -> io::Result<Option<&Path>> {
        let Some(path) = self.path.as_deref() else { return Ok(None) };
        if !self.settings.remember || !self.faults.is_empty() || self.is_the_same(now) {
            return Ok(None);
        }
        let text = Settings::changed(&self.text, &self.settings, now);
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        // A file that is half written is never seen under its name.
        let draft = directory.join(format!("config.toml.{}", std::process::id()));
        let mut file = fs::File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        Ok(Some(path))
    }

    /// True if both would be written the same.
    fn is_the_same(&self, now: &Settings) -> bool {
        Settings::changed("", &self.settings, now).trim().is_empty()
    }
}
