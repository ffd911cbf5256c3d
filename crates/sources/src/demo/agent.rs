//! The agent segment of bob's process: a speech model on a mesh of two chips.

use ttmem_segment::{AllocatorKind, AllocatorRole, BufferLayout, CoreRange, Origin, PartKind};

use super::WHISPER;
use ttmem_fake::segment::{Bank, NewBuffer, NewProgram, Segment};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A Wormhole with 32 KiB of `L1_SMALL` and a trace region of 2 MiB in each bank.
const BANKS: [Bank; 4] = [
    Bank { banks: 12, start: 0x10_0040, bytes: 1022 * MIB - 64 },
    Bank { banks: 64, start: 105_824, bytes: 1_360_544 },
    Bank { banks: 64, start: 1_466_368, bytes: 32 * KIB },
    Bank { banks: 12, start: 1022 * MIB, bytes: 2 * MIB },
];

fn dram(bytes: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::Dram, bytes, op)
}

fn l1(bytes: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(AllocatorKind::L1, bytes, op)
}

/// Every worker core.
const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
/// Half of the worker cores.
const HALF: CoreRange = CoreRange { start: (0, 0), end: (7, 3) };
/// The end of reserved memory.
const BASE: u32 = 105_824;

/// The segment of the process that started then, on chips with these ids.
pub(super) fn whisper(start_ticks: u64, ids: &[u64]) -> Segment {
    let mut segment = Segment::new(WHISPER, start_ticks);
    for (number, id) in (0..).zip(ids) {
        segment = segment.chip(number, Some(*id));
    }
    let chips: Vec<usize> = (0..ids.len()).collect();
    let segment = segment.open(AllocatorRole::Mesh, &chips, BANKS);
    run(work(load(segment).wait(45_000)))
}

/// The programs of a layer, and how often each ran.
fn run(segment: Segment) -> Segment {
    const KIB: u32 = 1 << 10;
    let buffer = |program: NewProgram<'static>, address: u32, kib: u32, cores: CoreRange| {
        program.place(PartKind::DataflowBuffer, BASE + address * KIB, kib * KIB, cores)
    };
    let matmul = buffer(NewProgram::new("Matmul"), 0, 128, WHOLE);
    let matmul = buffer(buffer(matmul, 128, 256, WHOLE), 384, 128, WHOLE)
        .kernel("bmm_large_block_zm_fused_bias_activation", Some(9_412), WHOLE)
        .kernel("reader_bmm_tile_layout_in0_sender", Some(2_316), WHOLE);
    let attention = buffer(NewProgram::new("ScaledDotProductAttention"), 0, 352, WHOLE);
    let attention =
        buffer(attention, 352, 96, WHOLE).kernel("sdpa_decode_flash", Some(14_880), WHOLE);
    let norm = buffer(NewProgram::new("LayerNorm"), 0, 192, HALF)
        .place_backed(BASE + 1_264 * KIB, 64 * KIB, HALF)
        .kernel("layernorm_sharded", Some(6_104), HALF);
    let softmax = buffer(NewProgram::new("Softmax"), 0, 96, WHOLE).kernel(
        "softmax_sharded",
        Some(4_728),
        WHOLE,
    );
    let add = buffer(NewProgram::new("BinaryNgDeviceOperation"), 0, 24, HALF).kernel(
        "eltwise_binary",
        Some(1_904),
        HALF,
    );
    let programs = [matmul, attention, norm, softmax, add];
    let segment = programs.iter().fold(segment, Segment::program);
    let layer = [2, 0, 1, 3, 0, 4];
    let layers = (0..8).flat_map(|_| layer);
    layers.fold(segment, Segment::dispatch).wait(20)
}

/// Weights and caches, and what was between them while they were converted.
fn load(mut segment: Segment) -> Segment {
    for layer in 0..32_u64 {
        segment = segment
            .allocate(dram(4 * MIB, "ttnn::as_tensor"))
            .allocate(dram(3 * MIB, "ttnn::as_tensor"));
        if layer % 4 == 0 {
            segment = segment
                .allocate(dram(6 * MIB, "Tilize"))
                .allocate(dram(6 * MIB, "ttnn::zeros"))
                .wait(1_500);
        }
    }
    for _ in 0..8 {
        segment = segment.free_newest_of("Tilize");
    }
    segment
}

/// A sentence being transcribed; a longer one did not fit into L1.
fn work(segment: Segment) -> Segment {
    segment
        .allocate(dram(512 * KIB, "Matmul").origin(Origin::Kernels))
        .allocate(dram(384 * KIB, "LayerNorm").origin(Origin::Kernels))
        .allocate(dram(256 * KIB, "Softmax").origin(Origin::Kernels))
        .allocate(
            NewBuffer::new(AllocatorKind::L1Small, 32 * KIB, "Conv1d")
                .layout(BufferLayout::HeightSharded),
        )
        .allocate(NewBuffer::new(AllocatorKind::Trace, 854 * 2 * KIB, "").origin(Origin::Trace))
        .allocate(dram(8 * MIB, "Matmul"))
        .allocate(l1(64 * KIB, "Matmul").layout(BufferLayout::BlockSharded))
        .allocate(l1(640 * KIB, "ScaledDotProductAttention").layout(BufferLayout::HeightSharded))
        .allocate(l1(64 * KIB, "LayerNorm"))
        .fail(l1(900 * KIB, "ScaledDotProductAttention"))
        .wait(900)
        .free_newest_of("ScaledDotProductAttention")
        .allocate(l1(64 * KIB, "Softmax"))
        .allocate(dram(2 * MIB + 512 * KIB, "BinaryNgDeviceOperation"))
}
