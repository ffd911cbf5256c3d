//! The host's hugepages, room in shared memory, and view of all processes.

use ttmem_model::Bytes;

use super::{Check, Inputs, count};
use ttmem_sources::source::process::{are_hidden, pids};
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

const HUGEPAGES: &str = "/sys/kernel/mm/hugepages/hugepages-1048576kB";
/// Upper bound of the pages of 1 GiB on a host: 64 PiB.
const MAX_PAGES: usize = 1 << 26;
/// Bytes that an agent reserves by default, and TT-Metal's own regions beside it.
const ROOM_FOR_AN_AGENT: u64 = 9 << 20;

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if !inputs.facts.devices.is_empty() {
        checks.push(hugepages(inputs));
    }
    checks.extend(memory(inputs));
    checks.extend(room(inputs));
    checks.push(processes(inputs));
    checks
}

/// Checks the pages of 1 GiB: without an IOMMU that translates, TT-Metal needs one for each device.
fn hugepages(inputs: &Inputs<'_>) -> Check {
    let devices = &inputs.facts.devices;
    let is_translated = |bdf: &Option<String>| {
        let group = bdf.as_ref().and_then(|bdf| {
            let link = inputs.root.link(&format!("/sys/bus/pci/devices/{bdf}/iommu_group")).ok()?;
            Some(link.file_name()?.to_string_lossy().into_owned())
        });
        let kind = group.and_then(|group| {
            inputs.root.read_text(&format!("/sys/kernel/iommu_groups/{group}/type")).ok()
        });
        kind.is_some_and(|kind| kind.starts_with("DMA"))
    };
    if devices.iter().all(|device| is_translated(&device.bdf)) {
        return Check::pass("hugepages", "not needed: an IOMMU translates for every device");
    }
    let unknown = |why: &str| {
        Check::warn("hugepages", format!("not known: {why}"), "run ttmem doctor on the host itself")
    };
    // None if the file has no number that can be. Where it is absent, the kernel has no pages of this size.
    let number = |name: &str| match inputs.root.read_text(&format!("{HUGEPAGES}/{name}")) {
        Err(error) if error.is_absent() => Some(0),
        text => text.ok()?.parse().ok().filter(|pages| *pages < MAX_PAGES),
    };
    if inputs.root.list("/sys/kernel/mm").is_err() {
        return unknown("this host's files have no /sys/kernel/mm");
    }
    let Some(all) = number("nr_hugepages") else {
        return unknown("nr_hugepages cannot be read as a number of pages");
    };
    if all >= devices.len() {
        let free = number("free_hugepages").filter(|free| *free <= all);
        let free = free.map(|free| format!(", {free} free")).unwrap_or_default();
        return Check::pass("hugepages", format!("{} of 1 GiB{free}", count(all, "page")));
    }
    Check::warn(
        "hugepages",
        format!("{} of 1 GiB for {}", count(all, "page"), count(devices.len(), "device")),
        "set them up as tt-system-tools does (hugepages-setup), or switch the IOMMU on",
    )
}

/// Host memory, and the part of it that hugepages reserve: no process gets that as ordinary memory.
fn memory(inputs: &Inputs<'_>) -> Option<Check> {
    let text = inputs.root.read_text("/proc/meminfo").ok()?;
    let bytes = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let all = bytes("MemTotal:")?;
    // Linux 4.18 and newer; hugepages of every size.
    let reserved = bytes("Hugetlb:").unwrap_or(0);
    let available = bytes("MemAvailable:").map(|bytes| format!(", {} available", Bytes(bytes)));
    let locked = locked_memory(inputs).map(|limit| format!("; limit of locked memory {limit}"));
    let text = format!(
        "{} of host memory, {} reserved by hugepages{}{}",
        Bytes(all),
        Bytes(reserved),
        available.unwrap_or_default(),
        locked.unwrap_or_default()
    );
    Some(if reserved > all / 2 {
        Check::warn(
            "host-memory",
            text,
            "reserve one page of 1 GiB for each device; without enough memory the kernel ends processes (exit code 137)",
        )
    } else {
        Check::pass("host-memory", text)
    })
}

/// The limit of locked memory of this process, which processes that it starts inherit.
fn locked_memory(inputs: &Inputs<'_>) -> Option<String> {
    let limits = inputs.root.read_text("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    let soft = line.split_whitespace().next()?;
    Some(soft.parse().map_or_else(|_| soft.to_owned(), |bytes| Bytes(bytes).to_string()))
}

fn room(inputs: &Inputs<'_>) -> Option<Check> {
    let free = inputs.root.free_bytes(SHARED_MEMORY)?;
    Some(if free < ROOM_FOR_AN_AGENT {
        Check::warn(
            "shared-memory",
            format!("{} free in {SHARED_MEMORY}: too little for an agent's segment", Bytes(free)),
            "mount it writable, give the container a larger one (--shm-size), or set TTMEM_SEGMENT_MB=1",
        )
    } else {
        Check::pass("shared-memory", format!("{} free in {SHARED_MEMORY}", Bytes(free)))
    })
}

fn processes(inputs: &Inputs<'_>) -> Check {
    if are_hidden(inputs.root) {
        return Check::warn(
            "processes",
            "procfs hides other users' processes (hidepid)",
            "run ttmem as root, or in the group that the mount option gid names",
        );
    }
    if pids(inputs.root).is_empty() {
        return Check::warn(
            "processes",
            "procfs shows no process at all, so owners cannot be named",
            "mount procfs at /proc; take a copy of a host with ttmem capture",
        );
    }
    Check::pass("processes", "procfs shows every process")
}
