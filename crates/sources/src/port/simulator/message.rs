//! The messages of UMD's simulation server: what is asked, and what is answered.
//!
//! Source: tt-umd 0.9.14, `device/simulation/simulation_server_protocol.fbs`. Fields are numbered in the order of that
//! file. Commands that are missing here are missing on purpose: 1 writes, 4 ends the server.

use ttmem_model::l1::Coordinate;

use super::flatbuffer::{Malformed, Table};

/// A request: the only two there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Reads `size` bytes of a core.
    Read {
        /// The core.
        core: Coordinate,
        /// The first byte.
        address: u64,
        /// The number of bytes.
        size: u32,
    },
    /// Request for the identity of the device.
    DeviceInfo,
}

/// The size of a request in bytes. All requests have one layout.
pub(super) const REQUEST_BYTES: usize = 48;

impl Request {
    /// The message: a `SimulationServerRequest` without `data`, which only a write would have.
    ///
    /// ```text
    ///  0  where the table is (20)
    ///  4  list of fields: its length (14), the table's length (28), then where each of five fields is
    /// 20  table: how far back the list is (16); 24 x; 28 y; 32 address; 40 size; 44 command; padding to 48
    /// ```
    pub(super) fn encode(self) -> [u8; REQUEST_BYTES] {
        const LIST: [u16; 9] = [20, 0, 14, 28, 24, 4, 8, 12, 20];
        let (command, core, address, size) = match self {
            Self::Read { core, address, size } => (0_u8, core, address, size),
            Self::DeviceInfo => (2, Coordinate { x: 0, y: 0 }, 0, 0),
        };
        let mut message = [0; REQUEST_BYTES];
        let head = LIST.iter().flat_map(|entry| entry.to_le_bytes());
        let table = [16_u32, u32::from(core.x), u32::from(core.y)];
        let table = table.iter().flat_map(|entry| entry.to_le_bytes());
        let rest = address.to_le_bytes().into_iter().chain(size.to_le_bytes()).chain([command]);
        // Two bytes of padding before the table, so that the 64-bit address is aligned as the server checks.
        let all = head.chain([0, 0]).chain(table).chain(rest);
        message.iter_mut().zip(all).for_each(|(slot, byte)| *slot = byte);
        message
    }
}

/// The answer to a read, `SimulationServerResponse`: what was read, or the status if the server could not.
pub(super) fn read_answer(message: &[u8]) -> Result<Result<&[u8], i32>, Malformed> {
    let table = Table::root(message)?;
    match status(&table)? {
        0 => Ok(Ok(table.bytes(1)?.unwrap_or_default())),
        status => Ok(Err(status)),
    }
}

/// The device description of a server, `SimulationServerDeviceInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceInfo {
    /// `tt::ARCH`: 2 is Wormhole, 3 Blackhole (`umd/device/types/arch.hpp`).
    pub(super) arch: i32,
    pub(super) soc_descriptor: String,
    pub(super) noc_translation: bool,
    pub(super) tensix_harvesting: u32,
}

/// The answer to a question for the device: its description, or the status if the server has none.
pub(super) fn device_info(message: &[u8]) -> Result<Result<DeviceInfo, i32>, Malformed> {
    let table = Table::root(message)?;
    let status = status(&table)?;
    if status != 0 {
        return Ok(Err(status));
    }
    let soc_descriptor = table.bytes(3)?.unwrap_or_default();
    Ok(Ok(DeviceInfo {
        arch: i32::from_le_bytes(table.scalar(1)?.unwrap_or_default()),
        soc_descriptor: String::from_utf8_lossy(soc_descriptor).into_owned(),
        noc_translation: table.scalar::<1>(4)?.unwrap_or_default() != [0],
        tensix_harvesting: u32::from_le_bytes(table.scalar(5)?.unwrap_or_default()),
    }))
}

fn status(table: &Table<'_>) -> Result<i32, Malformed> {
    Ok(i32::from_le_bytes(table.scalar(0)?.unwrap_or_default()))
}
