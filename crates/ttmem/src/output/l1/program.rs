//! Programs: what is on the cores of a chip under one number of the host.

use std::collections::BTreeMap;

use ttmem_model::l1::report::CoreReport;
use ttmem_model::l1::{CoreState, Count, Processor};
use ttmem_model::order;

use super::L1Sort;
use super::view::{ChipView, is_system};

/// A program and where it is.
pub(super) struct Program {
    /// `None` for TT-Metal's own, and where it is not known.
    pub(super) id: Option<u32>,
    /// The operation, from the path of its kernels' sources.
    pub(super) operation: Option<String>,
    pub(super) cores: usize,
    pub(super) running: usize,
    /// True if an agent recorded it, which does not know if it runs.
    pub(super) is_recorded: bool,
    /// Bytes of circular buffers, on all cores together and on the core that has most.
    pub(super) buffers: Count,
    pub(super) most_buffers: u64,
    /// True if the circular buffers may be those of a program that has not begun.
    pub(super) may_be_of_the_next: bool,
    /// True if every core has the same number.
    pub(super) is_even: bool,
    pub(super) text: Count,
    pub(super) kernels: Vec<ProgramKernel>,
}

/// A kernel of a program.
pub(super) struct ProgramKernel {
    /// `None` from an agent, and where it is not known.
    pub(super) id: Option<u16>,
    /// The processors that run it, such as `trisc`; empty from an agent.
    pub(super) processors: String,
    pub(super) name: Option<String>,
    /// Number of cores that the kernel runs on.
    pub(super) cores: usize,
}

/// The programs of a chip. The system's has the number 0 like an application's first, so that the two are apart.
pub(super) fn all(view: &ChipView<'_>, sort: L1Sort) -> Vec<Program> {
    let mut groups: BTreeMap<(bool, Option<u32>, &str), Vec<&CoreReport>> = BTreeMap::new();
    for core in view.report.cores.iter().filter(|core| core.has_program()) {
        let key = (is_system(core), core.program, core.op.as_deref().unwrap_or_default());
        groups.entry(key).or_default().push(core);
    }
    let is_recorded = view.report.is_recorded();
    let of = |((system, id, _), cores): (&(bool, Option<u32>, &str), &Vec<&CoreReport>)| {
        of(*id, *system, is_recorded, cores)
    };
    let mut programs: Vec<Program> = groups.iter().map(of).collect();
    let most_first = |count: &Count| std::cmp::Reverse(count.value());
    match sort {
        L1Sort::Number => {}
        L1Sort::Cores => {
            order::sort_by_key(&mut programs, |program| std::cmp::Reverse(program.cores))
        }
        L1Sort::Cbs => order::sort_by_key(&mut programs, |program| most_first(&program.buffers)),
        L1Sort::Text => order::sort_by_key(&mut programs, |program| most_first(&program.text)),
    }
    programs
}

fn of(id: Option<u32>, is_system: bool, is_recorded: bool, cores: &[&CoreReport]) -> Program {
    let each: Vec<Option<u64>> =
        cores.iter().map(|core| core.circular_buffer_bytes.value()).collect();
    Program {
        id: id.filter(|_| !is_system),
        operation: if is_system { Some("dispatch".to_owned()) } else { vote(cores) },
        cores: cores.len(),
        is_recorded,
        running: cores.iter().filter(|core| core.state == CoreState::Running).count(),
        buffers: cores.iter().map(|core| core.circular_buffer_bytes.clone()).sum(),
        may_be_of_the_next: cores.iter().any(|core| core.may_be_of_the_next()),
        most_buffers: each.iter().flatten().copied().max().unwrap_or(0),
        is_even: each.windows(2).all(|pair| pair.first() == pair.last()),
        text: cores.iter().map(|core| core.kernel_text_bytes.clone()).sum(),
        kernels: if is_recorded { recorded_kernels(cores) } else { kernels(cores) },
    }
}

fn kernels(cores: &[&CoreReport]) -> Vec<ProgramKernel> {
    let mut found: BTreeMap<(Option<Processor>, Option<u16>), ProgramKernel> = BTreeMap::new();
    for core in cores {
        for kernel in &core.kernels {
            let same = core.kernels.iter().filter(|other| other.id == kernel.id);
            let processors: Vec<Processor> = same.filter_map(|other| other.processor).collect();
            // A kernel that runs on several processors of a core is listed once.
            if processors.first() != kernel.processor.as_ref() {
                continue;
            }
            let line = || ProgramKernel {
                id: kernel.id,
                processors: together(&processors),
                name: kernel.name.clone(),
                cores: 0,
            };
            found.entry((kernel.processor, kernel.id)).or_insert_with(line).cores += 1;
        }
    }
    found.into_values().collect()
}

/// The kernels that an agent recorded, those of one name together.
fn recorded_kernels(cores: &[&CoreReport]) -> Vec<ProgramKernel> {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for core in cores {
        let mut names: Vec<&str> =
            core.kernels.iter().filter_map(|kernel| kernel.name.as_deref()).collect();
        order::sort(&mut names);
        names.dedup();
        for name in names {
            *found.entry(name).or_default() += 1;
        }
    }
    let kernel = |(name, cores): (&str, usize)| ProgramKernel {
        id: None,
        processors: String::new(),
        name: Some(name.to_owned()),
        cores,
    };
    found.into_iter().map(kernel).collect()
}

/// Processors in words; the three that compute are one.
fn together(processors: &[Processor]) -> String {
    match processors {
        [Processor::Trisc0, Processor::Trisc1, Processor::Trisc2] => "trisc".to_owned(),
        processors => {
            let names: Vec<&str> = processors.iter().map(|processor| processor.as_str()).collect();
            names.join(" ")
        }
    }
}

/// The operation of a core's program, by the sources of its kernels.
pub(super) fn operation(core: &CoreReport) -> Option<String> {
    if is_system(core) { Some("dispatch".to_owned()) } else { vote(&[core]) }
}

/// The operation that most kernels' sources belong to. Kernels lend each other out, so one source is no proof; of two
/// with as many the one that computes counts, which comes last.
fn vote(cores: &[&CoreReport]) -> Option<String> {
    if let Some(op) = cores.first().and_then(|core| core.op.as_ref()) {
        return Some(op.clone());
    }
    let mut votes: Vec<(&str, Option<u16>, usize)> = Vec::new();
    for kernel in cores.iter().flat_map(|core| &core.kernels) {
        let Some(operation) = kernel.operation.as_deref() else { continue };
        match votes.iter_mut().find(|(known, _, _)| *known == operation) {
            Some((_, last, _)) if *last == kernel.id => {}
            Some((_, last, count)) => (*last, *count) = (kernel.id, *count + 1),
            None => votes.push((operation, kernel.id, 1)),
        }
    }
    votes
        .into_iter()
        .max_by_key(|(_, _, count)| *count)
        .map(|(operation, _, _)| operation.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_that_compute_are_one() {
        use Processor as P;
        assert_eq!(together(&[P::Trisc0, P::Trisc1, P::Trisc2]), "trisc");
        assert_eq!(together(&[P::Brisc]), "brisc");
        assert_eq!(together(&[P::Brisc, P::Ncrisc]), "brisc ncrisc");
    }
}
