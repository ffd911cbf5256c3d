//! Every snapshot and trace fits `docs/snapshot.schema.json` and `docs/why.schema.json`, which a test of `ttmem-model` compares
//! with the types.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use ttmem_fake as fake;
use ttmem_root::{Clock, Root};
use ttmem_sources::{Collector, L1Request};

/// The schema of `--json`.
const SNAPSHOTS: &str = "docs/snapshot.schema.json";
/// The schema of `--why --json`.
const TRACES: &str = "docs/why.schema.json";

/// A schema of `docs`.
struct Schema {
    all: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let text = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (mut all, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(name, text).unwrap();
        let index = compiler.compile(name, &mut all).unwrap();
        Self { all, index }
    }

    /// Says where a value does not fit.
    fn check(&self, value: &Value) -> Result<(), String> {
        self.all.validate(value, self.index).map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn every_trace_fits_its_schema() {
    let schema = Schema::read(TRACES);
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
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema.check(&value), Ok(()), "{path}");
    }
    assert!(schema.check(&serde_json::json!({ "schema": "ttmem/why" })).is_err());
}

#[test]
fn every_snapshot_fits_the_schema() {
    let schema = Schema::read(SNAPSHOTS);
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
        assert_eq!(schema.check(&value), Ok(()), "{name}");
    }
}

#[test]
fn a_reading_without_a_source_does_not_fit() {
    let schema = Schema::read(SNAPSHOTS);
    let mut value = serde_json::to_value(Collector::demo().snapshot()).unwrap();
    assert_eq!(schema.check(&value), Ok(()));
    value["chips"][0]["worker_cores"] = serde_json::json!({ "value": 72 });
    assert!(schema.check(&value).is_err());
}
