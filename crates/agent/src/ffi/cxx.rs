//! Containers of libstdc++, as TT-Metal's exported functions return them.

use super::tt_metal::{MANY, delete};

/// Gives back a share of a `std::shared_ptr` whose object the program owns too.
pub(super) fn release(control: u64) {
    use std::sync::atomic::{AtomicU32, Ordering};
    if control != 0 {
        // SAFETY: the control block of libstdc++: a virtual table, then the number of shares, which other threads
        // change atomically. The program has a share as well, so that it does not become 0 here.
        let shares = unsafe { AtomicU32::from_ptr((control + 8) as *mut u32) };
        shares.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The words of a `std::vector` that was returned by value.
pub(super) fn owned_words([begin, end, _]: [u64; 3]) -> Vec<u64> {
    let count = usize::try_from(end.saturating_sub(begin)).unwrap_or(0) / 8;
    if begin == 0 || count == 0 || count > MANY {
        return Vec::new();
    }
    // SAFETY: the vector owns `count` words from `begin`, without other users.
    let words = unsafe { std::slice::from_raw_parts(begin as *const u64, count) }.to_vec();
    delete(begin);
    words
}

/// The characters of a `std::string`.
pub(super) fn bytes(text: u64, length: u64) -> Vec<u8> {
    let length = usize::try_from(length).unwrap_or(0);
    if text == 0 || length == 0 || length > MANY {
        return Vec::new();
    }
    // SAFETY: a `std::string` has as many characters as it says.
    unsafe { std::slice::from_raw_parts(text as *const u8, length) }.to_vec()
}

/// Addresses of the nodes of a hash table of libstdc++.
pub(super) fn nodes(table: u64) -> impl Iterator<Item = u64> {
    let (mut node, count) = match table {
        0 => (0, 0),
        table => {
            // SAFETY: a hash table of libstdc++ is seven words: buckets, their number, the first node, the number of
            // nodes ...
            let [_, _, first, count] = unsafe { *(table as *const [u64; 4]) };
            (first, count)
        }
    };
    let mut left = usize::try_from(count).unwrap_or(0).min(MANY);
    std::iter::from_fn(move || {
        if node == 0 || left == 0 {
            return None;
        }
        let this = node;
        // SAFETY: a node begins with the address of the next one.
        node = unsafe { *(node as *const u64) };
        left -= 1;
        Some(this)
    })
}
