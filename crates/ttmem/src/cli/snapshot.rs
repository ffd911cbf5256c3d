//! Arguments of plain `ttmem`.

use clap::Args;

use super::common::{CommonArgs, FormatWord, OutputArgs, Repeat, RepeatArgs, Target, csv};
use super::top::TopArgs;
use crate::error::Error;
use crate::field::Field;
use crate::field::device::{self, DeviceField};
use crate::field::process::{self, ProcessField};
use crate::field::query::{self, UnknownField};
use crate::output::csv::Csv;
use crate::output::table::Form;

/// Options of plain `ttmem`.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct SnapshotArgs {
    /// Show every reading with its source and quality, or the reason why it is missing.
    #[arg(short, long, group = "output")]
    pub(crate) query: bool,
    /// Show all memory of every chip in the table, however many there are.
    #[arg(long, conflicts_with = "output")]
    pub(crate) wide: bool,
    /// Show one line per chip in the table; the default from 3 chips on.
    #[arg(long, conflicts_with_all = ["output", "wide"])]
    pub(crate) compact: bool,
    /// List the chips, one per line.
    #[arg(short = 'L', long, group = "output")]
    pub(crate) list: bool,
    /// Print the snapshot as JSON; with -l, one line per sample.
    #[arg(long, group = "output")]
    pub(crate) json: bool,
    /// Print these fields of each chip as CSV, or `all`.
    #[arg(long, visible_alias = "query-gpu", value_name = "FIELDS", group = "output")]
    pub(crate) query_device: Option<String>,
    /// Print these fields of each process as CSV, or `all`.
    #[arg(long, visible_alias = "query-compute-apps", value_name = "FIELDS", group = "output")]
    pub(crate) query_processes: Option<String>,
    /// List the fields of --query-device.
    #[arg(long, visible_alias = "help-query-gpu", group = "output")]
    pub(crate) help_query_device: bool,
    /// List the fields of --query-processes.
    #[arg(long, visible_alias = "help-query-compute-apps", group = "output")]
    pub(crate) help_query_processes: bool,
    /// Explain the reading at a path of the JSON, such as chips.0.memory.dram.used: its rule and its parts.
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with_all = [
            "query", "list", "query_device", "query_processes", "help_query_device",
            "help_query_processes", "watch", "id", "interval", "count", "format",
        ]
    )]
    pub(crate) why: Option<String>,
    /// Set the format of --query-device and --query-processes, such as csv,noheader,nounits.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<FormatWord>,
    /// Also read the L1 of real chips, for circular buffers and kernels; see ttmem l1.
    #[arg(long)]
    pub(crate) l1: bool,
    /// The choice of chips, the repetition and the destination.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Watch live; short for `ttmem top`.
    #[arg(short, long, group = "output")]
    pub(crate) watch: bool,
}

/// A request for snapshots, checked.
#[derive(Debug)]
pub(crate) struct SnapshotRequest {
    /// True if the L1 of real chips is read.
    pub(crate) l1: bool,
    /// The form of the output.
    pub(crate) view: View,
    /// The selectors of chips; empty for all.
    pub(crate) selectors: Vec<String>,
    /// The repetition; `None` for a single snapshot.
    pub(crate) repeat: Option<Repeat>,
    /// The destination.
    pub(crate) target: Target,
}

/// A request for the trace of a reading.
#[derive(Debug)]
pub(crate) struct WhyRequest {
    /// The path of the reading in the snapshot's JSON.
    pub(crate) path: String,
    /// True if the trace is printed as JSON.
    pub(crate) is_json: bool,
    /// True if the L1 of real chips is read.
    pub(crate) l1: bool,
    /// The destination.
    pub(crate) target: Target,
}

/// The form of a snapshot.
#[derive(Debug)]
pub(crate) enum View {
    /// The table.
    Table(Form),
    /// Every reading.
    Detail,
    /// One line per chip.
    List,
    /// The snapshot as JSON.
    Json,
    /// Fields of each chip.
    Devices(Vec<DeviceField>, Csv),
    /// Fields of each process.
    Processes(Vec<ProcessField>, Csv),
}

/// The meaning of plain `ttmem` with options.
#[derive(Debug)]
pub(crate) enum Plain {
    /// Snapshots.
    Snapshot(SnapshotRequest),
    /// The trace of a reading.
    Why(WhyRequest),
    /// The live view.
    Top(TopArgs),
    /// The list of fields of a chip.
    DeviceFields,
    /// The list of fields of a process.
    ProcessFields,
}

impl SnapshotArgs {
    /// Resolves the options.
    ///
    /// # Errors
    /// [`Error::Usage`] if options contradict each other or name an unknown field.
    pub(crate) fn resolve(self, common: &CommonArgs) -> Result<Plain, Error> {
        if self.watch {
            return self.top().map(Plain::Top);
        }
        if self.help_query_device {
            return Ok(Plain::DeviceFields);
        }
        if self.help_query_processes {
            return Ok(Plain::ProcessFields);
        }
        if let Some(path) = self.why {
            let is_json = self.json || self.output.file.ends_in("json");
            let target = self.output.file.target();
            return Ok(Plain::Why(WhyRequest { path, is_json, l1: self.l1, target }));
        }
        Ok(Plain::Snapshot(SnapshotRequest {
            l1: self.l1,
            view: self.view(common)?,
            selectors: self.output.chips.id,
            repeat: self.output.repeat.repeat(),
            target: self.output.file.target(),
        }))
    }

    /// Returns the options of `ttmem top` that `-w` stands for. Only `-l` goes with it, as the interval.
    fn top(self) -> Result<TopArgs, Error> {
        let interval = self.output.repeat.interval;
        let repeat = RepeatArgs { interval, ..RepeatArgs::default() };
        let output = OutputArgs { repeat, ..OutputArgs::default() };
        if self != (Self { watch: true, output, ..Self::default() }) {
            return Err(Error::usage("-w goes with -l only; filter and select on the screen"));
        }
        Ok(TopArgs { interval, ..TopArgs::default() })
    }

    fn view(&self, common: &CommonArgs) -> Result<View, Error> {
        let csv = csv(&self.format, common.charset());
        Ok(match (&self.query_device, &self.query_processes) {
            (Some(list), _) => View::Devices(select(list, device::fields(), "device")?, csv),
            (_, Some(list)) => View::Processes(select(list, process::fields(), "processes")?, csv),
            _ if !self.format.is_empty() => {
                return Err(Error::usage(
                    "--format goes with --query-device or --query-processes, \
                     such as --query-device=index,memory.dram.used --format=csv",
                ));
            }
            _ if self.query => View::Detail,
            _ if self.list => View::List,
            _ if self.json || self.output.file.ends_in("json") => View::Json,
            _ if self.output.file.ends_in("csv") => View::Devices(device::fields().to_vec(), csv),
            _ if self.wide => View::Table(Form::Wide),
            _ if self.compact => View::Table(Form::Compact),
            _ => View::Table(Form::ByCount),
        })
    }
}

fn select<R: Clone>(list: &str, table: &[Field<R>], what: &str) -> Result<Vec<Field<R>>, Error> {
    query::select(list, table).map_err(|UnknownField { name, nearest }| {
        if name.starts_with("utilization.") {
            return Error::usage(format!(
                "`{name}` is not supported: no source says how busy a Tenstorrent chip is"
            ));
        }
        Error::usage(format!(
            "no field `{name}`; did you mean `{nearest}`? ttmem --help-query-{what} lists all"
        ))
    })
}
