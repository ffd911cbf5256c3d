//! Cores without TT-Metal's magic number: whole lines are harvested, one alone is torn.

use super::support::{core_with_program, port};
use crate::l1::{Layout, Reader};
use crate::port::L1Port;
use crate::port::image::ImagePort;
use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, CoreState};

fn newest(arch: Arch) -> Layout {
    Layout::of_release(arch, "0.81.1").unwrap()
}

/// Rows of a Wormhole are harvested as a whole, and columns of a Blackhole.
#[test]
fn a_line_without_the_magic_is_not_listed() {
    for layout in [newest(Arch::Wormhole), newest(Arch::Blackhole)] {
        let (image, _) = core_with_program(&layout, 1);
        let at = |x, y| Coordinate { x, y };
        let live = [at(1, 1), if layout.arch == Arch::Wormhole { at(2, 1) } else { at(1, 2) }];
        let zeros = vec![0; image.l1.len()];
        let cores: Vec<_> = [at(1, 1), at(2, 1), at(1, 2), at(2, 2)]
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
