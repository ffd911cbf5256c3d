//! Arguments of `ttmem l1`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::common::{OutputArgs, Repeat, Target};
use crate::output::l1::L1Sort;
use crate::units::Size;

/// The source of what `ttmem l1` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum L1From {
    /// L1 itself, read from the device.
    L1,
    /// The agents in the processes; no device is opened.
    Agent,
}

/// Options of `ttmem l1`.
#[derive(Debug, Args)]
pub(crate) struct L1Args {
    /// Draw the address space of one core, by its column and row in the grid.
    #[arg(long, value_name = "X,Y", value_parser = coordinate, group = "output")]
    pub(crate) core: Option<[u8; 2]>,
    /// List the cores, one per line.
    #[arg(long, group = "output")]
    pub(crate) cores: bool,
    /// Print the map of every core as JSON; with -l, one line per sample.
    #[arg(long, group = "output")]
    pub(crate) json: bool,
    /// Save what was read as a capture in this directory.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["core", "cores", "json", "sort", "interval", "count", "filename"])]
    pub(crate) save: Option<PathBuf>,
    /// Read L1 itself, or ask the agents of the processes; by default agents where L1 cannot be read.
    #[arg(long, value_name = "SOURCE", value_enum, conflicts_with = "save")]
    pub(crate) source: Option<L1From>,
    /// Sort programs, or with --cores the cores, by this key.
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub(crate) sort: L1Sort,
    /// The choice of chips, the repetition and the destination.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Give up a sample of a chip that reads more than SIZE, such as 512KiB.
    #[arg(long, value_name = "SIZE", value_parser = budget)]
    pub(crate) budget: Option<u64>,
    /// Take the mailbox layout of this release, such as 0.62.2, or of this brisc.elf.
    #[arg(long, value_name = "RELEASE|ELF")]
    pub(crate) layout: Option<OsString>,
}

/// A request for maps of L1, checked.
#[derive(Debug)]
pub(crate) struct L1Request {
    /// The form of the output.
    pub(crate) view: L1View,
    /// The only source; `None` for L1, and agents where it cannot be read.
    pub(crate) source: Option<L1From>,
    /// The key that lines are sorted by.
    pub(crate) sort: L1Sort,
    /// The selectors of chips; empty for all.
    pub(crate) selectors: Vec<String>,
    /// The repetition; `None` for a single look.
    pub(crate) repeat: Option<Repeat>,
    /// The destination.
    pub(crate) target: Target,
    /// The most bytes that a sample of a chip may read.
    pub(crate) budget: Option<u64>,
    /// The release or the file whose layout is taken.
    pub(crate) layout: Option<OsString>,
}

/// The form of a look at L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum L1View {
    /// The grid of cores, its content and the programs.
    Grid,
    /// The address space of the core in this column and row.
    Core([u8; 2]),
    /// One line per core.
    Cores,
    /// The report as JSON.
    Json,
    /// No output: a capture in this directory.
    Save(PathBuf),
}

impl From<L1Args> for L1Request {
    fn from(args: L1Args) -> Self {
        let view = match (args.save, args.core) {
            (Some(directory), _) => L1View::Save(directory),
            (None, Some(core)) => L1View::Core(core),
            (None, None) if args.cores => L1View::Cores,
            (None, None) if args.json || args.output.file.ends_in("json") => L1View::Json,
            (None, None) => L1View::Grid,
        };
        Self {
            view,
            source: args.source,
            sort: args.sort,
            selectors: args.output.chips.id,
            repeat: args.output.repeat.repeat(),
            target: args.output.file.target(),
            budget: args.budget,
            layout: args.layout,
        }
    }
}

fn coordinate(text: &str) -> Result<[u8; 2], String> {
    let coordinate = text.split_once(',').and_then(|(x, y)| {
        let number = |text: &str| text.trim().parse().ok();
        Some([number(x)?, number(y)?])
    });
    coordinate.ok_or_else(|| "write column and row, such as 3,4".to_owned())
}

fn budget(text: &str) -> Result<u64, &'static str> {
    match text.parse()? {
        Size(0) => Err("a sample reads at least one byte"),
        Size(bytes) => Ok(bytes),
    }
}
