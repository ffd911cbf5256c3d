//! Circular and dataflow buffers that do not fit: they are at the bottom of L1, tensors at its top.

use super::{
    Advice, Context, Figure, Fit, Verdict, advice, blocker_figures, by, by_at_least, contradictory,
    contradicts, excess, figure, short_by,
};
use crate::explain::chip::{self, Limits};
use crate::explain::cores::Cores;
use crate::explain::message::{BuffersBeyondL1, BuffersClash, ServiceCoreClash};
use crate::explain::units::{self, bytes, count, grouped};

/// An overlap beyond this is not cured by a smaller L1_SMALL. Models set 16 to 80 KiB aside.
const L1_SMALL_IN_USE: u64 = 96 << 10;

/// Bytes above the lowest L1 buffer below which no tensor worth moving is there.
const TOP_OF_L1: u64 = 16 << 10;

pub(super) fn clash(clash: &BuffersClash, context: &Context<'_>) -> Verdict {
    let name = clash.buffers.as_str();
    let mut figures = clash_figures(clash);
    let program = clash
        .program
        .map_or("a program".to_owned(), |program| format!("program {}", grouped(program)));
    let title = format!("The {name} of {program} overlap L1 buffers");
    if contradicts(clash.end, clash.l1_address) {
        return contradictory(&title, figures);
    }
    let over = excess(clash.end, clash.l1_address);
    let blockers = context
        .live
        .zip(clash.l1_address)
        .map(|(map, address)| map.below(address, clash.end))
        .unwrap_or_default();
    short_by(&mut figures, over, " in each of these cores");
    let top = clash.l1_address.and_then(|address| top_of_l1(address, context));
    if let Some((limits, above)) = top {
        let value = format!(
            "{}: L1 of a {} ends at {}",
            bytes(above),
            limits.name,
            units::address(limits.l1)
        );
        figures.push(figure("from there to the end of L1", value));
    }
    figures.extend(blocker_figures(&blockers));
    figures.extend(semaphore_figure(context));
    let full = if clash.l1_address.is_some_and(|address| is_l1_full(address, context)) {
        format!(" L1 buffers reach down to where {name} begin: smaller {name} do not help.")
    } else {
        String::new()
    };
    Verdict {
        title: format!("{title}{}", by(over)),
        meaning: format!(
            "An op places its {name} at the bottom of each core's L1, growing upwards. L1 buffers are at the top and \
             grow downwards. Here they would meet{}.{full} TT-Metal refused the op before it ran, so nothing was \
             overwritten.",
            meeting(clash)
        ),
        fit: Fit::Blocked,
        over,
        figures,
        advice: clash_advice(clash, over, top, context),
        blockers,
    }
}

/// Returns the addresses at which the buffers of a clash meet, as far as the message has them.
fn meeting(clash: &BuffersClash) -> String {
    let ends = clash
        .end
        .map(|end| format!("the {} end at {}", clash.buffers.as_str(), units::address(end)));
    let begins = clash
        .l1_address
        .map(|address| format!("the lowest L1 buffer begins at {}", units::address(address)));
    match (ends, begins) {
        (Some(ends), Some(begins)) => format!(": {ends}, {begins}"),
        (Some(one), None) | (None, Some(one)) => format!(": {one}"),
        (None, None) => String::new(),
    }
}

/// True if an L1 buffer leaves no room below it for the smallest circular buffer.
fn is_l1_full(address: u64, context: &Context<'_>) -> bool {
    let bases = match context.chip.limits() {
        Some(limits) => vec![limits.l1_base],
        None => chip::ALL.iter().map(|limits| limits.l1_base).collect(),
    };
    // A tile of the smallest data type takes 576 bytes.
    bases.into_iter().max().is_some_and(|base| address < base + 576)
}

/// The limits of the chip and the bytes above an address, if these are few.
fn top_of_l1(address: u64, context: &Context<'_>) -> Option<(Limits, u64)> {
    let fits =
        |limits: &Limits| limits.l1.checked_sub(address).is_some_and(|above| above < TOP_OF_L1);
    let limits = match context.chip.limits() {
        Some(limits) => Some(limits).filter(fits),
        None => chip::ALL.into_iter().find(fits),
    }?;
    Some((limits, limits.l1 - address))
}

/// The line that names the warning of semaphores in L1.
pub(super) fn semaphore_figure(context: &Context<'_>) -> Option<Figure> {
    let line = context.semaphores_line?;
    Some(figure(
        "likely cause",
        format!(
            "line {line}: semaphores were allocated in L1, where they pin its lowest free range"
        ),
    ))
}

/// The cure for semaphores in L1.
pub(super) fn semaphore_advice(context: &Context<'_>) -> Option<Advice> {
    context.semaphores_line.map(|_| {
        advice("Open the device with a non-zero l1_small_size: global semaphores then are in L1_SMALL and not between L1 buffers.", None)
    })
}

fn clash_figures(clash: &BuffersClash) -> Vec<Figure> {
    let at = |name, verb: &str, address: Option<u64>| {
        address.map(|address| figure(name, format!("{verb} at {}", units::address(address))))
    };
    let list = [
        clash.cores.as_ref().map(cores),
        at("lowest L1 buffer", "begins", clash.l1_address),
        at(clash.buffers.as_str(), "end", clash.end),
    ];
    list.into_iter().flatten().collect()
}

fn clash_advice(
    clash: &BuffersClash,
    over: Option<u64>,
    top: Option<(Limits, u64)>,
    context: &Context<'_>,
) -> Vec<Advice> {
    let name = clash.buffers.as_str();
    let unused = over.map_or("some".to_owned(), |over| format!("at least {}", bytes(over)));
    let small = advice(
        format!(
            "If the device was opened with an l1_small_size of which {unused} are unused, lower it by as much: every \
             L1 buffer then is that much higher."
        ),
        over,
    );
    let at = |text: &str, address: Option<u64>| {
        address.map_or(String::new(), |address| format!("{text}{}", units::address(address)))
    };
    let article = if clash.l1_address.is_some() { "the" } else { "the lowest" };
    let tensor = advice(
        format!(
            "Free or move {article} L1 buffer{} before this op: ttnn.deallocate the tensor if it is no longer needed, or \
             keep it in DRAM (memory_config=ttnn.DRAM_MEMORY_CONFIG, ttnn.to_memory_config). The same applies to every \
             other L1 buffer that begins {}.",
            at(" at ", clash.l1_address),
            clash.end.map_or("where the op needs L1".to_owned(), |end| {
                format!("below {}", units::address(end))
            })
        ),
        None,
    );
    let mut list: Vec<Advice> = semaphore_advice(context).into_iter().collect();
    if let Some((limits, above)) = top {
        list.push(small);
        if context.semaphores_line.is_none() {
            list.push(advice(
                format!(
                    "Only {} are above it, with L1_SMALL: it is probably a semaphore or another small buffer, not a \
                     tensor worth moving. Keep semaphores in L1_SMALL (a non-zero l1_small_size; \
                     use_l1_small_for_semaphores=True where the op has it).",
                    bytes(above)
                ),
                Some(above),
            ));
        }
        let mut smaller = shrink(name, over, clash.cores.as_ref());
        if let Some(end) = clash.end {
            let taken = bytes(end.saturating_sub(limits.l1_base));
            smaller
                .text
                .insert_str(0, &format!("The op's {name} take about {taken} of each core. "));
        }
        list.extend([smaller, tensor]);
        return list;
    }
    list.push(tensor);
    list.push(advice(
        format!(
            "Make what is in L1 smaller{}: shard it over more cores, or use a smaller data type such as ttnn.bfloat8_b.",
            in_each_core(over)
        ),
        over,
    ));
    if !clash.l1_address.is_some_and(|address| is_l1_full(address, context)) {
        list.push(shrink(name, over, clash.cores.as_ref()));
    }
    if over.is_some_and(|over| over <= L1_SMALL_IN_USE) {
        list.push(small);
    }
    list
}

/// Advice to make the buffers of an op smaller.
fn shrink(name: &str, over: Option<u64>, cores: Option<&Cores>) -> Advice {
    let spread = match cores.map(Cores::count) {
        Some(1) => {
            " It runs on a single core: a grid of more cores leaves less to each.".to_owned()
        }
        _ => String::new(),
    };
    advice(
        format!(
            "Make the op's {name} smaller{}: smaller blocks or chunks in its program_config, more cores, or inputs of a \
             smaller data type.{spread} Without a program_config, ttnn.matmul and ttnn.layer_norm already fit their \
             blocks to the free L1.",
            in_each_core(over)
        ),
        over,
    )
}

/// ` by at least 1,024 bytes in each core`, or nothing.
fn in_each_core(over: Option<u64>) -> String {
    over.map_or(String::new(), |_| format!("{} in each core", by_at_least(over)))
}

pub(super) fn beyond(beyond: &BuffersBeyondL1) -> Verdict {
    let name = beyond.buffers.as_str();
    let title = format!("The {name} of an op are larger than L1");
    let list = [
        beyond.cores.as_ref().map(cores),
        beyond.end.map(|end| figure(name, format!("would end at {}", units::address(end)))),
        beyond.l1_size.map(|size| figure("L1 of a core", bytes(size))),
    ];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if contradicts(beyond.end, beyond.l1_size) {
        return contradictory(&title, figures);
    }
    let over = excess(beyond.end, beyond.l1_size);
    short_by(&mut figures, over, " in each of these cores");
    Verdict {
        title: format!("{title}{}", by(over)),
        meaning: format!(
            "The op needs more {name} than a core's whole L1 holds. No tensor blocks it: it would fail with an empty L1 \
             too, so freeing or moving tensors does not help."
        ),
        fit: Fit::TooLarge,
        over,
        figures,
        advice: beyond_advice(beyond, over),
        blockers: Vec::new(),
    }
}

fn beyond_advice(beyond: &BuffersBeyondL1, over: Option<u64>) -> Vec<Advice> {
    let name = beyond.buffers.as_str();
    // They begin above address 0, so that the true factor is a little larger.
    let tenths = beyond
        .end
        .zip(beyond.l1_size)
        .map_or(0, |(end, l1_size)| u128::from(end) * 10 / u128::from(l1_size.max(1)));
    let factor = match tenths {
        15.. => {
            format!(", that is to less than 1/{}.{} of what they are", tenths / 10, tenths % 10)
        }
        _ => String::new(),
    };
    let few = match beyond.cores.as_ref().map(Cores::count) {
        Some(1) => "It runs on a single core. Spread it over more: ",
        _ => "Let each core hold less at a time: ",
    };
    vec![
        advice(
            format!(
                "{few}choose smaller blocks or chunks in the op's program_config, or a larger core grid. The {name} \
                 have to shrink{}{factor}.",
                in_each_core(over)
            ),
            over,
        ),
        advice(
            "Buffers often hold a whole row or a whole reduced dimension: split that dimension, or use the variant of \
             the op that works on interleaved tensors in DRAM.",
            None,
        ),
        advice(
            "Inputs and outputs of a smaller data type make the buffers smaller in proportion: a tile takes 4,096 \
             bytes as ttnn.float32, 2,048 as ttnn.bfloat16 and 1,088 as ttnn.bfloat8_b.",
            None,
        ),
    ]
}

pub(super) fn service(clash: &ServiceCoreClash) -> Verdict {
    let program = clash
        .program
        .map_or("a program".to_owned(), |program| format!("program {}", grouped(program)));
    let title = format!("The circular buffers of {program} overlap a service's L1");
    let list = [
        clash.cores.as_ref().map(cores),
        clash.service_address.map(|address| {
            figure("lowest service buffer", format!("begins at {}", units::address(address)))
        }),
        clash.end.map(|end| figure("circular buffers", format!("end at {}", units::address(end)))),
    ];
    let mut figures: Vec<Figure> = list.into_iter().flatten().collect();
    if contradicts(clash.end, clash.service_address) {
        return contradictory(&title, figures);
    }
    let over = excess(clash.end, clash.service_address);
    short_by(&mut figures, over, " in each of these cores");
    Verdict {
        title: format!("{title}{}", by(over)),
        meaning: "A persistent service (sockets and streams between chips and host) claims these cores and keeps \
                  buffers at the top of their L1. The program's circular buffers grow into them from below."
            .to_owned(),
        fit: Fit::Blocked,
        over,
        figures,
        advice: vec![
            advice("Run the program on a core grid without these cores.", None),
            advice(
                format!(
                    "Make the circular buffers of the program smaller{} in each of these cores.",
                    by_at_least(over)
                ),
                over,
            ),
            advice("Make the service's buffers smaller, or release the service while the program runs.", None),
        ],
        blockers: Vec::new(),
    }
}

fn cores(cores: &Cores) -> Figure {
    figure("cores", format!("{}: {cores}", count(cores.count(), "core")))
}
