//! Malformed requests, on the socket and over HTTP: no panic, and nothing that grows.
//!
//! Few of them as a test; `MALFORMED=10000` makes the campaign of docs/overhead.md.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ttmem_recording::wire::{FrameKind, Hello, frame};
use ttmem_service::client::Client;
use ttmem_test_support::random::{Random, number};

use super::serve::Serving;

/// Returns a good beginning that is changed, cut, lengthened or left alone.
fn spoil(random: &mut Random, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    match random.below(6) {
        0 => bytes = many(random, 64),
        1 => bytes.truncate(random.index(good.len())),
        2 => bytes.extend(many(random, 3000)),
        3 => bytes.extend(vec![b'a'; 20_000]),
        4 => bytes.clear(),
        _ => {}
    }
    random.damage(&mut bytes, 5);
    bytes
}

fn many(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.byte()).collect()
}

fn send(mut stream: impl std::io::Write + std::io::Read, bytes: &[u8], listens: bool) {
    // The server may leave in the middle of it.
    drop(stream.write_all(bytes));
    if listens {
        drop(stream.read(&mut [0; 256]));
    }
}

fn on_the_socket(path: &Path, random: &mut Random) {
    let hello = serde_json::to_vec(&Hello::new(random.below(u64::MAX))).unwrap();
    let mut spoiled = spoil(random, &frame(FrameKind::Hello, &hello));
    if random.below(4) == 0 {
        // A length that is not the content's.
        let length = random.below(u64::MAX).to_le_bytes();
        spoiled.iter_mut().zip(length).take(4).for_each(|(old, new)| *old = new);
    }
    let Ok(stream) = UnixStream::connect(path) else { return };
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    send(stream, &spoiled, random.below(4) == 0);
}

fn over_http(address: &str, random: &mut Random) {
    let paths = ["/", "/metrics", "/api/v1/snapshot", "/healthz", "/%00", "//", "/../etc/passwd"];
    let path = paths[random.index(paths.len())];
    let methods = ["GET", "HEAD", "POST", "get", "OPTIONS", "PRI", ""];
    let method = methods[random.index(methods.len())];
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
    let spoiled = spoil(random, request.as_bytes());
    let Ok(stream) = TcpStream::connect(address) else { return };
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    send(stream, &spoiled, random.below(4) == 0);
}

/// Resident memory in KiB, open files and threads of a process.
fn size(pid: u32) -> (u64, usize, usize) {
    let count = |name: &str| std::fs::read_dir(format!("/proc/{pid}/{name}")).unwrap().count();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let memory = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (memory, count("fd"), count("task"))
}

/// Waits until all connections are given up, and gives what is left then.
fn rest(pid: u32, files: usize, threads: usize) -> (u64, usize, usize) {
    let mut now = size(pid);
    for _ in 0..200 {
        if now.1 <= files && now.2 <= threads {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        now = size(pid);
    }
    now
}

#[test]
fn malformed_requests_leave_the_server_as_it_was() {
    let rounds = number("MALFORMED", 100);
    // A history of a second is full before the first count, so that what grows after it grows by requests.
    let mut serving = Serving::with_one_arena(&["--history", "1s"]);
    let pid = serving.child.id();
    let mut random = Random::new(11);
    // What the first requests allocate stays with it.
    let ask = |count: u64, random: &mut Random| {
        for _ in 0..count {
            on_the_socket(&serving.socket(), random);
            over_http(&serving.address, random);
        }
    };
    // The readers of devices start with the first sample.
    let mut client = Client::connect(&serving.socket(), Duration::from_secs(9)).unwrap();
    client.wait().unwrap();
    drop(client);
    let (_, files, threads) = size(pid);
    ask(rounds / 10, &mut random);
    let before = rest(pid, files, threads);
    ask(rounds, &mut random);
    let after = rest(pid, files, threads);
    println!("{rounds} on each: {before:?} before, {after:?} after (KiB, files, threads)");
    assert!(after.1 <= files && after.2 <= threads, "{before:?} {after:?}");
    assert!(after.0 < before.0 + 2048, "{before:?} {after:?}");
    let mut client = Client::connect(&serving.socket(), Duration::from_secs(9)).unwrap();
    assert_eq!(client.wait().unwrap().snapshot().unwrap().chips.len(), 8);
    assert_eq!(serving.get("/healthz", "").0, 200);
    assert!(serving.child.try_wait().unwrap().is_none(), "it still runs");
}
