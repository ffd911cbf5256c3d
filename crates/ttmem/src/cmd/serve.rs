//! `ttmem serve`: a collector daemon for local clients, Prometheus and OTLP receivers.

mod export;
mod sampling;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use ttmem_analysis::series::Series;
use ttmem_model::Snapshot;
use ttmem_root::{Clock, Root};
use ttmem_service::server::http::{self, Pages, Request, Response};
use ttmem_service::server::{Options, Server, socket};
use ttmem_sources::L1Look;

use self::sampling::Sampling;
use crate::cli::serve::ServeArgs;
use crate::error::Error;
use crate::output::html;
use crate::output::json;
use crate::output::openmetrics::{self, Format, Processes};
use crate::signal::Signals;
use crate::terminal::notify;

/// The number of columns that the page begins with: 6 MB for a Galaxy with 8 processes.
const HISTORY_COLUMNS: usize = 600;

/// Serves until a signal arrives. `make` runs on the thread of the samples and returns what takes them. `root` is the host
/// that the clients run on; `boot` is its boot id if that host is read.
///
/// # Errors
/// [`Error::System`] if the socket or the address cannot be used.
pub(crate) fn run<T: FnMut() -> L1Look>(
    args: &ServeArgs,
    root: Root,
    boot: Option<String>,
    make: impl FnOnce() -> Option<T> + Send + 'static,
) -> Result<(), Error> {
    let socket = args.socket.clone().unwrap_or_else(default_socket);
    let options = Options {
        socket: socket.clone(),
        interval: args.sampling.interval.duration(),
        history: args.history.0,
        history_bytes: args.history_size.0,
        share_commands: args.share_commands,
        boot,
    };
    let mut server =
        Server::bind(options, root).map_err(|error| Error::System(not_bound(&socket, &error)))?;
    let pages = Arc::new(Site::new(args));
    let broken = |error: io::Error| Error::System(format!("cannot continue serving: {error}"));
    let waker = server.waker().map_err(broken)?;
    let signals = Signals::with(move || waker.wake()).map_err(|error| Error::signals(&error))?;
    let waker = server.waker().map_err(broken)?;
    let mut sampling = Sampling::start(make, waker).map_err(broken)?;
    sampling.request();
    // The first request must find a snapshot.
    let first = sampling.wait().map_err(broken)?;
    pages.publish(server.publish(first.snapshot, first.facts));
    let mut is_new = true;
    if let Some(address) = args.http {
        let shared: Arc<dyn Pages> = Arc::<Site>::clone(&pages);
        let address = http::start(address, shared).map_err(|error| {
            Error::System(format!("cannot listen on {address}: {error}; name another with --http"))
        })?;
        notify(&format!("answering on http://{address}/metrics"));
    }
    let pusher = export::start(&args.export)?;
    notify(&format!("serving on {}; Ctrl-C stops it", socket.display()));
    let mut next = Clock::System.marks().awake_us;
    let interval_us =
        u64::try_from(args.sampling.interval.duration().as_micros()).unwrap_or(u64::MAX);
    next = next.saturating_add(interval_us);
    loop {
        if let (true, Some(pusher), Some(latest)) = (is_new, &pusher, pages.latest()) {
            pusher.offer(latest);
        }
        if signals.wait_until(Instant::now()).is_some() {
            return Ok(());
        }
        let now = Clock::System.marks().awake_us;
        if now >= next {
            sampling.request();
            next = next.saturating_add(interval_us).max(now);
        }
        server.serve_until(next).map_err(broken)?;
        let look = sampling.take().map_err(broken)?;
        is_new = look.is_some();
        if let Some(look) = look {
            pages.publish(server.publish(look.snapshot, look.facts));
        }
    }
}

/// Returns the path of the socket: system-wide as root, else in the user's runtime directory.
fn default_socket() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return socket::SYSTEM.into();
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    socket::paths(runtime).into_iter().next().unwrap_or_else(|| socket::SYSTEM.into())
}

fn not_bound(socket: &std::path::Path, error: &io::Error) -> String {
    let name = socket.display();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("a server is running on {name} already"),
        io::ErrorKind::AlreadyExists => {
            format!("{name} exists and is not a socket; name another path with --socket")
        }
        _ => format!("cannot listen on {name}: {error}; name a writable path with --socket"),
    }
}

/// Returns the page, which refreshes at the interval of this server, but at most four times a second.
fn page(interval_us: u64) -> String {
    // A constant title can always be written as JSON.
    html::live("ttmem", (interval_us / 1000).max(250)).unwrap_or_default()
}

/// The pages over HTTP. The user of a request is unknown, so command lines are omitted.
#[derive(Debug)]
struct Site {
    latest: RwLock<Option<Arc<Snapshot>>>,
    /// Time of publication, in microseconds that the machine was awake.
    published_us: AtomicU64,
    /// The series that the page begins with; `None` without HTTP.
    series: Option<Mutex<Series>>,
    page: String,
    /// The age in microseconds from which a snapshot is not served.
    patience_us: u64,
    processes: Processes,
}

impl Site {
    fn new(args: &ServeArgs) -> Self {
        let interval =
            u64::try_from(args.sampling.interval.duration().as_micros()).unwrap_or(u64::MAX);
        Self {
            latest: RwLock::new(None),
            published_us: AtomicU64::new(0),
            series: args.http.map(|_address| Mutex::new(Series::new(HISTORY_COLUMNS))),
            page: page(interval),
            patience_us: interval.saturating_mul(3).saturating_add(2_000_000),
            processes: if args.process_metrics { Processes::Shown } else { Processes::Hidden },
        }
    }

    /// Publishes a snapshot without command lines.
    fn publish(&self, shown: Arc<Snapshot>) {
        if let Some(series) = &self.series {
            series.lock().unwrap_or_else(PoisonError::into_inner).push(&shown);
        }
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        self.published_us.store(Clock::System.marks().awake_us, Ordering::Release);
    }

    /// Returns the age of the newest snapshot in seconds if it is too old to be served.
    fn overdue(&self) -> Option<u64> {
        let now = Clock::System.marks().awake_us;
        let age = now.saturating_sub(self.published_us.load(Ordering::Acquire));
        (age > self.patience_us).then_some(age / 1_000_000)
    }

    fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn json_response(body: &str) -> Response {
    let body = json::escaped(body).into_owned().into_bytes();
    Response { status: 200, content_type: "application/json", body }
}

impl Pages for Site {
    fn respond(&self, request: &Request) -> Response {
        let Some(snapshot) = self.latest() else {
            return Response::text(503, "no sample was taken yet");
        };
        let is_current =
            matches!(request.path.as_str(), "/metrics" | "/api/v1/snapshot" | "/healthz");
        if let Some(seconds) = self.overdue().filter(|_| is_current) {
            let text =
                format!("the last sample is {seconds} s old, since a source does not answer");
            return Response::text(503, &text);
        }
        match request.path.as_str() {
            "/metrics" => {
                let format = Format::accepted(&request.accept);
                let body = openmetrics::render(&snapshot, format, self.processes).into_bytes();
                Response { status: 200, content_type: format.content_type(), body }
            }
            "/api/v1/snapshot" => match serde_json::to_string(snapshot.as_ref()) {
                Ok(body) => json_response(&body),
                Err(_) => Response::text(503, "the snapshot cannot be written"),
            },
            "/api/v1/history" => {
                let series = self
                    .series
                    .as_ref()
                    .map(|series| series.lock().unwrap_or_else(PoisonError::into_inner).clone());
                match serde_json::to_string(&series.unwrap_or_default()) {
                    Ok(body) => json_response(&body),
                    Err(_) => Response::text(503, "the history cannot be written"),
                }
            }
            "/healthz" => Response::text(200, "ok"),
            "/" => {
                let body = self.page.clone().into_bytes();
                Response { status: 200, content_type: "text/html; charset=utf-8", body }
            }
            _ => Response::text(
                404,
                "not found; the pages are /, /metrics, /api/v1/snapshot, /api/v1/history and /healthz",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use ttmem_model::snapshot::Process;
    use ttmem_service::server::without_commands;

    use super::*;

    fn site(patience_us: u64) -> Site {
        Site {
            latest: RwLock::new(None),
            published_us: AtomicU64::new(0),
            series: None,
            page: String::new(),
            patience_us,
            processes: Processes::Shown,
        }
    }

    fn ask(site: &Site, path: &str) -> Response {
        let request = Request { path: path.to_owned(), accept: String::new(), host: None };
        site.respond(&request)
    }

    #[test]
    fn an_old_snapshot_is_not_served_and_no_command_line_ever() {
        let mut snapshot = ttmem_sources::Collector::demo().snapshot();
        for process in &mut snapshot.processes {
            *process = Process { command: "secret".to_owned(), ..process.clone() };
        }
        let shown = Arc::new(without_commands(&snapshot, None));
        let (fresh, old) = (site(u64::MAX), site(0));
        for path in ["/metrics", "/api/v1/snapshot", "/healthz"] {
            assert_eq!(ask(&fresh, path).status, 503, "{path} before the first");
            fresh.publish(Arc::clone(&shown));
            let answer = ask(&fresh, path);
            assert_eq!(answer.status, 200, "{path}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("secret"), "{path}");
            old.publish(Arc::clone(&shown));
            old.published_us.store(0, Ordering::Release);
            assert_eq!(ask(&old, path).status, 503, "{path}");
            *fresh.latest.write().unwrap() = None;
        }
    }
}
