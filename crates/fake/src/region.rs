//! The shared memory region that TT-Metal writes for each chip, as an image of bytes.
//!
//! This writer shares no code with the reader: the offsets are written down a second time on purpose, so that a slip in
//! either shows in a test.

use ttmem_model::facts::RegionBytes;

use super::NOW;

const CHIP_ROWS_OFFSET: usize = 88;
const CHIP_ROW_BYTES: usize = 48;
const CHIP_ROWS: usize = 16;
const SLOTS_OFFSET: usize = 856;
const SLOT_BYTES: usize = 120;
const SLOTS: usize = 64;
const NAME_BYTES: usize = 64;
const INIT_STATE_OFFSET: usize = 8536;
/// The chip number of a row that no chip has.
const UNUSED_CHIP: u32 = u32::MAX;
/// The state of a finished version 4 region: the letters `REDY`.
const READY: u32 = 0x5245_4459;
/// A process of a fake host last allocated two seconds before [`NOW`].
const UPDATED_NS: u64 = (NOW.0 - 2_000_000) * 1000;

/// The slot of one process in a memory region.
#[derive(Clone, Debug)]
pub struct Slot {
    pid: i32,
    name: Vec<u8>,
    bytes: RegionBytes,
    updated_ns: u64,
}

impl Slot {
    /// Creates the slot of a process that last allocated two seconds before [`NOW`]. Names are cut at 64 bytes.
    #[must_use]
    pub fn new(pid: i32, name: impl AsRef<[u8]>, bytes: RegionBytes) -> Self {
        Self { pid, name: name.as_ref().to_vec(), bytes, updated_ns: UPDATED_NS }
    }

    /// Sets the time of the last allocation or free, in nanoseconds since 1970.
    #[must_use]
    pub fn updated_ns(mut self, updated_ns: u64) -> Self {
        self.updated_ns = updated_ns;
        self
    }
}

#[derive(Clone, Debug)]
struct ChipRow {
    chip_id: u32,
    is_remote: u32,
    bytes: RegionBytes,
}

/// A region under construction.
///
/// Defaults follow from the slots: totals are their sum, the one chip row is the chip itself with the totals, and the
/// counts are the slots that have a pid.
#[derive(Clone, Debug)]
pub struct Region {
    id: u64,
    version: u32,
    device_id: u32,
    updated_ns: Option<u64>,
    totals: Option<RegionBytes>,
    rows: Vec<ChipRow>,
    slots: Vec<Slot>,
    init_state: Option<u32>,
    patches: Vec<(usize, Vec<u8>)>,
    length: usize,
}

impl Region {
    /// Bytes of a whole region.
    pub(crate) const LENGTH: usize = 8576;

    /// Creates a version 3 region without a process. `id` is the chip's unique id, which is also in the file's name.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self {
            id,
            version: 3,
            device_id: 0,
            updated_ns: None,
            totals: None,
            rows: Vec::new(),
            slots: Vec::new(),
            init_state: None,
            patches: Vec::new(),
            length: Self::LENGTH,
        }
    }

    /// Returns the chip's unique id.
    #[must_use]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Sets the version of the layout. From 4 on the region is marked ready by default.
    #[must_use]
    pub(crate) fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Sets the chip's number in the process that wrote last [default: 0].
    #[must_use]
    pub fn device_id(mut self, device_id: u32) -> Self {
        self.device_id = device_id;
        self
    }

    /// Sets the time of the last allocation or free of any process, in nanoseconds since 1970 [default: the newest
    /// slot's].
    #[must_use]
    pub fn updated_ns(mut self, updated_ns: u64) -> Self {
        self.updated_ns = Some(updated_ns);
        self
    }

    /// Sets the totals, which may contradict the slots.
    #[must_use]
    pub(crate) fn totals(mut self, totals: RegionBytes) -> Self {
        self.totals = Some(totals);
        self
    }

    /// Adds the row of a chip with a PCIe function. A seventeenth row is dropped, as the real writer does.
    #[must_use]
    pub(crate) fn chip_row(self, chip_id: u32, bytes: RegionBytes) -> Self {
        self.row(ChipRow { chip_id, is_remote: 0, bytes })
    }

    /// Adds the row of a chip that is reached through this one.
    #[must_use]
    pub(crate) fn remote_chip_row(self, chip_id: u32, bytes: RegionBytes) -> Self {
        self.row(ChipRow { chip_id, is_remote: 1, bytes })
    }

    fn row(mut self, row: ChipRow) -> Self {
        self.rows.push(row);
        self
    }

    /// Adds the slot of a process that last allocated two seconds before [`NOW`]. A sixty-fifth is dropped.
    #[must_use]
    pub fn slot(self, pid: i32, name: impl AsRef<[u8]>, bytes: RegionBytes) -> Self {
        self.with_slot(Slot::new(pid, name, bytes))
    }

    /// Adds the slot of a process.
    #[must_use]
    pub fn with_slot(mut self, slot: Slot) -> Self {
        self.slots.push(slot);
        self
    }

    /// Sets the state of a version 4 region: 0 untouched, 1 being set up [default: ready].
    #[must_use]
    pub(crate) fn init_state(mut self, state: u32) -> Self {
        self.init_state = Some(state);
        self
    }

    /// Overwrites bytes of the finished image; bytes past its end are dropped.
    #[must_use]
    pub(crate) fn patch(mut self, offset: usize, bytes: impl Into<Vec<u8>>) -> Self {
        self.patches.push((offset, bytes.into()));
        self
    }

    /// Truncates the image to `length` bytes, or pads it with zeros.
    #[must_use]
    pub(crate) fn truncate(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// Returns the bytes of the file.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut image = vec![0; Self::LENGTH];
        self.write_header(&mut image);
        self.write_rows(&mut image);
        for (index, slot) in self.slots.iter().take(SLOTS).enumerate() {
            write_slot(&mut image, SLOTS_OFFSET + index * SLOT_BYTES, slot);
        }
        if self.version >= 4 {
            let state = self.init_state.unwrap_or(READY);
            put(&mut image, INIT_STATE_OFFSET, &state.to_le_bytes());
        }
        image.resize(self.length, 0);
        for (offset, bytes) in &self.patches {
            put(&mut image, *offset, bytes);
        }
        image
    }

    fn write_header(&self, image: &mut [u8]) {
        let processes =
            self.slots.iter().take(SLOTS).map(|slot| u32::from(slot.pid > 0)).sum::<u32>();
        let newest = self.slots.iter().map(|slot| slot.updated_ns).max().unwrap_or(UPDATED_NS);
        put(image, 0, &self.version.to_le_bytes());
        put(image, 4, &processes.to_le_bytes());
        put(image, 8, &self.updated_ns.unwrap_or(newest).to_le_bytes());
        put(image, 16, &processes.to_le_bytes());
        put(image, 32, &self.id.to_le_bytes());
        put(image, 40, &self.device_id.to_le_bytes());
        put_bytes_by_kind(image, 48, self.sums());
    }

    fn write_rows(&self, image: &mut [u8]) {
        let own = [ChipRow { chip_id: self.device_id, is_remote: 0, bytes: self.sums() }];
        let rows = if self.rows.is_empty() { &own[..] } else { &self.rows[..] };
        let unused = ChipRow { chip_id: UNUSED_CHIP, is_remote: 0, bytes: RegionBytes::default() };
        let rows = rows.iter().chain(std::iter::repeat(&unused));
        for (index, row) in rows.take(CHIP_ROWS).enumerate() {
            let offset = CHIP_ROWS_OFFSET + index * CHIP_ROW_BYTES;
            put(image, offset, &row.chip_id.to_le_bytes());
            put(image, offset + 4, &row.is_remote.to_le_bytes());
            put_bytes_by_kind(image, offset + 8, row.bytes);
        }
    }

    fn sums(&self) -> RegionBytes {
        self.totals.unwrap_or_else(|| {
            self.slots.iter().fold(RegionBytes::default(), |sum, slot| add(sum, slot.bytes))
        })
    }
}

/// Adds two sets of bytes. Sums wrap, as the counters of the real writer do.
pub(super) fn add(left: RegionBytes, right: RegionBytes) -> RegionBytes {
    RegionBytes {
        dram: left.dram.wrapping_add(right.dram),
        l1: left.l1.wrapping_add(right.l1),
        l1_small: left.l1_small.wrapping_add(right.l1_small),
        trace: left.trace.wrapping_add(right.trace),
        circular_buffers: left.circular_buffers.wrapping_add(right.circular_buffers),
    }
}

fn write_slot(image: &mut [u8], offset: usize, slot: &Slot) {
    put(image, offset, &slot.pid.to_le_bytes());
    put_bytes_by_kind(image, offset + 8, slot.bytes);
    put(image, offset + 48, &slot.updated_ns.to_le_bytes());
    put(image, offset + 56, &slot.name[..slot.name.len().min(NAME_BYTES)]);
}

fn put_bytes_by_kind(image: &mut [u8], offset: usize, bytes: RegionBytes) {
    let RegionBytes { dram, l1, l1_small, trace, circular_buffers } = bytes;
    for (index, number) in [dram, l1, l1_small, trace, circular_buffers].into_iter().enumerate() {
        put(image, offset + 8 * index, &number.to_le_bytes());
    }
}

fn put(image: &mut [u8], offset: usize, bytes: &[u8]) {
    let target = image.get_mut(offset..).unwrap_or_default();
    for (to, from) in target.iter_mut().zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dram_and_l1(bytes: u64) -> RegionBytes {
        RegionBytes { dram: bytes, l1: bytes, ..RegionBytes::default() }
    }

    fn captured(path: &str) -> Vec<u8> {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/shm/");
        std::fs::read(format!("{fixtures}{path}")).unwrap()
    }

    #[test]
    fn two_processes_are_rebuilt_to_the_byte() {
        let region = Region::new(0)
            .updated_ns(1_795_398_007_680_767_131)
            .with_slot(
                Slot::new(27497, "python", dram_and_l1(2 << 20))
                    .updated_ns(1_795_398_007_678_159_016),
            )
            .with_slot(
                Slot::new(27496, "python", dram_and_l1(4 << 20))
                    .updated_ns(1_795_398_007_680_767_232),
            );
        assert_eq!(region.image(), captured("two_processes/tt_device_0_memory"));
    }

    #[test]
    fn a_region_with_stale_slots_is_rebuilt_to_the_byte() {
        let region = Region::new(0)
            .updated_ns(1_795_398_007_680_767_131)
            .chip_row(0, dram_and_l1(6 << 20))
            .with_slot(
                Slot::new(27497, "python", dram_and_l1(2 << 20))
                    .updated_ns(1_795_398_007_678_159_016),
            )
            .with_slot(
                Slot::new(0, "python", RegionBytes::default())
                    .updated_ns(1_795_398_007_680_767_232),
            );
        assert_eq!(region.image(), captured("stale/tt_device_0_memory"));
    }

    #[test]
    fn the_chips_of_a_t3000_are_rebuilt_to_the_byte() {
        let chips = [
            (0x2_6190_302b, 0, 191_711, 191_741),
            (0x2_6190_3099, 1, 192_933, 192_973),
            (0x2_6190_30a7, 2, 191_942, 191_982),
            (0x2_6190_30aa, 3, 193_134, 193_164),
            (0x3_6190_302b, 4, 191_321, 191_391),
            (0x3_6190_3099, 5, 192_583, 192_743),
            (0x3_6190_30a7, 6, 192_272, 192_312),
            (0x3_6190_30aa, 7, 193_334, 193_364),
        ];
        let second_ns = 1_795_397_999_835_000_000;
        for (id, device_id, header_ns, slot_ns) in chips {
            let slot = Slot::new(27462, "python", dram_and_l1(4 << 20));
            let region = Region::new(id)
                .device_id(device_id)
                .updated_ns(second_ns + header_ns)
                .with_slot(slot.updated_ns(second_ns + slot_ns));
            assert_eq!(region.image(), captured(&format!("t3k/tt_device_{id}_memory")), "{id:x}");
        }
    }

    #[test]
    fn only_version_4_says_that_it_is_ready() {
        let state = |region: Region| region.image()[INIT_STATE_OFFSET..][..4].to_vec();
        assert_eq!(state(Region::new(1)), [0; 4]);
        assert_eq!(state(Region::new(1).version(4)), b"YDER");
        assert_eq!(state(Region::new(1).version(4).init_state(1)), [1, 0, 0, 0]);
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let mut region = Region::new(1).truncate(10).patch(9, [1, 2, 3]);
        assert_eq!(region.image().len(), 10);
        assert_eq!(region.image()[9], 1);
        for pid in 1..=70 {
            region = region.slot(pid, "python", dram_and_l1(1)).chip_row(7, dram_and_l1(1));
        }
        let image = region.truncate(Region::LENGTH).image();
        assert_eq!(image[4], 64);
        assert_eq!(image[SLOTS_OFFSET + 63 * SLOT_BYTES], 64);
        assert_eq!(image[INIT_STATE_OFFSET..], [0; 40]);
    }
}
