//! The rules that make readings, each with its sources.

use ttmem_model::SourceName::{self, Agent, Kmd, L1, Upstream};

/// A rule that makes a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name.
    pub name: &'static str,
    /// One sentence.
    pub text: &'static str,
    /// The sources that can give the number, the best first; none of a number of ttmem's own.
    pub sources: &'static [SourceName],
}

macro_rules! rules {
    ($($constant:ident = $name:literal, [$($source:ident),*], $text:literal;)+) => {
        $(pub(super) const $constant: Rule =
            Rule { name: $name, text: $text, sources: &[$($source),*] };)+
        /// Every rule.
        #[cfg(test)]
        pub(super) const ALL: &[Rule] = &[$($constant),+];
    };
}

rules! {
    LIVE_AGENTS = "live-agents", [Agent, Upstream],
        "The sum of the agents' counts: every live process on the chip runs with the agent.";
    LIVE_PROCESSES = "live-processes", [Agent, Upstream],
        "The sum over live processes: the agent's count if a process runs with the agent, else its slots. Of a slot that several share, the rest.";
    REGION_ROW = "region-row", [Agent, Upstream],
        "The chip's row of the region, whose slots count several chips together; 0 if no process of the region lives.";
    UNREADABLE = "unreadable", [Agent, Upstream],
        "Not added up: the figures of a region or of a process on the chip are not known.";
    STALE_PROCESSES = "stale-processes", [Upstream, Agent],
        "The sum over processes that have ended, of the slots or segments that still list their memory.";
    REGION_FIGURE = "region-figure", [Upstream],
        "The sum of the slots of live processes in the chip's regions, beside the agents' count.";
    PROCESS_AGENT = "process-agent", [Agent, Upstream],
        "The sum of the process's open allocators on the chip, as its agent counts them.";
    PROCESS_SLOTS = "process-slots", [Agent, Upstream],
        "The sum of the process's slots in the chip's regions: requested bytes, without rounding.";
    SHARED_SLOT = "shared-slot", [Agent, Upstream],
        "The slot that processes of one number share, less what the agents of the others in it count.";
    NO_SLOT = "no-slot", [Agent, Upstream],
        "Not added up: the process has no slot in the chip's regions and no agent.";
    SLOT_CIRCULAR_BUFFERS = "slot-circular-buffers", [Upstream],
        "The circular buffers of the process's slots: the most over cached programs, without dataflow buffers.";
    REGION_TOTAL = "region-total", [Upstream],
        "The circular buffers of the chip's regions: the most over cached programs, without dataflow buffers.";
    BOARD = "board-table", [Kmd],
        "A constant of the board that the driver or PCI names; a table in ttmem has its number.";
    BANKS = "allocator-banks", [Kmd, Agent],
        "The banks of the main allocator times the bytes of one: no driver names the board.";
    CORE_GRID = "core-grid", [L1, Kmd],
        "The grid of worker cores that firmware keeps in L1.";
    STATISTICS = "allocator-statistics", [Agent],
        "TT-Metal's statistics of the main allocator on the chip; of several processes, the one with the smallest largest free block.";
    FRAGMENTATION = "fragmentation", [Agent],
        "The share of a bank's free bytes outside its largest free block, to a thousandth.";
    CORES = "sum-of-cores", [L1, Agent],
        "The sum over worker cores; in each, bytes that ranges share are counted once.";
    PROGRAMS = "resident-programs", [L1, Agent],
        "The sum over worker cores of the last program that the agent saw dispatched to each; bytes that ranges share are counted once.";
    HEADROOM = "least-headroom", [Agent],
        "The least over worker cores of the lowest L1 buffer, or the end of L1, less the end of what the last program placed.";
    DRIVER_FILE = "driver-file", [Kmd],
        "One file of the driver in sysfs or hwmon.";
    RATE = "counter-rate", [Kmd],
        "The difference of the driver's PCIe word counters between two samples, times 32 bytes, per second.";
    OPEN_FILES = "open-files", [Kmd],
        "The open files of the device that belong to no process of this namespace.";
    OWNERS = "owners", [Kmd, Upstream, Agent],
        "The processes that have the device open, or a slot or an agent on the chip.";
    DEVICE_NUMBER = "device-number", [Kmd],
        "The driver's number of the device; chips without one are numbered behind them.";
    REGION_HEADER = "region-header", [Upstream],
        "The name and the header of the chip's memory region.";
    PROCFS = "procfs", [Kmd],
        "The files of the process in procfs.";
    PROCESS_NUMBER = "process-number", [Kmd, Upstream],
        "The number of the process in this namespace; of an ended process as its slot has it, outside the namespace 0.";
    FINDING = "finding", [],
        "The process or the chip that the finding is about.";
    CLOCK = "clock", [],
        "The clock of the host at the end of the pass over the sources.";
    STOPWATCH = "stopwatch", [],
        "The wall time that reading the source took.";
    AGE = "age", [],
        "The time from the read of the reading's file to the end of the pass.";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_sentence() {
        for (index, rule) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.name != rule.name), "{}", rule.name);
            assert!(rule.text.ends_with('.') && rule.text.len() < 140, "{}", rule.name);
        }
    }

    #[test]
    fn every_rule_is_documented() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        let page = std::fs::read_to_string(page).unwrap();
        for rule in ALL {
            let names = rule.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>();
            let sources = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            let row = format!("| `{}` | {} | {sources} |\n", rule.name, rule.text);
            assert!(page.contains(&row), "docs/commands.md needs the row {row}");
        }
    }
}
