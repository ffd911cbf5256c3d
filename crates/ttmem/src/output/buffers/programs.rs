//! The programs that are resident in L1, each with its parts.

use ttmem_model::buffers::{BufferList, BufferOwner, CoreRectangle, ProgramPart, ResidentProgram};

use super::note;
use crate::output::amount::{duration, size};
use crate::output::naming::chip_list;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;

/// Columns of the kind, of the end of address and size, and of the cores.
const KIND: usize = 2;
const ADDRESS: usize = 30;
const SIZE: usize = 40;
const CORES: usize = 42;
/// The narrowest page with room for a name beside the cores.
const WIDE: usize = 70;
const NAME: usize = 56;

/// Draws the programs of a process.
pub(super) fn draw(sheet: &mut Sheet<'_>, list: &BufferList, owner: &BufferOwner) {
    let programs: Vec<&ResidentProgram> =
        list.programs.iter().filter(|program| program.pid == owner.pid).collect();
    if programs.is_empty() && owner.programs_missing.is_none() {
        note(sheet, Role::Quiet, "no resident program");
    }
    for program in programs {
        sheet.skip();
        note(sheet, Role::Strong, &heading(program, sheet.page()));
        for part in &program.parts {
            draw_part(sheet, part);
        }
        let mut line = sheet.start();
        line.pad_to(KIND);
        line.push(Role::Quiet, &rest(program), sheet.page().width);
        sheet.end(line);
    }
    if let Some(why) = &owner.programs_missing {
        note(sheet, Role::Notice, &format!("other programs may be resident: {why}"));
    }
}

fn heading(program: &ResidentProgram, page: &Page) -> String {
    let glyphs = page.glyphs();
    let op = program.op.as_deref().unwrap_or(glyphs.dash);
    let number = program.program.map(|number| format!("program {number} ")).unwrap_or_default();
    let chips: Vec<u32> = program.chips.iter().map(|chip| chip.index).collect();
    let chips = match chips.len() {
        0 => String::new(),
        1 => format!(" of chip {}", chip_list(&chips)),
        _ => format!(" of each of chips {}", chip_list(&chips)),
    };
    let cores = if program.cores == 1 { "core" } else { "cores" };
    format!(
        "{number}{op} {dot} on {} {cores}{chips} {dot} dispatched {}{}, {} ago",
        program.cores,
        program.dispatches,
        glyphs.times,
        duration(program.age_us),
        dot = glyphs.dot,
    )
}

fn draw_part(sheet: &mut Sheet<'_>, part: &ProgramPart) {
    let page = sheet.page();
    let (width, glyphs) = (page.width, page.glyphs());
    let mut line = sheet.start();
    line.pad_to(KIND);
    line.push(Role::Plain, &part.kind.replace('_', " "), ADDRESS - 8);
    let address = part.address.map(|address| format!("0x{address:06x}")).unwrap_or_default();
    line.push_right(Role::Plain, &address, ADDRESS);
    let bytes = part.bytes.map_or_else(|| glyphs.dash.to_owned(), size);
    line.push_right(Role::Plain, &bytes, SIZE.min(width));
    line.pad_to(CORES.min(width));
    line.push(Role::Plain, &cores_in_words(part.cores), width);
    let backed = (part.backed == Some(true)).then_some("aliases a tensor");
    if let Some(text) = part.name.as_deref().or(backed).filter(|_| width >= WIDE) {
        line.pad_to(NAME);
        line.push(Role::Quiet, text, page.room);
    }
    sheet.end(line);
}

/// The figures of a program as a whole.
fn rest(program: &ResidentProgram) -> String {
    let known = |bytes: Option<u32>| {
        bytes
            .map_or_else(|| "not published by this TT-Metal".to_owned(), |bytes| size(bytes.into()))
    };
    format!(
        "semaphores {}, kernel config {}",
        known(program.semaphore_bytes),
        known(program.config_bytes)
    )
}

/// The cores of a rectangle: its first and its last.
#[must_use]
pub(super) fn cores_in_words([[left, top], [right, bottom]]: CoreRectangle) -> String {
    if (left, top) == (right, bottom) {
        format!("{left},{top}")
    } else {
        format!("{left},{top} to {right},{bottom}")
    }
}
