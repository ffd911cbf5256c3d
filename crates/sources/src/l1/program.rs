//! The program of a launch slot: its kernels, and the records of its circular buffers in the kernel config ring.

use ttmem_model::l1::{ByteRange, CircularBuffer, Dispatch, Kernel, Processor};

use super::fault::Fault;
use super::field;
use super::launch::Slot;
use super::layout::{CoreInfo, Field, Layout};

/// Bytes of the record of a local circular buffer: address, size, pages, page size, each u32
/// (`UINT32_WORDS_PER_LOCAL_CIRCULAR_BUFFER_CONFIG`).
const LOCAL_RECORD_BYTES: u64 = 16;

/// Bytes of the record of a remote circular buffer: address of its configuration page, page size
/// (`UINT32_WORDS_PER_REMOTE_CIRCULAR_BUFFER_CONFIG`).
const REMOTE_RECORD_BYTES: u64 = 8;

/// Bytes of a remote circular buffer's configuration page that are read: is_sender, num_receivers, fifo address,
/// fifo size, each u32 (`setup_remote_cb_interfaces` in `circular_buffer_init.h`, 0.81.1).
pub(super) const REMOTE_PAGE_BYTES: usize = 16;

/// Alignment of kernel text in the ring: that of L1 (`hal.get_alignment(HalMemType::L1)`, 0.60 to 0.81.1, both
/// architectures).
const TEXT_ALIGNMENT: u64 = 16;

/// `DISPATCH_MODE_HOST` of `dev_msgs.h`.
const MODE_HOST: u64 = 1;

/// Ranges of a core's L1 that a program's parts must be in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The kernel config ring. No program's part of it wraps: the host moves on to the start instead.
    pub(super) ring: ByteRange,
    /// Part of L1 for circular buffers.
    pub(super) buffers: ByteRange,
    /// `NUM_CIRCULAR_BUFFERS`.
    pub(super) circular_buffers: u8,
}

/// Records of circular buffers that a slot names, and their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Records {
    /// Address that the record of local buffer 0 would have.
    local_start: u64,
    /// The local buffers, one bit each.
    mask: u64,
    /// The record of the last remote buffer comes first.
    remote_start: u64,
    /// The first remote buffer; as many as the chip has if there is none.
    first_remote: u8,
    /// The number of the chip's circular buffers.
    count: u8,
}

/// A record of a remote circular buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) id: u8,
    /// Address of the configuration page.
    pub(super) config_address: u64,
    page_size: u64,
}

impl Bounds {
    pub(super) fn new(layout: &Layout, info: &CoreInfo) -> Self {
        Self {
            ring: ByteRange::new(layout.memory.ring_start, info.unreserved),
            buffers: ByteRange::new(info.unreserved, layout.memory.l1_bytes),
            circular_buffers: layout.memory.circular_buffers,
        }
    }
}

/// Returns the side that started the program of a slot.
pub(super) fn dispatch(slot: &Slot<'_>) -> Result<Dispatch, Fault> {
    match slot.number(slot.fields.mode)? {
        MODE_HOST => Ok(Dispatch::Slow),
        _ => Ok(Dispatch::Fast),
    }
}

/// Returns the first address of the program's part of the ring.
pub(super) fn config_start(slot: &Slot<'_>, bounds: &Bounds) -> Result<u64, Fault> {
    let base = slot.element(slot.fields.base, 0, 4)?;
    let Bounds { ring, .. } = *bounds;
    if base < ring.start || base > ring.end {
        return Err(Fault::ConfigBase { base, ring });
    }
    Ok(base)
}

/// The kernels of a slot, in the order of the processors.
pub(super) fn kernels(slot: &Slot<'_>, bounds: &Bounds) -> Result<Vec<Kernel>, Fault> {
    let base = config_start(slot, bounds)?;
    let mut kernels = Vec::with_capacity(Processor::ALL.len());
    for (index, processor) in Processor::ALL.into_iter().enumerate() {
        let class = class_of(slot, index);
        let id = slot.element(slot.fields.kernel_ids, class, 2)?;
        let id = u16::try_from(id).ok().ok_or(Fault::CutOff)?;
        let text_bytes =
            slot.fields.text_size.map(|sizes| slot.element(sizes, index, 4)).transpose()?;
        if !is_enabled(slot, class, id, text_bytes)? {
            continue;
        }
        let offset = slot.element(slot.fields.text_offset, index, 4)?;
        let text_start = text_start(base, offset)?;
        kernels.push(Kernel { processor, id, text_start, text_bytes });
    }
    if slot.fields.text_size.is_none() {
        infer_text_bytes(&mut kernels);
    }
    for kernel in &kernels {
        let end = kernel.text_start + kernel.text_bytes.unwrap_or(0);
        let text = ByteRange::new(kernel.text_start, end);
        let is_aligned = kernel.text_start.is_multiple_of(TEXT_ALIGNMENT);
        // A processor without text may have any offset.
        if kernel.text_bytes != Some(0) && !(is_aligned && bounds.ring.contains(text)) {
            return Err(Fault::KernelText { processor: kernel.processor, text });
        }
    }
    Ok(kernels)
}

/// The address of a kernel's text. The firmware adds in 32 bits (`kernel_config_base + kernel_text_offset`): a trace places
/// text below the configuration, so the offset of such a program is negative modulo 2^32.
fn text_start(base: u64, offset: u64) -> Result<u64, Fault> {
    let word = |number: u64| u32::try_from(number).ok().ok_or(Fault::CutOff);
    Ok(word(base)?.wrapping_add(word(offset)?).into())
}

/// The bit of `enables` and the element of `watcher_kernel_ids` that a processor has. Before 0.64 there are three:
/// brisc, ncrisc, and one for the three triscs together (`dispatch_core_processor_classes` of `dev_msgs.h`).
fn class_of(slot: &Slot<'_>, processor: usize) -> usize {
    let classes = usize::try_from(slot.fields.kernel_ids.bytes / 2).unwrap_or(1);
    processor.min(classes.saturating_sub(1))
}

/// True if a processor has a kernel of the program. The firmware clears `enables` when a program of fast dispatch
/// is over; which processors it had is then said by the sizes of their text, or their ids where there are no sizes.
fn is_enabled(
    slot: &Slot<'_>,
    class: usize,
    id: u16,
    text_bytes: Option<u64>,
) -> Result<bool, Fault> {
    let enables = slot.number(slot.fields.enables)?;
    if enables >> (slot.fields.kernel_ids.bytes / 2) != 0 {
        return Err(Fault::Enables(enables));
    }
    Ok(match (enables, text_bytes) {
        (0, Some(bytes)) => bytes != 0,
        (0, None) => id != 0,
        (enables, _) => (enables >> class) & 1 != 0,
    })
}

/// Releases before 0.74 do not say how long text is: it ends where the next one starts, with at most 15 bytes of
/// padding. Where the last one ends is not known.
fn infer_text_bytes(kernels: &mut [Kernel]) {
    let mut starts: Vec<u64> = kernels.iter().map(|kernel| kernel.text_start).collect();
    starts.sort_unstable();
    for kernel in kernels {
        let next = starts.iter().find(|start| **start > kernel.text_start);
        kernel.text_bytes = next.map(|next| next - kernel.text_start);
    }
}

impl Records {
    /// The records that a slot names; `None` if it has no circular buffers.
    pub(super) fn of(slot: &Slot<'_>, bounds: &Bounds) -> Result<Option<Self>, Fault> {
        let base = config_start(slot, bounds)?;
        let count = bounds.circular_buffers;
        let mask = slot.number(slot.fields.local_cb_mask)?;
        let first_remote = slot.number(slot.fields.min_remote_cb_index)?;
        // The host places local numbers below remote ones, and none beyond what the firmware has.
        let fits = first_remote <= u64::from(count)
            && u32::try_from(first_remote)
                .is_ok_and(|first| first == 64 || mask.checked_shr(first) == Some(0));
        let (true, Ok(first_remote)) = (fits, u8::try_from(first_remote)) else {
            return Err(Fault::CircularBufferMask { mask, first_remote });
        };
        let records = Self {
            local_start: base + slot.number(slot.fields.local_cb_offset)?,
            mask,
            remote_start: base + slot.number(slot.fields.remote_cb_offset)?,
            first_remote,
            count,
        };
        let ranges = || records.local_range().into_iter().chain(records.remote_range());
        match ranges().find(|range| !bounds.ring.contains(*range)) {
            Some(outside) => Err(Fault::Records { records: outside }),
            None => Ok(ranges().next().map(|_| records)),
        }
    }

    /// Returns the range of the records of local buffers, from the first that exists to the last.
    pub(super) fn local_range(&self) -> Option<ByteRange> {
        let first = u64::from(self.mask.trailing_zeros());
        let end = u64::from(u64::BITS - self.mask.leading_zeros());
        let address = |index| self.local_start + LOCAL_RECORD_BYTES * index;
        (self.mask != 0).then(|| ByteRange::new(address(first), address(end)))
    }

    /// Returns the range of the records of remote buffers.
    pub(super) fn remote_range(&self) -> Option<ByteRange> {
        let remotes = u64::from(self.count.saturating_sub(self.first_remote));
        let end = self.remote_start + REMOTE_RECORD_BYTES * remotes;
        (remotes != 0).then(|| ByteRange::new(self.remote_start, end))
    }

    /// One past the last byte of any record.
    pub(super) fn end(&self) -> u64 {
        let ranges = self.local_range().into_iter().chain(self.remote_range());
        ranges.map(|range| range.end).max().unwrap_or(0)
    }

    /// The local buffers, from bytes that start at `start`.
    pub(super) fn local(
        &self,
        bytes: &[u8],
        start: u64,
        bounds: &Bounds,
    ) -> Result<Vec<CircularBuffer>, Fault> {
        let ids = (0..self.count).filter(|id| (self.mask >> id) & 1 != 0);
        ids.map(|id| {
            let address = self.local_start + LOCAL_RECORD_BYTES * u64::from(id);
            let [address, size, pages, page_size] = words(bytes, address, start)?;
            let buffer =
                CircularBuffer { id, address, size, pages, page_size, config_address: None };
            check_range(&buffer, bounds)?;
            if pages.checked_mul(page_size) != Some(size) {
                return Err(Fault::CircularBufferPages { id, size, pages, page_size });
            }
            Ok(buffer)
        })
        .collect()
    }

    /// The remote buffers, from bytes that start at `start`. Numbers without a configuration page are not used by
    /// this core.
    pub(super) fn remote(&self, bytes: &[u8], start: u64) -> Result<Vec<Remote>, Fault> {
        let mut remotes = Vec::new();
        for id in self.first_remote..self.count {
            let index = u64::from(self.count - 1 - id);
            let address = self.remote_start + REMOTE_RECORD_BYTES * index;
            let [config_address, page_size] = words(bytes, address, start)?;
            if config_address != 0 {
                remotes.push(Remote { id, config_address, page_size });
            }
        }
        Ok(remotes)
    }
}

impl Remote {
    /// Returns the range of the configuration page, as far as it is read.
    pub(super) fn page(&self, bounds: &Bounds) -> Result<ByteRange, Fault> {
        let Self { id, config_address, .. } = *self;
        let bytes = u64::try_from(REMOTE_PAGE_BYTES).unwrap_or(u64::MAX);
        ByteRange::from_start_and_bytes(config_address, bytes)
            .filter(|page| bounds.buffers.contains(*page) && config_address % 4 == 0)
            .ok_or(Fault::CircularBufferRange { id, address: config_address, size: bytes })
    }

    /// The buffer that a configuration page describes. Its size need not be a multiple of its page size: the
    /// firmware rounds down whenever the page size changes.
    pub(super) fn buffer(&self, page: &[u8], bounds: &Bounds) -> Result<CircularBuffer, Fault> {
        let Self { id, config_address, page_size } = *self;
        let [_, _, address, size] = words(page, 0, 0)?;
        let Some(pages) = size.checked_div(page_size) else {
            return Err(Fault::CircularBufferPages { id, size, pages: 0, page_size });
        };
        let config_address = Some(config_address);
        let buffer = CircularBuffer { id, address, size, pages, page_size, config_address };
        check_range(&buffer, bounds)?;
        Ok(buffer)
    }
}

fn check_range(buffer: &CircularBuffer, bounds: &Bounds) -> Result<(), Fault> {
    let CircularBuffer { id, address, size, .. } = *buffer;
    let range = ByteRange::from_start_and_bytes(address, size);
    match range.is_some_and(|range| bounds.buffers.contains(range)) {
        true => Ok(()),
        false => Err(Fault::CircularBufferRange { id, address, size }),
    }
}

/// `N` numbers of four bytes at an address, from bytes that start at `start`.
fn words<const N: usize>(bytes: &[u8], address: u64, start: u64) -> Result<[u64; N], Fault> {
    let offset = address.checked_sub(start).and_then(|offset| u32::try_from(offset).ok());
    let length = u32::try_from(N * 4).ok().ok_or(Fault::CutOff)?;
    let array = Field::new(offset.ok_or(Fault::CutOff)?, length);
    let mut words = [0; N];
    for (index, word) in words.iter_mut().enumerate() {
        *word = field::element(bytes, array, index, 4).ok_or(Fault::CutOff)?;
    }
    Ok(words)
}
