//! Snapshots made by hand, so that a test of an output depends on nothing but that output.

use std::collections::BTreeMap;

use ttmem_model::metric::Quantity;
use ttmem_model::snapshot::{
    AllocatorMemory, Chip, ChipMemory, CircularBufferMemory, Host, IdSource, KernelMemory, L1Total,
    Owners, PcieLink, Process, ProcessMemory, ProcessOnChip, ProcessState, ReservedMemory, SCHEMA,
    Snapshot, Source, SourceStatus, VERSION,
};
use ttmem_model::{
    Arch, ChipId, Finding, Metric, Missing, MissingReason, Pid, Quality, Reading, Severity,
    SourceName, Timestamp,
};

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// A host with the driver, the upstream regions, and these chips.
pub(crate) fn host(chips: Vec<Chip>) -> Snapshot {
    Snapshot {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: Timestamp(1_774_096_496_000_250),
        host: Host {
            name: Some("lab-07".to_owned()),
            kernel: Some("6.8.0".to_owned()),
            driver: Some("2.10.0".to_owned()),
            ttmem: "0.1.0".to_owned(),
        },
        demo: false,
        sources: vec![
            source(SourceName::Kmd, SourceStatus::Ok),
            source(SourceName::Upstream, SourceStatus::Ok),
            source(SourceName::L1, SourceStatus::NotRead),
        ],
        chips,
        processes: Vec::new(),
        findings: Vec::new(),
    }
}

pub(crate) fn source(name: SourceName, status: SourceStatus) -> Source {
    Source { name, status, detail: format!("{} as made", name.as_str()), cost_us: 120 }
}

pub(crate) fn upstream<T>(value: T) -> Reading<T> {
    Reading::new(value, SourceName::Upstream, Quality::Approximate)
}

fn kmd<T>(value: T) -> Reading<T> {
    Reading::exact(value, SourceName::Kmd)
}

fn stale(bytes: u64) -> Reading<u64> {
    Reading::new(bytes, SourceName::Upstream, Quality::Stale)
}

fn not_read() -> Reading<u64> {
    Missing::not_read("L1 was not read").into()
}

fn no_agent() -> Reading<u64> {
    Missing::no_source("only the agent knows").into()
}

fn allocator(used: u64, capacity: Reading<u64>) -> AllocatorMemory {
    AllocatorMemory {
        capacity,
        used: upstream(used),
        largest_free: no_agent(),
        banks: kmd(12),
        stale: stale(0),
        allocatable: no_agent(),
        fragmentation: Missing::no_source("only the agent knows").into(),
        upstream: None,
    }
}

/// A busy n150 as it is seen without the agent.
pub(crate) fn chip(index: u32) -> Chip {
    let l1 = kmd(72 * 1_499_136);
    Chip {
        id: ChipId::Known(0x2_6190_0000 + u64::from(index)),
        id_source: IdSource::Driver,
        index,
        arch: Some(Arch::Wormhole),
        board: Some("n150".to_owned()),
        serial: Some(format!("01000185119020{index:02}")),
        bdf: Some(format!("0000:{:02x}:00.0", index + 1)),
        remote: false,
        gateway: None,
        region: None,
        worker_cores: kmd(72),
        memory: ChipMemory {
            dram: allocator(4 * GIB + 200 * MIB, kmd(12 * GIB)),
            l1: allocator(12 * MIB, l1.clone()),
            l1_small: allocator(0, no_agent()),
            trace: allocator(0, no_agent()),
            circular_buffers: CircularBufferMemory {
                used: not_read(),
                running: not_read(),
                reported: Reading::new(864 * KIB, SourceName::Upstream, Quality::HighWater),
                aliasing: not_read(),
                headroom: not_read(),
            },
            kernels: KernelMemory { used: not_read(), running: not_read(), system: not_read() },
            reserved: ReservedMemory { used: not_read() },
            l1_total: L1Total { capacity: l1, used: not_read() },
        },
        telemetry: telemetry(),
        firmware: BTreeMap::from([("bundle".to_owned(), "19.4.2.0".to_owned())]),
        pcie: Some(PcieLink {
            current_speed_gts: kmd(Quantity(16.0)),
            max_speed_gts: kmd(Quantity(16.0)),
            current_width: kmd(8),
            max_width: kmd(16),
            numa_node: Missing::unsupported("one node").into(),
        }),
        owners: Owners { pids: vec![Pid(4242)], outside_namespace: kmd(0) },
        reasons: BTreeMap::new(),
    }
}

fn telemetry() -> BTreeMap<Metric, Reading<Quantity>> {
    let values = [
        (Metric::AsicTemperature, 61.0),
        (Metric::AsicTemperatureLimit, 75.0),
        (Metric::Power, 53.4),
        (Metric::PowerLimit, 85.0),
        (Metric::Voltage, 0.85),
        (Metric::AiClock, 1000.0),
    ];
    let mut telemetry: BTreeMap<_, _> =
        values.into_iter().map(|(metric, value)| (metric, kmd(Quantity(value)))).collect();
    telemetry.insert(Metric::Fan, Missing::unsupported("no fan").into());
    telemetry
}

/// The second chip of an n300: nothing of it is in sysfs.
pub(crate) fn remote_chip(index: u32, gateway: &Chip) -> Chip {
    let untold = || Missing::unsupported("not published for a remote chip");
    Chip {
        board: Some("n300".to_owned()),
        bdf: None,
        remote: true,
        gateway: Some(gateway.id),
        telemetry: Metric::ALL.iter().map(|metric| (*metric, untold().into())).collect(),
        firmware: BTreeMap::new(),
        pcie: None,
        owners: Owners { pids: Vec::new(), outside_namespace: untold().into() },
        ..chip(index)
    }
}

/// A Blackhole with unknown harvesting, and so with unknown L1.
pub(crate) fn blackhole(index: u32) -> Chip {
    let mut chip = chip(index);
    let untold = || Missing::unsupported("worker cores differ from board to board");
    chip.arch = Some(Arch::Blackhole);
    chip.board = Some("p150a".to_owned());
    chip.worker_cores = untold().into();
    chip.memory.dram.capacity = kmd(8 * 0xFF00_0000);
    chip.memory.l1.capacity = untold().into();
    chip.memory.l1_total.capacity = untold().into();
    chip.owners.pids = Vec::new();
    for memory in [&mut chip.memory.dram, &mut chip.memory.l1] {
        memory.used = upstream(0);
    }
    chip.memory.circular_buffers.reported = upstream(0);
    chip
}

/// A chip as the agent and a read of L1 show it: everything is known, and nearly full.
pub(crate) fn known_chip(index: u32) -> Chip {
    let mut chip = chip(index);
    let agent = |bytes| Reading::exact(bytes, SourceName::Agent);
    let l1 = |bytes| Reading::exact(bytes, SourceName::L1);
    let memory = &mut chip.memory;
    memory.dram.used = agent(11 * GIB + 900 * MIB);
    memory.dram.largest_free = agent(9 * MIB);
    memory.dram.allocatable = agent(12 * GIB - 96 * MIB);
    memory.dram.fragmentation = Reading::exact(Quantity(0.125), SourceName::Agent);
    memory.dram.upstream = Some(upstream(11 * GIB));
    memory.l1.used = agent(40 * MIB);
    memory.l1_small.used = agent(2 * MIB);
    memory.l1_small.capacity = agent(4 * MIB);
    memory.trace.used = agent(80 * MIB);
    memory.trace.capacity = agent(96 * MIB);
    memory.circular_buffers = CircularBufferMemory {
        used: l1(48 * MIB),
        running: l1(12 * MIB),
        reported: Reading::new(864 * KIB, SourceName::Upstream, Quality::HighWater),
        aliasing: l1(9 * MIB),
        headroom: agent(300 * KIB),
    };
    memory.kernels =
        KernelMemory { used: l1(900 * KIB), running: l1(300 * KIB), system: l1(47 * KIB) };
    memory.reserved.used = l1(7 * MIB);
    memory.l1_total.used = Reading::new(88 * MIB, SourceName::L1, Quality::Inferred).aged(1500);
    chip
}

/// A chip of which no number is known, for one reason.
pub(crate) fn blank_chip(index: u32, reason: MissingReason) -> Chip {
    let mut chip = chip(index);
    let missing = || Missing::new(reason, format!("made {}", reason.as_str()));
    let blank = || Reading::from(missing());
    let memory = &mut chip.memory;
    for kind in [&mut memory.dram, &mut memory.l1, &mut memory.l1_small, &mut memory.trace] {
        kind.used = blank();
        kind.stale = blank();
    }
    memory.dram.capacity = blank();
    memory.circular_buffers.used = blank();
    memory.circular_buffers.reported = blank();
    memory.kernels.used = blank();
    memory.l1_total.used = blank();
    chip.telemetry = Metric::ALL.iter().map(|metric| (*metric, missing().into())).collect();
    chip.firmware.clear();
    chip.owners = Owners { pids: Vec::new(), outside_namespace: blank() };
    chip
}

/// A living process that holds memory on these chips.
pub(crate) fn process(pid: i32, name: &str, chips: &[u32]) -> Process {
    Process {
        pid: Pid(pid),
        start_time: 9_513_000,
        name: name.to_owned(),
        command: format!("{name} --serve"),
        user: Some("alice".to_owned()),
        container: None,
        state: ProcessState::Live,
        cpu_time_us: kmd(87_600_000),
        host_memory_bytes: kmd(2 * GIB),
        chips: chips
            .iter()
            .map(|index| ProcessOnChip {
                chip: chip(*index).id,
                index: Some(*index),
                memory: ProcessMemory {
                    dram: upstream(4 * GIB + 200 * MIB),
                    l1: upstream(12 * MIB),
                    l1_small: upstream(64 * KIB),
                    trace: upstream(0),
                    circular_buffers_reported: Reading::new(
                        864 * KIB,
                        SourceName::Upstream,
                        Quality::HighWater,
                    ),
                    upstream: None,
                },
            })
            .collect(),
        rank: None,
        job: None,
        job_user: None,
        pod: None,
    }
}

/// A process that is gone, and whose bytes are still listed for these chips.
pub(crate) fn stale_process(pid: i32, name: &str, chips: &[u32]) -> Process {
    let mut process = Process {
        state: ProcessState::Stale,
        start_time: 0,
        command: String::new(),
        cpu_time_us: Missing::no_source("the process is gone").into(),
        host_memory_bytes: Missing::no_source("the process is gone").into(),
        ..process(pid, name, chips)
    };
    for on_chip in &mut process.chips {
        on_chip.memory.dram = stale(24 * MIB);
    }
    process
}

/// A process that only its open files tell of.
pub(crate) fn outside(chips: &[u32]) -> Process {
    let untold = || Missing::denied("outside this namespace");
    let mut process = Process {
        state: ProcessState::OutsideNamespace,
        start_time: 0,
        command: String::new(),
        user: None,
        cpu_time_us: untold().into(),
        host_memory_bytes: untold().into(),
        ..process(0, "", chips)
    };
    for on_chip in &mut process.chips {
        on_chip.memory = ProcessMemory {
            dram: untold().into(),
            l1: untold().into(),
            l1_small: untold().into(),
            trace: untold().into(),
            circular_buffers_reported: untold().into(),
            upstream: None,
        };
    }
    process
}

pub(crate) fn finding(severity: Severity, chip: Option<u32>, text: &str, remedy: &str) -> Finding {
    Finding {
        id: "made".to_owned(),
        severity,
        chip: chip.map(|index| self::chip(index).id),
        chip_index: chip,
        pid: None,
        text: text.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Nothing but a driver.
pub(crate) fn none() -> Snapshot {
    host(Vec::new())
}

/// One chip and its process.
pub(crate) fn one() -> Snapshot {
    Snapshot { processes: vec![process(4242, "python3", &[0])], ..host(vec![chip(0)]) }
}

/// Four chips on three boards, with everything that there can be.
pub(crate) fn four() -> Snapshot {
    let mut busy = chip(0);
    busy.memory.dram.stale = stale(24 * MIB);
    busy.memory.l1_small.used = upstream(64 * KIB);
    let mut gateway = known_chip(1);
    gateway.board = Some("n300".to_owned());
    gateway.owners.outside_namespace = kmd(2);
    let remote = remote_chip(3, &gateway);
    let mut server = process(41_377, "vllm-worker", &[1, 3]);
    server.container = Some("docker:3f2a9c1b2d4e5f60718293a4b5c6d7e8f9".to_owned());
    Snapshot {
        demo: true,
        processes: vec![
            process(4242, "python3", &[0]),
            stale_process(39_122, "python", &[0]),
            server,
            outside(&[1]),
        ],
        findings: vec![
            finding(
                Severity::Error,
                Some(1),
                "chip 1 is nearly full",
                "end what is not needed, or choose a smaller cache",
            ),
            finding(
                Severity::Warning,
                Some(0),
                "process 39122 (python) has ended; 24.0 MiB DRAM on chip 0 are stale",
                "the memory is free; only TT-Metal's bookkeeping still lists it",
            ),
            finding(Severity::Info, None, "tracking is off in one process", "switch it on"),
        ],
        ..host(vec![busy, gateway, blackhole(2), remote])
    }
}

/// `count` like chips with one process on all of them.
pub(crate) fn many(count: u32) -> Snapshot {
    let chips: Vec<Chip> = (0..count).map(chip).collect();
    let indexes: Vec<u32> = (0..count).collect();
    Snapshot { processes: vec![process(4242, "python3", &indexes)], ..host(chips) }
}

/// One chip for each reason that a number can be missing for.
pub(crate) fn reasons() -> Snapshot {
    let reasons = (0..).zip(MissingReason::ALL);
    host(reasons.map(|(index, reason)| blank_chip(index, reason)).collect())
}

/// Processes whose names no terminal should see as they are.
pub(crate) fn nasty_names() -> Snapshot {
    let names = [
        "",
        " ",
        "caf\u{fffd}\u{fffd} non-utf8",
        "\u{6a21}\u{578b}\u{670d}\u{52a1}\u{5668}\u{6a21}\u{578b}\u{670d}\u{52a1}\u{5668}\u{6a21}\u{578b}\u{670d}\u{52a1}",
        "\u{1f680}\u{1f468}\u{200d}\u{1f4bb} rocket\u{fe0f}",
        "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}",
        "two\nlines\tand\rmore",
        "right\u{202e}left",
        "quote\" and, comma",
    ];
    let mut processes: Vec<Process> =
        (100..).zip(names).map(|(pid, name)| process(pid, name, &[0])).collect();
    let long = "x".repeat(300);
    let mut last = stale_process(200, &long, &[0]);
    last.user = Some("a-user-with-a-long-name".to_owned());
    last.container = Some("pod:0123456789abcdef0123456789abcdef".to_owned());
    processes.push(last);
    Snapshot { processes, ..host(vec![chip(0)]) }
}
