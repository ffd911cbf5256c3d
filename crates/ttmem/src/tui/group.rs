//! Chips whose values are shown as one: all of a host, those of a tray, those of a board.

use std::collections::BTreeMap;

use ttmem_model::ChipId;
use ttmem_model::order;
use ttmem_model::snapshot::{Chip, Snapshot};

use super::track::{Line, Subject, Track};

/// Chips whose values are shown as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Group {
    /// All chips: their sum.
    All,
    /// All chips: at each moment the highest value among them.
    Highest,
    /// The chips of a tray of a Galaxy; `None` for those that are in no tray.
    Tray(Option<u8>),
    /// The chips of the board that this chip is the first of.
    Board(ChipId),
}

/// The groups that the chips of a snapshot form beside [`Group::All`].
#[derive(Debug)]
pub(crate) struct Groups {
    /// The tray or board of each chip, in the order of the snapshot; empty without two of several chips.
    of_chips: Vec<Group>,
}

impl Groups {
    /// Divides the chips by tray, or, where there are no trays, by boards of several chips.
    #[must_use]
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let chips = &snapshot.chips;
        let trays: Vec<Option<u8>> = chips.iter().map(|chip| Some(chip.tray()?.tray)).collect();
        let of_chips: Vec<Group> = if trays.iter().any(Option::is_some) {
            trays.into_iter().map(Group::Tray).collect()
        } else {
            chips.iter().map(|chip| Group::Board(first_of_board(chips, chip))).collect()
        };
        let mut sorted = of_chips.clone();
        order::sort(&mut sorted);
        let several = sorted.chunk_by(|one, other| one == other).filter(|chips| chips.len() > 1);
        Self { of_chips: if several.count() > 1 { of_chips } else { Vec::new() } }
    }

    /// Returns the groups, in the order of their first chips.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        for group in &self.of_chips {
            if !groups.contains(group) {
                groups.push(*group);
            }
        }
        groups
    }

    /// Returns the group of a chip by its position in the snapshot.
    #[must_use]
    pub(crate) fn at(&self, position: usize) -> Option<Group> {
        self.of_chips.get(position).copied()
    }
}

impl Group {
    /// Returns its chips.
    pub(crate) fn chips(self, snapshot: &Snapshot) -> impl Iterator<Item = &Chip> {
        let chips = &snapshot.chips;
        chips.iter().filter(move |chip| match self {
            Self::All | Self::Highest => true,
            Self::Tray(tray) => chip.tray().map(|at| at.tray) == tray,
            Self::Board(first) => first_of_board(chips, chip) == first,
        })
    }

    /// True if its value of a track is the sum over its chips; else it is the worst of them.
    #[must_use]
    pub(crate) fn adds_up(self, track: Track) -> bool {
        self != Self::Highest && track.adds_up()
    }

    /// Combines the values of its chips; `None` if none is known.
    #[must_use]
    pub(crate) fn combine(self, track: Track, numbers: impl Iterator<Item = f64>) -> Option<f64> {
        if self.adds_up(track) {
            return numbers.reduce(|sum, number| sum + number);
        }
        numbers.reduce(|one, other| match track.worst() {
            super::track::Worst::Highest => one.max(other),
            super::track::Worst::Lowest => one.min(other),
        })
    }
}

/// Returns the first chip of a chip's board.
fn first_of_board(chips: &[Chip], chip: &Chip) -> ChipId {
    let is_same = |other: &&Chip| match (&other.serial, &chip.serial) {
        (Some(one), Some(other)) => one == other,
        _ => other.id == chip.id || chip.gateway == Some(other.id),
    };
    chips.iter().find(is_same).map_or(chip.id, |first| first.id)
}

/// Returns the values of chips, and the sums over groups of them. A sum is over the chips with a value.
#[must_use]
pub(crate) fn numbers(snapshot: &Snapshot) -> Vec<(Line, f64)> {
    let groups = Groups::of(snapshot);
    let several = snapshot.chips.len() > 1;
    let mut numbers = Vec::new();
    let mut sums: BTreeMap<Line, f64> = BTreeMap::new();
    for (position, chip) in snapshot.chips.iter().enumerate() {
        for track in Track::OF_CHIPS {
            let Some(number) = track.of_chip(chip) else { continue };
            numbers.push((Line { subject: Subject::Chip(chip.id), track: *track }, number));
            let all = (several && track.adds_up()).then_some(Group::All);
            let group = groups.at(position).filter(|_| track.adds_up());
            for group in all.into_iter().chain(group) {
                let line = Line { subject: Subject::Group(group), track: *track };
                *sums.entry(line).or_default() += number;
            }
        }
    }
    numbers.extend(sums);
    numbers
}

#[cfg(test)]
mod tests {
    use ttmem_fake::Board;
    use ttmem_fake::Host;
    use ttmem_root::Root;
    use ttmem_sources::Collector;

    use super::*;

    fn snapshot(host: Host) -> Snapshot {
        Collector::new(Root::memory(host.into_tree())).snapshot()
    }

    #[test]
    fn chips_are_divided_by_tray_else_by_board_of_several() {
        let galaxy = snapshot(Host::galaxy());
        let trays = Groups::of(&galaxy).all();
        assert_eq!(trays, [1, 2, 3, 4].map(|tray| Group::Tray(Some(tray))));
        assert!(trays.iter().all(|tray| tray.chips(&galaxy).count() == 8));
        let boards = snapshot(Host::t3000());
        let all = Groups::of(&boards).all();
        assert_eq!((all.len(), all[0].chips(&boards).count()), (4, 2));
        assert_eq!(Groups::of(&snapshot(Host::n150())).all(), []);
        let cards = Host::new().board(Board::n150()).board(Board::p150());
        assert_eq!(Groups::of(&snapshot(cards)).all(), [], "a card is a chip");
        let one = Host::new().board(Board::n300()).board(Board::p150());
        assert_eq!(Groups::of(&snapshot(one)).all(), [], "one board of several chips");
    }

    #[test]
    fn amounts_are_added_up_and_of_others_the_worst_counts() {
        let galaxy = snapshot(Host::galaxy());
        let numbers = numbers(&galaxy);
        let of = |group, track| {
            let line = Line { subject: Subject::Group(group), track };
            numbers.iter().find(|(other, _)| *other == line).map(|(_, number)| *number)
        };
        let power = |group: Group| group.chips(&galaxy).filter_map(|it| Track::Power.of_chip(it));
        let tray = Group::Tray(Some(2));
        assert_eq!(of(tray, Track::Power), Some(power(tray).sum()));
        assert_eq!(of(Group::All, Track::Power), Some(power(Group::All).sum()));
        assert_eq!(of(Group::All, Track::Temperature), None);
        let three = || [3.0, 1.0, 2.0].into_iter();
        assert_eq!(Group::All.combine(Track::Dram, three()), Some(6.0));
        assert_eq!(Group::All.combine(Track::Temperature, three()), Some(3.0));
        assert_eq!(Group::All.combine(Track::DramLargestFree, three()), Some(1.0));
        assert_eq!(Group::Highest.combine(Track::Dram, three()), Some(3.0));
    }
}
