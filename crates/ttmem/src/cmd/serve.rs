//! `ttmem serve`: collects for everybody on the machine, for Prometheus, and for receivers of OTLP.

mod export;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use clap::Args;
use ttmem_analysis::series::Series;
use ttmem_model::Snapshot;
use ttmem_root::{Clock, Root};
use ttmem_service::server::http::{self, Pages, Request, Response};
use ttmem_service::server::{Options, Server, socket, without_commands};

use super::quantity::{Size, Span};
use crate::exit::Failure;
use crate::interval::Interval;
use crate::output::html;
use crate::output::openmetrics::{self, Format, Processes};
use crate::signal::Signals;
use crate::terminal::say;

/// How long signals may wait for an answer.
const ATTENTION: Duration = Duration::from_millis(200);

/// Columns that the page begins with: of a Galaxy with 8 processes 6 MB.
const HISTORY_COLUMNS: usize = 600;

/// Options of `ttmem serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where the socket stands; /run/ttmem/ttmem.sock of root, else in XDG_RUNTIME_DIR.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Answer HTTP at this address: a page with pictures at /, and /metrics, /api/v1/snapshot, /api/v1/history, /healthz.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:9401", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// Collect every SEC seconds; 250ms, 2s and 1m are understood.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        default_value = "1"
    )]
    pub interval: Interval,
    /// How far back clients can look.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub history: Span,
    /// The memory that this may take.
    #[arg(long, value_name = "SIZE", default_value = "32MB")]
    pub history_size: Size,
    /// Show everybody's command lines to everybody.
    #[arg(long)]
    pub share_commands: bool,
    /// Give processes metrics of their own.
    #[arg(long)]
    pub process_metrics: bool,
    /// Pushing metrics.
    #[command(flatten)]
    pub export: export::ExportArgs,
}

/// Serves until a signal comes. `root` is the machine that the clients run on, and `boot` the number of its start if that
/// is the one that is looked at.
///
/// # Errors
/// If the socket or the address is taken.
pub fn run(
    args: &ServeArgs,
    root: Root,
    boot: Option<String>,
    mut take: impl FnMut() -> Snapshot,
) -> Result<(), Failure> {
    let signals = Signals::new()
        .map_err(|error| Failure::usage(format!("cannot listen to signals: {error}")))?;
    let socket = args.socket.clone().unwrap_or_else(default_socket);
    let options = Options {
        socket: socket.clone(),
        interval: args.interval.duration(),
        history: args.history.0,
        history_bytes: args.history_size.0,
        share_commands: args.share_commands,
        boot,
    };
    let mut server =
        Server::bind(options, root).map_err(|error| Failure::usage(refused(&socket, &error)))?;
    let pages = Arc::new(Site::new(args));
    // Whoever asks finds something, from the first request on.
    let first = take();
    pages.publish(&first);
    let mut snapshot = Some(first);
    if let Some(address) = args.http {
        let shared: Arc<dyn Pages> = Arc::<Site>::clone(&pages);
        let address = http::start(address, shared).map_err(|error| {
            Failure::usage(format!("cannot listen on {address}: {error}; name another with --http"))
        })?;
        say(&format!("answering on http://{address}/metrics"));
    }
    let pusher = export::start(&args.export)?;
    say(&format!("serving on {}; Ctrl-C ends it", socket.display()));
    let mut next = Clock::System.marks().awake_us;
    let interval_us = u64::try_from(args.interval.duration().as_micros()).unwrap_or(u64::MAX);
    let broken = |error: io::Error| Failure::usage(format!("cannot go on serving: {error}"));
    loop {
        let taken = snapshot.take().unwrap_or_else(&mut take);
        pages.publish(&taken);
        server.publish(taken);
        if let (Some(pusher), Some(latest)) = (&pusher, pages.latest()) {
            pusher.offer(latest);
        }
        next = next.saturating_add(interval_us).max(Clock::System.marks().awake_us);
        loop {
            if signals.wait_until(Instant::now()).is_some() {
                return Ok(());
            }
            let now = Clock::System.marks().awake_us;
            if now >= next {
                break;
            }
            let attention = u64::try_from(ATTENTION.as_micros()).unwrap_or(u64::MAX);
            server.serve_until(next.min(now.saturating_add(attention))).map_err(broken)?;
        }
    }
}

/// An address to listen on. Names are not looked up: that may go over a network.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse()
        .map_err(|_error| "write ADDRESS:PORT, such as 127.0.0.1:9401, [::1]:9401 or 0.0.0.0:9401")
}

/// Root's is for everybody, and so is its place.
fn default_socket() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return socket::SYSTEM.into();
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    socket::places(runtime).into_iter().next().unwrap_or_else(|| socket::SYSTEM.into())
}

fn refused(socket: &std::path::Path, error: &io::Error) -> String {
    let name = socket.display();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("a server answers on {name} already"),
        io::ErrorKind::AlreadyExists => {
            format!("{name} is there and no socket; name another place with --socket")
        }
        _ => format!(
            "cannot listen on {name}: {error}; name a place that can be written with --socket"
        ),
    }
}

/// The page that looks at this server as often as it collects, but not more than four times a second.
fn page(interval_us: u64) -> String {
    // A title that is written here is no JSON that cannot be written.
    html::live("ttmem", (interval_us / 1000).max(250)).unwrap_or_default()
}

/// What HTTP shows. It cannot tell who asks, so that command lines are left out unless they are shared.
#[derive(Debug)]
struct Site {
    latest: RwLock<Option<Arc<Snapshot>>>,
    /// What the page begins with; none where there is no page.
    series: Option<Mutex<Series>>,
    page: String,
    /// A state older than this is not healthy.
    patience_us: u64,
    share_commands: bool,
    processes: Processes,
}

impl Site {
    fn new(args: &ServeArgs) -> Self {
        let interval = u64::try_from(args.interval.duration().as_micros()).unwrap_or(u64::MAX);
        Self {
            latest: RwLock::new(None),
            series: args.http.map(|_address| Mutex::new(Series::new(HISTORY_COLUMNS))),
            page: page(interval),
            patience_us: interval.saturating_mul(3).saturating_add(2_000_000),
            share_commands: args.share_commands,
            processes: if args.process_metrics { Processes::Shown } else { Processes::Hidden },
        }
    }

    fn publish(&self, snapshot: &Snapshot) {
        let shown =
            if self.share_commands { snapshot.clone() } else { without_commands(snapshot, None) };
        if let Some(series) = &self.series {
            series.lock().unwrap_or_else(PoisonError::into_inner).push(&shown);
        }
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(shown));
    }

    fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Pages for Site {
    fn respond(&self, request: &Request) -> Response {
        let Some(snapshot) = self.latest() else {
            return Response::text(503, "nothing was collected yet");
        };
        match request.path.as_str() {
            "/metrics" => {
                let format = Format::accepted(&request.accept);
                let body = openmetrics::render(&snapshot, format, self.processes).into_bytes();
                Response { status: 200, content_type: format.content_type(), body }
            }
            "/api/v1/snapshot" => match serde_json::to_vec(snapshot.as_ref()) {
                Ok(body) => Response { status: 200, content_type: "application/json", body },
                Err(_) => Response::text(503, "the snapshot cannot be written"),
            },
            "/api/v1/history" => {
                let series = self
                    .series
                    .as_ref()
                    .map(|series| series.lock().unwrap_or_else(PoisonError::into_inner).clone());
                match serde_json::to_vec(&series.unwrap_or_default()) {
                    Ok(body) => Response { status: 200, content_type: "application/json", body },
                    Err(_) => Response::text(503, "the history cannot be written"),
                }
            }
            "/healthz" => {
                let age = Clock::System.now().micros_since(snapshot.time_us);
                let is_fresh = age <= self.patience_us || snapshot.demo;
                if is_fresh {
                    Response::text(200, "ok")
                } else {
                    Response::text(503, &format!("the last sample is {} s old", age / 1_000_000))
                }
            }
            "/" => {
                let body = self.page.clone().into_bytes();
                Response { status: 200, content_type: "text/html; charset=utf-8", body }
            }
            _ => Response::text(
                404,
                "there are /, /metrics, /api/v1/snapshot, /api/v1/history and /healthz",
            ),
        }
    }
}
