//! The driver, the user-mode driver and the memory of the host.

use super::{Advice, Figure, Fit, Verdict, advice, figure, size};
use crate::explain::message::{
    HostKilled, HostMemory, HugePageRegion, HugePages, LockWait, PinFailed, SysmemAddress,
    TlbWindows,
};
use crate::explain::units::{bytes, grouped};

fn verdict(title: String, meaning: String, figures: Vec<Figure>, advice: Vec<Advice>) -> Verdict {
    Verdict {
        title,
        meaning,
        fit: Fit::NotDeviceMemory,
        over: None,
        figures,
        advice,
        blockers: Vec::new(),
    }
}

/// `/dev/tenstorrent/16`, or the device in general.
fn node(device: Option<u64>) -> String {
    device.map_or("/dev/tenstorrent/N".to_owned(), |device| format!("/dev/tenstorrent/{device}"))
}

pub(super) fn windows(windows: &TlbWindows) -> Verdict {
    let node = node(windows.device);
    let number = windows.device.map_or("N".to_owned(), |device| device.to_string());
    let command = windows.device.map_or("ttmem".to_owned(), |_| format!("ttmem -i {node}"));
    let of_size = windows.size.map_or(String::new(), |size| format!(" of {}", bytes(size)));
    let error = windows.error.map(|error| match error {
        -12 => figure("driver's error", "-12 (ENOMEM): no window is free"),
        -22 => figure("driver's error", "-22 (EINVAL): the driver has no windows of this size"),
        other => figure("driver's error", other.to_string()),
    });
    let list = [
        windows.device.map(|_| figure("device", node.clone())),
        size("size of a window", windows.size),
        error,
    ];
    verdict(
        format!("No TLB window{of_size} is left on {}", windows.device.map_or("a device".to_owned(), |_| node.clone())),
        "TLB windows are the address windows through which processes reach a chip. The driver has a fixed number of them \
         for all processes (a Wormhole 156 of 1 MiB, a Blackhole 202 of 2 MiB), and all are taken, mostly by a process that \
         hangs or was left running. It is not about device memory: freeing tensors does not help."
            .to_owned(),
        list.into_iter().flatten().collect(),
        vec![
            advice(format!("Find the owners: `{command}` lists them. As root, /sys/kernel/debug/tenstorrent/{number}/mappings has a line TLB-alloc for each window with its process (tt-kmd 2.7 and newer)."), None),
            advice("End the process that hangs or is left over: its windows return when it ends.", None),
            advice("`tt-smi -r` alone returns windows only with tt-kmd 2.10.0 and newer.", None),
        ],
    )
}

pub(super) fn sysmem(address: &SysmemAddress) -> Verdict {
    let hex = |name, value: Option<u64>| value.map(|value| figure(name, format!("0x{value:x}")));
    let list = [hex("expected NOC address", address.expected), hex("NOC address", address.actual)];
    verdict(
        "Host memory is mapped at another NOC address than expected".to_owned(),
        "UMD maps host memory (sysmem) for each device at a fixed NOC address. Another process already has that address, \
         often one that was left over from an earlier run. It is not about device memory."
            .to_owned(),
        list.into_iter().flatten().collect(),
        vec![
            advice("End the other processes that have the device open: `ttmem` lists the owners of each chip, `ttmem doctor` the stale ones.", None),
            advice("If no process has it open, reset the device: `tt-smi -r`.", None),
        ],
    )
}

pub(super) fn pin(pin: &PinFailed) -> Verdict {
    let list = [
        size("to pin", pin.size),
        pin.device.map(|device| figure("device", format!("/dev/tenstorrent/{device}"))),
        pin.error.as_ref().map(|error| figure("system's error", error.clone())),
    ];
    let mut changes = vec![
        advice(
            "Raise the limit of locked memory (`ulimit -l unlimited`, LimitMEMLOCK=infinity, docker --ulimit memlock=-1).",
            None,
        ),
        advice(
            "With an IOMMU, the range must be free: end other processes that have the device open. Without one, only huge pages can be pinned: reserve 1 GiB pages (`ttmem doctor` counts them).",
            None,
        ),
        advice(
            "Check that the host has free memory: pinned pages cannot be swapped out.",
            pin.size,
        ),
    ];
    match pin.error.as_deref() {
        Some("Cannot allocate memory" | "-12") => changes.swap(1, 2),
        // Pages of the usual size are at one address for the device only behind an IOMMU.
        Some(error) if error.starts_with("IOMMU") => {
            changes = vec![advice(
                "Enable the IOMMU (in the firmware's settings, and intel_iommu=on or amd_iommu=on on the kernel's command line). Without it only a huge page can be mapped; `ttmem doctor` shows both.",
                None,
            )];
        }
        // The driver's own limits, which no setting of the system changes.
        Some(error) if error.starts_with("max_total_pin_size") || error.contains("allowed") => {
            changes = vec![advice(
                "Pin less: smaller rings, fewer sockets and fewer cores at once.",
                None,
            )];
        }
        _ => {}
    }
    verdict(
        "Host memory could not be pinned for a device".to_owned(),
        "A device reads and writes host memory only while its pages are pinned. The driver refused to pin them. It is about \
         the host's memory and limits, not about device memory."
            .to_owned(),
        list.into_iter().flatten().collect(),
        changes,
    )
}

pub(super) fn lock(wait: &LockWait) -> Verdict {
    let list = [
        wait.lock.as_ref().map(|lock| figure("lock", lock.clone())),
        wait.pid.map(|pid| {
            figure(
                "held by",
                match wait.tid {
                    Some(tid) => format!("process {pid}, thread {tid}"),
                    None => format!("process {pid}"),
                },
            )
        }),
    ];
    let holder = wait.pid.map_or("The holder".to_owned(), |pid| format!("Process {pid}"));
    let mut verdict = verdict(
        match (&wait.lock, wait.pid) {
            (Some(lock), Some(pid)) => format!("A process waits for the lock {lock}, held by process {pid}"),
            (Some(lock), None) => format!("A process waits for the lock {lock}"),
            _ => "A process waits for a lock of the user-mode driver".to_owned(),
        },
        "UMD lets one process at a time use a chip's shared resources. A short wait is normal; a long one means that the \
         holder hangs or keeps the chip. It is not about device memory."
            .to_owned(),
        list.into_iter().flatten().collect(),
        vec![
            advice(format!("{holder} has to finish or to be ended. `ttmem doctor` names the holder of each lock and whether another process waits."), None),
            advice("Process numbers in a container are those of the container: look there if no such process exists on the host.", None),
        ],
    );
    verdict.fit = Fit::Warning;
    verdict
}

pub(super) fn huge_pages(pages: &HugePages) -> Verdict {
    let list = [
        pages.pages.map(|have| figure("huge pages", grouped(have))),
        pages.needed.map(|needed| figure("needed", grouped(needed))),
    ];
    verdict(
        "The host has too few huge pages".to_owned(),
        "Without an IOMMU, a device exchanges data with the host through 1 GiB huge pages, one for each host memory channel. \
         They are reserved at boot and are not there, or not mounted. It is not about device memory."
            .to_owned(),
        list.into_iter().flatten().collect(),
        vec![
            advice("`ttmem doctor` shows how many huge pages the host has and uses. Reserve one 1 GiB page per channel and device (tt-system-tools sets them up at boot) and mount hugetlbfs at /dev/hugepages-1G.", None),
            advice("End processes that still hold huge pages: files in /dev/hugepages-1G belong to them.", None),
            advice("Or enable the IOMMU: huge pages are then not needed.", None),
        ],
    )
}

pub(super) fn huge_page_region(region: &HugePageRegion) -> Verdict {
    let list = [
        size("requested", region.requested),
        size("in use", region.used),
        size("size of the region", region.size),
    ];
    verdict(
        "The auxiliary region of a huge page is used up".to_owned(),
        "TT-Metal gives a part of each device's huge page, beside its command queues, to what exchanges data with the host: \
         sockets, streams, profilers. All of it is taken. It is host memory, not device memory."
            .to_owned(),
        list.into_iter().flatten().collect(),
        vec![
            advice("Use fewer or smaller host sockets and streams at once, or close those that are no longer needed.", None),
            advice("Turn off what also uses the region, such as profilers.", None),
        ],
    )
}

pub(super) fn killed(killed: &HostKilled) -> Verdict {
    let by = match killed.killer {
        Some(killer) => format!("{killer} ended it, before the kernel's OOM killer would"),
        None if killed.by_oom_killer => "The kernel's OOM killer ended it".to_owned(),
        None => "Exit code 137 is 128 + 9, SIGKILL; on such hosts mostly the kernel's OOM killer sends it".to_owned(),
    };
    verdict(
        match killed.by_oom_killer || killed.killer.is_some() {
            true if killed.killer == Some("Slurm") => {
                "A process was killed: its job exceeded its memory limit".to_owned()
            }
            true => "A process was killed: the host ran out of memory".to_owned(),
            false => "A process was killed by SIGKILL, probably because the host ran out of memory"
                .to_owned(),
        },
        format!(
            "{by}. It is about the host's memory, not the device's: loading weights, converting tensors and compiling need it. Huge pages of 1 GiB are reserved from the same memory and are lost to everything else."
        ),
        killed.pid.map(|pid| figure("process", pid.to_string())).into_iter().collect(),
        vec![
            match killed.killer {
                Some(killer) => advice(
                    format!(
                        "Its limit is a setting of {killer} ({}); raise it only if memory is left.",
                        match killer {
                            "Ray" => "RAY_memory_usage_threshold",
                            "Slurm" => "--mem or --mem-per-cpu of the job",
                            "systemd-oomd" => "ManagedOOMMemoryPressureLimit of the unit",
                            _ => "`earlyoom -m`",
                        }
                    ),
                    None,
                ),
                None => advice(
                    "Confirm it: `dmesg | grep -i oom`, or memory.events of the container's cgroup.",
                    None,
                ),
            },
            advice(
                "`ttmem run --report` shows the peak of host memory (VmHWM) of the process; `ttmem doctor` what huge pages reserve.",
                None,
            ),
            advice(
                "Load and convert weights one after the other, cache converted tensors on disk, or raise the container's memory limit.",
                None,
            ),
        ],
    )
}

pub(super) fn memory(memory: &HostMemory) -> Verdict {
    if memory.is_shared {
        return shared_memory();
    }
    verdict(
        "The host refused memory to the process".to_owned(),
        "An allocation of host memory failed: the host, the container or a limit of the process has no more. It is not \
         about device memory."
            .to_owned(),
        size("requested", memory.size).into_iter().collect(),
        vec![
            advice("Check free memory and limits: `free -h`, `ulimit -v`, the container's memory limit, and what 1 GiB huge pages reserve (`ttmem doctor`).", None),
            advice("Load and convert weights one after the other, or cache converted tensors on disk.", None),
        ],
    )
}

fn shared_memory() -> Verdict {
    verdict(
        "The processes of a data loader have no shared memory left".to_owned(),
        "Worker processes of a PyTorch DataLoader hand over tensors in /dev/shm, and it is full. A container has 64 MiB of it \
         unless more is set. It is not about device memory."
            .to_owned(),
        Vec::new(),
        vec![
            advice("Give the container more: `docker run --shm-size=8g` or --ipc=host; in Kubernetes, a volume emptyDir with medium: Memory at /dev/shm.", None),
            advice("Use fewer worker processes (num_workers=0 uses none), or a smaller batch.", None),
            advice("Remove what ended processes left there: `df -h /dev/shm` and `ls -l /dev/shm`.", None),
        ],
    )
}
