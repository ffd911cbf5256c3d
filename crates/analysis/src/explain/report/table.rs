//! A report as a table.

use ttmem_model::Kind;

use super::{Block, Form, MemoryReport, Unit, Usage};
use crate::explain::render::programs;
use crate::explain::units::{self, bytes, grouped};

/// A table of more rows than this is cut; JSON has them all.
const MAX_ROWS: usize = 200;

/// What the files of programs have. They are written where TT-Metal compiles a program (`ProgramImpl::compile`, 0.76.0, 0.81.1).
const PROGRAMS: &str = "Each row has what the allocators held when a program was compiled: tensors, without the program's own \
                        circular buffers and kernels. A program of the cache has no row.";

const HEADING: [&str; 8] =
    ["program", "memory", "banks", "capacity", "used", "free", "largest free", "fragmented"];

impl MemoryReport {
    /// One line that says what the file is.
    pub(in crate::explain) fn title(&self) -> String {
        let contents = match self.form {
            Form::Summary => "memory in use",
            Form::L1Summary => "room for interleaved L1 buffers",
            Form::Detailed if self.usages.iter().all(|usage| usage.blocks.is_none()) => {
                "memory in use; the table of blocks was cut off"
            }
            Form::Detailed => "memory in use, with the table of blocks",
            Form::Results => "memory in use",
        };
        let unit = match self.unit {
            Unit::Bytes => "",
            Unit::Kib => {
                "; the file counts in KB, so that each number may be up to 1,023 bytes too low"
            }
        };
        let mut ids: Vec<u64> = self.usages.iter().filter_map(|usage| usage.program).collect();
        ids.dedup();
        let programs = match (ids.len(), self.form) {
            (0, _) => String::new(),
            (count, Form::Results) => format!(" after {}", programs(count)),
            (count, _) => format!(" at the compilation of {}", programs(count)),
        };
        format!("{}: {contents}{programs} (bytes of one bank){unit}", self.source)
    }

    /// The rows as sentences, for a page that the table is too wide for.
    pub(in crate::explain) fn sentences(&self) -> Vec<String> {
        let sentence = |usage: &Usage| {
            let cells =
                row(usage).into_iter().zip(HEADING).skip(2).filter(|(cell, _)| !cell.is_empty());
            let parts: Vec<String> = cells.map(|(cell, name)| format!("{name} {cell}")).collect();
            let program =
                usage.program.map(|program| format!("program {program}, ")).unwrap_or_default();
            format!("{program}{}: {}.", name(usage), parts.join(", "))
        };
        let known =
            self.usages.iter().take(MAX_ROWS).filter(|usage| usage.total_capacity.is_none());
        known.map(sentence).collect()
    }

    /// The table, with a heading, columns aligned. Empty without rows.
    pub(in crate::explain) fn table(&self) -> Vec<String> {
        let known =
            self.usages.iter().take(MAX_ROWS).filter(|usage| usage.total_capacity.is_none());
        let rows: Vec<[String; 8]> = known.map(row).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let filled = |&column: &usize| rows.iter().any(|row| !row[column].is_empty());
        let columns: Vec<usize> = (0..HEADING.len()).filter(filled).collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].len())
                .chain([HEADING[column].len()])
                .max()
                .unwrap_or(0)
        };
        let line = |cells: &dyn Fn(usize) -> String| {
            let aligned = columns.iter().map(|&column| match column {
                1 => format!("{:<1$}", cells(column), width(column)),
                _ => format!("{:>1$}", cells(column), width(column)),
            });
            aligned.collect::<Vec<_>>().join("  ")
        };
        let mut lines = vec![line(&|column| HEADING[column].to_owned())];
        lines.extend(rows.iter().map(|row| line(&|column| row[column].clone())));
        lines
    }

    /// The bytes that the table does not show.
    pub(in crate::explain) fn notes(&self) -> Vec<String> {
        let shown = self.usages.iter().take(MAX_ROWS);
        let mut notes: Vec<String> = shown.clone().filter_map(totals).collect();
        notes.extend(shown.filter_map(blocks));
        if self.usages.len() > MAX_ROWS {
            notes.push(format!("{} rows more.", self.usages.len() - MAX_ROWS));
        }
        if self.usages.is_empty() {
            notes.push("The file has a header and no rows.".to_owned());
        } else if self.form != Form::Results
            && self.usages.iter().any(|usage| usage.program.is_some())
        {
            notes.push(PROGRAMS.to_owned());
        }
        notes
    }
}

fn name(usage: &Usage) -> String {
    let kind = usage.kind.map_or("unknown", Kind::as_str);
    match &usage.place {
        Some(place) => format!("{kind} {place}"),
        None => kind.to_owned(),
    }
}

fn row(usage: &Usage) -> [String; 8] {
    let shown = |value: Option<u64>| value.map(grouped).unwrap_or_default();
    let fragmented = match usage.fragmentation {
        Some(share) => format!("{:.1} %", share * 100.0),
        None => String::new(),
    };
    [
        usage.program.map(|program| program.to_string()).unwrap_or_default(),
        name(usage),
        shown(usage.banks),
        shown(usage.capacity),
        shown(usage.used),
        shown(usage.free),
        shown(usage.largest_free),
        fragmented,
    ]
}

/// The sentence on a memory of which only totals are known.
fn totals(usage: &Usage) -> Option<String> {
    let capacity = usage.total_capacity?;
    let used = usage.total_used.map_or("an unknown part".to_owned(), grouped);
    Some(format!(
        "{}: {used} of {} allocated in all banks together. The block table is missing, so the number of banks and the \
         largest free block are not known.",
        name(usage),
        bytes(capacity)
    ))
}

/// The sentence on the table of blocks; none for a bank without any.
fn blocks(usage: &Usage) -> Option<String> {
    let blocks = usage.blocks.filter(|blocks| blocks.allocated + blocks.holes > 0)?;
    let program = usage.program.map(|program| format!("program {program}, ")).unwrap_or_default();
    let at = if blocks.is_offset { "at offset" } else { "at" };
    let largest = |block: Option<Block>| match block {
        Some(block) => {
            format!(", the largest {} {at} {}", bytes(block.bytes), units::address(block.address))
        }
        None => String::new(),
    };
    Some(format!(
        "{program}{}: {} allocated{}; {}{}.",
        name(usage),
        crate::explain::units::count(blocks.allocated, "block"),
        largest(blocks.largest_allocated),
        crate::explain::units::count(blocks.holes, "hole"),
        largest(blocks.largest_hole),
    ))
}
