//! Messages that were cut at the front, by a ring buffer or a limit of a line's length: each form begins later in its
//! message. Behind the cut, a number counts only if a part of the word before it is left.

use super::{
    below_limit, beyond_l1, beyond_tensor, clash, out_of_memory, program, shard_grid,
    trace_overlap, trace_region,
};
use crate::explain::form::{Form, Values};
use crate::explain::message::{Message, OutOfMemory};

/// The numbers of a refused allocation behind its banks.
const BANK: &[&str] = &[
    r"needs to store #stored# ?B\b",
    r"bank size is (?:only )?#size# ?B\b",
    r"allocated: #allocated# ?B\b",
    r"free: #free# ?B\b",
    r"largest free block: #largest# ?B\b",
];

/// The numbers of a clash behind its program.
const CLASH: &[&str] = &[
    r"on core range @cores@",
    r"L1 buffer allocated at #address#",
    r"(?P<what>circular|dataflow) buffer region ends at #end#",
];

const BEYOND: &[&str] = &[r"beyond max L1 size of #size# ?B\b"];

const TRACE: &[&str] = &[r" #region# ?B is allocated for trace region"];

pub(super) static FORMS: [Form; 28] = [
    Form::front(
        "where each bank",
        r"[a-z] #requested# ?B (?P<memory>DRAM|L1_SMALL|L1|TRACE) buffer across #banks# banks, where each bank",
        BANK,
        memory,
    ),
    Form::front(
        "where each bank",
        r"\b(?P<memory>DRAM|L1_SMALL|L1|TRACE) buffer across #banks# banks, where each bank",
        BANK,
        memory,
    ),
    Form::front("where each bank", r"[a-z] #banks# banks, where each bank", BANK, memory),
    Form::front(
        "B per bank), bank size",
        r"[a-z] #banks# banks \(#share# ?B per bank\)",
        from(BANK, 1),
        memory,
    ),
    Form::front(
        "B per bank), bank size",
        r"\(#share# ?B per bank\), bank size",
        from(BANK, 1),
        memory,
    ),
    Form::front("needs to store", r"k needs to store #stored# ?B\b", from(BANK, 1), memory),
    Form::front("bank size is", r"t bank size is (?:only )?#size# ?B\b", from(BANK, 2), memory),
    Form::front(
        "(allocated: ",
        r"[a-z] #size# ?B \(allocated: #allocated# ?B, free: #free# ?B, largest free block: #largest# ?B\)",
        &[],
        memory,
    ),
    Form::front(
        "allocated: ",
        r"allocated: #allocated# ?B, free: #free# ?B, largest free block: #largest# ?B\)",
        &[],
        memory,
    ),
    Form::front(
        "largest free block",
        r"free: #free# ?B, largest free block: #largest# ?B\)",
        &[],
        memory,
    ),
    Form::front("largest free block", r"largest free block: #largest# ?B\)", &[], memory),
    Form::front(
        "at an address below",
        r"at an address below #lowest#\. Allocation at",
        &[r" #found#"],
        below_limit,
    ),
    Form::front(
        "clash with L1",
        r"(?:(?P<kind>circular|dataflow) buffers )?in program #program# clash with L1 buffers",
        CLASH,
        clash,
    ),
    Form::front(
        "clash with L1",
        r"clash with L1 buffers on core range @cores@",
        from(CLASH, 1),
        clash,
    ),
    Form::front(
        "buffer allocated at",
        r"on core range @cores@\. L1 buffer allocated at #address#",
        from(CLASH, 2),
        clash,
    ),
    Form::front(" and static", r"\bat #address# and static", from(CLASH, 2), clash),
    Form::front(
        "buffer region ends",
        r"(?P<what>circular|dataflow) buffer region ends at #end#",
        &[],
        clash,
    ),
    Form::front(
        "which is beyond max L1",
        r"(?:(?P<kind>circular|dataflow) buffers )?on core range @cores@ grow to #end# ?B which is",
        BEYOND,
        beyond_l1,
    ),
    Form::front("which is beyond max L1", r"[a-z] #end# ?B which is", BEYOND, beyond_l1),
    Form::front("beyond max L1", r"beyond max L1 size of #size# ?B\b", &[], beyond_l1),
    Form::front(
        "kernel config buffer",
        r"size \(#size#\) too large for kernel config buffer",
        &[r" ?\(#ring#\)", r"on %processor%", r"#over# ?B over:"],
        program,
    ),
    Form::front(
        "kernel config buffer",
        r"too large for kernel config buffer \(#ring#\)",
        &[r"on %processor%", r"#over# ?B over:"],
        program,
    ),
    Form::front(
        "for trace region",
        r"size #needed# ?B on (?:Mesh)?[Dd]evice #device#, but only",
        TRACE,
        trace_region,
    ),
    Form::front("for trace region", r"[Dd]evice #device#, but only", TRACE, trace_region),
    Form::front(
        "for trace region",
        r"[a-z] #region# ?B is allocated for trace region",
        &[],
        trace_region,
    ),
    Form::front(
        "high water mark",
        r"overlaps with (?:buffers (?P<what>allocated|deallocated) during|(?P<both>DRAM activity) during|DRAM activity captured by (?P<live>another live trace))",
        &[
            r"[Aa]llocation high water mark: #allocation#\)?",
            r"[Dd]eletion high water mark: #deletion#\)?",
            r"maximum live trace high water mark: #other#\)?",
        ],
        trace_overlap,
    ),
    Form::front(
        "bank on this device",
        r"has no %memory% bank on this device, which has #banks# of them",
        &[],
        shard_grid,
    ),
    Form::front(
        "exceeds allocated L1 buffer",
        r"exceeds allocated L1 buffer (?:bank )?size of #tensor# ?B\b",
        &[],
        beyond_tensor,
    ),
];

/// Parts from one on.
const fn from(parts: &'static [&'static str], first: usize) -> &'static [&'static str] {
    parts.split_at(first).1
}

fn memory(values: &Values<'_>) -> Option<Message> {
    match out_of_memory(values)? {
        Message::OutOfMemory(memory) => {
            Some(Message::OutOfMemory(OutOfMemory { cut: true, ..memory }))
        }
        _ => None,
    }
}
