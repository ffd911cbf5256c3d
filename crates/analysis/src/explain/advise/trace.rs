//! Traces: their region is full, they overlap buffers, or buffers are allocated while one is live.

use super::{
    Context, Fit, Verdict, advice, contradictory, contradicts, excess, figure, short_by, size,
};
use crate::explain::message::{TraceActivity, TraceOverlap, TraceRegionFull};
use crate::explain::release;
use crate::explain::units::{self, bytes};

/// The cost of traces without a region.
pub(super) const DYNAMIC: &str = "With trace_region_size=0 (the default, 0.69 and later) traces are in ordinary DRAM and \
    need no size. The cost: a capture is refused if DRAM buffers that it allocates or frees reach the trace's addresses.";

/// A remedy where something is set aside, so that a live trace can have it.
const RELEASE_FIRST: &str =
    "Release traces that are no longer replayed, before the capture: ttnn.release_trace.";

pub(super) fn region_full(trace: &TraceRegionFull, context: &Context<'_>) -> Verdict {
    let title = "The traces do not fit in the trace region".to_owned();
    let device = trace.device.map(|device| figure("device", format!("mesh device {device}")));
    let list =
        [size("all live traces", trace.needed), size("trace_region_size", trace.region), device];
    let mut figures: Vec<_> = list.into_iter().flatten().collect();
    if contradicts(trace.needed, trace.region) {
        return contradictory(&title, figures);
    }
    let over = excess(trace.needed, trace.region);
    short_by(&mut figures, over, "");
    let cost = match context.release.map(release::trace_region_is_per_bank) {
        Some(true) => " This release sets that much aside in each DRAM bank, not in all together.",
        Some(false) => " It is taken from DRAM, evenly from every bank.",
        None => {
            " It is taken from DRAM: from 0.76 on that much in all, up to 0.72 that much in each bank."
        }
    };
    let larger = match trace.needed {
        Some(needed) => format!("trace_region_size={needed} or more"),
        None => "a larger trace_region_size".to_owned(),
    };
    let mut advice = vec![
        advice(format!("Open the device with {larger}.{cost}"), trace.needed),
        advice(RELEASE_FIRST, over),
        advice("Capture less in one trace: fewer ops, or fewer iterations of a loop.", None),
        advice(DYNAMIC, None),
    ];
    if trace.region == Some(0) {
        advice.retain(|advice| advice.text != RELEASE_FIRST);
    }
    Verdict {
        title: over
            .map_or(title.clone(), |over| format!("{title}: {} are missing", bytes(over))),
        meaning: "A trace's commands are copied to a region of DRAM that trace_region_size sets aside when the device \
                  is opened. All traces that are live count together, the new one included; the sizes are of the whole \
                  device, not of one bank."
            .to_owned(),
        fit: if trace.region == Some(0) { Fit::NoRegion } else { Fit::Full },
        over,
        figures,
        advice,
        blockers: Vec::new(),
    }
}

pub(super) fn overlap(trace: &TraceOverlap) -> Verdict {
    let marks = [trace.allocation_mark, trace.deletion_mark, trace.live_trace_mark];
    let mark = marks.into_iter().flatten().max();
    let address = |name, value: Option<u64>| value.map(|value| figure(name, units::address(value)));
    let list = [
        address("address of the trace", trace.address),
        address("allocations reached", trace.allocation_mark),
        address("freed buffers reached", trace.deletion_mark),
        address("another live trace reaches", trace.live_trace_mark),
    ];
    let mut figures: Vec<_> = list.into_iter().flatten().collect();
    let title = "A trace overlaps DRAM buffers of its capture";
    if contradicts(mark, trace.address) {
        return contradictory(title, figures);
    }
    let over = excess(mark, trace.address);
    if let Some(over) = over {
        figures.insert(0, figure("too low by", bytes(over)));
    }
    let placed = trace
        .address
        .map_or("too low".to_owned(), |address| format!("at {}", units::address(address)));
    let reached =
        mark.map_or("higher".to_owned(), |mark| format!("up to {}", units::address(mark)));
    let (what, act) = match trace.activity {
        TraceActivity::Allocated => (
            "buffers allocated during the capture",
            "Allocate less while capturing: create inputs, outputs and caches before ttnn.begin_trace_capture.",
        ),
        TraceActivity::Deallocated => (
            "buffers freed during the capture",
            "Free no DRAM buffer while capturing: keep references until ttnn.end_trace_capture, and allocate inputs, outputs and caches before ttnn.begin_trace_capture.",
        ),
        TraceActivity::Both => (
            "buffers allocated and freed during the capture",
            "Allocate and free less DRAM while capturing: create inputs, outputs and caches before ttnn.begin_trace_capture.",
        ),
        TraceActivity::LiveTrace => (
            "buffers that another live trace uses",
            "Release the other trace first: ttnn.release_trace.",
        ),
    };
    Verdict {
        title: over.map_or(title.to_owned(), |over| {
            format!("{title}: it was placed {} too low", bytes(over))
        }),
        meaning: format!(
            "With trace_region_size=0 a trace is placed in free DRAM, as high as possible, and its replay must not \
             overwrite it. It was placed {placed}, but {what} reached {reached}: DRAM is too full, or too much of it is used \
             while capturing. Addresses are of one DRAM bank."
        ),
        fit: Fit::Blocked,
        over,
        figures,
        advice: vec![
            advice(
                "Open the device with a non-zero trace_region_size: traces then have DRAM of their own. The refusal of a trace that does not fit names the size needed.",
                None,
            ),
            advice(act, over),
            advice(
                if trace.activity == TraceActivity::LiveTrace {
                    "Allocate less in DRAM before the capture: the trace is then placed higher."
                } else {
                    "Release other live traces (ttnn.release_trace) and free DRAM before the capture: the trace is then placed higher."
                },
                None,
            ),
        ],
        blockers: Vec::new(),
    }
}

pub(super) fn allocation() -> Verdict {
    Verdict {
        title: "Device buffers are allocated while a trace is live".to_owned(),
        meaning: "This is not an out-of-memory error, but a cause of wrong results or a hang at replay. A trace is \
                  replayed with the addresses of its capture, and its intermediate buffers were freed after it. A buffer \
                  that is allocated now may be there: a replay overwrites it."
            .to_owned(),
        fit: Fit::Warning,
        over: None,
        figures: Vec::new(),
        advice: vec![
            advice("Allocate what outlives the capture before ttnn.begin_trace_capture, and copy into it.", None),
            advice("Release the trace first (ttnn.release_trace) and capture it again afterwards.", None),
            advice("Run with TT_METAL_TRACE_ALLOC_TRACKING=1 (0.80 and later): TT-Metal then names each buffer that a replay would overwrite. `ttmem run --report` lists every allocation with its op.", None),
        ],
        blockers: Vec::new(),
    }
}
