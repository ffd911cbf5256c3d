//! A server and its clients, over real sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use ttmem_recording::wire::{FRAME_HEADER, Hello, frame_header};
use ttmem_recording::{Contents, Header, Recording};

use super::*;
use crate::client::{Client, ClientError};
use ttmem_sources::L1Look;
use ttmem_sources::demo::Busy;
use ttmem_test_support::random::{Random, number};

struct Stage {
    _folder: tempfile::TempDir,
    server: Server,
    busy: Busy,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            socket: folder.path().join("ttmem.sock"),
            interval: Duration::from_millis(100),
            history: Duration::from_secs(60),
            history_bytes: 8 << 20,
            share_commands: false,
            boot: None,
        };
        let server = Server::bind(options, Root::memory(ttmem_root::Tree::new())).unwrap();
        Self { _folder: folder, server, busy: Busy::galaxy() }
    }

    fn publish(&mut self) -> Snapshot {
        let snapshot = self.busy.next(100_000);
        self.server.publish(snapshot.clone(), None);
        snapshot
    }

    fn publish_with_facts(&mut self) -> L1Look {
        let look = self.busy.look(100_000);
        self.server.publish(look.snapshot.clone(), look.facts.clone());
        look
    }

    /// Serves while a closure runs.
    fn serve_while<T: Send>(&mut self, other: impl FnOnce(&Path) -> T + Send) -> T {
        let socket = self.server.options.socket.clone();
        thread::scope(|scope| {
            let other = scope.spawn(move || other(&socket));
            while !other.is_finished() {
                let now = Clock::System.marks().awake_us;
                self.server.serve_until(now + 2000).unwrap();
            }
            // The last action is noticed too.
            self.server.serve_until(0).unwrap();
            other.join().unwrap()
        })
    }
}

/// A thread that wakes the server, or ends, ends a wait that would take a minute.
#[test]
fn a_waker_ends_the_wait() {
    let mut stage = Stage::new();
    for is_dropped in [false, true] {
        let waker = stage.server.waker().unwrap();
        let begin = Clock::System.marks().awake_us;
        thread::scope(|scope| {
            let kept = scope.spawn(move || {
                thread::sleep(Duration::from_millis(20));
                if is_dropped {
                    return None;
                }
                waker.wake();
                Some(waker)
            });
            stage.server.serve_until(begin + 60_000_000).unwrap();
            drop(kept.join().unwrap());
        });
        assert!(Clock::System.marks().awake_us < begin + 30_000_000);
        // What is left of it ends one more wait at most.
        stage.server.serve_until(0).unwrap();
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn clients_see_what_the_collector_sees() {
    let mut stage = Stage::new();
    let first = stage.publish();
    let connect = |socket: &Path| Client::connect(socket, Duration::ZERO).unwrap();
    let mut early = stage.serve_while(connect);
    assert_eq!(json(&early.snapshot().unwrap()), json(&first));
    for _ in 0..3 {
        stage.publish();
    }
    let mut late = stage.serve_while(connect);
    stage.busy.end_process(2);
    let last = stage.publish();
    for client in [&mut early, &mut late] {
        assert_eq!(json(&client.snapshot().unwrap()), json(&last));
    }
    assert_eq!((stage.server.clients(), stage.server.dropped()), (2, 0));
    drop(early);
    stage.serve_while(|_| thread::yield_now());
    assert_eq!(stage.server.clients(), 1);
}

#[test]
fn history_is_what_was_before_without_command_lines() {
    let mut stage = Stage::new();
    let mut all = Vec::new();
    for _ in 0..50 {
        all.push(stage.publish());
    }
    let connect = |socket: &Path| Client::connect(socket, Duration::from_secs(3)).unwrap();
    let mut client = stage.serve_while(connect);
    let mut bytes = Contents::begin(&Header::default()).1;
    bytes.extend(client.history().concat());
    let mut recording = Recording::open(bytes).unwrap();
    let (first, last) = recording.span().unwrap();
    assert!(last.micros_since(first) >= 3_000_000 && recording.len() >= 30);
    let moment = recording.at(last).unwrap().unwrap();
    assert_eq!(json(&moment), json(&without_commands(all.last().unwrap(), None)));
    assert!(!json(&moment).contains("serve_"));
}

#[test]
fn those_who_ask_for_history_make_it_no_longer() {
    let mut stage = Stage::new();
    for _ in 0..30 {
        stage.publish();
        let connect = |socket: &Path| Client::connect(socket, Duration::from_secs(60)).unwrap();
        let mut client = stage.serve_while(connect);
        assert!(!client.history().is_empty());
    }
    // A block takes three seconds, with or without readers.
    assert!(stage.server.history.since(Timestamp(u64::MAX)) <= 1);
}

#[test]
fn only_own_command_lines_are_seen() {
    let mut snapshot = Busy::galaxy().next(1);
    snapshot.processes[0].user = Some("bob".to_owned());
    let seen = without_commands(&snapshot, Some("bob"));
    let commands: Vec<bool> =
        seen.processes.iter().map(|process| !process.command.is_empty()).collect();
    assert!(commands[0] && !commands[1..].contains(&true));
    assert_eq!(seen.chips, snapshot.chips);
}

#[test]
fn a_slow_client_is_dropped_and_the_others_go_on() {
    let mut stage = Stage::new();
    stage.publish();
    let connect = |socket: &Path| Client::connect(socket, Duration::ZERO).unwrap();
    let slow = stage.serve_while(connect);
    let mut quick = stage.serve_while(connect);
    let mut last = None;
    for _ in 0..4000 {
        last = Some(stage.publish());
        quick.snapshot().unwrap();
        if stage.server.dropped() > 0 {
            break;
        }
    }
    assert_eq!((stage.server.clients(), stage.server.dropped()), (1, 1));
    assert_eq!(json(&quick.snapshot().unwrap()), json(&last.unwrap()));
    drop(slow);
}

#[test]
fn strangers_are_told_why_and_left() {
    let mut stage = Stage::new();
    stage.publish();
    let said = stage.serve_while(|socket| {
        [b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 64], frame(FrameKind::Hello, b"{}")].map(
            |bytes| {
                let mut stream = UnixStream::connect(socket).unwrap();
                stream.write_all(&bytes).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                String::from_utf8(answer.split_off(FRAME_HEADER)).unwrap()
            },
        )
    });
    for answer in said {
        assert_eq!(answer, "this is a ttmem server: it expects a ttmem client");
    }
    let error = stage.serve_while(|socket| {
        let mut stream = UnixStream::connect(socket).unwrap();
        let hello = Hello { version: (9, 0), ..Hello::new(0) };
        stream.write_all(&frame(FrameKind::Hello, json(&hello).as_bytes())).unwrap();
        let mut header = [0; FRAME_HEADER];
        stream.read_exact(&mut header).unwrap();
        frame_header(header).unwrap().0
    });
    assert_eq!(error, FrameKind::Bye);
    assert_eq!(stage.server.clients(), 0);
}

#[test]
fn malformed_greetings_leave_nothing() {
    let mut stage = Stage::new();
    stage.publish();
    stage.serve_while(|socket| {
        let mut random = Random::from_environment();
        for _ in 0..number("ROUNDS", 500) {
            let Ok(mut stream) = UnixStream::connect(socket) else { continue };
            let mut bytes = [0; 40];
            bytes.fill_with(|| random.byte());
            // The server may have left already.
            drop(stream.write_all(&bytes));
        }
    });
    stage.serve_while(|socket| drop(Client::connect(socket, Duration::ZERO).unwrap()));
    stage.serve_while(|_| thread::yield_now());
    assert_eq!(stage.server.clients(), 0);
}

#[test]
fn a_second_server_is_refused_and_a_dead_ones_socket_replaced() {
    let stage = Stage::new();
    let options = stage.server.options.clone();
    let root = || Root::memory(ttmem_root::Tree::new());
    let error = Server::bind(options.clone(), root()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    // A killed server removes nothing.
    let path = options.socket.clone();
    let kept = stage._folder.path().join("kept");
    std::fs::rename(&path, &kept).unwrap();
    drop(stage.server);
    std::fs::rename(&kept, &path).unwrap();
    assert!(matches!(Client::connect(&path, Duration::ZERO), Err(ClientError::Gone(_))));
    let again = Server::bind(options, root()).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o660);
    drop(again);
    assert!(!path.exists(), "a server that ends takes its socket away");
}

#[test]
fn one_user_does_not_hold_every_place_and_silent_clients_give_way() {
    let mut stage = Stage::new();
    stage.publish();
    let socket = stage.server.options.socket.clone();
    let mut silent = Vec::new();
    for _ in 0..2 * MAX_OF_USER {
        silent.push(UnixStream::connect(&socket).unwrap());
        // The queue of the kernel is shorter.
        stage.server.serve_until(0).unwrap();
    }
    assert_eq!(stage.server.clients(), MAX_OF_USER);
    let connect = |socket: &Path| Client::connect(socket, Duration::ZERO).map(|_client| ());
    stage.serve_while(connect).unwrap();
    drop(silent);
}

#[test]
fn an_old_state_is_served_to_nobody() {
    let mut stage = Stage::new();
    stage.publish();
    let connect = |socket: &Path| {
        Client::connect(socket, Duration::ZERO).and_then(|mut client| client.snapshot())
    };
    stage.serve_while(connect).unwrap();
    stage.server.published_us = stage.server.published_us.saturating_sub(10_000_000);
    match stage.serve_while(connect) {
        Err(ClientError::Refused(why)) => assert!(why.contains("s old"), "{why}"),
        other => panic!("{other:?}"),
    }
    stage.publish();
    stage.serve_while(connect).unwrap();
}

#[test]
fn one_of_two_servers_at_once_serves_also_where_the_first_is_stopped() {
    let stage = Stage::new();
    let socket = stage.server.options.socket.clone();
    // Its queue is full and it accepts no client.
    let mut waiting = Vec::new();
    while let Ok(stream) = socket::connect(&socket) {
        waiting.push(stream);
    }
    let options = Options { socket: socket.clone(), ..stage.server.options.clone() };
    let bind = |options: Options| Server::bind(options, Root::memory(ttmem_root::Tree::new()));
    let second = bind(options.clone()).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    drop(stage);
    let folder = tempfile::tempdir().unwrap();
    let options = Options { socket: folder.path().join("ttmem.sock"), ..options };
    let servers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bind(options.clone()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(servers.iter().filter(|server| server.is_ok()).count(), 1);
    drop(servers);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

/// Returns the facts of the newest state, after as many calls as it takes to receive it.
fn facts_at(client: &mut Client, look: &L1Look) -> Option<Facts> {
    while client.snapshot().unwrap().time_us < look.snapshot.time_us {}
    client.facts(look.snapshot.time_us)
}

#[test]
fn facts_come_with_each_state_to_clients_that_request_them() {
    let mut stage = Stage::new();
    let first = stage.publish_with_facts();
    let connect =
        |facts| move |socket: &Path| Client::connect_for(socket, Duration::ZERO, facts).unwrap();
    let mut plain = stage.serve_while(connect(false));
    let mut early = stage.serve_while(connect(true));
    assert_eq!(facts_at(&mut early, &first), first.facts.as_deref().cloned());
    for round in 0..6 {
        if round == 3 {
            stage.busy.end_process(2);
        }
        let look = stage.publish_with_facts();
        assert_eq!(facts_at(&mut early, &look), look.facts.as_deref().cloned(), "{round}");
        assert_eq!(facts_at(&mut plain, &look), None);
    }
    let mut late = stage.serve_while(connect(true));
    let look = stage.publish_with_facts();
    for client in [&mut early, &mut late] {
        assert_eq!(facts_at(client, &look), look.facts.as_deref().cloned());
    }
    // A state without facts has none on the other side either; the next ones do.
    let look = L1Look { facts: None, ..stage.busy.look(100_000) };
    stage.server.publish(look.snapshot.clone(), None);
    assert_eq!(facts_at(&mut early, &look), None);
    let look = stage.publish_with_facts();
    for client in [&mut early, &mut late] {
        assert_eq!(facts_at(client, &look), look.facts.as_deref().cloned());
    }
    assert_eq!((stage.server.clients(), stage.server.dropped()), (3, 0));
}

#[test]
fn a_client_that_falls_behind_gets_facts_again_when_it_has_caught_up() {
    let mut stage = Stage::new();
    stage.publish_with_facts();
    let connect = |socket: &Path| Client::connect_for(socket, Duration::ZERO, true).unwrap();
    let mut client = stage.serve_while(connect);
    // Until the socket's buffer is full, and one more.
    while !stage.server.peers[0].has_queued() {
        stage.publish_with_facts();
    }
    let look = stage.publish_with_facts();
    assert!(stage.server.peers[0].needs_facts());
    let last = look.snapshot.time_us;
    let seen = stage.serve_while(|_| {
        while client.snapshot().unwrap().time_us < last {}
        client.facts(last)
    });
    assert_eq!(seen, None, "it was too far behind for these");
    let look = stage.publish_with_facts();
    assert_eq!(facts_at(&mut client, &look), look.facts.as_deref().cloned());
    assert_eq!((stage.server.clients(), stage.server.dropped()), (1, 0));
}

#[test]
fn facts_hide_the_command_lines_that_snapshots_hide() {
    let hosts = ttmem_fake::healthy().into_iter().chain(ttmem_fake::variants());
    let mut hidden = 0;
    for (name, tree) in hosts {
        let root = Root::memory(tree);
        let collector = ttmem_sources::Collector::new(root);
        let facts = collector.with_clock(Clock::Fixed(ttmem_fake::NOW)).with_segments().facts();
        let snapshot = |facts: Facts| L1Look::of(Arc::new(facts), None).snapshot;
        let whole = snapshot(facts.clone());
        let users = facts.processes.values().filter_map(|process| process.user.as_deref());
        for user in users.map(Some).chain([None, Some("nobody else")]) {
            let seen = view::facts_without_commands(&facts, user);
            let merged = snapshot(seen.clone());
            assert_eq!(merged, without_commands(&whole, user), "{name} {user:?}");
            for (process, was) in seen.processes.values().zip(facts.processes.values()) {
                let is_hidden = process.command.is_empty() && !was.command.is_empty();
                let is_other = user.is_none() || process.user.as_deref() != user;
                assert_eq!(is_hidden, is_other && !was.command.is_empty(), "{name}");
                hidden += usize::from(is_hidden);
            }
            for file in &seen.segments {
                let Ok(segment) = &file.content else { continue };
                let is_own = user.is_some() && file.user.as_deref() == user;
                assert!(is_own || segment.header.identity.label.command.is_empty(), "{name}");
            }
        }
    }
    assert!(hidden > 20);
}
