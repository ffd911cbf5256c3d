//! The signs of the grid and of the map. They differ without colour, and each is one column wide.

use ttmem_model::l1::RegionKind;

use super::state::CellState;
use crate::output::page::{Charset, Page, Role};

/// The sign of a core, and how it looks.
pub(super) fn state(page: &Page, state: CellState) -> (&'static str, Role) {
    let role = match state {
        CellState::Running => Role::Strong,
        CellState::Finished | CellState::Resident => Role::Plain,
        CellState::Idle | CellState::System => Role::Quiet,
        CellState::Torn => Role::Alarm,
    };
    (state.sign(page.charset), role)
}

/// Returns the sign of a share, in eighths, or in tenths where there are only letters and digits. A share above zero is
/// never nothing.
pub(super) fn heat(page: &Page, part: u64, whole: u64) -> &'static str {
    const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    const TENTHS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    if part == 0 || whole == 0 {
        return " ";
    }
    let steps = if page.charset == Charset::Ascii { &TENTHS[..] } else { &EIGHTHS[..] };
    let step = u128::from(part) * steps.len() as u128 / u128::from(whole);
    let step = usize::try_from(step).unwrap_or(usize::MAX).min(steps.len() - 1);
    steps[step]
}

/// The steps of [`heat`] from little to all, for the legend.
pub(super) fn heat_scale(page: &Page) -> &'static str {
    of(page, "▁▂▃▄▅▆▇█", "0-9")
}

/// The sign of a part of L1. Circular buffers have their number instead ([`buffer`]).
pub(super) fn region(page: &Page, kind: RegionKind) -> (&'static str, Role) {
    let (unicode, ascii, role) = match kind {
        RegionKind::Reserved => ("░", "#", Role::Quiet),
        RegionKind::KernelConfig => ("▒", "=", Role::Plain),
        RegionKind::Kernels => ("▓", "%", Role::Plain),
        RegionKind::KernelConfigFree => ("─", "-", Role::Quiet),
        RegionKind::CircularBuffers => ("0", "0", Role::Strong),
        RegionKind::L1 => ("█", "T", Role::Plain),
        RegionKind::L1Small => ("▄", "t", Role::Plain),
        RegionKind::Free => (" ", " ", Role::Plain),
        RegionKind::Unknown => ("·", ".", Role::Quiet),
    };
    (of(page, unicode, ascii), role)
}

/// The sign of a circular buffer: its number in one digit, of 64.
pub(super) fn buffer(id: u8) -> char {
    const DIGITS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
    DIGITS.get(usize::from(id)).map_or('?', |digit| char::from(*digit))
}

fn of(page: &Page, unicode: &'static str, ascii: &'static str) -> &'static str {
    match page.charset {
        Charset::Unicode => unicode,
        Charset::Ascii => ascii,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::l1::state::absent;
    use crate::output::page::FULL_WIDTH;
    use crate::output::text::{legible, width};

    const KINDS: [RegionKind; 9] = [
        RegionKind::Reserved,
        RegionKind::KernelConfig,
        RegionKind::Kernels,
        RegionKind::KernelConfigFree,
        RegionKind::CircularBuffers,
        RegionKind::L1,
        RegionKind::L1Small,
        RegionKind::Free,
        RegionKind::Unknown,
    ];

    fn assert_distinct(signs: &[&str], charset: Charset) {
        for (index, sign) in signs.iter().enumerate() {
            assert_eq!(width(sign), 1, "{sign}");
            assert_eq!(legible(sign, charset), *sign);
            assert!(!signs[..index].contains(sign), "{sign}");
        }
    }

    #[test]
    fn signs_differ_without_colour() {
        for charset in [Charset::Unicode, Charset::Ascii] {
            let page = Page { charset, ..Page::plain(FULL_WIDTH) };
            let mut seats: Vec<_> =
                CellState::ALL.iter().map(|kind| state(&page, *kind).0).collect();
            seats.push(absent(charset));
            assert_distinct(&seats, charset);
            let kinds: Vec<_> = KINDS.iter().map(|kind| region(&page, *kind).0).collect();
            assert_distinct(&kinds, charset);
        }
    }

    #[test]
    fn heat_begins_at_something_and_ends_at_all() {
        let page = Page::plain(FULL_WIDTH);
        let signs: Vec<_> =
            [0, 1, 124, 125, 999, 1000, 2000].map(|part| heat(&page, part, 1000)).into();
        assert_eq!(signs, [" ", "▁", "▁", "▂", "█", "█", "█"]);
        let page = Page { charset: Charset::Ascii, ..page };
        assert_eq!([1, 500, 1000].map(|part| heat(&page, part, 1000)), ["0", "5", "9"]);
    }

    #[test]
    fn every_buffer_has_its_own_digit() {
        let digits: std::collections::BTreeSet<_> = (0..64).map(buffer).collect();
        assert_eq!(digits.len(), 64);
        assert_eq!(buffer(200), '?');
    }
}
