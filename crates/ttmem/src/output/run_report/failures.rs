//! Refused allocations.

use ttmem_analysis::explain::Explanation;
use ttmem_analysis::run_report::FailureReport;
use ttmem_model::stack::caller;

use super::{chips, hanging, heading, text};
use crate::output::amount::duration;
use crate::output::page::Role;
use crate::output::sheet::Sheet;

/// Figures that repeat others, or are in the title.
const LEFT_OUT: [&str; 3] = ["buffer", "allocated", "blocked by"];
/// The figure that names the cores, and says in its value that they are cores.
const CORES: &str = "cores";
/// Most pieces of advice for each failure.
const MOST_ADVICE: usize = 3;

/// Draws what was refused, why, and what to change.
pub(super) fn draw(sheet: &mut Sheet<'_>, failures: &[FailureReport]) {
    if failures.is_empty() {
        return;
    }
    heading(sheet, "Refused allocations");
    for failure in failures {
        draw_one(sheet, failure);
    }
}

fn draw_one(sheet: &mut Sheet<'_>, failure: &FailureReport) {
    let explanation = &failure.explanation;
    text(sheet, Role::Alarm, 2, &explanation.title);
    let times = match failure.count {
        1 => String::new(),
        count => format!("{count} times, first "),
    };
    let op = failure.op.as_deref().map(|op| format!(" by {op}")).unwrap_or_default();
    let caller = caller(&failure.stack).map(|caller| format!(" at {caller}")).unwrap_or_default();
    let when = format!(
        "{times}after {}{op}{caller} on {}, with {} live",
        duration(failure.after_us),
        chips(&failure.chips),
        match failure.live_buffers {
            1 => "1 buffer".to_owned(),
            count => format!("{count} buffers"),
        }
    );
    text(sheet, Role::Quiet, 4, &when);
    draw_explanation(sheet, explanation);
}

/// Draws the figures of an explanation, the buffers in the way and the first advice.
pub(super) fn draw_explanation(sheet: &mut Sheet<'_>, explanation: &Explanation) {
    text(sheet, Role::Plain, 4, &figures(explanation));
    for figure in explanation.figures.iter().filter(|figure| figure.name == "blocked by") {
        hanging(sheet, (Role::Plain, 4), "blocked by: ", &figure.value);
    }
    for (number, advice) in (1..).zip(explanation.advice.iter().take(MOST_ADVICE)) {
        hanging(sheet, (Role::Plain, 4), &format!("{number}. "), &advice.text);
    }
}

/// The figures in one line: the cores first, since others speak of `these cores`.
fn figures(explanation: &Explanation) -> String {
    let (cores, others): (Vec<_>, Vec<_>) = explanation
        .figures
        .iter()
        .filter(|figure| !LEFT_OUT.contains(&figure.name))
        .partition(|figure| figure.name == CORES);
    let cores = cores.into_iter().map(|figure| figure.value.clone());
    let others = others.into_iter().map(|figure| format!("{} {}", figure.name, figure.value));
    cores.chain(others).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use ttmem_analysis::explain::explain;

    use super::*;
    use crate::output::page::Page;

    fn drawn(message: &str, width: usize) -> Vec<String> {
        let page = Page::plain(width);
        let mut sheet = Sheet::new(&page);
        draw_explanation(&mut sheet, &explain(message)[0]);
        sheet.finish().lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn cores_are_named_once_and_before_what_is_missing_in_them() {
        let lines = drawn(
            "Statically allocated circular buffers in program 6 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer \
             allocated at 188416 and static circular buffer region ends at 714080",
            400,
        );
        let start =
            "64 cores: (0,0) to (7,7); short by 525,664 bytes (513.3 KiB) in each of these cores; ";
        assert!(lines[0].starts_with(start), "{lines:?}");
        assert!(!lines[0].contains("cores 64 cores"), "{lines:?}");
    }

    #[test]
    fn a_number_and_its_unit_are_in_one_line() {
        let message = "Out of Memory: Not enough space to allocate 16777216 B L1 buffer across 64 banks, where each bank \
                       needs to store 262144 B, but bank size is 1393312 B (allocated: 655360 B, free: 737952 B, largest \
                       free block: 131072 B).";
        for width in 60..140 {
            for line in drawn(message, width) {
                let first = line.split_whitespace().next().unwrap_or_default();
                let unit = first.trim_matches(|character: char| !character.is_alphanumeric());
                assert!(!["bytes", "KiB", "MiB"].contains(&unit), "{width}: {line}");
            }
        }
    }
}
