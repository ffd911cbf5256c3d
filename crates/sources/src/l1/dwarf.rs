//! A layout from debug information: it gives the position and the fields of the mailbox in the firmware of a core.
//!
//! TT-Metal builds and ships `brisc.elf` with DWARF (wheels from 0.67 on). Its variable `mailboxes` is a pointer with
//! a constant value, the address of the mailbox, to `mailboxes_t`; `cb_interface` has one element for each circular
//! buffer. That replaces every offset of the table. The memory map around the mailbox is a matter of macros, which
//! the file does not keep: it comes from the table if the table knows this mailbox, else the ring is taken to start
//! where the mailbox ends, which calls nothing out of bounds that is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use elf::ElfBytes;
use elf::endian::AnyEndian;
use gimli::{EndianSlice, LittleEndian};
use ttmem_model::Arch;

use super::layout::{CoreInfoFields, Field, KernelConfig, Layout, Mailbox, MemoryMap, Row};
use super::layout_table::ROWS;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Offset = gimli::UnitOffset<usize>;

/// A unit of the debug information, and what it is part of. Line numbers and the like are not looked at, so that
/// they may be missing or damaged.
struct Source<'a> {
    dwarf: &'a gimli::Dwarf<Slice<'a>>,
    header: gimli::UnitHeader<Slice<'a>>,
    abbreviations: Arc<gimli::Abbreviations>,
}

impl<'a> Source<'a> {
    fn entry(&self, at: Offset) -> Result<Entry<'a>, gimli::Error> {
        self.header.entry(&self.abbreviations, at)
    }

    fn tree(&self, at: Offset) -> Result<gimli::EntriesTree<'_, Slice<'a>>, gimli::Error> {
        self.header.entries_tree(&self.abbreviations, Some(at))
    }
}

/// The maximum depth of structures: `mailboxes_t` needs four levels.
const MAX_DEPTH: usize = 16;

/// The most members that are examined: `mailboxes_t` has about 130. A damaged file may nest structures in themselves.
const MAX_MEMBERS: usize = 4096;

/// The reason that debug information gives no layout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DwarfError {
    /// The bytes are no ELF file.
    #[error("unknown TT-Metal layout: {file} is no ELF file: {error}")]
    Elf {
        /// The file.
        file: String,
        /// The error.
        error: elf::ParseError,
    },
    /// The debug information is damaged.
    #[error("unknown TT-Metal layout: {file} has damaged debug information: {error}")]
    Dwarf {
        /// The file.
        file: String,
        /// The error.
        error: gimli::Error,
    },
    /// Something that a layout needs is not in it.
    #[error("unknown TT-Metal layout: {file} does not say {what}")]
    Lacks {
        /// The file.
        file: String,
        /// The missing item.
        what: String,
    },
}

/// The result of reading one file.
enum Flaw {
    Elf(elf::ParseError),
    Dwarf(gimli::Error),
    Lacks(String),
}

impl From<gimli::Error> for Flaw {
    fn from(error: gimli::Error) -> Self {
        Self::Dwarf(error)
    }
}

/// The layout that a `brisc.elf` gives. `file` is what outputs call it.
///
/// # Errors
/// If the bytes are no such file. They may come from anywhere.
pub(crate) fn layout(arch: Arch, elf: &[u8], file: &str) -> Result<Layout, DwarfError> {
    let file = || file.to_owned();
    from_elf(arch, elf, &format!("DWARF {}", file())).map_err(|flaw| match flaw {
        Flaw::Elf(error) => DwarfError::Elf { file: file(), error },
        Flaw::Dwarf(error) => DwarfError::Dwarf { file: file(), error },
        Flaw::Lacks(what) => DwarfError::Lacks { file: file(), what },
    })
}

fn from_elf(arch: Arch, elf: &[u8], label: &str) -> Result<Layout, Flaw> {
    let elf = ElfBytes::<AnyEndian>::minimal_parse(elf).map_err(Flaw::Elf)?;
    let section = |id: gimli::SectionId| -> Result<Slice<'_>, gimli::Error> {
        let section = elf.section_header_by_name(id.name()).ok().flatten();
        let data = section.and_then(|section| elf.section_data(&section).ok());
        Ok(EndianSlice::new(data.map_or(&[][..], |(data, _compression)| data), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section)?;
    let mut headers = dwarf.units();
    let mut facts = Facts::default();
    while let Some(header) = headers.next()? {
        let abbreviations = dwarf.abbreviations(&header)?;
        facts.read_unit(&Source { dwarf: &dwarf, header, abbreviations })?;
    }
    let lacks = |what: &str| Flaw::Lacks(what.to_owned());
    let base = facts.mailbox.ok_or_else(|| lacks("where its mailbox is"))?;
    let mailbox = facts.mailbox_fields()?;
    let count = facts.circular_buffers.ok_or_else(|| lacks("how many circular buffers it has"))?;
    Ok(Layout {
        arch,
        label: label.to_owned().into(),
        mailbox,
        memory: memory(arch, base, mailbox, count),
        is_ring_certain: false,
    })
}

/// The memory map around a mailbox.
fn memory(arch: Arch, base: u64, mailbox: Mailbox, circular_buffers: u8) -> MemoryMap {
    let is_it =
        |row: &&Row| row.arch == arch && row.memory.mailbox == base && row.mailbox == mailbox;
    // Rows are ascending and those with one mailbox differ in the end of the map only: the lowest is in bounds for
    // all of them.
    match ROWS.iter().filter(is_it).min_by_key(|row| row.memory.ring_start) {
        Some(row) => MemoryMap { circular_buffers, ..row.memory },
        None => MemoryMap {
            mailbox: base,
            ring_start: base.saturating_add(mailbox.bytes.into()),
            l1_bytes: arch.l1_bytes_per_core(),
            circular_buffers,
            reserved: &[],
        },
    }
}

/// The mailbox fields in the debug information. Fields are named by their path, such as
/// `launch.kernel_config.enables`; those of arrays by that of their first element.
#[derive(Default)]
struct Facts {
    mailbox: Option<u64>,
    bytes: u64,
    circular_buffers: Option<u8>,
    fields: BTreeMap<String, Field>,
    members: usize,
}

/// An array or a structure or anything else that has bytes.
struct Kind {
    bytes: u64,
    /// Bytes of an element and their number, if it is an array.
    elements: Option<(u64, u64)>,
    /// The structure that it is, or is an array of.
    structure: Option<Offset>,
}

impl Facts {
    fn read_unit(&mut self, source: &Source<'_>) -> Result<(), Flaw> {
        let mut entries = source.header.entries(&source.abbreviations);
        while let Some(entry) = entries.next_dfs()? {
            if entry.tag() != gimli::DW_TAG_variable {
                continue;
            }
            let Some(name) = name(source, entry)? else { continue };
            let Some(of) = type_of(entry) else { continue };
            match name.as_str() {
                "mailboxes" => {
                    let value = entry.attr_value(gimli::DW_AT_const_value);
                    let value = value.and_then(|value| value.udata_value());
                    if let (Some(value), None) = (value, self.mailbox) {
                        self.read_mailbox(source, value, of)?;
                    }
                }
                "cb_interface" => {
                    let elements = kind(source, of, 0)?.elements;
                    let count = elements.and_then(|(_, count)| u8::try_from(count).ok());
                    self.circular_buffers =
                        count.filter(|count| *count <= 64).or(self.circular_buffers);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_mailbox(
        &mut self,
        source: &Source<'_>,
        value: u64,
        pointer: Offset,
    ) -> Result<(), Flaw> {
        let Some(target) = pointee(source, pointer, 0)? else { return Ok(()) };
        let target = kind(source, target, 0)?;
        let Some(structure) = target.structure else { return Ok(()) };
        self.mailbox = Some(value);
        self.bytes = target.bytes;
        self.read_members(source, structure, "", 0, 0)
    }

    fn read_members(
        &mut self,
        source: &Source<'_>,
        structure: Offset,
        path: &str,
        start: u64,
        depth: usize,
    ) -> Result<(), Flaw> {
        let mut tree = source.tree(structure)?;
        let mut children = tree.root()?.children();
        while let Some(child) = children.next()? {
            let entry = child.entry();
            if entry.tag() != gimli::DW_TAG_member {
                continue;
            }
            self.members += 1;
            if depth > MAX_DEPTH || self.members > MAX_MEMBERS {
                return Err(Flaw::Lacks("what its mailbox holds in plausible depth".to_owned()));
            }
            let Some(of) = type_of(entry) else { continue };
            let skip = entry.attr_value(gimli::DW_AT_data_member_location);
            let skip = skip.and_then(|value| value.udata_value()).unwrap_or(0);
            let offset = start.saturating_add(skip);
            let kind = kind(source, of, 0)?;
            // Members of anonymous unions and structures have the path of what holds them.
            let path = match (name(source, entry)?, path) {
                (Some(name), "") => name,
                (Some(name), path) => format!("{path}.{name}"),
                (None, path) => path.to_owned(),
            };
            let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let field = Field::new(narrow(offset), narrow(kind.bytes));
            self.fields.entry(path.clone()).or_insert(field);
            if let Some((bytes, _)) = kind.elements {
                self.fields.entry(format!("{path}[]")).or_insert(Field::new(0, narrow(bytes)));
            }
            if let Some(inner) = kind.structure {
                self.read_members(source, inner, &path, offset, depth + 1)?;
            }
        }
        Ok(())
    }

    /// A field of a structure at `from`.
    fn field(&self, path: &str, from: u32) -> Result<Field, Flaw> {
        let field = self.fields.get(path).filter(|field| field.end() <= self.limit());
        let offset = field.and_then(|field| field.offset.checked_sub(from));
        match (field, offset) {
            (Some(field), Some(offset)) => Ok(Field::new(offset, field.bytes)),
            _ => Err(Flaw::Lacks(format!("where {path} is"))),
        }
    }

    fn limit(&self) -> u32 {
        /// A mailbox has 12 to 14 kB; whatever claims more than this is something else.
        const MAX_MAILBOX_BYTES: u64 = 1 << 20;
        u32::try_from(self.bytes.min(MAX_MAILBOX_BYTES)).unwrap_or(0)
    }

    fn mailbox_fields(&self) -> Result<Mailbox, Flaw> {
        let launch = self.field("launch", 0)?;
        let slot = self.fields.get("launch[]").map(|field| field.bytes).filter(|bytes| *bytes > 0);
        let slot_bytes = slot.ok_or_else(|| Flaw::Lacks("how long a launch slot is".to_owned()))?;
        let plural = self.field("go_messages", 0);
        let info = |name: &str| self.field(&format!("core_info.{name}"), 0);
        Ok(Mailbox {
            bytes: self.limit(),
            read_pointer: self.field("launch_msg_rd_ptr", 0)?,
            launch,
            slot_bytes,
            config: self.config_fields(launch.offset)?,
            go_messages: plural.or_else(|_singular| self.field("go_message", 0))?,
            go_message_index: self.field("go_message_index", 0).ok(),
            core_info: CoreInfoFields {
                grid_x: info("worker_grid_size_x")?,
                grid_y: info("worker_grid_size_y")?,
                logical_x: info("absolute_logical_x")?,
                logical_y: info("absolute_logical_y")?,
                unreserved: info("l1_unreserved_start")?,
                magic: info("core_magic_number").ok(),
            },
        })
    }

    fn config_fields(&self, launch: u32) -> Result<KernelConfig, Flaw> {
        let field = |name: &str| self.field(&format!("launch.kernel_config.{name}"), launch);
        Ok(KernelConfig {
            base: field("kernel_config_base")?,
            local_cb_offset: field("local_cb_offset")?,
            remote_cb_offset: field("remote_cb_offset")?,
            mode: field("mode")?,
            text_offset: field("kernel_text_offset")?,
            text_size: field("kernel_text_size").ok(),
            local_cb_mask: field("local_cb_mask")?,
            min_remote_cb_index: field("min_remote_cb_start_index")?,
            host_assigned_id: field("host_assigned_id")?,
            enables: field("enables")?,
            kernel_ids: field("watcher_kernel_ids")?,
            preload: field("preload")?,
        })
    }
}

type Entry<'a> = gimli::DebuggingInformationEntry<Slice<'a>>;

fn name(source: &Source<'_>, entry: &Entry<'_>) -> Result<Option<String>, Flaw> {
    let Some(value) = entry.attr_value(gimli::DW_AT_name) else { return Ok(None) };
    let text = source.dwarf.attr_line_string(value)?;
    Ok(Some(text.to_string_lossy().into_owned()))
}

fn type_of(entry: &Entry<'_>) -> Option<Offset> {
    match entry.attr_value(gimli::DW_AT_type)? {
        gimli::AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}

fn byte_size(entry: &Entry<'_>) -> u64 {
    entry.attr_value(gimli::DW_AT_byte_size).and_then(|value| value.udata_value()).unwrap_or(0)
}

/// Returns the target of a pointer, behind qualifiers and names.
fn pointee(source: &Source<'_>, of: Offset, depth: usize) -> Result<Option<Offset>, Flaw> {
    let entry = source.entry(of)?;
    match (entry.tag(), type_of(&entry)) {
        (gimli::DW_TAG_pointer_type, target) => Ok(target),
        (_, Some(next)) if depth < MAX_DEPTH => pointee(source, next, depth + 1),
        _ => Ok(None),
    }
}

/// Returns the underlying type, behind qualifiers and names.
fn kind(source: &Source<'_>, of: Offset, depth: usize) -> Result<Kind, Flaw> {
    let entry = source.entry(of)?;
    let bytes = byte_size(&entry);
    let plain = |structure| Ok(Kind { bytes, elements: None, structure });
    match (entry.tag(), type_of(&entry)) {
        (gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type, _) => {
            plain(Some(of))
        }
        (
            gimli::DW_TAG_pointer_type | gimli::DW_TAG_base_type | gimli::DW_TAG_enumeration_type,
            _,
        ) => plain(None),
        (gimli::DW_TAG_array_type, Some(element)) if depth < MAX_DEPTH => {
            let Kind { bytes, structure, .. } = kind(source, element, depth + 1)?;
            let count = element_count(source, of)?;
            let total = bytes.saturating_mul(count);
            Ok(Kind { bytes: total, elements: Some((bytes, count)), structure })
        }
        (_, Some(next)) if depth < MAX_DEPTH => kind(source, next, depth + 1),
        _ => plain(None),
    }
}

fn element_count(source: &Source<'_>, array: Offset) -> Result<u64, Flaw> {
    let mut tree = source.tree(array)?;
    let mut children = tree.root()?.children();
    let mut count = 1_u64;
    while let Some(child) = children.next()? {
        let entry = child.entry();
        if entry.tag() != gimli::DW_TAG_subrange_type {
            continue;
        }
        let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
        let upper = number(gimli::DW_AT_upper_bound).map(|bound| bound.saturating_add(1));
        // An array without bounds has no elements.
        let elements = number(gimli::DW_AT_count).or(upper).unwrap_or(0);
        count = count.saturating_mul(elements);
    }
    Ok(count)
}
