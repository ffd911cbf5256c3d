//! Valid and invalid requests, over real sockets.

use ttmem_test_support::random::{Random, number};

use super::*;

struct Echo;

impl Pages for Echo {
    fn respond(&self, request: &Request) -> Response {
        match request.path.as_str() {
            "/" => Response::text(200, &request.accept),
            _ => Response::text(404, "nothing here"),
        }
    }
}

fn server() -> SocketAddr {
    start("127.0.0.1:0".parse().unwrap(), Arc::new(Echo)).unwrap()
}

fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    // The server may close before it has read everything.
    drop(stream.read_to_string(&mut answer));
    answer
}

#[test]
fn requests_are_answered() {
    let address = server();
    let answer =
        ask(address, b"GET /?x=1 HTTP/1.1\r\nHost: localhost\r\nACCEPT: text/plain\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\ntext/plain\n"), "{answer}");
    let head = ask(address, b"HEAD / HTTP/1.1\r\n\r\n");
    assert!(head.contains("Content-Length: 1\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(address, b"GET /x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn what_is_no_request_is_refused() {
    let address = server();
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(MAX_REQUEST_BYTES));
    let cases: [(&[u8], &str); 11] = [
        (long.as_bytes(), "431"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n", "400"),
        (b"POST / HTTP/1.1\r\n\r\n", "405"),
        (b"GET / HTTP/2.0\r\n\r\n", "505"),
        (b"GET /\r\n\r\n", "400"),
        (b"GET  / HTTP/1.1\r\n\r\n", "400"),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        (b"\xff\xfe\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: evil.example:9401\r\n\r\n", "421"),
        (&[b'A'; 20_000], "431"),
    ];
    for (request, status) in cases {
        let answer = ask(address, request);
        let text = String::from_utf8_lossy(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{text}: {answer}");
    }
}

#[test]
fn what_is_taken_is_said_on_any_number_of_lines() {
    let answer = ask(server(), b"GET / HTTP/1.1\r\nAccept: a/b\r\nAccept: c/d\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\na/b, c/d\n"), "{answer}");
}

#[test]
fn who_takes_an_answer_bit_by_bit_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let taker = thread::spawn(move || {
        let pause = Duration::from_millis(20);
        while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            drop(slow.read(&mut vec![0; 100_000]));
        }
    });
    let watch = Clock::System.start();
    let written = write_in_time(&stream, &vec![0; 256 << 20], Duration::from_millis(300));
    assert!(written.is_err());
    assert!(watch.micros() < 3_000_000, "{}", watch.micros());
    stop.send(()).unwrap();
    taker.join().unwrap();
}

#[test]
fn malformed_requests_leave_it_answering() {
    let address = server();
    let mut random = Random::from_environment();
    for round in 0..number("ROUNDS", 500) {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        let mut bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        random.damage(&mut bytes, 5);
        if round % 7 == 0 {
            bytes.truncate(random.index(bytes.len()));
        }
        // The server may refuse and close before all is written.
        drop(stream.write_all(&bytes));
    }
    // Abandoned connections count until they are noticed.
    let answered = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        ask(address, b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 ")
    });
    assert!(answered);
}

#[test]
fn silent_connections_keep_nobody_out() {
    let address = server();
    let mut silent: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(ask(address, b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
    let all = silent.len();
    let ended = silent.iter_mut().filter_map(|stream| {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.read(&mut [0]).ok().filter(|count| *count == 0)
    });
    assert_eq!(ended.count(), all, "and each is ended at last");
}
