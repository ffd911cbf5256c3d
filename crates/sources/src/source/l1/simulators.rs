//! Simulated chips: each is read by a thread of its own, because a simulator that runs an op answers after seconds.
//!
//! A pass waits as long as answers come. The chip of a server that is silent has its last values, with their age, and
//! its thread keeps waiting: there is never more than one unanswered question, and none is asked twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use ttmem_model::facts::{Field, L1Content, L1Facts, L1Location};
use ttmem_model::l1::Coordinate;
use ttmem_model::reading::Missing;
use ttmem_model::{Arch, Pid, Timestamp};
use ttmem_root::Root;
use ttmem_root::clock::{Clock, Stopwatch};

use super::simulated::Socket;
use super::{Kernels, L1Request, OpenChip, Surroundings};
use crate::l1::Cost;
use crate::port::simulator::{Dialed, SimulatorPort};
use crate::port::{L1Port, PortChip, PortError};

/// Silence of a server after which a pass does not wait for it.
const SILENCE: Duration = Duration::from_millis(100);
/// Silence of a server that the first pass of a command that asks for L1 waits for.
const FIRST_SILENCE: Duration = Duration::from_secs(2);
/// The longest that a pass waits for servers that answer.
const LONGEST: Duration = Duration::from_secs(2);
/// The longest that the first pass of a command that asks for L1 waits for them.
const FIRST_LONGEST: Duration = Duration::from_secs(10);
/// Time between two looks at the silence of the servers.
const LOOK: Duration = Duration::from_millis(10);
/// Time after which a server that does not answer is given up: an op takes up to a minute on a simulator.
const EXCHANGE: Duration = Duration::from_secs(300);

/// Simulated chips of a host.
#[derive(Debug)]
pub(super) struct Simulators {
    chips: Vec<Simulated>,
    next: u64,
    sender: Sender<(u64, Event)>,
    events: Receiver<(u64, Event)>,
    watch: Stopwatch,
    has_read: bool,
}

/// Results of a pass over simulated chips.
#[derive(Debug)]
pub(super) struct Simulations {
    pub(super) facts: Vec<L1Facts>,
    /// The sockets that answered, and why an answer cannot be used.
    pub(super) failed: Vec<(PathBuf, Option<Missing>)>,
}

/// One simulated chip.
#[derive(Debug)]
struct Simulated {
    number: u64,
    path: PathBuf,
    location: L1Location,
    kernels: Kernels,
    orders: Sender<Order>,
    exchange: Arc<Exchange>,
    arch: Option<Arch>,
    /// True while an order is unanswered.
    is_busy: bool,
    last: Option<(L1Content, Timestamp)>,
    /// The reason that the chip cannot be read; it is opened again at the next pass.
    failed: Option<Missing>,
    /// The port and its reader, once they were asked for.
    returned: Option<OpenChip>,
}

/// Start of the unanswered exchange with a server, in microseconds of a common watch; 0 if there is none.
#[derive(Debug, Default)]
struct Exchange(AtomicU64);

enum Order {
    /// Reads all cores, within the budget and by the layout of this request.
    Sample(L1Request),
    /// Returns the port to its owner.
    Return,
}

enum Event {
    Opened(Arch),
    Failed(Missing),
    Sampled(Field<L1Content>, Timestamp),
    Returned(Box<OpenChip>),
}

impl std::fmt::Debug for Event {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Event")
    }
}

impl Default for Simulators {
    fn default() -> Self {
        let (sender, events) = channel();
        let watch = Clock::System.start();
        Self { chips: Vec::new(), next: 0, sender, events, watch, has_read: false }
    }
}

impl Simulators {
    /// True if there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.chips.is_empty()
    }

    /// True if the socket of this path is open.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.chips.iter().any(|chip| chip.path == path)
    }

    /// The processes that serve the chips.
    pub(super) fn owners(&self) -> impl Iterator<Item = Pid> {
        self.chips.iter().flat_map(|chip| chip.kernels.pids()).copied()
    }

    /// Adds the chip behind a socket. Its thread asks which chip it is.
    pub(super) fn add(&mut self, socket: Socket, dialed: Dialed) -> std::io::Result<()> {
        let owner = dialed.owner();
        let location = socket.location(owner);
        let kernels = Kernels::Of(owner.into_iter().collect());
        let exchange = Arc::new(Exchange::default());
        let (orders, received) = channel();
        let number = self.next;
        let task = Task {
            number,
            location,
            kernels: kernels.clone(),
            watch: self.watch,
            exchange: Arc::clone(&exchange),
            orders: received,
            events: self.sender.clone(),
        };
        thread::Builder::new().name("simulator".to_owned()).spawn(move || task.run(dialed))?;
        self.next += 1;
        self.chips.push(Simulated {
            number,
            path: socket.path,
            location,
            kernels,
            orders,
            exchange,
            arch: None,
            is_busy: false,
            last: None,
            failed: None,
            returned: None,
        });
        Ok(())
    }

    /// Reads every chip, as far as the servers answer. A chip whose server failed is given up.
    pub(super) fn read(&mut self, host: Surroundings<'_>, request: &L1Request) -> Simulations {
        self.take_in();
        for chip in self.chips.iter_mut().filter(|chip| !chip.is_busy) {
            chip.is_busy = chip.orders.send(Order::Sample(request.clone())).is_ok();
        }
        let is_first = request.devices && !self.has_read;
        let (silence, longest) =
            if is_first { (FIRST_SILENCE, FIRST_LONGEST) } else { (SILENCE, LONGEST) };
        self.wait(silence, longest);
        self.has_read |= !self.chips.is_empty();
        let now = self.watch.micros();
        let facts = self.chips.iter().map(|chip| chip.facts(host, now)).collect();
        let answered = self.chips.iter().filter(|chip| !chip.is_busy || chip.failed.is_some());
        let failed = answered.map(|chip| (chip.path.clone(), chip.failed.clone())).collect();
        self.chips.retain(|chip| chip.failed.is_none());
        Simulations { facts, failed }
    }

    /// Waits until no chip has an unanswered order, or the servers are silent.
    fn wait(&mut self, silence: Duration, longest: Duration) {
        let began = self.watch.micros();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        while self.chips.iter().any(|chip| chip.is_busy) {
            let now = self.watch.micros();
            // What was silent before this pass is not waited for again.
            let is_silent = |chip: &Simulated| {
                chip.exchange.silent_for(now).is_some_and(|silent| silent >= micros(silence))
            };
            let mut busy = self.chips.iter().filter(|chip| chip.is_busy);
            if busy.all(is_silent) || now.saturating_sub(began) >= micros(longest) {
                return;
            }
            match self.events.recv_timeout(LOOK) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take_in(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
    }

    fn take(&mut self, (number, event): (u64, Event)) {
        let chip = self.chips.iter_mut().find(|chip| chip.number == number);
        let Some(chip) = chip else { return };
        match event {
            Event::Opened(arch) => chip.arch = Some(arch),
            Event::Sampled(Ok(content), at) => {
                chip.is_busy = false;
                chip.last = Some((content, at));
            }
            Event::Sampled(Err(missing), _) | Event::Failed(missing) => {
                chip.is_busy = false;
                chip.failed = Some(missing);
            }
            Event::Returned(open) => {
                chip.is_busy = false;
                chip.returned = Some(*open);
            }
        }
    }

    /// Takes the ports to these chips from their threads.
    pub(super) fn give_back(&mut self, locations: &[L1Location]) -> Vec<OpenChip> {
        self.take_in();
        for chip in self.chips.iter_mut().filter(|chip| locations.contains(&chip.location)) {
            chip.is_busy = chip.orders.send(Order::Return).is_ok();
        }
        self.wait(FIRST_SILENCE, FIRST_LONGEST);
        let returned = self.chips.iter_mut().filter_map(|chip| chip.returned.take()).collect();
        self.chips.retain(|chip| !locations.contains(&chip.location));
        returned
    }
}

impl Simulated {
    fn facts(&self, host: Surroundings<'_>, now: u64) -> L1Facts {
        let silent = || {
            let micros = self.exchange.silent_for(now).unwrap_or(0);
            let (seconds, tenths) = (micros / 1_000_000, micros / 100_000 % 10);
            Missing::failed(format!(
                "timed out: the simulation server has not answered for {seconds}.{tenths} s; it runs an op, is stopped or \
                 is stuck"
            ))
        };
        let (content, read_at) = match (&self.failed, &self.last) {
            (Some(missing), _) => (Err(missing.clone()), host.clock.now()),
            (None, Some((content, at))) => (Ok(content.clone()), *at),
            (None, None) => (Err(silent()), host.clock.now()),
        };
        let names = match &content {
            Ok(_) => self.kernels.names(host),
            Err(_) => Err(Missing::not_read("L1 was not read")),
        };
        L1Facts {
            location: self.location,
            port: self.path.display().to_string(),
            arch: self.arch,
            content,
            names,
            read_at,
        }
    }
}

impl Exchange {
    fn begin(&self, watch: Stopwatch) {
        self.0.store(watch.micros().max(1), Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Microseconds that the server has been silent; `None` if it owes no answer.
    fn silent_for(&self, now: u64) -> Option<u64> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            began => Some(now.saturating_sub(began)),
        }
    }
}

/// The work of a thread.
struct Task {
    number: u64,
    location: L1Location,
    kernels: Kernels,
    watch: Stopwatch,
    exchange: Arc<Exchange>,
    orders: Receiver<Order>,
    events: Sender<(u64, Event)>,
}

impl Task {
    fn run(self, dialed: Dialed) {
        self.exchange.begin(self.watch);
        let opened = SimulatorPort::ask(dialed, EXCHANGE);
        self.exchange.end();
        let port = match opened {
            Ok(port) => port,
            Err(error) => return self.send(Event::Failed(Missing::failed(error.to_string()))),
        };
        self.send(Event::Opened(port.chip().arch));
        let greeting = Cost { reads: port.requests(), bytes: port.greeting_bytes() };
        let (exchange, watch) = (Arc::clone(&self.exchange), self.watch);
        let port = Watched { port, exchange, watch };
        let mut chip = OpenChip::new(self.location, Box::new(port), self.kernels.clone());
        chip.greeting = greeting;
        let root = Root::system();
        while let Ok(order) = self.orders.recv() {
            match order {
                Order::Return => return self.send(Event::Returned(Box::new(chip))),
                Order::Sample(request) => {
                    let content = chip.content(&root, Clock::System, &request);
                    let is_broken = content.is_err();
                    self.send(Event::Sampled(content, Clock::System.now()));
                    if is_broken {
                        return;
                    }
                }
            }
        }
    }

    fn send(&self, event: Event) {
        // Nothing receives it once the collector is gone.
        drop(self.events.send((self.number, event)));
    }
}

/// A port that notes when each exchange began.
struct Watched {
    port: SimulatorPort,
    exchange: Arc<Exchange>,
    watch: Stopwatch,
}

impl L1Port for Watched {
    fn chip(&self) -> &PortChip {
        self.port.chip()
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        self.exchange.begin(self.watch);
        let read = self.port.read(core, address, buffer);
        self.exchange.end();
        read
    }

    fn worthwhile_gap(&self) -> u64 {
        self.port.worthwhile_gap()
    }
}
