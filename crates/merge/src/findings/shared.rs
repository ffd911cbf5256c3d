//! Slots of regions that several processes share.

use ttmem_model::Pid;
use ttmem_model::finding::{Finding, Severity};

use super::super::join::{Joined, JoinedChip, Owner};
use super::super::memory::{Amounts, SlotLink, Usage};
use super::Subject;

/// Finds slots that count several processes together.
pub(super) fn find(joined: &Joined<'_>, chip: &JoinedChip, amounts: &Amounts) -> Vec<Finding> {
    // If every process in the slot has an agent, each is counted exactly.
    let has_rest =
        |usage: &&Usage| usage.is_shared && !usage.slots.is_empty() && usage.agent.is_none();
    amounts
        .held
        .iter()
        .filter(has_rest)
        .filter(|usage| !usage.is_gone())
        .map(|usage| finding(joined, chip, amounts, usage))
        .collect()
}

fn finding(joined: &Joined<'_>, chip: &JoinedChip, amounts: &Amounts, usage: &Usage) -> Finding {
    let index = chip.index;
    let by_slot = |link: &SlotLink| joined.sharers(link.region, link.slot);
    let pids: Vec<String> = usage.slots.iter().flat_map(by_slot).map(Pid::to_string).collect();
    let (text, remedy) = match usage.holder {
        Owner::Outside { pid, .. } if pids.is_empty() => (
            format!(
                "the region of chip {index} counts more for process {pid} outside this namespace than its agent: another process of \
                 that number may share its slot, or the region drifted"
            ),
            "the chip's sum is approximate, with the region's figure; run ttmem on the host to see the processes",
        ),
        _ => (
            format!(
                "processes {} have one number in containers of their own, and TT-Metal counts them in one slot of chip {index}'s region",
                pids.join(", ")
            ),
            if amounts.held.iter().any(|one| one.is_shared && one.agent.is_some()) {
                "the chip's sum is approximate, and a process without an agent has what the slot has beyond the agents' counts; \
                 start every one with ttmem run"
            } else {
                "the chip's sum is approximate, and what each of them has is not known; start them with ttmem run"
            },
        ),
    };
    Subject::chip(chip).finding("slot-shared", Severity::Info, text, remedy)
}
