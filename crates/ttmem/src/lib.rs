//! The `ttmem` command: arguments in, output and an exit code out.
//!
//! - `cli`: all arguments. `dispatch` runs the command that they name.
//! - `host`: the choice of a host. `units`: sizes, intervals, moments and limits.
//! - `field`: the table of fields that all outputs draw from.
//! - `output`: pure functions from a snapshot to text.
//! - `cmd`: the commands. `tui`: the live view, and `config` its file.

mod cli;
mod cmd;
mod config;
mod dispatch;
mod error;
mod field;
mod host;
mod output;
mod signal;
mod terminal;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod tui;
mod units;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::CommandFactory as _;
use ttmem_root::readers;

use self::cli::{Cli, usage};
use self::error::Error;

/// Runs `ttmem` with the arguments, the first of which is the name of the program. Prints an error on standard error.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|argument| argument == readers::ARGUMENT) {
        return host::serve_reads(arguments.get(2));
    }
    let definition = Cli::command();
    let arguments = match cli::foreign::translate(arguments, &definition) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    let outcome = match Cli::parse_by(definition, &arguments) {
        Ok(cli) => dispatch::dispatch(cli),
        Err(error) if error.use_stderr() => {
            Err(Error::usage(usage::one_line(&error, &usage::help_for(&arguments))))
        }
        Err(help) => print_help(&help),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &Error) -> ExitCode {
    terminal::notify(error.message());
    ExitCode::from(error.exit_code())
}

fn print_help(help: &clap::Error) -> Result<ExitCode, Error> {
    match help.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::standard_output(&error))
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
