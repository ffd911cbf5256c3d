//! The source of snapshots: a server that samples for all clients, if there is a suitable one, else a collector in this
//! process.
//!
//! A server may see more than the user, and has history. It is used if it samples this machine, is run by a trusted
//! user, is as fast as requested and sees at least what this user would. Any failure costs one line: snapshots
//! continue, sampled in this process.

mod fitness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ttmem_model::facts::Facts;
use ttmem_model::snapshot::{Host, Process, SCHEMA, Source, SourceStatus, VERSION};
use ttmem_model::{Pid, Snapshot, SourceName};

use crate::client::Client;
use crate::server::socket;
pub use fitness::{Unfit, boot};
use ttmem_root::Root;
use ttmem_root::clock::Clock;
use ttmem_sources::collector::{Collector, L1Look};
use ttmem_sources::source::process::Processes;

/// Microseconds between the loss of a server and the first retry.
const FIRST_RETRY_US: u64 = 5_000_000;
/// The longest interval between retries.
const LAST_RETRY_US: u64 = 60_000_000;
/// The longest wait for a new state: the caller may have other work.
const PATIENCE_US: u64 = 2_000_000;
/// The most command lines that are cached.
const MAX_COMMANDS: usize = 4096;

/// The choice of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No server is used.
    NoServer,
    /// The first of these that exists, if it is suitable.
    Any(Vec<PathBuf>),
    /// This server alone: without it there are no snapshots.
    Only(PathBuf),
}

impl Choice {
    /// Returns the servers at the default paths. `runtime` is `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn usual(runtime: Option<PathBuf>) -> Self {
        Self::Any(socket::paths(runtime))
    }
}

/// A server that passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Version of the server's ttmem.
    pub ttmem: String,
    /// The interval between states.
    pub every: Duration,
    /// The number of sources and files that it cannot read.
    pub blind_spots: usize,
}

/// Checks the server at a socket for the machine at a root.
///
/// # Errors
/// If it cannot be used.
pub fn probe(path: &Path, root: &Root) -> Result<Probed, Unfit> {
    let mut client = fitness::connect(path, Duration::ZERO, false)?;
    fitness::of_server(&client, path, Duration::MAX, root)?;
    let state = client.snapshot().map_err(Unfit::from)?;
    fitness::is_snapshot(&state)?;
    fitness::of_state(&state, &client)?;
    let (every, blind_spots) = (client.interval(), fitness::blind_spots(&state));
    Ok(Probed { ttmem: state.host.ttmem, every, blind_spots })
}

/// The source of snapshots: a server, or a collector of this process.
#[derive(Debug)]
pub struct Supply {
    collector: Collector,
    choice: Choice,
    /// The longest acceptable interval between states.
    interval: Duration,
    /// The requested time span of history.
    past: Duration,
    /// True if the facts of each state are requested.
    wants_facts: bool,
    link: Option<Link>,
    retry: Retry,
    /// The reason that there is no server, for the snapshot.
    lack: Option<Source>,
    /// True if there has been one.
    was_served: bool,
    notices: Vec<String>,
    /// The last message, which is not repeated.
    said: Option<String>,
    commands: Commands,
}

/// A server in use.
#[derive(Debug)]
struct Link {
    client: Client,
    path: PathBuf,
    history: Vec<Vec<u8>>,
    last: Snapshot,
    /// The facts of its last state, until they are returned.
    facts: Option<Facts>,
    /// Arrival time of its last state, in microseconds that the machine was awake.
    heard_us: u64,
}

/// The time of the next retry.
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
    /// Creates a source of snapshots at this interval: from a chosen server, else from the collector.
    #[must_use]
    pub fn new(collector: Collector, choice: Choice, interval: Duration) -> Self {
        Self {
            collector,
            choice,
            interval,
            past: Duration::ZERO,
            wants_facts: false,
            link: None,
            retry: Retry::default(),
            lack: None,
            was_served: false,
            notices: Vec::new(),
            said: None,
            commands: Commands::new(),
        }
    }

    /// Requests a time span of history from the server.
    #[must_use]
    pub fn with_past(mut self, past: Duration) -> Self {
        self.past = past;
        self
    }

    /// Requests the facts of each state from the server: a recording keeps them.
    #[must_use]
    pub fn with_facts(mut self) -> Self {
        self.wants_facts = true;
        self
    }

    /// Returns the next snapshot. Waits briefly for a server's next state; otherwise returns its last one again.
    pub fn snapshot(&mut self) -> Snapshot {
        self.take(|collector| alone(collector.snapshot())).snapshot
    }

    /// Returns the next snapshot with its facts, and with the cores of every chip whose L1 was read here. A server reads
    /// none. Its facts are returned once, and only if they were requested.
    pub fn look(&mut self) -> L1Look {
        self.take(Collector::look)
    }

    /// Returns the server's snapshot, or else the collector's.
    fn take(&mut self, collect: impl FnOnce(&mut Collector) -> L1Look) -> L1Look {
        if self.choice == Choice::NoServer {
            return collect(&mut self.collector);
        }
        let now = now();
        if self.link.is_none() && now >= self.retry.due_us {
            self.connect(now);
        } else if self.link.is_some() {
            self.follow(now);
        }
        match &mut self.link {
            Some(link) => {
                let facts = link.facts.take().map(Arc::new);
                L1Look { facts, ..alone(link.last.clone()) }
            }
            None => self.without_server(collect),
        }
    }

    /// Takes the messages since the last call, one line each.
    pub fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Takes the history before the first snapshot, if a server has it: blocks of a recording, each returned once.
    pub fn history(&mut self) -> Vec<Vec<u8>> {
        self.link.as_mut().map(|link| std::mem::take(&mut link.history)).unwrap_or_default()
    }

    /// Receives the server's next state; looks for the server again if it is gone.
    fn follow(&mut self, now: u64) {
        let Some(link) = &mut self.link else { return };
        match link.client.newer(now.saturating_add(PATIENCE_US)) {
            Ok(Some(snapshot)) => {
                link.heard_us = now;
                link.facts = link.client.facts(snapshot.time_us);
                link.last = snapshot;
                self.accept(now);
            }
            Ok(None) if now.saturating_sub(link.heard_us) <= fitness::patience_us(&link.client) => {
            }
            Ok(None) => {
                let path = link.path.clone();
                self.lose(&path, &Unfit::Silent, now);
            }
            // It was restarted, or this client was too slow for it: it may be running.
            Err(_) => {
                self.link = None;
                self.connect(now);
            }
        }
    }

    fn connect(&mut self, now: u64) {
        let paths = match &self.choice {
            Choice::NoServer => return,
            Choice::Any(paths) => paths.clone(),
            Choice::Only(path) => vec![path.clone()],
        };
        let mut refusals = Vec::new();
        for path in paths {
            match self.try_connect(&path, now) {
                Ok(()) => return,
                Err(Unfit::Absent) if matches!(self.choice, Choice::Any(_)) => {}
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
        let mut client = fitness::connect(path, self.past, self.wants_facts)?;
        let last = client.snapshot().map_err(Unfit::from)?;
        fitness::is_snapshot(&last)?;
        if matches!(self.choice, Choice::Any(_)) {
            fitness::of_server(&client, path, self.interval, self.collector.root())?;
            fitness::of_state(&last, &client)?;
            self.compare(&last)?;
        }
        let history = client.history();
        let facts = client.facts(last.time_us);
        let path = path.to_owned();
        let shown = path.display().to_string();
        self.link = Some(Link { client, path, history, last, facts, heard_us: now });
        self.accept(now);
        self.retry = Retry::default();
        self.lack = None;
        self.was_served = true;
        if self.said.take().is_some() {
            self.notices.push(format!("the server at {shown} is back"));
        }
        Ok(())
    }

    /// Checks the permissions of a server: one with fewer than all is useful only if this user has even fewer.
    fn compare(&mut self, served: &Snapshot) -> Result<(), Unfit> {
        let blind = fitness::blind_spots(served);
        if blind > 0 && fitness::blind_spots(&self.collector.snapshot()) <= blind {
            return Err(Unfit::SeesNoMore);
        }
        Ok(())
    }

    /// Adds the server as a source to its new state.
    fn accept(&mut self, begun: u64) {
        let Some(link) = &mut self.link else { return };
        if fitness::is_here(&link.client, self.collector.root()) {
            fill_commands(&mut link.last, self.collector.root(), &mut self.commands);
        }
        let every = link.client.interval();
        let (path, snapshot) = (link.path.display(), &mut link.last);
        let source = Source {
            name: SourceName::Server,
            status: SourceStatus::Ok,
            detail: format!("{path}, every {every:?}, ttmem {}", snapshot.host.ttmem),
            cost_us: now().saturating_sub(begun),
        };
        if let Some(facts) = &mut link.facts {
            copy_commands(snapshot, facts);
            name_server(&mut facts.sources, source.clone());
        }
        name_server(&mut snapshot.sources, source);
    }

    /// Continues without the server, and reports the reason.
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
            // A server that is missing from the start is the error that ends the command.
            Choice::Only(_) => (self.was_served, "no snapshots until it is back"),
            Choice::NoServer | Choice::Any(_) => (unfit.is_worth_a_line(), "reading directly"),
        };
        if is_worth_a_line && self.said.as_ref() != Some(&text) {
            self.notices.push(format!("{text}; {then}"));
            self.said = Some(text);
        }
    }

    /// Returns the snapshot without a server: the collector's, or a missing one if only that server is allowed.
    fn without_server(&mut self, collect: impl FnOnce(&mut Collector) -> L1Look) -> L1Look {
        let mut look = match self.choice {
            Choice::Only(_) => alone(blank()),
            Choice::NoServer | Choice::Any(_) => collect(&mut self.collector),
        };
        if let Some(lack) = &self.lack {
            look.snapshot.sources.push(lack.clone());
            if let Some(facts) = &mut look.facts {
                Arc::make_mut(facts).sources.push(lack.clone());
            }
        }
        look
    }
}

/// The command lines of processes.
type Commands = BTreeMap<(Pid, u64), String>;

/// Adds the command lines that this user may read. A server omits those of other users.
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

/// Adds the server that a state comes from, instead of one that the server itself has named.
fn name_server(sources: &mut Vec<Source>, server: Source) {
    sources.retain(|source| source.name != SourceName::Server);
    sources.push(server);
}

/// Adds the command lines of a snapshot to the facts that it was merged from.
fn copy_commands(snapshot: &Snapshot, facts: &mut Facts) {
    for process in &snapshot.processes {
        let known = facts.processes.get_mut(&process.pid);
        let known = known.filter(|known| known.start_time == Ok(process.start_time));
        if let Some(known) = known.filter(|known| known.command.is_empty()) {
            known.command.clone_from(&process.command);
        }
    }
}

/// Returns a snapshot without facts.
fn alone(snapshot: Snapshot) -> L1Look {
    L1Look { snapshot, facts: None }
}

/// Returns an empty snapshot.
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

/// Formats a server's message for one line.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 300;
    text.chars().filter(|character| !character.is_control()).take(SHOWN).collect()
}

/// Returns the microseconds that the machine was awake.
fn now() -> u64 {
    Clock::System.marks().awake_us
}

#[cfg(test)]
mod tests;
