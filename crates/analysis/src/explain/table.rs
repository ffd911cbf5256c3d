//! Every message that is recognised by its own wording.

mod fixed;
mod front;
mod host;
mod limits;

use super::form::{Form, LOWEST_ADDRESS, Values};
use super::message::{
    BelowLimit, BufferBeyondTensor, BuffersBeyondL1, BuffersClash, KernelLink, KernelMemory,
    Message, OutOfMemory, PersistentL1, Placeable, ProgramTooLarge, ServiceCoreClash, ShardGrid,
    StaticBuffers, SubDeviceRegion, TlbWindows, TraceActivity, TraceOverlap, TraceRegionFull,
};

/// Every form. Where two patterns match the same text, the first one counts.
pub(super) fn forms() -> impl Iterator<Item = &'static Form> {
    let whole = FORMS.iter().chain(&fixed::FORMS).chain(&host::FORMS).chain(&limits::FORMS);
    whole.chain(&front::FORMS)
}

static FORMS: [Form; 27] = [
    Form::new(
        "Statically allocated|static circular buffer region|static dataflow buffer region",
        r"Statically allocated (?P<what>circular|dataflow) buffers in program #program# clash with L1",
        &[
            r"on core range @cores@",
            r"L1 buffer allocated at #address#",
            r"buffer region ends at #end#",
        ],
        clash,
    ),
    Form::new(
        "Statically allocated",
        r"Statically allocated (?P<what>circular|dataflow) buffers(?: on core range @cores@)? grow(?: to(?: #end# ?B\b)?)?",
        &[r"beyond max L1 size of #size# ?B"],
        beyond_l1,
    ),
    Form::new(
        "service-core range",
        r"Circular buffers on service-core range @cores@ in program #program# clash",
        &[r"lowest service allocation at #address#", r"CB region ends at #end#"],
        |values| {
            Some(Message::ServiceCoreClash(ServiceCoreClash {
                cores: values.cores("cores"),
                program: values.number("program"),
                service_address: values.number("address"),
                end: values.beyond("end", values.number("address")),
            }))
        },
    ),
    Form::new(
        "Not enough space",
        r"(?:Out of Memory: )?Not enough space (?P<dependencies>after considering dependencies )?to allocate (?:#requested# ?B\b(?: %memory%(?: buffer)?)?|\d+ ?$)",
        &[
            r"across #banks# banks",
            r"(?:needs to store #stored# ?B\b|\(#share# ?B per bank\))",
            r"bank size is (?:only )?#size# ?B\b",
            r"allocated: #allocated# ?B\b",
            r"free: #free# ?B\b",
            r"largest free block: #largest# ?B\b\)?",
            r"After subtracting #ranges# dependency range\(s\) and #occupied# additional occupied range\(s\), #placeable# ?B remained placeable across #windows# window\(s\), largest #window# ?B",
            r"(?P<begun>, bu?t?\b|bank size is)",
            r"(?P<opened>\(al?l?o?c?a?t?e?d?\b)",
        ],
        out_of_memory,
    ),
    // Copies of an allocation, at its address, for the allocators of single devices.
    Form::new(
        "to mirror allocation|Failed to apply state",
        r"Failed to (?:mirror|apply state: cannot) alloc(?:ation at address #at# of size #share#|ate region \[#from#, ?#to#\) of size #size_of_region# B at address #at_address# in %memory% buffer type)",
        &[
            r"num_allocators=\d+, bank_size=#size#",
            r"total_alloc=#allocated#",
            r"total_free=#free#",
            r"largest_free=#largest#\)?",
        ],
        mirrored,
    ),
    Form::new(
        "at an address below",
        r"(?:Out of Memory: )?Cannot allocate at an address below #lowest#",
        &[r"(?:Allocation at|Tried to allocate at|Allocation ends at) #found#"],
        below_limit,
    ),
    Form::new(
        "kernel config buffer",
        r"Program size \(#size#\) too large for kernel config buffer",
        &[r" ?\(#ring#\)", r"on %processor%", r"#over# ?B over:"],
        program,
    ),
    Form::new(
        "trace buffers of size",
        r"Creating trace buffers of size",
        &[
            r" #needed# ?B\b",
            r"on (?:Mesh)?[Dd]evice #device#",
            r"but only #region# ?B is allocated for trace region",
        ],
        trace_region,
    ),
    Form::new(
        "Trace buffer at address",
        r"Trace buffer at address #address# overlaps with",
        &[
            r" (?:buffers (?P<what>allocated|deallocated) during|(?P<both>DRAM activity) during|DRAM activity captured by (?P<live>another live trace))",
            r"[Aa]llocation high water mark: #allocation#\)?",
            r"[Dd]eletion high water mark: #deletion#\)?",
            r"maximum live trace high water mark: #other#\)?",
        ],
        trace_overlap,
    ),
    Form::new(
        "active trace",
        r"Allocating device buffers is (?:potentially )?unsafe due to the existence of an active trace",
        &[],
        |_| Some(Message::TraceAllocation),
    ),
    Form::new(
        "globally allocated buffer",
        r"Cannot set to globally allocated buffer",
        &[
            r"Circular buffer size #size# ?B",
            r"exceeds allocated L1 buffer (?:bank )?size of #tensor# ?B\b",
        ],
        beyond_tensor,
    ),
    Form::new(
        "allocated L1 buffer",
        r"Circular buffer size #size# ?B exceeds allocated L1 buffer",
        &[r" (?:bank )?size of #tensor# ?B\b"],
        beyond_tensor,
    ),
    Form::new(
        "Cannot set circular buffer size",
        r"Cannot set circular buffer size to #size#",
        &[
            r"(?:This is larger than the associated dynamically allocated )?L1 buffer (?:bank )?size of #tensor# ?B\b",
        ],
        beyond_tensor,
    ),
    Form::new(
        "source circular buffer size",
        r"[Ss]ource circular buffer size \(#size# ?B\) exceeds its L1 buffer bank",
        &[r"\(#tensor# ?B\)"],
        beyond_tensor,
    ),
    Form::new(
        "its borrowed",
        r"DFB '?[^ ]{1,60}'? \(entry_size #entry# \* num_entries #entries# = #size# bytes\) is larger than (?:the per-bank allocation of )?its borrowed",
        &[r"\(#tensor# bytes\)"],
        beyond_tensor,
    ),
    Form::new(
        "Borrowed-memory DFB",
        r"Borrowed-memory DFB id #id#(?: \([^)]{0,80}\))? has total size #size# ?B",
        &[r"per-bank size of #tensor# ?B"],
        beyond_tensor,
    ),
    Form::new(
        "nvalid shard grid|nvalid DRAM shard grid",
        r"Invalid (?:DRAM )?shard grid: shard core \(#x#, ?#y#\)",
        &[r"has no %memory% bank on this device", r"which has #banks# of them"],
        shard_grid,
    ),
    Form::new(
        "number of shards",
        r"Expected number of shards #shards# to be less than or equal to total number of",
        &[r" %memory% banks #banks# "],
        shard_grid,
    ),
    Form::new(
        "bank exists for core|exceeds total numbers of banks",
        r"No %memory% bank exists for core",
        &[r"\(?x?=?#x#[,-] ?(?:y=)?#y#"],
        shard_grid,
    ),
    Form::new(
        "_MEM|_CODE|_TEXT|REGION_APP",
        r"region [`']?(?P<region>(?:TRISC\d?|N?B?RISC|NCRISC|BRISC|[A-Z]*ERISC\d?|DM\d?)_[A-Z_]+|REGION_APP_[A-Z_]+)[`'] overflowed by #over# bytes",
        &[],
        kernel_link,
    ),
    Form::new(
        "_MEM|_CODE|_TEXT|REGION_APP",
        r"(?:section [`']?\.[\w.]+[`']? )?(?:is not within|will not fit in) region [`']?(?P<region>(?:TRISC\d?|NCRISC|BRISC|[A-Z]*ERISC\d?|DM\d?)_[A-Z_]+|REGION_APP_[A-Z_]+)[`']",
        &[],
        kernel_link,
    ),
    Form::new(
        "overlaps section",
        r"section [`']?(?P<section>\.[\w.]+)[`']? (?:LMA|VMA|loaded at) \[[0-9a-f]+, ?[0-9a-f]+\] overlaps section [`']?(?P<other>\.[\w.]+)",
        &[],
        |values| {
            let region = Some(format!("{} and {}", values.text("section")?, values.text("other")?));
            Some(Message::KernelLink(KernelLink {
                processor: None,
                memory: KernelMemory::Overlap,
                region,
                over: None,
            }))
        },
    ),
    Form::new(
        "local L1 region",
        r"Sub-device #sub# local L1 region",
        &[r" ?\[#start#, #end#\)", r"exceeds allocatable worker L1 limit #limit#"],
        |values| {
            Some(Message::SubDeviceRegion(SubDeviceRegion {
                sub_device: values.number("sub"),
                start: values.number("start"),
                end: values.number("end"),
                limit: values.number("limit"),
            }))
        },
    ),
    Form::new(
        "Persistent L1 arena is out of memory",
        r"Persistent L1 arena is out of memory",
        &[r"cannot place #bytes# bytes", r"in \[#start#, #end#\)"],
        |values| {
            Some(Message::PersistentL1(PersistentL1 {
                bytes: values.number("bytes"),
                start: values.number("start"),
                end: values.number("end"),
            }))
        },
    ),
    Form::new(
        "emaphores in L1",
        r"Allocating semaphores in L1, which may fragment L1",
        &[],
        |_| Some(Message::SemaphoresInL1),
    ),
    Form::new(
        "TLB window|TLB of requested|the TLB",
        r"(?:Failed to allocate (?:a #asked# byte )?TLB window(?: of size #of_size#)?|No available TLB of requested size|Failed to allocate the TLB with size #asked_size#|Failed to map the TLB)",
        &[
            r"/sys/kernel/debug/tenstorrent/#device#/mappings",
            r".{0,100}?tt_tlb_(?:alloc|map) failed with error code (?P<error>-?\d+)",
            r"for TLB size #window_size#",
        ],
        tlb,
    ),
    Form::new(
        "tt_tlb_",
        r"tt_tlb_(?:alloc|map) failed with error code (?P<error>-?\d+)",
        &[r"for TLB size #window_size#"],
        tlb,
    ),
];

fn clash(values: &Values<'_>) -> Option<Message> {
    Some(Message::BuffersClash(BuffersClash {
        buffers: static_buffers(values),
        program: values.number("program"),
        cores: values.cores("cores"),
        l1_address: values.number("address"),
        end: values.beyond("end", values.number("address")),
    }))
}

fn beyond_l1(values: &Values<'_>) -> Option<Message> {
    Some(Message::BuffersBeyondL1(BuffersBeyondL1 {
        buffers: static_buffers(values),
        cores: values.cores("cores"),
        end: values.number("end"),
        l1_size: values.number("size"),
    }))
}

fn static_buffers(values: &Values<'_>) -> StaticBuffers {
    match values.text("kind").or(values.text("what")) {
        Some("dataflow") => StaticBuffers::Dataflow,
        Some(_) => StaticBuffers::Circular,
        None => StaticBuffers::Unnamed,
    }
}

fn out_of_memory(values: &Values<'_>) -> Option<Message> {
    let dependencies = values.has("dependencies");
    let placeable = || {
        Some(Placeable {
            bytes: values.number("placeable")?,
            windows: values.number("windows")?,
            largest: values.number("window")?,
        })
    };
    // Every release names the bytes per bank, and one that goes on beyond them goes on to the last.
    let is_begun = values.has("begun") && !values.has("size")
        || values.has("opened") && !values.has("allocated");
    let next = [", but bank size is ", " (allocated: ", ", free: ", ", largest free block: "];
    let cut = values.breaks_off(&next) && !values.has("largest")
        || (values.has("allocated") || values.has("free")) && !values.has("largest")
        || !(values.has("stored") || values.has("share"))
        || is_begun;
    let numbers = ["requested", "stored", "share", "size", "allocated", "free", "largest"];
    let is_redacted = |name: &&str| values.has(name) && values.number(name).is_none();
    let memory = OutOfMemory {
        requested: values.number("requested"),
        memory: values.word("memory").unwrap_or_default(),
        banks: values.number("banks"),
        per_bank: values.number("stored").or(values.number("share")),
        per_bank_is_least: false,
        bank_size: values.number("size"),
        allocated: values.number("allocated"),
        free: values.number("free"),
        largest_free: values.number("largest"),
        dependencies,
        placeable: placeable(),
        cut: cut || numbers.iter().any(is_redacted),
    };
    Some(Message::OutOfMemory(memory.derived()))
}

fn mirrored(values: &Values<'_>) -> Option<Message> {
    let share = values.number("share").or(values.number("size_of_region"));
    Some(Message::OutOfMemory(OutOfMemory {
        memory: values.word("memory").unwrap_or("L1".to_owned()),
        per_bank: share,
        bank_size: values.number("size"),
        allocated: values.number("allocated"),
        free: values.number("free"),
        largest_free: values.number("largest"),
        cut: share.is_none() || values.has("share") && !values.has("largest"),
        ..OutOfMemory::default()
    }))
}

fn trace_overlap(values: &Values<'_>) -> Option<Message> {
    let activity = match values.text("what") {
        Some("allocated") => TraceActivity::Allocated,
        Some(_) => TraceActivity::Deallocated,
        None if values.has("live") => TraceActivity::LiveTrace,
        None => TraceActivity::Both,
    };
    Some(Message::TraceOverlap(TraceOverlap {
        activity,
        address: values.number("address"),
        allocation_mark: values.number("allocation"),
        deletion_mark: values.number("deletion"),
        live_trace_mark: values.number("other"),
    }))
}

fn below_limit(values: &Values<'_>) -> Option<Message> {
    Some(Message::BelowLimit(BelowLimit {
        limit: values.number("lowest"),
        address: values.beyond("found", Some(LOWEST_ADDRESS)),
    }))
}

fn program(values: &Values<'_>) -> Option<Message> {
    Some(Message::ProgramTooLarge(ProgramTooLarge {
        size: values.number("size"),
        ring: values.number("ring"),
        processor: values.word("processor"),
        parts: Vec::new(),
        kernels: Vec::new(),
    }))
}

fn trace_region(values: &Values<'_>) -> Option<Message> {
    Some(Message::TraceRegionFull(TraceRegionFull {
        needed: values.number("needed"),
        region: values.number("region"),
        device: values.number("device"),
    }))
}

fn shard_grid(values: &Values<'_>) -> Option<Message> {
    let small = |name| u32::try_from(values.number(name)?).ok();
    Some(Message::ShardGrid(ShardGrid {
        core: small("x").zip(small("y")),
        shards: values.number("shards"),
        banks: values.number("banks"),
        memory: values.word("memory"),
        is_core_grid: false,
    }))
}

fn beyond_tensor(values: &Values<'_>) -> Option<Message> {
    Some(Message::BufferBeyondTensor(BufferBeyondTensor {
        size: values.number("size"),
        tensor: values.number("tensor"),
    }))
}

fn kernel_link(values: &Values<'_>) -> Option<Message> {
    let region = values.text("region")?;
    let processor = region.split('_').next()?.to_ascii_lowercase();
    let memory = if region.contains("DATA") || region.contains("LDM") || region.contains("STACK") {
        KernelMemory::LocalData
    } else {
        KernelMemory::Code
    };
    Some(Message::KernelLink(KernelLink {
        processor: (processor != "region").then_some(processor),
        memory,
        region: Some(region.to_owned()),
        over: values.number("over"),
    }))
}

fn tlb(values: &Values<'_>) -> Option<Message> {
    let sizes = ["window_size", "asked", "of_size", "asked_size"];
    Some(Message::TlbWindows(TlbWindows {
        device: values.number("device"),
        size: sizes.iter().find_map(|name| values.number(name)),
        error: values.text("error").and_then(|error| error.parse().ok()),
    }))
}
