//! Joins an agent's chips to chips of the host: an agent's chip has the id that its region would be named after.

use ttmem_model::facts::Facts;
use ttmem_segment::Segment;

use super::super::join::{JoinedChip, Origin, Owner, by_id, by_number};
use super::AgentLink;

/// Joins the chips of every segment, and makes a chip of each that belongs to none.
pub(crate) fn join(
    facts: &Facts,
    owners: &[Owner],
    slots: &[Vec<Owner>],
    chips: &mut Vec<JoinedChip>,
) {
    let mut open = Vec::new();
    for (segment, file) in facts.segments.iter().enumerate() {
        let Ok(content) = &file.content else { continue };
        for chip in 0..content.chips.len() {
            let link = AgentLink { segment, chip };
            let joining = Joining { facts, owners, slots, chips };
            match joining.index(link) {
                Some(index) => chips[index].agents.push(link),
                None if is_history(owners[segment], content) => {}
                None => open.push(link),
            }
        }
    }
    for link in open {
        let same = chips.iter_mut().find(|chip| {
            chip.origin == Origin::Unmatched
                && chip.agents.first().is_some_and(|first| is_same_chip(facts, *first, link))
        });
        match same {
            Some(chip) => chip.agents.push(link),
            None => {
                let mut chip = JoinedChip::new(Origin::Unmatched);
                chip.agents.push(link);
                chips.push(chip);
            }
        }
    }
}

/// True if a process that exited normally left the segment: its chips are outdated.
fn is_history(owner: Owner, segment: &Segment) -> bool {
    owner.is_gone() && segment.header.state.has_ended()
}

/// Returns the id of an agent's chip, if TT-Metal reported it.
pub(crate) fn unique_id(facts: &Facts, link: AgentLink) -> Option<u64> {
    facts.segments.get(link.segment)?.content.as_ref().ok()?.chips.get(link.chip)?.unique_id
}

/// The number that the process gives to an agent's chip.
pub(crate) fn device_number(facts: &Facts, link: AgentLink) -> Option<u32> {
    Some(facts.segments.get(link.segment)?.content.as_ref().ok()?.chips.get(link.chip)?.device)
}

/// Chips without an id are distinguished by segment and number.
fn is_same_chip(facts: &Facts, one: AgentLink, other: AgentLink) -> bool {
    match (unique_id(facts, one), unique_id(facts, other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

struct Joining<'a> {
    facts: &'a Facts,
    owners: &'a [Owner],
    slots: &'a [Vec<Owner>],
    chips: &'a [JoinedChip],
}

impl Joining<'_> {
    /// Returns the index of the chip that an agent's chip is.
    fn index(&self, link: AgentLink) -> Option<usize> {
        let by_unique_id = unique_id(self.facts, link).and_then(|id| {
            let has_region =
                |chip: &JoinedChip| chip.regions.iter().any(|of| self.region_id(of.region) == id);
            self.chips
                .iter()
                .position(has_region)
                .or_else(|| by_id(self.facts, self.chips, id))
                .or_else(|| self.with_agent_of(id))
        });
        by_unique_id.or_else(|| self.by_slot(link)).or_else(|| self.by_number(link))
    }

    fn region_id(&self, region: usize) -> u64 {
        self.facts.regions[region].id
    }

    /// The chip that another agent's chip of this id was joined to.
    fn with_agent_of(&self, id: u64) -> Option<usize> {
        let is_it = |link: &AgentLink| unique_id(self.facts, *link) == Some(id);
        self.chips.iter().position(|chip| chip.agents.iter().any(is_it))
    }

    /// Finds the chip for one without an id: the chip whose region has a slot of the same process and the same device
    /// number.
    fn by_slot(&self, link: AgentLink) -> Option<usize> {
        let Owner::Live(pid) = self.owners[link.segment] else { return None };
        if unique_id(self.facts, link).is_some() {
            return None;
        }
        let number = i32::try_from(device_number(self.facts, link)?).ok()?;
        let is_it = |region: usize| {
            let content = self.facts.regions[region].content.as_ref();
            content.is_ok_and(|content| content.device_id == number)
                && self.slots.get(region).is_some_and(|slots| slots.contains(&Owner::Live(pid)))
        };
        self.chips.iter().position(|chip| chip.regions.iter().any(|of| is_it(of.region)))
    }

    /// The chip with the same number among those that the process has open, unless a region or another id says that it
    /// is another one.
    fn by_number(&self, link: AgentLink) -> Option<usize> {
        let Owner::Live(pid) = self.owners[link.segment] else { return None };
        let segment = self.facts.segments[link.segment].content.as_ref().ok()?;
        let all = segment.chips.iter().map(|chip| chip.device);
        let number = device_number(self.facts, link)?;
        let index = by_number(self.facts, self.chips, pid, (number, all))?;
        let chip = &self.chips[index];
        let id = unique_id(self.facts, link);
        let differs = |other: &AgentLink| unique_id(self.facts, *other) != id;
        (chip.regions.is_empty() && !chip.agents.iter().any(differs)).then_some(index)
    }
}
