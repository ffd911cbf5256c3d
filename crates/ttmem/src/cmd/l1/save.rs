//! `ttmem l1 --save`: makes a capture.

use std::path::Path;

use ttmem_sources::Collector;
use ttmem_sources::port::image::SaveError;

use super::Selected;
use crate::args::{L1Request, Target};
use crate::cmd::target::{Mode, deliver};
use crate::exit::{Exit, Failure};

/// Saves the chosen chips into a directory and says how many.
///
/// # Errors
/// If no L1 could be read, or the capture cannot be written.
pub(super) fn run(
    request: &L1Request,
    collector: &mut Collector,
    directory: &Path,
) -> Result<(), Failure> {
    let look = Selected::new(collector.look(), &request.selectors)?;
    let places: Vec<_> = look.chips.iter().map(|(_, facts)| facts.place).collect();
    let name = directory.display();
    let saved = collector.save_l1(directory, &places).map_err(|error| Failure {
        exit: match error {
            SaveError::File { .. } => Exit::Usage,
            _ => Exit::NoSource,
        },
        message: format!("cannot save to {name}: {error}; name a directory without a capture"),
    })?;
    let chips = if saved == 1 { "1 chip".to_owned() } else { format!("{saved} chips") };
    let text = format!("{chips} saved; ttmem l1 --capture {name} shows them\n");
    deliver(&Target::Standard, Mode::Append, text.as_bytes()).map(|_delivery| ())
}
