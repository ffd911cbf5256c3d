//! Messages of the driver, the user-mode driver, the kernel and launchers: about the host, not about device memory.

use crate::explain::form::Form;
use crate::explain::message::{
    HostKilled, HostMemory, HugePages, LockWait, Message, PinFailed, SysmemAddress,
};

pub(super) static FORMS: [Form; 17] = [
    Form::new(
        "sysmem|ysmem|NOC address of a hugepage",
        r"(?:Expected sysmem to be mapped at NOC address|[Ss]ysmem mapped at unexpected NOC address|NOC address of a hugepage does not match the expected address)",
        &[r" #expected#", r"(?:but it was mapped|mapped) at #actual#"],
        |values| {
            Some(Message::SysmemAddress(SysmemAddress {
                expected: values.number("expected"),
                actual: values.number("actual"),
            }))
        },
    ),
    Form::new(
        "pin pages|pinning pages|pin_user_pages|could only pin|alloc_chained_sgt",
        r"(?:Failed to pin pages for (?:DMA|hugepage)|Failed pinning pages|pin_user_pages_longterm failed:|could only pin #pinned# of #pages# pages|alloc_chained_sgt_for_pages failed for #entries# pages)",
        &[
            r"with size #size#",
            r"device ID: #device#",
            r"(?P<error>Cannot allocate memory|Invalid argument|Operation not permitted|Bad address|File exists|No such device|-\d+)",
        ],
        |values| {
            Some(Message::PinFailed(PinFailed {
                size: values.number("size"),
                device: values.number("device"),
                error: values.word("error"),
            }))
        },
    ),
    Form::new(
        "SysmemBuffer for|pinned memory|PinnedMemory has",
        r"(?:Failed to create SysmemBuffer for MMIO device|Failed to get NOC address for (?:[\w-]+ ){1,4}pinned memory|PinnedMemory has no NOC address)",
        &[],
        |_| Some(Message::PinFailed(PinFailed { size: None, device: None, error: None })),
    ),
    Form::new(
        "with IOMMU disabled",
        r"Cannot map buffer of size #size# to NOC with IOMMU disabled",
        &[],
        |values| {
            let error = Some("IOMMU disabled".to_owned());
            Some(Message::PinFailed(PinFailed { size: values.number("size"), device: None, error }))
        },
    ),
    Form::new(
        "an active IOMMU",
        r"pinning requires KMD [\d.]{1,12} or newer and an active IOMMU",
        &[],
        |_| {
            let error = Some("IOMMU disabled or driver too old".to_owned());
            Some(Message::PinFailed(PinFailed { size: None, device: None, error }))
        },
    ),
    Form::new(
        "RLIMIT_MEMLOCK",
        r"need #need# MiB pinned for #cores# cores but RLIMIT_MEMLOCK is #limit# MiB",
        &[],
        |values| {
            let size = values.number("need").and_then(|size| size.checked_mul(1 << 20));
            Some(Message::PinFailed(PinFailed {
                size,
                device: None,
                error: Some("RLIMIT_MEMLOCK".to_owned()),
            }))
        },
    ),
    Form::new(
        "aiting for",
        r"Waiting for (?:KMD )?lock '?(?P<lock>[A-Za-z0-9_./-]{1,80})'?(?: on [^ ,]{1,60})?,? which is currently held by",
        &[r"thread TID: #tid#", r"PID: #pid#"],
        |values| {
            Some(Message::LockWait(LockWait {
                lock: values.word("lock"),
                pid: values.number("pid"),
                tid: values.number("tid"),
            }))
        },
    ),
    Form::new(
        "NumHugepages|NumHostMemChannels",
        r"(?:Insufficient NumHugepages: #pages# should be at least NumMMIODevices: #needed#|NumHostMemChannels: #used# used for device_id: #id#(?: \S+){0,4} less than target: #target#)",
        &[],
        |values| {
            Some(Message::HugePages(HugePages {
                pages: values.number("pages").or(values.number("used")),
                needed: values.number("needed").or(values.number("target")),
            }))
        },
    ),
    Form::new(
        "ugepage|uge page",
        r"(?:Insufficient number of hugepages available(?:, expected one per device \(#needed#\) but have #pages#)?|Hugepages must be successfully initialized|no huge ?page mount found|Hugepages are not allocated|IOMMU is required for sysmem without hugepages|Mapping a hugepage failed|creating hugepage mapping file failed|could not open filename: \S{0,80}hugepage|Verify that enough hugepages)",
        &[],
        |values| {
            Some(Message::HugePages(HugePages {
                pages: values.number("pages"),
                needed: values.number("needed"),
            }))
        },
    ),
    Form::new(
        "Out of memory: Kill|oom-kill|Memory cgroup out of memory",
        r"(?:(?:Memory cgroup )?[Oo]ut of memory: Kill(?:ed)? process|oom-kill:)",
        &[r" #pid#"],
        |values| {
            Some(Message::HostKilled(HostKilled {
                by_oom_killer: true,
                killer: None,
                pid: values.number("pid"),
            }))
        },
    ),
    Form::new(
        "OOMKilled|OOM Killed|OOM killer|oom_kill event|: Out Of Memory",
        r#"(?:(?P<no>OOMKilled"?[:=] ?(?:false|0)\b)|OOMKilled|Detected \d+ oom[_-]kill event(?:.{0,100}? been OOM Killed)?|(?:have|has) been (?:OOM Killed|killed by the OOM killer)|\btasks? [\d,-]{1,80}: Out Of Memory)"#,
        &[],
        |values| {
            let killed = HostKilled { by_oom_killer: true, killer: None, pid: None };
            (!values.has("no")).then_some(Message::HostKilled(killed))
        },
    ),
    Form::new(
        "due to memory|low on memory|OutOfMemoryError|Ray killed|systemd-oomd|sending SIG|memory limit",
        r"(?:(?P<ray>ray\.exceptions\.OutOfMemoryError(?:: .{0,60}?killed due to the node running low on memory)?|[Ww]orkers? .{0,30}?killed due to memory pressure|killed due to the node running low on memory|Ray killed this worker)|(?P<oomd>Killed /.{1,250}? due to memory (?:pressure|used)|systemd-oomd killed \d+ process)|(?P<slurm>exceeded (?:virtual )?memory limit \(#used# ?> ?#allowed#\), being killed|Exceeded job memory limit(?P<once> at some point)?)|sending SIG(?:TERM|KILL) to process #pid#)",
        &[],
        |values| {
            let killers = [("ray", "Ray"), ("oomd", "systemd-oomd"), ("slurm", "Slurm")];
            let named = killers.iter().find(|(name, _)| values.has(name));
            let killer = named.map_or("earlyoom", |(_, killer)| killer);
            // A job that once reached its limit may have gone on.
            (!values.has("once")).then_some(Message::HostKilled(HostKilled {
                by_oom_killer: false,
                killer: Some(killer),
                pid: values.number("pid"),
            }))
        },
    ),
    Form::new(
        "137|SIGKILL|signal 9|Killed|-9|=9/KILL",
        r#"(?:exitcode[: ='-]{1,4}9\b(?:\)? .{0,24}?\(pid: #pid_of_rank#\))?|[Ee]xit(?:ed|s)?(?: with)?[ _]?(?:code|status|Code|Status)?"?[ :=]{1,3}(?:137|-9)\b|Exited \(137\) (?:Less than a|About an?|\d+) (?:second|minute|hour|day|week|month|year)s? ago|(?:returned a )?non-zero (?:exit \(|code: )137\b\)?|(?:died (?:with|from|by)|[Rr]eceived|killed by|terminated by|(?:with PID #pid# .{0,80}?)?exited on) (?:signal )?(?:SIGKILL|9\b|<Signals\.SIGKILL: 9>)|signal 9 \(Killed\)|\*\*\* \[[^\]]{1,200}\] Killed\b|(?P<killed>\d{1,9}) Killed +\S.{0,80}|[Pp]rocess completed with exit code 137|\*\*\* [^ ]{1,80}(?: [^ ]{1,80})? Error 137\b|code=killed, status=9/KILL|[Ww]orker \(pid:#pid_of_worker#\) was sent SIGKILL|\(pid #pid_of_loader#\) is killed by signal: Killed)"#,
        &[],
        |values| {
            let pid = ["killed", "pid", "pid_of_worker", "pid_of_loader", "pid_of_rank"]
                .iter()
                .find_map(|name| values.number(name));
            Some(Message::HostKilled(HostKilled { by_oom_killer: false, killer: None, pid }))
        },
    ),
    // What a traceback quotes from a program is no error.
    Form::new(
        "std::bad_alloc|MemoryError",
        r"(?P<code>(?:except|raises?|import|class|catch)[ (]+(?:[\w.:]+,? ){0,4}|`)?(?:std::bad_alloc|\bMemoryError\b)",
        &[],
        |values| (!values.has("code")).then_some(Message::HostMemory(HostMemory::default())),
    ),
    Form::new(
        "annot allocate memory|memory: you tried|memory allocation of|Unable to allocate|sysmem buffer of size|mmap failed|allocate host memory",
        r"(?:(?:\[Errno 12\]|fork:|[Uu]nable to mmap #mmap# bytes from file .{1,200}?:|[Ff]ailed to mmap .{1,200}?[:\x22]|\bmmap(?:\(\))? failed.{1,120}?:) \x22?Cannot allocate memory|Failed to allocate sysmem buffer of size #sysmem# bytes with mmap|mmap failed for \w{1,12} socket buffer \(#socket# ?B\)|(?:not enough|can't allocate) memory: you tried to allocate #size# bytes|memory allocation of #rust# bytes failed|Unable to allocate [\d.]+ [KMGT]iB for an array|Failed to allocate host memory)",
        &[],
        |values| {
            Some(Message::HostMemory(HostMemory {
                size: ["size", "rust", "sysmem", "mmap", "socket"]
                    .iter()
                    .find_map(|name| values.number(name)),
                is_shared: false,
            }))
        },
    ),
    Form::new(
        "shared memory",
        r"(?:This might be caused by insufficient shared memory \(shm\)|is killed by signal: Bus error\. It is possible that dataloader's workers are out of shared memory)",
        &[],
        |_| Some(Message::HostMemory(HostMemory { size: None, is_shared: true })),
    ),
    Form::new(
        "Failed to allocate memory for device/host shared buffer",
        r"Failed to allocate memory for device/host shared buffer",
        &[r"size: #size#"],
        |values| {
            let size = values.number("size");
            Some(Message::HostMemory(HostMemory { size, is_shared: false }))
        },
    ),
];
