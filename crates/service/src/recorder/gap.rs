//! Clock changes between two snapshots.

use ttmem_recording::{Event, EventKind};

use ttmem_root::clock::Marks;

/// Smaller steps are the usual correction of a clock.
const NOTABLE_US: i64 = 500_000;

/// Returns the events of a clock that was set and of a machine that slept.
pub(super) fn between(before: Marks, after: Marks) -> Vec<Event> {
    let passed = |later: u64, earlier: u64| later.wrapping_sub(earlier).cast_signed();
    let boot = passed(after.since_boot_us, before.since_boot_us);
    let step = passed(after.wall.0, before.wall.0).wrapping_sub(boot);
    let slept = boot.wrapping_sub(passed(after.awake_us, before.awake_us));
    let is_known = after.since_boot_us != 0 && before.since_boot_us != 0;
    let mut events = Vec::new();
    if is_known && slept > NOTABLE_US {
        let text = format!("the machine slept for {} s", slept / 1_000_000);
        events.push(Event::new(after.wall, EventKind::Suspended, text).with_value(slept));
    }
    if is_known && step.abs() > NOTABLE_US {
        let way = if step > 0 { "forward" } else { "back" };
        let text = format!("the clock was set {way} by {} s", step.abs() / 1_000_000);
        events.push(Event::new(after.wall, EventKind::ClockStepped, text).with_value(step));
    }
    events
}

#[cfg(test)]
mod tests {
    use ttmem_model::Timestamp;

    use super::*;

    fn kinds(wall: u64, awake_us: u64, since_boot_us: u64) -> Vec<(EventKind, i64)> {
        let before =
            Marks { wall: Timestamp(1_000_000_000), awake_us: 5_000_000, since_boot_us: 9_000_000 };
        let after = Marks {
            wall: Timestamp(before.wall.0.wrapping_add(wall)),
            awake_us: before.awake_us + awake_us,
            since_boot_us: before.since_boot_us + since_boot_us,
        };
        let events = between(before, after);
        events.into_iter().map(|event| (event.kind, event.value.unwrap())).collect()
    }

    #[test]
    fn sleep_and_a_set_clock_are_told_apart() {
        const SECOND: u64 = 1_000_000;
        assert_eq!(kinds(SECOND, SECOND, SECOND), []);
        assert_eq!(kinds(SECOND + 400_000, SECOND, SECOND), []);
        assert_eq!(kinds(60 * SECOND, SECOND, 60 * SECOND), [(EventKind::Suspended, 59_000_000)]);
        assert_eq!(
            kinds(0_u64.wrapping_sub(9 * SECOND), SECOND, SECOND),
            [(EventKind::ClockStepped, -10_000_000)]
        );
        assert_eq!(kinds(90 * SECOND, SECOND, 60 * SECOND).len(), 2);
    }
}
