//! Merges of healthy and broken hosts.

use ttmem_model::facts::RegionBytes;
use ttmem_model::reading::{MissingReason, Quality, Reading};
use ttmem_model::snapshot::{Chip, IdSource, JoinedBy, Process, ProcessState, SourceStatus};
use ttmem_model::{AllocatorKind, Board, ChipId, Pid, Snapshot};

use ttmem_fake as fake;
use ttmem_fake::{BYTES, Host, PID};
use ttmem_root::Clock;
use ttmem_root::{Entry, Root, Tree};
use ttmem_sources::Collector;

mod left;
mod removed;

fn snapshot(tree: Tree) -> Snapshot {
    collector(tree).snapshot()
}

fn collector(tree: Tree) -> Collector {
    Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW))
}

fn variant(name: &str) -> Snapshot {
    let mut variants = fake::variants().into_iter();
    let (_, tree) = variants.find(|(other, _)| *other == name).expect("a variant of that name");
    snapshot(tree)
}

fn used(chip: &Chip) -> [Option<u64>; 4] {
    AllocatorKind::ALL.map(|kind| chip.memory.allocators()[kind].used.value().copied())
}

fn held(process: &Process) -> [Option<u64>; 4] {
    let memory = &process.chips[0].memory;
    AllocatorKind::ALL.map(|kind| memory.allocators()[kind].value().copied())
}

fn expected(bytes: RegionBytes) -> [Option<u64>; 4] {
    AllocatorKind::ALL.map(|kind| Some(bytes.allocators()[kind]))
}

fn why(reading: &Reading<u64>) -> MissingReason {
    reading.missing().expect("a blank").reason
}

fn finding_ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn a_healthy_host_has_exact_capacities_and_approximate_use() {
    for (name, tree) in fake::healthy() {
        let snapshot = snapshot(tree);
        assert!(snapshot.findings.is_empty(), "{name}: {:?}", snapshot.findings);
        for chip in &snapshot.chips {
            let board = Board::by_name(chip.board.as_deref().unwrap()).unwrap();
            assert_eq!(chip.memory.dram.capacity.value().copied(), board.dram_bytes(), "{name}");
            assert_eq!(chip.memory.l1_total.capacity.value().copied(), board.l1_bytes(), "{name}");
            assert_eq!(used(chip), expected(BYTES), "{name} chip {}", chip.index);
            assert_eq!(chip.memory.dram.used.quality(), Some(Quality::Approximate));
            assert_eq!(chip.memory.circular_buffers.reported.quality(), Some(Quality::HighWater));
            assert_eq!(why(&chip.memory.circular_buffers.used), MissingReason::NotRead);
        }
        assert_eq!(snapshot.processes.len(), 1, "{name}");
        assert_eq!(snapshot.processes[0].chips.len(), snapshot.chips.len(), "{name}");
    }
}

#[test]
fn every_chip_is_found_once_and_named_apart() {
    let counts =
        [("n150", 1), ("n300", 2), ("n300_rows", 2), ("p150", 1), ("t3000", 8), ("galaxy", 32)];
    for (name, count) in counts {
        let (_, tree) = fake::healthy().into_iter().find(|(other, _)| *other == name).unwrap();
        let snapshot = snapshot(tree);
        let mut ids: Vec<ChipId> = snapshot.chips.iter().map(|chip| chip.id).collect();
        let indices: Vec<u32> = snapshot.chips.iter().map(|chip| chip.index).collect();
        assert_eq!(indices, (0..count).collect::<Vec<u32>>(), "{name}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), snapshot.chips.len(), "{name}");
    }
}

#[test]
fn a_hole_in_a_tray_of_a_galaxy_is_a_finding_and_an_absent_tray_is_none() {
    let mut facts = collector(Host::galaxy().into_tree()).facts();
    facts.devices.retain(|device| device.number != 12);
    facts.regions.clear();
    let found = crate::merge(&facts, None).findings;
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(finding.id, "tray-incomplete");
    let text = "the driver shows 7 of 8 chips of tray 2, without 2:5 (device 12)";
    assert_eq!(finding.text, text);
    facts.devices.retain(|device| !(8..16).contains(&device.number));
    assert_eq!(finding_ids(&crate::merge(&facts, None)), [""; 0]);
}

#[test]
fn the_remote_chips_of_a_t3000_are_joined_to_their_gateways() {
    let snapshot = snapshot(Host::t3000().into_tree());
    for local in 0..4 {
        let (gateway, remote) = (&snapshot.chips[local], &snapshot.chips[local + 4]);
        assert!(!gateway.remote && remote.remote);
        assert_eq!(remote.gateway, Some(gateway.id));
        let region = |chip: &Chip| chip.region.as_ref().unwrap().id;
        assert_eq!(region(remote), region(gateway) + (1 << 32));
        assert_eq!(gateway.region.as_ref().unwrap().joined_by, JoinedBy::Owner);
    }
}

#[test]
fn an_idle_n300_has_a_remote_chip_whose_id_is_derived() {
    let snapshot = snapshot(Host::new().board(fake::Board::n300()).into_tree());
    assert_eq!(snapshot.chips.len(), 2);
    assert_eq!(snapshot.chips[1].id_source, IdSource::Gateway);
    assert_eq!(snapshot.chips[1].memory.dram.capacity.value(), Some(&(12 << 30)));
    assert_eq!(why(&snapshot.chips[1].memory.dram.used), MissingReason::NoSource);
}

#[test]
fn regions_that_cannot_be_read_give_blanks_with_the_reason_and_a_finding() {
    let cases = [
        ("unreadable_region", MissingReason::Denied, "region-denied"),
        ("region_of_another_user", MissingReason::Denied, "region-denied"),
        ("short_region", MissingReason::Failed, "region-unusable"),
        ("truncated_region", MissingReason::Failed, "region-unusable"),
        ("truncated_header", MissingReason::Failed, "region-unusable"),
        ("empty_region", MissingReason::Failed, "region-unusable"),
        ("region_is_a_directory", MissingReason::Failed, "region-unusable"),
        ("region_not_ready", MissingReason::Failed, "region-unusable"),
        ("always_torn_region", MissingReason::Failed, "region-unusable"),
        ("region_version_1", MissingReason::Unsupported, "region-unusable"),
        ("region_version_9", MissingReason::Unsupported, "region-unusable"),
    ];
    for (name, reason, finding) in cases {
        let snapshot = variant(name);
        let chip = &snapshot.chips[0];
        assert_eq!(why(&chip.memory.dram.used), reason, "{name}");
        assert_eq!(why(&chip.memory.dram.stale), reason, "{name}");
        assert_eq!(why(&chip.memory.circular_buffers.reported), reason, "{name}");
        assert_eq!(why(&snapshot.processes[0].chips[0].memory.dram), reason, "{name}");
        assert_eq!(finding_ids(&snapshot), [finding], "{name}");
        assert_eq!(chip.memory.dram.capacity.value(), Some(&(12 << 30)), "{name}");
    }
    assert_eq!(why(&variant("unreadable_shm").chips[0].memory.dram.used), MissingReason::Denied);
    let version = variant("region_version_9");
    assert!(version.findings[0].text.contains("version 9"), "{}", version.findings[0].text);
}

#[test]
fn a_region_of_another_user_than_its_process_is_not_used() {
    let with_owner = |uid| {
        let region = fake::Region::new(fake::Host::n150().region_ids()[0]);
        let region = region.slot(fake::PID, "python3", fake::BYTES);
        let entry = Entry::File { bytes: region.image(), uid };
        let path = fake::region_path(fake::Host::n150().region_ids()[0]);
        snapshot(Host::n150().file(path, entry).into_tree())
    };
    for uid in [0, 1000] {
        assert_eq!(finding_ids(&with_owner(uid)), [""; 0], "{uid}");
    }
    let forged = with_owner(1001);
    assert_eq!(finding_ids(&forged), ["region-unusable"]);
    assert_eq!(why(&forged.chips[0].memory.dram.used), MissingReason::Failed);
    let text = &forged.findings[0].text;
    assert!(text.ends_with("it belongs to bob, and process 4242 in it to alice"), "{text}");
}

/// A host whose processes ttmem sees from a pid namespace with this number.
fn seen_from(host: Host, namespace: &str) -> ttmem_model::facts::Facts {
    let mut tree = host.into_tree();
    tree.put("/proc/self/ns/pid", Entry::Link(format!("pid:[{namespace}]")));
    collector(tree).facts()
}

#[test]
fn an_unseen_process_is_gone_only_in_the_initial_pid_namespace() {
    let id = fake::Host::n150().region_ids()[0];
    let dead = || {
        let segment = fake::segment::Segment::wormhole(77, 5, id);
        Host::n150().without_process(PID).segment_of(77, segment)
    };
    let is_left = |facts: &ttmem_model::facts::Facts| !crate::segments_left(facts).is_empty();
    assert!(is_left(&seen_from(dead(), "4026531836")));
    let inner = seen_from(dead(), "4026532999");
    assert!(!is_left(&inner));

    let exited = fake::segment::Segment::wormhole(77, 5, id);
    let exited = exited.state(ttmem_segment::AgentState::Exited);
    assert!(is_left(&seen_from(Host::n150().segment_of(77, exited), "4026532999")));

    // Process 77 in this namespace started at another tick than the one that the segment is of.
    let reused = dead().process(fake::Process::new(77, "cron"));
    assert!(!is_left(&seen_from(reused, "4026532999")));

    // No device is open outside the namespace: who wrote the region is gone wherever it ran.
    let stale = |facts| crate::merge(&facts, None).chips[0].memory.dram.stale.value().copied();
    assert_eq!(stale(inner), Some(BYTES.dram));
    assert_eq!(stale(seen_from(dead().outside(0, 1), "4026532999")), Some(0));
}

#[test]
fn who_holds_a_device_that_was_removed_has_not_ended() {
    let after = |target: &str| {
        let host = Host::n150().file("/proc/driver/tenstorrent/0/pids", Entry::file(""));
        let files = (4..8).map(|number| format!("/proc/{PID}/fd/{number}"));
        let link = |host: Host, file| host.file(file, Entry::Link(target.to_owned()));
        let snapshot = snapshot(files.fold(host, link).into_tree());
        let dram = &snapshot.chips[0].memory.dram;
        let figures = (dram.used.value().copied(), dram.stale.value().copied());
        (figures, snapshot.processes[0].state, finding_ids(&snapshot).join(" "))
    };
    let live = (Some(BYTES.dram), Some(0));
    // The driver empties the list before the name is gone; a later device has the number again.
    for target in ["/dev/tenstorrent/0 (deleted)", "/dev/tenstorrent/0"] {
        assert_eq!(after(target), (live, ProcessState::Live, String::new()), "{target}");
    }
    // Open files that are not shown prove nothing.
    let denied = Entry::Error(rustix::io::Errno::ACCESS);
    let host = Host::n150().file("/proc/driver/tenstorrent/0/pids", Entry::file(""));
    let snapshot = snapshot(host.file(format!("/proc/{PID}/fd"), denied).into_tree());
    assert_eq!(snapshot.processes[0].state, ProcessState::Live);
    let stale = (Some(0), Some(BYTES.dram));
    let other = after("/dev/null");
    assert_eq!(other, (stale, ProcessState::Stale, "stale-memory".to_owned()));
}

#[test]
fn odd_regions_that_can_be_read_are_right() {
    for name in [
        "long_region",
        "region_version_2",
        "region_version_4",
        "region_name_not_a_number",
        "region_from_the_future",
        "released_slot",
        "releasing_slot",
        "non_utf8_names",
        "empty_name",
        "control_characters_in_names",
        "totals_disagree",
        "container_with_own_shm",
        "container_on_the_hosts_shm",
        "docker_with_cgroup_v1",
        "podman_container",
        "containerd_container",
        "kubernetes_pod",
    ] {
        let snapshot = variant(name);
        assert_eq!(used(&snapshot.chips[0]), expected(BYTES), "{name}");
        assert_eq!(snapshot.processes.len(), 1, "{name}");
        assert_eq!(snapshot.processes[0].state, ProcessState::Live, "{name}");
        assert_eq!(held(&snapshot.processes[0]), expected(BYTES), "{name}");
    }
    assert_eq!(used(&variant("torn_region").chips[0])[0], Some(3 << 30));
    assert_eq!(finding_ids(&variant("totals_disagree")), ["totals-disagree"]);
    assert_eq!(finding_ids(&variant("full_region")), ["region-full"]);
}

#[test]
fn memory_of_an_ended_owner_is_stale_and_not_used() {
    for name in ["dead_owner", "reused_pid", "zombie_owner", "name_without_end"] {
        let snapshot = variant(name);
        let chip = &snapshot.chips[0];
        assert_eq!(used(chip), [Some(0); 4], "{name}");
        assert_eq!(chip.memory.dram.stale.value(), Some(&BYTES.dram), "{name}");
        assert_eq!(chip.memory.dram.stale.quality(), Some(Quality::Stale), "{name}");
        let process = &snapshot.processes[0];
        assert_eq!((process.pid, process.state), (Pid(PID), ProcessState::Stale), "{name}");
        assert_eq!(held(process), expected(BYTES), "{name}");
        assert_eq!(process.chips[0].memory.dram.quality(), Some(Quality::Stale), "{name}");
        assert!(finding_ids(&snapshot).contains(&"stale-memory"), "{name}");
    }
    let both = variant("dead_pids");
    assert_eq!(used(&both.chips[0]), expected(BYTES));
    assert_eq!(both.processes.len(), 2);
    assert_eq!(finding_ids(&both), ["opener-gone", "stale-memory"]);
}

#[test]
fn a_counter_that_cannot_be_is_refused_and_the_others_stand() {
    let wrapped = variant("counter_below_zero");
    assert_eq!(why(&wrapped.chips[0].memory.l1.used), MissingReason::Failed);
    assert_eq!(wrapped.chips[0].memory.dram.used.value(), Some(&BYTES.dram));
    assert_eq!(finding_ids(&wrapped), ["counter-wrapped"]);
    let above = variant("counters_above_capacity");
    assert_eq!(why(&above.processes[0].chips[0].memory.dram), MissingReason::Failed);
    assert_eq!(finding_ids(&above), ["counter-too-large"; 2]);
    assert_eq!(used(&variant("counters_at_maximum").chips[0]), [None; 4]);
}

#[test]
fn an_owner_outside_the_namespace_is_shown_as_such() {
    let snapshot = variant("outside_owner");
    let outside = snapshot.processes.last().unwrap();
    assert_eq!((outside.pid, outside.state), (Pid(0), ProcessState::OutsideNamespace));
    assert_eq!(why(&outside.chips[0].memory.dram), MissingReason::Denied);
    assert_eq!(snapshot.chips[0].owners.outside_namespace.value(), Some(&3));
    assert_eq!(finding_ids(&snapshot), ["owner-outside-namespace"]);
}

#[test]
fn a_slot_of_an_outside_owner_is_used_and_not_stale() {
    let mut tree = Host::n150().without_process(PID).into_tree();
    tree.put_line("/proc/driver/tenstorrent/0/pids", "0\n0");
    let snapshot = snapshot(tree);
    assert_eq!(used(&snapshot.chips[0]), expected(BYTES));
    assert_eq!(snapshot.processes.len(), 1);
    assert_eq!(snapshot.processes[0].state, ProcessState::OutsideNamespace);
}

#[test]
fn processes_of_containers_are_named_by_their_host_numbers() {
    let snapshot = variant("two_containers_with_pid_1");
    let pids: Vec<Pid> = snapshot.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [Pid(51234), Pid(51377)]);
    assert_eq!(used(&snapshot.chips[0])[0], Some(2 * BYTES.dram));
    assert!(snapshot.processes[0].container.as_deref().unwrap().starts_with("docker:"));
    assert!(snapshot.processes[1].container.as_deref().unwrap().starts_with("pod:"));
}

#[test]
fn tracking_that_is_switched_off_is_no_zero() {
    let snapshot = variant("tracking_disabled");
    assert_eq!(why(&snapshot.chips[0].memory.dram.used), MissingReason::NoSource);
    assert_eq!(finding_ids(&snapshot), ["tracking-disabled"]);
    // Beside a process that reports, the sum is not known either.
    let silent =
        fake::Process::new(4300, "python3").variable("TT_METAL_SHM_TRACKING_DISABLED", "1");
    let tree = Host::n150().process(silent).owner(0, 4300, 2).into_tree();
    let snapshot = self::snapshot(tree);
    assert_eq!(why(&snapshot.chips[0].memory.dram.used), MissingReason::NoSource);
    assert_eq!(held(&snapshot.processes[0]), expected(BYTES));
}

#[test]
fn a_chip_that_goes_away_is_an_error() {
    let expected = [
        ("chip_resets", "chip-answers-ones"),
        ("link_is_dead", "chip-answers-ones"),
        ("chip_unplugged", "chip-vanished"),
        ("telemetry_not_ready", "no-telemetry"),
    ];
    for (name, id) in expected {
        assert!(finding_ids(&variant(name)).contains(&id), "{name}");
    }
    let (_, tree) = fake::variants().into_iter().find(|(name, _)| *name == "reset_begins").unwrap();
    let mut collector = collector(tree);
    let before = collector.snapshot();
    assert!(before.findings.is_empty());
    let after = collector.snapshot();
    assert!(finding_ids(&after).contains(&"chip-answers-ones"));
    assert_eq!(after.chips[0].id, before.chips[0].id, "a reset does not rename the chip");
}

#[test]
fn chips_that_were_there_at_the_last_sample_are_missed() {
    let before = collector(Host::t3000().into_tree()).facts();
    let after = collector(Host::n300().into_tree()).facts();
    let snapshot = super::merge(&after, Some(&before));
    let texts: Vec<&str> = snapshot.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].contains("chip 1 was there"), "{texts:?}");
}

#[test]
fn a_region_without_a_driver_is_a_chip() {
    let snapshot = variant("region_without_driver");
    let chip = &snapshot.chips[0];
    assert_eq!(chip.region.as_ref().unwrap().joined_by, JoinedBy::Unmatched);
    assert_eq!(used(chip), expected(BYTES));
    assert_eq!(why(&chip.memory.dram.capacity), MissingReason::NoSource);
    assert_eq!((chip.arch, chip.remote), (None, false));
    assert_eq!(snapshot.sources[0].status, SourceStatus::Absent);
}

#[test]
fn rates_need_two_samples_whose_counters_rise() {
    use ttmem_model::Metric;
    let (_, tree) =
        fake::variants().into_iter().find(|(name, _)| *name == "pcie_counter_wraps").unwrap();
    let mut collector = collector(tree);
    let first = collector.snapshot();
    let rate = |snapshot: &Snapshot| snapshot.chips[0].telemetry[&Metric::PcieHostToDevice].clone();
    assert_eq!(rate(&first).missing().unwrap().reason, MissingReason::NotRead);
    let later = ttmem_model::Timestamp(fake::NOW.0 + 2_000_000);
    let second = collector.with_clock(Clock::Fixed(later)).snapshot();
    assert!(rate(&second).missing().unwrap().detail.contains("went back"));
}

#[test]
fn no_variant_gives_a_number_that_cannot_be() {
    for (name, tree) in fake::variants() {
        let snapshot = snapshot(tree);
        for chip in &snapshot.chips {
            for (kind, memory) in chip.memory.allocators() {
                let capacity = memory.capacity.value().copied().unwrap_or(1 << 40);
                assert!(
                    memory.used.value().is_none_or(|used| *used <= capacity),
                    "{name} {kind:?}"
                );
            }
        }
        let text = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot, "{name}");
    }
}

/// A host with the captured regions of `fixtures/shm/<name>` and no process.
fn captured(name: &str) -> Tree {
    let folder = format!("{}/../../fixtures/shm/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut tree = Tree::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        tree.put(format!("/dev/shm/{name}"), Entry::file(bytes));
    }
    tree
}

#[test]
fn captured_regions_of_living_processes_are_in_use() {
    let mut tree = captured("two_processes");
    for pid in [27496, 27497] {
        tree.put_line(format!("/proc/{pid}/comm"), "python");
    }
    let snapshot = snapshot(tree);
    assert!(snapshot.findings.is_empty(), "{:?}", snapshot.findings);
    let sum: u64 = snapshot.processes.iter().filter_map(|process| held(process)[0]).sum();
    assert_eq!(snapshot.chips[0].memory.dram.used.value(), Some(&sum));
    assert!(sum > 0);
}

proptest::proptest! {
    #[test]
    fn used_and_stale_add_up_to_the_slots(
        slots in proptest::collection::vec((0_u64..1 << 28, proptest::bool::ANY), 0..40),
    ) {
        let mut region = fake::Region::new(7).slot(99, "python", RegionBytes::default());
        let mut tree = Tree::new();
        tree.put_line("/proc/99/comm", "python");
        for (number, (dram, alive)) in slots.iter().enumerate() {
            let pid = 100 + i32::try_from(number).unwrap();
            region = region.slot(pid, "python", RegionBytes { dram: *dram, ..RegionBytes::default() });
            if *alive {
                tree.put_line(format!("/proc/{pid}/comm"), "python");
            }
        }
        tree.put(fake::region_path(7), Entry::file(region.image()));
        let snapshot = snapshot(tree);
        let sum = |alive: bool| slots.iter().filter(|slot| slot.1 == alive).map(|slot| slot.0).sum::<u64>();
        let memory = &snapshot.chips[0].memory.dram;
        proptest::prop_assert_eq!(memory.used.value(), Some(&sum(true)));
        proptest::prop_assert_eq!(memory.stale.value(), Some(&sum(false)));
    }
}

#[test]
fn processes_that_see_different_devices_do_not_mix_up_the_chips() {
    // One process made the regions and counts all four boards; another sees the third alone, as its device 0.
    let ids = Host::t3000().region_ids();
    let own = fake::Region::new(ids[2]).device_id(0);
    let own = own.slot(4243, "python3", BYTES).slot(PID, "python3", BYTES);
    let other = fake::Process::new(4243, "python3");
    let tree = Host::t3000().process(other).owner(2, 4243, 2).region(own).into_tree();
    let snapshot = snapshot(tree);
    let regions: Vec<u64> =
        snapshot.chips.iter().map(|chip| chip.region.as_ref().unwrap().id).collect();
    assert_eq!(regions, ids);
    assert_eq!(used(&snapshot.chips[2])[0], Some(2 * BYTES.dram));
}

#[test]
fn the_files_of_one_user_are_a_few_findings_and_change_no_figure() {
    let mut tree = fake::Host::n150().into_tree();
    let users = "alice:x:1000:1000::/:/bin/sh\neve:x:666:666::/:/bin/sh";
    tree.put_line("/etc/passwd", users);
    for number in 0..2000 {
        let entry = || Entry::File { bytes: b"x".to_vec(), uid: 666 };
        tree.put(format!("/dev/shm/tt_device_{}_memory", 1_000_000 + number), entry());
        tree.put(format!("/dev/shm/ttmem-{}-7", 1_000_000 + number), entry());
    }
    let flooded = snapshot(tree);
    let quiet = snapshot(fake::Host::n150().into_tree());
    assert_eq!(flooded.chips[0].memory, quiet.chips[0].memory);
    assert_eq!(flooded.processes, quiet.processes);
    let ids = finding_ids(&flooded);
    let of = |wanted: &str| ids.iter().filter(|id| **id == wanted).count();
    assert_eq!((of("region-unusable"), of("segment-unusable"), of("too-many")), (5, 5, 2));
    let texts: Vec<&str> = flooded.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts.contains(&"eve has 2000 agent segments in /dev/shm, of which ttmem reads 256"));
    assert!(texts.contains(&"252 more regions of eve are unusable"), "{texts:?}");
}
