//! The launch slots of a mailbox, and which of them tells the content of the core's L1.

use ttmem_model::l1::ByteRange;

use super::fault::Fault;
use super::field;
use super::layout::{Field, KernelConfig, Layout};

/// `RUN_MSG_GO` of `dev_msgs.h` (0.60 to 0.81): the program of the slot at the read pointer is to run.
pub(super) const GO: u8 = 0x80;

/// The bytes from the read pointer over the launch slots to the go messages, as far as they were read.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    layout: &'a Layout,
    bytes: Vec<u8>,
}

/// The state that the firmware reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The slot at the read pointer.
    pub(super) slot: usize,
    /// The signal of the go message.
    pub(super) signal: u8,
}

/// One launch slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    bytes: &'a [u8],
    pub(super) fields: &'a KernelConfig,
}

impl<'a> Block<'a> {
    /// A block of which nothing was read.
    pub(super) fn new(layout: &'a Layout) -> Self {
        let bytes = usize::try_from(layout.launch_range().bytes()).unwrap_or(0);
        Self { layout, bytes: vec![0; bytes] }
    }

    /// All bytes of the block; 0 where nothing was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of a part of L1 inside the block.
    pub(super) fn part(&self, range: ByteRange) -> Option<&[u8]> {
        self.bytes.get(self.indices(range)?)
    }

    /// Returns the bytes for writing.
    pub(super) fn part_mut(&mut self, range: ByteRange) -> Option<&mut [u8]> {
        let indices = self.indices(range)?;
        self.bytes.get_mut(indices)
    }

    fn indices(&self, range: ByteRange) -> Option<std::ops::Range<usize>> {
        let start = self.layout.launch_range().start;
        let index = |address: u64| usize::try_from(address.checked_sub(start)?).ok();
        Some(index(range.start)?..index(range.end)?)
    }

    /// Returns the range of the read pointer.
    pub(super) fn pointer_range(&self) -> ByteRange {
        self.layout.field_range(self.layout.mailbox.read_pointer)
    }

    /// Returns the range of the go messages and their index: neighbours in every release.
    pub(super) fn go_range(&self) -> ByteRange {
        let mailbox = &self.layout.mailbox;
        let messages = self.layout.field_range(mailbox.go_messages);
        let index =
            mailbox.go_message_index.map_or(messages, |field| self.layout.field_range(field));
        ByteRange::new(messages.start.min(index.start), messages.end.max(index.end))
    }

    /// Returns the range of a slot.
    pub(super) fn slot_range(&self, slot: usize) -> ByteRange {
        self.within_slot(slot, Field::new(0, self.layout.mailbox.slot_bytes))
    }

    /// Returns the range of a slot's fields that show whether it holds a program and how new the program is.
    pub(super) fn slot_summary_range(&self, slot: usize) -> ByteRange {
        let KernelConfig { local_cb_mask, host_assigned_id, enables, kernel_ids, .. } =
            self.layout.mailbox.config;
        self.within_slot(slot, hull([local_cb_mask, host_assigned_id, enables, kernel_ids]))
    }

    /// Returns the range of a slot's fields that change when another program takes the slot or its own ends.
    pub(super) fn slot_identity_range(&self, slot: usize) -> ByteRange {
        let KernelConfig { host_assigned_id, enables, .. } = self.layout.mailbox.config;
        self.within_slot(slot, hull([host_assigned_id, enables]))
    }

    fn within_slot(&self, slot: usize, field: Field) -> ByteRange {
        let launch = self.layout.field_range(self.layout.mailbox.launch);
        let slot = u64::try_from(slot).unwrap_or(u64::MAX);
        let skip = slot.saturating_mul(self.layout.mailbox.slot_bytes.into());
        let start = launch.start.saturating_add(skip);
        ByteRange::new(
            start.saturating_add(field.offset.into()),
            start.saturating_add(field.end().into()),
        )
    }

    /// Returns the number of slots: 8 in every release.
    pub(super) fn slots(&self) -> usize {
        let mailbox = &self.layout.mailbox;
        let slots = mailbox.launch.bytes.checked_div(mailbox.slot_bytes).unwrap_or(0);
        usize::try_from(slots).unwrap_or(0)
    }

    /// A slot, read or not.
    pub(super) fn slot(&self, slot: usize) -> Result<Slot<'_>, Fault> {
        let bytes = self.part(self.slot_range(slot)).ok_or(Fault::CutOff)?;
        Ok(Slot { bytes, fields: &self.layout.mailbox.config })
    }

    /// The read pointer and the signal.
    pub(super) fn head(&self) -> Result<Head, Fault> {
        let mailbox = &self.layout.mailbox;
        let number = |field: Field| {
            let bytes = self.part(self.layout.field_range(field)).ok_or(Fault::CutOff)?;
            field::number(bytes, Field::new(0, field.bytes)).ok_or(Fault::CutOff)
        };
        let pointer = number(mailbox.read_pointer)?;
        let slot = usize::try_from(pointer).ok().filter(|slot| *slot < self.slots());
        let slot = slot.ok_or(Fault::ReadPointer(pointer))?;
        // One go message per sub-device, of which the index names the one that the firmware watches.
        let index = mailbox.go_message_index.map_or(Ok(0), number)?;
        let messages = self.part(self.layout.field_range(mailbox.go_messages));
        let element = usize::try_from(index).ok().ok_or(Fault::GoMessage(index))?;
        let array = Field::new(0, mailbox.go_messages.bytes);
        let message = field::element(messages.ok_or(Fault::CutOff)?, array, element, 4);
        let message = message.ok_or(Fault::GoMessage(index))?;
        let [.., signal] = u32::try_from(message).unwrap_or(0).to_le_bytes();
        Ok(Head { slot, signal })
    }

    /// True if the slot at the read pointer is running.
    pub(super) fn is_running(&self, head: Head) -> Result<bool, Fault> {
        Ok(head.signal == GO
            && self.slot(head.slot)?.number(self.layout.mailbox.config.enables)? != 0)
    }

    /// The slot whose program is the newest, by the host's number for it.
    ///
    /// The slot before the read pointer will not do: every core gets every go signal and moves on, with or without
    /// a program, and on some cores the pointer runs ahead of slots that are armed and have not run. Numbers wrap
    /// at 2^32, so that the newer of two is the one at most half of the way ahead. Programs that do not come from
    /// ttnn may all have number 0, and a trace repeats its numbers: among equals the slot wins that the read
    /// pointer points at, if it is armed, else the one that it passed last.
    pub(super) fn newest(&self, head: Head) -> Result<Option<usize>, Fault> {
        let count = self.slots();
        let armed = self.slot(head.slot)?.number(self.layout.mailbox.config.enables)? != 0;
        let first = if armed { head.slot } else { head.slot + count - 1 };
        let mut best: Option<(usize, u32)> = None;
        for step in 0..count {
            let index = (first + count - step) % count;
            let slot = self.slot(index)?;
            if !slot.holds_program()? {
                continue;
            }
            let id = slot.host_id()?;
            let newer = |than: u32| (1..1 << 31).contains(&id.wrapping_sub(than));
            if best.is_none_or(|(_, than)| newer(than)) {
                best = Some((index, id));
            }
        }
        Ok(best.map(|(index, _)| index))
    }
}

impl Slot<'_> {
    /// The number in a field.
    pub(super) fn number(&self, field: Field) -> Result<u64, Fault> {
        field::number(self.bytes, field).ok_or(Fault::CutOff)
    }

    /// Element `index` of an array of numbers with `bytes` bytes each.
    pub(super) fn element(&self, array: Field, index: usize, bytes: u32) -> Result<u64, Fault> {
        field::element(self.bytes, array, index, bytes).ok_or(Fault::CutOff)
    }

    /// The number that the host gave the program.
    pub(super) fn host_id(&self) -> Result<u32, Fault> {
        let id = self.number(self.fields.host_assigned_id)?;
        u32::try_from(id).ok().ok_or(Fault::CutOff)
    }

    /// True if any program was ever written here. The firmware clears `enables` when a program of fast dispatch is
    /// over and leaves the rest; an untouched slot has nothing but its mode.
    fn holds_program(&self) -> Result<bool, Fault> {
        let KernelConfig { enables, local_cb_mask, kernel_ids, .. } = *self.fields;
        if self.number(enables)? != 0 || self.number(local_cb_mask)? != 0 {
            return Ok(true);
        }
        for index in 0..kernel_ids.bytes / 2 {
            if self.element(kernel_ids, usize::try_from(index).unwrap_or(usize::MAX), 2)? != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn hull<const N: usize>(fields: [Field; N]) -> Field {
    let start = fields.iter().map(|field| field.offset).min().unwrap_or(0);
    let end = fields.iter().map(|field| field.end()).max().unwrap_or(start);
    Field::new(start, end.saturating_sub(start))
}
