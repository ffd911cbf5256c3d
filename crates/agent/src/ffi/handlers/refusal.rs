//! Programs and traces that TT-Metal refuses: recorded when the real function throws.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::BufferEntry;
use ttmem_segment::layout::{Counter, Plan, Section};
use ttmem_segment::program::{NO_FOOTPRINT, PartEntry, RefusalEntry};
use ttmem_segment::{AllocatorKind, CoreRange, CoreType, Hook, PartKind, RefusalKind};

use super::super::{Start, circumstances, guarded, program_api, python, tt_metal};
use super::program::{Target, lock, placements, record};
use super::{note, stack_of};
use crate::ops::ThreadState;
use crate::programs::ProgramSlot;
use crate::recorder::{Circumstances, Recorder};
use crate::registry::Registry;

const NO_CORES: CoreRange = CoreRange { start: (0, 0), end: (0, 0) };

/// `validate_circular_buffer_region` and `validate_dataflow_buffer_region`: they throw if the program does not fit beside
/// the L1 buffers, or in L1.
pub(in crate::ffi) fn validate(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    device: u64,
) -> u64 {
    let marker = 0_u8;
    let part = if hook == Hook::ValidateDataflowBuffers {
        PartKind::DataflowBuffer
    } else {
        PartKind::CircularBuffer
    };
    let refused = RefusedProgram { program: this, device, part, stack: stack_of(&marker) };
    note(hook);
    let result = real(this, device);
    std::mem::forget(refused);
    result
}

/// Records a refused program when it is dropped: that happens when the real function threw.
struct RefusedProgram {
    program: u64,
    device: u64,
    part: PartKind,
    stack: usize,
}

impl Drop for RefusedProgram {
    fn drop(&mut self) {
        let Self { program, device, part, stack } = *self;
        guarded(Start::No, |recorder, thread| {
            let now = circumstances(recorder, thread, stack);
            let Some(_lock) = lock(recorder) else { return };
            let slot = recorder.process.programs.find(program);
            let is_placed = |slot: &&ProgramSlot| slot.is_placed.load(Ordering::Relaxed) != 0;
            let Some(slot) = slot.filter(is_placed) else { return };
            let target = Target::new(recorder, program, device);
            let parts = slot.with_draft(|draft| placements(program, draft)).unwrap_or_default();
            let footprint = slot.with_draft(|draft| record(recorder, slot, draft, target, now));
            let (mesh, chips) = Registry(recorder).find_mesh(device).unwrap_or((0, 0));
            let allocator = tt_metal::mesh_allocator(mesh);
            let lowest = if allocator == 0 { None } else { program_api::lowest_l1(allocator) };
            let l1_size = if mesh == 0 { None } else { program_api::l1_size(mesh) };
            let is_dataflow = part == PartKind::DataflowBuffer;
            let ranges = slot.with_draft(|draft| draft.ranges.clone());
            let limits = Limits {
                ranges: if is_dataflow { Vec::new() } else { ranges },
                lowest: lowest.filter(|lowest| *lowest != 0),
                l1_size: l1_size.map(u64::from),
            };
            let entry = RefusalEntry {
                footprint: footprint.unwrap_or(NO_FOOTPRINT),
                program: program_api::program_id(program),
                chips,
                part,
                ..refused(recorder, now)
            };
            recorder.refused(&limits.complete(recorder, &parts, entry));
        });
    }
}

/// A refusal of which nothing is known yet.
fn refused(recorder: Recorder<'_>, now: Circumstances) -> RefusalEntry {
    RefusalEntry {
        sequence: 0,
        time: now.time,
        kind: RefusalKind::Other,
        part: PartKind::Kernel,
        name: now.name,
        thread: now.thread,
        footprint: NO_FOOTPRINT,
        program: 0,
        cores: NO_CORES,
        end: 0,
        limit: 0,
        buffer: [0; 5],
        tags: None,
        event: recorder.events(),
        chips: 0,
        stacks: [python::here(recorder, false).stack, 0],
        ring: None,
    }
}

/// The limit of a program's end.
struct Limits {
    /// The ranges of cores that TT-Metal compares first, in its order.
    ranges: Vec<CoreRange>,
    /// Lowest L1 buffer.
    lowest: Option<u64>,
    /// End of L1.
    l1_size: Option<u64>,
}

impl Limits {
    /// Finds the reason that TT-Metal refused the program, by the comparisons that it made: the first rectangle of
    /// cores on which the program's own placements end too high.
    fn complete(
        &self,
        recorder: Recorder<'_>,
        parts: &[PartEntry],
        entry: RefusalEntry,
    ) -> RefusalEntry {
        let own = || parts.iter().filter(|part| !part.is_backed);
        let end_on = |cores: CoreRange| {
            let there = own().filter(|part| part.cores.intersects(cores));
            there.map(|part| u64::from(part.address) + u64::from(part.bytes)).max().unwrap_or(0)
        };
        let first_above = |limit: Option<u64>| {
            let limit = limit?;
            let ranges = self.ranges.iter().copied().chain(own().map(|part| part.cores));
            { ranges.map(|cores| (cores, end_on(cores))) }
                .find(|(_, end)| *end > limit)
                .map(|(cores, end)| (cores, end, limit))
        };
        if let Some((cores, end, limit)) = first_above(self.l1_size) {
            return RefusalEntry { kind: RefusalKind::BeyondL1, cores, end, limit, ..entry };
        }
        if let Some((cores, end, limit)) = first_above(self.lowest) {
            let buffer = buffer_at(recorder, limit);
            return RefusalEntry {
                kind: RefusalKind::Clash,
                cores,
                end,
                limit,
                buffer: buffer.map_or([0; 5], |held| {
                    let bytes = held.bytes_per_bank;
                    [held.address, bytes, held.requested, held.sequence, held.time]
                }),
                tags: buffer.map(|held| held.tags),
                stacks: [entry.stacks[0], buffer.map_or(0, |held| held.stack)],
                ..entry
            };
        }
        entry
    }
}

/// The live L1 buffer at an address.
fn buffer_at(recorder: Recorder<'_>, address: u64) -> Option<BufferEntry> {
    let slots = recorder.process.buffers_mask.load(Ordering::Relaxed) + 1;
    (0..slots)
        .map(|slot| Plan::FIRST_BUFFER_WORD + slot * Section::Buffers.entry_words())
        .filter_map(|first| BufferEntry::from_words(recorder.load(first)))
        .find(|entry| {
            entry.key >= BufferEntry::FIRST_KEY
                && entry.address == address
                && entry.tags.kind == AllocatorKind::L1
        })
}

/// `MeshWorkloadImpl::finalize_offsets`: throws if a program is too large for the kernel configuration ring.
pub(in crate::ffi) fn finalize(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    device: u64,
) -> u64 {
    let marker = 0_u8;
    let refused = RefusedConfig { device, stack: stack_of(&marker) };
    note(hook);
    ThreadState::with(|thread| thread.handover.config.set(0));
    let result = real(this, device);
    std::mem::forget(refused);
    result
}

/// `finalize_kernel_bins`: returns where the program ends in the ring of a core type. TT-Metal then compares it with the
/// ring's size.
#[expect(clippy::too_many_arguments, reason = "those of TT-Metal's function")]
pub(in crate::ffi) fn finalize_kernels(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64, u64) -> u64,
    device: u64,
    core_type: u64,
    kernels: u64,
    groups: u64,
    base: u64,
    offset: u64,
    size: u64,
) -> u64 {
    note(hook);
    let end = real(device, core_type, kernels, groups, base, offset, size);
    let config = (core_type & 0xffff_ffff) << 32 | end & 0xffff_ffff;
    ThreadState::with(|thread| thread.handover.config.set(config));
    end
}

/// `WorkerConfigBufferMgr::init_add_buffer`: a device that opens adds the ring of each core type.
pub(in crate::ffi) fn add_ring(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    this: u64,
    address: u64,
    bytes: u64,
) -> u64 {
    note(hook);
    let low = |word: u64| (word & 0xffff_ffff) as u32;
    guarded(Start::No, |recorder, _| {
        recorder.process.rings.add(this, low(address), low(bytes));
    });
    real(this, address, bytes)
}

/// Records a program too large for the ring when it is dropped.
struct RefusedConfig {
    device: u64,
    stack: usize,
}

impl Drop for RefusedConfig {
    fn drop(&mut self) {
        let Self { device, stack } = *self;
        guarded(Start::No, |recorder, thread| {
            let now = circumstances(recorder, thread, stack);
            let config = thread.handover.config.get();
            let core_type = usize::try_from(config >> 32).unwrap_or(usize::MAX);
            let end = config & 0xffff_ffff;
            let limit = u64::from(recorder.process.rings.bytes(core_type));
            // Up to 0.66 or so a program of exactly the ring's size is refused, too.
            let is_small = end != 0 && end < limit;
            let kind = if is_small { RefusalKind::Other } else { RefusalKind::ConfigTooLarge };
            let (_, chips) = Registry(recorder).find_mesh(device).unwrap_or((0, 0));
            let program = thread.handover.compiled.iter().last().unwrap_or(0);
            let footprint = footprint_of(recorder, program, device, now);
            recorder.refused(&RefusalEntry {
                kind,
                // Where the function that returns it was not called, the end is not known either.
                ring: CoreType::from_number(config >> 32).filter(|_| end != 0),
                program: if program == 0 { 0 } else { program_api::program_id(program) },
                footprint: footprint.unwrap_or(NO_FOOTPRINT),
                end,
                limit,
                chips,
                ..refused(recorder, now)
            });
        });
    }
}

/// Records what a program that is compiled and placed has.
fn footprint_of(
    recorder: Recorder<'_>,
    program: u64,
    device: u64,
    now: Circumstances,
) -> Option<u32> {
    let _lock = lock(recorder)?;
    let slot = recorder.process.programs.find(program)?;
    if slot.is_placed.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let target = Target::new(recorder, program, device);
    slot.with_draft(|draft| record(recorder, slot, draft, target, now))
}

/// Records a trace that does not fit when it is dropped: that happens when the real function threw.
pub(super) struct RefusedTrace;

impl Drop for RefusedTrace {
    fn drop(&mut self) {
        let marker = 0_u8;
        let stack = stack_of(&marker);
        guarded(Start::No, |recorder, thread| {
            let now = circumstances(recorder, thread, stack);
            let mesh = recorder.process.capturing.load(Ordering::Relaxed);
            let registry = Registry(recorder);
            let chips = registry.find_mesh(mesh).map_or(0, |(_, chips)| chips);
            // TT-Metal has added the trace's bytes before it compares.
            let implementation = registry.mesh_implementation(mesh);
            let needed = implementation.and_then(program_api::trace_bytes).unwrap_or(0);
            let limit = recorder.words[Counter::TraceRegionSize as usize].load(Ordering::Relaxed);
            recorder.refused(&RefusalEntry {
                kind: RefusalKind::TraceTooLarge,
                end: u64::from(needed),
                limit,
                chips,
                ..refused(recorder, now)
            });
        });
    }
}
