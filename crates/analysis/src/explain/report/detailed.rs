//! `detailed_memory_usage`: totals over all banks, then the blocks of one bank (or, in 2023, of each).

use ttmem_model::Kind;

use super::csv::cells;
use super::{Block, Blocks, Unit, Usage};

/// Reads the sections of the file.
pub(super) fn read(text: &str, unit: Unit) -> Vec<Usage> {
    let mut reader =
        Reader { unit, usages: Vec::new(), program: None, section: Section::default() };
    for line in text.lines() {
        reader.line(line.trim_end());
    }
    reader.finish();
    reader.usages
}

/// A memory (or a channel or core of 2023) and what was read of it so far.
#[derive(Default)]
struct Section {
    kind: Option<Kind>,
    place: Option<String>,
    /// Totals over all banks, or in 2023 of the bank that is being read.
    capacity: Option<u64>,
    used: Option<u64>,
    free: Option<u64>,
    largest_free: Option<u64>,
    /// The bank of 2023.
    bank: Option<u64>,
    sum: u64,
    free_sum: u64,
    blocks: Option<Blocks>,
}

struct Reader {
    unit: Unit,
    usages: Vec<Usage>,
    program: Option<u64>,
    section: Section,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(row) = block(line) {
            self.section.add(row);
            return;
        }
        let cells = cells(line);
        let cell = |index: usize| cells.get(index).map_or("", String::as_str);
        if let Some((kind, place)) = heading(cell(1), cell(2)) {
            self.finish();
            self.program = cell(0).parse().ok().or(self.program);
            self.section = Section { kind: Some(kind), place, ..Section::default() };
        } else if cell(0) == "Bank ID:" {
            self.next_bank(cell(1).parse().ok());
        } else if line.starts_with(",Total ") {
            self.total(cell(1), cell(2));
        } else if let Some((name, value)) =
            cell(2).split_once(':').filter(|_| line.starts_with(",,"))
        {
            self.total(name, value.trim());
        }
    }

    fn total(&mut self, name: &str, value: &str) {
        let value = value.parse().ok().map(|value| self.unit.bytes(value));
        let section = &mut self.section;
        let field = match name.split(" (").next().unwrap_or_default() {
            "Total allocatable" => &mut section.capacity,
            "Total allocated" => &mut section.used,
            "Total free" => &mut section.free,
            "Largest free block" => &mut section.largest_free,
            _ => return,
        };
        *field = value;
    }

    /// A bank of 2023 begins: it belongs to the same channel or core as the one before.
    fn next_bank(&mut self, bank: Option<u64>) {
        let (kind, place) = (self.section.kind, self.section.place.clone());
        if self.section.bank.is_some() {
            self.finish();
        }
        self.section = Section { kind, place, bank, ..Section::default() };
    }

    fn finish(&mut self) {
        let section = std::mem::take(&mut self.section);
        if section.kind.is_some() {
            self.usages.push(section.usage(self.program));
        }
    }
}

impl Section {
    fn add(&mut self, Row { block, is_allocated, is_offset }: Row) {
        let blocks = self.blocks.get_or_insert_default();
        blocks.is_offset = is_offset;
        self.sum = self.sum.saturating_add(block.bytes);
        // An empty region has one free block of 0 bytes.
        if block.bytes == 0 {
            return;
        }
        let (count, largest) = if is_allocated {
            (&mut blocks.allocated, &mut blocks.largest_allocated)
        } else {
            self.free_sum = self.free_sum.saturating_add(block.bytes);
            (&mut blocks.holes, &mut blocks.largest_hole)
        };
        *count += 1;
        if largest.is_none_or(|largest| block.bytes > largest.bytes) {
            *largest = Some(block);
        }
    }

    fn usage(self, program: Option<u64>) -> Usage {
        let place = match (self.place, self.bank) {
            (Some(place), Some(bank)) => Some(format!("{place} bank {bank}")),
            (place, _) => place,
        };
        let hole = self.blocks.map(|blocks| blocks.largest_hole.map_or(0, |block| block.bytes));
        let mut usage =
            Usage { program, kind: self.kind, place, blocks: self.blocks, ..Usage::default() };
        if self.bank.is_some() {
            (usage.capacity, usage.used, usage.free) = (self.capacity, self.used, self.free);
            usage.largest_free = self.largest_free.or(hole);
        } else if self.blocks.is_some() {
            usage.capacity = Some(self.sum);
            usage.free = Some(self.free_sum);
            usage.used = Some(self.sum - self.free_sum);
            usage.largest_free = hole;
            usage.banks = self
                .capacity
                .filter(|total| self.sum > 0 && total % self.sum == 0)
                .map(|total| total / self.sum);
        } else {
            (usage.total_capacity, usage.total_used, usage.total_free) =
                (self.capacity, self.used, self.free);
        }
        usage.derived()
    }
}

/// The line that begins a section.
fn heading(name: &str, value: &str) -> Option<(Kind, Option<String>)> {
    match name {
        "DRAM" => Some((Kind::Dram, None)),
        "L1" => Some((Kind::L1, None)),
        "L1_SMALL" => Some((Kind::L1Small, None)),
        "TRACE" => Some((Kind::Trace, None)),
        "DRAM channel ID" => Some((Kind::Dram, Some(format!("channel {value}")))),
        _ => {
            let core = name.strip_prefix("Logical core ")?;
            Some((Kind::L1, Some(format!("core {core}"))))
        }
    }
}

/// A row of the block table.
struct Row {
    block: Block,
    is_allocated: bool,
    /// True if the address is an offset from the start of the region.
    is_offset: bool,
}

/// Reads a row of six columns (`Block Address Size PrevID NextID Allocated`), or before 2025 `,,,address,size,Y`.
fn block(line: &str) -> Option<Row> {
    if let Some(row) = line.strip_prefix(",,,") {
        let mut cells = row.split(',').map(str::trim);
        let (address, bytes, allocated) = (cells.next()?, cells.next()?, cells.next()?);
        return Some(Row {
            block: Block { address: address.parse().ok()?, bytes: bytes.parse().ok()? },
            is_allocated: allocated == "Y",
            is_offset: false,
        });
    }
    let mut cells = line.split_whitespace();
    cells.next()?.parse::<u64>().ok()?;
    let (address, bytes) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
    let is_allocated = match cells.nth(2)? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some(Row { block: Block { address, bytes }, is_allocated, is_offset: true })
}
