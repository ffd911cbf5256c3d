//! A fleet: three hosts with `ttmem serve`, the real Prometheus with the files of contrib, the real VictoriaMetrics behind
//! it, and every expression of rules, alerts and dashboards compared with what the hosts' snapshots say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod expected;
mod network;
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment};
use ttmem_fake::{Board, Host, Process, Region, Telemetry};
use ttmem_model::board::Arch;
use ttmem_model::facts::RegionBytes;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind};

use expected::{Fleet, Rows, expected};
use network::{Network, Serving};
use stores::{Store, Stores, eventually};

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib")
}

/// True if the programs are installed; CI has them all. Else one line says what is missing.
fn installed(programs: &[(&str, &str)]) -> bool {
    let is_there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let missing = programs.iter().find(|(program, _)| !is_there(program));
    if let Some((program, package)) = missing {
        assert!(std::env::var_os("CI").is_none(), "CI installs the package {package}");
        say(&format!("passed over: {program} is not installed (apt-get install {package})"));
    }
    missing.is_none()
}

fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}

#[test]
fn rules_and_alerts_pass_their_tests() {
    if !installed(&[("promtool", "prometheus")]) {
        return;
    }
    let files: [&[&str]; 4] = [
        &["check", "rules", "rules.yml", "alerts.yml"],
        &["check", "config", "scrape.yml"],
        &["check", "config", "fleet.yml"],
        &["test", "rules", "tests.yml"],
    ];
    for arguments in files {
        let folder = contrib().join("prometheus");
        let output = Command::new("promtool").current_dir(folder).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
    let text =
        |file: &str| std::fs::read_to_string(contrib().join("prometheus").join(file)).unwrap();
    let tests = text("tests.yml");
    for name in text("alerts.yml").lines().filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name} has no test");
    }
}

#[test]
fn dashboards_are_what_their_script_writes_and_compose_mounts_them() {
    let script = contrib().join("../scripts/dashboards");
    let output = Command::new(script).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |file: &str| std::fs::read_to_string(contrib().join(file)).unwrap();
    let compose = text("compose/compose.yaml");
    for part in ["fleet.json", "host.json", "grafana/provisioning", "../prometheus:"] {
        assert!(compose.contains(part), "{part}");
    }
    for image in compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
        let (_, version) = image.rsplit_once(':').unwrap();
        assert!(version.contains('.'), "{image} is not pinned");
    }
    // The data source that dashboards use by default is the one that is provisioned.
    assert!(text("grafana/provisioning/datasources/prometheus.yml").contains("isDefault: true"));
    assert!(
        text("grafana/provisioning/dashboards/ttmem.yml").contains("/var/lib/grafana/dashboards")
    );
}

/// Every metric that contrib asks for is listed in docs/metrics.md.
#[test]
fn contrib_asks_for_metrics_that_there_are() {
    let known = std::fs::read_to_string(contrib().join("../docs/metrics.md")).unwrap();
    let files = [
        "grafana/fleet.json",
        "grafana/host.json",
        "prometheus/alerts.yml",
        "prometheus/rules.yml",
    ];
    for file in files {
        let text = std::fs::read_to_string(contrib().join(file)).unwrap();
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
        for name in text.split(|c| !is_name(c)).filter(|word| word.starts_with("tt_")) {
            assert!(known.contains(&format!("`{name}`")), "{file}: {name}");
        }
    }
}

/// Eight healthy chips.
fn healthy() -> Host {
    Host::t3000().name("a")
}

/// One chip: DRAM nearly full, too hot, little headroom, memory of a process that has ended.
fn strained() -> Host {
    let process = Process::new(ttmem_fake::PID, "python3");
    let process = process.slurm(4711).pod("team-a", "train-0");
    let started = process.start_ticks();
    let board = Board::n150();
    let [id] = *board.region_ids() else { unreachable!("an n150 is one chip") };
    let all = CoreRange { start: (0, 0), end: (7, 7) };
    // The tensor is at the top of L1, at 1,400,832; the circular buffer ends 8 KiB below.
    let program = NewProgram::new("Matmul").place(
        PartKind::CircularBuffer,
        105_824,
        1_400_832 - 8192 - 105_824,
        all,
    );
    let segment = Segment::wormhole(ttmem_fake::PID, started, id)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 1_050_000_000, "Embedding"))
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
        .program(&program)
        .dispatch(0)
        .counter(ttmem_segment::layout::Counter::ProgramsTracked, 1);
    let hot = Telemetry { temperature_mc: 76_000, ..Telemetry::busy(Arch::Wormhole) };
    let bytes = RegionBytes { dram: 12 * 1_050_000_000, l1: 64 * 65_536, ..RegionBytes::default() };
    let stale = RegionBytes { dram: 1 << 24, ..RegionBytes::default() };
    let region =
        Region::new(id).slot(ttmem_fake::PID, "python3", bytes).slot(4300, "python3", stale);
    Host::new()
        .name("b")
        .board(board.telemetry(hot))
        .process(process)
        .owner(0, ttmem_fake::PID, 1)
        .region(region)
        .segment_of(ttmem_fake::PID, segment)
}

/// One chip whose region cannot be true, and whose driver lists an opener that has ended.
fn wrong() -> Host {
    let board = Board::p150();
    let [id] = *board.region_ids() else { unreachable!("a p150 is one chip") };
    let process = Process::new(ttmem_fake::PID, "python3");
    let bytes = RegionBytes { dram: u64::MAX - 4095, ..RegionBytes::default() };
    let region = Region::new(id).slot(ttmem_fake::PID, "python3", bytes);
    let host = Host::new().name("c").board(board).process(process);
    host.owner(0, ttmem_fake::PID, 1).owner(0, 4301, 1).region(region)
}

#[test]
fn every_expression_returns_what_the_snapshots_say_and_a_host_that_dies_is_alerted() {
    if !installed(&[("prometheus", "prometheus"), ("victoria-metrics", "victoria-metrics")]) {
        return;
    }
    if network::enter(
        "every_expression_returns_what_the_snapshots_say_and_a_host_that_dies_is_alerted",
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new();
    let mut serving: Vec<Serving> = [healthy(), strained(), wrong()]
        .into_iter()
        .zip(1..)
        .map(|(host, number)| network.serve(folder.path(), host, number))
        .collect();
    let targets: Vec<String> = serving.iter().map(|host| host.target.clone()).collect();
    let stores = Stores::start(&network, folder.path(), &targets);
    let hosts = serving.iter().map(|host| (host.instance.clone(), host.snapshot())).collect();
    let fleet = Fleet { hosts };
    let expressions = expressions(&stores);
    let expected = expected(&fleet);
    let unknown: Vec<&String> =
        expressions.keys().filter(|name| !expected.contains_key(name.as_str())).collect();
    assert!(unknown.is_empty(), "what do these return? {unknown:?}");
    let unused: Vec<&&str> =
        expected.keys().filter(|name| !expressions.contains_key(**name)).collect();
    assert!(unused.is_empty(), "there is no such expression: {unused:?}");
    assert!(expressions.len() > 60);
    for store in [&stores.prometheus, &stores.victoria] {
        for (name, expr) in &expressions {
            let (labels, rows) = &expected[name.as_str()];
            eventually(&format!("{}: {name}: {expr}", store.name), || {
                compare(rows, &store.rows(expr, labels), name.contains("Age of"))
            });
        }
    }
    say(&format!("{} expressions, in Prometheus and VictoriaMetrics", expressions.len()));

    drop(serving.pop());
    let down = r#"ALERTS{alertname="TenstorrentHostDown",alertstate="firing"}"#;
    let dead = BTreeMap::from([(vec![fleet.hosts[2].0.clone()], 1.0)]);
    for store in [&stores.prometheus, &stores.victoria] {
        let said = format!("{}: the alert of the host that died", store.name);
        eventually(&said, || compare(&dead, &store.rows(down, &["instance"]), false));
        eventually(&format!("{}: the hosts that are left", store.name), || {
            let hosts = store.rows(r#"count(up{job="ttmem"} == 1)"#, &[]);
            compare(&BTreeMap::from([(Vec::new(), 2.0)]), &hosts, false)
        });
    }
}

/// Compares what is expected with what a store returned. An age may be off by ten seconds.
fn compare(expected: &Rows, found: &Rows, is_age: bool) -> Result<(), String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differs = |key: &&&Vec<String>| match (expected.get(**key), found.get(**key)) {
        (Some(a), Some(b)) if is_age => (a - b).abs() > 10.0,
        (Some(a), Some(b)) => (a - b).abs() > 1e-9 * a.abs().max(1.0),
        _ => true,
    };
    match keys.iter().find(differs) {
        None => Ok(()),
        Some(key) => Err(format!(
            "{key:?}: expected {:?}, found {:?}; {} rows expected, {} found",
            expected.get(*key),
            found.get(*key),
            expected.len(),
            found.len()
        )),
    }
}

/// Every expression of contrib by name: rules and alerts as Prometheus loaded them, those of dashboards by panel.
fn expressions(stores: &Stores) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for group in stores.prometheus.rules().as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            all.insert(text(&rule["name"]), text(&rule["query"]));
        }
    }
    for file in ["fleet", "host"] {
        let path = contrib().join(format!("grafana/{file}.json"));
        let dashboard: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let name = format!("{file}: {} {}", text(&panel["title"]), text(&target["refId"]));
                let expr = chosen(&text(&target["expr"]));
                assert_eq!(all.insert(name.clone(), expr), None, "{name}: two of the name");
            }
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap().iter().skip(1) {
            let query = text(&variable["query"]);
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (series, label) = inner.rsplit_once(", ").unwrap();
            let name = format!("{file}: ${}", text(&variable["name"]));
            all.insert(name, chosen(&format!("group by ({label}) ({series})")));
        }
    }
    all
}

/// An expression with every host and chip chosen.
fn chosen(expr: &str) -> String {
    let expr = expr.replace("$instance", ".*").replace("$chip", ".*");
    assert!(!expr.contains('$'), "{expr}");
    expr
}

/// Starts a program that says nothing.
fn silent(command: &mut Command) -> std::process::Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The rows of a store, by the values of the labels.
fn rows_of(result: &Value, labels: &[&str]) -> Rows {
    let row = |sample: &Value| {
        let label = |name: &&str| sample["metric"][*name].as_str().unwrap_or_default().to_owned();
        let value = sample["value"][1].as_str().unwrap().parse().unwrap();
        (labels.iter().map(label).collect(), value)
    };
    result.as_array().unwrap().iter().map(row).collect()
}

/// Asks a store in the manner of Grafana.
impl Store {
    fn rows(&self, expr: &str, labels: &[&str]) -> Rows {
        rows_of(&self.query(expr), labels)
    }
}
