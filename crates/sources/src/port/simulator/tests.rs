use proptest::prelude::*;
use ttmem_test_support::wire;

use super::message::{Request, device_info, read_answer};
use super::*;

const YAML: &str = "functional_workers: [1-1, 2-1]\nworker_l1_size: 1499136\n";

fn info() -> wire::DeviceInfo {
    wire::DeviceInfo {
        status: 0,
        arch: 2,
        yaml: YAML.to_owned(),
        noc_translation: true,
        harvesting: [64, 0, 0, 0, 0],
    }
}

#[test]
fn the_server_understands_both_requests() {
    let core = Coordinate { x: 16, y: 11 };
    let read = Request::Read { core, address: 0x1_2345_6789, size: 1208 };
    let understood = wire::Request::parse(&read.encode()).unwrap();
    let expected = wire::Request {
        command: 0,
        x: 16,
        y: 11,
        address: 0x1_2345_6789,
        size: 1208,
        data: Vec::new(),
    };
    assert_eq!(understood, expected);
    let asked = wire::Request::parse(&Request::DeviceInfo.encode()).unwrap();
    assert_eq!((asked.command, asked.size, asked.data.len()), (2, 0, 0));
}

#[test]
fn answers_are_understood_as_the_server_writes_them() {
    assert_eq!(read_answer(&wire::response(0, b"L1")), Ok(Ok(&b"L1"[..])));
    assert_eq!(read_answer(&wire::response(-1, b"")), Ok(Err(-1)));
    let chip = read_chip(Path::new("a.sock"), &info().encode()).unwrap();
    assert_eq!((chip.arch, chip.harvesting, chip.l1_bytes), (Arch::Wormhole, 64, 1_499_136));
    assert_eq!(chip.cores, [Coordinate { x: 1, y: 1 }, Coordinate { x: 2, y: 1 }]);
    assert!(chip.noc_translation);
}

#[test]
fn a_device_that_cannot_be_is_refused_by_name() {
    let refused = |info: wire::DeviceInfo| read_chip(Path::new("a.sock"), &info.encode());
    let quasar = refused(wire::DeviceInfo { arch: 4, ..info() });
    assert_eq!(quasar.unwrap_err(), SimulatorError::Architecture { arch: 4 });
    let failed = refused(wire::DeviceInfo { status: -1, ..info() });
    assert_eq!(failed.unwrap_err(), SimulatorError::Refused { status: -1 });
    for yaml in ["", "functional_workers: [1-1]\nworker_l1_size: 4294967296"] {
        let refused = refused(wire::DeviceInfo { yaml: yaml.to_owned(), ..info() });
        assert!(matches!(refused, Err(SimulatorError::Malformed { .. })), "{refused:?}");
    }
}

#[test]
fn a_message_cut_anywhere_gives_no_other_answer() {
    let whole = wire::response(0, &[7; 100]);
    for length in 0..whole.len() {
        match read_answer(&whole[..length]) {
            // The builder may leave padding at the end, which does not matter.
            Ok(Ok(data)) => assert_eq!(data, [7; 100], "{length}"),
            Ok(Err(status)) => panic!("{length}: status {status}"),
            Err(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(understand(&message));
    }

    #[test]
    fn no_changed_byte_makes_the_reader_panic(
        offset in any::<prop::sample::Index>(),
        value in any::<u8>(),
        device in any::<bool>(),
    ) {
        let mut message = if device { info().encode() } else { wire::response(0, &[9; 64]) };
        let offset = offset.index(message.len());
        message[offset] = value;
        drop(device_info(&message));
        if let Ok(Ok(data)) = read_answer(&message) {
            prop_assert!(data.len() <= message.len());
        }
    }
}
