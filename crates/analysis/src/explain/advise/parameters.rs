//! Parameters of ops that decide how much L1 they take, as ttnn 0.81.1 spells them.

/// The parameters of one family of ops.
pub(super) struct Family {
    /// Parts of the names of its ops, in lower case.
    names: &'static [&'static str],
    /// Changes, most effective first.
    pub(super) changes: &'static [&'static str],
}

/// A row-major tensor is moved row by row, so that buffers hold whole rows.
const ROWS: &str = "The op's buffers hold whole rows of a ttnn.ROW_MAJOR_LAYOUT tensor: use ttnn.TILE_LAYOUT, or reshape or split \
                    the tensor so that its last dimension is shorter.";

/// Every family. The first that fits counts.
static FAMILIES: [Family; 12] = [
    Family {
        names: &["conv3d"],
        changes: &[
            "Make the blocks smaller: C_in_block, C_out_block, T_out_block, H_out_block or W_out_block of ttnn.Conv3dConfig.",
        ],
    },
    Family { names: &["conv1d_silu"], changes: &["Lower channel_chunk_size."] },
    Family {
        names: &["conv2d", "conv1d", "conv_transpose", "conv"],
        changes: &[
            "Make the blocks smaller: act_block_h_override or act_block_w_div of ttnn.Conv2dConfig.",
            "Run it in slices from DRAM: slice_config=ttnn.Conv2dSliceConfig(slice_type=ttnn.Conv2dDRAMSliceHeight, num_slices=N).",
            "Turn off enable_act_double_buffer and enable_weights_double_buffer, or set config_tensors_in_dram=True.",
        ],
    },
    Family {
        names: &["sdpa", "spec_multi_pos", "attention", "mla"],
        changes: &[
            "Lower k_chunk_size and q_chunk_size of ttnn.SDPAProgramConfig; when decoding also max_cores_per_head_batch.",
        ],
    },
    Family {
        names: &["matmul", "linear", "in0_block_w"],
        changes: &[
            "If a program_config is given: lower in0_block_w, per_core_M, per_core_N or out_block_w of it. Without one, the op has \
             already fitted its blocks to the free L1.",
            "Use a larger grid (compute_with_storage_grid_size of the program_config, or core_grid), or ttnn.bfloat8_b weights.",
        ],
    },
    Family {
        names: &["layernorm", "layer_norm", "rmsnorm", "rms_norm"],
        changes: &[
            "The op has already fitted its blocks to the free L1, so a smaller block size does not help. A larger core grid, a \
             smaller data type or a smaller reduced dimension does.",
        ],
    },
    Family {
        names: &["softmax"],
        changes: &[
            "With ttnn.SoftmaxShardedMultiCoreProgramConfig lower block_w and block_h; else make the reduced dimension smaller.",
        ],
    },
    Family {
        names: &["concat"],
        changes: &[ROWS, "Concatenate fewer tensors at once, or along another dim."],
    },
    Family { names: &["pad", "slice", "repeat", "reshape"], changes: &[ROWS] },
    Family {
        names: &["split"],
        changes: &[ROWS, "Use fewer chunks at once (a larger split_size)."],
    },
    Family {
        names: &["non_zero", "nonzero"],
        changes: &[
            "Call it on parts of the tensor: it holds one entry for each element of its input in L1.",
        ],
    },
    Family {
        names: &["moe", "dispatch_fabric", "combine_fabric", "expert"],
        changes: &[
            "Use fewer experts on each device, fewer tokens at once, or a smaller hidden size.",
        ],
    },
];

/// The family of an op.
pub(super) fn family(op: &str) -> Option<&'static Family> {
    let op = op.to_ascii_lowercase();
    FAMILIES.iter().find(|family| family.names.iter().any(|name| op.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_have_the_parameters_of_their_family() {
        let first = |op| family(op).map(|family| family.changes[0]);
        assert!(first("ttnn.conv3d").unwrap().contains("T_out_block"));
        assert!(first("Conv2d").unwrap().contains("act_block_h_override"));
        assert!(first("best_in0_block_w").unwrap().contains("per_core_M"));
        assert!(first("qkv_causal_conv1d_silu").unwrap().contains("channel_chunk_size"));
        assert_eq!(first("D2HStreamService"), None);
    }
}
