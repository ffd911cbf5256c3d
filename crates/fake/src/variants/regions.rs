//! Memory regions that are damaged, foreign, old, or contradictory.

use rustix::io::Errno;
use ttmem_model::facts::RegionBytes;
use ttmem_model::id::Timestamp;

use super::N150;
use crate::{BYTES, Board, Host, NOW, PID, Process, Region, Slot, region_path};
use ttmem_root::{Entry, Tree};

/// Nanoseconds of [`NOW`].
const NOW_NS: u64 = NOW.0 * 1000;

/// The region of the n150 without a process.
fn empty() -> Region {
    Region::new(N150)
}

/// Returns the region of the n150 of the healthy host.
fn healthy() -> Region {
    empty().slot(PID, "python3", BYTES)
}

fn with_region(region: Region) -> Tree {
    Host::n150().region(region).into_tree()
}

fn with_entry(entry: Entry) -> Tree {
    Host::n150().file(region_path(N150), entry).into_tree()
}

/// Returns a region as a file of alice's.
fn image_of(region: &Region) -> Entry {
    Entry::File { bytes: region.image(), uid: 1000 }
}

/// Returns equal bytes for every kind.
fn of_every_kind(bytes: u64) -> RegionBytes {
    RegionBytes { dram: bytes, l1: bytes, l1_small: bytes, trace: bytes, circular_buffers: bytes }
}

/// The region cannot be opened: memory is denied, telemetry is there.
#[must_use]
pub fn unreadable_region() -> Tree {
    with_entry(Entry::Error(Errno::ACCESS))
}

/// Bob started first, so he owns the region and alice's process on the same chip could not write to it: memory is
/// denied, both processes are owners.
#[must_use]
pub(crate) fn region_of_another_user() -> Tree {
    let bob = Process::new(5151, "python3").uid(1001).private();
    Host::n150()
        .process(bob)
        .owner(0, 5151, 4)
        .file(region_path(N150), Entry::Error(Errno::ACCESS))
        .into_tree()
}

/// `/dev/shm` cannot be listed: memory is denied.
#[must_use]
pub(crate) fn unreadable_shm() -> Tree {
    Host::n150().file("/dev/shm", Entry::Error(Errno::ACCESS)).into_tree()
}

/// The region is one byte short: memory failed.
#[must_use]
pub(crate) fn short_region() -> Tree {
    with_region(healthy().truncate(Region::LENGTH - 1))
}

/// The region ends within the slots: memory failed.
#[must_use]
pub(crate) fn truncated_region() -> Tree {
    with_region(healthy().truncate(4000))
}

/// The region ends within its header, after the version: memory failed.
#[must_use]
pub(crate) fn truncated_header() -> Tree {
    with_region(healthy().truncate(12))
}

/// The region was created and has no size yet: memory failed.
#[must_use]
pub(crate) fn empty_region() -> Tree {
    with_region(healthy().truncate(0))
}

/// The region is followed by four MiB of zeros that must not be read: everything is right.
#[must_use]
pub(crate) fn long_region() -> Tree {
    with_region(healthy().truncate(Region::LENGTH + (4 << 20)))
}

/// The region changes between the first two reads and is stable from then on: 3 GiB of DRAM.
#[must_use]
pub(crate) fn torn_region() -> Tree {
    let of = |gibibytes: u64| {
        let bytes = RegionBytes { dram: gibibytes << 30, ..BYTES };
        image_of(&empty().slot(PID, "python3", bytes))
    };
    with_entry(Entry::changing(vec![of(1), of(3)]))
}

/// The region differs at each of 100 reads: memory failed.
#[must_use]
pub(crate) fn always_torn_region() -> Tree {
    let at_read = |read: u64| {
        let bytes = RegionBytes { dram: read << 20, ..BYTES };
        image_of(&empty().slot(PID, "python3", bytes))
    };
    with_entry(Entry::changing((1..=100).map(at_read).collect()))
}

/// The region is there once and gone at the second read: memory has no source.
#[must_use]
pub(crate) fn region_vanishes() -> Tree {
    with_entry(Entry::changing(vec![image_of(&healthy()), Entry::Error(Errno::NOENT)]))
}

/// A directory has the region's name: memory failed.
#[must_use]
pub(crate) fn region_is_a_directory() -> Tree {
    with_entry(Entry::Directory)
}

/// Version 1, which had another layout: memory is unsupported, with the version's number.
#[must_use]
pub(crate) fn region_version_1() -> Tree {
    with_region(healthy().version(1))
}

/// Version 2: everything is right.
#[must_use]
pub(crate) fn region_version_2() -> Tree {
    with_region(healthy().version(2))
}

/// Version 4, ready: everything is right.
#[must_use]
pub(crate) fn region_version_4() -> Tree {
    with_region(healthy().version(4))
}

/// Version 9, which is unknown: memory is unsupported, with the version's number.
#[must_use]
pub(crate) fn region_version_9() -> Tree {
    with_region(healthy().version(9))
}

/// Version 4, still being set up: memory failed.
#[must_use]
pub(crate) fn region_not_ready() -> Tree {
    with_region(healthy().version(4).init_state(1))
}

/// Four files that look like regions except for the number in their names: only the real one counts.
#[must_use]
pub(crate) fn region_name_not_a_number() -> Tree {
    let image = Region::new(7).slot(PID, "python3", of_every_kind(1 << 40)).image();
    ["", "abc", "-1", "99999999999999999999"]
        .into_iter()
        .fold(Host::n150(), |host, number| {
            let path = format!("/dev/shm/tt_device_{number}_memory");
            host.file(path, Entry::file(image.clone()))
        })
        .into_tree()
}

/// The header names another chip than the file name: the file name counts, as TT-Metal opens by it.
#[must_use]
pub(crate) fn region_id_differs_from_its_name() -> Tree {
    with_region(healthy().patch(32, 0xdead_beef_u64.to_le_bytes()))
}

/// A mock device without a driver: an unmatched chip that is known only from its region, id 0.
#[must_use]
pub fn region_without_driver() -> Tree {
    Host::new()
        .without_driver()
        .process(Process::new(PID, "python3"))
        .region(Region::new(0).slot(PID, "python3", BYTES))
        .into_tree()
}

/// The owner was killed: its bytes are stale, no process has the device open.
#[must_use]
pub(crate) fn dead_owner() -> Tree {
    Host::new().board(Board::n150()).region(healthy()).into_tree()
}

/// The owner was killed and its pid reused by a process that started ten seconds after the slot was last written: the
/// bytes are stale and not the new process's.
#[must_use]
pub(crate) fn reused_pid() -> Tree {
    let stranger =
        Process::new(PID, "make").command(&["make", "-j8"]).started(Timestamp(NOW.0 - 20_000_000));
    let slot = Slot::new(PID, "python3", BYTES).updated_ns(NOW_NS - 30_000_000_000);
    Host::new().board(Board::n150()).process(stranger).region(empty().with_slot(slot)).into_tree()
}

/// A second process exited cleanly: its slot has no pid but still a name. Nothing is stale.
#[must_use]
pub(crate) fn released_slot() -> Tree {
    with_region(healthy().slot(0, "python", RegionBytes::default()))
}

/// Version 4 is releasing a slot, pid −1: its bytes belong to no process and nothing is stale.
#[must_use]
pub(crate) fn releasing_slot() -> Tree {
    let region = healthy().version(4).slot(-1, "python", BYTES).totals(BYTES);
    with_region(region)
}

/// One process has two slots, one for each of two threads: it uses the sum.
#[must_use]
pub(crate) fn one_pid_in_two_slots() -> Tree {
    with_region(healthy().slot(PID, "python3", BYTES))
}

/// All 64 slots are taken by live processes of 16 MiB of DRAM each.
#[must_use]
pub(crate) fn full_region() -> Tree {
    let bytes = RegionBytes { dram: 16 << 20, ..RegionBytes::default() };
    let mut host = Host::new().board(Board::n150());
    let mut region = empty();
    for pid in 5000..5064 {
        host = host.process(Process::new(pid, "python3")).owner(0, pid, 2);
        region = region.slot(pid, "python3", bytes);
    }
    host.region(region).into_tree()
}

/// Every counter is 2^64 − 1: a finding, and no number above the capacity.
#[must_use]
pub(crate) fn counters_at_maximum() -> Tree {
    let most = of_every_kind(u64::MAX);
    with_region(empty().slot(PID, "python3", most).totals(most).chip_row(0, most))
}

/// More was freed than allocated on the writing thread: L1 is 4096 below zero. A finding, L1 failed, the rest right.
#[must_use]
pub fn counter_below_zero() -> Tree {
    with_region(empty().slot(PID, "python3", RegionBytes { l1: 4096_u64.wrapping_neg(), ..BYTES }))
}

/// One GiB more DRAM and one byte more L1 than the n150 has: a finding.
#[must_use]
pub(crate) fn counters_above_capacity() -> Tree {
    let bytes = RegionBytes { dram: 13 << 30, l1: 72 * 1_499_136 + 1, ..BYTES };
    with_region(empty().slot(PID, "python3", bytes))
}

/// The totals are double the only slot: a finding, and the sum of the processes is shown.
#[must_use]
pub(crate) fn totals_disagree() -> Tree {
    with_region(healthy().totals(RegionBytes { dram: 2 << 30, ..BYTES }))
}

/// The slot and the header were written two hours after now: an age of zero, no overflow.
#[must_use]
pub(crate) fn region_from_the_future() -> Tree {
    let slot = Slot::new(PID, "python3", BYTES).updated_ns(NOW_NS + 7_200_000_000_000);
    with_region(empty().with_slot(slot))
}

/// The names of the slot and of the process are not UTF-8: shown with replacement characters.
#[must_use]
pub(crate) fn non_utf8_names() -> Tree {
    let name = b"py\xff\xfethon\xc3";
    let process = Process::new(PID, name).command(&[&name[..], b"\x80\x81", b"run.py"]);
    Host::n150().process(process).region(empty().slot(PID, name, BYTES)).into_tree()
}

/// The slot has no name: the process's own is shown.
#[must_use]
pub(crate) fn empty_name() -> Tree {
    with_region(empty().slot(PID, "", BYTES))
}

/// The slot's name fills its 64 bytes without a terminator; the owner is dead, so that there is no other name.
#[must_use]
pub(crate) fn name_without_end() -> Tree {
    let region = empty().slot(PID, "n".repeat(64), BYTES);
    Host::new().board(Board::n150()).region(region).into_tree()
}

/// Names hold escape sequences that would clear a terminal, and line breaks: none reaches the output.
#[must_use]
pub fn control_characters_in_names() -> Tree {
    let name = "a\x1b[2J\r\n\tb";
    let process = Process::new(PID, name).command(&[name, "\x1b]0;title\x07", "x\ny"]);
    Host::n150().process(process).region(empty().slot(PID, name, BYTES)).into_tree()
}
