//! The current work of each thread: the op, and the reason that TT-Metal allocates.
//!
//! A name comes from the first of these that exists:
//!
//! 1. the innermost allocation context of TT-Metal or label of the user;
//! 2. the op whose code called TT-Metal's graph tracker last, if its frame is still on the stack. Every op calls it when it
//!    begins. Whether its frame is still there is concluded from the stack pointer: that makes the name an inference.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use ttmem_segment::Origin;

use crate::ffi::with_thread_state;
use crate::handover::Handover;
use crate::process::{FUNCTIONS, Process, SITES, SiteSlot};
use crate::recorder::Allocated;
use crate::stacks::NewestOperation;

/// Contexts that a thread can be in at a time. Deeper ones count for the one above them.
const CONTEXTS: usize = 16;
/// Largest distance of a call site from the slot that its address hashes to.
const SITE_PROBES: usize = 16;

/// The current work of a thread. Zero is the state of a new one.
#[derive(Debug)]
pub(crate) struct ThreadState {
    /// True while the agent runs on this thread.
    pub(crate) busy: Cell<bool>,
    /// The reason that TT-Metal allocates now.
    pub(crate) origin: Cell<Origin>,
    /// The mesh whose sub-devices are being set up; 0 for none.
    pub(crate) sub_device_owner: Cell<u64>,
    /// Return address of the newest call of a hook.
    pub(crate) return_address: Cell<usize>,
    /// Block of the kind of this thread's newest buffer.
    pub(crate) block: Cell<u32>,
    contexts: [Cell<u16>; CONTEXTS],
    depth: Cell<usize>,
    op: Cell<Frame>,
    wrapper: Cell<Frame>,
    /// Thread id, and the process in which it was asked for.
    thread: Cell<(u32, u32)>,
    /// Bytes per bank of the traces that this thread has written to the device.
    pub(crate) trace_bytes: Cell<u64>,
    /// Programs that this thread hands over.
    pub(crate) handover: Handover,
    /// The newest allocation of this thread, until its tensor is made.
    pub(crate) allocated: Cell<Allocated>,
    newest: Newest,
    /// Process whose segment the indexes in `newest` are of.
    newest_of: Cell<u32>,
}

/// The newest of some things that this thread met, with their indexes in the segment: most calls meet them again.
#[derive(Debug)]
pub(crate) struct Newest {
    /// Op of Python.
    pub(crate) operation: Cell<NewestOperation>,
    /// Stack of Python.
    pub(crate) stack: Cell<Keyed>,
    /// Shape.
    pub(crate) shape: Cell<Keyed>,
}

/// An entry of a table of the segment. Packed, as the state of a thread is in scarce memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(4))]
pub(crate) struct Keyed {
    /// Key; 0 for none.
    pub(crate) key: u64,
    /// Index.
    pub(crate) index: u16,
}

impl Keyed {
    const NONE: Self = Self { key: 0, index: 0 };
}

impl Newest {
    #[cfg(any(test, not(target_arch = "x86_64")))]
    const fn new() -> Self {
        Self {
            operation: Cell::new(NewestOperation::NONE),
            stack: Cell::new(Keyed::NONE),
            shape: Cell::new(Keyed::NONE),
        }
    }
}

/// A function that is or was on the stack.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Name by its call site, or by Python once that is asked for.
    name: u16,
    /// Was Python asked for the name since the function was entered?
    is_named: bool,
    stack: usize,
}

impl Frame {
    const NONE: Self = Self { name: 0, is_named: true, stack: 0 };
}

impl ThreadState {
    /// The state of a thread that has not come here yet.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    pub(crate) const fn new() -> Self {
        Self {
            busy: Cell::new(false),
            origin: Cell::new(Origin::Plain),
            sub_device_owner: Cell::new(0),
            return_address: Cell::new(0),
            block: Cell::new(0),
            contexts: [const { Cell::new(0) }; CONTEXTS],
            depth: Cell::new(0),
            op: Cell::new(Frame::NONE),
            wrapper: Cell::new(Frame::NONE),
            thread: Cell::new((0, 0)),
            trace_bytes: Cell::new(0),
            handover: Handover::new(),
            allocated: Cell::new(Allocated::NONE),
            newest: Newest::new(),
            newest_of: Cell::new(0),
        }
    }

    /// Gives this thread's state to `use_it`.
    #[inline(always)]
    pub(crate) fn with<T>(use_it: impl FnOnce(&Self) -> T) -> T {
        with_thread_state(use_it)
    }

    /// Returns the thread's id; asks for it once per thread, and again in a forked child. Comes before
    /// [`ThreadState::name`].
    #[inline]
    pub(crate) fn thread(&self, process: &Process, ask: fn() -> u32) -> u32 {
        let pid = process.pid.load(Ordering::Relaxed);
        let (thread, asked_in) = self.thread.get();
        if thread != 0 && asked_in == pid {
            return thread;
        }
        if thread != 0 {
            self.forget_names();
        }
        let thread = ask();
        self.thread.set((thread, pid));
        thread
    }

    /// What this thread met last; nothing in a forked child at first.
    #[inline]
    pub(crate) fn newest(&self, process: &Process) -> &Newest {
        let pid = process.pid.load(Ordering::Relaxed);
        if self.newest_of.get() != pid {
            self.forget_newest(pid);
        }
        &self.newest
    }

    #[cold]
    fn forget_newest(&self, pid: u32) {
        self.newest_of.set(pid);
        self.newest.operation.set(NewestOperation::NONE);
        self.newest.stack.set(Keyed::NONE);
        self.newest.shape.set(Keyed::NONE);
    }

    /// Forgets what the contexts and ops around a fork are called: that is in the segment of the parent.
    #[cold]
    fn forget_names(&self) {
        for context in &self.contexts {
            context.set(0);
        }
        self.op.set(Frame::NONE);
        self.wrapper.set(Frame::NONE);
        self.allocated.set(Allocated::NONE);
    }

    /// The name of the current op, for a call from this stack address; 0 if it is not known. `ask` returns the name of the op that
    /// Python runs, 0 for none; it is called for an op that it was not asked for before.
    #[inline]
    pub(crate) fn name(&self, stack: usize, ask: impl Fn() -> u16) -> u16 {
        self.context().unwrap_or_else(|| self.entered(stack, ask))
    }

    /// The name of the op that allocates, for a call from this stack address. That is the op of Python now, which `ask` returns: the
    /// op that was entered last may have returned.
    #[inline]
    pub(crate) fn allocating_name(&self, stack: usize, ask: impl Fn() -> u16) -> u16 {
        self.context().unwrap_or_else(|| {
            let asked = ask();
            let entered = self.entered(stack, || asked);
            if asked == 0 { entered } else { asked }
        })
    }

    /// The name of the function that was entered last and whose frame is further up the stack: it can still be running.
    #[inline]
    fn entered(&self, stack: usize, ask: impl Fn() -> u16) -> u16 {
        [&self.op, &self.wrapper].into_iter().find_map(|held| named(held, stack, &ask)).unwrap_or(0)
    }

    /// The innermost context, if there is one.
    #[inline]
    pub(crate) fn context(&self) -> Option<u16> {
        let depth = self.depth.get();
        (depth > 0).then(|| self.contexts[depth.min(CONTEXTS) - 1].get())
    }

    /// Enters a context.
    pub(crate) fn push(&self, name: u16) {
        let depth = self.depth.get();
        if let Some(context) = self.contexts.get(depth) {
            context.set(name);
        }
        self.depth.set(depth + 1);
    }

    /// Leaves the innermost context.
    pub(crate) fn pop(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }

    /// Enters a function that asked for the graph tracker.
    #[inline]
    pub(crate) fn enter(&self, site: Site, stack: usize) {
        match site.class {
            SiteClass::Ignored => {}
            SiteClass::Wrapper => {
                if stack >= self.op.get().stack {
                    self.op.set(Frame::NONE);
                }
                self.wrapper.set(Frame { name: site.name, is_named: false, stack });
            }
            SiteClass::Op => self.op.set(Frame { name: site.name, is_named: false, stack }),
        }
    }
}

/// The name of a function, if it is further up the stack than this address and has one. Asks for that in Python the first time:
/// nothing needs the name where the op asks for the graph tracker.
#[inline]
fn named(held: &Cell<Frame>, stack: usize, ask: impl Fn() -> u16) -> Option<u16> {
    let mut frame = held.get();
    if frame.stack <= stack {
        return None;
    }
    if !frame.is_named {
        let asked = ask();
        let name = if asked == 0 { frame.name } else { asked };
        frame = Frame { name, is_named: true, ..frame };
        held.set(frame);
    }
    (frame.name != 0).then_some(frame.name)
}

/// Runs something with this thread's origin set.
#[derive(Debug)]
pub(crate) struct OriginScope(Origin);

impl OriginScope {
    /// Sets the origin until the scope ends.
    pub(crate) fn enter(origin: Origin) -> Self {
        Self(ThreadState::with(|thread| thread.origin.replace(origin)))
    }
}

impl Drop for OriginScope {
    fn drop(&mut self) {
        ThreadState::with(|thread| thread.origin.set(self.0));
    }
}

/// The class of an address in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SiteClass {
    /// TT-Metal itself: says nothing of the op.
    Ignored = 1,
    /// A function that ops and users call to make a tensor. Its name is used where no op is running.
    Wrapper = 2,
    /// An op.
    Op = 3,
}

/// A call site from which the graph tracker is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Index of its name.
    pub(crate) name: u16,
    /// The kind.
    pub(crate) class: SiteClass,
}

impl Site {
    const IGNORED: Self = Self { name: 0, class: SiteClass::Ignored };

    fn to_bits(self) -> u32 {
        u32::from(self.name) | (self.class as u32) << 16
    }

    fn from_bits(bits: u32) -> Option<Self> {
        let class = match bits >> 16 {
            1 => SiteClass::Ignored,
            2 => SiteClass::Wrapper,
            3 => SiteClass::Op,
            _ => return None,
        };
        Some(Self { name: (bits & 0xffff) as u16, class })
    }
}

/// Returns the class of a return address, if it is in the first slot that it hashes to, as nearly all are.
#[inline]
pub(crate) fn known_site(process: &Process, address: u64) -> Option<Site> {
    let slot = &process.sites[first_slot(address)];
    if slot.address.load(Ordering::Acquire) == address { slot.site() } else { None }
}

#[inline]
fn first_slot(address: u64) -> usize {
    (address >> 4) as usize % SITES
}

/// Returns the class of a return address; calls `classify` when it is new.
pub(crate) fn site(process: &Process, address: u64, classify: impl FnOnce() -> Site) -> Site {
    for probe in 0..SITE_PROBES {
        let slot = &process.sites[(first_slot(address) + probe) % SITES];
        match slot.address.load(Ordering::Acquire) {
            held if held == address => return slot.site().unwrap_or(Site::IGNORED),
            0 => {
                let claimed =
                    slot.address.compare_exchange(0, address, Ordering::AcqRel, Ordering::Relaxed);
                if claimed.is_ok() {
                    let site = classify();
                    slot.set(site);
                    return site;
                }
            }
            _ => {}
        }
    }
    Site::IGNORED
}

/// True for the first call site seen in a function. There the function begins its work: it asks for the graph tracker,
/// and asks again where it ends and in between, which adds nothing.
pub(crate) fn is_first_site(process: &Process, function: u64) -> bool {
    let start = (function.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
    for probe in 0..SITE_PROBES {
        let slot = &process.functions[(start + probe) % FUNCTIONS];
        match slot.compare_exchange(0, function, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(held) if held == function => return false,
            Err(_) => {}
        }
    }
    true
}

impl SiteSlot {
    /// The class, once it is known.
    pub(crate) fn site(&self) -> Option<Site> {
        Site::from_bits(self.meaning.load(Ordering::Acquire))
    }

    /// Stores the meaning of the call site.
    pub(crate) fn set(&self, site: Site) {
        self.meaning.store(site.to_bits(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD: Site = Site { name: 7, class: SiteClass::Op };
    const CREATE: Site = Site { name: 9, class: SiteClass::Wrapper };

    #[test]
    fn an_op_names_what_is_allocated_below_it_and_nothing_after_it() {
        let thread = ThreadState::new();
        assert_eq!(thread.name(1000, || 0), 0);
        thread.enter(ADD, 5000);
        thread.enter(CREATE, 4000);
        assert_eq!(thread.name(3000, || 0), 7);
        // The op has returned, and someone else makes a tensor.
        thread.enter(CREATE, 6000);
        assert_eq!(thread.name(5500, || 0), 9);
        assert_eq!(thread.name(6500, || 0), 0);
    }

    #[test]
    fn python_is_asked_once_for_each_op_and_its_answer_comes_first() {
        let thread = ThreadState::new();
        let asked = Cell::new(0);
        let answer = |name: u16| {
            asked.set(asked.get() + 1);
            name
        };
        thread.enter(ADD, 5000);
        assert_eq!(asked.get(), 0, "nothing needs the name yet");
        assert_eq!(thread.name(3000, || answer(21)), 21);
        assert_eq!(thread.name(3000, || answer(22)), 21);
        assert_eq!(asked.get(), 1);
        thread.enter(ADD, 5000);
        assert_eq!(
            thread.name(3000, || answer(0)),
            7,
            "no op of Python: the name of the call site"
        );
        assert_eq!(asked.get(), 2);
        assert_eq!(thread.allocating_name(3000, || answer(23)), 23, "the op that runs now");
        assert_eq!(thread.name(6000, || answer(24)), 0, "the op has returned");
        assert_eq!(asked.get(), 3);
        thread.push(4);
        assert_eq!(thread.allocating_name(3000, || answer(25)), 4);
        assert_eq!(asked.get(), 3, "a context has the name");
    }

    #[test]
    fn names_of_the_parent_are_not_used_in_a_forked_child() {
        let thread = ThreadState::new();
        let [parent, child] = [100, 200].map(|pid| {
            let process = crate::ffi::new_process().unwrap();
            process.pid.store(pid, Ordering::Relaxed);
            process
        });
        assert_eq!(thread.thread(parent, || 100), 100);
        thread.push(1);
        thread.enter(ADD, 5000);
        assert_eq!(thread.thread(parent, || 999), 100);
        assert_eq!(thread.name(3000, || 0), 1);
        let add = NewestOperation { code: 8, object: 16, name: 1 };
        thread.newest(parent).operation.set(add);
        let [calls, tile] = [(7, 2), (9, 3)].map(|(key, index)| Keyed { key, index });
        thread.newest(parent).stack.set(calls);
        thread.newest(parent).shape.set(tile);
        let newest = |process| {
            let newest = thread.newest(process);
            (newest.operation.get(), newest.stack.get(), newest.shape.get())
        };
        assert_eq!(newest(parent), (add, calls, tile));
        assert_eq!(newest(child), (NewestOperation::NONE, Keyed::NONE, Keyed::NONE));
        assert_eq!(thread.thread(child, || 200), 200);
        assert_eq!(thread.name(3000, || 0), 0);
        // The label around the fork ends in the child too.
        thread.push(2);
        assert_eq!(thread.name(3000, || 0), 2);
        thread.pop();
        thread.pop();
        assert_eq!(thread.name(3000, || 0), 0);
    }

    #[test]
    fn a_context_goes_before_an_op_and_may_be_deeper_than_the_table() {
        let thread = ThreadState::new();
        thread.enter(ADD, 5000);
        thread.push(1);
        thread.push(2);
        assert_eq!(thread.name(3000, || 0), 2);
        for name in 3..40 {
            thread.push(name);
        }
        assert_eq!(thread.name(3000, || 0), 16);
        for _ in 0..100 {
            thread.pop();
        }
        assert_eq!(thread.name(3000, || 0), 7);
    }
}
