//! Arguments as nvidia-smi and tt-smi have them, in the words of ttmem, and options of `ttmem run` before its `--`.

use std::ffi::{OsStr, OsString};

use clap::Command;

use crate::error::Error;

/// Arguments of the other tools that ask for something that ttmem does not do.
const REFUSED: [(&str, &str); 13] = [
    ("-r", "ttmem does not reset chips; use tt-smi -r"),
    ("--reset", "ttmem does not reset chips; use tt-smi -r"),
    ("--gpu-reset", "ttmem does not reset chips; use tt-smi -r"),
    ("-glx_reset", "ttmem does not reset chips; use tt-smi"),
    ("-pm", "Tenstorrent chips have no persistence mode"),
    ("-pl", "ttmem sets no power limit"),
    ("-ac", "ttmem sets no clocks"),
    ("-lgc", "ttmem sets no clocks"),
    ("-x", "ttmem writes no XML; use --json"),
    ("topo", "ttmem does not show topology; use tt-smi or tt-topology"),
    ("nvlink", "ttmem does not show links; use tt-smi"),
    ("mig", "Tenstorrent chips have no instances to configure"),
    ("daemon", "use ttmem serve"),
];

/// Fields of `ttmem dmon`: one line per chip and sample.
const DMON: &str = "--query-device=timestamp,index,memory.dram.used,memory.dram.capacity,memory.l1.used,memory.l1.capacity";
/// Fields of `ttmem pmon`: one line per process, chip and sample.
const PMON: &str = "--query-processes=timestamp,chip.index,pid,name,memory.dram,memory.l1";

/// Replaces the arguments of other tools by those of ttmem, whose definition is `cli`. Arguments of a command that `ttmem run` starts are left alone.
///
/// # Errors
/// [`Error::Usage`] for an argument that names something that ttmem does not do.
pub(crate) fn translate(arguments: Vec<OsString>, cli: &Command) -> Result<Vec<OsString>, Error> {
    let mut translated = Vec::with_capacity(arguments.len() + 4);
    let mut words = arguments.into_iter();
    translated.extend(words.next());
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            translated.push(word);
            continue;
        };
        if text == "run" {
            translated.push(word);
            translated.extend(report_file(words.collect()));
            return Ok(translated);
        }
        if text == "--" || cli.find_subcommand(text).is_some() {
            translated.push(word);
            translated.extend(words);
            return Ok(translated);
        }
        if let Some((name, reason)) = REFUSED.iter().find(|(name, _)| *name == text) {
            return Err(Error::usage(format!("`{name}` is not supported: {reason}")));
        }
        match text {
            "-ls" => translated.push("--list".into()),
            "-s" => translated.push("--json".into()),
            "-lms" => translated.push(milliseconds("-lms", words.next().as_deref())?),
            "-d" => display(words.next().as_deref())?,
            "dmon" => translated.extend(monitor(DMON, words.by_ref())?),
            "pmon" => translated.extend(monitor(PMON, words.by_ref())?),
            _ => match text.strip_prefix("--loop-ms=") {
                Some(number) => {
                    translated.push(milliseconds("--loop-ms", Some(OsStr::new(number)))?);
                }
                None => translated.push(word),
            },
        }
    }
    Ok(translated)
}

fn milliseconds(name: &str, number: Option<&OsStr>) -> Result<OsString, Error> {
    let number = number.and_then(OsStr::to_str).filter(|text| text.parse::<u32>().is_ok());
    let number = number
        .ok_or_else(|| Error::usage(format!("{name} takes milliseconds, such as {name} 500")))?;
    Ok(format!("--loop={number}ms").into())
}

/// `-d` of nvidia-smi chooses what `-q` shows. ttmem shows all of it.
fn display(sections: Option<&OsStr>) -> Result<(), Error> {
    let known = ["MEMORY", "TEMPERATURE", "POWER", "CLOCK", "PIDS"];
    let sections = sections.and_then(OsStr::to_str).unwrap_or_default();
    if sections.split(',').all(|one| known.contains(&one)) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`-d {sections}` is not supported: -q shows everything that ttmem knows; -d may be {}",
        known.join(", ")
    )))
}

/// The options of dmon and pmon: `-d SEC`, `-c N`, `-i CHIP`, `-o T`, `-s WHAT`.
fn monitor(
    fields: &str,
    mut words: impl Iterator<Item = OsString>,
) -> Result<Vec<OsString>, Error> {
    let mut options: Vec<OsString> = vec![fields.into()];
    let mut interval = OsString::from("--loop=1");
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("-d") => {
                interval = OsString::from("--loop=");
                interval.push(words.next().unwrap_or_default());
            }
            Some("-s" | "-o") => {
                words.next();
            }
            _ => options.push(word),
        }
    }
    options.push(interval);
    Ok(options)
}

/// Joins `--report FILE` of `ttmem run` to one argument where a `--` follows: FILE is not the command then. The same for `-o`.
fn report_file(words: Vec<OsString>) -> Vec<OsString> {
    let Some(end) = words.iter().position(|word| word == "--") else { return words };
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    let mut options = words.iter().take(end).peekable();
    while let Some(word) = options.next() {
        let is_value = |next: &&&OsString| !next.as_encoded_bytes().starts_with(b"-");
        if word == "--report" && options.peek().as_ref().is_some_and(is_value) {
            let mut one = OsString::from("--report=");
            one.push(options.next().map(OsString::as_os_str).unwrap_or_default());
            joined.push(one);
        } else if !word.as_encoded_bytes().starts_with(b"-")
            && joined.len() < 2
            && !takes_value(joined.last())
        {
            // The command begins before the `--`, which is one of its arguments.
            return words;
        } else {
            joined.push(word.clone());
        }
    }
    joined.extend(words.into_iter().skip(end));
    joined
}

/// True for an option whose value is the next word.
fn takes_value(option: Option<&OsString>) -> bool {
    option.and_then(|option| option.to_str()).is_some_and(|option| {
        ["--limit", "-o", "--output", "--color", "--server", "--simulator"].contains(&option)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn translated(line: &str) -> Result<String, String> {
        let words = line.split(' ').map(OsString::from).collect();
        let words = translate(words, &crate::cli::Cli::command())
            .map_err(|error| error.message().to_owned())?;
        Ok(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_report_file_before_the_dashes_is_not_the_command() {
        for (line, wanted) in [
            ("ttmem run --report x.json -- true", "ttmem run --report=x.json -- true"),
            ("ttmem run --report -- true", "ttmem run --report -- true"),
            ("ttmem run --report --keep -- true", "ttmem run --report --keep -- true"),
            (
                "ttmem run --limit dram=1 --report x -- a",
                "ttmem run --limit dram=1 --report=x -- a",
            ),
            ("ttmem run --report python a.py", "ttmem run --report python a.py"),
            ("ttmem run pytest --report x -- y", "ttmem run pytest --report x -- y"),
            ("ttmem run -- a --report b -- c", "ttmem run -- a --report b -- c"),
        ] {
            assert_eq!(translated(line).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn the_words_of_other_tools_have_their_counterparts() {
        for (line, wanted) in [
            ("ttmem -ls", "ttmem --list"),
            ("ttmem -s", "ttmem --json"),
            ("ttmem -lms 500", "ttmem --loop=500ms"),
            ("ttmem --loop-ms=250", "ttmem --loop=250ms"),
            ("ttmem -q -d MEMORY", "ttmem -q"),
            ("ttmem -l 2 --json", "ttmem -l 2 --json"),
            ("ttmem top -s", "ttmem top -s"),
        ] {
            assert_eq!(translated(line).as_deref(), Ok(wanted));
        }
        assert_eq!(translated("ttmem dmon -d 2 -c 3"), Ok(format!("ttmem {DMON} -c 3 --loop=2")));
        assert_eq!(translated("ttmem pmon"), Ok(format!("ttmem {PMON} --loop=1")));
    }

    #[test]
    fn what_ttmem_does_not_do_is_refused_by_name() {
        assert!(translated("ttmem -r 0").unwrap_err().contains("tt-smi -r"));
        assert!(translated("ttmem -lms").unwrap_err().contains("milliseconds"));
        assert!(translated("ttmem -q -d ECC").unwrap_err().contains("-d ECC"));
    }
}
