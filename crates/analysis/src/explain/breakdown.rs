//! The breakdown that releases from 0.81 on print below `Program size … too large …, N B over:`.

use super::message::{ProgramPart, ProgramTooLarge};

/// A breakdown has about fifteen lines; what goes on longer is something else.
const MAX_LINES: usize = 64;

/// Reads what is behind the message itself, at `end`, and says where it ends.
pub(super) fn read(
    mut program: ProgramTooLarge,
    text: &str,
    end: usize,
) -> (ProgramTooLarge, usize) {
    let rest = text.get(end..).unwrap_or_default();
    let Some(line_end) = rest.find('\n').filter(|&at| rest[..at].trim_end().ends_with(" B over:"))
    else {
        return (program, end);
    };
    let mut end = end + line_end;
    for line in rest[line_end + 1..].split('\n').take(MAX_LINES) {
        if let Some((_, kernels)) = line.split_once("text-sizing group, kernels ") {
            program.kernels = kernel_names(kernels);
        } else if let Some(part) = part(line) {
            program.parts.push(part);
        } else if !line.contains("text-sizing group, ") {
            break;
        }
        end += 1 + line.len();
    }
    (program, end)
}

/// `  runtime args                 96 B`, perhaps behind the prefix of a logger.
fn part(line: &str) -> Option<ProgramPart> {
    let (rest, bytes) = line.trim_end().strip_suffix(" B")?.rsplit_once(' ')?;
    let name = rest.trim_end().rsplit("  ").next()?.trim();
    (!name.is_empty()).then_some(())?;
    Some(ProgramPart { name: name.to_owned(), bytes: bytes.parse().ok()? })
}

/// The names, without the `(assert.hpp:104)` that the log line ends with.
fn kernel_names(list: &str) -> Vec<String> {
    let list = list.split(" (").next().unwrap_or_default();
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
