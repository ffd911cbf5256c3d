//! Plays a recording on threads of its own.
//!
//! One thread shows moments: the target of a jump, and the following ones during playback. A second thread reads the
//! history before a jump, so that the charts are as they would have been, and once all events of the recording. Each
//! has its own open file, so that neither waits for the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ttmem_analysis::replay;
use ttmem_model::order;
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{Damage, EventKind, ReadAt, Recording};
use ttmem_service::recorder::FileSource;

use super::app::{Event, FRAME_MICROS, Past, Playback, Rates, Sample};
use super::history::{Moment, POINTS, Window};
use super::number;
use super::sampler::{Stamped, Timeline};

/// The stack of a thread: snapshots are nested as deep as their JSON.
const STACK_BYTES: usize = 1 << 20;

/// The length of the queue. It fills only when a key repeats, and then only the last order matters.
const WAITING: usize = 64;

/// Plays a recording.
#[derive(Debug)]
pub(crate) struct Player {
    orders: SyncSender<Playback>,
    jumps: SyncSender<Moment>,
}

impl Player {
    /// Opens a recording and plays it from the start.
    ///
    /// # Errors
    /// If it cannot be opened again, or a thread cannot be started.
    pub(crate) fn start(
        path: &Path,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> std::io::Result<Self> {
        let (orders, received) = sync_channel(WAITING);
        let (jumps, sought) = sync_channel(WAITING);
        let stage = Stage { recording: open(path)?, shown: None, timeline, events };
        let past = Filler {
            recording: open(path)?,
            peaks: Vec::new(),
            timeline,
            events: stage.events.clone(),
        };
        spawn("player", move || stage.play(&received))?;
        spawn("past", move || past.fill(&sought))?;
        Ok(Self { orders, jumps })
    }

    /// Sends the next order.
    pub(crate) fn order(&self, order: Playback) {
        // The queue is longer than anyone types while one moment is read.
        match self.orders.try_send(order) {
            Ok(()) | Err(_) => {}
        }
        if let Playback::Seek(moment, _) = order {
            match self.jumps.try_send(moment) {
                Ok(()) | Err(_) => {}
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    thread.spawn(work).map(drop)
}

/// Opens another handle of a recording.
///
/// # Errors
/// If it cannot be opened, or is not a recording.
pub(super) fn open(path: &Path) -> std::io::Result<Recording<FileSource>> {
    let source = FileSource::open(path)?;
    Recording::open(source).map_err(|error| std::io::Error::other(error.to_string()))
}

/// Returns the microseconds between snapshots: the requested interval or, where the recording has none, the measured
/// one.
#[must_use]
pub(crate) fn interval<R: ReadAt>(recording: &Recording<R>) -> u64 {
    let asked = recording.header().interval_us;
    let came = || {
        let (first, last) = recording.span()?;
        last.0.checked_sub(first.0)?.checked_div(recording.len().saturating_sub(1))
    };
    if asked > 0 { asked } else { came().unwrap_or(0).max(1) }
}

/// The receiver of the thread's events is gone.
struct Disconnected;

/// Shows moments.
struct Stage {
    recording: Recording<FileSource>,
    /// The index of the current moment.
    shown: Option<u64>,
    timeline: Timeline,
    events: SyncSender<Stamped>,
}

impl Stage {
    fn play(mut self, orders: &Receiver<Playback>) {
        let Some((first, last)) = self.recording.span() else { return };
        // The position, the time at which it was set, and the speed.
        let (mut at, mut since, mut speed) = (Moment(first.0), Instant::now(), 1.0_f64);
        if self.show(at).is_err() {
            return;
        }
        loop {
            let answer = if speed > 0.0 {
                orders.recv_timeout(Duration::from_micros(FRAME_MICROS))
            } else {
                orders.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
            };
            let passed = since.elapsed().as_secs_f64() * 1e6 * speed;
            at = Moment((at.0 + number::bytes(passed)).min(last.0));
            since = Instant::now();
            match answer {
                Ok(Playback::Play(faster)) => speed = faster,
                Ok(Playback::Pause) => speed = 0.0,
                Ok(Playback::Seek(moment, goes_on)) => {
                    (at, self.shown, speed) = (moment, None, goes_on);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.show(at).is_err() {
                return;
            }
            if speed > 0.0 && at.0 >= last.0 {
                speed = 0.0;
                if self.send(Event::Ended).is_err() {
                    return;
                }
            }
        }
    }

    /// Shows the moment that was current at a time, unless it is already shown.
    fn show(&mut self, at: Moment) -> Result<(), Disconnected> {
        let found = self.recording.number_at(Timestamp(at.0)).and_then(|number| {
            let Some(number) = number.filter(|number| Some(*number) != self.shown) else {
                return Ok(None);
            };
            self.shown = Some(number);
            read(&mut self.recording, number)
        });
        match found {
            Ok(None) => Ok(()),
            Ok(Some((at, snapshot))) => {
                let sample = Sample { at, snapshot: Arc::new(snapshot), boot: None };
                self.send(Event::Sample(sample))
            }
            Err(damage) => {
                self.send(Event::Done(Err(format!("the recording is damaged here: {damage}"))))
            }
        }
    }

    fn send(&self, event: Event) -> Result<(), Disconnected> {
        self.events.send((self.timeline.moment(), event)).map_err(|_closed| Disconnected)
    }
}

fn read(
    recording: &mut Recording<FileSource>,
    number: u64,
) -> Result<Option<(Moment, Snapshot)>, Damage> {
    let Some(moment) = recording.moment(number)? else { return Ok(None) };
    let snapshot = replay::snapshot(&moment)?;
    Ok(Some((Moment(moment.time().0), snapshot)))
}

/// Reads the history before a moment.
struct Filler {
    recording: Recording<FileSource>,
    /// The times at which a chip used most of a kind. Charts always include these moments.
    peaks: Vec<Moment>,
    timeline: Timeline,
    events: SyncSender<Stamped>,
}

impl Filler {
    fn fill(mut self, jumps: &Receiver<Moment>) {
        // A damaged block has no events; its moments report the damage when they are shown.
        let mut happened = self.recording.events().unwrap_or_default();
        order::sort_by_key(&mut happened, |event| event.time);
        let peaks = happened.iter().filter(|event| event.kind == EventKind::Peak);
        self.peaks = peaks.map(|event| Moment(event.time.0)).collect();
        if self.send(Event::Happened(happened)).is_err() {
            return;
        }
        let mut next = jumps.recv().ok();
        while let Some(sought) = next.take() {
            match self.past(sought, jumps) {
                Filled::Whole(past, rates) => {
                    if self.send(Event::Past(sought, past, rates)).is_err() {
                        return;
                    }
                    next = jumps.recv().ok();
                }
                Filled::Instead(newer) => next = Some(newer),
                Filled::Disconnected => return,
            }
        }
    }

    /// Builds the state at a moment, unless another one is requested meanwhile.
    fn past(&mut self, sought: Moment, jumps: &Receiver<Moment>) -> Filled {
        let interval = interval(&self.recording);
        let mut past = Past::default();
        let mut rates = Rates::new();
        let mut before = None;
        for (time, stride) in moments_before(sought, interval, &self.peaks) {
            match jumps.try_recv() {
                Ok(newer) => return Filled::Instead(jumps.try_iter().last().unwrap_or(newer)),
                Err(TryRecvError::Disconnected) => return Filled::Disconnected,
                Err(TryRecvError::Empty) => {}
            }
            let Ok(Some(number)) = self.recording.number_at(Timestamp(time.0)) else { continue };
            if before.replace(number) == Some(number) {
                continue;
            }
            if let Ok(Some((at, snapshot))) = read(&mut self.recording, number) {
                rates = past.note(at, stride, &snapshot);
            }
        }
        Filled::Whole(Box::new(past), rates)
    }

    fn send(&self, event: Event) -> Result<(), Disconnected> {
        self.events.send((self.timeline.moment(), event)).map_err(|_closed| Disconnected)
    }
}

/// The result of reading a history.
enum Filled {
    Whole(Box<Past>, Rates),
    Instead(Moment),
    Disconnected,
}

/// Returns the moments that the charts at a moment need, the oldest first, each with the microseconds to the next: one
/// per chart point for each window, and the peaks.
fn moments_before(sought: Moment, interval: u64, peaks: &[Moment]) -> Vec<(Moment, u64)> {
    let mut moments = Vec::new();
    let mut newer = 0;
    for window in Window::ALL {
        let step = (window.micros() / POINTS as u64).max(interval).max(1);
        // The points of a shorter window are already included.
        let count = window.micros().saturating_sub(newer) / step;
        for point in (0..count).filter(|point| newer + point * step <= sought.0) {
            moments.push((sought.before(newer + point * step), step));
        }
        newer = newer.max(count * step + newer);
    }
    let hour = sought.before(Window::Hour.micros());
    let within = peaks.iter().filter(|peak| (hour..sought).contains(peak));
    moments.extend(within.map(|peak| (*peak, interval)));
    order::sort_by_key(&mut moments, |(moment, _)| *moment);
    let mut next = None;
    for (moment, step) in moments.iter_mut().rev() {
        // A peak covers the time between its neighbours.
        if let Some((time, of_next)) = next.replace((*moment, *step)) {
            let distance = Moment::since(time, *moment);
            *step = (*step).max(of_next.min(distance));
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc::Receiver;

    use ttmem_recording::{Contents, Encoder, Header, Limits, Tracker};
    use ttmem_sources::Collector;

    use crate::tui::demo::Work;

    const SECOND: u64 = 1_000_000;
    /// A time limit that holds on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A recording of the demonstration under load, and its start.
    fn recorded(seconds: u64, interval_us: u64) -> (tempfile::TempDir, std::path::PathBuf, Moment) {
        let mut work = Work::new(Collector::demo());
        let header = Header { interval_us, ..Header::default() };
        let (mut contents, mut bytes) = Contents::begin(&header);
        let mut encoder = Encoder::new(Limits::default());
        let mut tracker = Tracker::default();
        for second in 0..seconds {
            let snapshot = work.at(Moment(work.begin().0 + second * SECOND));
            if let Some(block) = encoder.push(snapshot.time_us, &snapshot).unwrap() {
                contents.add(&block);
                bytes.extend(block.bytes);
            }
            tracker.observe(&snapshot).into_iter().for_each(|event| encoder.event(event));
        }
        if let Some(block) = encoder.flush() {
            contents.add(&block);
            bytes.extend(block.bytes);
        }
        bytes.extend(contents.end());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.ttmem");
        std::fs::write(&path, bytes).unwrap();
        (folder, path, work.begin())
    }

    fn next(events: &Receiver<Stamped>, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let (_, event) = events.recv_timeout(PATIENCE).unwrap();
            if is_it(&event) {
                return event;
            }
        }
    }

    #[test]
    fn a_recording_is_shown_from_any_moment_to_its_end() {
        let (_folder, path, begin) = recorded(120, SECOND);
        let (sender, events) = sync_channel(64);
        let player = Player::start(&path, Timeline::now(), sender).unwrap();
        let shown = |events: &Receiver<Stamped>| {
            let event = next(events, |event| matches!(event, Event::Sample(_)));
            let Event::Sample(sample) = event else { panic!("{event:?}") };
            assert_eq!(sample.snapshot.time_us.0, sample.at.0);
            sample.at.since(begin) / SECOND
        };
        assert_eq!(shown(&events), 0);
        player.order(Playback::Pause);
        player.order(Playback::Seek(Moment(begin.0 + 90 * SECOND + 5), 0.0));
        assert_eq!(shown(&events), 90);
        let past = next(&events, |event| matches!(event, Event::Past(..)));
        let Event::Past(sought, past, _) = past else { panic!("{past:?}") };
        assert_eq!(sought, Moment(begin.0 + 90 * SECOND + 5));
        assert_eq!(past.history.last(), Some(Moment(begin.0 + 90 * SECOND)));
        player.order(Playback::Play(300.0));
        next(&events, |event| matches!(event, Event::Ended));
        player.order(Playback::Seek(begin, 0.0));
        assert_eq!(shown(&events), 0, "what has ended can be begun again");
    }

    #[test]
    fn an_interval_that_is_not_said_is_found_out() {
        for said in [0, SECOND] {
            let (_folder, path, _) = recorded(20, said);
            assert_eq!(interval(&open(&path).unwrap()), SECOND);
        }
        let (_folder, path, _) = recorded(1, 0);
        assert_eq!(interval(&open(&path).unwrap()), 1);
    }

    #[test]
    fn what_happened_is_told_by_time() {
        let (_folder, path, _) = recorded(120, SECOND);
        let (sender, events) = sync_channel(64);
        let _player = Player::start(&path, Timeline::now(), sender).unwrap();
        let event = next(&events, |event| matches!(event, Event::Happened(_)));
        let Event::Happened(happened) = event else { panic!("{event:?}") };
        assert!(!happened.is_empty() && happened.is_sorted_by_key(|event| event.time));
    }

    #[test]
    fn a_past_is_as_fine_as_the_charts_and_has_every_peak() {
        let sought = Moment(10_000 * SECOND);
        let peak = Moment(sought.0 - 1_800 * SECOND + 1);
        let moments = moments_before(sought, 100_000, &[peak, Moment(5), Moment(sought.0 + 5)]);
        let times: Vec<Moment> = moments.iter().map(|(moment, _)| *moment).collect();
        assert!(times.is_sorted());
        assert_eq!(times.last(), Some(&sought));
        assert!(times.contains(&peak) && !times.contains(&Moment(5)));
        for window in Window::ALL {
            let within = times.iter().filter(|time| **time > sought.before(window.micros()));
            assert!(within.count() >= POINTS, "{window:?}");
        }
        // The gaps are all too short to show in a chart.
        for pair in moments.windows(2) {
            let distance = pair[1].0.since(pair[0].0);
            assert!(distance <= 2 * pair[1].1.max(pair[0].1), "{pair:?}");
        }
    }

    #[test]
    fn what_was_recorded_seldom_is_not_read_often() {
        let moments = moments_before(Moment(100_000 * SECOND), 60 * SECOND, &[]);
        assert_eq!(moments.len(), 60);
        assert!(moments_before(Moment(0), SECOND, &[]).len() <= 1);
    }
}
