//! Real captures against `expected.json`, the answer of an independent decoder: every field that it names, to the
//! byte. A field that this test does not know makes it fail.

use std::path::{Path, PathBuf};

use crate::l1::{Cost, Reader, names};
use crate::port::L1Port;
use crate::port::image::ImagePort;
use serde_json::{Value, json};
use ttmem_model::facts::{L1Content, L1Cost};
use ttmem_model::l1::report::{ChipReport, CoreReport, L1Report};
use ttmem_model::l1::{
    BankBuffers, Buffer, Buffers, ByteRange, CircularBuffer, Core, CoreState, Count, Grid,
    KernelNames, L1Map, RegionKind, StateTotals, Totals,
};

const CAPTURES: [&str; 43] = [
    "wormhole/idle",
    "wormhole/add",
    "wormhole/matmul",
    "wormhole/sharded_add",
    "blackhole/matmul",
    "blackhole/sharded_add",
    "wormhole-fast-dispatch/idle",
    "wormhole-fast-dispatch/add",
    "wormhole-fast-dispatch/matmul",
    "wormhole-fast-dispatch/gelu",
    "blackhole-ops/add",
    "blackhole-ops/argmax",
    "blackhole-ops/gelu",
    "blackhole-ops/matmul",
    "blackhole-ops/shard",
    "blackhole-ops/sharded_add",
    "blackhole-ops/softmax",
    "blackhole-two-chips/chip0",
    "blackhole-two-chips/chip1",
    "wormhole-fast-real/add",
    "wormhole-fast-real/matmul",
    "wormhole-fast-real/sdpa",
    "wormhole-large-ring/sharded_add",
    "wormhole-ops/add",
    "wormhole-ops/argmax",
    "wormhole-ops/concat",
    "wormhole-ops/gelu",
    "wormhole-ops/matmul",
    "wormhole-ops/shard",
    "wormhole-ops/sharded_add",
    "wormhole-ops/softmax",
    "wormhole-remote-cb/add",
    "wormhole-remote-cb/global_cb",
    "wormhole-remote-cb/prefetcher",
    "wormhole-slow-finished/argmax",
    "wormhole-slow-finished/sdpa",
    "wormhole-subdevice/cleared",
    "wormhole-subdevice/sub1_add",
    "wormhole-trace/after_trace_add",
    "wormhole-trace/trace_captured",
    "wormhole-trace/trace_replayed",
    "wormhole-trace/trace_replayed_again",
    "wormhole-two-queues/sharded_add",
];

/// The allocator sets L1 aside in multiples of this (0.81.1: a buffer of 4 bytes takes 32 of `total_bytes_allocated_per_bank`).
const ALLOCATION_UNIT: u64 = 32;

struct Capture {
    name: &'static str,
    expected: Value,
    buffers: Buffers,
    cores: Vec<(Core, L1Map)>,
    reader: Reader,
    cost: Cost,
    names: KernelNames,
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(name)
}

fn json(name: &str, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(directory(name).join(file)).unwrap()).unwrap()
}

/// The live buffers of one bank, as TT-Metal lists them.
fn live_buffers(name: &str, types: &[&str]) -> Vec<Buffer> {
    let truth = json(name, "truth.json");
    let of_types = |buffer: &&Value| types.iter().any(|kind| buffer["type"] == *kind);
    let buffer = |buffer: &Value| {
        let start = buffer["address"].as_u64().unwrap();
        let bytes = buffer["max_size_per_bank"].as_u64().unwrap();
        let range = ByteRange::new(start, start + bytes.next_multiple_of(ALLOCATION_UNIT));
        Buffer { range, label: String::new() }
    };
    truth["buffers"].as_array().unwrap().iter().filter(of_types).map(buffer).collect()
}

/// True if the decoder behind `expected.json` knows which cores are banks. It then takes the buffers from `truth.json`,
/// those of L1_SMALL too, and lists none.
fn knows_banks(expected: &Value) -> bool {
    expected["cores"][0].get("bank").is_some()
}

fn is_bank(expected: &Value, core: &Core) -> bool {
    let cores = expected["cores"].as_array().unwrap();
    let found = cores.iter().find(|expected| expected["noc"] == json!(core.noc)).unwrap();
    found.get("bank") != Some(&json!(false))
}

fn buffers(name: &str, expected: &Value) -> Buffers {
    let listed = |pair: &Value| Buffer {
        range: ByteRange::new(pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()),
        label: String::new(),
    };
    Buffers {
        l1_small_bytes: expected["l1_small_bytes_per_core"].as_u64().unwrap(),
        buffers: match knows_banks(expected) {
            true => live_buffers(name, &["BufferType.L1", "BufferType.L1_SMALL"]),
            false => expected["buffers"].as_array().unwrap().iter().map(listed).collect(),
        },
    }
}

fn read(name: &'static str) -> Capture {
    let expected = json(name, "expected.json");
    let buffers = buffers(name, &expected);
    let mut port = ImagePort::open(&directory(name)).unwrap().pop().unwrap();
    let mut reader = Reader::open(&mut port).unwrap();
    let (cores, cost) = reader.sample(&mut port).unwrap();
    let geometry = reader.geometry();
    let none = Buffers { l1_small_bytes: 0, buffers: Vec::new() };
    let cores = cores.into_iter().map(|core| {
        let content = if is_bank(&expected, &core) { &buffers } else { &none };
        let map = L1Map::new(&core, &geometry, Some(content));
        (core, map)
    });
    let cores = cores.collect();
    let names = names::parse(&std::fs::read(directory(name).join("kernels.yaml")).unwrap());
    Capture { name, expected, buffers, cores, reader, cost, names }
}

/// A circular buffer as `expected.json` has it, with a mark on a remote one instead of its configuration page.
fn circular_buffer(buffer: &CircularBuffer) -> Value {
    let mut value = json!(buffer);
    let fields = value.as_object_mut().unwrap();
    if fields.remove("config_address").is_some() {
        fields.insert("remote".to_owned(), json!(true));
    }
    value
}

/// Bytes of circular buffers on buffers of L1, and of L1_SMALL where the decoder behind `expected.json` knows those.
fn aliasing_bytes(map: &L1Map, expected: &Value) -> u64 {
    let counts = |kind: RegionKind| kind == RegionKind::L1 || knows_banks(expected);
    let shared = map.regions().iter().filter(|region| region.shared_with.is_some_and(counts));
    shared.map(|region| region.range.bytes()).sum()
}

/// The decoded value of each field of `expected.json`.
fn core_field(field: &str, expected: &Value, core: &Core, map: &L1Map, buffers: &Buffers) -> Value {
    let program = core.program.as_ref();
    let count = |count: Count| json!(count.value().unwrap());
    match field {
        "noc" => json!(core.noc),
        "logical" => json!(core.logical),
        "grid" => json!(core.grid),
        "signal" => json!(core.signal),
        "state" => json!(core.state),
        "dispatch" => json!(core.dispatch),
        "unreserved" => json!(core.unreserved),
        "program" => json!(program.map(|program| program.id)),
        "kernels" => {
            let kernels = program.iter().flat_map(|program| &program.kernels);
            kernels.map(|kernel| json!(kernel.id)).collect()
        }
        "kernel_text_bytes" => count(core.kernel_text_bytes()),
        "cbs" => {
            let buffers = program.iter().flat_map(|program| &program.circular_buffers);
            buffers.map(circular_buffer).collect()
        }
        "cb_bytes" => count(core.circular_buffer_bytes()),
        "buffer_bytes" => json!(buffers.ranges().bytes()),
        "used_bytes" => count(map.used_bytes().clone()),
        // An input: which cores hold the buffers.
        "bank" => expected.clone(),
        other => panic!("expected.json has a field that nothing compares: {other}"),
    }
}

fn totals_field(field: &str, totals: &StateTotals, aliasing: u64) -> Value {
    match field {
        "cores" => json!(totals.cores),
        "cb_bytes" => json!(totals.circular_buffer_bytes),
        "kernel_text_bytes" => json!(totals.kernel_text_bytes),
        "cb_aliasing_buffers" => json!(aliasing),
        other => panic!("expected.json has a total that nothing compares: {other}"),
    }
}

fn check_summary(capture: &Capture, summary: &Value) {
    let report = |(core, map): &(Core, L1Map)| CoreReport::new(core, map, &capture.names);
    let totals = Totals::of(&capture.cores.iter().map(report).collect::<Vec<_>>(), false);
    for (state, expected) in summary.as_object().unwrap() {
        let totals = match state.as_str() {
            "running" => &totals.running,
            "finished" => &totals.finished,
            "idle" => &totals.idle,
            other => panic!("expected.json has a state that nothing compares: {other}"),
        };
        let of_state = capture.cores.iter().filter(|(core, _)| json!(core.state) == **state);
        let aliasing = of_state.map(|(_, map)| aliasing_bytes(map, &capture.expected)).sum();
        for (field, expected) in expected.as_object().unwrap() {
            assert_eq!(
                &totals_field(field, totals, aliasing),
                expected,
                "{} {state} {field}",
                capture.name
            );
        }
    }
}

/// The buffers of a core: those of every bank, or none.
fn content_of<'a>(capture: &'a Capture, core: &Core) -> &'a Buffers {
    static NONE: Buffers = Buffers { l1_small_bytes: 0, buffers: Vec::new() };
    if is_bank(&capture.expected, core) { &capture.buffers } else { &NONE }
}

fn check_cores(capture: &Capture, expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(capture.cores.len(), expected.len(), "{}: cores", capture.name);
    for ((core, map), expected) in capture.cores.iter().zip(expected) {
        for (field, expected) in expected.as_object().unwrap() {
            let ours = match field.as_str() {
                "cb_aliasing_buffers" => json!(aliasing_bytes(map, &capture.expected)),
                _ => core_field(field, expected, core, map, content_of(capture, core)),
            };
            assert_eq!(&ours, expected, "{} core {:?} {field}", capture.name, core.noc);
        }
    }
}

#[test]
fn every_capture_agrees_with_the_independent_decoder_in_every_field() {
    for capture in CAPTURES.map(read) {
        let layout = capture.reader.layout();
        for (field, expected) in capture.expected.as_object().unwrap() {
            match field.as_str() {
                "arch" => assert_eq!(layout.arch.as_str(), expected.as_str().unwrap()),
                // The layout of some rings is that of several releases.
                "ttnn" => {
                    let newest = format!("{} (magic)", expected.as_str().unwrap());
                    assert!(layout.label.ends_with(&newest), "{}", layout.label);
                }
                "l1_bytes_per_core" => assert_eq!(&json!(layout.memory.l1_bytes), expected),
                "l1_small_bytes_per_core" => {
                    check_l1_small(&capture, layout.memory.l1_bytes - expected.as_u64().unwrap());
                }
                "buffers" => check_buffers(&capture, expected),
                "cores" => check_cores(&capture, expected),
                "summary" => check_summary(&capture, expected),
                other => panic!("expected.json has a field that nothing compares: {other}"),
            }
        }
    }
}

/// The region of L1_SMALL reaches from `start` to the end of L1, and nothing in it is free.
fn check_l1_small(capture: &Capture, start: u64) {
    for (_, map) in capture.cores.iter().filter(|(core, _)| is_bank(&capture.expected, core)) {
        let inside = map.regions().iter().filter(|region| region.range.end > start);
        let kinds: Vec<_> = inside.map(|region| (region.range.start, region.kind)).collect();
        assert_eq!(kinds[0].0, start, "{}: {kinds:?}", capture.name);
        let is_free = |(_, kind): &(u64, RegionKind)| *kind == RegionKind::Free;
        assert!(!kinds.iter().any(is_free), "{}: {kinds:?}", capture.name);
    }
}

/// The buffers are our input here; that they are the live buffers of L1 is TT-Metal's own word.
fn check_buffers(capture: &Capture, expected: &Value) {
    let live = live_buffers(capture.name, &["BufferType.L1"]);
    let live: ttmem_model::l1::RangeSet = live.into_iter().map(|buffer| buffer.range).collect();
    if !knows_banks(&capture.expected) {
        assert_eq!(live, capture.buffers.ranges(), "{}: {expected}", capture.name);
    }
    let bank = &json(capture.name, "truth.json")["memory_view"]["L1"];
    assert_eq!(json!(live.bytes()), bank["total_bytes_allocated_per_bank"], "{}", capture.name);
}

#[test]
fn a_sample_takes_three_reads_of_a_core_and_one_of_a_remote_buffer() {
    for capture in CAPTURES.map(read) {
        let busy = capture.cores.iter().filter(|(core, _)| core.program.is_some()).count();
        let idle = capture.cores.len() - busy;
        let programs = capture.cores.iter().filter_map(|(core, _)| core.program.as_ref());
        let buffers = programs.flat_map(|program| &program.circular_buffers);
        // A remote buffer has a configuration page of its own.
        let remote = buffers.filter(|buffer| buffer.config_address.is_some()).count();
        let most = u64::try_from(3 * busy + idle + remote).unwrap();
        assert!(capture.cost.reads <= most, "{}: {:?}", capture.name, capture.cost);
    }
}

/// A port that pays for each word, as a window over PCIe does.
struct ByWord(ImagePort);

impl L1Port for ByWord {
    fn chip(&self) -> &crate::port::PortChip {
        self.0.chip()
    }

    fn worthwhile_gap(&self) -> u64 {
        16
    }

    fn read(
        &mut self,
        core: ttmem_model::l1::Coordinate,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), crate::port::PortError> {
        self.0.read(core, address, buffer)
    }
}

#[test]
fn a_port_that_pays_by_the_word_gives_the_same_for_less_than_a_kilobyte_a_core() {
    for capture in CAPTURES.map(read) {
        let image = ImagePort::open(&directory(capture.name)).unwrap().pop().unwrap();
        let mut port = ByWord(image);
        let mut reader = Reader::open(&mut port).unwrap();
        let (cores, cost) = reader.sample(&mut port).unwrap();
        let ours: Vec<_> = capture.cores.iter().map(|(core, _)| core.clone()).collect();
        assert_eq!(cores, ours, "{}", capture.name);
        let bytes = cost.bytes / u64::try_from(cores.len()).unwrap();
        assert!(bytes <= 1024, "{}: {bytes} bytes a core", capture.name);
    }
}

#[test]
fn dispatch_kernels_are_the_systems_by_their_names() {
    let capture = read("wormhole-fast-dispatch/matmul");
    let system: Vec<_> = capture
        .cores
        .iter()
        .filter(|(core, _)| capture.names.is_system_core(core) == Some(true))
        .map(|(core, _)| (<[u8; 2]>::from(core.logical.unwrap()), core.state))
        .collect();
    assert_eq!(system, [([0, 8], CoreState::Running), ([1, 8], CoreState::Running)]);
    let cores = || capture.cores.iter().map(|(core, _)| core);
    assert_eq!(capture.names.system_text_bytes(cores()), Count::Known(48_096));
    assert!(KernelNames::default().system_text_bytes(cores()).value().is_none());
}

#[test]
fn the_map_says_whose_the_ring_is() {
    let capture = read("wormhole/matmul");
    let (core, map) = &capture.cores[0];
    let kinds: Vec<_> = map
        .regions()
        .iter()
        .filter(|region| region.range.start >= 35_168)
        .map(|region| (region.range.start, region.kind, region.label.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (35_168, RegionKind::KernelConfig, ""),
            (35_488, RegionKind::Kernels, "brisc"),
            (35_756, RegionKind::KernelConfig, ""),
            (35_760, RegionKind::Kernels, "ncrisc"),
            (36_028, RegionKind::KernelConfig, ""),
            (36_032, RegionKind::Kernels, "trisc0"),
            (36_300, RegionKind::KernelConfig, ""),
            (36_304, RegionKind::Kernels, "trisc1"),
            (36_572, RegionKind::KernelConfig, ""),
            (36_576, RegionKind::Kernels, "trisc2"),
            (36_844, RegionKind::KernelConfigFree, ""),
            (105_824, RegionKind::CircularBuffers, "0"),
            (138_592, RegionKind::CircularBuffers, "1"),
            (269_664, RegionKind::CircularBuffers, "2, 3"),
            (302_432, RegionKind::Free, ""),
            (1_449_984, RegionKind::L1, ""),
            (1_466_368, RegionKind::L1Small, ""),
        ]
    );
    assert_eq!(map.headroom(), Ok(1_449_984 - 302_432));
    assert_eq!(core.circular_buffer_bytes(), Count::Known(196_608));
}

#[test]
fn the_report_has_the_names_of_the_contract() {
    let capture = read("wormhole/matmul");
    let layout = capture.reader.layout();
    let content = L1Content {
        layout: layout.label.to_string(),
        geometry: capture.reader.geometry(),
        cores: capture.cores.iter().map(|(core, _)| core.clone()).collect(),
        other_cores: 8,
        cost: L1Cost::default(),
    };
    let grid = Grid { columns: 8, rows: 8 };
    let banks = BankBuffers { buffers: capture.buffers.clone(), grid };
    let names = Ok(capture.names.clone());
    let mut chip = ChipReport::new((None, layout.arch), &content, &names, Some(&banks));
    assert_eq!(
        (chip.cost, &chip.names),
        (Some(content.cost), &Some(Ok(capture.names.by_id.len())))
    );
    // The cost and the names are of this process alone.
    (chip.cost, chip.names) = (None, None);
    let report = L1Report::new(vec![chip]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["schema"], &json["version"]), (&json!("ttmem/l1"), &json!("1.2")));
    let chip = &json["chips"][0];
    assert_eq!(chip["layout"], "0.81.1 (magic)");
    assert_eq!((&chip["grid"], &chip["other_cores"]), (&json!([8, 10]), &json!(8)));
    assert_eq!(
        chip["totals"]["running"],
        json!({"cores": 64, "circular_buffer_bytes": 12_582_912, "kernel_text_bytes": 85_760,
               "aliasing_bytes": 0})
    );
    let core = &chip["cores"][0];
    assert_eq!(core["logical"], json!([0, 0]));
    assert_eq!(core["noc"], json!([1, 1]));
    assert_eq!(core["program"], 2);
    assert_eq!(
        core["kernels"][0],
        json!({"processor": "brisc", "id": 5, "text_bytes": 268, "system": false,
               "name": "reader_bmm_tile_layout_in1_sender_writer_padding_metal2",
               "operation": "matmul"})
    );
    assert_eq!(
        core["circular_buffers"][1],
        json!({"id": 1, "address": 138_592, "size": 131_072, "pages": 64, "page_size": 2048})
    );
    assert_eq!(core["circular_buffer_bytes"], 196_608);
    assert_eq!(core["kernel_text_bytes"], 1340);
    assert_eq!(
        core["regions"][1],
        json!({"start": 16, "end": 13_344, "kind": "reserved", "label": "mailbox"})
    );
    assert_eq!(serde_json::from_value::<L1Report>(json).unwrap(), report);
}
