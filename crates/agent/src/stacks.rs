//! The calls of Python that lead to an allocation: read from the interpreter's frames, each stack kept once.
//!
//! Frames are read as the interpreter has them in memory, by the thread that they belong to: no other thread changes them while
//! it is in TT-Metal's code, whether it holds the GIL or not. Nothing of the interpreter is called or changed.

mod lines;
mod operations;
mod table;
#[cfg(test)]
mod tests;
mod text;

use ttmem_segment::layout::STACK_FRAMES;

pub(crate) use operations::{NewestOperation, Operation, Operations, enter_operation, operation};
pub(crate) use table::{claim, entry_word, intern};

/// Reads memory of this process.
pub(crate) trait Memory {
    /// A word; `None` if it cannot be read.
    fn word(&self, address: u64) -> Option<u64>;

    /// Fills bytes. False if they cannot be read.
    fn bytes(&self, address: u64, into: &mut [u8]) -> bool;

    /// The low half of a word.
    #[inline]
    fn half(&self, address: u64) -> Option<u32> {
        self.word(address).map(|word| (word & 0xffff_ffff) as u32)
    }
}

/// Offsets in the objects of a version of CPython, from its headers: `cpython/pystate.h`, `cpython/code.h`,
/// `internal/pycore_frame.h`, `cpython/unicodeobject.h`. The same in all releases of a version.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The minor version: 10 for 3.10.
    pub(crate) minor: u32,
    /// Offset in a thread's state of the frame (3.10, from 3.13), or of the C frame that points to it
    /// (`PyThreadState::cframe`).
    thread_frame: u64,
    /// Offset in the C frame of the frame (`_PyCFrame::current_frame`).
    c_frame: Option<u64>,
    /// Offset in a frame of the frame that called it.
    previous: u64,
    /// Offset in a frame of its code.
    code: u64,
    /// Offset in a frame of the instruction that runs, an address; in 3.10 an index.
    instruction: u64,
    /// Offset in a frame of the kind of its owner, one byte.
    owner: Option<u64>,
    /// Offset in a frame of the first variable of the function, which for a method is its object.
    first_variable: u64,
    /// Offset in code of the line of the definition.
    first_line: u64,
    /// Offset in code of the name of the file.
    file: u64,
    /// Offset in code of the name of the function, qualified from 3.11.
    name: u64,
    /// Offset in code of the table of lines.
    line_table: u64,
    /// Offset in code of the instructions (`co_code_adaptive`); `None` where frames have an index.
    instructions: Option<u64>,
    /// Offset of the characters in a text of ASCII characters.
    ascii: u64,
    /// Offset of the characters in a text of other characters.
    characters: u64,
}

/// Value of `owner` in the frame that stands for a call from C (`FRAME_OWNED_BY_CSTACK`).
const OWNED_BY_C: u64 = 3;

/// The known versions.
pub(crate) static LAYOUTS: [Layout; 4] = [
    Layout {
        minor: 10,
        thread_frame: 24,
        c_frame: None,
        previous: 24,
        code: 32,
        instruction: 96,
        owner: None,
        first_variable: 352,
        first_line: 40,
        file: 104,
        name: 112,
        line_table: 120,
        instructions: None,
        ascii: 48,
        characters: 72,
    },
    Layout {
        minor: 11,
        thread_frame: 56,
        c_frame: Some(8),
        previous: 48,
        code: 32,
        instruction: 56,
        owner: None,
        first_variable: 72,
        first_line: 72,
        file: 112,
        name: 128,
        line_table: 136,
        instructions: Some(184),
        ascii: 48,
        characters: 72,
    },
    Layout {
        minor: 12,
        thread_frame: 56,
        c_frame: Some(0),
        previous: 8,
        code: 0,
        instruction: 56,
        owner: Some(70),
        first_variable: 72,
        first_line: 68,
        file: 112,
        name: 128,
        line_table: 136,
        instructions: Some(192),
        ascii: 40,
        characters: 56,
    },
    Layout {
        minor: 13,
        thread_frame: 72,
        c_frame: None,
        previous: 8,
        code: 0,
        instruction: 56,
        owner: Some(70),
        first_variable: 72,
        first_line: 68,
        file: 112,
        name: 128,
        line_table: 136,
        instructions: Some(200),
        ascii: 40,
        characters: 56,
    },
];

/// Offset of an object's type.
const TYPE: u64 = 8;
/// Offset of the number of elements of a variable object, and of the characters of a text.
const SIZE: u64 = 16;
/// Offset of the first byte of a `bytes`.
const BYTES: u64 = 32;
/// Offset of the form of a text.
const TEXT_FORM: u64 = 32;

/// Addresses of the interpreter's types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Types {
    /// `PyCode_Type`.
    pub(crate) code: u64,
    /// `PyUnicode_Type`.
    pub(crate) text: u64,
    /// `PyBytes_Type`.
    pub(crate) bytes: u64,
}

/// An interpreter in this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interpreter<M> {
    /// Reads its memory.
    pub(crate) memory: M,
    /// Layout of the interpreter's structures.
    pub(crate) layout: &'static Layout,
    /// Types of the interpreter.
    pub(crate) types: Types,
}

/// The frames are not what the layout says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A call of a Python function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    /// Address of the code.
    code: u64,
    /// Offset in bytes of the instruction that runs; negative before the first.
    offset: i64,
}

impl<M: Memory> Interpreter<M> {
    /// Visits the calls of a thread, the innermost first, at most [`STACK_FRAMES`]. True if there are more.
    #[inline]
    fn calls(&self, thread: u64, mut visit: impl FnMut(Call)) -> Result<bool, Unreadable> {
        let layout = self.layout;
        let mut frame = self.first_frame(thread)?;
        let mut visited = 0;
        // Each call from C has one frame more, of its own.
        for _ in 0..2 * STACK_FRAMES {
            if frame == 0 || visited == STACK_FRAMES {
                break;
            }
            if !self.is_c(frame)? {
                visit(self.call(frame)?);
                visited += 1;
            }
            frame = self.pointer(frame + layout.previous)?;
        }
        Ok(frame != 0)
    }

    /// The innermost frame of a thread; 0 if there is none.
    #[inline]
    fn first_frame(&self, thread: u64) -> Result<u64, Unreadable> {
        let frame = self.pointer(thread + self.layout.thread_frame)?;
        match self.layout.c_frame {
            Some(offset) if frame != 0 => self.pointer(frame + offset),
            _ => Ok(frame),
        }
    }

    #[inline]
    fn is_c(&self, frame: u64) -> Result<bool, Unreadable> {
        let Some(offset) = self.layout.owner else { return Ok(false) };
        let aligned = offset & !7;
        let word = self.memory.word(frame + aligned).ok_or(Unreadable)?;
        Ok(word >> (8 * (offset - aligned)) & 0xff == OWNED_BY_C)
    }

    #[inline]
    fn call(&self, frame: u64) -> Result<Call, Unreadable> {
        let code = self.pointer(frame + self.layout.code)?;
        if code == 0 || !self.is_a(code, self.types.code)? {
            return Err(Unreadable);
        }
        let instruction = self.memory.word(frame + self.layout.instruction).ok_or(Unreadable)?;
        let offset = match self.layout.instructions {
            Some(first) => instruction.wrapping_sub(code + first).cast_signed(),
            // An index of instructions, of two bytes each.
            None => i64::from(((instruction & 0xffff_ffff) as u32).cast_signed()) * 2,
        };
        Ok(Call { code, offset })
    }

    /// A number that distinguishes the stack of a thread; 0 if no Python code runs there.
    #[inline]
    fn key(&self, thread: u64) -> Result<u64, Unreadable> {
        let mut key = 0;
        let mut add = |word: u64| key = mix(key, word);
        let mut outcome = Ok(());
        let is_cut = self.calls(thread, |call| {
            add(call.offset.cast_unsigned());
            match self.function_key(call.code) {
                Ok(function) => add(function),
                Err(error) => outcome = Err(error),
            }
        })?;
        outcome?;
        add(u64::from(is_cut));
        Ok(if key == mix(0, 0) { 0 } else { key.max(1) })
    }

    /// A number that distinguishes a function. The address of the code does not: it is another function's once the code is
    /// freed, as a cell of a notebook is.
    #[inline(always)]
    fn function_key(&self, code: u64) -> Result<u64, Unreadable> {
        let word = |offset: u64| self.memory.word(code + offset).ok_or(Unreadable);
        let file = self.pointer(code + self.layout.file)?;
        let first_line = self.memory.half(code + self.layout.first_line).ok_or(Unreadable)?;
        let (lines, name) = (word(self.layout.line_table)?, word(self.layout.name)?);
        let code = combine([code, lines, file, name, u64::from(first_line)]);
        Ok(mix(code, self.text_key(file)?).max(1))
    }

    /// A pointer to an object or frame.
    #[inline]
    fn pointer(&self, address: u64) -> Result<u64, Unreadable> {
        let pointer = self.memory.word(address).ok_or(Unreadable)?;
        if pointer.is_multiple_of(8) { Ok(pointer) } else { Err(Unreadable) }
    }

    #[inline]
    fn is_a(&self, object: u64, kind: u64) -> Result<bool, Unreadable> {
        Ok(self.memory.word(object + TYPE).ok_or(Unreadable)? == kind)
    }
}

/// A hash of words by their places. The products do not wait for each other.
#[inline]
pub(crate) fn combine<const COUNT: usize>(words: [u64; COUNT]) -> u64 {
    /// Odd, any will do: the fractions of square roots of prime numbers.
    const FACTORS: [u64; 5] = [
        0x6a09_e667_f3bc_c909,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
    ];
    const { assert!(COUNT <= FACTORS.len()) };
    let products = words.iter().zip(FACTORS).map(|(word, factor)| word.wrapping_mul(factor));
    products.fold(0, u64::wrapping_add)
}

/// A hash of words, one after the other.
#[inline]
pub(crate) fn mix(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}
