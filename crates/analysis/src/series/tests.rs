use ttmem_model::facts::RegionBytes;

use super::*;
use ttmem_fake::{BYTES, Board, Host, PID, Process};
use ttmem_model::{Reading, SourceName};
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

/// An n150 on which a process holds so much DRAM, at a second.
fn snapshot(dram: u64, second: u64) -> Snapshot {
    let process = Process::new(PID, "python3");
    let bytes = RegionBytes { dram, ..BYTES };
    let host = Host::new().board(Board::n150()).workload(process, bytes);
    let clock = Clock::Fixed(Timestamp(second * 1_000_000));
    Collector::new(Root::memory(host.into_tree())).with_clock(clock).snapshot()
}

fn dram(series: &Series) -> &KindLines {
    series.chips()[0].kinds.iter().find(|line| line.kind == Kind::Dram).unwrap()
}

#[test]
fn a_peak_of_one_snapshot_survives_any_number_of_them() {
    let mut series = Series::new(8);
    let (low, high) = (snapshot(10, 0), snapshot(99, 0));
    for second in 1..=1000 {
        let mut moment = if second == 613 { high.clone() } else { low.clone() };
        moment.time_us = Timestamp(second * 1_000_000);
        series.push(&moment);
    }
    let line = dram(&series);
    assert_eq!((line.peak, line.peak_us), (99, Timestamp(613_000_000)));
    let columns = series.times().len();
    assert!((4..=8).contains(&columns), "{columns}");
    assert_eq!(series.times()[0], Timestamp(1_000_000));
    assert_eq!((line.used.len(), line.shares[0].bytes.len()), (columns, columns));
    assert_eq!(line.used.iter().filter(|used| **used == Some(99)).count(), 1);
    let shares: Vec<_> = line.shares[0].bytes.iter().map(|bytes| Some(*bytes)).collect();
    assert_eq!(shares, line.used, "what the only process holds is all there is");
    let column = line.used.iter().position(|used| *used == Some(99)).unwrap();
    let of = |column: usize| series.times().get(column).map_or(u64::MAX, |time| time.0);
    assert!((of(column)..of(column + 1)).contains(&613_000_000), "in its place");
}

#[test]
fn columns_stand_for_as_many_snapshots_each() {
    let mut series = Series::new(6);
    let moment = snapshot(10, 0);
    for second in 0..100 {
        series.push(&Snapshot { time_us: Timestamp(second), ..moment.clone() });
    }
    let times: Vec<u64> = series.times().iter().map(|time| time.0).collect();
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.windows(2).all(|pair| pair[0] == pair[1]), "{times:?}");
}

#[test]
fn a_process_that_comes_later_had_nothing_before() {
    let mut series = Series::default();
    let idle = Collector::new(Root::memory(Host::n150().without_process(PID).into_tree()))
        .with_clock(Clock::Fixed(Timestamp(1)))
        .snapshot();
    series.push(&idle);
    series.push(&snapshot(50, 2));
    let line = dram(&series);
    assert_eq!(line.shares.last().unwrap().bytes, [0, 50]);
    assert_eq!(line.used[1], Some(50));
    assert!(line.capacity > Some(1 << 30));
    let json = serde_json::to_value(&series).unwrap();
    assert_eq!(json["chips"][0]["kinds"][0]["shares"][0]["bytes"].as_array().unwrap().len(), 2);
    assert_eq!(json["times_us"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_dead_process_left_is_no_part_of_what_is_used() {
    let mut series = Series::default();
    let mut moment = snapshot(50, 1);
    series.push(&moment);
    let process = Process::new(PID, "python3");
    let host = Host::new().board(Board::n150()).workload(process, BYTES).without_process(PID);
    moment = Collector::new(Root::memory(host.into_tree()))
        .with_clock(Clock::Fixed(Timestamp(2_000_000)))
        .snapshot();
    assert!(moment.processes.iter().any(|process| process.state == ProcessState::Stale));
    series.push(&moment);
    let line = dram(&series);
    assert_eq!(line.used, [Some(50), Some(0)]);
    assert_eq!(line.shares.len(), 1, "{:?}", line.shares);
    assert_eq!(line.shares[0].bytes, [50, 0]);
    assert_eq!(series.processes().len(), 1);
}

#[test]
fn of_telemetry_the_highest_is_kept() {
    let mut moment = Collector::new(Root::memory(Host::galaxy().into_tree())).snapshot();
    let mut series = Series::default();
    for (second, celsius) in [40.0, 61.5, 50.0].into_iter().enumerate() {
        moment.time_us = Timestamp(second as u64);
        let reading = moment.chips[3].telemetry.get_mut(&Metric::AsicTemperature).unwrap();
        *reading = Reading::exact(Quantity(celsius), SourceName::Kmd);
        series.push(&moment);
    }
    let chip = &series.chips()[3];
    let temperature = chip.temperature_c.unwrap();
    assert_eq!(temperature.most, Quantity(61.5));
    assert!(temperature.limit.is_some() && chip.power_w.is_some());
    let trays: std::collections::BTreeSet<_> =
        series.chips().iter().map(|chip| chip.tray).collect();
    assert_eq!(trays, (1..=4).map(Some).collect());
}
