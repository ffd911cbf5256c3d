//! The system calls of a program that reads a simulated chip: requests on one socket, and no other output.

use std::path::Path;

use ttmem_sources::port::L1Port as _;
use ttmem_sources::port::simulator::{DEFAULT_TIMEOUT, SimulatorPort};
use ttmem_test_support::capture::Chip;
use ttmem_test_support::simulator::{Behaviour, Server};
use ttmem_test_support::stage::{SCENE, scene_command};
use ttmem_test_support::strace::{self, Call};
use ttmem_test_support::wire::Request;

/// Variable in which a test names the socket that [`scene`] reads.
const SOCKET: &str = "TTMEM_TEST_SOCKET";

/// Started by the next test, under strace. Reads a piece of every core.
#[test]
fn scene() {
    let (Ok(_), Ok(path)) = (std::env::var(SCENE), std::env::var(SOCKET)) else { return };
    let mut port = SimulatorPort::connect(Path::new(&path), DEFAULT_TIMEOUT).unwrap();
    for core in port.chip().cores.clone() {
        port.read(core, 96, &mut [0; 512]).unwrap();
    }
}

#[test]
fn the_system_sees_requests_on_one_socket_and_no_other_output() {
    let chip = Chip::load("blackhole/matmul");
    let cores = chip.cores.len();
    let server = Server::start(chip, Behaviour::Good);
    let mut command = scene_command();
    command.env(SCENE, "read").env(SOCKET, server.path());
    let Some((output, calls)) = strace::trace(&command) else { return };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.requests().len(), 1 + cores, "strace saw the program at work");
    assert_eq!(judge(&calls, 1 + cores), Ok(()));
}

/// Calls that give bytes to a file or a socket, or change what is stored.
const OUTPUTS: [&str; 27] = [
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "sendfile",
    "splice",
    "tee",
    "vmsplice",
    "copy_file_range",
    "ftruncate",
    "truncate",
    "fallocate",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mkdir",
    "mkdirat",
];

/// True if all output of a program is this many requests on one socket.
fn judge(calls: &[Call], requests: usize) -> Result<(), String> {
    let is_test_output = |call: &Call| {
        // What the test harness prints.
        call.name == "write" && matches!(call.argument(0), "1" | "2")
    };
    let outputs: Vec<&Call> = calls
        .iter()
        .filter(|call| OUTPUTS.contains(&call.name.as_str()) && !is_test_output(call))
        .collect();
    let socket = outputs.first().map_or("", |call| call.argument(0));
    let wrong = outputs.iter().find(|call| !is_question(call, socket));
    let wrong = wrong.copied().or_else(|| calls.iter().find(|call| opens_for_writing(call)));
    match wrong {
        Some(call) => Err(format!("{call:?}")),
        None if outputs.len() != requests => Err(format!("{} outputs", outputs.len())),
        None => Ok(()),
    }
}

fn is_question(call: &Call, socket: &str) -> bool {
    let frame = call.bytes(1);
    let request = frame.get(4..).and_then(|message| Request::parse(message).ok());
    let asks = request.is_some_and(|it| matches!(it.command, 0 | 2) && it.data.is_empty());
    call.name == "sendto" && call.argument(0) == socket && asks
}

fn opens_for_writing(call: &Call) -> bool {
    let says = |words: &[&str]| words.iter().any(|word| call.arguments.contains(word));
    match call.name.as_str() {
        "open" | "openat" | "openat2" | "creat" => {
            says(&["O_CREAT", "O_TRUNC", "O_WRONLY", "O_RDWR"])
        }
        "mmap" => says(&["PROT_WRITE"]) && says(&["MAP_SHARED"]),
        _ => false,
    }
}

/// The judge itself: each of these calls must not pass.
#[test]
fn any_other_output_is_noticed() {
    let call = |name: &str, arguments: &str| Call {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        result: "0".to_owned(),
    };
    for wrong in [
        call("write", "7, \"\\x00\", 1"),
        call("pwrite64", "7, \"\\x00\", 1, 0"),
        call("unlink", "\"\\x61\""),
        call("openat", "AT_FDCWD, \"\\x61\", O_RDWR|O_CLOEXEC"),
        call("openat", "AT_FDCWD, \"\\x61\", O_RDONLY|O_CREAT, 0666"),
        call("mmap", "NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 7, 0"),
        // Command 1 of the protocol: a write.
        call("sendto", &format!("3, \"{}\", 52, MSG_NOSIGNAL, NULL, 0", write_request())),
    ] {
        let calls = [good_request(), wrong];
        assert!(judge(&calls, 1).is_err() && judge(&calls, 2).is_err(), "{calls:?}");
    }
    assert_eq!(judge(&[good_request()], 1), Ok(()));
    assert!(judge(&[good_request()], 2).is_err());
}

fn good_request() -> Call {
    let request = write_request();
    let (head, tail) = request.split_at(request.len() - 16);
    // The command is the fourth byte from the end.
    let arguments = format!("3, \"{head}\\x02{}\", 52, MSG_NOSIGNAL, NULL, 0", &tail[4..]);
    Call { name: "sendto".to_owned(), arguments, result: "52".to_owned() }
}

/// A frame that would write, as strace shows it.
fn write_request() -> String {
    let numbers: [u16; 11] = [48, 0, 20, 0, 14, 28, 24, 4, 8, 12, 20];
    let head = numbers.iter().flat_map(|number| number.to_le_bytes());
    let frame: Vec<u8> = head.chain([0, 0, 16]).chain([0; 23]).chain([1, 0, 0, 0]).collect();
    assert_eq!(frame.len(), 52);
    frame.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}
