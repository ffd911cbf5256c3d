//! The name of a segment's file: `ttmem-<pid>-<start time>`, and `-<number>` after it where that name was taken.
//!
//! Processes of two pid namespaces that share `/dev/shm` can have the same pid and start time.

/// Parses a file name into the owner's pid, in its own namespace, and its start time in clock ticks since boot.
///
/// Returns `None` for the name of any other file.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<(i32, u64)> {
    let (pid, start_ticks) = name.strip_prefix("ttmem-")?.split_once('-')?;
    let (start_ticks, number) = start_ticks.split_once('-').unwrap_or((start_ticks, "1"));
    let pid: i32 = pid.parse().ok()?;
    number.parse::<u32>().ok().filter(|number| *number > 0)?;
    (pid > 0).then_some((pid, start_ticks.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_file_name;

    #[test]
    fn a_name_is_two_numbers_and_perhaps_a_third() {
        assert_eq!(parse_file_name("ttmem-4242-534256"), Some((4242, 534_256)));
        assert_eq!(parse_file_name("ttmem-4242-534256-3"), Some((4242, 534_256)));
        for name in [
            "ttmem-",
            "ttmem-1",
            "ttmem-1-",
            "ttmem--1-2",
            "ttmem-0-1",
            "ttmem-1-2-",
            "ttmem-1-2-0",
            "ttmem-1-2-3-4",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }
}
