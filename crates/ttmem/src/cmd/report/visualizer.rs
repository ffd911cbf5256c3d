//! `ttmem report --ttnn-visualizer DIR`: a folder for each process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::input::{Agent, Input};
use crate::cli::common::Target;
use crate::cmd::target::{Mode, deliver};
use crate::error::Error;
use crate::output::visualizer;
use crate::terminal::notify;

/// Writes the folders: `directory` itself for one process, else `directory/PID` for each.
///
/// # Errors
/// If there is no agent segment, or a file cannot be written.
pub(super) fn write(directory: &Path, input: &Input, title: &str) -> Result<(), Error> {
    let agents = input.agents.as_slice();
    if agents.is_empty() {
        return Err(Error::unsupported(
            "no agent segment in the input: a folder for ttnn-visualizer needs one; run the program with ttmem run",
        ));
    }
    for agent in agents {
        let folder = match agents {
            [_] => directory.to_owned(),
            _ => directory.join(agent.pid.to_string()),
        };
        write_one(folder, agent, title)?;
    }
    Ok(())
}

fn write_one(folder: PathBuf, agent: &Agent, title: &str) -> Result<(), Error> {
    let content = visualizer::folder(&agent.segment, title).map_err(|error| Error::json(&error))?;
    fs::create_dir_all(&folder).map_err(|error| cannot_make(&folder, &error))?;
    if content.without_buffers > 0 {
        notify(&format!(
            "{}: the first {} operations have no buffers, there would be too many rows",
            folder.display(),
            content.without_buffers
        ));
    }
    let file = |name: &str| Target::File(folder.join(name));
    deliver(&file("db.sqlite"), Mode::Replace, &content.database)?;
    deliver(&file("config.json"), Mode::Replace, content.config.as_bytes()).map(|_delivery| ())
}

fn cannot_make(folder: &Path, error: &io::Error) -> Error {
    Error::File(format!("cannot create {}: {error}; name another folder", folder.display()))
}
