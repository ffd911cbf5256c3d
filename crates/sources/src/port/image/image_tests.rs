//! Captures that are not what they should be, and captures of captures.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use ttmem_model::Arch;

use super::*;
use crate::l1::Reader;

const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/l1/wormhole-fast-dispatch/gelu");

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn index(cores: &str) -> String {
    format!(
        r#"[{{"socket":"s","arch":2,"noc_translation":true,"harvest":0,"worker_l1_size":1499136,"cores":[{cores}]}}]"#
    )
}

fn refusal(index: &str) -> String {
    ImagePort::from_bytes(index.as_bytes(), &packed(&[7; 64])).unwrap_err().to_string()
}

fn port() -> ImagePort {
    let cores = r#"{"noc":[1,1],"segments":[{"addr":32,"len":8,"offset":8},{"addr":16,"len":16,"offset":32}]}"#;
    let bytes: Vec<u8> = (0..64).collect();
    ImagePort::from_bytes(index(cores).as_bytes(), &packed(&bytes)).unwrap().pop().unwrap()
}

#[test]
fn parts_that_touch_are_read_as_one() {
    let mut port = port();
    let mut buffer = [0; 6];
    let core = Coordinate { x: 1, y: 1 };
    port.read(core, 29, &mut buffer).unwrap();
    assert_eq!(buffer, [45, 46, 47, 8, 9, 10]);
    assert_eq!(port.chip().arch, Arch::Wormhole);
    assert_eq!(port.chip().cores, [core]);
}

#[test]
fn what_was_not_kept_is_an_error() {
    let mut port = port();
    let core = Coordinate { x: 1, y: 1 };
    for (address, bytes) in [(15, 1), (39, 2), (40, 1), (0, 64), (u64::MAX, 1), (u64::MAX - 3, 8)] {
        let error = port.read(core, address, &mut vec![0; bytes]).unwrap_err();
        assert!(matches!(error, PortError::Outside { .. }), "{address}: {error}");
    }
    let error = port.read(Coordinate { x: 2, y: 1 }, 16, &mut [0]).unwrap_err();
    assert_eq!(error.to_string(), "s has no core at (2, 1)");
}

#[test]
fn an_index_that_cannot_be_is_refused() {
    let one = |addr: &str, len: &str, offset: &str| {
        refusal(&index(&format!(
            r#"{{"noc":[1,1],"segments":[{{"addr":{addr},"len":{len},"offset":{offset}}}]}}"#
        )))
    };
    let max = "18446744073709551615";
    assert!(one("16", "65", "0").contains("ends at 65, and l1.bin.gz holds 64 bytes"));
    assert!(one("16", "8", "60").contains("ends at 68"));
    assert!(one(max, "8", "0").contains("are not in any L1"));
    assert!(one("8", max, "0").contains("are not in any L1"));
    assert!(one("8", "8", max).contains("too far out"));
    assert!(one("8", "8", "4000000000").contains("too far out"));
    assert!(one("-1", "8", "0").contains("no list of chips"));
    assert!(one("1.5", "8", "0").contains("no list of chips"));
    let overlapping = r#"{"noc":[1,1],"segments":[{"addr":16,"len":16,"offset":0},{"addr":31,"len":4,"offset":16}]}"#;
    assert!(
        refusal(&index(overlapping)).contains("addresses of core (1, 1) 16 to 32 and 31 to 35")
    );
    let shared = r#"{"noc":[1,1],"segments":[{"addr":16,"len":16,"offset":0},{"addr":64,"len":4,"offset":15}]}"#;
    assert!(refusal(&index(shared)).contains("offsets 0 to 16 and 15 to 19 overlap"));
    for (x, y) in [(0, 0), (5, 1), (1, 6), (0, 10), (10, 1), (17, 18), (26, 18), (18, 28)] {
        let other = index(&format!(r#"{{"noc":[{x},{y}],"segments":[]}}"#));
        let text = format!("({x}, {y}) is no worker core of wormhole");
        assert!(refusal(&other).contains(&text), "{}", refusal(&other));
    }
    let twice = r#"{"noc":[1,1],"segments":[]},{"noc":[1,1],"segments":[]}"#;
    assert!(refusal(&index(twice)).contains("core (1, 1) is listed twice"));
    assert!(refusal(&index(r#"{"noc":[1,256],"segments":[]}"#)).contains("no list of chips"));
    assert!(refusal(&index("").replace("\"arch\":2", "\"arch\":9")).contains("architecture 9"));
    assert!(refusal(&index("").replace("1499136", "0")).contains("no core has 0 bytes"));
    assert!(refusal("{}").contains("no list of chips"));
    let crowd: Vec<_> = (0..1025)
        .map(|n| format!(r#"{{"noc":[{},{}],"segments":[]}}"#, n % 256, n / 256))
        .collect();
    assert!(refusal(&index(&crowd.join(","))).contains("no chip has 1025 cores"));
}

#[test]
fn bytes_that_cannot_be_unpacked_are_refused() {
    let index = index(r#"{"noc":[1,1],"segments":[{"addr":16,"len":16,"offset":0}]}"#);
    let read = |packed: &[u8]| ImagePort::from_bytes(index.as_bytes(), packed);
    assert!(matches!(read(b"not gzip").unwrap_err(), ImageError::Packing(_)));
    let whole = packed(&[7; 64]);
    assert!(matches!(read(&whole[..whole.len() / 2]).unwrap_err(), ImageError::Packing(_)));
    assert!(read(&[]).is_err());
}

#[test]
fn no_more_is_unpacked_than_the_index_needs() {
    let bomb = packed(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(unpack(&bomb, 4096).unwrap().len(), 4096);
}

#[test]
fn a_directory_without_a_capture_is_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let error = ImagePort::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("index.json"), "{error}");
}

#[test]
fn a_capture_of_a_capture_reads_the_same() {
    let mut original = ImagePort::open(Path::new(CAPTURE)).unwrap().pop().unwrap();
    let mut reader = Reader::open(&mut original).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("capture");
    save(&target, &mut [(&mut original, &mut reader)], Some(b"")).unwrap();

    let mut copy = ImagePort::open(&target).unwrap().pop().unwrap();
    assert_eq!(copy.chip(), original.chip());
    let mut again = Reader::open(&mut copy).unwrap();
    assert_eq!(again.sample(&mut copy).unwrap().0, reader.sample(&mut original).unwrap().0);
    // The ring is there to its last byte.
    let core = Coordinate { x: 1, y: 10 };
    let mut rings = [vec![0; 70_656], vec![0; 70_656]];
    original.read(core, 35_168, &mut rings[0]).unwrap();
    copy.read(core, 35_168, &mut rings[1]).unwrap();
    assert_eq!(rings[0], rings[1]);

    let error = save(&target, &mut [(&mut original, &mut reader)], None).unwrap_err();
    assert!(error.to_string().contains("index.json: File exists"), "{error}");
}

/// A port whose owner leaves after some reads.
struct Leaving<'a>(&'a mut ImagePort, usize);

impl L1Port for Leaving<'_> {
    fn chip(&self) -> &PortChip {
        self.0.chip()
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        self.1 = self.1.checked_sub(1).ok_or_else(|| PortError::Failed {
            name: "/dev/tenstorrent/0".to_owned(),
            detail: "the owner left".to_owned(),
        })?;
        self.0.read(core, address, buffer)
    }
}

#[test]
fn a_capture_that_fails_leaves_nothing_and_can_be_repeated() {
    let mut original = ImagePort::open(Path::new(CAPTURE)).unwrap().pop().unwrap();
    let mut reader = Reader::open(&mut original).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("capture");
    let mut leaving = Leaving(&mut original, 90);
    let error = save(&target, &mut [(&mut leaving, &mut reader)], None).unwrap_err();
    assert!(error.to_string().contains("the owner left"), "{error}");
    assert!(!target.exists());
    std::fs::create_dir(&target).unwrap();
    let mut leaving = Leaving(&mut original, 90);
    save(&target, &mut [(&mut leaving, &mut reader)], None).unwrap_err();
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
    save(&target, &mut [(&mut original, &mut reader)], None).unwrap();
    assert_eq!(ImagePort::open(&target).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn any_index_is_refused_or_read(
        segments in proptest::collection::vec((0..80_u64, 0..40_u64, 0..80_u64), 0..4),
        address in 0..100_u64, bytes in 0..50_usize,
    ) {
        let segments: Vec<_> = segments
            .iter()
            .map(|(addr, len, offset)| format!(r#"{{"addr":{addr},"len":{len},"offset":{offset}}}"#))
            .collect();
        let core = format!(r#"{{"noc":[1,1],"segments":[{}]}}"#, segments.join(","));
        if let Ok(mut ports) = ImagePort::from_bytes(index(&core).as_bytes(), &packed(&[7; 64])) {
            let mut buffer = vec![0; bytes];
            if ports[0].read(Coordinate { x: 1, y: 1 }, address, &mut buffer).is_ok() {
                prop_assert!(buffer.iter().all(|byte| *byte == 7));
            }
        }
    }

    #[test]
    fn any_bytes_are_refused(index in ".{0,200}", packed in proptest::collection::vec(any::<u8>(), 0..99)) {
        prop_assert!(ImagePort::from_bytes(index.as_bytes(), &packed).is_err());
    }
}
