//! Texts that need no snapshot: lists of fields, completions, the man page.

use clap::{Command, CommandFactory as _};

use crate::args::Text;
use crate::cli::Cli;
use crate::exit::Failure;
use crate::field::{Field, device, process};

/// The text as it is printed.
///
/// # Errors
/// If there is no such command, or the man page cannot be made.
pub fn render(text: &Text) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match text {
        Text::DeviceFields => bytes = list(&device::fields()).into_bytes(),
        Text::ProcessFields => bytes = list(&process::fields()).into_bytes(),
        Text::Completions(shell) => {
            clap_complete::generate(*shell, &mut Cli::command(), "ttmem", &mut bytes);
        }
        Text::Man(command) => clap_mangen::Man::new(page_of(command.as_deref())?)
            .source(concat!("ttmem ", env!("CARGO_PKG_VERSION")))
            .render(&mut bytes)
            .map_err(|error| Failure::usage(format!("cannot make the man page: {error}")))?,
    }
    Ok(bytes)
}

/// What a man page is about: all of ttmem, or one command with what every command understands.
fn page_of(command: Option<&str>) -> Result<Command, Failure> {
    let mut whole = Cli::command();
    let Some(name) = command else { return Ok(whole) };
    whole.build();
    whole.find_subcommand(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = whole.get_subcommands().map(Command::get_name).collect();
        Failure::usage(format!("no command `{name}`; there are {}", names.join(", ")))
    })
}

/// One field a line: name, unit, help.
fn list<R>(fields: &[Field<R>]) -> String {
    let name = |field: &Field<R>| match field.unit {
        "" => field.name.to_string(),
        unit => format!("{} [{unit}]", field.name),
    };
    let widest = fields.iter().map(|field| name(field).len()).max().unwrap_or(0);
    fields.iter().map(|field| format!("{:widest$}  {}\n", name(field), field.help)).collect()
}
