//! The op of ttnn that Python runs, in the user's words: `ttnn.gelu`, where the code has only `UnaryDeviceOperation`.
//!
//! ttnn has an object for each op. Python calls its `__call__` in `ttnn/decorators.py`, which calls the op's code, so that the
//! innermost frame is that function's and its first variable the object. The first attribute of the object is the name. The
//! objects are made when ttnn is imported and stay, so that each is known by its address.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use ttmem_segment::NameSource;

use super::{Interpreter, Memory, TYPE, Unreadable, mix};
use crate::names;
use crate::recorder::Recorder;

/// Entries of the table of what is known, a power of two.
const KNOWN: usize = 1024;
/// The farthest that an entry is behind the one that its key asks for.
const PROBES: usize = 4;
/// File with the function that calls ops.
const FILE: &str = "ttnn/decorators.py";
/// The last part of the function's name.
const FUNCTION: &str = "__call__";
/// Bytes of the longest name of an op.
const MAX_NAME: usize = 96;
/// `tp_basicsize` of a type.
const BASIC_BYTES: u64 = 32;

/// Functions, and objects of ops, as keys of 48 bits above a value of 16: of a function whether it calls ops, of an object the
/// index of its name. Zero is empty.
#[derive(Debug)]
pub(crate) struct Operations([AtomicU64; KNOWN]);

impl Operations {
    fn get(&self, key: u64) -> Option<u16> {
        let entry = |probe: usize| self.0[slot(key, probe)].load(Ordering::Relaxed);
        let mut entries = (0..PROBES).map(entry);
        entries.find(|entry| (entry ^ key) >> 16 == 0).map(|entry| (entry & 0xffff) as u16)
    }

    /// Enters a value, in place of another where there is no room.
    fn put(&self, key: u64, value: u16) {
        let is_free = |probe: &usize| self.0[slot(key, *probe)].load(Ordering::Relaxed) == 0;
        let probe = (0..PROBES).find(is_free).unwrap_or(PROBES - 1);
        self.0[slot(key, probe)].store(key & !0xffff | u64::from(value), Ordering::Relaxed);
    }
}

fn slot(key: u64, probe: usize) -> usize {
    ((key >> 40) as usize + probe) % KNOWN
}

/// The innermost call of a thread, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The index of the op's name; 0 if Python runs no op.
    Known(u16),
    /// An op that is met for the first time: [`enter_operation`] finds its name.
    New,
}

/// The op that a thread asked for last. One op asks several times. The code that calls ops stays as long as ttnn is loaded, so
/// that its address and that of the object tell the op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewestOperation {
    /// Address of the code that calls ops.
    pub(crate) code: u64,
    /// Address of the op's object.
    pub(crate) object: u64,
    /// Index of the op's name; 0 for none.
    pub(crate) name: u16,
}

impl NewestOperation {
    /// No op.
    pub(crate) const NONE: Self = Self { code: 0, object: 0, name: 0 };
}

/// The op that a thread of the interpreter runs, if it is known already.
#[inline]
pub(crate) fn operation<M: Memory>(
    known: &Operations,
    interpreter: &Interpreter<M>,
    thread: u64,
    newest: &Cell<NewestOperation>,
) -> Result<Operation, Unreadable> {
    let Some((code, object)) = innermost(interpreter, thread)? else {
        return Ok(Operation::Known(0));
    };
    let held = newest.get();
    if held.name != 0 && (held.code, held.object) == (code, object) {
        return Ok(Operation::Known(held.name));
    }
    let function = interpreter.function(code)?;
    let name = match known.get(function) {
        None => return Ok(Operation::New),
        Some(0) => return Ok(Operation::Known(0)),
        Some(_) => known.get(of_object(function, object)),
    };
    newest.set(NewestOperation { code, object, name: name.unwrap_or(0) });
    Ok(name.map_or(Operation::New, Operation::Known))
}

/// Finds out which op a thread of the interpreter runs. Returns the index of its name; 0 if it runs none.
#[cold]
pub(crate) fn enter_operation<M: Memory>(
    recorder: Recorder<'_>,
    interpreter: &Interpreter<M>,
    thread: u64,
) -> Result<u16, Unreadable> {
    let Some((code, object)) = innermost(interpreter, thread)? else { return Ok(0) };
    let function = interpreter.function(code)?;
    let known = &recorder.process.operations;
    let calls_ops = interpreter.calls_ops(code)?;
    known.put(function, u16::from(calls_ops));
    if !calls_ops {
        return Ok(0);
    }
    let name = interpreter.operation_name(object);
    let name =
        name.map_or(0, |name| names::intern(recorder, NameSource::CallSite, name.as_bytes()));
    known.put(of_object(function, object), name);
    Ok(name)
}

/// The code of the innermost call of a thread, and its first variable; `None` if no Python code runs there.
#[inline]
fn innermost<M: Memory>(
    interpreter: &Interpreter<M>,
    thread: u64,
) -> Result<Option<(u64, u64)>, Unreadable> {
    let layout = interpreter.layout;
    let mut frame = interpreter.first_frame(thread)?;
    // A call from C has one frame more, of its own.
    if frame != 0 && interpreter.is_c(frame)? {
        frame = interpreter.pointer(frame + layout.previous)?;
    }
    if frame == 0 || interpreter.is_c(frame)? {
        return Ok(None);
    }
    let code = interpreter.pointer(frame + layout.code)?;
    let object = interpreter.memory.word(frame + layout.first_variable).ok_or(Unreadable)?;
    Ok(Some((code, object)))
}

fn of_object(function: u64, object: u64) -> u64 {
    mix(function, object)
}

impl<M: Memory> Interpreter<M> {
    /// The function of a code, once it is compared with the type of codes.
    #[inline]
    fn function(&self, code: u64) -> Result<u64, Unreadable> {
        if code == 0 || !self.is_a(code, self.types.code)? {
            return Err(Unreadable);
        }
        self.function_key(code)
    }

    /// True if code is the function that calls ops.
    fn calls_ops(&self, code: u64) -> Result<bool, Unreadable> {
        let text = |offset: u64| Ok(self.text(self.pointer(code + offset)?).unwrap_or_default());
        let name = text(self.layout.name)?;
        Ok(name.rsplit('.').next() == Some(FUNCTION) && text(self.layout.file)?.ends_with(FILE))
    }

    /// The name that an object of an op has.
    fn operation_name(&self, object: u64) -> Option<String> {
        if object == 0 || !object.is_multiple_of(8) {
            return None;
        }
        let first = self.read(self.first_attribute(object)?)?;
        let name = self.text(first)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        (name.len() <= MAX_NAME && name.starts_with("ttnn.") && name.bytes().all(is_plain))
            .then_some(name)
    }

    /// Returns the address of the first attribute of an object of a class without slots, by `internal/pycore_object.h`
    /// and `pycore_dict.h`.
    fn first_attribute(&self, object: u64) -> Option<u64> {
        match self.layout.minor {
            10 => self.first_value(self.read(object + 16)?),
            11 => match self.read(object - 32)? {
                0 => self.first_value(self.read(object - 24)?),
                values => Some(values),
            },
            12 => match self.read(object - 24)? {
                values if values & 1 == 1 => Some(values + 1),
                dictionary => self.first_value(dictionary),
            },
            _ => match self.read(object - 24)? {
                0 => Some(object + self.read(self.read(object + TYPE)? + BASIC_BYTES)? + 8),
                dictionary => self.first_value(dictionary),
            },
        }
    }

    /// Returns the address of the first value of a dictionary.
    fn first_value(&self, dictionary: u64) -> Option<u64> {
        if dictionary == 0 || !dictionary.is_multiple_of(8) {
            return None;
        }
        let (keys, values) = (self.read(dictionary + 32)?, self.read(dictionary + 40)?);
        if values != 0 {
            // From 3.13 the values have a head.
            return Some(values + if self.layout.minor >= 13 { 8 } else { 0 });
        }
        let form = self.read(keys + 8)?;
        Some(if self.layout.minor == 10 {
            let width = if form <= 0xff { 1 } else { 2 };
            keys + 40 + form.min(1 << 16) * width + 16
        } else {
            let (index_bits, kind) = (form >> 8 & 0x1f, form >> 16 & 0xff);
            keys + 32 + (1 << index_bits) + if kind == 0 { 16 } else { 8 }
        })
    }

    fn read(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.memory.bytes(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
    }
}
