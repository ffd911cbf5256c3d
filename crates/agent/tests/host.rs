//! The agent inside a C++ program with a made-up TT-Metal: everything that needs no Python.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "host/allocators.rs"]
mod allocators;
mod common;
#[path = "host/copies.rs"]
mod copies;
#[path = "host/harmless.rs"]
mod harmless;
#[path = "common/host.rs"]
mod program;
#[path = "host/programs.rs"]
mod programs;
#[path = "host/refused.rs"]
mod refused;
#[path = "host/stacks.rs"]
mod stacks;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use program::{Form, Host, SHM};
use ttmem_segment::{
    AgentState, Allocator, AllocatorKind, AllocatorRole, EventKind, Hook, NameSource, Origin,
    Segment,
};

fn mesh(segment: &Segment) -> &Allocator {
    let is_mesh = |allocator: &&Allocator| allocator.role == AllocatorRole::Mesh;
    segment.allocators.iter().rfind(is_mesh).unwrap()
}

/// Live bytes per bank of the mesh's allocator by kind, as the hooks counted.
fn live(segment: &Segment) -> [u64; 4] {
    mesh(segment).kinds.clone().map(|kind| kind.live_bytes)
}

/// Returns the live bytes from the table of buffers.
fn listed(segment: &Segment) -> [u64; 4] {
    let index = mesh(segment).index;
    AllocatorKind::ALL.map(|kind| {
        let is_of =
            |buffer: &&ttmem_segment::Buffer| buffer.kind == kind && buffer.allocator == index;
        segment.buffers.iter().filter(is_of).map(|buffer| buffer.bytes_per_bank).sum()
    })
}

fn assert_agreed(host: &mut Host) {
    let truth = host.statistics();
    let segment = host.settled();
    assert_eq!(live(&segment), truth, "counted");
    assert_eq!(listed(&segment), truth, "listed");
    let told = mesh(&segment).kinds.clone().map(|kind| kind.statistics.unwrap().allocated);
    assert_eq!(told, truth, "told by the allocator");
    let residuals = mesh(&segment).kinds.clone().map(|kind| kind.residual);
    assert_eq!(residuals, [Some(0); 4]);
    assert!(segment.losses.is_complete(), "{:?}", segment.losses);
    assert_eq!(segment.losses.torn, 0);
}

#[test]
fn what_lives_is_what_the_allocator_says_in_every_form_of_tt_metal() {
    for form in Form::ALL {
        let mut host = Host::start(form);
        host.tell("open 2 32768");
        assert_agreed(&mut host);
        for command in [
            "allocate a 0 2048 100",
            "allocate b 1 1024 640",
            "allocate c 3 64 64",
            "allocate d 4 32 24",
            "allocate e 0 17 1000",
            "free a",
            "allocate f 1 2048 3",
            // Three pages of 48 bytes a bank: the allocator takes 160.
            "allocate g 1 48 192",
            "free e",
            "free c",
        ] {
            host.tell(command);
            assert_agreed(&mut host);
        }
        let segment = host.segment();
        let kinds: Vec<AllocatorKind> = segment.buffers.iter().map(|buffer| buffer.kind).collect();
        let wanted =
            [AllocatorKind::L1, AllocatorKind::Trace, AllocatorKind::L1, AllocatorKind::L1];
        assert_eq!(kinds, wanted, "{form:?}");
        assert_eq!((segment.buffers[3].bytes_per_bank, segment.buffers[3].requested), (160, 9216));
        assert_eq!(segment.buffers[0].requested, 640 * 1024);
        assert_eq!(segment.buffers[0].page_bytes, 1024);
        assert_eq!(segment.buffers[0].thread, host.pid);
        let unique_ids: Vec<_> =
            segment.chips.iter().map(|chip| (chip.device, chip.unique_id)).collect();
        assert_eq!(unique_ids, [(0, Some(1000)), (1, Some(1001))]);
        assert_eq!(mesh(&segment).chips, [0, 1]);
        let devices =
            segment.allocators.iter().filter(|allocator| allocator.role == AllocatorRole::Device);
        assert_eq!(devices.map(|device| device.chips.clone()).collect::<Vec<_>>(), [[0], [1]]);

        let hook = if form == Form::Legacy { Hook::LegacyAllocate } else { Hook::Allocate };
        assert!(segment.header.hooks_resolved.contains(hook), "{form:?}");
        assert!(segment.header.hooks_called.contains(hook), "{form:?}");
        assert_eq!(segment.header.hooks_resolved.contains(Hook::Allocate), form != Form::Legacy);
        assert!(!segment.header.hooks_resolved.contains(Hook::AttachTensors), "the host has none");
    }
}

#[test]
fn peaks_tell_what_led_to_them() {
    let mut host = Host::start(Form::New);
    for command in ["open 1 0", "allocate a 0 2048 12", "op b", "free a", "allocate c 0 32 12"] {
        host.tell(command);
    }
    let segment = host.settled();
    let dram = mesh(&segment).kind(AllocatorKind::Dram);
    assert_eq!((dram.peak_bytes, dram.live_bytes), (4096, 2080));
    let peak = dram.peak.as_ref().unwrap();
    assert_eq!(&*peak.op.as_ref().unwrap().name, "Gelu");
    assert_eq!((peak.buffers, peak.thread), (2, host.pid));
    let event = segment.events.iter().find(|event| event.sequence == peak.event).unwrap();
    assert_eq!((event.kind, event.live_after), (EventKind::Allocate, 4096));

    assert_eq!(host.tell("query peak"), "24960 49152 0 0 0 0 0 0");
    assert_eq!(host.tell("query reset"), "24960 24960 0 0 0 0 0 0");
    // Who looks from outside still sees the highest, whatever the program resets.
    host.tell("allocate d 0 32 12");
    let again = host.settled();
    let after = mesh(&again).kind(AllocatorKind::Dram);
    assert_eq!((after.peak_bytes, &after.peak, after.live_bytes), (4096, &dram.peak, 2112));
    assert_eq!(host.tell("query reset"), "25344 25344 0 0 0 0 0 0");
    assert_eq!(mesh(&host.segment()).kind(AllocatorKind::Dram).peak, dram.peak);
}

#[test]
fn every_way_to_drop_all_buffers_is_seen() {
    for (how, hook) in [
        ("all", Hook::FreeAll),
        ("clear", Hook::Clear),
        ("override", Hook::OverrideState),
        ("destroy", Hook::DestroyAllocator),
    ] {
        let mut host = Host::start(Form::New);
        for command in
            ["open 1 32768", "allocate a 0 2048 12", "allocate b 1 2048 12", "allocate c 3 32 64"]
        {
            host.tell(command);
        }
        host.tell(&format!("free_all {how}"));
        let segment = host.settled();
        assert_eq!(live(&segment), [0; 4], "{how}");
        assert!(segment.buffers.is_empty(), "{how}");
        assert!(segment.header.hooks_called.contains(hook));
        assert_eq!(mesh(&segment).closed.is_some(), how == "destroy");
        assert!(segment.events.iter().any(|event| event.kind == EventKind::MassFree));
        assert!(mesh(&segment).kind(AllocatorKind::Dram).peak_bytes == 2048, "the peak stays");
    }
}

#[test]
fn threads_lose_nothing() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.tell("threads 8 5000");
    assert_agreed(&mut host);
    let segment = host.segment();
    assert_eq!(segment.buffers.len(), 8);
    let mut threads: Vec<u32> = segment.buffers.iter().map(|buffer| buffer.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), 8);
    // 4 events of opening, 8 times 5000 pairs, and what stays.
    let newest = segment.events.last().unwrap().sequence;
    assert_eq!(newest, 4 + 2 * 8 * 5000 + 8);
    assert_eq!(segment.events.len(), 65_536);
    assert_eq!(segment.losses.events_overwritten, newest - 65_536);
}

#[test]
fn buffers_of_sub_devices_are_their_meshs_chips() {
    for form in Form::ALL {
        let mut host = Host::start(form);
        host.tell("open 2 0");
        host.tell("sub_devices 2");
        let segment = host.settled();
        let [buffer] = &segment.buffers[..] else { panic!("{:?}", segment.buffers) };
        let is_its = |allocator: &&Allocator| allocator.index == buffer.allocator;
        let allocator = segment.allocators.iter().find(is_its).unwrap();
        assert_eq!(
            (allocator.role, &allocator.chips[..]),
            (AllocatorRole::SubDevice, &[0, 1][..]),
            "{form:?}"
        );
        assert_eq!(allocator.kind(AllocatorKind::L1).banks, 64, "{form:?}");
        assert_eq!(allocator.kind(AllocatorKind::L1).residual, Some(0), "{form:?}");
        assert_eq!(allocator.kind(AllocatorKind::Dram).statistics, None, "its DRAM was not seen");
        assert_eq!(live(&segment), [0; 4]);
    }
}

#[test]
fn kernels_and_traces_are_told_apart() {
    let mut host = Host::start(Form::New);
    for command in ["open 1 0", "kernels k", "trace t", "allocate a 0 2048 12"] {
        host.tell(command);
    }
    let segment = host.settled();
    let dram = mesh(&segment).kind(AllocatorKind::Dram);
    assert_eq!(
        (dram.kernel_bytes, dram.trace_bytes, dram.live_bytes),
        (4096, 8192, 4096 + 8192 + 2048)
    );
    let origins: Vec<Origin> = segment.buffers.iter().map(|buffer| buffer.origin).collect();
    assert_eq!(origins, [Origin::Kernels, Origin::Trace, Origin::Plain]);
    assert_eq!((segment.header.counts.binary_loads, segment.header.counts.traces_written), (1, 1));
    host.tell("free k");
    host.tell("free t");
    let segment = host.settled();
    let dram = mesh(&segment).kind(AllocatorKind::Dram);
    assert_eq!((dram.kernel_bytes, dram.trace_bytes, dram.live_bytes), (0, 0, 2048));
}

#[test]
fn an_op_or_a_context_gives_its_name() {
    let mut host = Host::start(Form::New);
    for command in [
        "open 1 0",
        "op a",
        "allocate b 0 32 12",
        "context ttnn.add c",
        "context ttnn.add d",
        "allocate e 0 32 12",
    ] {
        host.tell(command);
    }
    let segment = host.settled();
    let op = |index: usize| segment.buffers[index].op.as_ref().map(|op| (&*op.name, op.source));
    assert_eq!(op(0), Some(("Gelu", NameSource::CallSite)));
    assert_eq!(op(1), Some(("ttnn::create_device_tensor", NameSource::CallSite)));
    assert_eq!(op(2), Some(("ttnn.add", NameSource::Context)));
    assert_eq!(op(3), op(2));
    assert_eq!(op(4), op(1));
}

#[test]
fn a_forked_child_leaves_its_parents_segment_alone() {
    let mut host = Host::start(Form::New);
    for command in ["open 1 0", "allocate a 0 2048 12"] {
        host.tell(command);
    }
    let before = host.settled();
    let child: u32 = host.tell("fork").parse().unwrap();
    for command in ["allocate b 0 2048 24", "free a", "allocate c 1 1024 64", "threads 2 100"] {
        host.tell(command);
    }
    let own = common::settled_segment(Path::new(SHM), child);
    assert_eq!((own.header.pid, own.header.state), (child, AgentState::Recording));
    assert_eq!(own.losses.unknown_frees, 1, "`a` is its parent's");
    assert_eq!(own.buffers.len(), 4);
    let used = own.allocators[0].kind(AllocatorKind::L1);
    assert_eq!(
        (used.live_bytes, used.residual),
        (1024, Some(0)),
        "the child has a thread of its own"
    );
    host.send("exit 3");
    // The parent answers to `fork` when its child is gone.
    assert_eq!(host.read(), "");
    let after = host.segment();
    assert_eq!(after.buffers, before.buffers);
    assert_eq!(after.events, before.events);
    host.tell("free a");
    assert_eq!(live(&host.settled()), [0; 4]);
    let left = common::segment(Path::new(SHM), child);
    assert_eq!(left.header.state, AgentState::Exited);
    program::remove_segment(child);
}

#[test]
fn exec_starts_anew_in_the_same_place() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.tell("allocate a 0 2048 12");
    let before = common::segment_path(Path::new(SHM), host.pid).unwrap();
    host.send("exec");
    assert_eq!(host.read(), host.pid.to_string());
    host.tell("open 1 0");
    assert_eq!(common::segment_path(Path::new(SHM), host.pid).unwrap(), before);
    assert!(host.settled().buffers.is_empty());
    host.tell("allocate b 1 1024 64");
    assert_agreed(&mut host);
}

#[test]
fn after_sigkill_everything_is_still_there() {
    let mut host = Host::start(Form::New);
    for command in ["open 1 0", "allocate a 0 2048 12", "allocate b 1 1024 64", "free a"] {
        host.tell(command);
    }
    let before = host.settled();
    host.kill();
    let after = host.segment();
    assert_eq!(after, before);
    assert_eq!(after.header.state, AgentState::Recording, "there was no clean exit");
}

#[test]
fn an_end_in_order_is_noted_and_the_exit_code_is_the_programs() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.send("exit 7");
    assert_eq!(host.wait().code(), Some(7));
    assert_eq!(host.segment().header.state, AgentState::Exited);
}

#[test]
fn a_library_that_is_closed_and_loaded_again_goes_on() {
    let mut host = Host::start(Form::New);
    for command in
        ["open 1 0", "allocate a 0 2048 12", "close", "reload", "open 1 0", "allocate b 0 2048 24"]
    {
        host.tell(command);
    }
    assert_agreed(&mut host);
}

#[test]
fn devices_can_be_opened_more_often_than_there_are_entries() {
    let mut host = Host::start(Form::New);
    for _ in 0..100 {
        for command in ["open 2 0", "allocate a 0 2048 12", "close"] {
            host.tell(command);
        }
    }
    host.tell("open 2 0");
    host.tell("allocate a 0 2048 12");
    assert_agreed(&mut host);
    let segment = host.segment();
    assert_eq!((segment.allocators.len(), segment.allocators.last().unwrap().serial), (128, 303));
    assert_eq!(segment.chips.len(), 2);
}

#[test]
fn a_full_table_is_counted_and_the_sums_stay_right() {
    let mut host = Host::start_with(Form::New, |command| {
        command.env("LD_PRELOAD", common::library()).env("TTMEM_SEGMENT_MB", "1");
    });
    host.tell("open 1 0");
    for index in 0..5000 {
        host.tell(&format!("allocate b{index} 0 32 12"));
    }
    let segment = host.settled();
    assert_eq!(host.statistics(), live(&segment));
    assert_eq!(segment.buffers.len(), 2048);
    assert_eq!(segment.losses.buffers_dropped, 5000 - 2048);
    let dram = mesh(&segment).kind(AllocatorKind::Dram);
    assert_eq!((dram.unlisted_bytes, dram.unlisted_buffers), ((5000 - 2048) * 32, 5000 - 2048));
    assert!(!segment.losses.is_complete());
    for index in 0..5000 {
        host.tell(&format!("free b{index}"));
    }
    let segment = host.settled();
    assert_eq!((live(&segment), segment.buffers.len()), ([0; 4], 0));
    assert_eq!(
        (segment.losses.unknown_frees, mesh(&segment).kind(AllocatorKind::Dram).unlisted_bytes),
        (0, 0)
    );
}

#[test]
fn signal_handlers_that_allocate_do_no_harm() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.tell("signals 200000");
    let truth = host.statistics();
    let segment = host.settled();
    assert_eq!(live(&segment), truth);
    assert_eq!((segment.losses.torn, segment.losses.panics), (0, 0));
}

#[test]
fn statistics_are_current_within_100_ms_and_cost_nothing_after() {
    let mut host = Host::start(Form::New);
    host.tell("open 1 0");
    host.settled();
    let told =
        |segment: &Segment| mesh(segment).kind(AllocatorKind::Dram).statistics.unwrap().allocated;
    // The best of five: the machine may be busy.
    let mut ages = Vec::new();
    for round in 1..=5 {
        std::thread::sleep(Duration::from_millis(100));
        host.tell(&format!("allocate a{round} 0 2048 12"));
        let start = Instant::now();
        while told(&common::summary(Path::new(SHM), host.pid)) != round * 2048 {}
        ages.push(start.elapsed());
    }
    assert!(ages.iter().any(|age| *age < Duration::from_millis(100)), "{ages:?}");
    let switches = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", host.pid)).unwrap().flatten();
        let mut agents = tasks.filter(|task| {
            std::fs::read_to_string(task.path().join("comm")).unwrap().trim() == "ttmem-agent"
        });
        let status = std::fs::read_to_string(agents.next().unwrap().path().join("status")).unwrap();
        assert!(agents.next().is_none());
        status.lines().find(|line| line.starts_with("voluntary")).unwrap().to_owned()
    };
    std::thread::sleep(Duration::from_millis(250));
    let before = switches();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(switches(), before, "the thread sleeps while nothing happens");
}

#[test]
fn a_segment_is_for_its_owner_only_and_of_fixed_size() {
    let mut host = Host::start(Form::New);
    assert_eq!(
        common::segment_path(Path::new(SHM), host.pid),
        None,
        "nothing before the first call"
    );
    host.tell("open 1 0");
    let path = common::segment_path(Path::new(SHM), host.pid).unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    host.tell("threads 4 1000");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), metadata.len());
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid)).unwrap();
    let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    assert!(path.ends_with(format!("ttmem-{}-{start}", host.pid)));
    let header = host.segment().header;
    assert_eq!((header.start_ticks.to_string(), header.pid), (start, host.pid));
    assert_eq!(header.agent_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(header.build_id.len(), 20);
}

#[test]
fn without_room_for_a_segment_the_program_runs_as_ever() {
    // The shell sets a limit, then becomes the host.
    let mut host = Host::start_with(Form::New, |command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = std::process::Command::new("bash");
        limited
            .args(["-c", "ulimit -f 100; exec \"$@\"", "bash"])
            .arg(program)
            .args(arguments)
            .env("LD_PRELOAD", common::library())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        *command = limited;
    });
    host.tell("open 1 0");
    assert_eq!(host.tell("allocate a 0 2048 12"), "0");
    assert_eq!(host.statistics(), [2048, 0, 0, 0]);
    assert_eq!(common::segment_path(Path::new(SHM), host.pid), None);
}

#[test]
fn a_defect_of_the_agent_switches_it_off_and_the_program_goes_on() {
    let mut host = Host::start_with(Form::New, |command| {
        command.env("LD_PRELOAD", program::faulty_library()).env("TTMEM_AGENT_FAULT", "20");
        command.stderr(std::process::Stdio::piped());
    });
    host.tell("open 1 0");
    for index in 0..100 {
        assert_eq!(host.tell(&format!("allocate b{index} 0 2048 12")), "0");
    }
    host.tell("threads 4 100");
    let segment = host.segment();
    assert_eq!((segment.header.state, segment.losses.panics), (AgentState::Off, 1));
    assert!(segment.buffers.len() < 20);
    host.tell("close");
    host.send("exit 5");
    let (status, errors) = host.wait_with_errors();
    assert_eq!((status.code(), &*errors), (Some(5), ""), "it prints nothing");
}

#[test]
fn a_program_without_tt_metal_is_not_changed() {
    let run = |preload: Option<&Path>| {
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            "grep -E '^(Threads|SigBlk|SigCgt|SigIgn)' /proc/self/status; ls /proc/self/fd; ls /dev/shm/ttmem-$$-* 2>&1; \
             echo out; echo err >&2; exit 9",
        ]);
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let done = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(char::is_numeric, "");
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    assert_eq!(run(Some(common::library())), run(None));
}
