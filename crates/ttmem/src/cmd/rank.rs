//! The rank of this process in its job, in names of files.

use std::path::{Path, PathBuf};

use ttmem_segment::Label;

use super::variable;
use crate::error::Error;

/// Replaces `%r` in the name of a file by the rank that a launcher such as mpirun, torchrun or srun gave this process.
///
/// # Errors
/// [`Error::Usage`] if it has no rank, or one that is not a plain word.
pub(crate) fn named(path: &Path) -> Result<PathBuf, Error> {
    with_rank(path, Label::RANK.into_iter().find_map(variable))
}

fn with_rank(path: &Path, rank: Option<String>) -> Result<PathBuf, Error> {
    let Some(text) = path.to_str().filter(|text| text.contains("%r")) else {
        return Ok(path.to_path_buf());
    };
    let is_plain = |rank: &String| {
        let of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !rank.is_empty() && rank.len() <= 64 && rank.bytes().all(of_word)
    };
    match rank.filter(is_plain) {
        Some(rank) => Ok(text.replace("%r", &rank).into()),
        None => Err(Error::usage(format!(
            "{text}: %r is the rank in a job, and none of {} is set to one; name the file without it",
            Label::RANK.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_a_part_of_a_name_and_no_path() {
        let with =
            |rank: Option<&str>| with_rank(Path::new("job/run-%r.ttmem"), rank.map(str::to_owned));
        assert_eq!(with(Some("12")).unwrap(), Path::new("job/run-12.ttmem"));
        assert_eq!(with_rank(Path::new("a%b"), None).unwrap(), Path::new("a%b"));
        for rank in [None, Some(""), Some("../../x"), Some("a b")] {
            assert!(with(rank).is_err(), "{rank:?}");
        }
    }
}
