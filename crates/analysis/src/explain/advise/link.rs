//! Kernels that do not link.

use super::{Figure, Fit, Verdict, advice, figure, size};
use crate::explain::message::{KernelLink, KernelMemory};
use crate::explain::units::bytes;

pub(super) fn link(link: &KernelLink) -> Verdict {
    let processor = link.processor.as_deref().unwrap_or("one processor");
    let noun = match link.memory {
        KernelMemory::LocalData => "local data memory",
        KernelMemory::Code => "code memory",
        KernelMemory::Overlap => "sections",
    };
    let by = link.over.map_or(String::new(), |over| format!(" by {}", bytes(over)));
    let list = [
        size("short by", link.over),
        link.processor.as_ref().map(|processor| figure("processor", processor.clone())),
        link.region.as_ref().map(|region| {
            figure(
                if link.memory == KernelMemory::Overlap { "sections" } else { "region" },
                region.clone(),
            )
        }),
    ];
    let figures: Vec<Figure> = list.into_iter().flatten().collect();
    let (meaning, change) = match link.memory {
        KernelMemory::LocalData => (
            format!(
                "The linker has no room for the kernel's data: the private data memory of {processor} holds global and \
                 static variables and the stack, a few KiB in all. It is neither L1 nor the kernel configuration ring: \
                 tensors and circular buffers have no part in it."
            ),
            "Use fewer and smaller global, static and stack variables (arrays, lookup tables) in the kernel.",
        ),
        KernelMemory::Code => (
            format!(
                "The linker has no room for the kernel's code on {processor}. It is about the size of the code: tensors \
                 and circular buffers have no part in it."
            ),
            "Make the kernel smaller: less unrolling and inlining, fewer compile-time variants, or two kernels.",
        ),
        KernelMemory::Overlap => (
            "Two sections of the kernel would be loaded to the same addresses: its code or its data is larger than the \
             linker script allows. Tensors and circular buffers have no part in it."
                .to_owned(),
            "Make the kernel's code and data smaller: less unrolling and inlining, fewer and smaller variables.",
        ),
    };
    let title = match link.memory {
        KernelMemory::Overlap => "A kernel does not link: its sections overlap".to_owned(),
        _ => format!("A kernel does not link: the {noun} of {processor} is full{by}"),
    };
    Verdict {
        title,
        meaning,
        fit: Fit::TooLarge,
        over: link.over,
        figures,
        advice: vec![
            advice(change, link.over),
            advice(
                "Turn off what adds code and data to kernels: prints of tiles (TT_METAL_DPRINT_CORES), the watcher (TT_METAL_WATCHER), the device profiler (TT_METAL_DEVICE_PROFILER).",
                None,
            ),
        ],
        blockers: Vec::new(),
    }
}
