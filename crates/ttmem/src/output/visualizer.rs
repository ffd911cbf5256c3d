//! A folder for ttnn-visualizer: `db.sqlite` with devices, operations, and the buffers and circular buffers of each operation,
//! and `config.json` with the report's name. The tables are those that ttnn 0.81.1 writes (`ttnn/graph_report.py`) and
//! ttnn-visualizer 0.108 reads (`models.py`).

mod sqlite;

use serde_json::{Value as Json, json};
use ttmem_analysis::run_report::{OpSpan, live_after, op_spans};
use ttmem_model::order;
use ttmem_segment::{AllocatorKind, BufferLayout, PartKind, Segment};

use self::sqlite::{Database, Table, Value};

use crate::output::json;

/// The most rows of buffers. The newest operations have theirs.
const MAX_ROWS: u64 = 2_000_000;

/// Tables that ttnn-visualizer asks for and that an agent has nothing for.
const EMPTY: [(&str, &str); 10] = [
    ("operation_arguments", "operation_id int, name text, value text"),
    (
        "tensors",
        "tensor_id int, shape text, dtype text, layout text, memory_config text, device_id int, address int, buffer_type int",
    ),
    ("device_tensors", "tensor_id int, device_id int, address int"),
    ("stack_traces", "operation_id int, stack_trace text"),
    ("input_tensors", "operation_id int, input_index int, tensor_id int"),
    ("output_tensors", "operation_id int, output_index int, tensor_id int"),
    (
        "errors",
        "operation_id int, operation_name text, error_type text, error_message text, stack_trace text, timestamp text",
    ),
    (
        "local_tensor_comparison_records",
        "tensor_id int, golden_tensor_id int, matches int, desired_pcc float, actual_pcc float",
    ),
    (
        "global_tensor_comparison_records",
        "tensor_id int, golden_tensor_id int, matches int, desired_pcc float, actual_pcc float",
    ),
    (
        "buffer_pages",
        "operation_id int, device_id int, address int, core_y int, core_x int, bank_id int, page_index int, \
         page_address int, page_size int, buffer_type int",
    ),
];

const DEVICE_COLUMNS: &str = "device_id int, num_y_cores int, num_x_cores int, num_y_compute_cores int, \
    num_x_compute_cores int, worker_l1_size int, l1_num_banks int, l1_bank_size int, address_at_first_l1_bank int, \
    address_at_first_l1_cb_buffer int, num_banks_per_storage_core int, num_compute_cores int, num_storage_cores int, \
    total_l1_memory int, total_l1_for_tensors int, total_l1_for_interleaved_buffers int, \
    total_l1_for_sharded_buffers int, cb_limit int";

/// The files of a report, by name.
#[derive(Debug)]
pub(crate) struct Folder {
    /// `db.sqlite`.
    pub(crate) database: Vec<u8>,
    /// `config.json`.
    pub(crate) config: String,
    /// Operations whose buffers are left out, because there are too many rows.
    pub(crate) without_buffers: usize,
}

/// Makes the folder of one process.
///
/// # Errors
/// If the configuration cannot be written as JSON, or the schema is too long for the database.
pub(crate) fn folder(segment: &Segment, title: &str) -> Result<Folder, String> {
    let spans = op_spans(segment);
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order::sort_by_key(&mut order, |index| (spans[*index].last_event, spans[*index].from_us));
    let mut ids = vec![0_u64; spans.len()];
    for (id, index) in (1..).zip(&order) {
        ids[*index] = id;
    }
    let skipped = skipped(segment, &spans, &ids);
    let mut database = Database::new();
    database.table("devices", DEVICE_COLUMNS, |table| devices(segment, table));
    database.table("operations", "operation_id int, name text, duration float", |table| {
        for index in &order {
            let span = &spans[*index];
            #[expect(
                clippy::cast_precision_loss,
                reason = "microseconds of a call are far below 2^53"
            )]
            let seconds = span.to_us.saturating_sub(span.from_us) as f64 / 1e6;
            table.row(&[ids[*index].into(), Value::Text(&span.op), Value::Real(seconds)]);
        }
    });
    let columns = "operation_id int, device_id int, address int, max_size_per_bank int, buffer_type int, buffer_layout int";
    database.table("buffers", columns, |table| buffers(segment, &spans, &ids, skipped, table));
    database.table("captured_graph", "operation_id int, captured_graph text", |table| {
        for index in &order {
            let graph = graph(segment, &spans[*index]).to_string();
            table.row(&[ids[*index].into(), Value::Text(&graph)]);
        }
    });
    database.table("report_metadata", "key text, value text", |table| {
        table.row(&[
            Value::Text("generator"),
            Value::Text(concat!("ttmem ", env!("CARGO_PKG_VERSION"))),
        ]);
    });
    for (name, columns) in EMPTY {
        database.table(name, columns, |_| {});
    }
    let config =
        json!({ "report_name": title, "generator": concat!("ttmem ", env!("CARGO_PKG_VERSION")) });
    Ok(Folder {
        database: database.finish().ok_or("the schema does not fit in a page")?,
        config: json::text(&config, json::Layout::Pretty).map_err(|error| error.to_string())?,
        without_buffers: usize::try_from(skipped.saturating_sub(1)).unwrap_or(usize::MAX),
    })
}

/// Returns the first operation that has buffers, so that there are not too many rows.
fn skipped(segment: &Segment, spans: &[OpSpan], ids: &[u64]) -> u64 {
    let mut counts = vec![0_u64; spans.len() + 1];
    live_after(segment, spans, |span, live| {
        let chips =
            live.map(|live_buffer| device_ids(segment, live_buffer.allocator).count() as u64);
        if let Some(count) = usize::try_from(ids[span]).ok().and_then(|id| counts.get_mut(id)) {
            *count = chips.sum();
        }
    });
    let mut rows = 0_u64;
    let fit = counts.iter().rev().take_while(|count| {
        rows = rows.saturating_add(**count);
        rows <= MAX_ROWS
    });
    (counts.len() - fit.count()) as u64
}

fn devices(segment: &Segment, table: &mut Table<'_>) {
    for (index, chip) in segment.chips.iter().enumerate() {
        let allocators = segment.allocators.iter().filter(|one| one.chips.contains(&index));
        // The mesh's allocator has the most of L1: that of the device repeats it, sub-devices have a part.
        let largest = allocators.max_by_key(|one| one.kind(AllocatorKind::L1).banks);
        let known = |read: fn(&ttmem_segment::Allocator) -> Option<u64>| {
            Value::from(largest.and_then(read))
        };
        let l1_for_tensors = |one: &ttmem_segment::Allocator| {
            let l1 = one.kind(AllocatorKind::L1);
            Some(l1.banks * one.l1_size?.saturating_sub(one.l1_base?))
        };
        table.row(&[
            u64::from(chip.device).into(),
            Value::Null,
            Value::Null,
            known(|one| Some(u64::from(one.grid?.1))),
            known(|one| Some(u64::from(one.grid?.0))),
            known(|one| one.l1_size),
            known(|one| Some(one.kind(AllocatorKind::L1).banks)),
            known(|one| Some(one.l1_size?.saturating_sub(one.l1_base?))),
            known(|one| one.l1_base),
            known(|one| one.l1_base),
            Value::Integer(1),
            known(|one| Some(u64::from(one.grid?.0) * u64::from(one.grid?.1))),
            Value::Integer(0),
            known(|one| Some(one.kind(AllocatorKind::L1).banks * one.l1_size?)),
            known(l1_for_tensors),
            known(l1_for_tensors),
            known(l1_for_tensors),
            known(|one| Some(one.l1_size?.saturating_sub(one.l1_base?))),
        ]);
    }
}

/// TT-Metal's numbers of the chips of an allocator.
fn device_ids(segment: &Segment, allocator: u8) -> impl Iterator<Item = u64> {
    let found = segment.allocators.iter().find(|one| one.index == allocator);
    let chips = found.map(|one| one.chips.as_slice()).unwrap_or_default();
    chips.iter().filter_map(|index| Some(u64::from(segment.chips.get(*index)?.device)))
}

fn buffers(segment: &Segment, spans: &[OpSpan], ids: &[u64], skipped: u64, table: &mut Table<'_>) {
    live_after(segment, spans, |span, live| {
        if ids[span] < skipped {
            return;
        }
        for live_buffer in live {
            let allocator =
                segment.allocators.iter().find(|one| one.index == live_buffer.allocator);
            let size = allocator.map_or(live_buffer.footprint.bytes_per_bank, |one| {
                live_buffer.footprint.size_per_bank(one)
            });
            for device in device_ids(segment, live_buffer.allocator) {
                table.row(&[
                    ids[span].into(),
                    device.into(),
                    live_buffer.address.into(),
                    size.into(),
                    Value::Integer(buffer_type(live_buffer.footprint.kind)),
                    layout(live_buffer.footprint.layout),
                ]);
            }
        }
    });
}

/// The number of a kind in `tt::tt_metal::BufferType`.
fn buffer_type(kind: AllocatorKind) -> i64 {
    match kind {
        AllocatorKind::Dram => 0,
        AllocatorKind::L1 => 1,
        AllocatorKind::L1Small => 3,
        AllocatorKind::Trace => 4,
    }
}

/// The number of a layout in `tt::tt_metal::TensorMemoryLayout`.
fn layout(layout: BufferLayout) -> Value<'static> {
    match layout {
        BufferLayout::Interleaved => Value::Integer(0),
        BufferLayout::SingleBank => Value::Integer(1),
        BufferLayout::HeightSharded => Value::Integer(2),
        BufferLayout::WidthSharded => Value::Integer(3),
        BufferLayout::BlockSharded => Value::Integer(4),
        BufferLayout::NdSharded | BufferLayout::Unknown => Value::Null,
    }
}

/// The graph of an operation, as ttnn's graph capture writes it: the op, and the circular buffers of its programs.
fn graph(segment: &Segment, span: &OpSpan) -> Json {
    let mut nodes = vec![
        json!({ "counter": 0, "node_type": "capture_start", "params": {}, "connections": [1] }),
        json!({ "counter": 1, "node_type": "function_start", "params": { "inputs": "0", "name": span.op }, "connections": [] }),
    ];
    for index in &span.footprints {
        let Some(footprint) = segment.programs.footprints.iter().find(|one| one.index == *index)
        else {
            continue;
        };
        let chips = footprint.chips.iter().filter_map(|chip| segment.chips.get(*chip));
        let device = chips.map(|chip| chip.device).min().unwrap_or_default();
        let parts = footprint.placements.iter();
        for part in parts.filter(|part| part.kind != PartKind::Kernel) {
            let ((x1, y1), (x2, y2)) = (part.cores.start, part.cores.end);
            let counter = nodes.len();
            nodes.push(json!({
                "counter": counter,
                "node_type": "circular_buffer_allocate",
                "params": {
                    "address": part.address.to_string(),
                    "size": part.bytes.to_string(),
                    "core_range_set": format!("{{[(x={x1},y={y1}) - (x={x2},y={y2})]}}"),
                    "globally_allocated": if part.is_backed { "1" } else { "0" },
                    "device_id": device.to_string(),
                },
                "connections": [],
            }));
        }
    }
    let inner: Vec<usize> = (2..nodes.len()).collect();
    let end = nodes.len();
    if let Some(start) = nodes.get_mut(1) {
        start["connections"] = inner.into_iter().chain([end]).collect();
    }
    nodes.push(json!({ "counter": end, "node_type": "function_end", "params": { "name": span.op }, "connections": [end + 1] }));
    nodes.push(
        json!({ "counter": end + 1, "node_type": "capture_end", "params": {}, "connections": [] }),
    );
    Json::Array(nodes)
}
