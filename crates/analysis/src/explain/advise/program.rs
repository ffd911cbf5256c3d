//! Programs that are too large for the kernel configuration ring.

use super::{Advice, Figure, Fit, Verdict, advice, by, contradictory, figure, short_by, size};
use crate::explain::message::{ProgramPart, ProgramTooLarge};
use crate::explain::units::{bytes, grouped};

pub(super) fn too_large(program: &ProgramTooLarge) -> Verdict {
    let list = [size("program", program.size), size("ring", program.ring)];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if let Some(processor) = &program.processor {
        figures.push(figure("cores", format!("of type {processor}")));
    }
    figures.extend(
        program
            .parts
            .iter()
            .filter(|part| part.bytes > 0)
            .map(|part| figure("of the program", format!("{}: {}", part.name, bytes(part.bytes)))),
    );
    if !program.kernels.is_empty() {
        figures.push(figure("kernels", program.kernels.join(", ")));
    }
    // Releases up to 0.64 or so refused a program of exactly the ring's size too.
    let sizes = program.size.zip(program.ring);
    let over = sizes.and_then(|(size, ring)| size.checked_sub(ring));
    let title = "A program is too large for the kernel configuration ring";
    if sizes.is_some() && over.is_none() {
        return contradictory(title, figures);
    }
    short_by(&mut figures, over, "");
    Verdict {
        title: match over {
            Some(0) => "A program takes the whole kernel configuration ring, and one byte has to stay free".to_owned(),
            over => format!("{title}{}", by(over)),
        },
        meaning: "At launch, a core gets the program's kernels, runtime arguments, semaphores and buffer descriptions \
                  in a ring of fixed size in its L1. This program needs more than the whole ring. It is about code \
                  and arguments, not about tensors."
            .to_owned(),
        fit: Fit::TooLarge,
        over,
        figures,
        advice: program_advice(program, over),
        blockers: Vec::new(),
    }
}

fn program_advice(program: &ProgramTooLarge, over: Option<u64>) -> Vec<Advice> {
    let mut list = Vec::new();
    let ethernet = program.processor.as_deref().is_some_and(|processor| processor.contains("ETH"));
    if ethernet {
        list.push(advice(
            "If the watcher is on, keep it off these cores: TT_METAL_WATCHER_DISABLE_ETH=1. The ring of Ethernet \
             cores has a fixed size.",
            None,
        ));
    } else {
        list.push(advice(
            format!(
                "Make the ring larger: open the device with a worker_l1_size that is lower{}{}. Lower, not higher: the \
                 ring gets what worker_l1_size leaves, and tensors and circular buffers lose as much.",
                over.map_or(String::new(), |over| format!(" by at least {over} bytes")),
                program.size.map_or(String::new(), |size| format!(
                    ", at most ttnn.get_max_worker_l1_unreserved_size() - {size}"
                ))
            ),
            over,
        ));
    }
    list.push(advice(
        "Turn off what makes kernels larger: device profiler zones, the watcher, debug prints and asserts in kernels.",
        None,
    ));
    list.push(advice(largest_part(&program.parts), over));
    list
}

/// The part to make smaller; with a breakdown, the largest.
fn largest_part(parts: &[ProgramPart]) -> String {
    let code = ["kernel text", "brisc", "ncrisc", "trisc", "erisc", "dm"];
    let whole = parts.iter().filter(|part| {
        part.name == "kernel text" || !code.iter().any(|name| part.name.starts_with(name))
    });
    match whole.max_by_key(|part| part.bytes) {
        Some(part) if part.name == "kernel text" => format!(
            "Make the kernels smaller, they are {} bytes of the program: less unrolling and inlining, fewer \
             compile-time variants in one kernel, or two programs instead of one.",
            grouped(part.bytes)
        ),
        Some(part) => format!(
            "Make the largest part of the program smaller: {}, {} bytes.",
            part.name,
            grouped(part.bytes)
        ),
        None => "Make the kernels smaller (less unrolling and inlining), pass fewer runtime arguments, or make two \
                 programs of it."
            .to_owned(),
    }
}
