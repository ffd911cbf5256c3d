//! `ttmem l1 --save`: captures of L1.

use std::path::Path;

use ttmem_sources::Collector;
use ttmem_sources::port::image::SaveError;

use super::Selected;
use crate::cli::common::Target;
use crate::cli::l1::L1Request;
use crate::cmd::target::{Mode, deliver};
use crate::error::Error;

/// Saves the selected chips in a directory and prints their number.
///
/// # Errors
/// If no L1 could be read, or [`Error::File`] if the capture cannot be written.
pub(super) fn run(
    request: &L1Request,
    collector: &mut Collector,
    directory: &Path,
) -> Result<(), Error> {
    let look = collector.look();
    let selected = Selected::new(&look, request)?;
    let is_selected = |index: u32| selected.chips.iter().any(|(other, _)| *other == index);
    let facts = look.facts.iter().flat_map(|facts| &facts.l1);
    let pairs = look.read().into_iter().zip(facts);
    let chosen = pairs.filter(|((index, _), _)| is_selected(*index));
    let locations: Vec<_> = chosen.map(|(_, facts)| facts.location).collect();
    let name = directory.display();
    let saved = collector.save_l1(directory, &locations).map_err(|error| {
        let message = format!("cannot save to {name}: {error}; name a directory without a capture");
        match error {
            SaveError::File { .. } => Error::File(message),
            _ => Error::NoSource(message),
        }
    })?;
    let chips = if saved == 1 { "1 chip".to_owned() } else { format!("{saved} chips") };
    let text = format!("{chips} saved; ttmem l1 --capture {name} shows them\n");
    deliver(&Target::Standard, Mode::Append, text.as_bytes()).map(|_delivery| ())
}
