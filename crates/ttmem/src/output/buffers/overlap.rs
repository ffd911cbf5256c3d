//! Buffers of two allocators of a process on the same addresses of a chip.

use ttmem_model::buffers::{AllocatorUse, BufferList, LiveBuffer};
use ttmem_model::order;
use ttmem_model::{Kind, Pid};

use super::allocator_in_words;
use crate::output::amount;

/// One sentence for each chip and kind where two allocators handed out the same addresses.
pub(super) fn sentences(list: &BufferList, pid: Pid) -> Vec<String> {
    // A sub-device's allocator has a range of its own inside that of its mesh, and a mesh knows what single cores hold.
    let own: Vec<&AllocatorUse> = list
        .allocators
        .iter()
        .filter(|allocator| allocator.pid == pid && allocator.role.has_all_banks())
        .collect();
    let mut chips: Vec<u32> =
        own.iter().flat_map(|allocator| allocator.chips.iter().map(|chip| chip.index)).collect();
    order::sort(&mut chips);
    chips.dedup();
    let mut sentences = Vec::new();
    for chip in chips {
        let here: Vec<&AllocatorUse> = own
            .iter()
            .filter(|allocator| allocator.chips.iter().any(|on| on.index == chip))
            .copied()
            .collect();
        for kind in Kind::ALLOCATOR {
            let buffers =
                list.buffers.iter().filter(|buffer| buffer.pid == pid && buffer.kind == kind);
            let placed: Vec<(&LiveBuffer, &AllocatorUse)> = buffers
                .filter_map(|buffer| {
                    let allocator = here.iter().find(|own| own.number == buffer.allocator)?;
                    Some((buffer, *allocator))
                })
                .collect();
            if let Some((bytes, [one, other])) = overlap(placed) {
                sentences.push(format!(
                    "{} of {} on chip {chip} are handed out twice: {}; {}. One buffer overwrites the other",
                    amount::size(bytes),
                    kind.label(),
                    named(one),
                    named(other),
                ));
            }
        }
    }
    sentences
}

fn named((buffer, allocator): (&LiveBuffer, &AllocatorUse)) -> String {
    format!(
        "{} bytes a bank at {} of {}",
        buffer.bytes_per_bank,
        buffer.address,
        allocator_in_words(allocator)
    )
}

type Placed<'a> = (&'a LiveBuffer, &'a AllocatorUse);

/// Bytes of all banks that more than one allocator handed out, and the first two buffers that share some.
fn overlap(mut placed: Vec<Placed<'_>>) -> Option<(u64, [Placed<'_>; 2])> {
    order::sort_by_key(&mut placed, |(buffer, _)| buffer.address);
    let mut bytes = 0_u64;
    let mut first = None;
    let mut highest: Option<(u64, Placed<'_>)> = None;
    for entry in placed {
        let end = entry.0.address.saturating_add(entry.0.bytes_per_bank);
        if let Some((covered, before)) = highest
            && entry.0.address < covered
            && before.1.number != entry.1.number
        {
            let shared = covered.min(end) - entry.0.address;
            bytes = bytes.saturating_add(shared.saturating_mul(entry.0.banks.min(before.0.banks)));
            first = first.or(Some([before, entry]));
        }
        if highest.is_none_or(|(covered, _)| end > covered) {
            highest = Some((end, entry));
        }
    }
    first.map(|buffers| (bytes, buffers))
}

#[cfg(test)]
mod tests {
    use ttmem_model::ChipId;
    use ttmem_model::buffers::ChipRef;
    use ttmem_segment::AllocatorRole;

    use super::*;

    fn allocator(number: u64, role: AllocatorRole, chips: &[u32]) -> AllocatorUse {
        let chip = |&index: &u32| ChipRef { id: ChipId::Unknown(index), index };
        AllocatorUse {
            pid: Pid(7),
            number,
            role,
            chips: chips.iter().map(chip).collect(),
            kinds: Vec::new(),
        }
    }

    fn buffer(allocator: u64, address: u64, bytes_per_bank: u64) -> LiveBuffer {
        LiveBuffer {
            pid: Pid(7),
            allocator,
            address,
            bytes_per_bank,
            size_per_bank: bytes_per_bank,
            banks: 12,
            bytes: bytes_per_bank * 12,
            requested: bytes_per_bank * 12,
            page_bytes: 32,
            kind: Kind::Dram,
            layout: "interleaved".to_owned(),
            origin: "tensor".to_owned(),
            age_us: None,
            thread: None,
            op: None,
            op_quality: None,
            stack: Vec::new(),
            tensor: None,
        }
    }

    fn list(allocators: Vec<AllocatorUse>, buffers: Vec<LiveBuffer>) -> BufferList {
        BufferList {
            schema: String::new(),
            version: String::new(),
            time_us: ttmem_model::Timestamp(0),
            demo: false,
            processes: Vec::new(),
            allocators,
            buffers,
            programs: Vec::new(),
        }
    }

    #[test]
    fn what_a_mesh_and_its_submesh_share_is_named_on_their_chip() {
        let buffers = vec![buffer(1, 1024, 100), buffer(2, 1024, 300), buffer(2, 2048, 10)];
        let allocators = vec![
            allocator(1, AllocatorRole::Mesh, &[0, 1]),
            allocator(2, AllocatorRole::Mesh, &[1]),
        ];
        let [only] = sentences(&list(allocators, buffers.clone()), Pid(7)).try_into().unwrap();
        assert_eq!(
            only,
            "1.17 KiB of DRAM on chip 1 are handed out twice: 100 bytes a bank at 1024 of mesh 1, all of it on each of chips \
             0-1; 300 bytes a bank at 1024 of mesh 2, chip 1. One buffer overwrites the other"
        );
        let apart =
            vec![allocator(1, AllocatorRole::Mesh, &[0]), allocator(2, AllocatorRole::Mesh, &[1])];
        assert!(sentences(&list(apart, buffers.clone()), Pid(7)).is_empty());
        let part = vec![
            allocator(1, AllocatorRole::Mesh, &[0]),
            allocator(2, AllocatorRole::SubDevice, &[0]),
        ];
        assert!(sentences(&list(part, buffers), Pid(7)).is_empty());
    }
}
