//! Buffers as comma-separated values.

use std::borrow::Cow;

use ttmem_model::buffers::{BufferList, ChipRef, LiveBuffer, ProgramPart, ResidentProgram};
use ttmem_model::stack::StackFrame;

use super::programs::cores_in_words;
use super::{Group, groups};
use crate::output::csv::{Csv, Header, Units, record};
use crate::output::text::legible;

/// A column: its name, its unit, and how it is read.
type Column<T> = (&'static str, &'static str, fn(&BufferList, &T) -> String);

const SINGLE: [Column<LiveBuffer>; 19] = [
    ("pid", "", |_, buffer| buffer.pid.to_string()),
    ("chips", "", chips),
    ("allocator", "", |_, buffer| buffer.allocator.to_string()),
    ("kind", "", |_, buffer| buffer.kind.as_str().to_owned()),
    ("address", "", |_, buffer| format!("0x{:x}", buffer.address)),
    ("bytes_per_bank", "B", |_, buffer| buffer.bytes_per_bank.to_string()),
    ("size_per_bank", "B", |_, buffer| buffer.size_per_bank.to_string()),
    ("banks", "", |_, buffer| buffer.banks.to_string()),
    ("bytes", "B", |_, buffer| buffer.bytes.to_string()),
    ("requested", "B", |_, buffer| buffer.requested.to_string()),
    ("page_bytes", "B", |_, buffer| buffer.page_bytes.to_string()),
    ("layout", "", |_, buffer| buffer.layout.clone()),
    ("origin", "", |_, buffer| buffer.origin.clone()),
    ("age_us", "us", |_, buffer| number(buffer.age_us)),
    ("thread", "", |_, buffer| number(buffer.thread.map(u64::from))),
    ("op", "", |_, buffer| buffer.op.clone().unwrap_or_default()),
    ("caller", "", |_, buffer| buffer.caller().map(ToString::to_string).unwrap_or_default()),
    ("stack", "", stack),
    ("tensor", "", |_, buffer| buffer.tensor.as_ref().map(ToString::to_string).unwrap_or_default()),
];

/// A part of a program.
type Part<'a> = (&'a ResidentProgram, &'a ProgramPart);

fn program_columns<'a>() -> [Column<Part<'a>>; 10] {
    [
        ("pid", "", |_, (program, _)| program.pid.to_string()),
        ("chips", "", |_, (program, _)| indexes(&program.chips)),
        ("program", "", |_, (program, _)| number(program.program)),
        ("op", "", |_, (program, _)| program.op.clone().unwrap_or_default()),
        ("kind", "", |_, (_, part)| part.kind.clone()),
        ("name", "", |_, (_, part)| part.name.clone().unwrap_or_default()),
        ("address", "", |_, (_, part)| {
            part.address.map(|it| format!("0x{it:x}")).unwrap_or_default()
        }),
        ("bytes", "B", |_, (_, part)| number(part.bytes)),
        ("backed", "", |_, (_, part)| part.backed.map(|it| it.to_string()).unwrap_or_default()),
        ("cores", "", |_, (_, part)| cores_in_words(part.cores)),
    ]
}

const BY_OP: [Column<Group>; 5] = [
    ("op", "", |_, group| group.op.clone().unwrap_or_default()),
    ("kind", "", |_, group| group.kind.as_str().to_owned()),
    ("origin", "", |_, group| group.origin.clone()),
    ("buffers", "", |_, group| group.buffers.to_string()),
    ("bytes", "B", |_, group| group.bytes.to_string()),
];

/// A number; nothing where a recording does not tell.
fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A record for each buffer.
#[must_use]
pub(crate) fn single(list: &BufferList, csv: Csv) -> String {
    table(list, csv, &SINGLE, &list.buffers)
}

/// A record for each op, kind and origin.
#[must_use]
pub(crate) fn by_op(list: &BufferList, csv: Csv) -> String {
    table(list, csv, &BY_OP, &groups(list.buffers.iter()))
}

/// A record for each part of each resident program.
#[must_use]
pub(crate) fn programs(list: &BufferList, csv: Csv) -> String {
    let rows: Vec<Part<'_>> = list
        .programs
        .iter()
        .flat_map(|program| program.parts.iter().map(move |part| (program, part)))
        .collect();
    table(list, csv, &program_columns(), &rows)
}

fn table<T>(list: &BufferList, csv: Csv, columns: &[Column<T>], rows: &[T]) -> String {
    let heading = |(name, unit, _): &Column<T>| match *unit {
        "" => Cow::Borrowed(*name),
        unit => Cow::Owned(format!("{name} [{unit}]")),
    };
    let mut text = match csv.header {
        Header::Shown => record(columns.iter().map(heading)),
        Header::Hidden => String::new(),
    };
    for row in rows {
        text += &record(columns.iter().map(|(_, unit, read)| {
            let value = legible(&read(list, row), csv.charset).into_owned();
            Cow::Owned(match (csv.units, *unit) {
                (Units::Hidden, _) | (_, "") => value,
                _ if value.is_empty() => value,
                (Units::Shown, unit) => format!("{value} {unit}"),
            })
        }));
    }
    text
}

/// The calls from the outermost to the innermost, separated by semicolons, as tools for flame graphs read them.
fn stack(_: &BufferList, buffer: &LiveBuffer) -> String {
    let frames = buffer.stack.iter().rev();
    let frame = |frame: &StackFrame| {
        let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} ({}{line})", frame.function, frame.file)
    };
    frames.map(frame).collect::<Vec<_>>().join(";")
}

/// The numbers of the chips that have the buffer, separated by spaces.
fn chips(list: &BufferList, buffer: &LiveBuffer) -> String {
    let mut allocators = list.allocators.iter();
    let its = allocators
        .find(|allocator| (allocator.pid, allocator.number) == (buffer.pid, buffer.allocator));
    indexes(its.map(|allocator| allocator.chips.as_slice()).unwrap_or_default())
}

fn indexes(chips: &[ChipRef]) -> String {
    chips.iter().map(|chip| chip.index.to_string()).collect::<Vec<_>>().join(" ")
}
