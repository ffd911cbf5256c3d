//! Any bytes in the mailbox and the kernel config ring of a core, by any layout of the table:
//! `cargo +nightly fuzz run mailbox`.
//!
//! The first byte chooses the layout, the next two say how much of the rest is the mailbox; what remains is the
//! start of the ring.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_sources::l1::layout::{Row, WORKER_MAGIC};
use ttmem_sources::l1::{Layout, ROWS, Reader};
use ttmem_sources::port::PortChip;
use ttmem_sources::port::image::ImagePort;
use ttmem_model::l1::{Buffers, ByteRange, Coordinate, Core, CoreState, L1Map};

fuzz_target!(|data: &[u8]| {
    let [row, low, high, bytes @ ..] = data else { return };
    let Some(row) = ROWS.get(usize::from(*row) % ROWS.len()) else { return };
    let mailbox = usize::from(u16::from_le_bytes([*low, *high])).min(bytes.len());
    let (mailbox, ring) = bytes.split_at(mailbox);
    let layout = Layout::of_row(row, "fuzz");
    let mut port = port(row, mailbox, ring);
    if let Ok(mut reader) = Reader::open(&mut port) {
        check_all(&mut reader, &mut port);
    }
    let mut reader = Reader::with_layout(&mut port, layout).expect("an image never breaks");
    check_all(&mut reader, &mut port);
});

/// A core with plausible `core_info`, so that most inputs get as far as the launch slots.
fn port(row: &Row, mailbox: &[u8], ring: &[u8]) -> ImagePort {
    let mut bytes = vec![0; usize::try_from(row.mailbox.bytes).expect("small")];
    let info = row.mailbox.core_info;
    let mut set = |offset: u32, value: &[u8]| {
        let start = usize::try_from(offset).expect("small");
        bytes[start..start + value.len()].copy_from_slice(value);
    };
    set(info.grid_x.offset, &[8]);
    set(info.grid_y.offset, &[9]);
    set(info.unreserved.offset, &u32::try_from(row.unreserved()).expect("small").to_le_bytes());
    if let Some(magic) = info.magic {
        set(magic.offset, &WORKER_MAGIC.to_le_bytes());
    }
    let end = mailbox.len().min(bytes.len());
    bytes[..end].copy_from_slice(&mailbox[..end]);
    let core = Coordinate { x: 1, y: 1 };
    let chip = PortChip {
        name: "fuzz".to_owned(),
        arch: row.arch,
        noc_translation: true,
        harvesting: 0,
        l1_bytes: row.memory.l1_bytes,
        cores: vec![core],
    };
    let parts = vec![(row.memory.mailbox, bytes), (row.memory.ring_start, ring.to_vec())];
    ImagePort::from_parts(&chip, &[(core, parts)]).expect("the parts do not overlap")
}

fn check_all(reader: &mut Reader, port: &mut ImagePort) {
    let (cores, _) = reader.sample(port).expect("an image never breaks");
    for core in &cores {
        check(reader, core);
    }
}

fn check(reader: &Reader, core: &Core) {
    let l1_bytes = reader.geometry().l1_bytes;
    let buffers = Buffers { l1_small_bytes: 32_768, buffers: Vec::new() };
    let map = L1Map::new(core, &reader.geometry(), Some(&buffers));
    let end = map.regions().iter().fold(0, |next, region| {
        assert_eq!(region.range.start, next, "regions overlap or leave a hole");
        region.range.end
    });
    assert_eq!(end, l1_bytes);
    assert_eq!(core.state == CoreState::Torn, core.detail.is_some());
    if let (Some(program), Some(unreserved)) = (&core.program, core.unreserved) {
        let free = ByteRange::new(unreserved, l1_bytes);
        assert!(program.circular_buffers.iter().all(|buffer| free.contains(buffer.range())));
    }
}
