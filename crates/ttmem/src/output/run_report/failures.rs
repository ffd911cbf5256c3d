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
    let figures: Vec<String> = explanation
        .figures
        .iter()
        .filter(|figure| !LEFT_OUT.contains(&figure.name))
        .map(|figure| format!("{} {}", figure.name, figure.value))
        .collect();
    text(sheet, Role::Plain, 4, &figures.join("; "));
    for figure in explanation.figures.iter().filter(|figure| figure.name == "blocked by") {
        hanging(sheet, (Role::Plain, 4), "blocked by: ", &figure.value);
    }
    for (number, advice) in (1..).zip(explanation.advice.iter().take(MOST_ADVICE)) {
        hanging(sheet, (Role::Plain, 4), &format!("{number}. "), &advice.text);
    }
}
