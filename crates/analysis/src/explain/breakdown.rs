//! The breakdown that releases from 0.81 on print below `Program size … too large …, N B over:`.

use std::sync::LazyLock;

use regex::Regex;

use super::message::{ProgramPart, ProgramTooLarge};
use super::{number, pattern};

/// A breakdown has about fifteen lines; a longer list is something else.
const MAX_PARTS: usize = 64;

/// One line of it, at the beginning of the rest.
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"^ ?(?:text-sizing group, cores +\{?(?:\[[^\]]{3,60}\],? ?)+\}?|text-sizing group, kernels +(?P<kernels>[\w.]+(?:, [\w.]+)*)|(?P<name>[a-z][a-z0-9 /_-]{1,40}?) +(?P<bytes>\d{1,20}) B\b)",
    )
});

/// Reads what follows the message itself, at `end`, and returns where it ends.
pub(super) fn read(program: &mut ProgramTooLarge, text: &str, end: usize) -> usize {
    let mut end = end;
    let Some(pattern) = PART.as_ref() else { return end };
    for _ in 0..MAX_PARTS {
        let Some(found) = pattern.captures(&text[end..]) else { break };
        if let Some(kernels) = found.name("kernels") {
            program.kernels = kernels.as_str().split(", ").map(str::to_owned).collect();
        } else if let (Some(name), Some(bytes)) =
            (found.name("name"), found.name("bytes").and_then(|bytes| number::read(bytes.as_str())))
        {
            program.parts.push(ProgramPart { name: name.as_str().to_owned(), bytes });
        }
        end += found.get(0).map_or(1, |whole| whole.end().max(1));
    }
    end
}
