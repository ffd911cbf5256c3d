//! Finding about simulated chips: two of different processes that have one id.

use std::collections::BTreeSet;

use ttmem_model::Pid;
use ttmem_model::finding::{Finding, Severity};
use ttmem_model::order::Gather as _;

use super::Subject;
use crate::agent;
use crate::join::{Joined, JoinedChip, Origin, simulator};

/// Finds a chip that is several simulated ones. Simulated chips have one id, whatever their architecture, so the
/// processes share TT-Metal's region, and their agents name one chip.
pub(super) fn find(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    if chip.origin != Origin::Unmatched {
        return None;
    }
    different(joined, chip).or_else(|| simulated(joined, chip))
}

/// Chips of different hardware, by their agents: not every simulator has a socket by which it is known.
fn different(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    let banks = agent::dram_banks(joined, chip);
    let numbers: BTreeSet<u64> = banks.values().copied().gather();
    let each: Vec<String> =
        banks.iter().map(|(pid, banks)| format!("{banks} in process {pid}")).collect();
    (numbers.len() > 1).then(|| {
        shared(
            chip,
            format!(
                "the DRAM banks of chip {} are {}: different simulated chips with one id. The chip's memory is the sum of all, \
                 its capacity that of one",
                chip.index,
                each.join(" and ")
            ),
        )
    })
}

/// Chips of several processes that simulate, by the sockets of their simulators.
fn simulated(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    let simulating: BTreeSet<Pid> = joined.facts.l1.iter().filter_map(simulator).gather();
    let users = joined.pids(chip);
    let together: Vec<String> = simulating.intersection(&users).map(ToString::to_string).collect();
    (together.len() > 1).then(|| {
        shared(
            chip,
            format!(
                "chip {} is the simulated chips of processes {}: they have one id, and the chip's memory is the sum of all",
                chip.index,
                together.join(" and ")
            ),
        )
    })
}

fn shared(chip: &JoinedChip, text: String) -> Finding {
    Subject::chip(chip).finding(
        "simulators-share-id",
        Severity::Warning,
        text,
        "read the memory of each in its process; run simulators one after the other, or in containers",
    )
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, Segment, WORMHOLE};
    use ttmem_fake::{BYTES, Host, NOW, PID, Process, Region};
    use ttmem_model::Snapshot;
    use ttmem_model::facts::{Facts, L1Facts, L1Location};
    use ttmem_model::reading::Missing;
    use ttmem_root::{Clock, Root};
    use ttmem_segment::{AllocatorKind, AllocatorRole};
    use ttmem_sources::Collector;

    use super::*;

    /// A host without a driver on which these processes simulate chip 0.
    fn merged(host: Host, simulators: &[i32]) -> Snapshot {
        let root = Root::memory(host.without_driver().into_tree());
        let mut facts: Facts = Collector::new(root).with_clock(Clock::Fixed(NOW)).facts();
        facts.l1.extend(simulators.iter().map(|pid| L1Facts {
            location: L1Location::Simulated { chip: 0, owner: Some(Pid(*pid)) },
            port: format!("/tmp/{pid}.sock"),
            arch: None,
            content: Err(Missing::failed("timed out")),
            names: Err(Missing::not_read("L1 was not read")),
            read_at: NOW,
        }));
        crate::merge(&facts, None)
    }

    fn python(pid: i32) -> Process {
        Process::new(pid, "python3")
    }

    fn segment(pid: i32) -> Segment {
        let new = NewBuffer::new(AllocatorKind::Dram, 4096, "Add");
        Segment::wormhole(pid, python(pid).start_ticks(), 7).allocate(new)
    }

    #[test]
    fn a_simulated_chip_is_the_one_of_its_processs_region_or_agent() {
        let by_region = Host::new().process(python(PID));
        let by_region = by_region.region(Region::new(0).slot(PID, "python3", BYTES));
        let by_agent = Host::new().process(python(PID)).segment_of(PID, segment(PID));
        for host in [by_region, by_agent] {
            let snapshot = merged(host, &[PID]);
            assert_eq!(snapshot.chips.len(), 1, "{:?}", snapshot.chips);
            assert_eq!(snapshot.chips[0].owners.pids, [Pid(PID)]);
        }
        let other = Host::new().process(python(PID)).process(python(77));
        assert_eq!(merged(other.segment_of(PID, segment(PID)), &[77]).chips.len(), 2);
    }

    #[test]
    fn a_chip_that_its_simulator_has_no_socket_for_says_so() {
        let region = |id| Region::new(id).slot(PID, "python3", BYTES);
        let host = || Host::new().process(python(PID)).region(region(0)).region(region(1));
        let why = |simulators: &[i32]| {
            let snapshot = merged(host(), simulators);
            let used = snapshot.chips[1].memory.circular_buffers.used.missing();
            used.map(|missing| missing.detail.to_string()).unwrap_or_default()
        };
        assert_eq!(
            why(&[PID]),
            "the simulation servers of process 4242 have no socket for this chip"
        );
        assert_eq!(why(&[]), "L1 was not read");
    }

    #[test]
    fn two_simulators_with_one_id_are_named() {
        let shared = |finding: &&Finding| finding.id == "simulators-share-id";
        let two = || Host::new().process(python(PID)).process(python(77));
        let region = Region::new(0).slot(PID, "python3", BYTES).slot(77, "python3", BYTES);
        let agents = two().segment_of(PID, segment(PID)).segment_of(77, segment(77));
        for host in [two().region(region), agents] {
            let snapshot = merged(host, &[PID, 77]);
            let found = snapshot.findings.iter().find(shared).unwrap();
            assert!(found.text.contains("77 and 4242"), "{found:?}");
        }
        let region = Region::new(0).slot(PID, "python3", BYTES).slot(77, "python3", BYTES);
        assert_eq!(merged(two().region(region), &[PID]).findings.iter().find(shared), None);
    }

    #[test]
    fn different_chips_with_one_id_are_named_without_a_socket() {
        let mut blackhole = WORMHOLE;
        blackhole[AllocatorKind::Dram as usize].banks = 8;
        let other = Segment::new(77, python(77).start_ticks()).chip(0, Some(7));
        let other = other.open(AllocatorRole::Mesh, &[0], blackhole);
        let two = || Host::new().process(python(PID)).process(python(77));
        let texts = |host: Host| -> Vec<String> {
            let of_id = merged(host, &[])
                .findings
                .into_iter()
                .filter(|one| one.id == "simulators-share-id");
            of_id.map(|finding| finding.text.to_string()).collect()
        };
        let found = texts(two().segment_of(PID, segment(PID)).segment_of(77, other));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("8 in process 77 and 12 in process 4242"), "{found:?}");
        // Two of one kind may as well be two users of one mock device.
        assert_eq!(texts(two().segment_of(PID, segment(PID)).segment_of(77, segment(77))), [""; 0]);
    }
}
