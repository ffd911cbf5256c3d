//! Texts that need no snapshot: lists of fields, completions, the man page.

use std::io;

use clap::CommandFactory as _;

use crate::args::Text;
use crate::cli::Cli;
use crate::field::{Field, device, process};

/// The text as it is printed.
///
/// # Errors
/// If the man page cannot be made.
pub fn render(text: Text) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match text {
        Text::DeviceFields => bytes = list(&device::fields()).into_bytes(),
        Text::ProcessFields => bytes = list(&process::fields()).into_bytes(),
        Text::Completions(shell) => {
            clap_complete::generate(shell, &mut Cli::command(), "ttmem", &mut bytes);
        }
        Text::Man => clap_mangen::Man::new(Cli::command()).render(&mut bytes)?,
    }
    Ok(bytes)
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
