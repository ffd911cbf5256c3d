//! Identity of a segment beyond the process number: the pid namespace of the number, the runs of `ttmem run` that the
//! process is part of, and the process's label.

use super::entry::checksum;
use super::layout::{HEADER_BYTES, WORD_BYTES, identity, label};

/// The namespace of the process number, the runs that the process is part of, and the process's label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Identity {
    /// Inode of the process's pid namespace (`/proc/self/ns/pid`); `None` if the agent could not read it.
    pub pid_namespace: Option<u64>,
    /// Tokens of the runs, outermost first; empty without `ttmem run`.
    pub runs: Vec<String>,
    /// Name, command, rank and job; empty in a segment before 2.1.
    #[cfg_attr(feature = "serde", serde(default))]
    pub label: Label,
}

/// Name, command, rank and job of a process, read by the agent when the process first used TT-Metal. An unknown one is
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Label {
    /// Short name (`/proc/self/comm`).
    pub name: String,
    /// Command line, arguments separated by spaces. At most 512 bytes are kept.
    pub command: String,
    /// Rank among the processes of a job, or worker of pytest-xdist: the value of the first of [`Label::RANK`] that is set.
    pub rank: String,
    /// Job: the value of the first of [`Label::JOB`] that is set.
    pub job: String,
}

/// The texts of a label in the header: first word and words.
const TEXTS: [(usize, usize); 4] = [
    (label::NAME, label::COMMAND - label::NAME),
    (label::COMMAND, label::RANK - label::COMMAND),
    (label::RANK, label::JOB - label::RANK),
    (label::JOB, label::CHECKSUM - label::JOB),
];

impl Label {
    /// Environment variables with the rank of a process: of pytest-xdist, PyTorch, Open MPI, PMI and Slurm. An inner launcher
    /// comes first.
    pub const RANK: [&str; 5] =
        ["PYTEST_XDIST_WORKER", "RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"];
    /// Environment variables with the number of a job: of Slurm, PBS and LSF.
    pub const JOB: [&str; 3] = ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"];

    /// The words of the label, for the header from [`label::FIRST`]. What does not fit is cut at a character's end.
    #[must_use]
    pub(crate) fn to_words(&self) -> [u64; label::WORDS] {
        let mut words = [0; label::WORDS];
        let texts = [&self.name, &self.command, &self.rank, &self.job];
        for ((first, count), text) in TEXTS.into_iter().zip(texts) {
            let text = &text[..text.floor_char_boundary(count * WORD_BYTES)];
            put(&mut words[first..first + count], text);
        }
        words[label::CHECKSUM] = u64::from(checksum_of(&words));
        words
    }

    /// The label in these words; empty if they are not one, as in a segment before 2.1.
    #[must_use]
    pub(crate) fn from_words(words: &[u64; label::WORDS]) -> Self {
        if words[label::CHECKSUM] != u64::from(checksum_of(words)) {
            return Self::default();
        }
        let [name, command, rank, job] =
            TEXTS.map(|(first, count)| text(&words[first..first + count]));
        Self { name, command, rank, job }
    }

    /// Replaces the command line in the bytes of a segment's header. Bytes without a label stay as they are.
    pub fn redact(bytes: &mut [u8]) {
        let Some(header) = bytes.get_mut(..HEADER_BYTES) else { return };
        let (_, header) = header.split_at_mut(label::FIRST * WORD_BYTES);
        let (chunks, _) = header.as_chunks_mut::<WORD_BYTES>();
        let words = std::array::from_fn(|index| u64::from_le_bytes(chunks[index]));
        let found = Self::from_words(&words);
        if !found.command.is_empty() {
            let redacted = Self { command: "[redacted]".to_owned(), ..found };
            for (chunk, word) in chunks.iter_mut().zip(redacted.to_words()) {
                *chunk = word.to_le_bytes();
            }
        }
    }
}

/// The checksum of a label: of groups of words, since one takes no more than 32.
fn checksum_of(words: &[u64; label::WORDS]) -> u32 {
    let groups = words[..label::CHECKSUM].chunks(32);
    groups.fold(1, |sum, group| sum.rotate_left(1) ^ checksum(group))
}

fn put(words: &mut [u64], text: &str) {
    for (word, bytes) in words.iter_mut().zip(text.as_bytes().chunks(WORD_BYTES)) {
        let mut padded = [0; WORD_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(padded);
    }
}

fn text(words: &[u64]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).replace(char::is_control, "\u{fffd}")
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
        Self { pid_namespace, runs, label: Label::default() }
    }

    /// The words of the identity and the label, each with its index in the header.
    pub fn header_words(&self) -> impl Iterator<Item = (usize, u64)> {
        let identity = (identity::FIRST..).zip(self.to_words());
        identity.chain((label::FIRST..).zip(self.label.to_words()))
    }

    /// The words of the identity without the label, for the header from [`identity::FIRST`].
    #[must_use]
    pub(crate) fn to_words(&self) -> [u64; identity::WORDS] {
        let mut words = [0; identity::WORDS];
        words[identity::PID_NAMESPACE] = self.pid_namespace.unwrap_or(0);
        let runs = self.runs.join(&Self::SEPARATOR.to_string());
        put(&mut words[identity::RUNS..identity::RUNS + identity::RUNS_WORDS], &runs);
        words[identity::CHECKSUM] = u64::from(checksum(&words[..identity::CHECKSUM]));
        words
    }

    /// The identity in these words, without a label; empty if they are not one, as in a segment before 1.2.
    #[must_use]
    pub(crate) fn from_words(words: [u64; identity::WORDS]) -> Self {
        let (content, sum) = words.split_at(identity::CHECKSUM);
        if sum != [u64::from(checksum(content))] {
            return Self::default();
        }
        let namespace = words[identity::PID_NAMESPACE];
        let runs = text(&words[identity::RUNS..identity::RUNS + identity::RUNS_WORDS]);
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

    #[test]
    fn a_label_comes_back_from_its_words_and_is_cut_at_a_character() {
        let label = Label {
            name: "python3".to_owned(),
            command: "python3 train.py --token x".to_owned(),
            rank: "gw3".to_owned(),
            job: "4711".to_owned(),
        };
        let words = label.to_words();
        assert_eq!(Label::from_words(&words), label);
        for index in [0, 40, label::CHECKSUM] {
            let mut torn = words;
            torn[index] ^= 1 << 17;
            assert_eq!(Label::from_words(&torn), Label::default(), "{index}");
        }
        assert_eq!(Label::from_words(&[0; label::WORDS]), Label::default());
        let long = Label { command: format!("x{}", "é".repeat(400)), ..label };
        assert_eq!(Label::from_words(&long.to_words()).command, format!("x{}", "é".repeat(255)));
    }

    #[test]
    fn a_command_line_is_redacted_and_the_rest_of_a_label_stays() {
        let label = Label {
            name: "python3".to_owned(),
            command: "python3 --token secret".to_owned(),
            rank: "3".to_owned(),
            job: String::new(),
        };
        let mut bytes = vec![0; HEADER_BYTES + 8];
        let (_, label_bytes) = bytes.split_at_mut(label::FIRST * WORD_BYTES);
        for (chunk, word) in label_bytes.chunks_mut(WORD_BYTES).zip(label.to_words()) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Label::redact(&mut bytes);
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
        let chunks = bytes[label::FIRST * WORD_BYTES..].as_chunks::<WORD_BYTES>().0;
        let words = std::array::from_fn(|index| u64::from_le_bytes(chunks[index]));
        assert_eq!(Label::from_words(&words), Label { command: "[redacted]".to_owned(), ..label });
        let mut other = vec![7; HEADER_BYTES];
        Label::redact(&mut other);
        assert_eq!(other, vec![7; HEADER_BYTES]);
        Label::redact(&mut [1, 2, 3]);
    }
}
