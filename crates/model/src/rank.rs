//! The rank of a process in its job.

/// The rank and the job in words, such as `rank 3, job 4711`, or `gw1` for a worker of pytest-xdist; `None` if neither is
/// known.
#[must_use]
pub fn rank_in_words(rank: Option<&str>, job: Option<&str>) -> Option<String> {
    let is_number = |rank: &str| rank.bytes().all(|byte| byte.is_ascii_digit());
    let rank = rank.map(|rank| match is_number(rank) {
        true => format!("rank {rank}"),
        false => rank.to_owned(),
    });
    match (rank, job) {
        (Some(rank), Some(job)) => Some(format!("{rank}, job {job}")),
        (None, Some(job)) => Some(format!("job {job}")),
        (rank, None) => rank,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_called_a_rank_and_a_name_stays_alone() {
        assert_eq!(rank_in_words(Some("3"), None).as_deref(), Some("rank 3"));
        assert_eq!(rank_in_words(Some("gw1"), None).as_deref(), Some("gw1"));
        assert_eq!(rank_in_words(Some("0"), Some("47")).as_deref(), Some("rank 0, job 47"));
        assert_eq!(rank_in_words(None, Some("47")).as_deref(), Some("job 47"));
        assert_eq!(rank_in_words(None, None), None);
    }
}
