//! The address space of one core, to scale, and the list of everything in it.

use ttmem_model::l1::report::{CoreReport, RegionReport};
use ttmem_model::l1::{ByteRange, RegionKind};
use ttmem_segment::PartKind;

use super::glyph;
use super::panel::{Panel, Row};
use crate::output::page::{Page, Role};
use crate::output::{amount, text};

/// Bytes of one sign of the map.
const CELL: u64 = 4096;
/// Kernels are aligned to this, so a shorter gap between two is nothing.
const PADDING: u64 = 16;
/// Columns at which addresses end and the map begins.
const ADDRESSES: usize = 8;
const MAP: usize = ADDRESSES + 2;

/// The map: one sign for every 4 KiB, as many in a line as make a round address.
pub(super) fn map(core: &CoreReport, page: &Page, columns: usize) -> Panel {
    let in_line = [64, 32, 16].into_iter().find(|count| MAP + count <= columns).unwrap_or(8);
    let count = core.l1_bytes().div_ceil(CELL);
    let cells: Vec<_> = (0..count).map(|cell| sign(core, page, cell * CELL)).collect();
    let lines = cells.chunks(in_line).zip(0_u64..);
    let mut rows: Panel = lines
        .map(|(cells, line)| {
            let address = line * CELL * u64::try_from(in_line).unwrap_or(u64::MAX);
            let label =
                if address == 0 { "0".to_owned() } else { format!("{} KiB", address / 1024) };
            let mut row = Row::default().to(ADDRESSES, Role::Quiet, &label);
            let mut column = MAP;
            for run in cells.chunk_by(|one, next| one.1 == next.1) {
                let signs: String = run.iter().map(|(sign, _)| *sign).collect();
                let role = run.first().map_or(Role::Plain, |(_, role)| *role);
                row.push_from(column, column + run.len(), role, &signs);
                column += run.len();
            }
            row
        })
        .collect();
    rows.push(Row::default());
    rows.extend(legend(core, page, columns));
    rows
}

/// The sign of the 4 KiB from an address on. What a program placed there is shown before what is always there, and
/// that before nothing; of like things the one with most bytes.
fn sign(core: &CoreReport, page: &Page, start: u64) -> (char, Role) {
    let cell = ByteRange::new(start, start + CELL);
    let here = core.regions.iter().filter_map(|region| {
        let bytes = ByteRange::new(region.start, region.end).intersection(cell).bytes();
        (bytes > 0).then_some((prominence(region.kind), bytes, region))
    });
    let Some((_, _, region)) = here.max_by_key(|(prominence, bytes, _)| (*prominence, *bytes))
    else {
        return (' ', Role::Plain);
    };
    let (sign, role) = glyph::region(page, region.kind);
    let digit = first_buffer(region).map(glyph::buffer);
    (digit.or(sign.chars().next()).unwrap_or(' '), role)
}

fn prominence(kind: RegionKind) -> u8 {
    match kind {
        RegionKind::KernelConfigFree | RegionKind::Free | RegionKind::Unknown => 0,
        RegionKind::Reserved => 1,
        _ => 2,
    }
}

fn is_padding(region: &RegionReport) -> bool {
    region.kind == RegionKind::KernelConfig && region.bytes() < PADDING
}

fn first_buffer(region: &RegionReport) -> Option<u8> {
    let first = region.label.split(", ").next()?;
    first.parse().ok().filter(|_| region.kind == RegionKind::CircularBuffers)
}

/// Draws the legend of the map.
fn legend(core: &CoreReport, page: &Page, columns: usize) -> Panel {
    let mut kinds: Vec<RegionKind> = Vec::new();
    for region in &core.regions {
        if !kinds.contains(&region.kind) {
            kinds.push(region.kind);
        }
    }
    let notes = kinds.iter().map(|kind| match kind {
        RegionKind::CircularBuffers if core.regions.iter().any(|it| first_buffer(it).is_some()) => {
            "digits circular buffers".to_owned()
        }
        kind => {
            let sign = glyph::region(page, *kind).0;
            let sign = if sign == " " { "blank" } else { sign };
            format!("{sign} {}", label(*kind))
        }
    });
    let notes: Vec<String> =
        std::iter::once("one sign is 4 KiB:".to_owned()).chain(notes).collect();
    let mut rows = Panel::new();
    let (mut row, mut next) = (Row::default(), 0);
    for note in notes {
        if next > 0 && next + text::width(&note) > columns {
            rows.push(std::mem::take(&mut row));
            next = 0;
        }
        row.push_from(next, columns, Role::Quiet, &note);
        next += text::width(&note) + 2;
    }
    rows.push(row);
    rows
}

/// Returns the name of a kind.
fn label(kind: RegionKind) -> &'static str {
    match kind {
        RegionKind::Reserved => "reserved",
        RegionKind::KernelConfig => "kernel config",
        RegionKind::Kernels => "kernel",
        RegionKind::KernelConfigFree => "ring, unused",
        RegionKind::CircularBuffers => "circular buffer",
        RegionKind::L1 => "tensor",
        RegionKind::L1Small => "L1_SMALL",
        RegionKind::Free => "free",
        RegionKind::Unknown => "not known",
    }
}

/// Returns the name of a region's kind. An agent knows which form of a circular buffer it is.
fn kind(region: &RegionReport) -> &str {
    match placed(region) {
        Some(placed) => placed.label(),
        None => label(region.kind),
    }
}

/// What a region of circular buffers is, if an agent recorded it and it is one thing.
fn placed(region: &RegionReport) -> Option<PartKind> {
    let of_agent = [PartKind::CircularBuffer, PartKind::DataflowBuffer, PartKind::Scratchpad];
    let is_it = |kind: &PartKind| kind.label() == region.label;
    of_agent.into_iter().find(is_it).filter(|_| region.kind == RegionKind::CircularBuffers)
}

/// Columns at which start, end and size end, and kind and owner begin.
struct Columns {
    start: usize,
    end: usize,
    size: usize,
    kind: usize,
    owner: usize,
}

/// Every region: its start, end, size, kind and owner.
pub(super) fn regions(core: &CoreReport, page: &Page, width: usize) -> Panel {
    let columns = if width >= 80 {
        Columns { start: 8, end: 17, size: 27, kind: 30, owner: 47 }
    } else {
        // Where an owner has no room it goes below.
        let owner = if width >= 54 { 42 } else { width };
        Columns { start: 7, end: 15, size: 24, kind: 26, owner }
    };
    let heading = Row::default()
        .to(columns.start, Role::Quiet, "Start")
        .to(columns.end, Role::Quiet, "End")
        .to(columns.size, Role::Quiet, "Size")
        .from(columns.kind, columns.owner, Role::Quiet, "Kind")
        .from(columns.owner, width, Role::Quiet, "Owner");
    let rows = core
        .regions
        .iter()
        .flat_map(|region| region_rows(region, &owner(core, region, page), &columns, width));
    std::iter::once(heading).chain(rows).collect()
}

/// The row of a region, and more for an owner that has no room in it.
fn region_rows(region: &RegionReport, owner: &Owner, columns: &Columns, width: usize) -> Panel {
    let is_quiet = prominence(region.kind) < 2 || is_padding(region);
    let role = if is_quiet { Role::Quiet } else { Role::Plain };
    let row = Row::default()
        .to(columns.start, role, &region.start.to_string())
        .to(columns.end, role, &region.end.to_string())
        .to(columns.size, role, &amount::size(region.bytes()))
        .from(columns.kind, columns.owner - 1, role, kind(region));
    let Owner { short, name } = owner;
    let room = width.saturating_sub(columns.owner);
    let both = format!("{short}  {name}");
    if text::width(both.trim_end()) <= room {
        return vec![row.from(columns.owner, width, role, both.trim_end())];
    }
    let (row, below) = match text::width(short) <= room {
        true => (row.from(columns.owner, width, role, short), name.as_str()),
        false => (row, both.trim_end()),
    };
    // What is below is as far to the right as it goes.
    let start = columns.owner.min(width.saturating_sub(text::width(below)));
    let lines = text::wrap(below, width - start).into_iter();
    let lines = lines.map(|line| Row::default().from(start, width, role, &line));
    std::iter::once(row).chain(lines).collect()
}

/// Owner of a region.
#[derive(Default)]
struct Owner {
    short: String,
    /// A name that may take a row of its own.
    name: String,
}

/// Returns the owner of a region.
fn owner(core: &CoreReport, region: &RegionReport, page: &Page) -> Owner {
    let short = |short: &str| Owner { short: short.to_owned(), ..Owner::default() };
    match region.kind {
        RegionKind::Kernels => {
            // The label of text is the processor that runs it.
            let is_its = |label: &str| label == region.label;
            let mut own =
                core.kernels.iter().filter(|it| it.processor.is_some_and(|it| is_its(it.as_str())));
            let Some(kernel) = own.next() else { return short(&region.label) };
            let number = kernel.id.map(|id| format!(" {id}")).unwrap_or_default();
            let name = kernel.name.clone().unwrap_or_default();
            Owner { short: format!("{}{number}", region.label), name }
        }
        RegionKind::CircularBuffers => short(&buffers_of(core, region, page)),
        RegionKind::KernelConfig if is_padding(region) => short("padding"),
        RegionKind::KernelConfig => short("args, semaphores"),
        RegionKind::Unknown if core.detail.is_none() => short("tensors or free"),
        _ => short(&region.label),
    }
}

/// The numbers of the circular buffers, the pages of the first, and whether they are a tensor's bytes.
fn buffers_of(core: &CoreReport, region: &RegionReport, page: &Page) -> String {
    let first = first_buffer(region);
    let own = core.circular_buffers.iter().find(|buffer| first.is_some() && buffer.id == first);
    let pages = own.and_then(|buffer| buffer.pages.zip(buffer.page_size));
    let times = page.glyphs().times;
    let pages = pages.map(|(pages, size)| format!("{pages} {times} {size} B"));
    let shared = match region.shared_with {
        Some(RegionKind::L1Small) => Some("in L1_SMALL"),
        Some(_) => Some("aliases a tensor"),
        None => None,
    };
    let numbers = placed(region).is_none().then_some(region.label.as_str());
    let parts = [numbers, pages.as_deref(), shared];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}
