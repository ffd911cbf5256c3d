//! Texts that need no snapshot: lists of fields, completions, man pages.

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;
use crate::error::Error;
use crate::field::{Field, device, process};

/// A text that needs no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// The fields of a chip.
    DeviceFields,
    /// The fields of a process.
    ProcessFields,
    /// A completion script.
    Completions(clap_complete::Shell),
    /// The man page of ttmem, or of the command of this name.
    Man(Option<String>),
}

/// Returns the text to print.
///
/// # Errors
/// [`Error::Usage`] if there is no such command.
pub(crate) fn render(text: &Text) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match text {
        Text::DeviceFields => bytes = list(device::fields()).into_bytes(),
        Text::ProcessFields => bytes = list(process::fields()).into_bytes(),
        Text::Completions(shell) => {
            clap_complete::generate(*shell, &mut Cli::command(), "ttmem", &mut bytes);
        }
        Text::Man(command) => clap_mangen::Man::new(page_of(command.as_deref())?)
            .source(concat!("ttmem ", env!("CARGO_PKG_VERSION")))
            .render(&mut bytes)
            .map_err(|error| Error::System(format!("cannot write the man page: {error}")))?,
    }
    Ok(bytes)
}

/// Returns the command that a man page describes: ttmem, or one of its commands with the common options.
fn page_of(command: Option<&str>) -> Result<Command, Error> {
    let mut whole = Cli::command();
    let Some(name) = command else { return Ok(whole) };
    whole.build();
    whole.find_subcommand(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = whole.get_subcommands().map(Command::get_name).collect();
        Error::usage(format!("no command `{name}`; commands are {}", names.join(", ")))
    })
}

/// Returns one line per field: name, unit, help.
fn list<R>(fields: &[Field<R>]) -> String {
    let name = |field: &Field<R>| match field.unit {
        "" => field.name.to_string(),
        unit => format!("{} [{unit}]", field.name),
    };
    let widest = fields.iter().map(|field| name(field).len()).max().unwrap_or(0);
    fields.iter().map(|field| format!("{:widest$}  {}\n", name(field), field.help)).collect()
}
