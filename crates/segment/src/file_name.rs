//! The name of a segment's file: `ttmem-<pid>-<start time>`.

/// Parses a file name into the owner's pid, in its own namespace, and its start time in clock ticks since boot.
///
/// Returns `None` for the name of any other file.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<(i32, u64)> {
    let (pid, start_ticks) = name.strip_prefix("ttmem-")?.split_once('-')?;
    let pid: i32 = pid.parse().ok()?;
    (pid > 0).then_some((pid, start_ticks.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_file_name;

    #[test]
    fn a_name_is_two_numbers() {
        assert_eq!(parse_file_name("ttmem-4242-534256"), Some((4242, 534_256)));
        for name in ["ttmem-", "ttmem-1", "ttmem-1-", "ttmem--1-2", "ttmem-0-1", "ttmem-1-2-3"] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }
}
