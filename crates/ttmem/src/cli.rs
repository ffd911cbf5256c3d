//! The command line: all arguments, and the requests that they resolve to.
//!
//! Each command has a file with its options; flags that several commands share are in [`common`]. Help, completions and
//! man pages are generated from here.

pub(crate) mod buffers;
pub(crate) mod capture;
pub(crate) mod common;
mod deferred;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod foreign;
pub(crate) mod l1;
pub(crate) mod pick;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod top;
pub(crate) mod usage;
pub(crate) mod who;

use std::ffi::OsString;

use clap::{Command as Definition, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::common::CommonArgs;
pub(crate) use self::deferred::Deferred;
use self::snapshot::SnapshotArgs;
use crate::error::{EXIT_CODES, Error};

/// Shows where the memory of Tenstorrent devices goes.
///
/// Without a command, prints a table of the chips, their memory by kind, and the processes that hold it. Nothing is
/// written, and no device is opened without --l1.
#[derive(Debug, Parser)]
#[command(name = "ttmem", version, after_help = EXIT_CODES, max_term_width = 91)]
pub(crate) struct Cli {
    /// Options of plain `ttmem`.
    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,
    /// Options of every command.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The command, if one is given.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch chips and processes live.
    Top(Deferred<top::TopArgs>),
    /// Show the L1 of each worker core: circular buffers, kernels, and their processes.
    ///
    /// Reads simulated chips, captures, and the chips that a TT-Metal process has open. About 1 KiB per core of a real
    /// chip is read over PCIe; nothing is written.
    L1(Deferred<l1::L1Args>),
    /// List the live buffers of processes that run with the agent.
    Buffers(Deferred<buffers::BuffersArgs>),
    /// Explain TT-Metal's out-of-memory and clash messages, and its memory reports.
    ///
    /// Reads a log, a pasted message, or a folder of reports. Explains each message: its meaning, how many bytes are
    /// missing, and what to change.
    Explain(Deferred<explain::ExplainArgs>),
    /// Run a command with the agent, for exact figures.
    Run(Deferred<run::RunArgs>),
    /// Report the memory use of a run, from a recording or from agent segments.
    Report(Deferred<report::ReportArgs>),
    /// Record snapshots over time.
    Record(Deferred<record::RecordArgs>),
    /// Show a recording.
    Replay(Deferred<replay::ReplayArgs>),
    /// Compare two snapshots or recordings.
    Diff(Deferred<diff::DiffArgs>),
    /// Run a collector daemon for local clients and Prometheus.
    Serve(Deferred<serve::ServeArgs>),
    /// List which process has each chip, since when, and what a reset would end.
    Who(Deferred<who::WhoArgs>),
    /// Pick free devices, and print TT_VISIBLE_DEVICES.
    Pick(Deferred<pick::PickArgs>),
    /// Check the host setup and list stale files.
    Doctor(Deferred<doctor::DoctorArgs>),
    /// Save the files that ttmem reads, for a bug report.
    Capture(Deferred<capture::CaptureArgs>),
    /// Serve coding agents over the Model Context Protocol, on standard input and output.
    Mcp,
    /// Show and check the config file.
    Config(Deferred<top::ConfigArgs>),
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page of ttmem, or of one of its commands.
    Man {
        /// A command, such as top.
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

impl Cli {
    /// Parses arguments by the definition of the command line.
    ///
    /// # Errors
    /// If they are invalid, or ask for help.
    pub(crate) fn parse_by(
        definition: Definition,
        arguments: &[OsString],
    ) -> clap::error::Result<Self> {
        let mut matches = definition.try_get_matches_from(arguments)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Self::command()))
    }

    /// Checks the options that only some commands accept.
    ///
    /// # Errors
    /// [`Error::Usage`] if options of plain `ttmem` come before a command, or if `--server` is given to a command that
    /// does not read from a server.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.command.is_some() && self.snapshot != SnapshotArgs::default() {
            return Err(Error::usage(
                "only common options, such as --demo, may precede a command; \
                 put the others after the command, or use plain ttmem",
            ));
        }
        if self.common.server.is_some() && !self.reads_from_server() {
            return Err(Error::usage(
                "--server goes with plain ttmem without --l1 and --why, with ttmem top and with ttmem record; leave it out here",
            ));
        }
        Ok(())
    }

    fn reads_from_server(&self) -> bool {
        match &self.command {
            None => {
                let SnapshotArgs { l1, why, help_query_device, help_query_processes, .. } =
                    &self.snapshot;
                !(*l1 || why.is_some() || *help_query_device || *help_query_processes)
            }
            Some(Command::Top(_) | Command::Record(_)) => true,
            Some(_) => false,
        }
    }
}
