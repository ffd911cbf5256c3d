//! The `ttmem` command: arguments in, output and an exit code out.
//!
//! - [`cli`] and [`args`]: what people type, and what it means.
//! - [`field`]: the one table of what can be asked of a chip or a process.
//! - [`output`]: pure functions from a snapshot to text.
//! - [`cmd`]: what takes snapshots and delivers texts.

pub mod args;
pub mod cli;
pub mod cmd;
pub mod exit;
pub mod field;
pub mod interval;
pub mod output;
pub mod select;
pub mod terminal;
pub mod usage;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use ttmem_collect::{Collector, Root};

use self::args::{Request, Target};
use self::cli::{Cli, CommonArgs};
use self::cmd::target::{Mode, deliver};
use self::exit::Failure;

/// Does what the arguments ask for, and says on standard error what went wrong.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(arguments)
        .map_err(Stop::Parsing)
        .and_then(|cli| obey(cli).map_err(Stop::Failing))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.end(),
    }
}

/// Why there is nothing more to do.
enum Stop {
    Parsing(clap::Error),
    Failing(Failure),
}

impl Stop {
    fn end(self) -> ExitCode {
        match self {
            Self::Parsing(error) if !error.use_stderr() => match error.print() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
                _ => ExitCode::SUCCESS,
            },
            Self::Parsing(error) => Self::Failing(Failure::usage(usage::one_line(&error))).end(),
            Self::Failing(Failure { exit, message }) => {
                // There is nowhere left to say that standard error is closed.
                match writeln!(io::stderr().lock(), "ttmem: {message}") {
                    Ok(()) | Err(_) => ExitCode::from(exit as u8),
                }
            }
        }
    }
}

fn obey(cli: Cli) -> Result<(), Failure> {
    let color = cli.common.color;
    let charset = args::charset(&cli.common);
    let collector = host(&cli.common);
    match Request::of(cli)? {
        Request::Text(text) => {
            let bytes = cmd::text::render(text)
                .map_err(|error| Failure::usage(format!("cannot make the text: {error}")))?;
            deliver(&Target::Standard, Mode::Append, &bytes).map(|_delivery| ())
        }
        Request::Snapshot(request) => {
            let mut collector = collector?;
            let pages = |otherwise| terminal::page(&request.target, color, charset, otherwise);
            cmd::snapshot::run(&request, || collector.snapshot(), pages)
        }
    }
}

/// The host that `--root` and `--demo` choose.
fn host(common: &CommonArgs) -> Result<Collector, Failure> {
    match &common.root {
        None if common.demo => Ok(Collector::demo()),
        None => Ok(Collector::new(Root::system())),
        Some(directory) => Root::directory(directory).map(Collector::new).map_err(|error| {
            Failure::usage(format!("cannot open --root {error}; name a directory that can be read"))
        }),
    }
}
