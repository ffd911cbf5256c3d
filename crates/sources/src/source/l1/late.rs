//! Back-off for simulated chips that answered late.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ttmem_model::Timestamp;
use ttmem_model::reading::Missing;

/// The time until a late chip is asked again, after it was late once; twice that after the second time, and so on.
const FIRST: Duration = Duration::from_secs(2);
/// The longest time until a late chip is asked again.
const LONGEST: Duration = Duration::from_secs(60);

/// Sockets whose servers were late or answered wrongly, by path.
#[derive(Debug, Default)]
pub(super) struct Late(BTreeMap<PathBuf, Entry>);

#[derive(Debug)]
struct Entry {
    until: Timestamp,
    times: u32,
    why: Missing,
}

impl Late {
    /// Notes that a server was late. It is asked again after a time that doubles with each time it is late.
    pub(super) fn note(&mut self, path: &Path, now: Timestamp, why: Missing) {
        let times = self.0.get(path).map_or(0, |entry| entry.times);
        let wait = FIRST.saturating_mul(1 << times.min(8)).min(LONGEST);
        let until = now.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        let entry = Entry { until: Timestamp(until), times: times.saturating_add(1), why };
        self.0.insert(path.to_owned(), entry);
    }

    /// Notes that a server answered.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Forgets the sockets that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.0.retain(|path, _| is_there(path));
    }

    /// The reason that a server is not asked now, if it is not.
    pub(super) fn reason(&self, path: &Path, now: Timestamp) -> Option<Missing> {
        let entry = self.0.get(path).filter(|entry| entry.until > now)?;
        let detail = format!("{}; it is asked again within a minute", entry.why.detail);
        Some(Missing::new(entry.why.reason, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_server_is_asked_ever_more_rarely_until_it_answers() {
        let (mut late, path) = (Late::default(), Path::new("/tmp/x.sock"));
        let mut now = Timestamp(0);
        for wait in [2_u64, 4, 8, 16, 32, 60, 60] {
            assert_eq!(late.reason(path, now), None);
            late.note(path, now, Missing::failed("late"));
            assert!(late.reason(path, Timestamp(now.0 + wait * 1_000_000 - 1)).is_some(), "{wait}");
            now.0 += wait * 1_000_000;
        }
        late.forget(path);
        late.note(path, now, Missing::failed("late"));
        assert_eq!(late.reason(path, Timestamp(now.0 + 2_000_000)), None);
    }
}
