//! Reading the host on threads of its own, so that a slow source never blocks the screen.
//!
//! Each group of sources has one thread. It takes requests through a channel of capacity one and sends results back;
//! the requester continues at once, and notices a slow source by its delay. A thread that is blocked in the kernel
//! cannot be stopped: it is abandoned, holds its one request, and ends with the process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ttmem_model::Snapshot;
use ttmem_root::{Clock, Root};
use ttmem_service::Supply;
use ttmem_sources::Collector;

use super::app::{CoreRequest, Event, ListKind, Pace, Sample};
use super::cores::CoreLook;
use super::demo::Work;
use super::details;
use super::history::Moment;
use super::past;
use super::track::ProcessId;

/// The stack of a reader thread. The deepest path of a reader of a host needs a twentieth of it; snapshots of a
/// recording are nested as deep as their JSON.
const STACK_BYTES: usize = 1 << 20;

/// A time line that never goes back: the wall clock at the start, and the monotonic clock from there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    origin: Moment,
    start: Instant,
}

impl Timeline {
    /// Creates a time line that starts now.
    #[must_use]
    pub(crate) fn now() -> Self {
        Self::from(Moment(Clock::System.now().0))
    }

    /// Creates a time line on which a given time is now.
    #[must_use]
    pub(crate) fn from(origin: Moment) -> Self {
        Self { origin, start: Instant::now() }
    }

    /// Returns the current time.
    #[must_use]
    pub(crate) fn moment(&self) -> Moment {
        let elapsed = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Moment(self.origin.0.saturating_add(elapsed))
    }
}

/// A constructor that runs on the thread that uses the value.
pub(crate) type Maker<T> = Box<dyn FnOnce() -> Result<T, String> + Send>;

/// Creates a collector: a reader of L1 stays on one thread.
pub(crate) type Recipe = Maker<Collector>;

/// Reads a list of a moment: [`Event::Buffers`] or [`Event::Ops`].
pub(crate) type Lister = Box<dyn FnMut(ListKind, Moment) -> Event>;

/// A source of samples or lists.
pub(crate) enum Feed<T> {
    /// A source that is created on its thread: a host, or a recording.
    Made(Maker<T>),
    /// A made-up host under load.
    Work(Box<Work>),
}

impl<T> std::fmt::Debug for Feed<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Made(_) => "Made",
            Self::Work(_) => "Work",
        })
    }
}

/// The source of samples.
pub(crate) type Samples = Feed<Supply>;

/// The source of lists.
pub(crate) type Listing = Feed<Lister>;

impl Samples {
    fn open(self) -> Result<Open, String> {
        match self {
            Self::Made(recipe) => recipe().map(|supply| Open::Host(Box::new(supply))),
            Self::Work(work) => Ok(Open::Work(work)),
        }
    }
}

/// The opened source, on its thread.
enum Open {
    Host(Box<Supply>),
    Work(Box<Work>),
}

impl Open {
    fn sample(&mut self, at: Moment) -> Snapshot {
        match self {
            Self::Host(supply) => supply.snapshot(),
            Self::Work(work) => work.at(at),
        }
    }

    /// Returns what to show beside the sample.
    fn aside(&mut self, sample: &Sample) -> Vec<Event> {
        match self {
            Self::Host(supply) => past::events(supply, sample),
            Self::Work(_) => Vec::new(),
        }
    }
}

impl Listing {
    /// Opens the source on its thread.
    fn open_list(self) -> Result<Lister, String> {
        match self {
            Self::Made(recipe) => recipe(),
            Self::Work(work) => Ok(Box::new(move |kind, at| match kind {
                ListKind::Buffers => Event::Buffers(at, Box::new(work.buffers_at(at))),
                ListKind::Ops => Event::Ops(at, work.ops_at(at)),
            })),
        }
    }
}

/// A message to the loop, with its time.
pub(crate) type Stamped = (Moment, Event);

/// Samples at an interval.
#[derive(Debug)]
pub(crate) struct Sampler {
    interval: SyncSender<Duration>,
}

impl Sampler {
    /// Starts sampling.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(
        feed: Samples,
        root: Root,
        timeline: Timeline,
        interval: Duration,
        events: SyncSender<Stamped>,
    ) -> std::io::Result<Self> {
        let (sender, changes) = sync_channel(1);
        let boot = details::boot(&root);
        let work = move || {
            let mut interval = interval;
            let mut feed = match feed.open() {
                Ok(feed) => feed,
                Err(why) => {
                    let sent = events.send((timeline.moment(), Event::Done(Err(why))));
                    return drop(sent);
                }
            };
            let mut last = None;
            loop {
                let begun = Instant::now();
                let snapshot = Arc::new(feed.sample(timeline.moment()));
                let at = past::taken(&snapshot, timeline.moment());
                let sample = Sample { at, snapshot, boot };
                let aside = feed.aside(&sample);
                // A server that is slower than the screen returns one snapshot twice.
                let is_new = last.replace(at) != Some(at);
                let sample = is_new.then_some(Event::Sample(sample));
                for event in sample.into_iter().chain(aside) {
                    if events.send((timeline.moment(), event)).is_err() {
                        return;
                    }
                }
                match pause(&changes, begun, interval) {
                    Some(next) => interval = next,
                    None => return,
                }
            }
        };
        thread::Builder::new().name("sampler".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Self { interval: sender })
    }

    /// Changes the sampling interval.
    pub(crate) fn set_interval(&self, interval: Duration) {
        // A change that is still queued behind a slow source is not replaced: the loop sends it again with the next
        // key.
        match self.interval.try_send(interval) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Waits for the next sample; returns the interval from then on, or `None` at the end.
fn pause(changes: &Receiver<Duration>, begun: Instant, mut interval: Duration) -> Option<Duration> {
    loop {
        let rest = interval.saturating_sub(begun.elapsed());
        match changes.recv_timeout(rest) {
            Ok(change) => interval = change,
            Err(RecvTimeoutError::Timeout) => return Some(interval),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Reads lists of what agents recorded, on a thread of its own and only while the view of one is open.
#[derive(Debug)]
pub(crate) struct ListReader {
    asks: SyncSender<Option<(ListKind, Pace)>>,
    asked: Option<(ListKind, Pace)>,
}

impl ListReader {
    /// Starts the thread, which waits until the view opens.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(
        listing: Listing,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> std::io::Result<Self> {
        let (sender, asks) = sync_channel::<Option<(ListKind, Pace)>>(4);
        let work = move || {
            // Open the source on first use.
            let mut wanted = match asks.iter().flatten().next() {
                Some(pace) => Some(pace),
                None => return,
            };
            let mut list = match listing.open_list() {
                Ok(list) => list,
                Err(why) => {
                    let sent = events.send((timeline.moment(), Event::Done(Err(why))));
                    return drop(sent);
                }
            };
            loop {
                // Scrolling through a recording requests more moments than there is time for.
                wanted = asks.try_iter().last().unwrap_or(wanted);
                let begun = Instant::now();
                if let Some((kind, pace)) = wanted {
                    let at = match pace {
                        Pace::Every(_) => timeline.moment(),
                        Pace::Once(moment) => moment,
                    };
                    let listed = list(kind, at);
                    if events.send((timeline.moment(), listed)).is_err() {
                        return;
                    }
                }
                let answer = match wanted {
                    // A process may have very many buffers: reading them takes at most a tenth of a processor.
                    Some((_, Pace::Every(interval))) => {
                        let rest = interval.max(begun.elapsed() * 10);
                        asks.recv_timeout(rest.saturating_sub(begun.elapsed()))
                    }
                    _ => asks.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
                };
                match answer {
                    Ok(change) => wanted = change,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        thread::Builder::new().name("lists".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Self { asks: sender, asked: None })
    }

    /// Starts or stops reading a list.
    pub(crate) fn want(&mut self, list: Option<(ListKind, Pace)>) {
        if self.asked != list && self.asks.try_send(list).is_ok() {
            // A request that did not get through is sent again with the next event.
            self.asked = list;
        }
    }
}

/// A source of the L1 of worker cores.
pub(crate) enum CoreFeed {
    /// A collector that reads it repeatedly.
    Collector(Box<Collector>),
    /// The recorded cores, read once.
    Recording(Box<CoreLook>),
}

/// Creates a source of L1: with devices, or only what needs none.
pub(crate) type RecipeOfL1 = Box<dyn Fn(CoreRequest) -> Maker<CoreFeed> + Send>;

/// Reads the L1 of worker cores on a thread of its own: a device that blocks delays nothing else.
#[derive(Debug)]
pub(crate) struct CoreReader {
    asks: SyncSender<CoreRequest>,
}

impl CoreReader {
    /// Starts the thread, which waits for a request.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(
        recipe: RecipeOfL1,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> std::io::Result<Self> {
        /// The least pause between reads. L1 is read over the NOC that the workload uses.
        const INTERVAL: Duration = Duration::from_secs(1);
        let (sender, asks) = sync_channel::<CoreRequest>(4);
        let work = move || {
            let mut collector: Option<Box<Collector>> = None;
            loop {
                let ask = match &mut collector {
                    None => asks.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
                    Some(collector) => {
                        let begun = Instant::now();
                        let look = CoreLook::live(&collector.look());
                        let look = Event::Cores(Box::new(look));
                        if events.send((timeline.moment(), look)).is_err() {
                            return;
                        }
                        // As for lists: segments with very many buffers take at most a tenth of a processor.
                        asks.recv_timeout(INTERVAL.max(begun.elapsed() * 10))
                    }
                };
                match ask {
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(CoreRequest::Nothing) => collector = None,
                    Ok(ask) => {
                        let event = match recipe(ask)() {
                            Ok(CoreFeed::Collector(made)) => {
                                collector = Some(made);
                                continue;
                            }
                            Ok(CoreFeed::Recording(look)) => Event::Cores(look),
                            Err(why) => Event::Done(Err(why)),
                        };
                        if events.send((timeline.moment(), event)).is_err() {
                            return;
                        }
                    }
                }
            }
        };
        thread::Builder::new().name("l1".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Self { asks: sender })
    }

    /// Starts or stops reading L1.
    pub(crate) fn ask(&self, ask: CoreRequest) {
        match self.asks.try_send(ask) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Reads the details of processes.
#[derive(Debug)]
pub(crate) struct DetailsReader {
    requests: SyncSender<ProcessId>,
}

impl DetailsReader {
    /// Starts the thread, which waits for requests.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn start(
        root: Root,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> std::io::Result<Self> {
        let (sender, requests) = sync_channel::<ProcessId>(1);
        let work = move || {
            for process in requests {
                let found = details::read(&root, process.pid);
                if events.send((timeline.moment(), Event::Details(process, found))).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("details".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Self { requests: sender })
    }

    /// Requests the details of a process, unless the previous request is still running.
    pub(crate) fn ask(&self, process: ProcessId) {
        match self.requests.try_send(process) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}
