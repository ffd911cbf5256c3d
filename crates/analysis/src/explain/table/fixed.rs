//! Messages about limits that no tensor has a part in.

use crate::explain::fixed::{Fixed, FixedLimit};
use crate::explain::form::{Form, Values};
use crate::explain::message::{Message, OpLimit, OpUnit, PinFailed};

pub(super) static FORMS: [Form; 17] = [
    Form::new(
        "otal channel size",
        r"Total channel size(?: of)? #need#(?: ?B\b)? exceeds available",
        &[r" space(?: of)? #limit#"],
        |values| Some(limit(Fixed::FabricChannels, values)),
    ),
    Form::new(
        "buffer slot configuration|slot capacity",
        r"(?:Failed to find suitable buffer slot configuration|Fabric channel allocation exceeds its slot capacity)",
        &[r".{0,240}?Available space: #limit# ?bytes"],
        |values| Some(limit(Fixed::FabricChannels, values)),
    ),
    Form::new(
        "Leg::create",
        r"(?:H2D|D2H)Leg::create: #page# ?B (?:page|payload) x #pages# ring pages exceeds the",
        &[r" #arena# KiB arena"],
        |values| {
            let need = values.number("page").zip(values.number("pages"));
            let arena = values.number("arena").and_then(|arena| arena.checked_mul(1024));
            Some(numbers(
                Fixed::HostArena,
                need.and_then(|(page, pages)| page.checked_mul(pages)),
                arena,
            ))
        },
    ),
    Form::new(
        "H2HSocket: region",
        r"H2HSocket: region is #limit# ?B but #cores# cores need at least",
        &[r" #need# ?B\b"],
        |values| Some(limit(Fixed::HostArena, values)),
    ),
    Form::new(
        "page-rounded",
        r"ring is #ring# ?B \(#need# ?B page-rounded\) but an arena slot is only",
        &[r" #limit# ?B\b"],
        |values| Some(limit(Fixed::HostArena, values)),
    ),
    Form::new(
        "max_total_pin_size",
        r"need #need# MiB but the driver's max_total_pin_size is #limit# MiB",
        &[],
        |values| {
            let size = values.number("need").and_then(|size| size.checked_mul(1 << 20));
            let error = format!("max_total_pin_size is {} MiB", values.text("limit")?);
            Some(Message::PinFailed(PinFailed { size, device: None, error: Some(error) }))
        },
    ),
    Form::new(
        "but the driver allows",
        r"cores need #pins# pins (?:\([^)]{0,60}\) )?but the driver allows #limit#",
        &[],
        |values| {
            let (pins, limit) = (values.text("pins")?, values.text("limit")?);
            let error = Some(format!("{pins} pins needed, {limit} allowed"));
            Some(Message::PinFailed(PinFailed { size: None, device: None, error }))
        },
    ),
    Form::new(
        "runtime args targeting kernel",
        r"#need#(?P<bytes> Bytes)? unique\+common runtime args targeting kernel (?P<name>\S{1,200}) on .{1,40}? are too large",
        &[r".{0,80}?Max allowable(?: size)? is #limit#"],
        |values| {
            let is_bytes = values.has("bytes");
            Some(limit(if is_bytes { Fixed::RuntimeArgBytes } else { Fixed::RuntimeArgs }, values))
        },
    ),
    Form::new(
        "prefetcher command",
        r"unique runtime args \(#payload# ?B payload -> #need# ?B prefetcher command\) exceed the max prefetch command size",
        &[r" \(#limit# ?B\)"],
        |values| Some(limit(Fixed::RuntimeArgBytes, values)),
    ),
    // A counter of 16 bits: entries, not bytes.
    Form::new(
        "DFB",
        r"DFB (?P<name>\S{1,60}): (?:capacity|num_entries) \(?#need#\)? exceeds the maximum",
        &[r" \(?#limit#"],
        |values| Some(limit(Fixed::Entries, values)),
    ),
    Form::new(
        "per-receiver page|lobal cb|lobal_cb",
        r"(?:[Tt]ensor prefetcher: (?:GCB per-receiver fifo size|target per-receiver capacity) \(#limit# B\) must be at least one full per-receiver page|largest tensor #tensor# must fit in global cb|reader_cb_size #reader# must not be larger than global cb|global_cb (?:requires a two-page streaming window: )?size #size# holds #held# whole in1 K-block pages of #page# B)",
        &[r"needs? at least #pages#", r" (?:\(#need# B\)|#capacity#)"],
        |values| {
            let pages = values.number("page").zip(values.number("pages"));
            let need = ["need", "tensor", "reader"].iter().find_map(|name| values.number(name));
            Some(numbers(
                Fixed::GlobalBuffer,
                need.or(pages.and_then(|(page, pages)| page.checked_mul(pages))),
                ["limit", "size", "capacity"].iter().find_map(|name| values.number(name)),
            ))
        },
    ),
    // tt-mlir's plan of a function: that of L1 is an op's own check.
    Form::new(
        "memory usage",
        r"required (?P<dram>DRAM )?memory usage #need# exceeds memory (?:capacity|size)",
        &[r" #capacity#"],
        |values| {
            let (need, limit) = (values.number("need"), values.number("capacity"));
            Some(match values.has("dram") {
                true => numbers(Fixed::CompiledDram, need, limit),
                false => Message::OpLimit(OpLimit {
                    op: None,
                    need,
                    limit,
                    is_warning: false,
                    unit: OpUnit::Bytes,
                    cut: limit.is_none(),
                }),
            })
        },
    ),
    Form::new(
        "ValueError: ",
        r"ValueError: (?:No available memory for the cache blocks|To serve at least one request with the models?'s max seq len \(#need#\)|The model's max seq len \(#need_of_old#\) is larger than the maximum number of tokens that can be stored in KV cache)",
        &[r"(?:.{0,240}?estimated maximum model length is|\() ?#capacity#"],
        |values| {
            let need = values.number("need").or(values.number("need_of_old"));
            Some(numbers(Fixed::KvCache, need, values.number("capacity")))
        },
    ),
    Form::new(
        "still have local allocations",
        r"Cannot switch sub device managers while sub devices still have local allocations",
        &[],
        |values| Some(limit(Fixed::SubDeviceSwitch, values)),
    ),
    Form::new(
        "shm_open()|) failed for mutex",
        r"(?:shm_open|ftruncate|mmap)\(\) failed for mutex (?P<name>[\w.-]{1,80}(?: errno: -?\d+)?)",
        &[],
        |values| Some(limit(Fixed::SharedFile, values)),
    ),
    Form::new(
        "shared memory",
        r"Failed to (?:create|set) shared memory(?: size)?:? (?P<name>[^:]{1,80}(?:: [A-Z][a-z ]{3,60}\b)?)",
        &[],
        |values| Some(limit(Fixed::SharedFile, values)),
    ),
    Form::new(
        "DRAM downgrade|downgrading to DRAM",
        r"(?P<name>ttnn[.:]+\w{2,40}): (?P<reason>[^;]{2,160}); (?:DRAM downgrade|downgrading to DRAM)",
        &[],
        |values| {
            // An op that names what it needs is one of `op_limit`.
            let is_own = values.text("reason").is_some_and(|reason| !reason.contains("L1 budget"));
            is_own.then(|| limit(Fixed::DramOutput, values))
        },
    ),
];

fn limit(what: Fixed, values: &Values<'_>) -> Message {
    Message::FixedLimit(FixedLimit {
        what,
        need: values.number("need"),
        limit: values.number("limit"),
        name: values.word("name"),
    })
}

fn numbers(what: Fixed, need: Option<u64>, limit: Option<u64>) -> Message {
    Message::FixedLimit(FixedLimit { what, need, limit, name: None })
}
