//! The simulator port against a server that serves real L1, well and badly.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::{Duration, Instant};

use ttmem_model::Pid;
use ttmem_model::facts::L1Location;
use ttmem_model::l1::Coordinate;
use ttmem_root::Root;
use ttmem_sources::l1::Reader;
use ttmem_sources::port::image::ImagePort;
use ttmem_sources::port::simulator::{
    DEFAULT_TIMEOUT, SimulatorError, SimulatorPort, dead_sockets, find,
};
use ttmem_sources::port::{L1Port as _, PortError};
use ttmem_sources::{Collector, L1Request};
use ttmem_test_support::capture::{Chip, fixture};
use ttmem_test_support::simulator::{Bad, Behaviour, Server};

/// Long enough for a machine that is busy, short enough for a test.
const TIMEOUT: Duration = Duration::from_millis(300);

/// The longest that any fault may hold us up.
const PATIENCE: Duration = Duration::from_secs(5);

const CAPTURES: [&str; 3] =
    ["wormhole/matmul", "wormhole-fast-dispatch/matmul", "blackhole/matmul"];

#[test]
fn every_captured_byte_is_read_and_nothing_else_is_sent() {
    for name in CAPTURES {
        let chip = Chip::load(name);
        let server = Server::start(chip.clone(), Behaviour::Good);
        let mut port = SimulatorPort::connect(server.path(), DEFAULT_TIMEOUT).unwrap();
        assert_eq!(port.chip().cores.len(), chip.cores.len());
        assert_eq!(port.chip().l1_bytes, u64::try_from(chip.l1_bytes).unwrap());
        for core in &chip.cores {
            for (address, bytes) in &core.segments {
                let mut read = vec![0; bytes.len()];
                let coordinate = Coordinate { x: core.noc.0, y: core.noc.1 };
                port.read(coordinate, u64::try_from(*address).unwrap(), &mut read).unwrap();
                assert_eq!(read, *bytes, "{name} {coordinate:?} {address}");
            }
        }
        let requests = server.requests();
        assert_eq!(port.requests(), u64::try_from(requests.len()).unwrap());
        assert_eq!(requests[0].command, 2);
        assert!(requests[1..].iter().all(|request| request.command == 0));
        assert!(requests.iter().all(|request| request.data.is_empty()));
    }
}

/// The decoder finds the same over the socket as in the capture itself, in three round trips a core.
#[test]
fn a_chip_is_decoded_as_its_capture_is_in_three_requests_a_core() {
    for name in CAPTURES {
        let server = Server::start(Chip::load(name), Behaviour::Good);
        let mut port = SimulatorPort::connect(server.path(), DEFAULT_TIMEOUT).unwrap();
        let mut reader = Reader::open(&mut port).unwrap();
        let opened = port.requests();
        let (cores, _cost) = reader.sample(&mut port).unwrap();
        let requests = port.requests() - opened;
        assert!(requests <= 3 * u64::try_from(cores.len()).unwrap(), "{name}: {requests}");
        let mut image = ImagePort::open(&fixture(name)).unwrap().remove(0);
        let mut reader = Reader::open(&mut image).unwrap();
        assert_eq!(cores, reader.sample(&mut image).unwrap().0, "{name}");
    }
}

#[test]
fn a_server_is_found_by_name_and_names_its_process() {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::Good);
    let found = find(&Root::directory(server.root()).unwrap(), None);
    let [found] = &found[..] else { panic!("{found:?}") };
    assert_eq!((found.server, found.chip), (0, 0));
    assert_eq!(found.path, "/tmp/tt-umd-sim-server-0/tt-umd-sim-0.sock");
    let port = SimulatorPort::connect(server.path(), TIMEOUT).unwrap();
    let owner = port.owner().unwrap().0;
    assert_eq!(u32::try_from(owner).unwrap(), std::process::id());
}

#[test]
fn what_cannot_be_asked_is_not_sent() {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::Good);
    let mut port = SimulatorPort::connect(server.path(), TIMEOUT).unwrap();
    let first = port.chip().cores[0];
    let end = port.chip().l1_bytes;
    let stranger = Coordinate { x: 0, y: 0 };
    let refused = port.read(stranger, 0, &mut [0; 4]).unwrap_err();
    assert!(matches!(refused, PortError::NoSuchCore { .. }));
    for address in [end - 3, end, u64::MAX - 1] {
        let refused = port.read(first, address, &mut [0; 4]).unwrap_err();
        assert!(matches!(refused, PortError::Outside { .. }), "{address}: {refused}");
    }
    port.read(first, end, &mut []).unwrap();
    assert_eq!(server.requests().len(), 1);
}

/// A socket under another name may be that of any chip of its owner: it is not taken for the first.
#[test]
fn only_a_socket_s_own_name_says_which_chip_of_its_owner_it_is() {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::Good);
    let owner = Some(Pid(std::process::id().cast_signed()));
    for (name, location) in [
        ("tt-umd-sim-1.sock", L1Location::Simulated { chip: 1, owner }),
        ("chip1.sock", L1Location::Simulated { chip: 0, owner: None }),
    ] {
        let socket = server.root().join(name);
        std::fs::hard_link(server.path(), &socket).unwrap();
        let request = L1Request { simulator: Some(socket.clone()), ..L1Request::default() };
        let mut collector = Collector::new(Root::system()).with_l1(request).unwrap();
        let facts = collector.facts();
        let l1 = facts.l1.iter().find(|l1| l1.port == socket.display().to_string()).unwrap();
        assert_eq!(l1.location, location, "{name}");
        assert!(l1.content.is_ok(), "{l1:?}");
        assert!(facts.processes.keys().any(|pid| Some(*pid) == owner), "{name}");
    }
}

fn connect_to(bad: Bad) -> SimulatorError {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::Bad(bad));
    let start = Instant::now();
    let error = SimulatorPort::connect(server.path(), TIMEOUT).unwrap_err();
    assert!(start.elapsed() < PATIENCE, "{bad:?} took {:?}", start.elapsed());
    error
}

#[test]
fn a_bad_server_is_refused_by_the_name_of_its_fault() {
    assert_eq!(connect_to(Bad::Status), SimulatorError::Refused { status: -1 });
    assert!(matches!(connect_to(Bad::Malformed), SimulatorError::Malformed { .. }));
    assert_eq!(connect_to(Bad::Truncated), SimulatorError::Closed);
    let oversized = SimulatorError::Oversized { bytes: u32::MAX, limit: 1 << 20 };
    assert_eq!(connect_to(Bad::Oversized), oversized);
    assert_eq!(connect_to(Bad::Slow), SimulatorError::TimedOut { timeout: TIMEOUT });
    assert_eq!(connect_to(Bad::Silent), SimulatorError::TimedOut { timeout: TIMEOUT });
    assert_eq!(connect_to(Bad::Closing), SimulatorError::Closed);
    assert_eq!(connect_to(Bad::Foreign), SimulatorError::Architecture { arch: 4 });
}

#[test]
fn after_a_fault_in_a_read_nothing_more_is_asked() {
    for bad in [
        Bad::Malformed,
        Bad::Truncated,
        Bad::Oversized,
        Bad::Slow,
        Bad::Silent,
        Bad::Closing,
        Bad::Short,
        Bad::Foreign,
    ] {
        let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::BadReads(bad));
        let mut port = SimulatorPort::connect(server.path(), TIMEOUT).unwrap();
        let first = port.chip().cores[0];
        let start = Instant::now();
        let fault = port.read(first, 16, &mut [0; 64]).unwrap_err();
        assert!(matches!(fault, PortError::Failed { .. }), "{bad:?}: {fault}");
        assert_eq!(port.read(first, 16, &mut [0; 64]).unwrap_err(), fault, "{bad:?}");
        assert!(start.elapsed() < PATIENCE, "{bad:?} took {:?}", start.elapsed());
        assert_eq!(server.requests().len(), 2, "{bad:?}");
    }
}

#[test]
fn a_core_that_the_server_cannot_read_is_no_fault_of_the_connection() {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::BadReads(Bad::Status));
    let mut port = SimulatorPort::connect(server.path(), TIMEOUT).unwrap();
    for core in port.chip().cores.clone().into_iter().take(2) {
        assert!(port.read(core, 16, &mut [0; 64]).unwrap_err().is_local());
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_socket_without_a_server_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: &Path| SimulatorPort::connect(path, TIMEOUT).unwrap_err().to_string();
    let absent = refused(&directory.path().join("tt-umd-sim-0.sock"));
    assert!(absent.contains("SERVE_OVER_SOCKETS"), "{absent}");
    let stale = directory.path().join("tt-umd-sim-1.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(refused(&stale).contains("stale socket"), "{}", refused(&stale));
}

#[test]
fn a_server_that_accepts_nobody_does_not_hold_us_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tt-umd-sim-0.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let start = Instant::now();
    let waiting = SimulatorPort::connect(&path, TIMEOUT).unwrap_err();
    assert_eq!(waiting, SimulatorError::TimedOut { timeout: TIMEOUT });
    // Until the queue is full: then not even the connection is made.
    let mut connections = Vec::new();
    let full = (0..10_000).find_map(|_| {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::NONBLOCK,
            None,
        );
        let socket = socket.unwrap();
        let address = rustix::net::SocketAddrUnix::new(&path).unwrap();
        let refused = rustix::net::connect(&socket, &address).err();
        connections.push(socket);
        refused
    });
    if full == Some(rustix::io::Errno::AGAIN) {
        let refused = SimulatorPort::connect(&path, TIMEOUT).unwrap_err();
        assert!(refused.to_string().contains("queue is full"), "{refused}");
    }
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn a_path_longer_than_a_socket_address_is_reached_by_its_directory() {
    let server = Server::start(Chip::load(CAPTURES[0]), Behaviour::Good);
    let long = server.root().join("d".repeat(120));
    std::fs::create_dir(&long).unwrap();
    std::os::unix::fs::symlink(server.path(), long.join("tt-umd-sim-0.sock")).unwrap();
    SimulatorPort::connect(&long.join("tt-umd-sim-0.sock"), TIMEOUT).unwrap();
}

#[test]
fn a_socket_is_dead_once_nothing_listens() {
    let number = 1_000_000_000 + std::process::id();
    let folder = Path::new("/tmp").join(format!("tt-umd-sim-server-{number}"));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("tt-umd-sim-0.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let user = rustix::process::geteuid().as_raw();
    let is_dead = |root: &Root, user| dead_sockets(root, user).contains(&path);
    let while_it_listens = is_dead(&Root::system(), user);
    drop(listener);
    let afterwards = is_dead(&Root::system(), user);
    let of_another_user = is_dead(&Root::system(), user + 1);
    let elsewhere = is_dead(&Root::directory(Path::new("/")).unwrap(), user);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        [while_it_listens, afterwards, of_another_user, elsewhere],
        [false, true, false, false]
    );
}
