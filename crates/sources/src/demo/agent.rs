//! The agent segment of bob's process: a speech model on a mesh of two chips.

use ttmem_segment::{AllocatorRole, BufferKind, BufferLayout, Origin};

use super::WHISPER;
use ttmem_fake::segment::{Bank, NewBuffer, Segment};

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
    NewBuffer::new(BufferKind::Dram, bytes, op)
}

fn l1(bytes: u64, op: &str) -> NewBuffer<'_> {
    NewBuffer::new(BufferKind::L1, bytes, op)
}

/// The segment of the process that started then, on chips with these ids.
pub(super) fn whisper(start_ticks: u64, ids: &[u64]) -> Segment {
    let mut segment = Segment::new(WHISPER, start_ticks);
    for (number, id) in (0..).zip(ids) {
        segment = segment.chip(number, Some(*id));
    }
    let chips: Vec<usize> = (0..ids.len()).collect();
    let segment = segment.open(AllocatorRole::Mesh, &chips, BANKS);
    work(load(segment).wait(45_000))
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
            NewBuffer::new(BufferKind::L1Small, 32 * KIB, "Conv1d")
                .layout(BufferLayout::HeightSharded),
        )
        .allocate(NewBuffer::new(BufferKind::Trace, 854 * 2 * KIB, "").origin(Origin::Trace))
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
