//! The tables of stacks and functions in the segment: each is entered once.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use ttmem_segment::layout::{Counter, Section};
use ttmem_segment::stack::{FunctionEntry, StackEntry};

use super::{Call, Interpreter, Memory, Unreadable};
use crate::ops::Keyed;
use crate::recorder::Recorder;

/// The farthest that an entry is behind the one that its key asks for.
const PROBES: usize = 16;

/// Index of the stack of a thread of the interpreter; 0 if no Python code runs there, or there is no room. `newest` is the stack that
/// it was asked for before, which it is again in a loop.
#[inline]
pub(crate) fn intern<M: Memory>(
    recorder: Recorder<'_>,
    interpreter: &Interpreter<M>,
    thread: u64,
    newest: &Cell<Keyed>,
) -> Result<u16, Unreadable> {
    let key = interpreter.key(thread)?;
    let held = newest.get();
    if key == 0 {
        return Ok(0);
    }
    if key == held.key {
        return Ok(held.index);
    }
    let found = find(recorder, interpreter, thread, key);
    found.inspect(|index| newest.set(Keyed { key, index: *index }))
}

/// Index of the stack with a key; 0 if there is no room.
fn find<M: Memory>(
    recorder: Recorder<'_>,
    interpreter: &Interpreter<M>,
    thread: u64,
    key: u64,
) -> Result<u16, Unreadable> {
    match claim(recorder, Section::Stacks, key) {
        Some((index, false)) => Ok(index),
        Some((index, true)) => enter(recorder, interpreter, thread, key, index),
        None => {
            recorder.count(Counter::StacksDropped);
            Ok(0)
        }
    }
}

/// Writes a stack that is new.
#[cold]
fn enter<M: Memory>(
    recorder: Recorder<'_>,
    interpreter: &Interpreter<M>,
    thread: u64,
    key: u64,
    index: u16,
) -> Result<u16, Unreadable> {
    let mut calls = Vec::new();
    let is_cut = interpreter.calls(thread, |call| calls.push(call))?;
    let mut frames = Vec::with_capacity(calls.len());
    for call in calls {
        frames.push((function(recorder, interpreter, call)?, interpreter.line(call)));
    }
    let entry = StackEntry::new(frames, is_cut);
    recorder.store(entry_word(recorder, Section::Stacks, index), entry.to_words(key));
    Ok(index)
}

/// Index of a function; enters it if it is new. 0 if there is no room.
fn function<M: Memory>(
    recorder: Recorder<'_>,
    interpreter: &Interpreter<M>,
    call: Call,
) -> Result<usize, Unreadable> {
    let key = interpreter.function_key(call.code)?;
    match claim(recorder, Section::Functions, key) {
        Some((index, is_new)) => {
            if is_new {
                let text = |offset: u64| {
                    let object = interpreter.pointer(call.code + offset)?;
                    Ok(interpreter.text(object).unwrap_or_else(|| "?".to_owned()))
                };
                let name = text(interpreter.layout.name)?;
                let file = text(interpreter.layout.file)?;
                let words = FunctionEntry::to_words(key, &name, &file);
                recorder.store(entry_word(recorder, Section::Functions, index), words);
            }
            Ok(usize::from(index))
        }
        None => {
            recorder.count(Counter::StacksDropped);
            Ok(0)
        }
    }
}

/// The entry with a key, and whether it is new: then the caller writes it. `None` if there is no room.
#[inline]
pub(crate) fn claim(recorder: Recorder<'_>, section: Section, key: u64) -> Option<(u16, bool)> {
    let (first, entries) = recorder.process.table(section);
    // Entry 0 stays empty.
    let count = entries.checked_sub(1)?;
    let start = ((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize * count) >> 32;
    for probe in 0..PROBES {
        let position = start + probe;
        let index = 1 + if position < count { position } else { position % count };
        let word = &recorder.words[first + index * section.entry_words()];
        let held = match word.load(Ordering::Acquire) {
            0 => word
                .compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire)
                .unwrap_or_else(|held| held),
            held => held,
        };
        let index = u16::try_from(index).ok()?;
        match held {
            0 => return Some((index, true)),
            held if held == key => return Some((index, false)),
            _ => {}
        }
    }
    None
}

/// First word of an entry.
pub(crate) fn entry_word(recorder: Recorder<'_>, section: Section, index: u16) -> usize {
    recorder.process.table(section).0 + usize::from(index) * section.entry_words()
}
