//! The messages of UMD's simulation protocol, by Google's own FlatBuffers library: read with its verifier, as the
//! server does, and written with its builder.
//!
//! Source: tt-umd 0.9.14, `device/simulation/simulation_server_protocol.fbs`.

use flatbuffers::{
    FlatBufferBuilder, Follow, ForwardsUOffset, InvalidFlatbuffer, Table, VOffsetT, Vector,
    Verifiable, Verifier, VerifierOptions,
};

/// A request, as the server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// 0 reads, 1 writes, 2 requests the device, 3 the cluster, 4 ends the server.
    pub command: i8,
    /// The column.
    pub x: u32,
    /// The row.
    pub y: u32,
    /// The address of the first byte.
    pub address: u64,
    /// The number of bytes.
    pub size: u32,
    /// The bytes of a write.
    pub data: Vec<u8>,
}

/// Returns the offset of a field in the vtable.
fn slot(field: u16) -> VOffsetT {
    4 + 2 * field
}

struct RequestTable<'a>(Table<'a>);

impl<'a> Follow<'a> for RequestTable<'a> {
    type Inner = Self;

    #[expect(unsafe_code, reason = "the library's trait is unsafe")]
    unsafe fn follow(buffer: &'a [u8], offset: usize) -> Self {
        // SAFETY: the caller's contract is the same; messages come through `root`, which verifies them.
        Self(unsafe { Table::new(buffer, offset) })
    }
}

impl Verifiable for RequestTable<'_> {
    fn run_verifier(
        verifier: &mut Verifier<'_, '_>,
        offset: usize,
    ) -> Result<(), InvalidFlatbuffer> {
        verifier
            .visit_table(offset)?
            .visit_field::<i8>("command", slot(0), false)?
            .visit_field::<u32>("x", slot(1), false)?
            .visit_field::<u32>("y", slot(2), false)?
            .visit_field::<u64>("address", slot(3), false)?
            .visit_field::<u32>("size", slot(4), false)?
            .visit_field::<ForwardsUOffset<Vector<'_, u8>>>("data", slot(5), false)?
            .finish();
        Ok(())
    }
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// If the verifier rejects it: bounds, alignment.
    pub fn parse(message: &[u8]) -> Result<Self, String> {
        let options = VerifierOptions::default();
        let table = flatbuffers::root_with_opts::<RequestTable<'_>>(&options, message)
            .map_err(|error| error.to_string())?
            .0;
        Ok(Self {
            command: scalar(table, 0, 0),
            x: scalar(table, 1, 0),
            y: scalar(table, 2, 0),
            address: scalar(table, 3, 0),
            size: scalar(table, 4, 0),
            data: bytes(table, 5),
        })
    }
}

fn scalar<'a, T: Follow<'a, Inner = T> + 'a>(table: Table<'a>, field: u16, default: T) -> T {
    #[expect(unsafe_code, reason = "the library's accessor is unsafe")]
    // SAFETY: the message passed the verifier with this type for this field.
    let value = unsafe { table.get::<T>(slot(field), None) };
    value.unwrap_or(default)
}

fn bytes(table: Table<'_>, field: u16) -> Vec<u8> {
    #[expect(unsafe_code, reason = "the library's accessor is unsafe")]
    // SAFETY: the message passed the verifier with this type for this field.
    let vector = unsafe { table.get::<ForwardsUOffset<Vector<'_, u8>>>(slot(field), None) };
    vector.map_or_else(Vec::new, |vector| vector.bytes().to_vec())
}

/// Returns an answer to a read.
#[must_use]
pub fn response(status: i32, data: &[u8]) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let data = builder.create_vector(data);
    let table = builder.start_table();
    builder.push_slot(slot(0), status, 0);
    builder.push_slot_always(slot(1), data);
    let table = builder.end_table(table);
    builder.finish_minimal(table);
    builder.finished_data().to_vec()
}

/// The device description of a server.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// 0 is success.
    pub status: i32,
    /// `tt::ARCH`.
    pub arch: i32,
    /// The SoC descriptor.
    pub yaml: String,
    /// True if coordinates are translated.
    pub noc_translation: bool,
    /// Harvested: Tensix, DRAM, Ethernet, L2CPU, PCIe.
    pub harvesting: [u32; 5],
}

impl DeviceInfo {
    /// Returns the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let yaml = builder.create_string(&self.yaml);
        let table = builder.start_table();
        builder.push_slot(slot(0), self.status, 0);
        builder.push_slot(slot(1), self.arch, 0);
        builder.push_slot::<i8>(slot(2), 0, 0);
        builder.push_slot_always(slot(3), yaml);
        builder.push_slot(slot(4), self.noc_translation, false);
        for (field, mask) in (5..).zip(self.harvesting) {
            builder.push_slot(slot(field), mask, 0);
        }
        let table = builder.end_table(table);
        builder.finish_minimal(table);
        builder.finished_data().to_vec()
    }
}
