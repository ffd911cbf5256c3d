//! Writes a new SQLite database: tables of rows, without indexes. A whole SQLite would add a megabyte to ttmem, for rows that
//! are written once, in order. The format: <https://www.sqlite.org/fileformat2.html>.

/// Bytes of a page. Large enough that the schema of a report fits in the first one.
const PAGE: usize = 16_384;
/// Bytes before the tree in the first page.
const HEADER: usize = 100;
/// The largest payload of a leaf cell that has no overflow page.
const MAX_LOCAL: usize = PAGE - 35;
/// The least part of a payload that stays in the leaf if the rest overflows.
const MIN_LOCAL: usize = (PAGE - 12) * 32 / 255 - 23;

const LEAF: u8 = 0x0D;
const INTERIOR: u8 = 0x05;

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A missing value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// UTF-8.
    Text(&'a str),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Null, Self::from)
    }
}

/// A database that is being written. Tables come one after another.
#[derive(Debug)]
pub(super) struct Database {
    /// Pages from the second on.
    pages: Vec<Vec<u8>>,
    /// Rows of the schema: name, first page, and statement of each table.
    schema: Vec<(String, u32, String)>,
}

impl Database {
    pub(super) fn new() -> Self {
        Self { pages: Vec::new(), schema: Vec::new() }
    }

    /// Adds a table. `columns` is the text between the parentheses of its CREATE TABLE statement.
    pub(super) fn table(&mut self, name: &str, columns: &str, fill: impl FnOnce(&mut Table<'_>)) {
        let mut table = Table { database: self, leaf: Leaf::new(0), row: 0, children: Vec::new() };
        fill(&mut table);
        let root = table.finish();
        let statement = format!("CREATE TABLE {name} ({columns})");
        self.schema.push((name.to_owned(), root, statement));
    }

    /// Returns the bytes of the file. `None` if the schema does not fit in one page.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        let mut leaf = Leaf::new(HEADER);
        for (row, (name, root, statement)) in (1..).zip(&self.schema) {
            let values = [
                Value::Text("table"),
                Value::Text(name),
                Value::Text(name),
                Value::Integer(i64::from(*root)),
                Value::Text(statement),
            ];
            let payload = record(&values);
            let cell = cell(row, &payload, None);
            if payload.len() > MAX_LOCAL || !leaf.has_room(cell.len()) {
                return None;
            }
            leaf.push(&cell);
        }
        let mut first = leaf.page();
        let pages = u32::try_from(self.pages.len() + 1).ok()?;
        first[..HEADER].copy_from_slice(&file_header(pages));
        let mut bytes = first;
        for page in self.pages {
            bytes.extend(page);
        }
        Some(bytes)
    }

    /// Appends a page and returns its number, from 2.
    fn add(&mut self, page: Vec<u8>) -> u32 {
        self.pages.push(page);
        u32::try_from(self.pages.len() + 1).unwrap_or(u32::MAX)
    }
}

/// A table whose rows are being written.
pub(super) struct Table<'a> {
    database: &'a mut Database,
    leaf: Leaf,
    row: u64,
    /// Finished leaves, each with its last row.
    children: Vec<(u32, u64)>,
}

impl Table<'_> {
    /// Appends a row.
    pub(super) fn row(&mut self, values: &[Value<'_>]) {
        let payload = record(values);
        let overflow = self.overflow(&payload);
        let cell = cell(self.row + 1, &payload, overflow);
        if !self.leaf.has_room(cell.len()) {
            self.end_leaf();
        }
        self.leaf.push(&cell);
        self.row += 1;
    }

    /// Writes the end of a large payload to overflow pages and returns its beginning's length and their first page.
    fn overflow(&mut self, payload: &[u8]) -> Option<(usize, u32)> {
        if payload.len() <= MAX_LOCAL {
            return None;
        }
        let usable = PAGE - 4;
        let kept = MIN_LOCAL + (payload.len() - MIN_LOCAL) % usable;
        let kept = if kept <= MAX_LOCAL { kept } else { MIN_LOCAL };
        let mut next = 0_u32;
        // From the last to the first: each names the one after it.
        let rest: Vec<&[u8]> = payload[kept..].chunks(usable).collect();
        for part in rest.into_iter().rev() {
            let mut page = next.to_be_bytes().to_vec();
            page.extend_from_slice(part);
            page.resize(PAGE, 0);
            next = self.database.add(page);
        }
        Some((kept, next))
    }

    fn end_leaf(&mut self) {
        let leaf = std::mem::replace(&mut self.leaf, Leaf::new(0));
        let page = self.database.add(leaf.page());
        self.children.push((page, self.row));
    }

    /// Writes what is left and the pages above the leaves. Returns the number of the top page.
    fn finish(mut self) -> u32 {
        self.end_leaf();
        let mut level = self.children;
        while level.len() > 1 {
            let groups = level.chunks(interior_children());
            let pages: Vec<(Vec<u8>, u64)> = groups.map(interior).collect();
            level = pages.into_iter().map(|(page, last)| (self.database.add(page), last)).collect();
        }
        level.first().map_or(0, |(page, _)| *page)
    }
}

/// A leaf page that is being filled: cells grow from its end, their offsets from its beginning.
#[derive(Debug)]
struct Leaf {
    begin: usize,
    cells: Vec<Vec<u8>>,
    bytes: usize,
}

impl Leaf {
    fn new(begin: usize) -> Self {
        Self { begin, cells: Vec::new(), bytes: 0 }
    }

    fn has_room(&self, cell: usize) -> bool {
        self.begin + 8 + 2 * (self.cells.len() + 1) + self.bytes + cell <= PAGE
    }

    fn push(&mut self, cell: &[u8]) {
        self.bytes += cell.len();
        self.cells.push(cell.to_vec());
    }

    fn page(&self) -> Vec<u8> {
        page(self.begin, LEAF, None, &self.cells)
    }
}

/// A page of a tree with its cells.
fn page(begin: usize, kind: u8, right: Option<u32>, cells: &[Vec<u8>]) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let mut offset = begin + if right.is_some() { 12 } else { 8 };
    let mut end = PAGE;
    for cell in cells {
        end -= cell.len();
        page[end..end + cell.len()].copy_from_slice(cell);
        page[offset..offset + 2].copy_from_slice(&short(end));
        offset += 2;
    }
    page[begin] = kind;
    page[begin + 3..begin + 5].copy_from_slice(&short(cells.len()));
    page[begin + 5..begin + 7].copy_from_slice(&short(end));
    if let Some(right) = right {
        page[begin + 8..begin + 12].copy_from_slice(&right.to_be_bytes());
    }
    page
}

/// The most children of an interior page: a cell is a page number and a row number of at most nine bytes.
fn interior_children() -> usize {
    (PAGE - 12) / (2 + 4 + 9)
}

/// The interior page above some children, and the last row below it.
fn interior(children: &[(u32, u64)]) -> (Vec<u8>, u64) {
    let (right, last) = children.last().copied().unwrap_or_default();
    let cells = children.iter().take(children.len().saturating_sub(1)).map(|(child, row)| {
        let mut cell = child.to_be_bytes().to_vec();
        put_varint(&mut cell, *row);
        cell
    });
    (page(0, INTERIOR, Some(right), &cells.collect::<Vec<_>>()), last)
}

fn cell(row: u64, payload: &[u8], overflow: Option<(usize, u32)>) -> Vec<u8> {
    let mut cell = Vec::with_capacity(payload.len() + 18);
    put_varint(&mut cell, payload.len() as u64);
    put_varint(&mut cell, row);
    match overflow {
        None => cell.extend_from_slice(payload),
        Some((kept, page)) => {
            cell.extend_from_slice(&payload[..kept]);
            cell.extend_from_slice(&page.to_be_bytes());
        }
    }
    cell
}

/// The values of a row, as the format has them: their types, then their bytes.
fn record(values: &[Value<'_>]) -> Vec<u8> {
    let (mut types, mut body) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Value::Null => put_varint(&mut types, 0),
            Value::Integer(number) => put_integer(&mut types, &mut body, *number),
            Value::Real(number) => {
                put_varint(&mut types, 7);
                body.extend_from_slice(&number.to_be_bytes());
            }
            Value::Text(text) => {
                put_varint(&mut types, 13 + 2 * text.len() as u64);
                body.extend_from_slice(text.as_bytes());
            }
        }
    }
    // The length counts itself. One byte for it is enough for 63 columns of short types, else it takes two.
    let length = types.len() + if types.len() < 127 { 1 } else { 2 };
    let mut record = Vec::with_capacity(length + body.len());
    put_varint(&mut record, length as u64);
    record.extend(types);
    record.extend(body);
    record
}

fn put_integer(types: &mut Vec<u8>, body: &mut Vec<u8>, number: i64) {
    // Type numbers and the bytes that they have.
    const WIDTHS: [(u64, usize); 6] = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 8)];
    // The bits above the highest of the width are all like that one.
    let fits = |width: usize| matches!(number >> (8 * width - 1), 0 | -1);
    let (kind, width) = WIDTHS.into_iter().find(|(_, width)| fits(*width)).unwrap_or((6, 8));
    put_varint(types, kind);
    body.extend_from_slice(&number.to_be_bytes()[8 - width..]);
}

/// Appends a number of variable length: seven bits a byte, high ones first; a ninth byte has eight.
fn put_varint(bytes: &mut Vec<u8>, number: u64) {
    if number >> 56 != 0 {
        bytes.extend((0..8).map(|group| 0x80 | low(number >> (8 + 7 * (7 - group)), 0x7F)));
        bytes.push(low(number, 0xFF));
        return;
    }
    let groups = (1..8).rev().filter(|group| number >> (7 * group) != 0);
    bytes.extend(groups.map(|group| 0x80 | low(number >> (7 * group), 0x7F)));
    bytes.push(low(number, 0x7F));
}

/// The low bits of a number.
fn low(number: u64, mask: u8) -> u8 {
    number.to_le_bytes()[0] & mask
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

fn file_header(pages: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..16].copy_from_slice(b"SQLite format 3\0");
    header[16..18].copy_from_slice(&short(PAGE));
    // Written and read without a journal of the newer kind; fractions of a page as the format fixes them.
    header[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    let mut word = |offset: usize, number: u32| {
        header[offset..offset + 4].copy_from_slice(&number.to_be_bytes());
    };
    word(24, 1); // changes so far
    word(28, pages);
    word(40, 1); // version of the schema
    word(44, 4); // format of the schema
    word(56, 1); // UTF-8
    word(92, 1); // the number of changes that the page count belongs to
    word(96, 3_045_000); // the SQLite whose format this is
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, number);
        bytes
    }

    #[test]
    fn numbers_take_as_many_bytes_as_they_need() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [127]);
        assert_eq!(varint(128), [0x81, 0]);
        assert_eq!(varint(u64::MAX), [0xFF; 9]);
        assert_eq!(varint(1 << 56).len(), 9);
        assert_eq!(varint((1 << 56) - 1).len(), 8);
        let width = |number| record(&[Value::Integer(number)]).len() - 2;
        assert_eq!([0, -128, 127].map(width), [1; 3]);
        assert_eq!([128, -129, 32_767].map(width), [2; 3]);
        assert_eq!([1 << 23, (1 << 31) - 1, -(1 << 31)].map(width), [4; 3]);
        assert_eq!([1 << 31, (1 << 47) - 1].map(width), [6; 2]);
        assert_eq!([i64::MAX, i64::MIN].map(width), [8; 2]);
    }

    /// SQLite itself reads rows of every size, on as many levels of pages as they take.
    #[test]
    fn sqlite_reads_it() {
        let mut database = Database::new();
        let long = "x".repeat(100_000);
        database.table("numbers", "id int, value int, part float", |table| {
            for number in 0..400_000_i64 {
                let part = Value::Real(0.5);
                table.row(&[Value::Integer(number), Value::Integer(-(number << 20)), part]);
            }
        });
        database.table("texts", "id int, text text", |table| {
            for length in [0, 1, 60, 16_340, 16_349, 16_350, 20_000, 100_000] {
                table.row(&[Value::Null, Value::Text(&long[..length])]);
            }
        });
        database.table("empty", "id int", |_| {});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db.sqlite");
        std::fs::write(&file, database.finish().unwrap()).unwrap();
        let program = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute('pragma integrity_check').fetchall())
print(db.execute('select count(*), sum(id), sum(value), sum(part), max(rowid) from numbers').fetchall())
print(db.execute('select id from numbers where rowid = 399999').fetchall())
print(db.execute('select sum(length(text)), count(id) from texts').fetchall(), db.execute('select * from empty').fetchall())";
        let python =
            std::process::Command::new("python3").args(["-c", program]).arg(&file).output();
        let Ok(output) = python else {
            assert!(std::env::var_os("CI").is_none(), "CI needs python3");
            return;
        };
        let sum: i64 = (0..400_000).sum();
        let expected = format!(
            "[('ok',)]\n[(400000, {sum}, {}, 200000.0, 400000)]\n[(399998,)]\n[(169100, 0)] []\n",
            -(sum << 20)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{output:?}");
    }

    #[test]
    fn a_schema_that_is_too_long_is_refused() {
        let mut database = Database::new();
        database.table("long", &"column_of_a_long_name int, ".repeat(1000), |_| {});
        assert_eq!(database.finish(), None);
    }
}
