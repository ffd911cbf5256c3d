//! The system calls of a program, by strace.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A system call, as strace writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name of the call.
    pub name: String,
    /// Arguments, as text.
    pub arguments: String,
    /// Result, as text.
    pub result: String,
}

/// Runs a program under strace. `None`, after printing the reason, if strace is missing or may not trace.
#[must_use]
pub fn trace(command: &Command) -> Option<(Output, Vec<Call>)> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-xx", "-s", "128", "-e", "signal=none", "-o"]).arg(log.path());
    strace.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    let output =
        strace.output().ok().filter(|output| output.status.success() || has_calls(log.path()));
    let Some(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed, or may not trace here");
        eprintln!("skipped: strace is not installed, or may not trace here");
        return None;
    };
    let text = std::fs::read_to_string(log.path()).unwrap();
    Some((output, calls(&text)))
}

fn has_calls(log: &Path) -> bool {
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Returns the calls of a log, with those that were interrupted by other threads joined.
fn calls(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let Some((thread, line)) = line.split_once(' ') else { continue };
        let line = line.trim_start();
        if let Some(start) = line.strip_suffix("<unfinished ...>") {
            unfinished.push((thread, start.trim_end().to_owned()));
        } else if let Some((_, end)) = line.split_once(" resumed>") {
            let index = unfinished.iter().rposition(|(other, _)| *other == thread);
            if let Some(index) = index {
                calls.extend(call(&format!("{}{end}", unfinished.remove(index).1)));
            }
        } else {
            calls.extend(call(line));
        }
    }
    calls
}

fn call(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
    Some(Call {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        result: result.trim().to_owned(),
    })
}

impl Call {
    /// Returns an argument by its number. Commas in texts do not matter: strace writes those in hexadecimal.
    #[must_use]
    pub fn argument(&self, number: usize) -> &str {
        self.arguments.split(", ").nth(number).unwrap_or_default()
    }

    /// Returns a text argument, as bytes.
    #[must_use]
    pub fn bytes(&self, number: usize) -> Vec<u8> {
        let text = self.argument(number).trim_end_matches('.').trim_matches('"');
        let digits = text.split("\\x").skip(1);
        digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_another_thread_interrupts_are_put_together() {
        let log = "12 sendto(3, \"\\x41\\x42\", 2, MSG_NOSIGNAL, NULL, 0 <unfinished ...>\n\
                   13 close(4) = 0\n\
                   12 <... sendto resumed>) = 2\n";
        let calls = calls(log);
        assert_eq!(calls[0].name, "close");
        assert_eq!((calls[1].name.as_str(), calls[1].bytes(1)), ("sendto", b"AB".to_vec()));
        assert_eq!((calls[1].argument(0), calls[1].result.as_str()), ("3", "2"));
    }
}
