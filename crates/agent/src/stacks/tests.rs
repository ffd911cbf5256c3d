use std::cell::RefCell;
use std::collections::BTreeMap;

use super::lines::{line_of_locations, line_of_pairs};
use super::*;

/// Memory with words at some addresses, and nothing elsewhere.
#[derive(Default)]
struct Words(RefCell<BTreeMap<u64, u64>>);

impl Words {
    fn put(&self, address: u64, word: u64) {
        self.0.borrow_mut().insert(address, word);
    }
}

impl Memory for &Words {
    fn word(&self, address: u64) -> Option<u64> {
        let words = self.0.borrow();
        let aligned = address & !7;
        let low = words.get(&aligned)?;
        match (address - aligned) * 8 {
            0 => Some(*low),
            shift => Some(low >> shift | words.get(&(aligned + 8))? << (64 - shift)),
        }
    }

    fn bytes(&self, address: u64, into: &mut [u8]) -> bool {
        into.chunks_mut(8).zip((address..).step_by(8)).all(|(bytes, address)| {
            let Some(word) = self.word(address) else { return false };
            bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
            true
        })
    }
}

const TYPES: Types = Types { code: 0x100, text: 0x200, bytes: 0x300 };
const THREAD: u64 = 0x1_0000;

/// A thread of 3.12 in `frames` calls of one function, each after a frame of C.
fn thread(words: &Words, frames: u64) -> Interpreter<&Words> {
    let layout = &LAYOUTS[2];
    let (code, text) = (0x2_0000, 0x3_0000);
    for address in (THREAD..THREAD + 0x4_0000).step_by(8) {
        words.put(address, 0);
    }
    words.put(code + TYPE, TYPES.code);
    words.put(code + layout.file, text);
    words.put(code + layout.name, text);
    words.put(text + TYPE, TYPES.text);
    words.put(text + SIZE, 4);
    words.put(text + TEXT_FORM, 1 << 2 | 1 << 5 | 1 << 6);
    words.put(text + layout.ascii, u64::from_le_bytes(*b"a.py\0\0\0\0"));
    let frame = |index: u64| if index == 2 * frames { 0 } else { 0x4_0000 + 0x80 * index };
    words.put(THREAD + layout.thread_frame, THREAD + 0x100);
    words.put(THREAD + 0x100, frame(0));
    for index in 0..2 * frames {
        words.put(frame(index), code);
        words.put(frame(index) + layout.previous, frame(index + 1));
        words.put(frame(index) + layout.instruction, code + 192 + 4 * index);
        words.put(frame(index) + 64, (u64::from(index % 2 == 1) * OWNED_BY_C) << 48);
    }
    Interpreter { memory: words, layout, types: TYPES }
}

#[test]
fn calls_are_read_without_the_frames_of_c_and_those_that_are_too_many_are_noted() {
    for (count, is_cut) in [(0, false), (1, false), (31, false), (33, true)] {
        let words = Words::default();
        let interpreter = thread(&words, count);
        let mut calls = Vec::new();
        assert_eq!(interpreter.calls(THREAD, |call| calls.push(call.offset)), Ok(is_cut));
        let wanted: Vec<i64> = (0..32).map(|index| 8 * index).collect();
        assert_eq!(calls, wanted[..count.min(32) as usize]);
        assert_eq!(interpreter.key(THREAD).unwrap() == 0, count == 0);
    }
}

#[test]
fn frames_of_another_form_are_refused_wherever_they_are_wrong() {
    let words = Words::default();
    let interpreter = thread(&words, 3);
    let key = interpreter.key(THREAD).unwrap();
    let frame = 0x4_0000;
    for (address, wrong) in [
        (THREAD + 56, 0x1),
        (THREAD + 56, 0xdead_0000),
        (THREAD + 0x100, 0xdead_0000),
        (frame, 0),
        (frame, 0x3_0000),
        (frame, 0xdead_0000),
        (frame + 8, 0xdead_0001),
        (0x2_0000 + TYPE, 0x200),
        (0x2_0000 + 112, 0x3_0001),
        (0x2_0000 + 112, 0xdead_0000),
    ] {
        let held = (&words).word(address).unwrap();
        words.put(address, wrong);
        assert_eq!(interpreter.key(THREAD), Err(Unreadable), "{wrong:#x} at {address:#x}");
        words.put(address, held);
    }
    assert_eq!(interpreter.key(THREAD), Ok(key));
    // Another file of the same length, at the same address.
    words.put(0x3_0000 + SIZE, 16);
    words.put(0x3_0000 + 40, u64::from_le_bytes(*b"cell_abc"));
    let one = interpreter.key(THREAD);
    words.put(0x3_0000 + 40, u64::from_le_bytes(*b"cell_xyz"));
    assert_ne!(interpreter.key(THREAD), one);
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Tables of CPython 3.10.13, 3.12.1 and 3.13.0, with what `co_lines` says of them: first byte after a range, and its line.
#[test]
fn lines_are_those_of_the_interpreter() {
    let pairs = "0602060206fe04050201020104ff0205020102ff";
    let wanted = [
        (6, 3),
        (12, 5),
        (18, 3),
        (22, 8),
        (24, 9),
        (26, 10),
        (30, 9),
        (32, 14),
        (34, 15),
        (36, 14),
    ];
    check(&wanted.map(|(end, line)| (end, Some(line))), |offset| {
        line_of_pairs(&bytes(pairs), offset)
    });
    let table = "8000f40800121790719318f605030906e00c0df20300090af0030309068041f000030906f10a000809d81011d81011f1030111\
                 12f000010913f00a000b0fd8080cf003000b0ff9f217030906";
    let wanted = [
        (2, Some(1)),
        (22, Some(5)),
        (36, Some(3)),
        (38, Some(5)),
        (44, Some(4)),
        (50, Some(3)),
        (54, Some(8)),
        (56, Some(9)),
        (58, Some(10)),
        (64, Some(9)),
        (66, Some(14)),
        (68, Some(15)),
        (70, Some(14)),
        (74, None),
        (80, Some(3)),
    ];
    check(&wanted, |offset| line_of_locations(&bytes(table), offset));
    let table = "8000f40800121790719418f305030906e111198841f30300090ad91119f005000506f000030906f60a000809d81011d81011f1\
                 03011112f000010913f00a000b0fd8080cf103000b0ff9f217030906";
    let wanted = [
        (2, Some(1)),
        (24, Some(5)),
        (32, Some(3)),
        (38, Some(5)),
        (46, Some(4)),
        (50, Some(5)),
        (54, Some(3)),
        (68, Some(8)),
        (70, Some(9)),
        (72, Some(10)),
        (78, Some(9)),
        (80, Some(14)),
        (82, Some(15)),
        (86, Some(14)),
        (90, None),
        (96, Some(3)),
    ];
    check(&wanted, |offset| line_of_locations(&bytes(table), offset));
}

/// The function begins in line 1.
fn check(wanted: &[(u64, Option<i64>)], line: impl Fn(u64) -> Option<i64>) {
    let mut start = 0;
    for (end, wanted) in wanted {
        for offset in (start..*end).step_by(2) {
            assert_eq!(line(offset).map(|line| line + 1), *wanted, "at {offset}");
        }
        start = *end;
    }
    assert_eq!(line(start), None);
}

#[test]
fn any_table_is_harmless() {
    for seed in 0..2000_u64 {
        let byte = |index: u64| (mix(seed, index) & 0xff) as u8;
        let table: Vec<u8> = (0..seed % 40).map(byte).collect();
        for offset in [0, 1, 7, 100, u64::MAX] {
            let _any = (line_of_pairs(&table, offset), line_of_locations(&table, offset));
        }
    }
}

#[test]
fn texts_of_all_widths_are_read() {
    let words = Words::default();
    let interpreter = thread(&words, 1);
    let text = 0x3_0000;
    assert_eq!(interpreter.text(text).as_deref(), Some("a.py"));
    let form = |width: u64| width << 2 | 1 << 5;
    words.put(text + TEXT_FORM, form(1));
    words.put(text + 56, u64::from_le_bytes(*b"k\xe4se\0\0\0\0"));
    assert_eq!(interpreter.text(text).as_deref(), Some("käse"));
    words.put(text + TEXT_FORM, form(2));
    words.put(text + 56, 0x0020_4e2d_0061_20ac);
    assert_eq!(interpreter.text(text).as_deref(), Some("€a中 "));
    words.put(text + TEXT_FORM, form(4));
    words.put(text + SIZE, 2);
    words.put(text + 56, 0x0011_0000_0001_f600);
    assert_eq!(interpreter.text(text).as_deref(), Some("😀\u{fffd}"));
    words.put(text + TEXT_FORM, form(3));
    assert_eq!(interpreter.text(text), None);
    words.put(text + SIZE, u64::MAX);
    words.put(text + TEXT_FORM, form(1));
    assert_eq!(interpreter.text(text), None);
}
