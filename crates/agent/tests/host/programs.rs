//! Programs of the C++ host: what they place, when they run, what is resident.

use std::collections::BTreeMap;

use ttmem_segment::{
    Accessor, CoreRange, DispatchKind, Hook, PartKind, Programs, RefusalKind, Resident, Segment,
};
use ttmem_test_support::random::Random;

use crate::program::{Form, Host};

const BASE: u64 = 105_824;

/// The ranges that are in L1 of a core, by what the agent says.
fn resident(segment: &Segment, core: (u16, u16)) -> Vec<(u64, u64)> {
    match segment.programs.resident(0, core) {
        Resident::Footprint(footprint) => {
            let placements = footprint.placements_on(core).into_iter();
            placements.map(|placement| (placement.address, placement.bytes)).collect()
        }
        Resident::Nothing => Vec::new(),
        Resident::Unknown => panic!("{:?}", segment.programs.losses),
    }
}

fn open(form: Form) -> Host {
    let mut host = Host::start(form);
    host.tell("open 1 32768");
    host
}

#[test]
fn a_footprint_is_all_that_a_program_places() {
    for form in [Form::New, Form::Old] {
        let mut host = open(form);
        host.tell("allocate tensor 1 2048 64");
        host.tell("program p 1 2 3 4 5120 4096 d8192 @tensor 64 s96 s32");
        assert_eq!(host.tell("dispatch p"), "0");
        let segment = host.segment();
        let programs = &segment.programs;
        let footprint = &programs.footprints[0];
        let tensor = segment.buffers[0].address;
        let cores = CoreRange { start: (1, 2), end: (3, 4) };
        let placements = footprint.placements.iter();
        let placed: Vec<_> =
            placements.map(|it| (it.kind, it.address, it.bytes, it.is_backed, it.cores)).collect();
        let wanted = [
            (PartKind::CircularBuffer, BASE, 4096, false, cores),
            (PartKind::CircularBuffer, tensor, 2048, true, cores),
            (PartKind::CircularBuffer, BASE + 4096, 64, false, cores),
            (PartKind::DataflowBuffer, BASE + 4160, 8192, false, cores),
            (PartKind::Scratchpad, BASE + 12_352, 96, false, cores),
            (PartKind::Scratchpad, BASE + 12_448, 32, false, cores),
        ];
        assert_eq!(placed, wanted);
        assert_eq!(footprint.end_on((2, 3)), Some(BASE + 12_480));
        assert_eq!(footprint.circular_buffers_on((2, 3)).count(), 4);
        assert_eq!((footprint.program, footprint.config_bytes), (1, Some(5120)));
        assert_eq!(footprint.semaphore_bytes, None);
        assert!(!segment.header.accessors.contains(Accessor::SemaphoreSize), "that is why");
        assert_eq!((footprint.kernels.len(), footprint.kernel_text_on((1, 2))), (1, Some(268)));
        let kernel = footprint.kernels[0].name.as_deref().unwrap();
        assert_eq!(kernel, "a_kernel_with_a_name_longer_than_a_short_string_of_p");
        assert_eq!((&footprint.chips[..], footprint.dispatches), (&[0][..], 1));
        assert_eq!((footprint.lowest_l1, footprint.l1_bytes), (Some(tensor), 2048));
        assert_eq!(programs.dispatches[0].footprint, Some(0));
        assert_eq!(programs.dispatches[0].lowest_l1, Some(tensor));
        assert_eq!(segment.allocators[1].l1_size, Some(1_499_136));
        assert_eq!(
            (segment.allocators[1].l1_base, segment.allocators[1].grid),
            (Some(BASE), Some((8, 8)))
        );
        assert!(segment.header.hooks_called.contains(Hook::MarkAddress));
        assert_eq!(segment.losses.torn, 0);
        // The tensor, what is not its memory, and the kernel; on all cores 64 banks and 9 times the program.
        let (placed, text) = (4096 + 64 + 8192 + 96 + 32, 268);
        let (core, chip) = (2048 + placed + text, 64 * 2048 + 9 * (placed + text));
        assert_eq!(host.tell("query l1"), format!("{core} {chip}"));
        host.tell("query reset");
        assert_eq!(host.tell("query l1"), format!("2048 {}", 64 * 2048), "none ran since");
        host.tell("program q 1 2 3 4 5120 1024");
        host.tell("dispatch q");
        let core = 2048 + 1024 + text;
        assert_eq!(host.tell("query l1"), format!("{core} {}", 64 * 2048 + 9 * (1024 + text)));
        host.tell("dispatch p");

        host.tell("close");
        assert_eq!(resident(&host.segment(), (1, 2)), [], "the device is closed");
    }
}

#[test]
fn a_footprint_is_recorded_once_and_found_again() {
    let mut host = open(Form::New);
    for command in [
        "allocate a 1 2048 64",
        "allocate b 1 2048 64",
        "program p 0 0 7 7 64 4096 @a",
        "program q 0 0 7 7 64 4096",
    ] {
        host.tell(command);
    }
    for round in 0..20 {
        host.tell("dispatch p");
        host.tell("dispatch q");
        host.tell(["retarget p b", "retarget p a"][round % 2]);
    }
    let segment = host.segment();
    let programs = &segment.programs;
    let counts: Vec<u64> = programs.footprints.iter().map(|it| it.dispatches).collect();
    assert_eq!(counts, [10, 20, 10]);
    assert_eq!((programs.dispatched, programs.dispatches.len()), (40, 40));
    assert_eq!(programs.losses.unknown_dispatches, 0);

    // Another program that places the same is of the same footprint: without a program cache each op makes a new one.
    host.tell("destroy q");
    assert!(host.segment().programs.footprints[1].destroyed.is_some());
    host.tell("program q 0 0 7 7 64 4096");
    host.tell("dispatch q");
    let programs = host.segment().programs;
    assert_eq!((programs.footprints.len(), programs.footprints[1].dispatches), (3, 21));
    assert_eq!(programs.footprints[1].destroyed, None);
}

#[test]
fn what_is_resident_is_what_a_replay_of_all_dispatches_leaves() {
    let mut host = open(Form::New);
    let mut random = Random::new(42);
    let mut made: Vec<(CoreRange, Vec<(u64, u64)>)> = Vec::new();
    let mut model: BTreeMap<(u16, u16), Vec<(u64, u64)>> = BTreeMap::new();
    let mut counts: Vec<u64> = Vec::new();
    for _ in 0..400 {
        let index = if made.is_empty() || random.below(6) == 0 {
            let (x, y) = (random.below(8), random.below(8));
            let (right, low) = (x + random.below(8 - x), y + random.below(8 - y));
            let sizes: Vec<u64> =
                (0..random.below(5)).map(|_| 32 * (1 + random.below(100))).collect();
            let index = made.len();
            let words: Vec<String> = sizes.iter().map(u64::to_string).collect();
            host.tell(&format!("program p{index} {x} {y} {right} {low} 64 {}", words.join(" ")));
            let narrow = |number: u64| u16::try_from(number).unwrap();
            let range =
                CoreRange { start: (narrow(x), narrow(y)), end: (narrow(right), narrow(low)) };
            let mut next = BASE;
            let placed = sizes.iter().map(|bytes| {
                next += bytes;
                (next - bytes, *bytes)
            });
            made.push((range, placed.collect()));
            counts.push(0);
            index
        } else {
            usize::try_from(random.below(made.len() as u64)).unwrap()
        };
        assert_eq!(host.tell(&format!("dispatch p{index}")), "0");
        counts[index] += 1;
        let (range, placed) = &made[index];
        model.extend(range.cores().map(|core| (core, placed.clone())));
    }
    let segment = host.segment();
    for core in (0..8).flat_map(|y| (0..8).map(move |x| (x, y))) {
        let wanted = model.get(&core).cloned().unwrap_or_default();
        assert_eq!(resident(&segment, core), wanted, "core {core:?}");
    }
    let recorded: u64 = segment.programs.footprints.iter().map(|it| it.dispatches).sum();
    assert_eq!((recorded, segment.programs.dispatched), (400, 400));
    assert_eq!(segment.losses.torn, 0);
}

/// Programs with circular buffers that are tensors, tensors that change, traces and destroyed programs: on every core is what
/// the last program to run there placed at that moment.
#[test]
fn residents_follow_tensors_traces_and_destroyed_programs() {
    const SIDE: u64 = 8;
    let mut host = open(Form::New);
    host.tell("allocate a 1 2048 64");
    host.tell("allocate b 1 2048 64");
    let tensors: Vec<u64> = host.segment().buffers.iter().map(|buffer| buffer.address).collect();
    let mut random = Random::new(7);
    // Of each program: rectangle, bytes of its own circular buffer, and which tensor another one is.
    let mut made: Vec<([u64; 4], u64, usize)> = Vec::new();
    let mut model: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut runs = 0_u64;
    let make = |host: &mut Host,
                index: usize,
                ([x, y, right, low], bytes, tensor): ([u64; 4], u64, usize)| {
        let tensor = ["a", "b"][tensor];
        host.tell(&format!("program p{index} {x} {y} {right} {low} 64 {bytes} @{tensor}"));
    };
    let run = |model: &mut BTreeMap<(u64, u64), Vec<(u64, u64)>>,
               ([x, y, right, low], bytes, tensor): ([u64; 4], u64, usize)| {
        for core in (x..=right).flat_map(|x| (y..=low).map(move |y| (x, y))) {
            model.insert(core, vec![(BASE, bytes), (tensors[tensor], 2048)]);
        }
    };
    for step in 0..300 {
        let known = made.len() as u64;
        match random.below(8) {
            0 => {
                let (x, y) = (random.below(SIDE), random.below(SIDE));
                let corners = [x, y, x + random.below(SIDE - x), y + random.below(SIDE - y)];
                made.push((corners, 32 * (1 + random.below(100)), 0));
                make(&mut host, made.len() - 1, made[made.len() - 1]);
            }
            _ if known == 0 => {}
            1 => {
                let index = usize::try_from(random.below(known)).unwrap();
                made[index].2 = 1 - made[index].2;
                host.tell(&format!("retarget p{index} {}", ["a", "b"][made[index].2]));
            }
            2 => {
                let index = usize::try_from(random.below(known)).unwrap();
                host.tell(&format!("destroy p{index}"));
                make(&mut host, index, made[index]);
            }
            3 => {
                host.tell(&format!("tracing begin {step}"));
                let list: Vec<usize> =
                    (0..3).map(|_| usize::try_from(random.below(known)).unwrap()).collect();
                list.iter().for_each(|index| drop(host.tell(&format!("dispatch p{index}"))));
                host.tell(&format!("tracing end {step}"));
                for _ in 0..random.below(3) {
                    host.tell(&format!("tracing replay {step}"));
                    list.iter().for_each(|index| run(&mut model, made[*index]));
                    runs += 3;
                }
                host.tell(&format!("tracing release {step}"));
            }
            _ => {
                let index = usize::try_from(random.below(known)).unwrap();
                assert_eq!(host.tell(&format!("dispatch p{index}")), "0");
                run(&mut model, made[index]);
                runs += 1;
            }
        }
    }
    let segment = host.segment();
    for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
        let core = (u16::try_from(x).unwrap(), u16::try_from(y).unwrap());
        let wanted = model.get(&(x, y)).cloned().unwrap_or_default();
        assert_eq!(resident(&segment, core), wanted, "core {core:?}");
    }
    let recorded: u64 = segment.programs.footprints.iter().map(|it| it.dispatches).sum();
    assert_eq!((recorded, segment.programs.losses.unknown_dispatches), (runs, 0));
}

#[test]
fn a_trace_runs_its_programs_when_it_is_replayed() {
    let mut host = open(Form::New);
    for command in [
        "program a 0 0 3 3 64 1024",
        "program b 2 2 5 5 64 2048",
        "program c 0 0 7 7 64 512",
        "dispatch c",
        "tracing begin 7",
        "dispatch a",
        "dispatch b",
        "dispatch a",
        "tracing end 7",
    ] {
        host.tell(command);
    }
    let segment = host.segment();
    assert_eq!(resident(&segment, (2, 2)), [(BASE, 512)], "captured, not run");
    let trace = &segment.programs.traces[0];
    assert_eq!((trace.id, trace.queue, trace.dispatches), (7, Some(1), 3));
    assert_eq!(trace.footprints, [(2, 1), (1, 2)]);
    assert_eq!((trace.bytes, trace.bytes_per_bank), (12 * 1024, 1024));
    assert!(trace.ended.is_some() && trace.released.is_none());
    let kinds: Vec<_> = segment.programs.dispatches.iter().map(|it| it.kind).collect();
    assert_eq!(kinds[1..], [DispatchKind::Captured; 3]);

    host.tell("allocate x 0 2048 12");
    host.tell("tracing replay 7");
    let segment = host.segment();
    assert_eq!(resident(&segment, (2, 2)), [(BASE, 1024)]);
    assert_eq!(resident(&segment, (5, 5)), [(BASE, 2048)]);
    assert_eq!(resident(&segment, (7, 7)), [(BASE, 512)]);
    let counts: Vec<u64> = segment.programs.footprints.iter().map(|it| it.dispatches).collect();
    assert_eq!(counts, [1, 2, 1]);
    assert_eq!(segment.programs.dram_during_traces, (2048, 1));
    assert_eq!(segment.programs.trace_bytes_peak, 12 * 1024);

    host.tell("dispatch c");
    host.tell("tracing release 7");
    host.tell("allocate y 0 2048 12");
    let segment = host.segment();
    assert_eq!(resident(&segment, (2, 2)), [(BASE, 512)]);
    assert_eq!(segment.programs.traces[0].replays, 1);
    assert!(segment.programs.traces[0].released.is_some());
    assert_eq!(segment.programs.dram_during_traces, (2048, 1), "no trace is live");
}

fn refused(programs: &Programs) -> Vec<(RefusalKind, Option<u64>, Option<u64>)> {
    programs.refusals.iter().map(|it| (it.kind, it.end, it.limit)).collect()
}

#[test]
fn a_refused_program_is_recorded_with_what_was_in_its_way() {
    let mut host = open(Form::New);
    host.tell("allocate low 1 1048576 64");
    let lowest = host.segment().buffers[0].address;
    host.tell("program big 0 0 7 7 64 1024 600000");
    assert_eq!(host.tell("dispatch big"), "1");
    let segment = host.segment();
    let refusal = &segment.programs.refusals[0];
    assert_eq!(
        refused(&segment.programs),
        [(RefusalKind::Clash, Some(BASE + 601_024), Some(lowest))]
    );
    assert_eq!((refusal.part, refusal.program), (PartKind::CircularBuffer, 1));
    assert_eq!(refusal.cores, CoreRange { start: (0, 0), end: (7, 7) });
    let buffer = refusal.buffer.as_ref().unwrap();
    assert_eq!((buffer.address, buffer.bytes_per_bank), (lowest, 1_048_576));
    assert_eq!(buffer.sequence, segment.buffers[0].sequence);
    let footprint = segment.programs.footprint(refusal.footprint.unwrap()).unwrap();
    assert_eq!((footprint.dispatches, footprint.placements.len()), (0, 2));
    assert_eq!(resident(&segment, (0, 0)), []);

    host.tell("program beyond 0 0 7 7 64 d2000000");
    host.tell("program ring 0 0 7 7 80000 1024");
    for name in ["beyond", "ring"] {
        assert_eq!(host.tell(&format!("dispatch {name}")), "1");
    }
    let programs = host.segment().programs;
    let wanted = [
        (RefusalKind::Clash, Some(BASE + 601_024), Some(lowest)),
        (RefusalKind::BeyondL1, Some(BASE + 2_000_000), Some(1_499_136)),
        (RefusalKind::ConfigTooLarge, Some(80_000), Some(70_656)),
    ];
    assert_eq!(refused(&programs), wanted);
    let footprint = programs.footprint(programs.refusals[2].footprint.unwrap()).unwrap();
    assert_eq!((footprint.dispatches, footprint.placements.len()), (0, 1));
    assert_eq!(programs.refusals[1].part, PartKind::DataflowBuffer);

    // Once there is room, it runs.
    host.tell("free low");
    assert_eq!(host.tell("dispatch big"), "0");
    assert_eq!(resident(&host.segment(), (0, 0)), [(BASE, 1024), (BASE + 1024, 600_000)]);
}

#[test]
fn dispatches_of_several_threads_are_all_counted() {
    let mut host = open(Form::New);
    for thread in 0..4 {
        host.tell(&format!(
            "program thread{thread} {thread} 0 {thread} 7 64 {}",
            32 * (thread + 1)
        ));
    }
    host.tell("dispatch_threads 4 5000");
    let segment = host.segment();
    let counts: Vec<u64> = segment.programs.footprints.iter().map(|it| it.dispatches).collect();
    assert_eq!(counts, [5000; 4]);
    assert_eq!(segment.programs.dispatched, 20_000);
    for thread in 0..4 {
        assert_eq!(resident(&segment, (thread, 7)), [(BASE, 32 * u64::from(thread + 1))]);
    }
    assert_eq!(segment.losses.torn, 0);
}

#[test]
fn programs_are_known_after_others_that_were_announced_only() {
    let mut host = open(Form::New);
    for number in 0..100 {
        host.tell(&format!("program p{number} 0 0 7 7 64 {}", 32 * (number + 1)));
    }
    for number in 1..32 {
        host.tell(&format!("join p0 p{number}"));
    }
    for number in 32..100 {
        host.tell(&format!("announce p{number}"));
    }
    assert_eq!(host.tell("dispatch p0"), "0");
    let programs = host.segment().programs;
    assert_eq!((programs.dispatched, programs.losses.unknown_dispatches), (32, 0));
    assert_eq!(programs.footprints.len(), 32);
}

#[test]
fn what_does_not_fit_is_counted_and_nothing_is_guessed() {
    let mut host = Host::start_with(Form::New, |command| {
        command.env("LD_PRELOAD", crate::common::library()).env("TTMEM_SEGMENT_MB", "1");
    });
    host.tell("open 1 0");
    for number in 0..40 {
        host.tell(&format!("program p{number} 0 0 7 7 64 {}", 32 * (number + 1)));
        host.tell(&format!("dispatch p{number}"));
    }
    let programs = host.segment().programs;
    assert_eq!(programs.footprints.len(), 32);
    assert_eq!((programs.losses.footprints_dropped, programs.losses.unknown_dispatches), (8, 8));
    assert_eq!(programs.resident(0, (0, 0)), Resident::Unknown);
    host.tell("dispatch p3");
    assert_eq!(resident(&host.segment(), (0, 0)), [(BASE, 128)]);
}

#[test]
fn a_release_that_does_not_list_circular_buffers_has_no_footprints() {
    let mut host = open(Form::BeforeSpan);
    host.tell("program p 0 0 7 7 64 4096");
    host.tell("dispatch p");
    let segment = host.segment();
    assert!(!segment.header.accessors.contains(Accessor::CircularBuffers));
    assert_eq!((segment.programs.footprints.len(), segment.programs.dispatched), (0, 1));
    assert_eq!(segment.programs.resident(0, (0, 0)), Resident::Unknown);
    assert!(segment.unknown_programs().contains("0.72"), "{}", segment.unknown_programs());
}
