//! The worker cores of an SoC descriptor, the YAML that a simulation server sends.
//!
//! Two writers are known: UMD's own (`SocDescriptor::serialize`, one core to a line) and the files that come with a
//! simulator (flow sequences over several lines). Both have the keys at the start of a line, and that is all that is
//! relied on; the rest of the file is not looked at.

use ttmem_model::l1::Coordinate;

/// Most worker cores of a chip; UMD's coordinates are below 32.
const MAX_CORES: usize = 1024;

/// The worker cores, in the order of the file.
///
/// # Errors
/// If there are none, too many, or one is no coordinate.
pub(super) fn worker_cores(yaml: &str) -> Result<Vec<Coordinate>, String> {
    let section =
        section(yaml, "functional_workers").ok_or("the SoC descriptor lists no worker cores")?;
    let items =
        section.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',' | '"' | '\''));
    let mut cores = Vec::new();
    for item in items.filter(|item| !item.is_empty() && *item != "-") {
        let core = coordinate(item).ok_or_else(|| {
            format!("`{}` in the SoC descriptor is no coordinate", crate::source::shorten(item))
        })?;
        if cores.len() == MAX_CORES {
            return Err(format!("the SoC descriptor lists more than {MAX_CORES} worker cores"));
        }
        cores.push(core);
    }
    if cores.is_empty() {
        return Err("the SoC descriptor lists no worker cores".to_owned());
    }
    Ok(cores)
}

/// Bytes of L1 of a worker core, if the descriptor says.
pub(super) fn worker_l1_bytes(yaml: &str) -> Option<u64> {
    section(yaml, "worker_l1_size")?.trim().parse().ok()
}

/// Returns the text between a key at the start of a line and the next such key, without comments.
fn section(yaml: &str, key: &str) -> Option<String> {
    let mut lines = yaml.lines().skip_while(|line| value(line, key).is_none());
    let first = value(lines.next()?, key)?;
    let more = lines.take_while(|line| !line.starts_with(|c: char| c.is_ascii_alphabetic()));
    let uncommented = std::iter::once(first).chain(more).map(|line| match line.split_once('#') {
        Some((before, _)) => before,
        None => line,
    });
    Some(uncommented.collect::<Vec<_>>().join("\n"))
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.trim_start().strip_prefix(':')
}

/// `3-7` is column 3, row 7.
fn coordinate(item: &str) -> Option<Coordinate> {
    let (x, y) = item.split_once('-')?;
    Some(Coordinate { x: x.parse().ok()?, y: y.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "grid:\n  x_size: 10\nfunctional_workers:\n  [\n   1-1, 2-1, # first row\n   \
                        1-2,\n  ]\nharvested_workers: []\nworker_l1_size:\n  1499136\n";
    const BLOCK: &str =
        "functional_workers:\n  - 1-2\n  - 16-11\nrouter_only:\n  - 0-0\nworker_l1_size: 1572864\n";

    fn cores(yaml: &str) -> Vec<(u8, u8)> {
        worker_cores(yaml).unwrap().into_iter().map(|core| (core.x, core.y)).collect()
    }

    #[test]
    fn both_writers_are_understood() {
        assert_eq!(cores(FLOW), [(1, 1), (2, 1), (1, 2)]);
        assert_eq!(cores(BLOCK), [(1, 2), (16, 11)]);
        assert_eq!(cores("functional_workers: [7-3, \"8-3\"]"), [(7, 3), (8, 3)]);
        assert_eq!(cores("functional_workers:\n- 7-3\n- 8-3\nx: y"), [(7, 3), (8, 3)]);
        assert_eq!(worker_l1_bytes(FLOW), Some(1_499_136));
        assert_eq!(worker_l1_bytes(BLOCK), Some(1_572_864));
    }

    #[test]
    fn what_is_no_list_of_cores_is_refused() {
        let refused = |yaml: &str| worker_cores(yaml).unwrap_err();
        assert!(refused("").contains("no worker cores"));
        assert!(refused("functional_workers: []\ndram: [[1-0]]").contains("no worker cores"));
        assert!(refused("functional_workers: [1-1, 1-300]").contains("1-300"));
        assert!(refused("functional_workers: [\u{1b}[2J]").contains("u{1b}"));
        let many = format!("functional_workers: [{}]", "1-1, ".repeat(1025));
        assert!(refused(&many).contains("more than 1024"));
    }
}
