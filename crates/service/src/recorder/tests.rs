//! Successful and failing recordings.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use ttmem_model::Timestamp;
use ttmem_recording::{EventKind, Recording};

use super::sink::FileDamage;
use super::*;
use ttmem_fake::NOW;
use ttmem_root::Clock;
use ttmem_sources::L1Look;
use ttmem_sources::demo::Busy;

/// A disk in memory that is full after a number of bytes.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
    removed: Arc<Mutex<bool>>,
}

impl Disk {
    fn new(room: usize) -> Self {
        Self { bytes: Arc::default(), room, removed: Arc::default() }
    }

    fn recording(&self) -> Recording<Vec<u8>> {
        Recording::open(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Sink for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut content = self.bytes.lock().unwrap();
        let free = self.room.saturating_sub(content.len());
        content.extend_from_slice(&bytes[..bytes.len().min(free)]);
        if bytes.len() > free { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().truncate(usize::try_from(size).unwrap());
        Ok(())
    }

    fn damage(&self, size: u64) -> Option<FileDamage> {
        let length = self.bytes.lock().unwrap().len() as u64;
        let is_cut = (length < size).then_some(FileDamage::Cut);
        self.removed.lock().unwrap().then_some(FileDamage::Removed).or(is_cut)
    }
}

fn options(path: &Path) -> Options {
    let header = Header { ttmem: "0.1.0".to_owned(), ..Header::default() };
    Options { path: path.to_owned(), header, max_bytes: None, ring: None }
}

fn marks(snapshot: &Snapshot) -> Marks {
    Marks {
        wall: snapshot.time_us,
        awake_us: snapshot.time_us.0,
        since_boot_us: snapshot.time_us.0,
    }
}

/// Offers snapshots one second apart, each when there is room for it.
fn feed(recorder: &Recorder, busy: &mut Busy, count: usize) -> OfferResult {
    let mut offered = OfferResult::Taken;
    for _ in 0..count {
        let L1Look { snapshot, facts, .. } = busy.look(1_000_000);
        loop {
            offered = recorder.offer(snapshot.clone(), facts.clone(), marks(&snapshot));
            if offered != OfferResult::Dropped {
                break;
            }
            thread::yield_now();
        }
        if offered == OfferResult::Ended {
            break;
        }
    }
    offered
}

#[test]
fn a_file_holds_every_snapshot_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ttmem");
    let recorder = Recorder::start(options(&path), None).unwrap();
    let mut busy = Busy::galaxy();
    feed(&recorder, &mut busy, 25);
    let report = recorder.stop("asked to");
    assert_eq!((report.moments, report.failure), (25, None));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, report.bytes);
    let mut recording = Recording::open(bytes).unwrap();
    assert!(recording.is_ended());
    assert_eq!(recording.header().host.as_deref(), Some("tt-host"));
    let events = recording.events().unwrap();
    assert_eq!(events.last().unwrap().kind, EventKind::Ended);
    assert_eq!(recording.len(), 25);
    assert!(
        Recorder::start(options(&path), None).is_err(),
        "a file that is there is not overwritten"
    );
}

#[test]
fn a_full_disk_ends_the_recording_with_what_it_has() {
    let disk = Disk::new(40_000);
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(disk.clone())), None).unwrap();
    assert_eq!(feed(&recorder, &mut Busy::galaxy(), 400), OfferResult::Ended);
    let report = recorder.stop("asked to");
    assert!(report.failure.unwrap().contains("no storage space"));
    let mut recording = disk.recording();
    assert_eq!(recording.len(), report.moments);
    assert!(report.moments > 0 && recording.damaged_bytes() == 0);
    assert!(recording.moment(report.moments - 1).unwrap().is_some());
}

#[test]
fn the_largest_size_is_kept_with_the_end() {
    let disk = Disk::new(usize::MAX);
    let options = Options { max_bytes: Some(60_000), ..options(Path::new("x")) };
    let recorder = Recorder::start_with(options, Some(Box::new(disk.clone())), None).unwrap();
    assert_eq!(feed(&recorder, &mut Busy::galaxy(), 400), OfferResult::Ended);
    let report = recorder.stop("");
    assert!(report.limit.is_some() && report.failure.is_none());
    assert!(disk.bytes.lock().unwrap().len() <= 60_000);
    assert!(disk.recording().is_ended());
}

#[test]
fn a_removed_file_ends_the_recording() {
    let disk = Disk::new(usize::MAX);
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(disk.clone())), None).unwrap();
    let mut busy = Busy::galaxy();
    assert_eq!(feed(&recorder, &mut busy, 15), OfferResult::Taken);
    *disk.removed.lock().unwrap() = true;
    assert_eq!(feed(&recorder, &mut busy, 400), OfferResult::Ended);
    let report = recorder.stop("");
    assert!(report.failure.unwrap().contains("removed") && report.files.is_empty());
}

#[test]
fn a_file_that_somebody_cuts_ends_the_recording_and_is_not_filled_up() {
    let disk = Disk::new(usize::MAX);
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(disk.clone())), None).unwrap();
    let mut busy = Busy::galaxy();
    feed(&recorder, &mut busy, 25);
    while disk.bytes.lock().unwrap().len() < 2000 {
        feed(&recorder, &mut busy, 1);
    }
    disk.bytes.lock().unwrap().truncate(1000);
    assert_eq!(feed(&recorder, &mut busy, 400), OfferResult::Ended);
    let report = recorder.stop("");
    assert!(report.failure.unwrap().contains("truncated the file") && report.files.is_empty());
    assert!(disk.bytes.lock().unwrap().len() <= 1000);
}

#[test]
fn a_ring_that_cannot_be_written_is_refused_before_it_is_needed() {
    let ring = Some(Duration::from_secs(30));
    let nowhere = Options { ring, ..options(Path::new("/nowhere/flight.ttmem")) };
    assert!(Recorder::start(nowhere, None).is_err());
}

#[test]
fn a_ring_that_was_not_written_is_in_the_report_also_at_the_very_end() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let ring = Some(Duration::from_secs(30));
    let options = Options { ring, ..options(&inner.join("flight.ttmem")) };
    let recorder = Recorder::start(options, None).unwrap();
    std::fs::remove_dir(&inner).unwrap();
    let mut busy = Busy::galaxy();
    feed(&recorder, &mut busy, 10);
    busy.end_process(3);
    feed(&recorder, &mut busy, 1);
    let report = recorder.stop("");
    assert_eq!(report.unwritten.len(), 1, "{report:?}");
    assert!(report.unwritten[0].contains("cannot write the ring"));
    assert_eq!(report.notices.last(), report.unwritten.last());
}

#[test]
fn a_clock_that_is_set_back_is_an_event() {
    let disk = Disk::new(usize::MAX);
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(disk.clone())), None).unwrap();
    let mut busy = Busy::galaxy();
    for (second, step) in [(1, 0), (2, 0), (3, 3600)] {
        let mut snapshot = busy.next(1_000_000);
        snapshot.time_us = Timestamp(NOW.0 + second * 1_000_000 - step * 1_000_000);
        let marks = Marks {
            wall: snapshot.time_us,
            awake_us: second * 1_000_000,
            since_boot_us: second * 1_000_000,
        };
        assert_eq!(recorder.offer(snapshot, None, marks), OfferResult::Taken);
    }
    recorder.stop("");
    let mut recording = disk.recording();
    assert_eq!(recording.len(), 3);
    let events = recording.events().unwrap();
    let step = events.iter().find(|event| event.kind == EventKind::ClockStepped).unwrap();
    assert_eq!(step.value, Some(-3_600_000_000));
}

#[test]
fn a_slow_disk_costs_snapshots_and_the_recording_says_how_many() {
    #[derive(Clone)]
    struct Slow(Disk, Arc<Mutex<()>>);
    impl Sink for Slow {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let _turn = self.1.lock().unwrap();
            self.0.append(bytes)
        }
        fn cut(&mut self, size: u64) -> io::Result<()> {
            self.0.cut(size)
        }
        fn damage(&self, _size: u64) -> Option<FileDamage> {
            None
        }
    }
    let turn = Arc::new(Mutex::new(()));
    let disk = Disk::new(usize::MAX);
    let slow = Slow(disk.clone(), Arc::clone(&turn));
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(slow)), None).unwrap();
    let mut busy = Busy::galaxy();
    let stuck = turn.lock().unwrap();
    let mut dropped = 0;
    for _ in 0..QUEUE + 20 {
        let snapshot = busy.next(1_000_000);
        dropped += u64::from(
            recorder.offer(snapshot.clone(), None, marks(&snapshot)) == OfferResult::Dropped,
        );
    }
    assert!(dropped >= 19);
    drop(stuck);
    feed(&recorder, &mut busy, 1);
    let report = recorder.stop("");
    let events = disk.recording().events().unwrap();
    let said: i64 = events
        .iter()
        .filter(|event| event.kind == EventKind::Dropped)
        .filter_map(|event| event.value)
        .sum();
    assert!(u64::try_from(said).unwrap() >= dropped);
    assert_eq!(u64::try_from(said).unwrap(), report.dropped);
}

#[test]
fn a_ring_is_written_out_when_a_process_with_memory_dies() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("flight.ttmem");
    let ring = Some(Duration::from_secs(30));
    let recorder = Recorder::start(Options { ring, ..options(&base) }, None).unwrap();
    let mut busy = Busy::galaxy();
    feed(&recorder, &mut busy, 100);
    busy.end_process(3);
    feed(&recorder, &mut busy, 10);
    recorder.write_out("asked to");
    let report = recorder.stop("");
    assert_eq!(report.files.len(), 2, "{report:?}");
    assert!(!base.exists());
    let mut first = Recording::open(std::fs::read(&report.files[0]).unwrap()).unwrap();
    let (from, to) = first.span().unwrap();
    let seconds = to.micros_since(from) / 1_000_000;
    assert!((30..=33).contains(&seconds), "{seconds}");
    let events = first.events().unwrap();
    assert!(events.iter().any(|event| event.kind == EventKind::ProcessDied));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_ring_in_which_nothing_happens_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Some(Duration::from_secs(30));
    let options = Options { ring, ..options(&folder.path().join("flight.ttmem")) };
    let recorder = Recorder::start(options, None).unwrap();
    feed(&recorder, &mut Busy::galaxy(), 20);
    let report = recorder.stop("");
    // On a busy machine snapshots can be dropped, which is a notice.
    let (dropped, notices) = (report.dropped, report.notices.clone());
    assert_eq!(notices.is_empty(), dropped == 0, "{report:?}");
    assert_eq!(report, Report { dropped, notices, ..Report::default() });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn marks_of_the_system_go_forward() {
    let (first, second) = (Clock::System.marks(), Clock::System.marks());
    assert!(first.since_boot_us > 0 && second.awake_us >= first.awake_us);
    assert!(first.since_boot_us >= first.awake_us);
}

#[test]
fn a_server_that_goes_away_takes_no_process_with_it() {
    use ttmem_model::SourceName;
    use ttmem_model::snapshot::{Source, SourceStatus};
    let served = |mut snapshot: Snapshot| {
        let (name, status) = (SourceName::Server, SourceStatus::Ok);
        snapshot.sources.push(Source { name, status, detail: String::new(), cost_us: 0 });
        snapshot
    };
    let mut busy = Busy::galaxy();
    let mut tracker = ttmem_recording::Tracker::default();
    let here = |busy: &mut Busy| {
        let mut snapshot = busy.next(1_000_000);
        // This user sees one process where the server sees eight.
        snapshot.processes.truncate(1);
        snapshot
    };
    tracker.observe(&served(busy.next(1_000_000)));
    let mut kinds = |snapshot: &Snapshot| -> Vec<EventKind> {
        let events = tracker.observe(snapshot).into_iter().map(|event| event.kind);
        events.filter(|kind| *kind != EventKind::Peak).collect()
    };
    assert_eq!(kinds(&here(&mut busy)), []);
    assert_eq!(kinds(&here(&mut busy)), []);
    assert_eq!(kinds(&served(busy.next(1_000_000))), []);
    let mut last = served(busy.next(1_000_000));
    last.processes.pop();
    assert_eq!(kinds(&last), [EventKind::ProcessDied]);
}

#[test]
fn a_chip_that_vanishes_and_a_machine_that_sleeps_are_events() {
    let disk = Disk::new(usize::MAX);
    let recorder =
        Recorder::start_with(options(Path::new("x")), Some(Box::new(disk.clone())), None).unwrap();
    let mut busy = Busy::galaxy();
    for second in 1..=6_u64 {
        let mut snapshot = busy.next(1_000_000);
        // A reset: the chip is absent for a while.
        if (3..5).contains(&second) {
            snapshot.chips.pop();
        }
        let slept = if second >= 4 { 3_600_000_000 } else { 0 };
        snapshot.time_us = Timestamp(NOW.0 + second * 1_000_000 + slept);
        let marks = Marks {
            wall: snapshot.time_us,
            awake_us: second * 1_000_000,
            since_boot_us: second * 1_000_000 + slept,
        };
        assert_eq!(recorder.offer(snapshot, None, marks), OfferResult::Taken);
    }
    recorder.stop("");
    let mut recording = disk.recording();
    assert!(recording.len() == 6 && recording.is_ended());
    let events = recording.events().unwrap();
    let seconds = |kind| -> Vec<u64> {
        let of_kind = events.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| event.time.micros_since(NOW) / 1_000_000).collect()
    };
    assert_eq!(seconds(EventKind::ChipVanished), [3]);
    assert_eq!(seconds(EventKind::Suspended), [3604]);
    assert_eq!(seconds(EventKind::ChipAppeared), [3605]);
    assert_eq!(seconds(EventKind::ClockStepped), [0; 0]);
}
