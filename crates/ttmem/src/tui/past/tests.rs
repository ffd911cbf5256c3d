use std::sync::Arc;

use ttmem_model::snapshot::Source;
use ttmem_recording::{Encoder, Limits};
use ttmem_sources::demo::Busy;

use super::*;
use crate::tui::track::{Line, Subject, Track};

const SECOND: u64 = 1_000_000;

#[test]
fn the_charts_show_what_was_before() {
    let mut busy = Busy::galaxy();
    let mut encoder = Encoder::new(Limits::default());
    let mut blocks = Vec::new();
    let mut peak: f64 = 0.0;
    let mut last = None;
    let used = Track::OF_CHIPS[0];
    for second in 0..90 {
        let snapshot = busy.next(SECOND);
        if second >= 40 {
            peak = peak.max(used.of_chip(&snapshot.chips[0]).unwrap());
        }
        blocks.extend(encoder.push(snapshot.time_us, &snapshot).unwrap().map(|block| block.bytes));
        last = Some(snapshot);
    }
    blocks.extend(encoder.flush().map(|block| block.bytes));
    let now = busy.next(SECOND);
    peak = peak.max(used.of_chip(&now.chips[0]).unwrap());
    let (chip, at) = (now.chips[0].id, Moment(now.time_us.0));
    let sample = Sample { at, snapshot: Arc::new(now), boot: None };
    let history = read(blocks, &sample).unwrap().history;
    assert_eq!(history.last(), Some(at));
    let line = Line { subject: Subject::Chip(chip), track: used };
    let minute = history.columns(line, Window::Minute, at, 60);
    assert!(minute.iter().all(Option::is_some), "{minute:?}");
    assert!((f64::from(history.worst(line, Window::Minute).unwrap()) - peak).abs() <= peak * 1e-3);
    let five = history.columns(line, Window::FiveMinutes, at, 300);
    let known = five.iter().filter(|column| column.is_some()).count();
    assert!((88..=94).contains(&known), "{known}");
    assert!(last.is_some());
}

#[test]
fn an_hour_is_read_closely_at_its_end_and_in_steps_before() {
    let last = Timestamp(9_000 * SECOND);
    let all: Vec<(Timestamp, u64)> = steps(Timestamp(0), last).collect();
    assert_eq!(all[0].0, Timestamp(5_400 * SECOND));
    assert_eq!(all.last().unwrap().0, Timestamp(8_999 * SECOND));
    assert!((500..800).contains(&all.len()), "{}", all.len());
    assert!(all.windows(2).all(|pair| pair[1].0.micros_since(pair[0].0) == pair[1].1));
    assert_eq!(steps(last, last).count(), 0);
    assert!(read(vec![vec![7; 99]], &sample(Moment(1))).is_none());
}

fn sample(at: Moment) -> Sample {
    Sample { at, snapshot: Arc::new(Busy::galaxy().next(1)), boot: None }
}

#[test]
fn a_servers_sample_is_of_its_own_time() {
    let mut snapshot = Busy::galaxy().next(1);
    let time = snapshot.time_us.0;
    let now = Moment(time + SECOND);
    assert_eq!(taken(&snapshot, now), now);
    snapshot.sources.push(Source {
        name: SourceName::Server,
        status: SourceStatus::Ok,
        detail: String::new(),
        cost_us: 0,
    });
    assert_eq!(taken(&snapshot, now), Moment(time));
    assert_eq!(taken(&snapshot, Moment(time - 1)), Moment(time - 1));
    assert_eq!(taken(&snapshot, Moment(time + 3600 * SECOND)), Moment(time + 3600 * SECOND));
}
