use ttmem_fake as fake;
use ttmem_fake::NOW;
use ttmem_fake::segment::NewBuffer;
use ttmem_root::{Clock, Root};
use ttmem_segment::AllocatorKind;
use ttmem_sources::Collector;

use super::*;

fn snapshots() -> Vec<(&'static str, Snapshot)> {
    let hosts = fake::healthy().into_iter().chain(fake::variants());
    hosts
        .map(|(name, tree)| {
            let clock = Clock::Fixed(NOW);
            (name, Collector::new(Root::memory(tree)).with_clock(clock).snapshot())
        })
        .collect()
}

#[test]
fn the_demonstration_in_both_formats() {
    let snapshot = Collector::demo().snapshot();
    let text = render(&snapshot, Format::Prometheus, Processes::Shown);
    for line in [
        "# TYPE tt_device_info gauge",
        "# TYPE tt_device_heartbeat_total counter",
        r#"tt_device_temperature_celsius{index="0",asic_id="0x0000018000000001",sensor="asic"} 61"#,
        "# TYPE tt_device_memory_used_bytes gauge",
    ] {
        let known = line.split('{').next().unwrap();
        assert!(text.contains(known), "{line} is not in\n{text}");
    }
    assert!(!text.contains("# EOF") && !text.contains("NaN"));
    let open = render(&snapshot, Format::OpenMetrics, Processes::Hidden);
    assert!(open.ends_with("# EOF\n"));
    assert!(open.contains("# TYPE tt_device info\n") && open.contains("\ntt_device_info{"));
    assert!(open.contains("# UNIT tt_device_power_watts watts\n"));
    assert!(open.contains("# TYPE tt_device_heartbeat counter\n"));
    assert!(!open.contains("tt_process_"));
}

#[test]
fn no_series_comes_twice_and_every_one_has_a_family() {
    for (name, snapshot) in snapshots() {
        let text = render(&snapshot, Format::Prometheus, Processes::Shown);
        let mut families = BTreeSet::new();
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let family = family.split(' ').next().unwrap().to_owned();
                assert!(families.insert(family), "{name}: {line}");
            } else if !line.starts_with('#') {
                let (labels, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().unwrap().is_finite(), "{name}: {line}");
                assert!(series.insert(labels.to_owned()), "{name}: {line}");
                assert!(families.contains(labels.split('{').next().unwrap()), "{name}: {line}");
            }
        }
    }
}

/// The series of values; those of info metrics are about what changes.
fn value_series(host: fake::Host) -> BTreeSet<String> {
    let collector = Collector::new(Root::memory(host.into_tree()));
    let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
    let text = render(&snapshot, Format::Prometheus, Processes::Shown);
    assert!(text.contains(r#"source="upstream""#) || text.contains(r#"source="agent""#));
    let series = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
    series.filter(|series| !series.starts_with('#') && !series.contains("_info{")).collect()
}

#[test]
fn no_series_ends_when_an_agent_comes_or_goes() {
    let started = fake::Process::new(fake::PID, "python3").start_ticks();
    let segment = fake::segment::Segment::wormhole(fake::PID, started, 0x0000_0180_0000_0001)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 1 << 20, "Matmul"));
    let without = value_series(fake::Host::n150());
    let with = value_series(fake::Host::n150().segment_of(fake::PID, segment));
    let ended: Vec<&String> = without.difference(&with).collect();
    assert!(ended.is_empty(), "{ended:?}");
    let more = |series: &&String| series.starts_with("tt_device_memory_largest_free_bytes");
    assert!(with.difference(&without).any(|series| more(&series)), "the agent is seen");
    for series in with.iter().filter(|series| !series.contains("_source_up{")) {
        let is_cost = series.starts_with("tt_scrape_duration_seconds{");
        assert!(is_cost || !series.contains("source=") && !series.contains("quality="), "{series}");
    }
}

#[test]
fn what_is_missing_has_no_sample() {
    let host = fake::Host::n150().without_driver();
    let collector = Collector::new(Root::memory(host.into_tree()));
    let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
    let text = render(&snapshot, Format::Prometheus, Processes::Hidden);
    assert!(!text.contains("power_watts") && !text.contains("celsius"), "{text}");
    assert!(text.contains("tt_device_memory_used_bytes"));
}

#[test]
fn labels_hold_whatever_a_process_calls_itself() {
    let labels = Labels::default().with("comm", "a\"b\\c\nd\u{7}e");
    assert_eq!(labels.0, r#"comm="a\"b\\c\nd e""#);
}

#[test]
fn scrapers_get_what_they_take() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    assert_eq!(Format::accepted("text/html, */*"), Format::Prometheus);
    assert_eq!(Format::accepted(""), Format::Prometheus);
    let open_metrics = [
        "Application/OpenMetrics-Text; Version=\"1.0.0\"",
        "text/plain;q=0.5, application/openmetrics-text;q=0.5",
        "application/openmetrics-text;q=0.2, text/plain;q=0.1, */*;q=0.9",
        "application/openmetrics-text;version=2.0.0, application/openmetrics-text;version=1.0.0;q=0.4",
        "application/openmetrics-text;q=1.000,*/*",
    ];
    for accept in open_metrics {
        assert_eq!(Format::accepted(accept), Format::OpenMetrics, "{accept}");
    }
    let prometheus = [
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.0, */*",
        "application/openmetrics-text;q=0.1, text/plain;q=0.9",
        "application/openmetrics-text;q=0.25, text/*;q=0.3",
        "application/openmetrics-text;q=0.1, */*",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text-not",
        "application/*",
        ";;,;=,q=1",
    ];
    for accept in prometheus {
        assert_eq!(Format::accepted(accept), Format::Prometheus, "{accept}");
    }
}
