//! The programs that a thread hands to a command queue.

use std::cell::Cell;

/// The programs that a thread hands to a command queue, and what they place meanwhile. Zero is none.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Handover {
    /// True while a workload is being enqueued.
    pub(crate) is_enqueueing: Cell<bool>,
    /// True if a buffer of the workload was placed already.
    pub(crate) has_placed: Cell<bool>,
    /// True while the workload's dataflow buffers are being placed.
    pub(crate) is_dataflow: Cell<bool>,
    /// Device that the dataflow buffers are for.
    pub(crate) device: Cell<u64>,
    /// The program whose buffers are being placed; 0 for none.
    pub(crate) placing: Cell<u64>,
    /// Loads of kernel binaries that are not counted yet.
    pub(crate) loads: Cell<u64>,
    /// Announcements that are not counted yet.
    pub(crate) new_announced: Cell<u64>,
    /// End in the kernel configuration ring of the program whose offsets are being computed (low 32 bits), and its core
    /// type (high 32 bits).
    pub(crate) config: Cell<u64>,
    /// Programs that were compiled or checked since the workload came.
    pub(crate) compiled: List,
    /// Program objects that an op announced.
    pub(crate) announced: List,
}

impl Handover {
    #[cfg(any(test, not(target_arch = "x86_64")))]
    pub(crate) const fn new() -> Self {
        Self {
            is_enqueueing: Cell::new(false),
            has_placed: Cell::new(false),
            is_dataflow: Cell::new(false),
            device: Cell::new(0),
            placing: Cell::new(0),
            loads: Cell::new(0),
            new_announced: Cell::new(0),
            config: Cell::new(0),
            compiled: List::new(),
            announced: List::new(),
        }
    }

    /// Begins a workload that is enqueued on this thread.
    #[inline]
    pub(crate) fn begin(&self) {
        self.is_enqueueing.set(true);
        self.compiled.clear();
    }

    /// Ends the workload: it is enqueued, or refused.
    #[inline]
    pub(crate) fn end(&self) {
        self.is_enqueueing.set(false);
        self.announced.clear();
        self.compiled.clear();
    }
}

/// Programs in a list.
const LISTED: usize = 40;

/// A short list of addresses.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct List {
    added: Cell<usize>,
    items: [Cell<u64>; LISTED],
}

impl List {
    #[cfg(any(test, not(target_arch = "x86_64")))]
    const fn new() -> Self {
        Self { added: Cell::new(0), items: [const { Cell::new(0) }; LISTED] }
    }

    /// Adds one, unless it is there. Where there is no room, the oldest goes: an op may announce programs that it does not
    /// enqueue.
    #[inline]
    pub(crate) fn add(&self, item: u64) {
        if self.iter().all(|held| held != item) {
            let added = self.added.get();
            self.items[added % LISTED].set(item);
            self.added.set(added + 1);
        }
    }

    /// Returns the items.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.items[..self.len()].iter().map(Cell::get)
    }

    /// Empties the list.
    #[inline]
    pub(crate) fn clear(&self) {
        self.added.set(0);
    }

    /// Number of items.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.added.get().min(LISTED)
    }
}
