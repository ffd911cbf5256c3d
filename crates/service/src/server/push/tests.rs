use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use ttmem_sources::demo::Busy;

/// A receiver with fixed answers, one per connection, that returns the received requests.
fn receiver(answers: Vec<&'static [u8]>) -> (Endpoint, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                request.extend_from_slice(&buffer[..count]);
                if request.ends_with(b"END") {
                    break;
                }
            }
            stream.write_all(answer).unwrap();
            drop(sender.send(request));
        }
    });
    (address.parse().unwrap(), requests)
}

fn pusher(endpoint: Endpoint) -> (Pusher, Receiver<String>) {
    let (sender, said) = channel();
    let pusher = Pusher::start(Options {
        endpoint,
        interval: Duration::from_millis(1),
        content_type: "application/x-protobuf",
        headers: vec![("Authorization".to_owned(), "Bearer secret".to_owned())],
        encode: Box::new(|snapshot| format!("{}END", snapshot.chips.len()).into_bytes()),
        say: Box::new(move |line| drop(sender.send(line.to_owned()))),
    });
    (pusher.unwrap(), said)
}

#[test]
fn a_state_is_posted_whole() {
    let (endpoint, requests) = receiver(vec![b"HTTP/1.1 200 OK\r\n\r\n"]);
    let (pusher, said) = pusher(endpoint);
    pusher.offer(Arc::new(Busy::galaxy().next(1)));
    let request = String::from_utf8(requests.recv().unwrap()).unwrap();
    assert!(request.starts_with("POST /v1/metrics HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    assert!(request.contains("\r\nContent-Length: 5\r\n"), "{request}");
    assert!(request.contains("\r\nAuthorization: Bearer secret\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n32END"), "{request}");
    assert!(said.try_recv().is_err());
}

#[test]
fn a_receiver_that_fails_is_said_once_and_so_is_its_return() {
    let answers: Vec<&'static [u8]> = vec![
        b"HTTP/1.1 503 Busy\x1b[2J\r\n\r\n",
        b"",
        b"nonsense",
        b"HTTP/1.0 202 Accepted\r\n\r\n",
    ];
    let (endpoint, requests) = receiver(answers);
    let (pusher, said) = pusher(endpoint.clone());
    let snapshot = Arc::new(Busy::galaxy().next(1));
    for _ in 0..4 {
        pusher.offer(Arc::clone(&snapshot));
        requests.recv().unwrap();
    }
    let lines: Vec<String> = [said.recv().unwrap(), said.recv().unwrap()].into();
    let name = endpoint.to_string();
    assert_eq!(
        lines[0],
        format!("{name} does not accept metrics: it answers 503 Busy[2J; retrying")
    );
    assert_eq!(lines[1], format!("{name} accepts metrics again"));
    assert!(said.try_recv().is_err());
}

#[test]
fn a_receiver_that_is_not_there_keeps_nobody_waiting() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (pusher, said) = pusher(format!("http://{closed}").parse().unwrap());
    let snapshot = Arc::new(Busy::galaxy().next(1));
    let watch = Clock::System.start();
    for _ in 0..10_000 {
        pusher.offer(Arc::clone(&snapshot));
    }
    assert!(watch.micros() < 1_000_000);
    assert!(said.recv().unwrap().contains("refused"));
    // At most one is queued.
    assert!(Arc::strong_count(&snapshot) <= 3);
}
