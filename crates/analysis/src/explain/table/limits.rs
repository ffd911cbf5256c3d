//! Messages about grids, shards, semaphores and settings that the chip, the tensor or the device's memory does not have.

use crate::explain::form::{Form, Values};
use crate::explain::message::{
    HugePageRegion, KernelLink, KernelMemory, Message, OutOfMemory, ProgramTooLarge, SemaphoreIds,
    ShardCount, ShardGrid, TraceRegionFull, WorkerL1Size,
};

pub(super) static FORMS: [Form; 14] = [
    Form::new(
        "umber of shards along",
        r"Number of shards along (?P<dimension>height|width)(?: #shards#)?",
        &[
            r"must not exceed (?:number of|core grid) (?P<of>cores|rows|columns|height|width)(?: #limit#)?",
        ],
        |values| {
            Some(Message::ShardCount(ShardCount {
                dimension: values.word("dimension")?,
                shards: values.number("shards"),
                limit: values.number("limit"),
                of: match values.text("of") {
                    Some("height") => "rows".to_owned(),
                    Some("width") => "columns".to_owned(),
                    Some(of) => of.to_owned(),
                    None => "cores".to_owned(),
                },
            }))
        },
    ),
    Form::new(
        "Bounds-Error",
        r"Bounds-Error -- Logical_core=\(?(?:x=)?#x#[,-] ?(?:y=)?#y#\)? is outside of logical_grid_size=",
        &[r"\(?(?:x=)?#columns#[,-] ?(?:y=)?#rows#"],
        |values| {
            let rows = values.number("rows");
            let banks = values.number("columns").zip(rows);
            // DRAM has one row of banks; a grid of worker cores has more.
            let memory = rows.map(|rows| if rows == 1 { "DRAM" } else { "L1" }.to_owned());
            let banks = banks.and_then(|(columns, rows)| columns.checked_mul(rows));
            Some(core_grid(values, banks, memory))
        },
    ),
    Form::new(
        "No core coordinate found",
        r"No core coordinate found at location: \(#x#, #y#, (?P<type>TENSIX|DRAM), LOGICAL\)",
        &[],
        |values| {
            let memory = if values.text("type") == Some("DRAM") { "DRAM" } else { "L1" };
            Some(core_grid(values, None, Some(memory.to_owned())))
        },
    ),
    // From 0.76 on programs are checked before they are made.
    Form::new(
        "which is out of bounds",
        r"targets node \(#x#, ?#y#\), which is out of bounds",
        &[r"worker grid on this device is #columns#x#rows#"],
        |values| {
            let grid = values.number("columns").zip(values.number("rows"));
            let banks = grid.and_then(|(columns, rows)| columns.checked_mul(rows));
            Some(core_grid(values, banks, Some("L1".to_owned())))
        },
    ),
    Form::new(
        "number of semaphores|semaphore ID|semaphore id|Semaphore id|semaphore slot|initialize semaphore|program semaphores|a core has|a core supports|needs a semaphore",
        r"(?:Cannot add semaphore on core @cores@\. Max number of semaphores \(#limit#\) reached|No available semaphore (?:ID|id) for|Ran out of semaphore IDs on|No free L1 semaphore slot(?: \(per-core #slots# limit\))?|Unable to initialize semaphores? on .{1,80}?(?:: all #all# IDs are in use|$)|#wanted# program semaphores per combine core exceed the #has# a core has|needs #more# (?:handoff )?semaphores\b.{1,80}? a core (?:has|supports) #supports#|needs a semaphore, but #used# are already allocated|Semaphore id #id# exceeds max value #last#)",
        &[],
        |values| {
            let last = values.number("last").and_then(|last| last.checked_add(1));
            Some(Message::SemaphoreIds(SemaphoreIds {
                cores: values.cores("cores"),
                limit: ["limit", "slots", "all", "has", "supports"]
                    .iter()
                    .find_map(|name| values.number(name))
                    .or(last),
            }))
        },
    ),
    Form::new(
        "Reserved size must be less than",
        r"Reserved size must be less than bank size",
        &[],
        |_| Some(Message::ReservedTooLarge),
    ),
    Form::new(
        "device opened with worker_l1_size",
        r"(?P<op>[a-z]\w{2,60}) needs the device opened with worker_l1_size <= #limit#",
        &[r".{0,120}?allocator base is at #base#", r"needs it at #needed#"],
        |values| {
            Some(Message::WorkerL1Size(WorkerL1Size {
                op: values.word("op"),
                limit: values.number("limit"),
                base: values.number("base"),
                needed: values.number("needed"),
            }))
        },
    ),
    Form::new(
        "auxiliary region exhausted",
        r"Hugepage auxiliary region exhausted: requested #requested# bytes",
        &[r"#used# of #size# used"],
        |values| {
            Some(Message::HugePageRegion(HugePageRegion {
                requested: values.number("requested"),
                used: values.number("used"),
                size: values.number("size"),
            }))
        },
    ),
    // The loader's refusal of a kernel that was linked.
    Form::new(
        "overflows region",
        r"(?:(?P<processor>brisc|ncrisc|trisc\d|erisc\d?|dm\d)[^ ]{0,120} )?segment\[#segment#\] \[#at#, ?\+#length#\) overflows region:(?P<region>[\w.]+) limit of #limit#",
        &[r"reduce the size of (?P<what>[\w.]+(?: [\w.]+)?)"],
        |values| {
            Some(Message::KernelLink(KernelLink {
                processor: values.word("processor"),
                memory: KernelMemory::Code,
                region: values.word("region"),
                over: None,
            }))
        },
    ),
    // Conditions of TT-Metal's checks: all that a shortened log has of a message.
    Form::new(
        "get_trace_buffers_size",
        r"get_trace_buffers_size\(\) <= trace_region_size",
        &[],
        |_| Some(Message::TraceRegionFull(TraceRegionFull::default())),
    ),
    Form::new(
        "trace-region capacity",
        r"[Cc]ommand-list buffers exceed the configured trace-region capacity",
        &[],
        |_| Some(Message::TraceRegionFull(TraceRegionFull::default())),
    ),
    Form::new("state.offset <", r"program\.cpp:\d+: state\.offset <=? max_size", &[], |_| {
        Some(Message::ProgramTooLarge(ProgramTooLarge::default()))
    }),
    Form::new("num_compute_banks", r"num_shards\.value\(\) <= num_compute_banks", &[], |_| {
        let memory = Some("L1".to_owned());
        Some(Message::ShardGrid(ShardGrid { memory, ..ShardGrid::default() }))
    }),
    Form::new(
        "bank_manager.cpp",
        r"bank_manager\.cpp:\d+: (?:false|address\.has_value\(\)|tt::exception)",
        &[],
        |_| Some(Message::OutOfMemory(OutOfMemory { cut: true, ..OutOfMemory::default() })),
    ),
];

fn core_grid(values: &Values<'_>, banks: Option<u64>, memory: Option<String>) -> Message {
    let small = |name| u32::try_from(values.number(name)?).ok();
    Message::ShardGrid(ShardGrid {
        core: small("x").zip(small("y")),
        shards: None,
        banks,
        memory,
        is_core_grid: true,
    })
}
