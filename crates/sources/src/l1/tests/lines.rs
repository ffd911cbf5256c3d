//! Cores without TT-Metal's magic number: whole lines are harvested, one alone is torn.

use super::support::{core_with_program, port};
use crate::l1::grid::complete;
use crate::l1::{Layout, Reader};
use crate::port::L1Port;
use crate::port::image::ImagePort;
use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Core, CoreState, Grid};

fn newest(arch: Arch) -> Layout {
    Layout::of_release(arch, "0.81.1").unwrap()
}

/// Rows of a Wormhole are harvested as a whole, and columns of a Blackhole.
#[test]
fn a_line_without_the_magic_is_not_listed() {
    for layout in [newest(Arch::Wormhole), newest(Arch::Blackhole)] {
        let (image, _) = core_with_program(&layout, 1);
        let at = |x, y| Coordinate { x, y };
        let live = [at(1, 2), if layout.arch == Arch::Wormhole { at(2, 2) } else { at(1, 3) }];
        let zeros = vec![0; image.l1.len()];
        let cores: Vec<_> = [at(1, 2), at(2, 2), at(1, 3), at(2, 3)]
            .into_iter()
            .map(|noc| {
                let bytes = if live.contains(&noc) { image.l1.clone() } else { zeros.clone() };
                (noc, vec![(0, bytes)])
            })
            .collect();
        let mut chip = port(&[image]).chip().clone();
        chip.cores = cores.iter().map(|(noc, _)| *noc).collect();
        let mut port = ImagePort::from_parts(&chip, &cores).unwrap();
        let (cores, _) = Reader::open(&mut port).unwrap().sample(&mut port).unwrap();
        assert_eq!(cores.iter().map(|core| core.noc).collect::<Vec<_>>(), live);
    }
}

/// A dead core, or one whose memory was overwritten: what it has is not known.
#[test]
fn a_core_without_the_magic_among_others_is_torn() {
    let (image, _) = core_with_program(&newest(Arch::Wormhole), 1);
    let (mut zeros, mut ones) = (image.clone(), image.clone());
    zeros.l1.fill(0);
    ones.l1.fill(0xff);
    let mut foreign = image.clone();
    foreign.set(image.layout.mailbox.core_info.magic.unwrap(), 0xC630_50D1);
    let mut port = port(&[zeros, image, foreign, ones]);
    let (cores, _) = Reader::open(&mut port).unwrap().sample(&mut port).unwrap();
    let torn = (CoreState::Torn, Some("TT-Metal's magic number is not there"));
    let states: Vec<_> = cores.iter().map(|core| (core.state, core.detail.as_deref())).collect();
    assert_eq!(states, [torn, (CoreState::Finished, None), torn, torn]);
}

/// A Wormhole of 3 by 2 cores in which row 2 of the NOC is harvested, and what its reader lists.
fn grid(change: impl Fn(&mut Vec<Core>)) -> Vec<(Option<Coordinate>, Coordinate, CoreState)> {
    let at = |x, y| Coordinate { x, y };
    let mut cores = Vec::new();
    for (noc_y, y) in [(1, 0), (3, 1)] {
        for (noc_x, x) in [(1, 0), (2, 1), (4, 2)] {
            let (image, _) = core_with_program(&newest(Arch::Wormhole), 1);
            let mut port = port(&[image]);
            let (mut read, _) = Reader::open(&mut port).unwrap().sample(&mut port).unwrap();
            let mut core = read.remove(0);
            core.noc = at(noc_x, noc_y);
            core.logical = Some(at(x, y));
            core.grid = Some(Grid { columns: 3, rows: 2 });
            cores.push(core);
        }
    }
    let listed: Vec<_> = [1, 2, 3].into_iter().flat_map(|y| [1, 2, 4].map(|x| at(x, y))).collect();
    change(&mut cores);
    complete(&mut cores, &listed, Arch::Wormhole);
    let torn = cores.iter().filter(|core| core.state == CoreState::Torn);
    torn.map(|core| (core.logical, core.noc, core.state)).collect()
}

/// TT-Metal's grid has no harvested lines: a core that is missing in it was not read.
#[test]
fn what_is_missing_in_the_grid_is_torn() {
    let at = |x, y| Coordinate { x, y };
    assert_eq!(grid(|_| {}), [], "the harvested row is none of the grid");
    let torn = [(Some(at(1, 1)), at(2, 3), CoreState::Torn)];
    assert_eq!(grid(|cores| drop(cores.remove(4))), torn, "not listed");
    let without_place = |cores: &mut Vec<Core>| {
        (cores[4].state, cores[4].logical, cores[4].grid) = (CoreState::Torn, None, None);
    };
    assert_eq!(grid(without_place), torn, "torn, in a place that its neighbours know");
    // Which of the two rows is harvested, no core says.
    let silent: Vec<_> = [2, 3].into_iter().flat_map(|y| [1, 2, 4].map(|x| at(x, y))).collect();
    let found = grid(|cores| cores.truncate(3));
    assert_eq!(found.iter().map(|(_, noc, _)| *noc).collect::<Vec<_>>(), silent);
}
