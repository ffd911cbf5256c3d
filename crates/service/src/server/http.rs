//! As much of HTTP/1.1 as a scraper and a browser need: GET and HEAD, one request a connection.
//!
//! Own, since it is small: the known crates bring a runtime or are no longer kept up. Whatever comes is bounded: bytes
//! of a request, time of a connection, connections at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ttmem_root::clock::{Clock, Stopwatch};

/// Bytes of a request at most, its headers included.
const MAX_REQUEST_BYTES: usize = 8192;
/// Connections at a time. Those beyond are told to come back.
const MAX_CONNECTIONS: usize = 16;
/// A request must be there, and an answer taken, within this time each.
const PATIENCE: Duration = Duration::from_secs(5);

/// So much of an answer is written at a time: between two pieces the time is looked at.
const PIECE_BYTES: usize = 16 << 10;

/// A request that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, without what stands behind a question mark.
    pub path: String,
    /// The content types that it takes.
    pub accept: String,
    /// The name under which the server was called.
    pub host: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The content.
    pub body: Vec<u8>,
}

impl Response {
    /// A line of text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        let body = format!("{text}\n").into_bytes();
        Self { status, content_type: "text/plain; charset=utf-8", body }
    }
}

/// Answers requests.
pub trait Pages: Send + Sync {
    /// The answer to a request.
    fn respond(&self, request: &Request) -> Response;
}

/// Listens, and answers on threads of its own as long as the program runs. Gives the address.
///
/// # Errors
/// If it cannot listen there.
pub fn start(address: SocketAddr, pages: Arc<dyn Pages>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let open = Arc::new(AtomicUsize::new(0));
    thread::Builder::new().name("ttmem-http".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => take(stream, bound, &pages, &open),
                // Out of files: what is open now must end first.
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    })?;
    Ok(bound)
}

/// One connection in the count of those that are open.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn take(stream: TcpStream, bound: SocketAddr, pages: &Arc<dyn Pages>, open: &Arc<AtomicUsize>) {
    let before = open.fetch_add(1, Ordering::AcqRel);
    let one = Open(Arc::clone(open));
    if before >= MAX_CONNECTIONS {
        let busy = Response::text(503, "too many connections; come back");
        // It is not waited for, and it may be gone.
        drop(stream.set_nonblocking(true).and_then(|()| reply(&stream, &busy, true)));
        return;
    }
    let pages = Arc::clone(pages);
    let thread = thread::Builder::new().name("ttmem-request".to_owned());
    // Without a thread the closure is dropped, and with it the connection and its place in the count.
    drop(thread.spawn(move || {
        answer(&stream, bound, pages.as_ref());
        drop(one);
    }));
}

fn answer(mut stream: &TcpStream, bound: SocketAddr, pages: &dyn Pages) {
    let (response, with_body) = match read(stream) {
        Ok(head) => match parse(&head) {
            Ok((request, with_body)) if is_for_us(&request, bound) => {
                (pages.respond(&request), with_body)
            }
            Ok((_, with_body)) => {
                (Response::text(421, "called by a name that is not this machine's"), with_body)
            }
            Err(response) => (response, true),
        },
        Err(Unread::TooLong) => (Response::text(431, "the request is too long"), true),
        Err(Unread::Gone) => return,
    };
    // Who asked may be gone by now.
    if reply(stream, &response, with_body).is_ok() {
        drop(stream.shutdown(std::net::Shutdown::Write));
        // What is still coming is taken for a moment, so that the answer is not lost to a reset.
        drop(stream.set_read_timeout(Some(Duration::from_millis(50))));
        drop(stream.read(&mut [0; 1024]));
    }
}

/// On the loopback only the loopback's names are answered to: a page from elsewhere cannot read it by a name of its own.
fn is_for_us(request: &Request, bound: SocketAddr) -> bool {
    let Some(host) = request.host.as_deref().filter(|_| bound.ip().is_loopback()) else {
        return true;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Why no request was read.
enum Unread {
    TooLong,
    Gone,
}

/// Reads up to the empty line behind the headers.
fn read(mut stream: &TcpStream) -> Result<Vec<u8>, Unread> {
    let gone = |_error: io::Error| Unread::Gone;
    let start = Clock::System.start();
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        let left = left(&start, PATIENCE).ok_or(Unread::Gone)?;
        stream.set_read_timeout(Some(left)).map_err(gone)?;
        let count = stream.read(&mut buffer).map_err(gone)?;
        if count == 0 {
            return Err(Unread::Gone);
        }
        head.extend_from_slice(buffer.get(..count).unwrap_or(&[]));
        let end = head.windows(4).position(|window| window == b"\r\n\r\n");
        if end.unwrap_or(head.len()) > MAX_REQUEST_BYTES {
            return Err(Unread::TooLong);
        }
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
    }
}

/// Understands the head of a request. True if the answer has its content.
fn parse(head: &[u8]) -> Result<(Request, bool), Response> {
    let bad = |why| Response::text(400, why);
    let head = std::str::from_utf8(head).map_err(|_error| bad("the request is no text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
    else {
        return Err(bad("the first line is no request"));
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
        return Err(Response::text(505, "HTTP/1.0 and HTTP/1.1 are spoken here"));
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(Response::text(405, "only GET and HEAD: nothing can be changed here"));
    }
    if !target.starts_with('/') {
        return Err(bad("the path does not begin with /"));
    }
    let mut request = Request {
        path: target.split(['?', '#']).next().unwrap_or_default().to_owned(),
        accept: String::new(),
        host: None,
    };
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header has no colon"))?;
        if name.eq_ignore_ascii_case("accept") {
            let comma = if request.accept.is_empty() { "" } else { ", " };
            request.accept.extend([comma, value.trim()]);
        } else if name.eq_ignore_ascii_case("host")
            && request.host.replace(value.trim().to_owned()).is_some()
        {
            return Err(bad("there are two hosts"));
        }
    }
    Ok((request, method == "GET"))
}

fn reply(stream: &TcpStream, response: &Response, with_body: bool) -> io::Result<()> {
    let reason = match response.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    };
    let allow = if response.status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    let mut bytes = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        response.status,
        response.content_type,
        response.body.len(),
    )
    .into_bytes();
    if with_body {
        bytes.extend_from_slice(&response.body);
    }
    write_in_time(stream, &bytes, PATIENCE)
}

/// Writes all of it. Who takes it byte by byte gets no more time than who takes it at once.
fn write_in_time(mut stream: &TcpStream, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let start = Clock::System.start();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(left) = left(&start, patience) else { return Err(io::ErrorKind::TimedOut.into()) };
        stream.set_write_timeout(Some(left))?;
        let (piece, behind) = rest.split_at(rest.len().min(PIECE_BYTES));
        stream.write_all(piece)?;
        rest = behind;
    }
    Ok(())
}

/// What is left of the patience; not nothing, which would be no limit.
fn left(start: &Stopwatch, patience: Duration) -> Option<Duration> {
    let patience = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
    let left = patience.checked_sub(start.micros()).filter(|left| *left > 0)?;
    Some(Duration::from_micros(left.max(1000)))
}

#[cfg(test)]
mod tests;
