//! The current work of TT-Metal: kernel binaries, contexts, ops.

use ttmem_segment::layout::Counter;
use ttmem_segment::name::NAME_BYTES;
use ttmem_segment::{Hook, NameSource, Origin};

use super::super::{Start, call_sites, guarded, mapping, tt_metal};
use super::{note, note_call};
use crate::names;
use crate::ops::{self, OriginScope, SiteClass, ThreadState};
use crate::registry::UNIQUE_IDS;

/// `load_binaries`: what is allocated meanwhile on this thread are kernel binaries.
pub(in crate::ffi) fn load_binaries(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    queue: u64,
) -> u64 {
    note(hook);
    // Every dispatch comes here: it is counted with the workload.
    let is_counted = ThreadState::with(|thread| {
        let handover = &thread.handover;
        handover.loads.set(handover.loads.get() + u64::from(handover.is_enqueueing.get()));
        handover.is_enqueueing.get()
    });
    if !is_counted {
        guarded(Start::No, |recorder, _| recorder.count(Counter::BinaryLoads));
    }
    let _scope = OriginScope::enter(Origin::Kernels);
    real(this, queue)
}

/// The context that every op enters to allocate its result: it does not name the op around it.
const ALLOCATION: &[u8] = b"ttnn.allocate_tensor_on_device";

/// `push_allocation_context`: the text's length and address.
pub(in crate::ffi) fn push_context(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    length: u64,
    text: u64,
) -> u64 {
    let mut pushed = false;
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let length = usize::try_from(length).unwrap_or(0).min(NAME_BYTES);
        let text = match length {
            0 => &[],
            // SAFETY: the view is not empty, and its characters live as long as the call.
            _ => unsafe { std::slice::from_raw_parts(text as *const u8, length) },
        };
        let name = match thread.context() {
            Some(around) if text == ALLOCATION => around,
            _ => names::intern(recorder, NameSource::Context, context_name(text)),
        };
        thread.push(name);
        pushed = true;
    });
    if !pushed {
        // `pop` comes in any case.
        ThreadState::with(|thread| thread.push(0));
    }
    real(length, text)
}

/// `pop_allocation_context`.
pub(in crate::ffi) fn pop_context(_: Hook, real: impl FnOnce() -> u64) -> u64 {
    ThreadState::with(ThreadState::pop);
    real()
}

/// A context without the arguments that some have: `program_cache: MatmulDeviceOperation program_config=...`.
fn context_name(text: &[u8]) -> &[u8] {
    const CACHE: &[u8] = b"program_cache: ";
    let start = if text.starts_with(CACHE) { CACHE.len() } else { 0 };
    let end = text[start..].iter().position(|byte| *byte == b' ');
    end.map_or(text, |end| &text[..start + end])
}

/// `get_chip_unique_ids`: notes them, wherever TT-Metal asks.
pub(in crate::ffi) fn chip_unique_ids(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    let map = real(this);
    for (device, unique_id) in tt_metal::unique_ids(map as *const u64) {
        UNIQUE_IDS.put(device, unique_id);
    }
    guarded(Start::No, |recorder, _| note_call(recorder, hook));
    map
}

/// `GraphTracker::instance`: an op, or something it uses, begins or ends. Returns the kind of the call site, if that is known:
/// else there is [`new_site`].
///
/// There are some loads and two stores; nothing that could go wrong and need a guard.
#[inline]
pub(in crate::ffi) fn known_site(return_address: u64, stack: u64) -> Option<SiteClass> {
    let site = ops::known_site(mapping::process(false)?, return_address)?;
    ThreadState::with(|thread| thread.enter(site, usize::try_from(stack).unwrap_or(0)));
    Some(site.class)
}

/// A call site of `GraphTracker::instance` that is not known yet, or not where it is looked for first.
#[cold]
pub(in crate::ffi) fn new_site(return_address: u64, stack: u64) {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, Hook::GraphTracker);
        let classify = || call_sites::classify(recorder, return_address);
        let site = ops::site(recorder.process, return_address, classify);
        thread.enter(site, usize::try_from(stack).unwrap_or(0));
    });
}
