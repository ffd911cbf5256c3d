//! Where snapshots come from: a server that collects for everybody, where there is one and it is fit, else a collector of
//! one's own.
//!
//! A server sees what one user may not, and knows what was before. It is used if it looks at this machine, is run by
//! somebody whom this user trusts, is as quick as is asked for and sees no less than this user would. Whatever is wrong
//! with it costs one line: snapshots go on, collected here.

mod fitness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ttmem_model::snapshot::{Host, Process, SCHEMA, Source, SourceStatus, VERSION};
use ttmem_model::{Pid, Snapshot, SourceName};

use crate::client::Client;
use crate::server::socket;
pub use fitness::{Unfit, boot};
use ttmem_root::Root;
use ttmem_root::clock::Clock;
use ttmem_sources::collector::{Collector, L1Look};
use ttmem_sources::source::process::Processes;

/// From the loss of a server to the next try, and from one vain try to the next.
const FIRST_RETRY_US: u64 = 5_000_000;
/// The longest time between two tries.
const LAST_RETRY_US: u64 = 60_000_000;
/// A new state is waited for so long at most: whoever asked can then look after other things.
const PATIENCE_US: u64 = 2_000_000;
/// Command lines that are remembered.
const MAX_COMMANDS: usize = 4096;

/// Which server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// None.
    Nobody,
    /// The first of these that is there, if it is fit.
    Whoever(Vec<PathBuf>),
    /// This one alone: without it there are no snapshots.
    Only(PathBuf),
}

impl Choice {
    /// The servers at the usual places. `runtime` is `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn usual(runtime: Option<PathBuf>) -> Self {
        Self::Whoever(socket::places(runtime))
    }
}

/// A server that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Its version.
    pub ttmem: String,
    /// The time from state to state.
    pub every: Duration,
    /// How many things it may not read.
    pub blind_spots: usize,
}

/// Whether the server at a socket may be used for the machine at a root.
///
/// # Errors
/// If it may not.
pub fn probe(path: &Path, root: &Root) -> Result<Probed, Unfit> {
    let mut client = fitness::connect(path, Duration::ZERO)?;
    fitness::of_server(&client, path, Duration::MAX, root)?;
    let state = client.snapshot().map_err(Unfit::from)?;
    fitness::is_snapshot(&state)?;
    fitness::of_state(&state, &client)?;
    let (every, blind_spots) = (client.interval(), fitness::blind_spots(&state));
    Ok(Probed { ttmem: state.host.ttmem, every, blind_spots })
}

/// Gives snapshots.
#[derive(Debug)]
pub struct Supply {
    collector: Collector,
    choice: Choice,
    /// The longest time from state to state that will do.
    interval: Duration,
    /// How much of what was before is wanted.
    past: Duration,
    link: Option<Link>,
    retry: Retry,
    /// Why there is no server, as a snapshot tells it.
    lack: Option<Source>,
    /// Whether there has been one.
    was_served: bool,
    notices: Vec<String>,
    /// What was said last, which is not said again.
    said: Option<String>,
    commands: Commands,
}

/// A server that is used.
#[derive(Debug)]
struct Link {
    client: Client,
    path: PathBuf,
    history: Vec<Vec<u8>>,
    last: Snapshot,
    /// When its last state came, as the machine has been awake.
    heard_us: u64,
}

/// When the next try is due.
#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    due_us: u64,
    wait_us: u64,
}

impl Retry {
    fn failed(&mut self, now: u64) {
        self.wait_us = (self.wait_us * 2).clamp(FIRST_RETRY_US, LAST_RETRY_US);
        self.due_us = now.saturating_add(self.wait_us);
    }
}

impl Supply {
    /// Snapshots at this interval: of a server of that choice, else of the collector.
    #[must_use]
    pub fn new(collector: Collector, choice: Choice, interval: Duration) -> Self {
        Self {
            collector,
            choice,
            interval,
            past: Duration::ZERO,
            link: None,
            retry: Retry::default(),
            lack: None,
            was_served: false,
            notices: Vec::new(),
            said: None,
            commands: Commands::new(),
        }
    }

    /// The same, and a server's history of so much time is wanted.
    #[must_use]
    pub fn with_past(mut self, past: Duration) -> Self {
        self.past = past;
        self
    }

    /// The next snapshot. A server's next state is waited for, a moment at most; else its last is given again.
    pub fn snapshot(&mut self) -> Snapshot {
        self.take(|collector| L1Look { snapshot: collector.snapshot(), chips: Vec::new() }).snapshot
    }

    /// The same with the cores of every chip whose L1 was read here. A server reads none.
    pub fn look(&mut self) -> L1Look {
        self.take(Collector::look)
    }

    /// What a server says, or else what is collected.
    fn take(&mut self, collect: impl FnOnce(&mut Collector) -> L1Look) -> L1Look {
        if self.choice == Choice::Nobody {
            return collect(&mut self.collector);
        }
        let now = now();
        if self.link.is_none() && now >= self.retry.due_us {
            self.connect(now);
        } else if self.link.is_some() {
            self.follow(now);
        }
        match &self.link {
            Some(link) => L1Look { snapshot: link.last.clone(), chips: Vec::new() },
            None => self.without_server(collect),
        }
    }

    /// What there is to say since the last time, one line each.
    pub fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// What was before the first snapshot, if a server knows it: blocks of a recording, each given once.
    pub fn history(&mut self) -> Vec<Vec<u8>> {
        self.link.as_mut().map(|link| std::mem::take(&mut link.history)).unwrap_or_default()
    }

    /// Takes the server's next state; looks for the server anew if it went away.
    fn follow(&mut self, now: u64) {
        let Some(link) = &mut self.link else { return };
        match link.client.newer(now.saturating_add(PATIENCE_US)) {
            Ok(Some(snapshot)) => {
                link.heard_us = now;
                link.last = snapshot;
                self.accept(now);
            }
            Ok(None) if now.saturating_sub(link.heard_us) <= fitness::patience_us(&link.client) => {
            }
            Ok(None) => {
                let path = link.path.clone();
                self.lose(&path, &Unfit::Silent, now);
            }
            // It was restarted, or we were too slow for it: it may well be there.
            Err(_) => {
                self.link = None;
                self.connect(now);
            }
        }
    }

    fn connect(&mut self, now: u64) {
        let places = match &self.choice {
            Choice::Nobody => return,
            Choice::Whoever(places) => places.clone(),
            Choice::Only(path) => vec![path.clone()],
        };
        let mut refusals = Vec::new();
        for path in places {
            match self.try_connect(&path, now) {
                Ok(()) => return,
                Err(Unfit::Absent) if matches!(self.choice, Choice::Whoever(_)) => {}
                Err(unfit) => refusals.push((path, unfit)),
            }
        }
        match refusals.into_iter().next() {
            Some((path, unfit)) => self.lose(&path, &unfit, now),
            None => {
                self.lack = None;
                self.retry.failed(now);
            }
        }
    }

    fn try_connect(&mut self, path: &Path, now: u64) -> Result<(), Unfit> {
        let mut client = fitness::connect(path, self.past)?;
        let last = client.snapshot().map_err(Unfit::from)?;
        fitness::is_snapshot(&last)?;
        if matches!(self.choice, Choice::Whoever(_)) {
            fitness::of_server(&client, path, self.interval, self.collector.root())?;
            fitness::of_state(&last, &client)?;
            self.compare(&last)?;
        }
        let history = client.history();
        self.link = Some(Link { client, path: path.to_owned(), history, last, heard_us: now });
        self.accept(now);
        self.retry = Retry::default();
        self.lack = None;
        self.was_served = true;
        if self.said.take().is_some() {
            self.notices.push(format!("the server at {} is back", path.display()));
        }
        Ok(())
    }

    /// A server that may not read something is of use only if this user may read even less.
    fn compare(&mut self, served: &Snapshot) -> Result<(), Unfit> {
        let blind = fitness::blind_spots(served);
        if blind > 0 && fitness::blind_spots(&self.collector.snapshot()) <= blind {
            return Err(Unfit::SeesNoMore);
        }
        Ok(())
    }

    /// Says in the server's new state where it comes from.
    fn accept(&mut self, begun: u64) {
        let Some(link) = &mut self.link else { return };
        if fitness::is_here(&link.client, self.collector.root()) {
            fill_commands(&mut link.last, self.collector.root(), &mut self.commands);
        }
        let every = link.client.interval();
        let (path, snapshot) = (link.path.display(), &mut link.last);
        snapshot.sources.retain(|source| source.name != SourceName::Server);
        snapshot.sources.push(Source {
            name: SourceName::Server,
            status: SourceStatus::Ok,
            detail: format!("{path}, every {every:?}, ttmem {}", snapshot.host.ttmem),
            cost_us: now().saturating_sub(begun),
        });
    }

    /// Goes on without the server, and says why.
    fn lose(&mut self, path: &Path, unfit: &Unfit, now: u64) {
        self.link = None;
        self.retry.failed(now);
        let text = one_line(&format!("the server at {} {unfit}", path.display()));
        self.lack = Some(Source {
            name: SourceName::Server,
            status: unfit.status(),
            detail: text.clone(),
            cost_us: 0,
        });
        let (is_worth_a_line, then) = match self.choice {
            // That there is none from the start is the error with which it ends.
            Choice::Only(_) => (self.was_served, "nothing is seen until it is back"),
            Choice::Nobody | Choice::Whoever(_) => (unfit.is_worth_a_line(), "collecting here"),
        };
        if is_worth_a_line && self.said.as_ref() != Some(&text) {
            self.notices.push(format!("{text}; {then}"));
            self.said = Some(text);
        }
    }

    /// What there is without a server: what is collected here; where nothing else than that server will do, a blank.
    fn without_server(&mut self, collect: impl FnOnce(&mut Collector) -> L1Look) -> L1Look {
        let mut look = match self.choice {
            Choice::Only(_) => L1Look { snapshot: blank(), chips: Vec::new() },
            Choice::Nobody | Choice::Whoever(_) => collect(&mut self.collector),
        };
        look.snapshot.sources.extend(self.lack.clone());
        look
    }
}

/// The command lines of processes.
type Commands = BTreeMap<(Pid, u64), String>;

/// A server leaves out the command lines of others. What this user may read of them is filled in again.
fn fill_commands(snapshot: &mut Snapshot, root: &Root, commands: &mut Commands) {
    let is_hidden = |process: &&mut Process| process.command.is_empty();
    let mut known = Commands::new();
    for process in snapshot.processes.iter_mut().filter(is_hidden).take(MAX_COMMANDS) {
        let key = (process.pid, process.start_time);
        let command = commands.remove(&key).unwrap_or_else(|| {
            let mut here = Processes::new(root);
            here.add(process.pid);
            let same = here.get(process.pid).filter(|found| found.start_time == Ok(key.1));
            same.map(|found| found.command.clone()).unwrap_or_default()
        });
        process.command.clone_from(&command);
        known.insert(key, command);
    }
    *commands = known;
}

/// A snapshot that says nothing.
fn blank() -> Snapshot {
    Snapshot {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: Clock::System.now(),
        host: Host { ttmem: env!("CARGO_PKG_VERSION").to_owned(), ..Host::default() },
        demo: false,
        sources: Vec::new(),
        chips: Vec::new(),
        processes: Vec::new(),
        findings: Vec::new(),
    }
}

/// What a server said, fit for one line.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 300;
    text.chars().filter(|character| !character.is_control()).take(SHOWN).collect()
}

/// Microseconds that the machine has been awake.
fn now() -> u64 {
    Clock::System.marks().awake_us
}

#[cfg(test)]
mod tests;
