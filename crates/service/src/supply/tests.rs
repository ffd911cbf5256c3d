//! Suitable and unsuitable servers.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use ttmem_model::Timestamp;
use ttmem_recording::wire::{FrameKind, LiveWriter, PROTOCOL, Welcome, frame};

use super::*;
use crate::server::{Options, Server};
use ttmem_fake::{Host as FakeHost, PID};
use ttmem_root::Tree;

const BOOT: &str = "0b1e2f3a-boot";
const EVERY: Duration = Duration::from_millis(100);

/// Creates a host, and a directory for a server's socket.
struct Stage {
    folder: tempfile::TempDir,
    base: Snapshot,
}

fn collector() -> Collector {
    let mut tree = FakeHost::t3000().into_tree();
    tree.put_line("/proc/sys/kernel/random/boot_id", BOOT);
    Collector::new(Root::memory(tree))
}

/// The behaviour of a server.
#[derive(Clone, Copy)]
struct Conduct {
    boot: Option<&'static str>,
    every: Duration,
    /// The age of its state, in seconds.
    age: u64,
    denied: bool,
}

const GOOD: Conduct = Conduct { boot: Some(BOOT), every: EVERY, age: 0, denied: false };

impl Stage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), base: collector().snapshot() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn supply(&self) -> Supply {
        let choice = Choice::Any(vec![self.path()]);
        Supply::new(collector(), choice, Duration::from_secs(1))
    }

    fn served(&self, conduct: Conduct) -> Snapshot {
        let mut snapshot = self.base.clone();
        let now = Clock::System.now().0;
        snapshot.time_us = Timestamp(now - conduct.age * 1_000_000);
        snapshot.host.name = Some("seen by the server".to_owned());
        if conduct.denied {
            snapshot.sources[0].status = SourceStatus::Denied;
        }
        snapshot
    }

    /// Serves while a closure runs, and publishes at its interval.
    fn serve_while<T>(&self, conduct: Conduct, mut server: Server, other: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    server.publish(self.served(conduct), None);
                    server.serve_until(now() + 20_000).unwrap();
                }
                drop(server);
            });
            let outcome = other();
            is_over.store(true, Ordering::Release);
            outcome
        })
    }

    fn server(&self, conduct: Conduct) -> Server {
        let options = Options {
            socket: self.path(),
            interval: conduct.every,
            history: Duration::from_secs(60),
            history_bytes: 1 << 20,
            share_commands: false,
            boot: conduct.boot.map(str::to_owned),
        };
        let mut server = Server::bind(options, Root::memory(Tree::new())).unwrap();
        server.publish(self.served(conduct), None);
        server
    }
}

fn is_served(snapshot: &Snapshot) -> bool {
    snapshot.host.name.as_deref() == Some("seen by the server")
}

fn source(snapshot: &Snapshot) -> Option<(SourceStatus, &str)> {
    let mut sources = snapshot.sources.iter();
    let source = sources.find(|source| source.name == SourceName::Server)?;
    Some((source.status, &source.detail))
}

#[test]
fn a_fit_server_is_used_and_says_so() {
    let stage = Stage::new();
    let mut supply = stage.supply().with_past(Duration::from_secs(30));
    let (first, next) =
        stage.serve_while(GOOD, stage.server(GOOD), || (supply.snapshot(), supply.snapshot()));
    assert!(is_served(&first) && next.time_us > first.time_us);
    let (status, detail) = source(&next).unwrap();
    assert_eq!(status, SourceStatus::Ok);
    assert!(detail.contains("every 100ms") && detail.contains("ttmem 0."), "{detail}");
    assert!(!supply.history().is_empty() && supply.history().is_empty());
    // The server omits command lines; those that this user may read are present.
    let process = next.processes.iter().find(|process| process.pid == Pid(PID)).unwrap();
    assert!(!process.command.is_empty());
    assert_eq!(supply.notices(), [""; 0]);
}

#[test]
fn without_a_server_nothing_is_said() {
    let stage = Stage::new();
    let mut supply = stage.supply();
    let snapshot = supply.snapshot();
    assert_eq!((source(&snapshot), supply.notices()), (None, vec![]));
    assert_eq!(snapshot.chips.len(), 8);
}

#[test]
fn an_unfit_server_costs_a_line_at_most() {
    let quiet = SourceStatus::NotRead;
    let cases = [
        (Conduct { boot: None, ..GOOD }, quiet, "samples another host", 0),
        (Conduct { boot: Some("another"), ..GOOD }, quiet, "samples another host", 0),
        (Conduct { every: Duration::from_secs(60), ..GOOD }, quiet, "samples only every 60s", 0),
        (Conduct { denied: true, ..GOOD }, quiet, "sees no more than this user", 0),
        (Conduct { age: 90, ..GOOD }, SourceStatus::Failed, "has a state from 90 s ago", 1),
    ];
    for (conduct, status, said, lines) in cases {
        let stage = Stage::new();
        let mut supply = stage.supply();
        let snapshot = stage.serve_while(conduct, stage.server(conduct), || supply.snapshot());
        assert!(!is_served(&snapshot) && snapshot.chips.len() == 8, "{said}");
        let (found, detail) = source(&snapshot).unwrap();
        assert!(found == status && detail.contains(said), "{found:?} {detail}");
        assert_eq!(supply.notices().len(), lines, "{said}");
    }
}

#[test]
fn a_server_that_dies_is_replaced_at_once_and_found_again() {
    let stage = Stage::new();
    let mut supply = stage.supply();
    let server = stage.server(GOOD);
    let first = stage.serve_while(GOOD, server, || supply.snapshot());
    assert!(is_served(&first));
    let alone = supply.snapshot();
    assert!(!is_served(&alone) && alone.chips.len() == 8);
    assert_eq!(source(&alone), None, "it took its socket away");
    supply.retry.due_us = 0;
    let back = stage.serve_while(GOOD, stage.server(GOOD), || supply.snapshot());
    assert!(is_served(&back));

    // A killed server leaves a stale socket.
    let server = stage.server_that_was_killed();
    drop(server);
    let alone = supply.snapshot();
    assert_eq!(source(&alone).unwrap().0, SourceStatus::Failed);
    let said = supply.notices();
    assert!(
        said.len() == 1 && said[0].ends_with("is a stale socket: no server; reading directly"),
        "{said:?}"
    );
    supply.snapshot();
    supply.retry.due_us = 0;
    supply.snapshot();
    assert_eq!(supply.notices(), [""; 0], "it is said once");
    supply.retry.due_us = 0;
    stage.serve_while(GOOD, stage.server(GOOD), || supply.snapshot());
    assert!(supply.notices()[0].ends_with("is back"));
}

impl Stage {
    fn server_that_was_killed(&self) -> UnixListener {
        UnixListener::bind(self.path()).unwrap()
    }
}

#[test]
fn where_one_server_alone_will_do_there_is_nothing_without_it() {
    let stage = Stage::new();
    let choice = Choice::Only(stage.path());
    let mut supply = Supply::new(collector(), choice, Duration::from_millis(1));
    let blank = supply.snapshot();
    assert!(blank.chips.is_empty() && blank.processes.is_empty());
    assert_eq!(source(&blank).unwrap().0, SourceStatus::Failed);
    assert_eq!(supply.notices(), [""; 0], "it is the error of whoever asked");
    supply.retry.due_us = 0;
    // The user requested it, so any host and interval is accepted.
    let far =
        Conduct { boot: Some("another"), every: Duration::from_secs(9), age: 90, denied: true };
    let snapshot = stage.serve_while(far, stage.server(far), || supply.snapshot());
    assert!(is_served(&snapshot));
    assert!(supply.snapshot().chips.is_empty());
    let said = supply.notices();
    assert!(said.len() == 1 && said[0].ends_with("no snapshots until it is back"), "{said:?}");
    supply.retry.due_us = 0;
    stage.serve_while(far, stage.server(far), || supply.snapshot());
    assert!(supply.notices()[0].ends_with("is back"));
}

/// Starts a server that sends these bytes and then nothing.
fn hostile(stage: &Stage, answer: Vec<u8>, end: bool) -> (Snapshot, Vec<String>, Duration) {
    let listener = stage.server_that_was_killed();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut open = Vec::new();
            listener.set_nonblocking(true).unwrap();
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                if let Ok((mut stream, _)) = listener.accept() {
                    // The client may close early.
                    drop(stream.set_nonblocking(false));
                    drop(stream.set_write_timeout(Some(Duration::from_secs(3))));
                    drop(stream.read(&mut [0; 64]));
                    drop(stream.write_all(&answer));
                    if !end {
                        open.push(stream);
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        let mut supply = stage.supply();
        let watch = Clock::System.start();
        let snapshot = supply.snapshot();
        let took = Duration::from_micros(watch.micros());
        drop(stop);
        (snapshot, supply.notices(), took)
    })
}

#[test]
fn a_hostile_server_does_no_harm() {
    let welcome = |every: u64| {
        let welcome = Welcome {
            version: PROTOCOL,
            ttmem: "9\u{1b}[2J".to_owned(),
            interval_us: every,
            boot: Some(BOOT.to_owned()),
        };
        frame(FrameKind::Welcome, &serde_json::to_vec(&welcome).unwrap())
    };
    let state = |json: serde_json::Value| {
        let mut writer = LiveWriter::default();
        writer.push(Timestamp(1), &json).unwrap();
        frame(FrameKind::Full, &writer.full())
    };
    let facts = frame(FrameKind::FactsChange, &[9; 99]);
    let bomb = frame(FrameKind::History, &vec![7; 4 << 20]).repeat(30);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("silence", Vec::new(), "does not answer in time"),
        ("no welcome", frame(FrameKind::Full, b""), "the first frame is not a welcome"),
        ("a long frame", vec![0xff; 64], "a frame longer than frames are"),
        ("half a frame", welcome(1)[..9].to_vec(), "does not answer in time"),
        ("no state", welcome(u64::MAX), "does not answer in time"),
        ("a bye", frame(FrameKind::Bye, b"\x1b[31mgo\n"), "closed the connection: [31mgo"),
        ("nonsense", [welcome(1), frame(FrameKind::Full, &[9; 99])].concat(), "invalid answer"),
        ("no snapshot", [welcome(1), state(serde_json::json!([1]))].concat(), "invalid answer"),
        ("history without end", [welcome(1), bomb].concat(), "does not answer in time"),
        ("facts alone", [welcome(1), facts.repeat(2)].concat(), "facts without a state"),
    ];
    for (name, answer, said) in cases {
        let stage = Stage::new();
        let (snapshot, notices, took) = hostile(&stage, answer, false);
        assert_eq!(snapshot.chips.len(), 8, "{name}");
        assert!(notices.len() == 1 && notices[0].contains(said), "{name}: {notices:?}");
        assert!(!notices[0].contains(char::is_control), "{name}: {notices:?}");
        assert!(took < Duration::from_secs(4), "{name}: {took:?}");
    }
    let (_, notices, _) = hostile(&Stage::new(), welcome(1)[..20].to_vec(), true);
    assert!(notices[0].contains("is unusable"), "{notices:?}");
}

#[test]
fn a_server_that_takes_nobody_is_not_waited_for() {
    let stage = Stage::new();
    let _listener = stage.server_that_was_killed();
    // Nothing accepts: the queue of pending connections is full after a while.
    let address = SocketAddrUnix::new(stage.path()).unwrap();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connect = || {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        rustix::net::connect(&socket, &address).ok().map(|()| socket)
    };
    let waiting: Vec<_> = std::iter::from_fn(connect).take(10_000).collect();
    assert!(waiting.len() < 10_000);
    let watch = Clock::System.start();
    let mut supply = stage.supply();
    assert_eq!(supply.snapshot().chips.len(), 8);
    assert!(watch.micros() < 1_500_000);
    assert!(supply.notices()[0].contains("accepts no more clients"));
}

#[test]
fn facts_of_a_server_merge_to_its_snapshots() {
    let stage = Stage::new();
    let mut busy = ttmem_sources::demo::Busy::galaxy();
    let mut server = stage.server(GOOD);
    let choice = Choice::Only(stage.path());
    let mut supply = Supply::new(collector(), choice, Duration::from_secs(1)).with_facts();
    let is_over = AtomicBool::new(false);
    let looks: Vec<L1Look> = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                let look = busy.look(100_000);
                server.publish(look.snapshot, look.facts);
                server.serve_until(now() + 20_000).unwrap();
            }
        });
        let looks = (0..5).map(|_| supply.look()).collect();
        is_over.store(true, Ordering::Release);
        looks
    });
    let mut previous: Option<Arc<Facts>> = None;
    // The first state is the one that the server had before there were facts.
    for look in looks.iter().skip(1) {
        let facts = look.facts.clone().unwrap();
        let merged = L1Look::of(Arc::clone(&facts), previous.as_deref()).snapshot;
        assert_eq!(merged.sources, look.snapshot.sources);
        assert!(merged.processes == look.snapshot.processes);
        for (merged, served) in merged.chips.iter().zip(&look.snapshot.chips) {
            assert_eq!((&merged.memory, &merged.id), (&served.memory, &served.id));
        }
        previous = Some(facts);
    }
    assert!(source(&looks[4].snapshot).is_some());
}

#[test]
fn a_state_that_is_returned_again_has_no_facts_again() {
    let stage = Stage::new();
    let look = ttmem_sources::demo::Busy::galaxy().look(1);
    let mut server = stage.server(GOOD);
    server.publish(look.snapshot, look.facts);
    let choice = Choice::Only(stage.path());
    let mut supply = Supply::new(collector(), choice, Duration::from_secs(1)).with_facts();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                server.serve_until(now() + 20_000).unwrap();
            }
        });
        let (first, again) = (supply.look(), supply.look());
        is_over.store(true, Ordering::Release);
        assert!(first.facts.is_some() && again.facts.is_none());
        assert_eq!(first.snapshot.time_us, again.snapshot.time_us);
    });
}
