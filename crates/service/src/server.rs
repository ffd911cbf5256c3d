//! The server: one collector, many clients.
//!
//! A client receives the whole state and then changes. The server never waits: data that a client does not read in time
//! is queued up to a bound, and a client beyond it is dropped. A client that requests facts gets those of each state
//! that it keeps up with. Every client that may connect sees all numbers; the command lines of other users' processes
//! are left out unless `share_commands` says otherwise.

pub mod http;
mod peer;
pub mod push;
pub mod socket;
mod view;
mod waker;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use ttmem_model::facts::Facts;
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::wire::{FrameKind, PROTOCOL, Welcome, frame};

use crate::history::History;
use peer::{Peer, Wish};
use socket::Socket;
use ttmem_root::Root;
use ttmem_root::clock::Clock;
use ttmem_sources::source::process::Users;
use view::View;
pub use view::without_commands;
pub use waker::Waker;
use waker::Wakes;

/// The most clients.
const MAX_CLIENTS: usize = 256;
/// The most clients of one user.
const MAX_OF_USER: usize = 64;
/// A state is old if the next one is this many microseconds later than three intervals.
const OVERDUE_US: u64 = 2_000_000;

/// The limits of time of clients that are not live are checked this often.
const ATTENTION: Duration = Duration::from_millis(200);

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path of its socket.
    pub socket: PathBuf,
    /// The interval between states.
    pub interval: Duration,
    /// The time span of the history.
    pub history: Duration,
    /// The most bytes of the history.
    pub history_bytes: u64,
    /// True to show command lines of all users to every client.
    pub share_commands: bool,
    /// The boot id of the machine that is sampled; `None` for a made-up or captured one.
    pub boot: Option<String>,
}

/// The class of a viewer, which decides the visible command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Viewer {
    /// Root, the server's own user, or any user if command lines are shared.
    All,
    /// A user, by uid.
    User(u32),
}

/// A server that listens on its socket.
#[derive(Debug)]
pub struct Server {
    options: Options,
    socket: Socket,
    wakes: Wakes,
    root: Root,
    users: Users,
    peers: Vec<Peer>,
    views: BTreeMap<Viewer, View>,
    latest: Option<Arc<Snapshot>>,
    /// The facts of the newest state, if they are known.
    facts: Option<Arc<Facts>>,
    /// Time of publication, in microseconds that the machine was awake.
    published_us: u64,
    history: History,
    dropped: u64,
}

impl Server {
    /// Listens on its socket. `root` is the host that provides user names.
    ///
    /// # Errors
    /// If another server is running, or the socket cannot be created.
    pub fn bind(options: Options, root: Root) -> io::Result<Self> {
        let socket = Socket::bind(&options.socket)?;
        let history = History::new(options.history, options.history_bytes);
        Ok(Self {
            options,
            socket,
            wakes: Wakes::new()?,
            root,
            users: Users::default(),
            peers: Vec::new(),
            views: BTreeMap::new(),
            latest: None,
            facts: None,
            published_us: 0,
            history,
            dropped: 0,
        })
    }

    /// Returns what ends the wait of [`Self::serve_until`] from another thread.
    ///
    /// # Errors
    /// If the system refuses another file.
    pub fn waker(&self) -> io::Result<Waker> {
        self.wakes.waker()
    }

    /// Returns the number of clients.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.peers.len()
    }

    /// Returns the number of clients that were dropped for being slow or invalid.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Queues the next state for every client, and the facts that it was merged from, if they are known, for clients that
    /// request them. Returns the state without command lines.
    pub fn publish(&mut self, snapshot: Snapshot, facts: Option<Arc<Facts>>) -> Arc<Snapshot> {
        let anonymous = Arc::new(without_commands(&snapshot, None));
        // A state that cannot be written as JSON cannot be sent either; the previous one stays.
        if self.history.push(&anonymous).is_ok() {
            self.queue(Arc::new(snapshot), facts);
            self.send();
        }
        anonymous
    }

    /// Queues the next state for every client.
    fn queue(&mut self, snapshot: Arc<Snapshot>, facts: Option<Arc<Facts>>) {
        self.latest = Some(Arc::clone(&snapshot));
        self.facts = facts;
        self.published_us = Clock::System.marks().awake_us;
        let peers = &self.peers;
        self.views.retain(|viewer, _| peers.iter().any(|peer| sees(peer, *viewer)));
        for (viewer, view) in &mut self.views {
            let name = match viewer {
                Viewer::All => None,
                Viewer::User(uid) => Some(self.users.name(&self.root, *uid)),
            };
            let frame = view.push(&snapshot, name.as_deref());
            let mut own =
                self.peers.iter_mut().filter(|peer| sees(peer, *viewer)).collect::<Vec<_>>();
            let is_wanted = own.iter().any(|peer| peer.wants_facts());
            let needs_all = own.iter().any(|peer| peer.needs_facts());
            let facts = self.facts.as_deref().filter(|_| is_wanted);
            let facts = view.push_facts(facts, name.as_deref(), needs_all);
            for peer in &mut own {
                peer.queue_facts(&facts);
                peer.queue(Arc::clone(&frame));
            }
        }
    }

    /// Serves until the machine was awake for that many microseconds, or another thread wakes it.
    ///
    /// # Errors
    /// If the system call for waiting fails.
    pub fn serve_until(&mut self, awake_us: u64) -> io::Result<()> {
        loop {
            let now = Clock::System.marks().awake_us;
            let left = awake_us.saturating_sub(now);
            let (is_called, is_woken) = self.wait(Duration::from_micros(left))?;
            if is_called {
                self.accept();
            }
            self.receive(now);
            self.send();
            if left == 0 || is_woken {
                return Ok(());
            }
        }
    }

    /// Waits for a client or for being woken, and notes which clients have something to read. Returns whether another
    /// client wants to connect, and whether it was woken.
    fn wait(&mut self, mut longest: Duration) -> io::Result<(bool, bool)> {
        if !self.peers.iter().all(Peer::is_live) {
            longest = longest.min(ATTENTION);
        }
        let mut watched = Vec::with_capacity(self.peers.len() + 2);
        watched.push(PollFd::new(&self.socket.listener, PollFlags::IN));
        watched.push(PollFd::new(&self.wakes, PollFlags::IN));
        for peer in &self.peers {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, peer.has_queued());
            watched.push(PollFd::new(peer.stream(), flags));
        }
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // A client that left is readable, too.
        let is_readable = |watched: &PollFd<'_>| watched.revents().intersects(!PollFlags::OUT);
        let readable: Vec<bool> = watched.iter().map(is_readable).collect();
        for (peer, readable) in self.peers.iter_mut().zip(readable.iter().skip(2)) {
            peer.set_readable(*readable);
        }
        let is_woken = readable.get(1) == Some(&true);
        if is_woken {
            self.wakes.clear();
        }
        Ok((readable.first() == Some(&true), is_woken))
    }

    fn accept(&mut self) {
        let own = rustix::process::geteuid().as_raw();
        while let Ok((stream, _)) = self.socket.listener.accept() {
            // A peer without a user is treated as an unknown user.
            let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { continue };
            let uid = peer.uid.as_raw();
            let sees_all = self.options.share_commands || uid == 0 || uid == own;
            let viewer = if sees_all { Viewer::All } else { Viewer::User(uid) };
            let now = Clock::System.marks().awake_us;
            let Ok(mut peer) = Peer::new(stream, viewer, uid, now) else { continue };
            match self.make_room(uid) {
                Ok(()) => self.peers.push(peer),
                Err(why) => peer.refuse(why),
            }
        }
    }

    /// Makes room for a client of a user. Where there are too many, drops the oldest that has sent no greeting: of the same
    /// user, or of the user with the most; else a client of a user with several, if this one has none.
    fn make_room(&mut self, uid: u32) -> Result<(), &'static str> {
        let count = |uid: u32| self.peers.iter().filter(|peer| peer.uid() == uid).count();
        let own = count(uid);
        if own < MAX_OF_USER && self.peers.len() < MAX_CLIENTS {
            return Ok(());
        }
        let most = self.peers.iter().map(Peer::uid).max_by_key(|uid| count(*uid));
        let user = if own >= MAX_OF_USER { uid } else { most.unwrap_or(uid) };
        let is_its = |peer: &Peer| peer.uid() == user;
        let idle = self.peers.iter().position(|peer| is_its(peer) && peer.is_idle());
        let newest = || self.peers.iter().rposition(is_its).filter(|_| own == 0);
        let Some(index) = idle.or_else(newest) else {
            return Err("the server has too many clients of this user");
        };
        self.peers.remove(index).refuse("the server has too many clients");
        self.dropped += 1;
        Ok(())
    }

    fn receive(&mut self, now: u64) {
        let mut peers = std::mem::take(&mut self.peers);
        peers.retain_mut(|peer| match peer.receive(now) {
            Wish::Nothing => true,
            Wish::Begin { history_us } => {
                self.begin(peer, history_us);
                let Some(seconds) = self.overdue(now) else { return true };
                // What is queued goes before the reason, if the client takes it.
                let _is_there = peer.send();
                peer.refuse(&format!(
                    "its newest state is {seconds} s old, since a source does not answer"
                ));
                false
            }
            Wish::Leave => false,
            Wish::Refuse(why) => {
                peer.refuse(why);
                self.dropped += 1;
                false
            }
        });
        self.peers = peers;
    }

    /// Returns the age of the newest state in seconds if it is too old to be served.
    fn overdue(&self, now: u64) -> Option<u64> {
        let interval = u64::try_from(self.options.interval.as_micros()).unwrap_or(u64::MAX);
        let patience = interval.saturating_mul(3).saturating_add(OVERDUE_US);
        let age = now.saturating_sub(self.published_us);
        (self.latest.is_some() && age > patience).then_some(age / 1_000_000)
    }

    /// Greets a client, and sends the requested history as it is read, and then the whole state.
    fn begin(&mut self, peer: &mut Peer, history_us: u64) {
        let welcome = Welcome {
            version: PROTOCOL,
            ttmem: env!("CARGO_PKG_VERSION").to_owned(),
            interval_us: u64::try_from(self.options.interval.as_micros()).unwrap_or(u64::MAX),
            boot: self.options.boot.clone(),
        };
        let welcome = serde_json::to_vec(&welcome).unwrap_or_default();
        let latest = self.latest.as_ref().map(|latest| latest.time_us.0).unwrap_or_default();
        let from = match history_us {
            0 => u64::MAX,
            _ => self.history.since(Timestamp(latest.saturating_sub(history_us))),
        };
        peer.give_past(frame(FrameKind::Welcome, &welcome).into(), from);
    }

    /// Queues the next block of history or the whole state for a client that is ready for it. Returns false if it is
    /// not.
    fn go_on(&mut self, peer: &mut Peer) -> bool {
        let Some(number) = peer.next_past() else { return false };
        if let Some((block, next)) = self.history.block(number) {
            peer.give_past(frame(FrameKind::History, block).into(), next);
            return true;
        }
        let Some(latest) = &self.latest else { return false };
        if let Some(newest) = self.history.unfinished().filter(|_| number != u64::MAX) {
            peer.queue(frame(FrameKind::History, &newest).into());
        }
        let viewer = peer.viewer();
        let name = match viewer {
            Viewer::All => None,
            Viewer::User(uid) => Some(self.users.name(&self.root, uid)),
        };
        let view = self.views.entry(viewer).or_insert_with(|| {
            let mut view = View::new(viewer == Viewer::All);
            drop(view.push(latest, name.as_deref()));
            view
        });
        if let Some(facts) = self.facts.as_deref().filter(|_| peer.wants_facts()) {
            peer.queue_facts(&view.all_facts(facts, name.as_deref()));
        }
        peer.go_live(view.full());
        true
    }

    fn send(&mut self) {
        let mut peers = std::mem::take(&mut self.peers);
        peers.retain_mut(|peer| {
            loop {
                if !peer.send() {
                    self.dropped += 1;
                    return false;
                }
                if !self.go_on(peer) {
                    return true;
                }
            }
        });
        self.peers = peers;
    }
}

/// True if a client receives changes as this class of viewer.
fn sees(peer: &Peer, viewer: Viewer) -> bool {
    peer.is_live() && peer.viewer() == viewer
}

#[cfg(test)]
mod tests;
