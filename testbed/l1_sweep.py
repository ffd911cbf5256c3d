"""Ops of many kinds, shapes and data types, for comparison with ttnn's own graph capture: l1_sweep.py [OP...].

Runs each op twice on a mock device. A captured graph without dispatch lists every circular buffer, dataflow buffer and
scratchpad with its bytes and cores, and a graph with dispatch the addresses of circular buffers. Prints a JSON line per op,
then waits for a line on standard input."""
import json, os, sys, re
REPORT = os.fdopen(os.dup(1), "w"); os.dup2(2, 1)
import ttnn
g = ttnn._ttnn.graph
d = ttnn.open_device(device_id=0, l1_small_size=32768)
grid = d.compute_with_storage_grid_size()
def t(shape, dt=ttnn.bfloat16, mem=ttnn.DRAM_MEMORY_CONFIG, layout=ttnn.TILE_LAYOUT):
    return ttnn.allocate_tensor_on_device(ttnn.Shape(shape), dt, layout, d, mem)
L1 = ttnn.L1_MEMORY_CONFIG; RM = ttnn.ROW_MAJOR_LAYOUT
B16, B8, B4, F32, U32, I32, U16 = ttnn.bfloat16, ttnn.bfloat8_b, ttnn.bfloat4_b, ttnn.float32, ttnn.uint32, ttnn.int32, ttnn.uint16
def shard(shape, y, x, how, orient=ttnn.ShardOrientation.ROW_MAJOR):
    return ttnn.create_sharded_memory_config(shape, ttnn.CoreGrid(y=y, x=x), how, orient)
S = ttnn.ShardStrategy
ops = {}
def op(name):
    def add(f): ops[name] = f; return f
    return add
for n, dt in dict(bf16=B16, bf8=B8, bf4=B4, f32=F32).items():
    op(f"add_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.add(a, a))(t([1,1,256,512], dt)))
    op(f"matmul_{n}")(lambda dt=dt: (lambda a, b: lambda: ttnn.matmul(a, b))(t([1,1,256,512], dt), t([1,1,512,768], dt)))
    op(f"softmax_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.softmax(a, -1))(t([1,2,128,512], dt)))
    op(f"sum_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.sum(a, -1))(t([1,1,256,512], dt)))
    op(f"max_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.max(a, -2))(t([1,1,256,512], dt)))
    op(f"mean_all_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.mean(a))(t([1,1,256,512], dt)))
    op(f"typecast_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.typecast(a, F32 if dt != F32 else B16))(t([1,1,256,512], dt)))
    op(f"untilize_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.to_layout(a, RM))(t([1,1,256,512], dt)))
    op(f"gelu_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.gelu(a))(t([1,1,96,96], dt, L1)))
for n, dt in dict(u32=U32, i32=I32, u16=U16).items():
    op(f"add_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.add(a, a))(t([1,1,256,512], dt)))
    op(f"concat_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.concat([a, a], -1))(t([1,1,64,512], dt, layout=RM)))
    op(f"tilize_{n}")(lambda dt=dt: (lambda a: lambda: ttnn.to_layout(a, ttnn.TILE_LAYOUT))(t([1,1,64,512], dt, layout=RM)))
op("layer_norm")(lambda: (lambda a, w: lambda: ttnn.layer_norm(a, weight=w, bias=w))(t([1,1,256,1024]), t([1,1,1,1024])))
op("layer_norm_big")(lambda: (lambda a: lambda: ttnn.layer_norm(a))(t([1,1,64,16384])))
op("rms_norm")(lambda: (lambda a: lambda: ttnn.rms_norm(a))(t([1,1,256,2048])))
op("softmax_big")(lambda: (lambda a: lambda: ttnn.softmax(a, -1))(t([1,1,32,32768])))
op("softmax_h")(lambda: (lambda a: lambda: ttnn.softmax(a, -2))(t([1,1,256,512])))
op("concat_tile")(lambda: (lambda a, b: lambda: ttnn.concat([a, b], -2))(t([1,1,64,512]), t([1,1,32,512])))
op("concat_unaligned")(lambda: (lambda a, b: lambda: ttnn.concat([a, b], -1))(t([1,1,64,40]), t([1,1,64,24])))
op("concat_rm")(lambda: (lambda a: lambda: ttnn.concat([a, a, a], 1))(t([1,1,64,512], layout=RM)))
def concat_sharded():
    m = shard((1,1,64,32), 1, 2, S.HEIGHT); a = t([1,1,64,32], B16, m, RM)
    o = shard((1,1,64,64), 1, 2, S.HEIGHT)
    return lambda: ttnn.concat([a, a], -1, memory_config=o)
op("concat_sharded")(concat_sharded)
op("pad_tile")(lambda: (lambda a: lambda: ttnn.pad(a, [(0,0),(0,0),(0,32),(0,64)], 0.0))(t([1,1,64,64])))
op("pad_rm")(lambda: (lambda a: lambda: ttnn.pad(a, [(0,0),(0,0),(0,3),(0,5)], 0.0))(t([1,1,61,60], layout=RM)))
def pad_sharded():
    m = shard((1,1,128,64), 1, 4, S.HEIGHT); a = t([1,1,128,64], B16, m, RM)
    return lambda: ttnn.pad(a, [(0,0),(0,0),(0,0),(0,64)], 0.0)
op("pad_sharded")(pad_sharded)
op("slice")(lambda: (lambda a: lambda: ttnn.slice(a, [0,0,0,0], [1,1,32,64]))(t([1,1,64,128])))
op("slice_rm")(lambda: (lambda a: lambda: ttnn.slice(a, [0,0,3,5], [1,1,32,60]))(t([1,1,64,128], layout=RM)))
op("transpose_wh")(lambda: (lambda a: lambda: ttnn.transpose(a, -1, -2))(t([1,1,64,128])))
op("transpose_hc")(lambda: (lambda a: lambda: ttnn.transpose(a, 1, 2))(t([1,4,64,128])))
op("permute")(lambda: (lambda a: lambda: ttnn.permute(a, (0,3,1,2)))(t([1,4,64,128])))
op("permute_rm")(lambda: (lambda a: lambda: ttnn.permute(a, (0,2,3,1)))(t([1,4,64,128], layout=RM)))
op("reshape")(lambda: (lambda a: lambda: ttnn.reshape(a, (1,1,128,64)))(t([1,1,64,128])))
op("repeat")(lambda: (lambda a: lambda: ttnn.repeat(a, ttnn.Shape([1,2,1,1])))(t([1,1,64,128])))
op("embedding")(lambda: (lambda a, w: lambda: ttnn.embedding(a, w))(t([1,128], U32, layout=RM), t([1000, 256], layout=RM)))
op("embedding_tile")(lambda: (lambda a, w: lambda: ttnn.embedding(a, w, layout=ttnn.TILE_LAYOUT))(t([1,128], U32, layout=RM), t([1000, 256], layout=RM)))
op("argmax")(lambda: (lambda a: lambda: ttnn.argmax(a, dim=-1))(t([1,1,32,512], layout=RM)))
op("argmax_tile")(lambda: (lambda a: lambda: ttnn.argmax(a, dim=-1))(t([1,1,32,512])))
op("topk")(lambda: (lambda a: lambda: ttnn.topk(a, 32, -1))(t([1,1,32,4096])))
op("sort")(lambda: (lambda a: lambda: ttnn.sort(a, dim=-1))(t([1,1,32,256])))
op("where")(lambda: (lambda a: lambda: ttnn.where(a, a, a))(t([1,1,64,64])))
op("add_bcast")(lambda: (lambda a, b: lambda: ttnn.add(a, b))(t([1,1,256,512]), t([1,1,1,512])))
op("mul_scalar")(lambda: (lambda a: lambda: ttnn.multiply(a, 2.0))(t([1,1,256,512])))
op("add_relu")(lambda: (lambda a: lambda: ttnn.add(a, a, activations=[ttnn.UnaryWithParam(ttnn.UnaryOpType.RELU)]))(t([1,1,256,512])))
op("linear")(lambda: (lambda a, w, b: lambda: ttnn.linear(a, w, bias=b, activation="gelu"))(t([1,1,256,512]), t([1,1,512,1024]), t([1,1,1,1024])))
op("matmul_batch")(lambda: (lambda a, b: lambda: ttnn.matmul(a, b))(t([2,8,64,128]), t([2,8,128,64])))
op("matmul_vec")(lambda: (lambda a, b: lambda: ttnn.matmul(a, b))(t([1,1,32,2048]), t([1,1,2048,4096], B8)))
op("matmul_lofi_mixed")(lambda: (lambda a, b: lambda: ttnn.matmul(a, b, dtype=B8))(t([1,1,512,1024]), t([1,1,1024,1024], B4)))
def mm_block():
    m = shard((1,1,512,512), 4, 4, S.BLOCK); a = t([1,1,512,512], B16, m); b = t([1,1,512,512])
    return lambda: ttnn.matmul(a, b, memory_config=m)
op("matmul_block_sharded")(mm_block)
def mm_height():
    m = shard((1,1,512,128), 2, 8, S.HEIGHT); a = t([1,1,512,128], B16, m); b = t([1,1,128,256])
    o = shard((1,1,512,256), 2, 8, S.HEIGHT)
    return lambda: ttnn.matmul(a, b, memory_config=o)
op("matmul_height_sharded")(mm_height)
def mm_width():
    m = shard((1,1,32,1024), 1, 8, S.WIDTH); a = t([1,1,32,1024], B16, m); b = t([1,1,1024,512])
    o = shard((1,1,32,512), 1, 8, S.WIDTH)
    return lambda: ttnn.matmul(a, b, memory_config=o)
op("matmul_width_sharded")(mm_width)
def mm_width_4x4():
    m = shard((1,1,512,512), 4, 4, S.WIDTH); a = t([1,1,512,512], B16, m); b = t([1,1,512,64], B16, L1)
    return lambda: ttnn.matmul(a, b, memory_config=L1)
op("matmul_width_4x4")(mm_width_4x4)
def mm_1d_mcast():
    a = t([1,1,32,1024]); b = t([1,1,1024,2048])
    c = ttnn.MatmulMultiCoreReuseMultiCast1DProgramConfig(compute_with_storage_grid_size=(8,8), in0_block_w=2, out_subblock_h=1, out_subblock_w=1, per_core_M=1, per_core_N=1, fuse_batch=True, fused_activation=None, mcast_in0=True)
    return lambda: ttnn.matmul(a, b, program_config=c)
op("matmul_1d")(mm_1d_mcast)
def mm_dram_sharded():
    a = t([1,1,32,1024], B16, shard((1,1,32,1024),1,8,S.WIDTH))
    spec = ttnn.ShardSpec(ttnn.CoreRangeSet({ttnn.CoreRange(ttnn.CoreCoord(0,0), ttnn.CoreCoord(d.dram_grid_size().x-1,0))}), [1024, 96], ttnn.ShardOrientation.ROW_MAJOR)
    b = t([1,1,1024,d.dram_grid_size().x*96], B8, ttnn.MemoryConfig(ttnn.TensorMemoryLayout.WIDTH_SHARDED, ttnn.BufferType.DRAM, spec))
    c = ttnn.MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(in0_block_w=4, per_core_M=1, per_core_N=5, fused_activation=None)
    return lambda: ttnn.linear(a, b, program_config=c, memory_config=ttnn.L1_WIDTH_SHARDED_MEMORY_CONFIG)
op("matmul_dram_sharded")(mm_dram_sharded)
def sparse_matmul():
    a, b, used = t([1,1,32,64]), t([1,4,64,128]), t([1,1,1,4], layout=RM)
    c = ttnn.MatmulMultiCoreReuseMultiCast1DProgramConfig(compute_with_storage_grid_size=(4,1), in0_block_w=2, out_subblock_h=1, out_subblock_w=1, out_block_h=1, out_block_w=1, per_core_M=1, per_core_N=1, fuse_batch=False, fused_activation=None, mcast_in0=True)
    return lambda: ttnn.sparse_matmul(a, b, sparsity=used, nnz=2, program_config=c)
op("sparse_matmul")(sparse_matmul)
def update_two_caches():
    def rows(y):
        spec = ttnn.ShardSpec(ttnn.CoreRangeSet({ttnn.CoreRange(ttnn.CoreCoord(0,y), ttnn.CoreCoord(3,y))}), [32,64], ttnn.ShardOrientation.ROW_MAJOR)
        return t([1,4,32,64], B16, ttnn.MemoryConfig(ttnn.TensorMemoryLayout.HEIGHT_SHARDED, ttnn.BufferType.L1, spec))
    cache, keys, values, at = t([4,1,256,64]), rows(0), rows(1), t([4], I32, layout=RM)
    return lambda: ttnn.experimental.paged_fused_update_cache(cache, keys, cache, values, update_idxs_tensor=at)
op("update_two_caches")(update_two_caches)
def sharded(name, f, how=S.BLOCK, shape=(1,1,512,512), y=4, x=4, dt=B16):
    def make():
        m = shard(shape, y, x, how); a = t(list(shape), dt, m)
        return lambda: f(a, m)
    ops[name] = make
sharded("gelu_sharded", lambda a, m: ttnn.gelu(a, memory_config=m))
sharded("add_sharded", lambda a, m: ttnn.add(a, a, memory_config=m))
sharded("add_sharded_h", lambda a, m: ttnn.add(a, a, memory_config=m), S.HEIGHT)
sharded("add_sharded_bf8", lambda a, m: ttnn.add(a, a, memory_config=m), S.WIDTH, dt=B8)
sharded("add_sharded_out_dram", lambda a, m: ttnn.add(a, a, memory_config=ttnn.DRAM_MEMORY_CONFIG))
sharded("softmax_sharded", lambda a, m: ttnn.softmax_in_place(a), S.HEIGHT, (1,1,512,64), 4, 4)
sharded("to_interleaved", lambda a, m: ttnn.to_memory_config(a, ttnn.DRAM_MEMORY_CONFIG))
sharded("reshard", lambda a, m: ttnn.to_memory_config(a, shard((1,1,512,512), 2, 8, S.HEIGHT)))
sharded("layer_norm_sharded", lambda a, m: ttnn.layer_norm(a, memory_config=m, program_config=ttnn.LayerNormShardedMultiCoreProgramConfig(compute_with_storage_grid_size=(4,4), subblock_w=4, block_h=4, block_w=4, inplace=False)))
sharded("layer_norm_inplace", lambda a, m: ttnn.layer_norm(a, memory_config=m, program_config=ttnn.LayerNormShardedMultiCoreProgramConfig(compute_with_storage_grid_size=(4,4), subblock_w=4, block_h=4, block_w=4, inplace=True)))
sharded("transpose_sharded", lambda a, m: ttnn.transpose(a, -1, -2), S.HEIGHT, (1,16,32,32), 4, 4)
sharded("untilize_sharded", lambda a, m: ttnn.to_layout(a, RM), S.HEIGHT)
sharded("sum_sharded", lambda a, m: ttnn.sum(a, -1), S.HEIGHT)
sharded("typecast_sharded", lambda a, m: ttnn.typecast(a, B8))
op("interleaved_to_sharded")(lambda: (lambda a: lambda: ttnn.to_memory_config(a, shard((1,1,512,512),4,4,S.BLOCK)))(t([1,1,512,512])))
op("interleaved_to_sharded_rm")(lambda: (lambda a: lambda: ttnn.to_memory_config(a, shard((1,1,512,64),2,8,S.HEIGHT)))(t([1,1,512,64], layout=RM)))
op("sdpa")(lambda: (lambda q: lambda: ttnn.transformer.scaled_dot_product_attention(q, q, q, is_causal=True))(t([1,4,128,64])))
op("sdpa_noncausal")(lambda: (lambda q, k: lambda: ttnn.transformer.scaled_dot_product_attention(q, k, k, is_causal=False))(t([1,4,128,64]), t([1,4,256,64], B16)))
op("sdpa_decode")(lambda: (lambda q, k: lambda: ttnn.transformer.scaled_dot_product_attention_decode(q, k, k, cur_pos=[10]))(t([1,1,8,64]), t([1,1,256,64])))
op("concat_heads")(lambda: (lambda a: lambda: ttnn.experimental.nlp_concat_heads(a))(t([1,8,64,64])))
op("split_heads")(lambda: (lambda a: lambda: ttnn.transformer.split_query_key_value_and_split_heads(a, num_heads=8))(t([1,64,1536])))
op("rotary")(lambda: (lambda a, c, tr: lambda: ttnn.experimental.rotary_embedding_llama(a, c, c, tr))(t([1,8,64,64]), t([1,1,64,64]), t([1,1,32,32])))
op("rotary_old")(lambda: (lambda a, c: lambda: ttnn.experimental.rotary_embedding(a, c, c))(t([1,8,64,64]), t([1,1,64,64])))
op("fill_cache")(lambda: (lambda a, c: lambda: ttnn.fill_cache(c, a, 0))(t([1,4,64,64]), t([2,4,128,64])))
op("update_cache")(lambda: (lambda a, c: lambda: ttnn.update_cache(c, a, 3))(t([1,4,32,64]), t([32,4,128,64])))
def conv(**k):
    def make():
        n, h, w, ci, co = 1, k.get("h",32), k.get("w",32), k.get("ci",32), k.get("co",64)
        a = t([1,1,n*h*w,ci], layout=RM)
        weights = [co, ci // k.get("groups", 1), 3, 3]
        wt = ttnn.Tensor([0.0] * (weights[0] * weights[1] * 9), weights, B16, RM)
        conf = ttnn.Conv2dConfig(weights_dtype=ttnn.bfloat16, **({"shard_layout": k["layout"]} if "layout" in k else {}))
        return lambda: ttnn.conv2d(input_tensor=a, weight_tensor=wt, device=d, in_channels=ci, out_channels=co, batch_size=n, input_height=h, input_width=w, kernel_size=(3,3), stride=k.get("stride",(1,1)), padding=(1,1), dilation=(1,1), groups=k.get("groups",1), conv_config=conf)
    return make
ops["conv2d"] = conv()
ops["conv2d_stride"] = conv(stride=(2,2), ci=64, co=32)
ops["conv2d_block"] = conv(layout=ttnn.TensorMemoryLayout.BLOCK_SHARDED, ci=128, co=128)
ops["conv2d_width"] = conv(layout=ttnn.TensorMemoryLayout.WIDTH_SHARDED, ci=256, co=256, h=8, w=8)
ops["conv2d_depthwise"] = conv(ci=64, co=64, groups=64)
op("max_pool")(lambda: (lambda a: lambda: ttnn.max_pool2d(a, batch_size=1, input_h=32, input_w=32, channels=64, kernel_size=[3,3], stride=[2,2], padding=[1,1], dilation=[1,1]))(t([1,1,1024,64], layout=RM)))
op("avg_pool")(lambda: (lambda a: lambda: ttnn.avg_pool2d(a, batch_size=1, input_h=16, input_w=16, channels=32, kernel_size=[2,2], stride=[2,2], padding=[0,0]))(t([1,1,256,32], layout=RM)))
op("upsample")(lambda: (lambda a: lambda: ttnn.upsample(a, 2))(t([1,8,8,32], layout=RM)))
op("group_norm")(lambda: (lambda a: lambda: ttnn.group_norm(a, num_groups=8, memory_config=a.memory_config(), core_grid=ttnn.CoreGrid(y=4,x=4)))(t([1,1,512,512], B16, shard((1,1,512,512),4,4,S.BLOCK))))
op("cumsum")(lambda: (lambda a: lambda: ttnn.cumsum(a, -1))(t([1,1,64,64])))
op("prod")(lambda: (lambda a: lambda: ttnn.prod(a))(t([1,1,64,64])))
op("fold")(lambda: (lambda a: lambda: ttnn.fold(a, 2, 2))(t([1,32,32,16], layout=RM)))
op("full_like")(lambda: (lambda a: lambda: ttnn.full_like(a, 1.0))(t([1,1,64,64])))
op("full")(lambda: lambda: ttnn.full([1,1,64,64], 1.0, dtype=B16, layout=ttnn.TILE_LAYOUT, device=d))
op("arange")(lambda: lambda: ttnn.arange(0, 128, 1, device=d))
op("rand")(lambda: lambda: ttnn.rand([1,1,64,64], device=d, dtype=B16, layout=ttnn.TILE_LAYOUT))
op("dropout")(lambda: (lambda a: lambda: ttnn.experimental.dropout(a, probability=0.1, scale=1.1, seed=1))(t([1,1,64,64])))
op("move")(lambda: (lambda a: lambda: ttnn.move(a))(t([1,1,64,64], B16, L1)))
op("clone")(lambda: (lambda a: lambda: ttnn.clone(a))(t([1,1,64,64], B16)))
op("gather")(lambda: (lambda a, i: lambda: ttnn.gather(a, -1, index=i))(t([1,1,64,64]), t([1,1,64,64], U32)))
op("scatter")(lambda: (lambda a, i: lambda: ttnn.scatter(a, -1, i, a))(t([1,1,64,64], layout=RM), t([1,1,64,64], I32, layout=RM)))
op("indexed_fill")(lambda: (lambda a, b, i: lambda: ttnn.indexed_fill(i, a, b))(t([4,1,32,64], layout=RM), t([2,1,32,64], layout=RM), t([1,1,1,2], U32, layout=RM)))
op("nonzero")(lambda: (lambda a: lambda: ttnn.nonzero(a))(t([1,1,1,64], U32, layout=RM)))
op("moreh_sum")(lambda: (lambda a: lambda: ttnn.operations.moreh.sum(a, 2))(t([1,1,64,64])))
op("moreh_softmax")(lambda: (lambda a: lambda: ttnn.operations.moreh.softmax(a, 3))(t([1,1,64,64])))
op("moreh_norm")(lambda: (lambda a: lambda: ttnn.operations.moreh.norm(a, 2.0, 3))(t([1,1,64,64])))
op("moreh_matmul")(lambda: (lambda a: lambda: ttnn.operations.moreh.matmul(a, a))(t([1,1,64,64])))
op("bcast_h")(lambda: (lambda a, b: lambda: ttnn.bcast(a, b, ttnn.BcastOpMath.MUL, ttnn.BcastOpDim.H))(t([1,1,64,64]), t([1,1,1,64])))
op("tilize_with_val")(lambda: (lambda a: lambda: ttnn.tilize_with_val_padding(a, [1,1,64,64], 0.0))(t([1,1,50,64], layout=RM)))
op("untilize_unpad")(lambda: (lambda a: lambda: ttnn.untilize_with_unpadding(a, [0,0,49,60]))(t([1,1,64,64])))
op("halo_reshard_nd")(lambda: (lambda a: lambda: ttnn.to_memory_config(a, shard((1,1,512,512),8,2,S.BLOCK)))(t([1,1,512,512], B16, shard((1,1,512,512),4,4,S.BLOCK))))
only = [name for name in sys.argv[1:] if name]
def nodes(graph):
    out = []
    for n in graph:
        k = {"circular_buffer_allocate": "cb", "dataflow_buffer_allocate": "dfb", "scratchpad_allocate": "scratch"}.get(n["node_type"])
        if k:
            p = n["params"]
            r = re.findall(r"(\d+)-(\d+) - (\d+)-(\d+)", p["core_range_set"])
            backed = p.get("globally_allocated", p.get("borrows_memory", "0"))
            out.append([k, int(p["address"]), int(p["size"]), int(backed), [[int(v) for v in x] for x in r], int(p["device_id"])])
    return out
keep = []
for name in (only or ops):
    line = {"op": name, "pid": os.getpid()}
    try:
        run = ops[name]()
        try:
            g.begin_graph_capture(g.RunMode.NO_DISPATCH)
            try: run()
            finally: line["dry"] = nodes(g.end_graph_capture())
        except Exception as e: line["dry_error"] = str(e).split("\n")[0][:150]
        g.begin_graph_capture(g.RunMode.NORMAL)
        try: keep.append((run, run()))
        finally: line["wet"] = nodes(g.end_graph_capture())
    except Exception as e:
        line["error"] = str(e).split("\n")[0][:200]
    print(json.dumps(line), file=REPORT, flush=True)
    if sys.stdin.readline() == "": break
    keep.clear()
