//! `/proc/<pid>/stat` and the time of boot. Fields: proc(5).

use ttmem_model::Timestamp;
use ttmem_model::facts::Field;
use ttmem_model::reading::Missing;

use ttmem_root::Root;

/// Microseconds of a clock tick as procfs counts: `USER_HZ` is 100 on every Linux that Tenstorrent's driver runs on.
pub(super) const MICROS_PER_TICK: u64 = 10_000;

/// The used fields of `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    state: u8,
    cpu_ticks: u64,
    pub(super) start_ticks: u64,
}

impl Stat {
    pub(super) fn parse(bytes: &[u8]) -> Field<Self> {
        Self::fields(bytes)
            .ok_or_else(|| Missing::failed("/proc/<pid>/stat does not have the fields it should"))
    }

    /// The name is in parentheses and may hold any character, so the fields are counted from the last one.
    fn fields(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `rest` begins with field 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            name,
            state: *fields.first()?.as_bytes().first()?,
            cpu_ticks: number(14)?.saturating_add(number(15)?),
            start_ticks: number(22)?,
        })
    }

    /// True for a process that ended and only waits for its parent.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    pub(super) fn cpu_time_us(&self) -> u64 {
        self.cpu_ticks.saturating_mul(MICROS_PER_TICK)
    }
}

/// Returns the time at which the host booted.
pub(super) fn boot_time(root: &Root) -> Option<Timestamp> {
    // `btime` comes after one long line of interrupt counts.
    let file = root.read("/proc/stat", 1 << 20).ok()?;
    let text = String::from_utf8_lossy(&file.bytes);
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds: u64 = seconds.trim().parse().ok()?;
    seconds.checked_mul(1_000_000).map(Timestamp)
}
