//! Arguments of `ttmem report`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

/// Options of `ttmem report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A recording, the file of an agent segment such as /dev/shm/ttmem-4242-99, a folder with those of the ranks of a job, or
    /// a process id. Of the JSON reports of ttmem run the ranks are compared.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long, group = "form")]
    pub(crate) json: bool,
    /// Write a page with charts, for a browser.
    #[arg(long, group = "form")]
    pub(crate) html: bool,
    /// Write a trace for ui.perfetto.dev: memory as counters, ops as slices, failures as instants.
    #[arg(long, group = "form")]
    pub(crate) perfetto: bool,
    /// Write a folder that ttnn-visualizer opens: operations with their buffers and circular buffers.
    #[arg(long, value_name = "DIR", group = "form", conflicts_with = "output")]
    pub(crate) ttnn_visualizer: Option<PathBuf>,
    /// Write to FILE, or to standard output if it is -. Without another option the ending of FILE chooses the format: .json,
    /// .html or .perfetto-trace.
    #[arg(short, long, visible_short_alias = 'f', visible_alias = "filename", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// Text for a terminal.
    Text,
    /// JSON.
    Json,
    /// A page with charts.
    Html,
    /// A trace for Perfetto.
    Perfetto,
}

impl ReportFormat {
    /// Returns the format that the ending of a file's name stands for, or text.
    #[must_use]
    pub(crate) fn of_file(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some("json") => Self::Json,
            Some("html" | "htm") => Self::Html,
            Some("perfetto-trace" | "pftrace") => Self::Perfetto,
            _ => Self::Text,
        }
    }
}

impl ReportArgs {
    /// Returns the format of the report.
    #[must_use]
    pub(crate) fn format(&self) -> ReportFormat {
        match (self.json, self.html, self.perfetto) {
            (true, ..) => ReportFormat::Json,
            (_, true, _) => ReportFormat::Html,
            (.., true) => ReportFormat::Perfetto,
            _ => self.output.as_deref().map_or(ReportFormat::Text, ReportFormat::of_file),
        }
    }
}
