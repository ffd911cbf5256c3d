//! One kind of an allocator: how much of a bank is in use, and a picture of the layout of it.

use ttmem_model::buffers::{BankMap, Block, KindUse};

use crate::output::amount::{percent, size};
use crate::output::page::{Charset, Page, Role};
use crate::output::sheet::Sheet;
use crate::output::text::wrap;

/// Column at which the text after the kind's name begins.
const TEXT: usize = 10;
/// The widest picture.
const MOST_CELLS: usize = 79;

/// Draws a line of figures, the picture, and what of it cannot be seen.
pub(super) fn draw(sheet: &mut Sheet<'_>, kind: &KindUse) {
    let page = sheet.page();
    for (index, piece) in wrap(&use_in_words(kind), page.width - TEXT).into_iter().enumerate() {
        let mut line = sheet.start();
        if index == 0 {
            line.push(Role::Strong, kind.kind.label(), TEXT - 1);
        }
        line.pad_to(TEXT);
        line.push(Role::Plain, &piece, page.width);
        sheet.end(line);
    }
    if let Some(map) = &kind.bank {
        let cells = (page.width - TEXT).min(MOST_CELLS);
        let mut line = sheet.start();
        line.pad_to(TEXT);
        for (role, piece) in picture(page, map, cells) {
            line.push(role, &piece, page.width);
        }
        sheet.end(line);
    }
    let role = if is_scattered(kind) { Role::Notice } else { Role::Quiet };
    for piece in wrap(&free_in_words(kind).unwrap_or_default(), page.width - TEXT) {
        let mut line = sheet.start();
        line.pad_to(TEXT);
        line.push(role, &piece, page.width);
        sheet.end(line);
    }
}

/// Formats the bytes in use, the buffers, and the capacity.
#[must_use]
pub(crate) fn use_in_words(kind: &KindUse) -> String {
    let used = kind.used_per_bank;
    let total = size(used.saturating_mul(kind.banks));
    let buffers = count(kind.buffers, "buffer");
    match kind.allocatable_per_bank {
        Some(all) => {
            let share = percent(used, all).unwrap_or_default();
            format!("{total} in {buffers}, {share} of {} banks × {}", kind.banks, size(all))
        }
        None => format!("{total} in {buffers}, {} in each of {} banks", size(used), kind.banks),
    }
}

/// Formats the free bytes and blocks; nothing if TT-Metal was not asked.
#[must_use]
pub(crate) fn free_in_words(kind: &KindUse) -> Option<String> {
    let (free, largest) = (kind.free_per_bank?, kind.largest_free?);
    let blocks = match &kind.bank {
        Some(map) => format!(" in {}", count(map.free.len() as u64, "block")),
        None => String::new(),
    };
    if free == 0 {
        return Some("nothing free".to_owned());
    }
    let scattered = match percent(free.saturating_sub(largest), free)?.as_str() {
        "0%" => "not fragmented".to_owned(),
        share => format!("{share} fragmented"),
    };
    Some(format!("{} a bank free{blocks}, the largest {}, {scattered}", size(free), size(largest)))
}

/// Percent of fragmentation from which much of the free memory is of no use to a large buffer.
const NOTICE_PERCENT: u64 = 25;

/// True if much of the free memory is of no use to a large buffer.
#[must_use]
pub(crate) fn is_scattered(kind: &KindUse) -> bool {
    let (Some(free), Some(largest)) = (kind.free_per_bank, kind.largest_free) else {
        return false;
    };
    let scattered = u128::from(free.saturating_sub(largest)) * 100;
    scattered >= u128::from(free.max(1)) * u128::from(NOTICE_PERCENT)
}

fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The bank from its lowest address to its highest, in signs of a look each.
fn picture(page: &Page, map: &BankMap, cells: usize) -> Vec<(Role, String)> {
    let shades = shades(page.charset);
    let mut pieces: Vec<(Role, String)> = Vec::new();
    for shade in fullness(map, cells) {
        let role = if shade == 0 { Role::Quiet } else { Role::Plain };
        match pieces.last_mut() {
            Some((last, text)) if *last == role => text.push_str(shades[shade]),
            _ => pieces.push((role, shades[shade].to_owned())),
        }
    }
    pieces
}

/// The signs of a cell that is empty, and more and more full.
#[must_use]
pub(crate) fn shades(charset: Charset) -> [&'static str; 5] {
    match charset {
        Charset::Unicode => ["·", "░", "▒", "▓", "█"],
        Charset::Ascii => [".", "-", "+", "*", "#"],
    }
}

/// Returns the fill of equal parts of a bank, from its lowest address to its highest: 0 is empty, 4 is full.
/// The least of a buffer shows, and so does the least of a hole in what is otherwise full.
#[must_use]
pub(crate) fn fullness(map: &BankMap, cells: usize) -> Vec<usize> {
    let end_of = |block: &Block| block.address.saturating_add(block.bytes);
    (0..cells)
        .map(|cell| {
            let (from, to) = part(map, cell, cells);
            let first = map.free.partition_point(|block| end_of(block) <= from);
            let within = map.free.iter().skip(first).take_while(|block| block.address < to);
            let free: u64 = within
                .map(|block| end_of(block).min(to).saturating_sub(block.address.max(from)))
                .sum();
            let whole = to.saturating_sub(from);
            shade(whole.saturating_sub(free), whole)
        })
        .collect()
}

/// The addresses of one of `cells` equal parts of a bank.
#[must_use]
pub(crate) fn part(map: &BankMap, cell: usize, cells: usize) -> (u64, u64) {
    let bytes = map.end.saturating_sub(map.start);
    let address = |cell: usize| map.start.saturating_add(share(bytes, cell, cells));
    (address(cell), address(cell + 1))
}

fn share(bytes: u64, part: usize, parts: usize) -> u64 {
    let share = u128::from(bytes) * part as u128 / parts.max(1) as u128;
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// 0 for empty, 4 for full, and something between for everything between.
fn shade(used: u64, whole: u64) -> usize {
    if used == 0 {
        0
    } else if used >= whole {
        4
    } else {
        usize::try_from(u128::from(used) * 3 / u128::from(whole)).unwrap_or(0) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_a_buffer_and_of_a_hole_shows() {
        let map = BankMap {
            start: 1000,
            end: 2000,
            free: vec![Block { address: 1150, bytes: 1 }, Block { address: 1300, bytes: 699 }],
        };
        let text = |charset| {
            let page = Page { charset, ..Page::plain(60) };
            picture(&page, &map, 10).into_iter().map(|(_, piece)| piece).collect::<String>()
        };
        assert_eq!(text(Charset::Unicode), "█▓█······░");
        assert_eq!(text(Charset::Ascii), "#*#......-");
    }
}
