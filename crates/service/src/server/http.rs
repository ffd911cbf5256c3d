//! HTTP/1.1 as far as a scraper and a browser need it: GET and HEAD, one request per connection.
//!
//! Written here because it is small: available crates bring a runtime or are unmaintained. Everything is bounded: bytes
//! of a request, time of a connection, concurrent connections.

mod connections;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ttmem_root::clock::{Clock, Stopwatch};

use connections::{Admission, Connections};

/// The most bytes of a request, headers included.
const MAX_REQUEST_BYTES: usize = 8192;
/// The time limit for receiving a request, and for sending the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer is written in pieces of this size, with a time check between them.
const PIECE_BYTES: usize = 16 << 10;

/// A parsed HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, without the query.
    pub path: String,
    /// The accepted content types.
    pub accept: String,
    /// The host name of the request.
    pub host: Option<String>,
}

/// An answer to an HTTP request.
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
    /// Creates an answer with a line of text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        let body = format!("{text}\n").into_bytes();
        Self { status, content_type: "text/plain; charset=utf-8", body }
    }
}

/// The pages of an HTTP server.
pub trait Pages: Send + Sync {
    /// Returns the answer to a request.
    fn respond(&self, request: &Request) -> Response;
}

/// Listens, and answers on threads of its own as long as the program runs. Returns the address.
///
/// # Errors
/// If it cannot listen there.
pub fn start(address: SocketAddr, pages: Arc<dyn Pages>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let open = Connections::new(bound.port());
    thread::Builder::new().name("ttmem-http".to_owned()).spawn(move || {
        loop {
            match listener.accept() {
                Ok((stream, from)) => take(stream, from, bound, &pages, &open),
                // Out of file descriptors: open connections must end first.
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    })?;
    Ok(bound)
}

fn take(
    stream: TcpStream,
    from: SocketAddr,
    bound: SocketAddr,
    pages: &Arc<dyn Pages>,
    open: &Arc<Connections>,
) {
    let Some(admission) = open.admit(&stream, from) else {
        let busy = Response::text(503, "too many connections; retry later");
        // The peer may be gone.
        drop(stream.set_nonblocking(true).and_then(|()| reply(&stream, &busy, true)));
        return;
    };
    let pages = Arc::clone(pages);
    let thread = thread::Builder::new().name("ttmem-request".to_owned());
    // Without a thread the closure is dropped, and with it the connection and its admission.
    drop(thread.spawn(move || {
        answer(&stream, &admission, bound, pages.as_ref());
        drop(admission);
    }));
}

fn answer(mut stream: &TcpStream, admission: &Admission, bound: SocketAddr, pages: &dyn Pages) {
    let head = read(stream);
    admission.note_request();
    let (response, with_body) = match head {
        Ok(head) => match parse(&head) {
            Ok((request, with_body)) if is_for_us(&request, bound) => {
                (pages.respond(&request), with_body)
            }
            Ok((_, with_body)) => {
                (Response::text(421, "the Host header does not name this machine"), with_body)
            }
            Err(response) => (response, true),
        },
        Err(Unread::TooLong) => (Response::text(431, "the request is too long"), true),
        Err(Unread::Gone) => return,
    };
    // The peer may be gone.
    if reply(stream, &response, with_body).is_ok() {
        drop(stream.shutdown(std::net::Shutdown::Write));
        // Read the remaining input briefly, so that the answer is not lost to a reset.
        drop(stream.set_read_timeout(Some(Duration::from_millis(50))));
        drop(stream.read(&mut [0; 1024]));
    }
}

/// True if the host name of the request may be answered. On the loopback interface these are loopback names only:
/// otherwise a web page could read the answer through a domain of its own.
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

/// The reason that no request was read.
enum Unread {
    TooLong,
    Gone,
}

/// Reads up to the empty line after the headers.
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

/// Parses the head of a request. Returns true if the answer includes its content.
fn parse(head: &[u8]) -> Result<(Request, bool), Response> {
    let bad = |why| Response::text(400, why);
    let head = std::str::from_utf8(head).map_err(|_error| bad("the request is not text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
    else {
        return Err(bad("the first line is not a request"));
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
        return Err(Response::text(505, "only HTTP/1.0 and HTTP/1.1 are supported"));
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(Response::text(405, "only GET and HEAD are supported"));
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
            return Err(bad("two Host headers"));
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

/// Writes all bytes. A peer that reads byte by byte gets no more time than one that reads at once.
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

/// Returns the remaining time; never zero, which would mean no limit.
fn left(start: &Stopwatch, patience: Duration) -> Option<Duration> {
    let patience = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
    let left = patience.checked_sub(start.micros()).filter(|left| *left > 0)?;
    Some(Duration::from_micros(left.max(1000)))
}

#[cfg(test)]
mod tests;
