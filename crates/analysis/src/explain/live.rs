//! The current allocations, as far as known: with them an explanation can name the buffer in the way.

use std::collections::BTreeSet;

use serde::Serialize;
use ttmem_model::buffers::{BufferList, LiveBuffer as ListedBuffer};
use ttmem_model::order;
use ttmem_model::{Kind, Pid};
use ttmem_segment::Refusal;

/// The live buffers of some chips.
#[derive(Clone, Debug, Default)]
pub struct LiveMap {
    /// One entry for each chip.
    pub chips: Vec<LiveChip>,
}

/// The live buffers of one chip.
#[derive(Clone, Debug, Default)]
pub struct LiveChip {
    /// The chip for people: `chip 0`, or `TT-Metal device 0` where only TT-Metal's number is known.
    pub(crate) name: String,
    /// Buffers, in any order.
    pub buffers: Vec<LiveBuffer>,
    /// The programs that TT-Metal refused beside these buffers; `None` if they are not known.
    pub(crate) refused: Option<Vec<Refused>>,
}

/// A program that TT-Metal refused, as its message has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Address of the lowest L1 buffer.
    pub(crate) limit: u64,
    /// End of the program's circular buffers.
    pub(crate) end: u64,
}

impl Refused {
    /// Returns the programs that TT-Metal refused in a process; `None` if it refused none, or if the agent did not record
    /// the addresses of one.
    #[must_use]
    pub fn of<'a>(refusals: impl IntoIterator<Item = &'a Refusal>) -> Option<Vec<Self>> {
        let refused = refusals
            .into_iter()
            .map(|refusal| Some(Self { limit: refusal.limit?, end: refusal.end? }));
        refused.collect::<Option<Vec<Self>>>().filter(|refused| !refused.is_empty())
    }
}

/// A buffer at one address of every bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveBuffer {
    /// Address, as TT-Metal's messages count addresses.
    pub address: u64,
    /// Bytes that it takes in each bank.
    pub bytes: u64,
    /// The memory that it is in.
    pub kind: Kind,
    /// A description for the user: a tensor's shape, an operation, a process.
    pub(crate) label: String,
}

/// A live buffer that blocks another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Blocker {
    /// The chip for people, as in [`LiveChip`].
    pub(crate) chip: String,
    /// Address.
    pub(crate) address: u64,
    /// Bytes that it takes in each bank.
    pub(crate) bytes: u64,
    /// Description.
    pub(crate) label: String,
    /// Bytes in one range that freeing it would open at least, where that was asked.
    pub(crate) opens: Option<u64>,
}

/// Blockers are listed up to this number; a chip can have thousands of buffers.
const MAX_BLOCKERS: usize = 8;

/// The op and the tensor of a buffer, and the call of the user's code that allocated it.
fn label(buffer: &ListedBuffer) -> String {
    let mut op = buffer.op.clone().unwrap_or_else(|| buffer.origin.clone());
    if let Some(tensor) = &buffer.tensor {
        op += &format!(", {tensor}");
    }
    match buffer.caller() {
        Some(caller) => format!("{op} at {caller}"),
        None => op,
    }
}

impl LiveMap {
    /// The live buffers of a host, by its agents. `refused` returns the programs that TT-Metal refused in a process.
    #[must_use]
    pub fn of(list: &BufferList, refused: impl Fn(Pid) -> Option<Vec<Refused>>) -> Self {
        let chips = list.allocators.iter().flat_map(|allocator| {
            let own = list.buffers.iter().filter(|buffer| {
                (buffer.pid, buffer.allocator) == (allocator.pid, allocator.number)
            });
            let buffers: Vec<LiveBuffer> = own
                .map(|buffer| LiveBuffer {
                    address: buffer.address,
                    bytes: buffer.bytes_per_bank,
                    kind: buffer.kind,
                    label: label(buffer),
                })
                .collect();
            let refused = refused(allocator.pid);
            allocator.chips.iter().map(move |chip| LiveChip {
                name: format!("chip {} (process {})", chip.index, allocator.pid),
                buffers: buffers.clone(),
                refused: refused.clone(),
            })
        });
        Self { chips: chips.collect() }
    }

    /// Adds chips as they were, but those whose buffers and refused programs are there already: a process that still holds
    /// what it held then is one.
    pub fn add(&mut self, past: Vec<LiveChip>) {
        for chip in past {
            if !self.chips.iter().any(|known| known.covers(&chip)) {
                self.chips.push(chip);
            }
        }
    }

    /// The L1 buffers that begin below `end`, or the one at `address` where the message has no end. Chips count on which a buffer
    /// begins at `address` and, if the refused programs are known, one of that end was refused. Without such a chip the map is of
    /// another process or moment than the message, and nothing is named.
    pub(super) fn below(&self, address: u64, end: Option<u64>) -> Vec<Blocker> {
        let is_refused = |refused: &Refused| {
            refused.limit == address && end.is_none_or(|end| end == refused.end)
        };
        let end = end.unwrap_or(address.saturating_add(1));
        let mut blockers = Vec::new();
        for chip in &self.chips {
            let buffers = chip.of_kind(Kind::L1);
            let is_other = chip.refused.as_ref().is_some_and(|all| !all.iter().any(is_refused));
            if is_other || !buffers.iter().any(|buffer| buffer.address == address) {
                continue;
            }
            let blocking = buffers.iter().filter(|buffer| buffer.address < end);
            blockers.extend(blocking.map(|buffer| chip.blocker(buffer, None)));
        }
        blockers.truncate(MAX_BLOCKERS);
        blockers
    }

    /// The L1 buffers that begin `span` bytes above one of the first addresses of circular buffers.
    pub(super) fn at_span(&self, span: u64, bases: &[u64]) -> Vec<Blocker> {
        let addresses: Vec<u64> = bases.iter().filter_map(|base| base.checked_add(span)).collect();
        let chips = self.chips.iter();
        let mut blockers: Vec<Blocker> = chips
            .flat_map(|chip| {
                let lowest = chip.of_kind(Kind::L1).into_iter().next();
                lowest
                    .filter(|buffer| addresses.contains(&buffer.address))
                    .map(|buffer| chip.blocker(buffer, None))
            })
            .collect();
        blockers.truncate(MAX_BLOCKERS);
        blockers
    }

    /// The buffer of each chip that opens `need` bytes in one piece when freed, the smallest one; on a chip that has
    /// none the largest. A chip that has not `allocated` bytes in each bank is another than the message's, or of another
    /// moment; where the message does not have these bytes, any chip could be.
    pub(super) fn to_open(&self, kind: Kind, need: u64, allocated: Option<u64>) -> Vec<Blocker> {
        let is_it = |chip: &&LiveChip| {
            let bytes = chip.of_kind(kind).into_iter().map(|buffer| buffer.bytes);
            allocated == Some(bytes.fold(0, u64::saturating_add))
        };
        let own = self.chips.iter().filter(is_it);
        let mut blockers: Vec<Blocker> = own.filter_map(|chip| chip.to_open(kind, need)).collect();
        blockers.truncate(MAX_BLOCKERS);
        blockers
    }
}

impl LiveChip {
    /// True if it has the same buffers as another chip, and every program that was refused there.
    fn covers(&self, other: &Self) -> bool {
        let addresses = |chip: &Self| -> BTreeSet<(u64, u64)> {
            chip.buffers.iter().map(|buffer| (buffer.address, buffer.bytes)).collect()
        };
        let has_refused = match (&self.refused, &other.refused) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => others.iter().all(|refused| own.contains(refused)),
        };
        has_refused && addresses(self) == addresses(other)
    }

    fn of_kind(&self, kind: Kind) -> Vec<&LiveBuffer> {
        let mut buffers: Vec<&LiveBuffer> =
            self.buffers.iter().filter(|buffer| buffer.kind == kind).collect();
        order::sort_by_key(&mut buffers, |buffer| buffer.address);
        buffers
    }

    fn to_open(&self, kind: Kind, need: u64) -> Option<Blocker> {
        let buffers = self.of_kind(kind);
        let opened = |index: usize| -> u64 {
            let buffer = buffers[index];
            let own_end = buffer.address.saturating_add(buffer.bytes);
            let start = match index.checked_sub(1) {
                Some(before) => buffers[before].address.saturating_add(buffers[before].bytes),
                None => buffer.address,
            };
            let end = buffers.get(index + 1).map_or(own_end, |after| after.address);
            end.saturating_sub(start)
        };
        let enough = (0..buffers.len()).filter(|&index| opened(index) >= need);
        let chosen = enough
            .min_by_key(|&index| buffers[index].bytes)
            .or_else(|| (0..buffers.len()).max_by_key(|&index| opened(index)))?;
        Some(self.blocker(buffers[chosen], Some(opened(chosen))))
    }

    fn blocker(&self, buffer: &LiveBuffer, opens: Option<u64>) -> Blocker {
        Blocker {
            chip: self.name.clone(),
            address: buffer.address,
            bytes: buffer.bytes,
            label: buffer.label.clone(),
            opens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(buffers: &[(u64, u64)]) -> LiveMap {
        let buffer = |&(address, bytes): &(u64, u64)| LiveBuffer {
            address,
            bytes,
            kind: Kind::L1,
            label: format!("at {address}"),
        };
        let buffers = buffers.iter().map(buffer).collect();
        LiveMap { chips: vec![LiveChip { name: "chip 0".to_owned(), buffers, refused: None }] }
    }

    #[test]
    fn what_begins_below_the_end_blocks() {
        let map = map(&[(300, 10), (100, 50), (200, 10)]);
        let addresses = |address, end| -> Vec<u64> {
            map.below(address, Some(end)).iter().map(|blocker| blocker.address).collect()
        };
        assert_eq!(addresses(100, 201), [100, 200]);
        assert_eq!(addresses(101, 201), [0; 0], "a map of another moment");
    }

    #[test]
    fn a_process_in_which_other_programs_were_refused_is_not_named() {
        let mut map = map(&[(100, 50)]);
        map.chips[0].refused = Some(vec![Refused { limit: 100, end: 201 }]);
        assert_eq!(map.below(100, Some(201)).len(), 1);
        assert_eq!(map.below(100, None).len(), 1, "the message was cut");
        assert_eq!(map.below(100, Some(202)), [], "the message of another process");
    }

    #[test]
    fn the_smallest_buffer_that_opens_enough_is_named() {
        // 100 to 150, then a hole of 50, 200 to 210, a hole of 90, 300 to 310.
        let map = map(&[(300, 10), (100, 50), (200, 10)]);
        let opens = |need| {
            let blocker = map.to_open(Kind::L1, need, Some(70)).remove(0);
            (blocker.address, blocker.opens)
        };
        assert_eq!(opens(120), (200, Some(150)));
        assert_eq!(
            opens(80),
            (300, Some(100)).min((200, Some(150))),
            "ten bytes each: the lower one"
        );
        assert_eq!(opens(1000), (200, Some(150)), "none is enough: the one that opens most");
        assert!(map.to_open(Kind::Dram, 1, None).is_empty());
        assert!(map.to_open(Kind::L1, 1, Some(71)).is_empty(), "a map of another moment");
        assert!(map.to_open(Kind::L1, 1, None).is_empty(), "the message does not say of which");
    }
}
