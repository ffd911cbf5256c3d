//! TT-Metal's own memory reports: the CSV files of `ttnn.dump_device_memory_state` and, with a column `Program ID`, the
//! ones that are written for each program after `EnableMemoryReports`.
//!
//! Three forms, distinguished by their first lines:
//! - `*memory_usage_summary.csv`: capacity, allocated, free and largest free block of a bank, a row for each kind.
//! - `*l1_usage_summary.csv`: the largest free block of L1.
//! - `*detailed_memory_usage.csv`: totals over all banks, and the table of blocks of one bank.
//!
//! Files of 2023 count in KB, bank by bank, and the header says so. Headers up to 0.62 call two of four columns KB though
//! all are bytes; so only a header that is KB throughout is believed.

mod csv;
mod detailed;
mod results;
mod summary;
mod table;

use serde::Serialize;
use ttmem_model::Kind;

/// A memory report: the tables of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryReport {
    /// The file's name.
    pub(crate) source: String,
    /// Kind of the file, one of three.
    pub(crate) form: Form,
    /// The unit of the file. The numbers here are bytes in any case.
    pub(crate) unit: Unit,
    /// The content, in the order of the file.
    pub(crate) usages: Vec<Usage>,
}

/// The three files of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// `*memory_usage_summary.csv`
    Summary,
    /// `*l1_usage_summary.csv`
    L1Summary,
    /// `*detailed_memory_usage.csv`
    Detailed,
    /// `memory_results.json` of tt-mlir's `ttrt`
    Results,
}

/// The unit of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// KiB, rounded down (2023).
    Kib,
}

impl Unit {
    /// A number of the file in bytes.
    fn bytes(self, number: u64) -> u64 {
        match self {
            Self::Bytes => number,
            Self::Kib => number.saturating_mul(1024),
        }
    }
}

/// One memory, or one bank of it. Sizes are bytes of one bank; absent where the file does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// The program after which it was written, in per-program files.
    pub(crate) program: Option<u64>,
    /// The memory.
    pub(crate) kind: Option<Kind>,
    /// Bank, in files of 2023: the channel or core, and the bank's number.
    pub(crate) place: Option<String>,
    /// The number of banks, all of equal size.
    pub(crate) banks: Option<u64>,
    /// Bytes that can be allocated.
    pub(crate) capacity: Option<u64>,
    /// Bytes allocated.
    pub(crate) used: Option<u64>,
    /// Bytes free.
    pub(crate) free: Option<u64>,
    /// Bytes of the largest free block.
    pub(crate) largest_free: Option<u64>,
    /// Bytes of all banks that can be allocated, where the file has only totals.
    pub(crate) total_capacity: Option<u64>,
    /// Bytes allocated in all banks, where the file has only totals.
    pub(crate) total_used: Option<u64>,
    /// Bytes free in all banks, where the file has only totals.
    pub(crate) total_free: Option<u64>,
    /// The part of the free bytes that is outside the largest free block, from 0 to 1: 1 − largest / free. Absent if
    /// nothing is free.
    pub(crate) fragmentation: Option<f64>,
    /// The table of blocks.
    pub(crate) blocks: Option<Blocks>,
}

/// The table of blocks of one bank, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Blocks {
    /// Blocks that are allocated.
    pub(crate) allocated: u64,
    /// Blocks that are free: the holes.
    pub(crate) holes: u64,
    /// The largest allocated block, if any.
    pub(crate) largest_allocated: Option<Block>,
    /// The largest hole, if any.
    pub(crate) largest_hole: Option<Block>,
    /// True if addresses are offsets from the start of the region, as in files with a `Block table:`.
    #[serde(skip)]
    pub(crate) is_offset: bool,
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Block {
    /// Address.
    pub address: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl Usage {
    /// Fills in what follows from the rest.
    fn derived(mut self) -> Self {
        if let (Some(free), Some(largest)) = (self.free, self.largest_free)
            && free > 0
            && largest <= free
        {
            self.fragmentation = Some(share(free - largest, free));
        }
        self
    }
}

/// A share, rounded to four places, so that JSON stays readable.
fn share(part: u64, whole: u64) -> f64 {
    let parts = u128::from(part) * 10_000 / u128::from(whole.max(1));
    f64::from(u32::try_from(parts).unwrap_or(10_000)) / 10_000.0
}

/// True if a text begins as one of these reports does.
pub(super) fn is_report(head: &str) -> bool {
    results::is_results(head) || form_of(head).is_some()
}

/// The form of a CSV file by its first lines, and the line that has its unit.
fn form_of(text: &str) -> Option<(Form, &str)> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = lines.next()?;
    if first.starts_with("This report indicates available space") {
        Some((Form::L1Summary, lines.next()?))
    } else if first.contains("Total Allocatable Size (") {
        Some((Form::Summary, first))
    } else {
        let header = lines.take(2).find(|line| line.contains("Total allocatable ("))?;
        Some((Form::Detailed, header))
    }
}

/// Reads a file, if it is one of these reports.
#[must_use]
pub fn parse(source: &str, text: &str) -> Option<MemoryReport> {
    if results::is_results(text) {
        let usages = results::read(text)?;
        return Some(MemoryReport {
            source: source.to_owned(),
            form: Form::Results,
            unit: Unit::Bytes,
            usages,
        });
    }
    let (form, header) = form_of(text)?;
    let unit = unit_of(header);
    let rest = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).skip(1);
    let usages = match form {
        Form::L1Summary => summary::l1(header, rest.skip(1)),
        Form::Summary => summary::memory(header, rest),
        Form::Detailed | Form::Results => detailed::read(text, unit),
    };
    Some(MemoryReport { source: source.to_owned(), form, unit, usages })
}

fn unit_of(header: &str) -> Unit {
    if header.contains("(KB)") && !header.contains("(B)") { Unit::Kib } else { Unit::Bytes }
}
