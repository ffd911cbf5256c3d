//! Options that several commands share. Each flag is declared once, here.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::output::csv::{Csv, Header, Units};
use crate::output::page::Charset;
use crate::units::Interval;

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommonArgs {
    /// Read the files of another host from a directory.
    #[arg(long, value_name = "DIR", global = true, help_heading = "Common options")]
    pub(crate) root: Option<PathBuf>,
    /// Show an embedded example host, marked DEMO.
    #[arg(long, global = true, conflicts_with = "root", help_heading = "Common options")]
    pub(crate) demo: bool,
    /// Show the chips of an L1 capture, and nothing else.
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        conflicts_with_all = ["root", "demo"],
        help_heading = "Common options"
    )]
    pub(crate) capture: Option<PathBuf>,
    /// Also read the simulated chip behind this UMD socket.
    #[arg(
        long,
        value_name = "SOCKET",
        global = true,
        conflicts_with_all = ["demo", "capture"],
        help_heading = "Common options"
    )]
    pub(crate) simulator: Option<PathBuf>,
    /// Take snapshots from the ttmem server at this socket only.
    #[arg(
        long,
        value_name = "SOCKET",
        global = true,
        conflicts_with_all = ["root", "demo", "capture", "simulator", "no_server"],
        help_heading = "Common options"
    )]
    pub(crate) server: Option<PathBuf>,
    /// Read directly, even if a server is running.
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) no_server: bool,
    /// Wait at most TIME for a device in each sample; it is shown with its last values, or as timed out.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "200ms",
        global = true,
        help_heading = "Common options"
    )]
    pub(crate) deadline: Interval,
    /// Color the output.
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        global = true,
        help_heading = "Common options"
    )]
    pub(crate) color: ColorWhen,
    /// Print ASCII only.
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) ascii: bool,
}

impl CommonArgs {
    /// Returns true unless another host or a capture is read.
    #[must_use]
    pub(crate) fn is_this_host(&self) -> bool {
        !self.demo && self.root.is_none() && self.capture.is_none()
    }

    /// Returns an error unless this host is read: a command is not run for another one.
    ///
    /// # Errors
    /// [`Error::Usage`] if another host or a capture is read.
    pub(crate) fn check_runs_here(&self) -> Result<(), Error> {
        if self.is_this_host() {
            return Ok(());
        }
        Err(Error::usage("a command runs on this host; leave out --demo, --root and --capture"))
    }

    /// Returns the characters that `--ascii` allows.
    #[must_use]
    pub(crate) fn charset(&self) -> Charset {
        if self.ascii { Charset::Ascii } else { Charset::Unicode }
    }
}

/// The choice of whether output is colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also in pipes and files.
    Always,
    /// Never.
    Never,
}

/// The choice of chips.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ChipArgs {
    /// Show only these chips: index, PCIe address, /dev/tenstorrent/N, ASIC id or board serial.
    #[arg(short, long, value_name = "CHIP,...", value_delimiter = ',')]
    pub(crate) id: Vec<String>,
}

/// The repetition of an output, and its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct RepeatArgs {
    /// Refresh every SEC seconds [default: 5]; also 250ms, 2s, 1m.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        num_args = 0..=1,
        default_missing_value = "5"
    )]
    pub(crate) interval: Option<Interval>,
    /// Stop after N samples; implies -l.
    #[arg(short, long, value_name = "N", value_parser = count)]
    pub(crate) count: Option<u64>,
}

impl RepeatArgs {
    /// Returns the interval and count, or `None` if the output is shown once.
    #[must_use]
    pub(crate) fn repeat(&self) -> Option<Repeat> {
        let interval = self.interval.or(self.count.map(|_count| Interval::DEFAULT))?;
        Some(Repeat { interval, count: self.count })
    }
}

/// The file that output is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct FileArgs {
    /// Write to FILE, or to standard output if it is -; a loop appends. The endings .json and .csv choose the format.
    #[arg(
        short = 'o',
        long = "output",
        visible_short_alias = 'f',
        visible_alias = "filename",
        value_name = "FILE"
    )]
    pub(crate) filename: Option<PathBuf>,
}

impl FileArgs {
    /// Returns the destination of the output.
    #[must_use]
    pub(crate) fn target(&self) -> Target {
        Target::of(self.filename.as_deref())
    }

    /// Returns whether the name of the file has this ending, without the dot.
    #[must_use]
    pub(crate) fn ends_in(&self, ending: &str) -> bool {
        self.filename.as_deref().and_then(Path::extension).is_some_and(|found| found == ending)
    }
}

/// The options of an output of chosen chips that may repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct OutputArgs {
    /// The choice of chips.
    #[command(flatten)]
    pub(crate) chips: ChipArgs,
    /// The repetition.
    #[command(flatten)]
    pub(crate) repeat: RepeatArgs,
    /// The destination.
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

/// The interval of a command that samples until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct SamplingArgs {
    /// Take a sample every SEC seconds; also 250ms, 2s, 1m.
    #[arg(
        short = 'l',
        long = "loop",
        visible_alias = "interval",
        value_name = "SEC",
        default_value = "1"
    )]
    pub(crate) interval: Interval,
}

/// A word of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatWord {
    /// Comma-separated values.
    Csv,
    /// No line with the names of the fields.
    Noheader,
    /// No units after numbers.
    Nounits,
}

/// Returns the CSV format that the words of `--format` ask for.
#[must_use]
pub(crate) fn csv(words: &[FormatWord], charset: Charset) -> Csv {
    let no_header = words.contains(&FormatWord::Noheader);
    let no_units = words.contains(&FormatWord::Nounits);
    Csv {
        header: if no_header { Header::Hidden } else { Header::Shown },
        units: if no_units { Units::Hidden } else { Units::Shown },
        charset,
    }
}

/// The time between samples, and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// The time from one sample to the next.
    pub(crate) interval: Interval,
    /// The number of samples; `None` for no end.
    pub(crate) count: Option<u64>,
}

/// The destination of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// Returns the destination that a path names; `-` and no path are standard output.
    #[must_use]
    pub(crate) fn of(path: Option<&Path>) -> Self {
        match path {
            Some(path) if path.as_os_str() != "-" => Self::File(path.to_owned()),
            _ => Self::Standard,
        }
    }
}

fn count(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("write a number from 1 up")
}
