//! `docs/snapshot.schema.json` and `docs/why.schema.json` are generated from the types; every snapshot and trace must fit.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use ttmem_fake as fake;
use ttmem_model::Snapshot;
use ttmem_model::trace::Trace;
use ttmem_root::{Clock, Root};
use ttmem_sources::{Collector, L1Request};

const FILE: &str = "docs/snapshot.schema.json";
const TRACES: &str = "docs/why.schema.json";

fn generated() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(Snapshot)).unwrap();
    schema["title"] = "ttmem/snapshot 2.0".into();
    schema["$id"] = "ttmem/snapshot".into();
    schema
}

#[test]
fn the_schema_files_are_what_the_types_say() {
    for (name, schema) in [(FILE, generated()), (TRACES, generated_of_traces())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        let is_same = file == text;
        assert!(is_same, "{name} is not what the types say: run this test with UPDATE_SCHEMA=1");
    }
}

/// The schema of `--why --json`.
fn generated_of_traces() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(Trace)).unwrap();
    schema["title"] = "ttmem/why 1.0".into();
    schema["$id"] = "ttmem/why".into();
    schema
}

#[test]
fn every_trace_fits_its_schema() {
    let validator = jsonschema::validator_for(&generated_of_traces()).unwrap();
    let program = env!("CARGO_BIN_EXE_ttmem");
    for path in [
        "chips.0.memory.dram.used",
        "chips.0.memory.l1.largest_free",
        "chips.0.telemetry.pcie_host_to_device_bytes_per_s",
        "processes.0.cpu_time_us",
        "time_us",
    ] {
        let arguments = ["--demo", "--json", "--why", path];
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
    }
    assert!(!validator.is_valid(&serde_json::json!({ "schema": "ttmem/why" })));
}

#[test]
fn every_snapshot_fits_the_schema() {
    let validator = jsonschema::validator_for(&generated()).unwrap();
    let hosts = fake::healthy().into_iter().chain(fake::variants());
    let snapshots = hosts.map(|(name, tree)| {
        let clock = Clock::Fixed(fake::NOW);
        (name, Collector::new(Root::memory(tree)).with_clock(clock).snapshot())
    });
    let l1 = L1Request { devices: true, ..L1Request::default() };
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1/wormhole/add");
    let more = [
        ("demo", Collector::demo()),
        ("demo with L1", Collector::demo().with_l1(l1.clone()).unwrap()),
        ("capture", Collector::capture(&capture, l1).unwrap()),
    ];
    let more = more.map(|(name, mut collector)| (name, collector.snapshot()));
    for (name, snapshot) in snapshots.chain(more) {
        let value = serde_json::to_value(&snapshot).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn a_reading_without_a_source_does_not_fit() {
    let validator = jsonschema::validator_for(&generated()).unwrap();
    let mut value = serde_json::to_value(Collector::demo().snapshot()).unwrap();
    assert!(validator.is_valid(&value));
    value["chips"][0]["worker_cores"] = serde_json::json!({ "value": 72 });
    assert!(!validator.is_valid(&value));
}
