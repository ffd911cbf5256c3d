//! Arguments of `ttmem serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ttmem_service::server::push::Endpoint;

use super::common::SamplingArgs;
use crate::units::{Interval, Size, Span};

/// Options of `ttmem serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The path of the socket [default: /run/ttmem/ttmem.sock as root, else in XDG_RUNTIME_DIR].
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Answer HTTP at this address: a page with charts at /, and /metrics, /api/v1/snapshot, /api/v1/history, /healthz.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:9401", value_parser = address)]
    pub(crate) http: Option<SocketAddr>,
    /// The interval.
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Keep a history of TIME for clients.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) history: Span,
    /// Limit the memory of the history to SIZE.
    #[arg(long, value_name = "SIZE", default_value = "32MB")]
    pub(crate) history_size: Size,
    /// Show the command lines of all users to all clients of the socket; HTTP never shows them.
    #[arg(long)]
    pub(crate) share_commands: bool,
    /// Export metrics of each process.
    #[arg(long)]
    pub(crate) process_metrics: bool,
    /// The export of metrics.
    #[command(flatten)]
    pub(crate) export: ExportArgs,
}

/// Options of the export to an OTLP receiver.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Push metrics to the OTLP receiver at this address, such as http://localhost:4318.
    ///
    /// OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES are honored.
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<Endpoint>,
    /// Push every SEC seconds.
    #[arg(long, value_name = "SEC", default_value = "10", requires = "otlp")]
    pub(crate) otlp_interval: Interval,
}

/// Parses an address to listen on. Names are not resolved, since that may use the network.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse()
        .map_err(|_error| "write ADDRESS:PORT, such as 127.0.0.1:9401, [::1]:9401 or 0.0.0.0:9401")
}
