//! The driver's messages, as bytes at offsets (tt-kmd 2.10.0, `ioctl.h`), and the rules for their content.

use crate::stage::Stage;

/// Returns the bytes of the message of a request; `None` for a request that the program must not make.
pub(crate) fn bytes_of(request: u64) -> Option<usize> {
    Some(match request {
        0xFA00 => 24,
        0xFA05 => 16,
        0xFA0B | 0xFA0D => 48,
        0xFA0C => 4,
        _ => return None,
    })
}

/// Reads a number of `N` bytes.
pub(crate) fn get<const N: usize>(message: &[u8], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..N].copy_from_slice(&message[offset..offset + N]);
    u64::from_le_bytes(bytes)
}

/// Writes a number of `N` bytes.
pub(crate) fn put<const N: usize>(message: &mut [u8], offset: usize, value: u64) {
    message[offset..offset + N].copy_from_slice(&value.to_le_bytes()[..N]);
}

/// The target of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) id: u64,
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) address: u64,
}

/// Parses `struct tenstorrent_configure_tlb` and requires a plain read of one tile.
pub(crate) fn configuration(stage: &Stage, message: &[u8]) -> Aim {
    let reserved = get::<4>(message, 4)
        | get::<1>(message, 29)
        | get::<2>(message, 30)
        | get::<8>(message, 32);
    let zero = [
        ("x_start", get::<2>(message, 20)),
        ("y_start", get::<2>(message, 22)),
        ("noc", get::<1>(message, 24)),
        ("mcast", get::<1>(message, 25)),
        ("linked", get::<1>(message, 27)),
        ("static_vc", get::<1>(message, 28)),
        ("a reserved field", reserved),
    ];
    for (name, value) in zero {
        stage.insist(value == 0, || format!("CONFIGURE_TLB with {name} = {value}"));
    }
    let ordering = get::<1>(message, 26);
    stage.insist(ordering == 1, || format!("CONFIGURE_TLB with ordering {ordering}, not strict"));
    Aim {
        id: get::<4>(message, 0),
        x: get::<2>(message, 16),
        y: get::<2>(message, 18),
        address: get::<8>(message, 8),
    }
}
