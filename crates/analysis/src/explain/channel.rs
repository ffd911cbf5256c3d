//! Programs that print one exception: a worker throws it, and every program that it passes through prints it again.

use std::sync::LazyLock;

use regex::Regex;

use super::{pattern, prefix};

/// Prints of one message by the prefix of their lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

/// Prints whose prefixes differ in their digits alone: of one program, or of its ranks.
#[derive(Clone, Debug)]
struct Channel {
    label: String,
    count: usize,
    /// Latest prefixes from their last time on, with the process.
    latest: Vec<String>,
}

/// Channels that are kept for one message; further ones count as the last.
const MAX_CHANNELS: usize = 16;

/// Prefixes that are kept for one channel: the lines of so many ranks may be mixed.
const MAX_LATEST: usize = 32;

static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern::compile(r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"));

impl Channels {
    /// Counts a print in a line. A logger that prints an exception as a value and then its traceback does so in one record,
    /// in JSON in one line.
    pub(super) fn add(&mut self, prefix: &str, line: usize, is_exception: bool) {
        let label = label(prefix);
        let known = self.0.iter().position(|channel| channel.label == label);
        let index = known.unwrap_or(self.0.len().min(MAX_CHANNELS - 1));
        if index == self.0.len() {
            self.0.push(Channel { label, count: 0, latest: Vec::new() });
        }
        let channel = &mut self.0[index];
        let time = TIME.as_ref().and_then(|time| time.find_iter(prefix).last());
        let record = match time.filter(|_| is_exception) {
            _ if prefix.contains(prefix::JSON) => Some(line.to_string()),
            Some(time) => {
                let source = prefix::source(prefix).unwrap_or_default();
                Some(format!("{source} {}", &prefix[time.start()..]))
            }
            None => None,
        };
        if let Some(record) = record {
            if channel.latest.contains(&record) {
                return;
            }
            if channel.latest.len() == MAX_LATEST {
                channel.latest.remove(0);
            }
            channel.latest.push(record);
        }
        channel.count += 1;
    }

    /// Times that the message happened: as often as the program that printed it most often did so.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|channel| channel.count).max().unwrap_or(0)
    }
}

/// A prefix with one mark for each number.
fn label(prefix: &str) -> String {
    let mut label = String::with_capacity(prefix.len());
    for character in prefix.trim().chars() {
        let character = if character.is_ascii_digit() { '#' } else { character };
        if character != '#' || !label.ends_with('#') {
            label.push(character);
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(prefixes: &[&str]) -> usize {
        let mut channels = Channels::default();
        prefixes.iter().for_each(|prefix| channels.add(prefix, 1, true));
        channels.count()
    }

    #[test]
    fn a_program_that_passes_an_exception_on_does_not_count() {
        let core = "(EngineCore_DP0 pid=34) ERROR 04-20 18:51:38 [core.py:9] ";
        let raw = "(EngineCore_DP0 pid=34) ";
        let server = "(APIServer pid=1) ERROR 04-20 18:51:39 [serving.py:8] ";
        assert_eq!(count(&[core, core, raw, server]), 1);
        let other = "(EngineCore_DP1 pid=35) ERROR 04-20 18:51:38 [core.py:9] ";
        assert_eq!(count(&[core, other, core, other, server]), 2);
        let later = "(EngineCore_DP0 pid=34) ERROR 04-20 18:52:01 [core.py:9] ";
        assert_eq!(count(&[core, server, later]), 2);
        assert_eq!(count(&["[1,0]<stderr>: ", "[1,1]<stderr>: "]), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let mut channels = Channels::default();
        for number in 0..1000_u32 {
            let name = char::from_u32(0x4e00 + number).unwrap();
            channels.add(&format!("{name} 10:00:00 "), 1, true);
            channels.add(&format!("x 10:00:00.{number} "), 1, true);
        }
        assert!(channels.0.len() == MAX_CHANNELS);
        assert!(channels.0.iter().all(|channel| channel.latest.len() <= MAX_LATEST));
    }
}
