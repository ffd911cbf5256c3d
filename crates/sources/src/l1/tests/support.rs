//! Makes the L1 of cores as a release of TT-Metal would leave it, by any layout of the table.

use crate::l1::Layout;
use crate::l1::layout::{Field, WORKER_MAGIC};
use crate::port::PortChip;
use crate::port::image::ImagePort;
use ttmem_model::l1::{Coordinate, Grid};

/// The content of a launch slot. Fields that a release does not have are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) base: u64,
    pub(crate) local_cb_offset: u64,
    pub(crate) remote_cb_offset: u64,
    pub(crate) mode: u64,
    /// Offset and size of the text of each processor.
    pub(crate) text: [(u64, u64); 5],
    pub(crate) mask: u64,
    pub(crate) first_remote: u64,
    pub(crate) host_id: u64,
    pub(crate) enables: u64,
    pub(crate) ids: [u64; 5],
    pub(crate) preload: u64,
}

/// One core and all of its L1.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) layout: Layout,
    pub(crate) unreserved: u64,
    pub(crate) l1: Vec<u8>,
}

/// Returns the default first address for circular buffers.
pub(crate) fn default_unreserved(layout: &Layout) -> u64 {
    let row = crate::l1::ROWS.iter().find(|row| {
        (row.arch, row.mailbox, row.memory) == (layout.arch, layout.mailbox, layout.memory)
    });
    row.unwrap().unreserved()
}

impl Image {
    /// A core that has had no program.
    pub(crate) fn new(layout: &Layout, logical: Coordinate) -> Self {
        Self::with_unreserved(layout, logical, default_unreserved(layout))
    }

    /// Creates a core with a ring of another size.
    pub(crate) fn with_unreserved(layout: &Layout, logical: Coordinate, unreserved: u64) -> Self {
        let bytes = usize::try_from(layout.memory.l1_bytes).unwrap();
        let mut image = Self { layout: layout.clone(), unreserved, l1: vec![0; bytes] };
        let info = layout.mailbox.core_info;
        let grid = Grid { columns: 8, rows: 9 };
        image.set(info.grid_x, grid.columns.into());
        image.set(info.grid_y, grid.rows.into());
        image.set(info.logical_x, logical.x.into());
        image.set(info.logical_y, logical.y.into());
        image.set(info.unreserved, unreserved);
        if let Some(magic) = info.magic {
            image.set(magic, WORKER_MAGIC.into());
        }
        image
    }

    /// Writes a field of the mailbox.
    pub(crate) fn set(&mut self, field: Field, value: u64) {
        self.set_at(self.layout.memory.mailbox + u64::from(field.offset), field.bytes, value);
    }

    /// Writes a number of some bytes.
    pub(crate) fn set_at(&mut self, address: u64, bytes: u32, value: u64) {
        let start = usize::try_from(address).unwrap();
        let bytes = usize::try_from(bytes).unwrap().min(8);
        self.l1[start..start + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }

    /// Writes a launch slot.
    pub(crate) fn slot(&mut self, index: u32, slot: &Slot) {
        let mailbox = self.layout.mailbox;
        let config = mailbox.config;
        let start = mailbox.launch.offset + index * mailbox.slot_bytes;
        let mut set = |field: Field, element: u32, bytes: u32, value: u64| {
            let at = Field::new(start + field.offset + element * bytes, bytes);
            self.set(at, value);
        };
        set(config.base, 0, 4, slot.base);
        set(config.local_cb_offset, 0, 2, slot.local_cb_offset);
        set(config.remote_cb_offset, 0, 2, slot.remote_cb_offset);
        set(config.mode, 0, 1, slot.mode);
        set(config.local_cb_mask, 0, config.local_cb_mask.bytes, slot.mask);
        set(config.min_remote_cb_index, 0, 1, slot.first_remote);
        set(config.host_assigned_id, 0, 4, slot.host_id);
        set(config.enables, 0, config.enables.bytes, slot.enables);
        set(config.preload, 0, 1, slot.preload);
        for (index, (offset, size)) in (0..).zip(slot.text) {
            set(config.text_offset, index, 4, offset);
            if let Some(sizes) = config.text_size {
                set(sizes, index, 4, size);
            }
        }
        for (index, id) in (0..config.kernel_ids.bytes / 2).zip(slot.ids) {
            set(config.kernel_ids, index, 2, id);
        }
    }

    /// Points the firmware at a slot.
    pub(crate) fn read_pointer(&mut self, slot: u64) {
        self.set(self.layout.mailbox.read_pointer, slot);
    }

    /// Writes the signal of a go message and makes it the one that is watched.
    pub(crate) fn go(&mut self, index: u32, signal: u8) {
        let messages = self.layout.mailbox.go_messages;
        let at = Field::new(messages.offset + index * 4, 4);
        self.set(at, u64::from(u32::from_le_bytes([0, 0x13, 0x1A, signal])));
        if let Some(field) = self.layout.mailbox.go_message_index {
            self.set(field, index.into());
        }
    }

    /// Writes the record of a local circular buffer: address, size, pages, page size.
    pub(crate) fn local(&mut self, slot: &Slot, id: u64, record: [u64; 4]) {
        for (index, word) in (0..).zip(record) {
            self.set_at(slot.base + slot.local_cb_offset + 16 * id + 4 * index, 4, word);
        }
    }

    /// Writes the record of a remote circular buffer: its configuration page, page size.
    pub(crate) fn remote(&mut self, slot: &Slot, id: u64, record: [u64; 2]) {
        let last = u64::from(self.layout.memory.circular_buffers) - 1;
        for (index, word) in (0..).zip(record) {
            self.set_at(slot.base + slot.remote_cb_offset + 8 * (last - id) + 4 * index, 4, word);
        }
    }
}

/// A slot with five kernels of 268 bytes, ids 1, 2, 3, 3, 3, and circular buffers 0 and 2.
pub(crate) fn slot(layout: &Layout, host_id: u64) -> Slot {
    let classes = layout.mailbox.config.kernel_ids.bytes / 2;
    Slot {
        base: layout.memory.ring_start + 64,
        local_cb_offset: 128,
        remote_cb_offset: 176,
        mode: 0,
        text: [(192, 268), (464, 268), (736, 268), (1008, 268), (1280, 268)],
        mask: 0b101,
        first_remote: layout.memory.circular_buffers.into(),
        host_id,
        enables: (1 << classes) - 1,
        ids: [1, 2, 3, 3, 3],
        preload: 0,
    }
}

/// The records that go with [`slot`]: 4 KiB and 8 KiB from the first free byte.
pub(crate) fn records(image: &mut Image, slot: &Slot) {
    let start = image.unreserved;
    image.local(slot, 0, [start, 4096, 2, 2048]);
    image.local(slot, 2, [start + 4096, 8192, 4, 2048]);
}

/// A core with the program of [`slot`] in slot 0.
pub(crate) fn core_with_program(layout: &Layout, host_id: u64) -> (Image, Slot) {
    let mut image = Image::new(layout, Coordinate { x: 0, y: 0 });
    let slot = slot(layout, host_id);
    image.slot(0, &slot);
    records(&mut image, &slot);
    (image, slot)
}

/// A port to cores, at (1, 2), (2, 2) and so on.
pub(crate) fn port(images: &[Image]) -> ImagePort {
    let layout = &images[0].layout;
    let noc = |index: usize| Coordinate { x: u8::try_from(index).unwrap() + 1, y: 2 };
    let cores: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(index, image)| (noc(index), vec![(0, image.l1.clone())]))
        .collect();
    let chip = PortChip {
        name: "made".to_owned(),
        arch: layout.arch,
        noc_translation: true,
        harvesting: 0,
        l1_bytes: layout.memory.l1_bytes,
        cores: cores.iter().map(|(noc, _)| *noc).collect(),
    };
    ImagePort::from_parts(&chip, &cores).unwrap()
}
