//! What every expression of contrib returns, from the snapshots of the hosts.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by those of the labels that an expression is compared by.
pub(crate) type Rows = BTreeMap<Vec<String>, f64>;

/// The hosts: the name that Prometheus gives each, and its snapshot.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<(String, Value)>,
}

const HOST: &[&str] = &["instance"];
const CHIP: &[&str] = &["instance", "index"];
const KIND: &[&str] = &["instance", "index", "type"];
const ALLOCATOR: [&str; 4] = ["dram", "l1", "l1_small", "trace"];
/// The kinds of memory: the name in a snapshot, and the label.
const KINDS: [(&str, &str); 7] = [
    ("dram", "dram"),
    ("l1", "l1"),
    ("l1_small", "l1_small"),
    ("trace", "trace"),
    ("circular_buffers", "cb"),
    ("kernels", "kernels"),
    ("reserved", "reserved"),
];

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of[key].as_array().unwrap().iter()
}

fn value(reading: &Value) -> Option<f64> {
    reading["value"].as_f64()
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

fn telemetry(chip: &Value, name: &str) -> Option<f64> {
    value(&chip["telemetry"][name])
}

fn used(chip: &Value, kind: &str) -> Option<f64> {
    value(&chip["memory"][kind]["used"])
}

fn capacity(chip: &Value, kind: &str) -> Option<f64> {
    value(&chip["memory"][kind]["capacity"])
}

/// The sum of what is known; `None` if nothing is.
fn sum(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    values.into_iter().flatten().reduce(|a, b| a + b)
}

fn dram(chip: &Value) -> Option<f64> {
    sum([used(chip, "dram"), used(chip, "trace")])
}

fn l1(chip: &Value) -> Option<f64> {
    sum([used(chip, "l1"), used(chip, "l1_small")])
}

fn share(used: Option<f64>, capacity: Option<f64>) -> Option<f64> {
    Some(used? / capacity?)
}

fn stale(chip: &Value) -> Option<f64> {
    sum(ALLOCATOR.map(|kind| value(&chip["memory"][kind]["stale"])))
}

fn margin(chip: &Value) -> Option<f64> {
    let limit = telemetry(chip, "asic_temperature_limit_c")?;
    Some(limit - telemetry(chip, "asic_temperature_c")?)
}

/// The processes that have a chip open; `None` of a chip without a device node.
fn owners(chip: &Value) -> Option<f64> {
    let count = |key: &str| chip["owners"][key].as_array().map_or(0, Vec::len);
    chip["bdf"].as_str().map(|_| count("pids") as f64)
}

impl Fleet {
    fn chips(&self, of: impl Fn(&Value) -> Option<f64>) -> Rows {
        self.rows(|chip, _| vec![(Vec::new(), of(chip))])
    }

    /// Rows of each chip, with the values of further labels.
    fn rows(&self, of: impl Fn(&Value, &Value) -> Vec<(Vec<&'static str>, Option<f64>)>) -> Rows {
        let mut rows = Rows::new();
        for (instance, host) in &self.hosts {
            for chip in list(host, "chips") {
                for (more, value) in of(chip, host) {
                    let Some(value) = value else { continue };
                    let labels = [instance.clone(), chip["index"].to_string()];
                    rows.insert(
                        labels.into_iter().chain(more.into_iter().map(str::to_owned)).collect(),
                        value,
                    );
                }
            }
        }
        rows
    }

    fn hosts(&self, of: impl Fn(&Value) -> Option<f64>) -> Rows {
        let rows = self.hosts.iter();
        rows.filter_map(|(instance, host)| Some((vec![instance.clone()], of(host)?))).collect()
    }

    /// The sum over the chips of each host.
    fn sums(&self, of: impl Fn(&Value) -> Option<f64>) -> Rows {
        self.hosts(|host| sum(list(host, "chips").map(&of)))
    }

    /// The sum over all chips, as one row.
    fn total(&self, of: impl Fn(&Value) -> Option<f64>) -> Rows {
        let chips = self.hosts.iter().flat_map(|(_, host)| list(host, "chips"));
        sum(chips.map(of)).map(|total| (Vec::new(), total)).into_iter().collect()
    }

    fn used_of(&self, kinds: &[(&'static str, &'static str)]) -> Rows {
        self.rows(|chip, _| {
            kinds.iter().map(|(kind, label)| (vec![*label], used(chip, kind))).collect()
        })
    }

    fn findings(&self, is_wanted: impl Fn(&Value) -> bool) -> Rows {
        let mut rows = Rows::new();
        for (instance, host) in &self.hosts {
            for finding in list(host, "findings").filter(|finding| is_wanted(finding)) {
                rows.insert(vec![instance.clone(), text(finding, "id")], 1.0);
            }
        }
        rows
    }

    /// Bytes of each process: instance, pid, name, state; with its user if `with_user` is set.
    fn processes(&self, with_user: bool) -> Rows {
        let mut rows = Rows::new();
        for (instance, host) in &self.hosts {
            for process in list(host, "processes") {
                let bytes = list(process, "chips")
                    .flat_map(|chip| ALLOCATOR.map(|kind| value(&chip["memory"][kind])));
                let Some(bytes) = sum(bytes) else { continue };
                let pid = process["pid"].to_string();
                let mut labels =
                    vec![instance.clone(), pid, text(process, "name"), text(process, "state")];
                labels.extend(with_user.then(|| text(process, "user")));
                rows.insert(labels, bytes);
            }
        }
        rows
    }
}

/// The value of every expression: the labels that it is compared by, and the rows.
pub(crate) fn expected(fleet: &Fleet) -> BTreeMap<&'static str, (&'static [&'static str], Rows)> {
    let mut all = rules(fleet);
    all.extend(alerts(fleet));
    all.extend(fleet_dashboard(fleet));
    all.extend(host_dashboard(fleet));
    all
}

type Entry = (&'static str, (&'static [&'static str], Rows));

fn count(host: &Value) -> Option<f64> {
    Some(list(host, "chips").count() as f64)
}

fn free(host: &Value) -> Option<f64> {
    let is_free = |chip: &&Value| {
        owners(chip) == Some(0.0) && value(&chip["owners"]["outside_namespace"]) == Some(0.0)
    };
    Some(list(host, "chips").filter(is_free).count() as f64)
}

fn hottest(host: &Value) -> Option<f64> {
    list(host, "chips").filter_map(|chip| telemetry(chip, "asic_temperature_c")).reduce(f64::max)
}

fn rules(fleet: &Fleet) -> BTreeMap<&'static str, (&'static [&'static str], Rows)> {
    let rows: [Entry; 13] = [
        ("chip:tt_dram_used:bytes", (CHIP, fleet.chips(dram))),
        ("batch_job:tt_dram_used:bytes", by_job(fleet)),
        ("pod:tt_dram_used:bytes", by_pod(fleet)),
        (
            "chip:tt_dram_used:ratio",
            (CHIP, fleet.chips(|chip| share(dram(chip), capacity(chip, "dram")))),
        ),
        (
            "chip:tt_l1_used:ratio",
            (CHIP, fleet.chips(|chip| share(l1(chip), capacity(chip, "l1")))),
        ),
        ("chip:tt_temperature:margin_celsius", (CHIP, fleet.chips(margin))),
        ("instance:tt_chips:count", (HOST, fleet.hosts(count))),
        ("instance:tt_chips_free:count", (HOST, fleet.hosts(free))),
        ("instance:tt_dram_used:bytes", (HOST, fleet.sums(dram))),
        ("instance:tt_dram_capacity:bytes", (HOST, fleet.sums(|chip| capacity(chip, "dram")))),
        ("instance:tt_stale:bytes", (HOST, fleet.sums(stale))),
        ("instance:tt_power:watts", (HOST, fleet.sums(|chip| telemetry(chip, "power_w")))),
        ("instance:tt_temperature_max:celsius", (HOST, fleet.hosts(hottest))),
    ];
    rows.into()
}

fn alerts(fleet: &Fleet) -> Vec<Entry> {
    let above = |value: Option<f64>, limit: f64| value.filter(|value| *value > limit);
    let ratio = |chip: &Value| share(dram(chip), capacity(chip, "dram"));
    // The hosts are files, so that nothing beats: every heartbeat hangs.
    let hangs = |chip: &Value| telemetry(chip, "heartbeat").map(|_| 0.0);
    let is_gone = |finding: &Value| finding["id"] == "opener-gone";
    let is_error = |finding: &Value| finding["severity"] == "error";
    let down = |source: &Value| matches!(source["status"].as_str(), Some("denied" | "failed"));
    let source_down = fleet.hosts(|host| list(host, "sources").any(down).then_some(0.0));
    let found = &["instance", "id"];
    let entries: Vec<Entry> = vec![
        ("TenstorrentHostDown", (HOST, Rows::new())),
        ("TenstorrentSampleOld", (HOST, Rows::new())),
        ("TenstorrentChipMissing", (CHIP, Rows::new())),
        ("TenstorrentChipSilent", (CHIP, Rows::new())),
        ("TenstorrentFirmwareHangs", (CHIP, fleet.chips(hangs))),
        (
            "TenstorrentHot",
            (CHIP, fleet.chips(|chip| margin(chip).filter(|margin| *margin <= 0.0))),
        ),
        (
            "TenstorrentWarm",
            (CHIP, fleet.chips(|chip| margin(chip).filter(|m| *m > 0.0 && *m <= 3.0))),
        ),
        ("TenstorrentDramNearlyFull", (CHIP, fleet.chips(|chip| above(ratio(chip), 0.95)))),
        (
            "TenstorrentL1HeadroomLow",
            (CHIP, fleet.chips(|chip| headroom(chip).filter(|bytes| *bytes < 16384.0))),
        ),
        ("TenstorrentStaleMemory", (CHIP, fleet.chips(|chip| above(stale(chip), 0.0)))),
        ("TenstorrentStaleOwner", (found, fleet.findings(is_gone))),
        ("TenstorrentFindingError", (found, fleet.findings(is_error))),
        ("TenstorrentSourceDown", (HOST, source_down)),
    ];
    // Each of these is about a fault that one of the hosts has.
    for name in
        ["Hot", "DramNearlyFull", "L1HeadroomLow", "StaleMemory", "StaleOwner", "FindingError"]
    {
        let entry = entries.iter().find(|(alert, _)| *alert == format!("Tenstorrent{name}"));
        assert!(!entry.unwrap().1.1.is_empty(), "no host has the fault of {name}");
    }
    entries
}

fn headroom(chip: &Value) -> Option<f64> {
    value(&chip["memory"]["circular_buffers"]["headroom"])
}

/// The alerts that fire, by host and name: all that have rows.
fn firing(fleet: &Fleet) -> Rows {
    let mut rows = Rows::new();
    for (name, (_, alerts)) in alerts(fleet) {
        for labels in alerts.keys() {
            rows.insert(vec![labels[0].clone(), name.to_owned()], 1.0);
        }
    }
    rows
}

/// DRAM of the live processes with these properties, by their values.
fn by_property(fleet: &Fleet, of: impl Fn(&Value) -> Option<Vec<String>>) -> Rows {
    let mut rows = Rows::new();
    for process in fleet.hosts.iter().flat_map(|(_, host)| list(host, "processes")) {
        let Some(labels) = of(process) else { continue };
        for memory in list(process, "chips").map(|chip| &chip["memory"]) {
            *rows.entry(labels.clone()).or_default() +=
                sum([value(&memory["dram"]), value(&memory["trace"])]).unwrap_or_default();
        }
    }
    assert_eq!(rows.len(), 1, "one process of the fleet has it");
    rows
}

fn by_job(fleet: &Fleet) -> (&'static [&'static str], Rows) {
    let rows = by_property(fleet, |process| {
        Some(vec![process["job"].as_str()?.to_owned(), text(process, "job_user")])
    });
    (&["batch_job", "batch_user"], rows)
}

fn by_pod(fleet: &Fleet) -> (&'static [&'static str], Rows) {
    let rows = by_property(fleet, |process| {
        let (namespace, name) = process["pod"].as_str()?.split_once('/')?;
        Some(vec![namespace.to_owned(), name.to_owned()])
    });
    (&["k8s_namespace_name", "k8s_pod_name"], rows)
}

fn one(value: f64) -> Rows {
    Rows::from([(Vec::new(), value)])
}

fn fleet_dashboard(fleet: &Fleet) -> Vec<Entry> {
    let rules = rules(fleet);
    let total = |name: &str| -> f64 { rules[name].1.values().sum() };
    let ratio = fleet.hosts(|host| {
        let of = |f: fn(&Value) -> Option<f64>| sum(list(host, "chips").map(f));
        share(of(dram), of(|chip| capacity(chip, "dram")))
    });
    let least = |host: &Value| list(host, "chips").filter_map(margin).reduce(f64::min);
    let serious = |finding: &&Value| finding["severity"] != "info";
    let findings = fleet.hosts(|host| Some(list(host, "findings").filter(serious).count() as f64));
    let mut fullest: Vec<_> =
        fleet.chips(|chip| share(dram(chip), capacity(chip, "dram"))).into_iter().collect();
    fullest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let copy = |name: &str| (HOST, rules[name].1.clone());
    vec![
        ("fleet: DRAM of batch jobs A", by_job(fleet)),
        ("fleet: DRAM of pods A", by_pod(fleet)),
        ("fleet: Hosts A", (&[][..], one(fleet.hosts.len() as f64))),
        ("fleet: Hosts down A", (&[], one(0.0))),
        ("fleet: Chips A", (&[], one(total("instance:tt_chips:count")))),
        ("fleet: Free chips A", (&[], one(total("instance:tt_chips_free:count")))),
        (
            "fleet: DRAM used A",
            (
                &[],
                one(total("instance:tt_dram_used:bytes") / total("instance:tt_dram_capacity:bytes")),
            ),
        ),
        ("fleet: Power A", (&[], one(total("instance:tt_power:watts")))),
        ("fleet: Hottest chip A", copy("instance:tt_temperature_max:celsius")),
        ("fleet: Alerts A", (&["instance", "alertname"][..], firing(fleet))),
        ("fleet: Findings A", (&["instance", "id"][..], fleet.findings(|_| true))),
        ("fleet: DRAM A", (HOST, ratio.clone())),
        ("fleet: Fullest chips A", (CHIP, fullest.into_iter().take(10).collect())),
        ("fleet: $instance", (HOST, fleet.hosts(|_| Some(1.0)))),
        ("fleet: By host A", copy("instance:tt_chips:count")),
        ("fleet: By host B", copy("instance:tt_chips_free:count")),
        ("fleet: By host C", (HOST, ratio)),
        ("fleet: By host D", copy("instance:tt_stale:bytes")),
        ("fleet: By host E", copy("instance:tt_temperature_max:celsius")),
        ("fleet: By host F", (HOST, fleet.hosts(least))),
        ("fleet: By host G", copy("instance:tt_power:watts")),
        ("fleet: By host H", (HOST, findings)),
        ("fleet: Power by host A", copy("instance:tt_power:watts")),
    ]
}

fn host_dashboard(fleet: &Fleet) -> Vec<Entry> {
    let of = |kinds: &[&str]| {
        KINDS.into_iter().filter(|(kind, _)| kinds.contains(kind)).collect::<Vec<_>>()
    };
    let not = |kinds: &[&str]| {
        KINDS.into_iter().filter(|(kind, _)| !kinds.contains(kind)).collect::<Vec<_>>()
    };
    let by = |name: &'static str| fleet.chips(move |chip| telemetry(chip, name));
    let least = |name: &'static str| {
        fleet.hosts(move |host| {
            list(host, "chips").filter_map(|chip| telemetry(chip, name)).reduce(f64::min)
        })
    };
    let allocator = |key: &'static str| {
        fleet.rows(move |chip, _| {
            ALLOCATOR.map(|kind| (vec![kind], value(&chip["memory"][kind][key]))).into()
        })
    };
    let clock = fleet.chips(|chip| telemetry(chip, "aiclk_mhz").map(|mhz| mhz * 1e6));
    let pcie = fleet.rows(|chip, _| {
        ["host_to_device", "device_to_host"]
            .map(|way| (vec![way], telemetry(chip, &format!("pcie_{way}_bytes_per_s"))))
            .into()
    });
    let severities = {
        let mut rows = Rows::new();
        for (instance, host) in &fleet.hosts {
            for severity in ["info", "warning", "error"] {
                let found =
                    list(host, "findings").filter(|finding| finding["severity"] == severity);
                rows.insert(vec![instance.clone(), severity.to_owned()], found.count() as f64);
            }
        }
        rows
    };
    let owner: &[&str] = &["instance", "pid", "comm", "state"];
    let user: &[&str] = &["instance", "pid", "comm", "state", "user"];
    let chips = fleet.chips(|_| Some(1.0)).into_keys();
    let indexes = chips.map(|key| (vec![key[1].clone()], 1.0)).collect();
    vec![
        ("host: DRAM used A", (&[][..], fleet.total(dram))),
        ("host: DRAM used B", (&[], fleet.total(|chip| capacity(chip, "dram")))),
        ("host: L1 used A", (&[], fleet.total(l1))),
        ("host: L1 used B", (&[], fleet.total(|chip| capacity(chip, "l1")))),
        ("host: Stale A", (&[], fleet.total(stale))),
        ("host: Findings A", (&["instance", "severity"], severities)),
        ("host: Age of the sample A", (HOST, fleet.hosts(|_| Some(0.0)))),
        ("host: Chips A", (CHIP, fleet.chips(|chip| share(dram(chip), capacity(chip, "dram"))))),
        ("host: Chips B", (CHIP, fleet.chips(|chip| share(l1(chip), capacity(chip, "l1"))))),
        ("host: Chips C", (CHIP, by("asic_temperature_c"))),
        ("host: Chips D", (CHIP, by("power_w"))),
        ("host: Chips E", (CHIP, fleet.chips(owners))),
        ("host: Chips F", (CHIP, fleet.chips(|_| Some(1.0)))),
        ("host: DRAM and trace A", (KIND, fleet.used_of(&of(&["dram", "trace"])))),
        ("host: L1 A", (KIND, fleet.used_of(&not(&["dram", "trace"])))),
        ("host: Largest free block of a bank A", (KIND, allocator("largest_free"))),
        ("host: Headroom of L1 A", (CHIP, fleet.chips(headroom))),
        (
            "host: Circular buffers, reported A",
            (CHIP, fleet.chips(|chip| value(&chip["memory"]["circular_buffers"]["reported"]))),
        ),
        ("host: Stale memory A", (CHIP, fleet.chips(stale))),
        ("host: Temperature A", (CHIP, by("asic_temperature_c"))),
        ("host: Temperature B", (HOST, least("asic_temperature_limit_c"))),
        ("host: Power A", (CHIP, by("power_w"))),
        ("host: Power B", (HOST, least("power_limit_w"))),
        ("host: Clock of the Tensix cores A", (CHIP, clock)),
        ("host: PCIe A", (&["instance", "index", "direction"], pcie)),
        ("host: By process A", (owner, fleet.processes(false))),
        ("host: Processes A", (user, fleet.processes(true))),
        (
            "host: Sources and qualities A",
            (&["instance", "index", "type", "source", "quality"], readings(fleet)),
        ),
        ("host: $instance", (HOST, fleet.hosts(|_| Some(1.0)))),
        ("host: $chip", (&["index"], indexes)),
    ]
}

/// The source and quality of each figure of memory that is known.
fn readings(fleet: &Fleet) -> Rows {
    let mut rows = Rows::new();
    for (instance, host) in &fleet.hosts {
        for chip in list(host, "chips") {
            let buffers = &chip["memory"]["circular_buffers"];
            let more =
                [("cb_reported", &buffers["reported"]), ("l1_headroom", &buffers["headroom"])];
            let kinds = KINDS.map(|(kind, label)| (label, &chip["memory"][kind]["used"]));
            for (label, reading) in kinds.into_iter().chain(more) {
                if value(reading).is_some() {
                    let index = chip["index"].to_string();
                    let (source, quality) = (text(reading, "source"), text(reading, "quality"));
                    rows.insert(
                        vec![instance.clone(), index, label.to_owned(), source, quality],
                        1.0,
                    );
                }
            }
        }
    }
    rows
}
