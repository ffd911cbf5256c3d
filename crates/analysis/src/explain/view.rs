//! The memory states that tt-mlir, tt-xla and tt-forge log: `Device DRAM memory state: MemoryView{…}`.

use serde::Serialize;
use ttmem_model::Kind;

/// One state of one memory. Sizes are bytes of one bank; the log has megabytes with three decimals, so that each is
/// within 525 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryState {
    /// The line of the log.
    pub(crate) line: usize,
    /// Banks, all of one size.
    pub(crate) banks: Option<u64>,
    /// Bytes that the allocator can hand out.
    pub(crate) capacity: Option<u64>,
    /// Bytes allocated.
    pub(crate) used: Option<u64>,
    /// Bytes free.
    pub(crate) free: Option<u64>,
    /// Bytes of the largest free block.
    pub(crate) largest_free: Option<u64>,
}

/// The states of one memory in a log: how it grew, and what it was before the first failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryCourse {
    /// The memory.
    pub(crate) memory: Kind,
    /// States in all.
    pub(crate) count: usize,
    /// The first state.
    pub(crate) first: MemoryState,
    /// The state with most allocated, the first of them.
    pub(crate) peak: MemoryState,
    /// The last state.
    pub(crate) last: MemoryState,
    /// The last state before the first message of an error.
    pub(crate) before_failure: Option<MemoryState>,
}

/// Collects the states of a log.
#[derive(Debug, Default)]
pub(super) struct Courses {
    courses: Vec<MemoryCourse>,
    has_failed: bool,
}

/// A state's text is not longer.
const LONGEST: usize = 600;

impl Courses {
    /// Reads a state: `before` ends with the `MemoryView{` that `after` follows.
    pub(super) fn state(&mut self, before: &[u8], after: &[u8], line: usize) {
        let before =
            String::from_utf8_lossy(&before[before.len().saturating_sub(120)..]).into_owned();
        let after = String::from_utf8_lossy(&after[..after.len().min(LONGEST)]).into_owned();
        let Some(memory) = kind(&before) else { return };
        let Some(state) = state(&after, line) else { return };
        let Some(course) = self.courses.iter_mut().find(|course| course.memory == memory) else {
            self.courses.push(MemoryCourse {
                memory,
                count: 1,
                first: state,
                peak: state,
                last: state,
                before_failure: None,
            });
            return;
        };
        course.count += 1;
        course.last = state;
        if state.used > course.peak.used {
            course.peak = state;
        }
    }

    /// Notes that the log has an error here.
    pub(super) fn fail(&mut self) {
        if !std::mem::replace(&mut self.has_failed, true) {
            self.courses.iter_mut().for_each(|course| course.before_failure = Some(course.last));
        }
    }

    pub(super) fn finish(self) -> Vec<MemoryCourse> {
        self.courses
    }
}

/// The memory that the last name before the state means.
fn kind(before: &str) -> Option<Kind> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let names = [
        ("L1_SMALL", Kind::L1Small),
        ("DRAM", Kind::Dram),
        ("TRACE", Kind::Trace),
        ("L1", Kind::L1),
        ("Trace", Kind::Trace),
    ];
    names
        .into_iter()
        .filter_map(|(name, kind)| Some((line.rfind(name)?, name.len(), kind)))
        .max_by_key(|found| (found.0, found.1))
        .map(|found| found.2)
}

fn state(text: &str, line: usize) -> Option<MemoryState> {
    let text = text.split('}').next()?;
    let field = |name: &str| {
        let value = text.split_once(name)?.1.trim_start_matches([':', ' ', '=']);
        let end = value.find([',', '}', '\n']).unwrap_or(value.len());
        amount(value[..end].trim())
    };
    let state = MemoryState {
        line,
        banks: field("numBanks"),
        capacity: field("totalBytesPerBank"),
        used: field("totalBytesAllocatedPerBank"),
        free: field("totalBytesFreePerBank"),
        largest_free: field("largestContiguousBytesFreePerBank"),
    };
    (state.capacity.is_some() || state.used.is_some()).then_some(state)
}

/// `1.270 MB` (of 1,048,576 bytes), `12`, `4096 B`.
fn amount(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "B"));
    let scale: u64 = match unit.trim() {
        "GB" | "GiB" => 1 << 30,
        "MB" | "MiB" => 1 << 20,
        "KB" | "KiB" => 1 << 10,
        _ => 1,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.get(..part.len().min(6))?;
    let whole: u64 = whole.parse().ok()?;
    let decimals = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part: u64 = if part.is_empty() { 0 } else { part.parse().ok()? };
    whole
        .checked_mul(scale)?
        .checked_add(part.checked_mul(scale)?.checked_add(decimals / 2)? / decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read() {
        let mut courses = Courses::default();
        let text = "numBanks: 12, totalBytesPerBank: 1024.000 MB, totalBytesAllocatedPerBank: 0.008 MB, totalBytesFreePerBank: 1023.992 MB, largestContiguousBytesFreePerBank: 1023.992 MB}";
        courses.state(b"L1\nDevice DRAM memory state: MemoryView{", text.as_bytes(), 2);
        let course = courses.finish().remove(0);
        assert_eq!(
            (course.memory, course.first.banks, course.first.capacity, course.first.used),
            (Kind::Dram, Some(12), Some(1 << 30), Some(8389))
        );
    }

    #[test]
    fn amounts_of_any_size_are_read_or_refused() {
        assert_eq!(amount("1.270 MB"), Some(1_331_692));
        assert_eq!(amount("99999999999999999999 MB"), None);
        assert_eq!(amount("x"), None);
        assert_eq!(amount("1.9é"), None);
    }
}
