//! Whose segment it is beyond a process number: the namespace that the number is of, and the runs of `ttmem run` that
//! the process is part of.

use super::entry::checksum;
use super::layout::{WORD_BYTES, identity};

/// The namespace of the process number, and the runs that the process is part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Identity {
    /// Inode of the process's pid namespace (`/proc/self/ns/pid`); `None` if the agent could not read it.
    pub pid_namespace: Option<u64>,
    /// Tokens of the runs, outermost first; empty without `ttmem run`.
    pub runs: Vec<String>,
}

impl Identity {
    /// Separates the tokens of nested runs, in the segment and in the environment.
    pub const SEPARATOR: char = ',';

    /// An identity from the value of the variable that carries the tokens of runs. What does not fit is left out, the
    /// outermost runs first.
    #[must_use]
    pub fn new(pid_namespace: Option<u64>, runs: &str) -> Self {
        let mut bytes = 0;
        let fits = |token: &&str| {
            bytes += token.len() + Self::SEPARATOR.len_utf8();
            bytes <= identity::RUNS_WORDS * WORD_BYTES
        };
        let tokens = runs.rsplit(Self::SEPARATOR).filter(|token| !token.is_empty());
        let mut runs: Vec<String> = tokens.take_while(fits).map(str::to_owned).collect();
        runs.reverse();
        Self { pid_namespace, runs }
    }

    /// The words of the identity, for the header from [`identity::FIRST`].
    #[must_use]
    pub fn to_words(&self) -> [u64; identity::WORDS] {
        let mut words = [0; identity::WORDS];
        words[identity::PID_NAMESPACE] = self.pid_namespace.unwrap_or(0);
        let runs = self.runs.join(&Self::SEPARATOR.to_string());
        let text = &mut words[identity::RUNS..identity::RUNS + identity::RUNS_WORDS];
        for (word, bytes) in text.iter_mut().zip(runs.as_bytes().chunks(WORD_BYTES)) {
            let mut padded = [0; WORD_BYTES];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(padded);
        }
        words[identity::CHECKSUM] = u64::from(checksum(&words[..identity::CHECKSUM]));
        words
    }

    /// The identity in these words; empty if they are not one, as in a segment before 1.2.
    #[must_use]
    pub fn from_words(words: [u64; identity::WORDS]) -> Self {
        let (content, sum) = words.split_at(identity::CHECKSUM);
        if sum != [u64::from(checksum(content))] {
            return Self::default();
        }
        let namespace = words[identity::PID_NAMESPACE];
        let text = &words[identity::RUNS..identity::RUNS + identity::RUNS_WORDS];
        let bytes: Vec<u8> = text.iter().flat_map(|word| word.to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let runs = String::from_utf8_lossy(&bytes[..end]).replace(char::is_control, "\u{fffd}");
        Self::new((namespace != 0).then_some(namespace), &runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_from_its_words_and_nothing_from_others() {
        for runs in ["", "12-34", "12-34,56-78"] {
            let identity = Identity::new(Some(4_026_531_836), runs);
            assert_eq!(Identity::from_words(identity.to_words()), identity);
            assert_eq!(identity.runs.join(","), runs);
        }
        assert_eq!(Identity::from_words([0; identity::WORDS]), Identity::default());
        assert_eq!(Identity::from_words([u64::MAX; identity::WORDS]), Identity::default());
    }

    #[test]
    fn the_innermost_runs_fit() {
        let outer: Vec<String> = (0..40).map(|run| format!("{run}-1234567890")).collect();
        let identity = Identity::new(None, &outer.join(","));
        assert_eq!(identity.runs.last(), outer.last());
        assert_eq!(Identity::from_words(identity.to_words()), identity);
        assert!(identity.runs.len() >= 8);
    }
}
