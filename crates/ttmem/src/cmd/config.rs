//! `ttmem config`: the path and the state of the config file.

use crate::cli::top::ConfigArgs;
use crate::config::{self, Configuration};
use crate::error::Error;
use crate::tui::choice::Settings;

/// Returns the text of `ttmem config`: the path of the file, or its default content.
///
/// # Errors
/// If the file exists and cannot be read, or has errors.
pub(crate) fn render(args: ConfigArgs) -> Result<String, Error> {
    if args.default {
        return Ok(Settings::default_file());
    }
    let Some(path) = config::path(super::variable) else {
        return Err(Error::NotFound("there is no home directory; set XDG_CONFIG_HOME".to_owned()));
    };
    let found = Configuration::read(Some(path.clone()))
        .map_err(|error| Error::reading(&path, &error, "make it readable, or remove it"))?;
    if found.faults.is_empty() {
        return Ok(format!("{}\n", path.display()));
    }
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    Err(Error::File(format!("{}: {}", path.display(), faults.join("; "))))
}
