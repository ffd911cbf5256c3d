//! Circular and dataflow buffers that do not fit: they are at the bottom of L1, tensors at its top.

use super::{
    Advice, Figure, Fit, LiveMap, Verdict, advice, blocker_figures, contradictory, figure,
};
use crate::explain::cores::Cores;
use crate::explain::message::{BuffersBeyondL1, BuffersClash, ServiceCoreClash};
use crate::explain::units::{bytes, count, grouped};

/// An overlap beyond this is not cured by a smaller L1_SMALL. A guess: what models set aside is mostly 16 to 80 KiB.
const L1_SMALL_IN_USE: u64 = 96 << 10;

pub(super) fn clash(clash: &BuffersClash, live: Option<&LiveMap>) -> Verdict {
    let name = clash.buffers.as_str();
    let mut figures = clash_figures(clash);
    let Some(over) = clash.end.checked_sub(clash.l1_address).filter(|over| *over > 0) else {
        return contradictory(&format!("The {name} of a program clash with L1 buffers"), figures);
    };
    let blockers = live.map(|map| map.below(clash.l1_address, clash.end)).unwrap_or_default();
    figures.insert(0, figure("over", format!("{} in each of these cores", bytes(over))));
    figures.extend(blocker_figures(&blockers));
    Verdict {
        title: format!(
            "The {name} of program {} overlap L1 buffers by {}",
            grouped(clash.program),
            bytes(over)
        ),
        meaning: format!(
            "An operation keeps its {name} at the bottom of each core's L1, and they grow upwards. Tensors in L1 lie \
             at the top and grow downwards. Here the two would meet: the {name} end at {}, the lowest L1 buffer \
             begins at {}. The operation was refused before it ran, so nothing was overwritten.",
            grouped(clash.end),
            grouped(clash.l1_address)
        ),
        fit: Fit::InTheWay,
        over: Some(over),
        figures,
        advice: clash_advice(clash, over),
        blockers,
    }
}

fn clash_figures(clash: &BuffersClash) -> Vec<Figure> {
    vec![
        cores(&clash.cores),
        figure("lowest L1 buffer", format!("begins at {}", grouped(clash.l1_address))),
        figure(clash.buffers.as_str(), format!("end at {}", grouped(clash.end))),
    ]
}

fn clash_advice(clash: &BuffersClash, over: u64) -> Vec<Advice> {
    let name = clash.buffers.as_str();
    let mut list = vec![
        advice(
            format!(
                "Get the L1 buffer at {} out of the way before this operation: deallocate the tensor if it is no \
                 longer needed, or keep it in DRAM (memory_config=ttnn.DRAM_MEMORY_CONFIG, \
                 ttnn.to_memory_config). The same goes for every other L1 buffer that begins below {}.",
                grouped(clash.l1_address),
                grouped(clash.end)
            ),
            None,
        ),
        advice(
            format!(
                "Make what lies in L1 smaller by at least {} in each core: shard it over more cores, or use a \
                 smaller data type such as bfloat8_b.",
                bytes(over)
            ),
            Some(over),
        ),
        shrink(name, over, &clash.cores),
    ];
    if over <= L1_SMALL_IN_USE {
        list.push(advice(
            format!(
                "If the device was opened with an l1_small_size of which at least {} are unused, lower it by as much: \
                 every L1 buffer then lies that much higher.",
                bytes(over)
            ),
            Some(over),
        ));
    }
    list
}

/// Advice to make the buffers of an operation smaller.
fn shrink(name: &str, over: u64, cores: &Cores) -> Advice {
    let spread = match cores.count() {
        1 => " It runs on a single core: a grid of more cores gives each one less to hold."
            .to_owned(),
        _ => String::new(),
    };
    advice(
        format!(
            "Make the operation's {name} smaller by at least {} in each core: smaller blocks or chunks in its \
             program config, more cores, or inputs of a smaller data type.{spread}",
            bytes(over)
        ),
        Some(over),
    )
}

pub(super) fn beyond(beyond: &BuffersBeyondL1) -> Verdict {
    let name = beyond.buffers.as_str();
    let title = format!("The {name} of an operation are larger than L1");
    let mut figures = vec![
        cores(&beyond.cores),
        figure(name, format!("would end at {}", grouped(beyond.end))),
        figure("L1 of a core", bytes(beyond.l1_size)),
    ];
    let Some(over) = beyond.end.checked_sub(beyond.l1_size).filter(|over| *over > 0) else {
        return contradictory(&title, figures);
    };
    figures.insert(0, figure("over", format!("{} in each of these cores", bytes(over))));
    Verdict {
        title: format!("{title} by {}", bytes(over)),
        meaning: format!(
            "The operation asks for more {name} than a core's whole L1 holds. No tensor is in the way: it would fail \
             with an empty L1 too, so freeing or moving tensors does not help."
        ),
        fit: Fit::TooLarge,
        over: Some(over),
        figures,
        advice: beyond_advice(beyond, over),
        blockers: Vec::new(),
    }
}

fn beyond_advice(beyond: &BuffersBeyondL1, over: u64) -> Vec<Advice> {
    let name = beyond.buffers.as_str();
    // They begin above address 0, so that the true factor is a little larger.
    let factor = match u128::from(beyond.end) * 10 / u128::from(beyond.l1_size.max(1)) {
        tenths @ 15.. => {
            format!(", that is to less than 1/{}.{} of what they are", tenths / 10, tenths % 10)
        }
        _ => String::new(),
    };
    let few = match beyond.cores.count() {
        1 => "It runs on a single core. Spread it over more: ",
        _ => "Give each core less to hold at a time: ",
    };
    vec![
        advice(
            format!(
                "{few}choose smaller blocks or chunks in the operation's program config, or a larger core grid. The \
                 {name} have to shrink by at least {} in each core{factor}.",
                bytes(over)
            ),
            Some(over),
        ),
        advice(
            "Buffers often hold a whole row or a whole reduced dimension: split that dimension, or use the \
             variant of the operation that works on interleaved tensors in DRAM.",
            None,
        ),
        advice(
            "Inputs and outputs of a smaller data type make the buffers smaller in proportion: a tile takes 4,096 \
             bytes as float32, 2,048 as bfloat16 and 1,088 as bfloat8_b.",
            None,
        ),
    ]
}

pub(super) fn service(clash: &ServiceCoreClash) -> Verdict {
    let title = format!(
        "The circular buffers of program {} overlap a service's L1",
        grouped(clash.program)
    );
    let mut figures = vec![
        cores(&clash.cores),
        figure("lowest service buffer", format!("begins at {}", grouped(clash.service_address))),
        figure("circular buffers", format!("end at {}", grouped(clash.end))),
    ];
    let Some(over) = clash.end.checked_sub(clash.service_address).filter(|over| *over > 0) else {
        return contradictory(&title, figures);
    };
    figures.insert(0, figure("over", format!("{} in each of these cores", bytes(over))));
    Verdict {
        title: format!("{title} by {}", bytes(over)),
        meaning: "These cores are claimed by a persistent service (sockets and streams between chips and host), \
                  which keeps buffers at the top of their L1. The program's circular buffers grow into them from below."
            .to_owned(),
        fit: Fit::InTheWay,
        over: Some(over),
        figures,
        advice: vec![
            advice("Run the program on a core grid without these cores.", None),
            advice(
                format!(
                    "Make the circular buffers of the program smaller by at least {} in each of these cores.",
                    bytes(over)
                ),
                Some(over),
            ),
            advice("Give the service smaller buffers, or release it while the program runs.", None),
        ],
        blockers: Vec::new(),
    }
}

fn cores(cores: &Cores) -> Figure {
    figure("cores", format!("{}: {cores}", count(cores.count(), "core")))
}
