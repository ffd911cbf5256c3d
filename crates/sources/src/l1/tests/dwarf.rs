//! Debug information of real firmware against the table.

use std::io::Read as _;
use std::path::Path;

use crate::l1::{Layout, Reader, dwarf};
use crate::port::image::ImagePort;
use proptest::prelude::*;
use ttmem_model::Arch;

fn elf(arch: Arch) -> Vec<u8> {
    let name = format!("../../fixtures/elf/brisc_{}_0.81.1.elf.gz", arch.as_str());
    let file = std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_firmware_says_what_the_table_says() {
    for (arch, ring_start) in [(Arch::Wormhole, 35_040), (Arch::Blackhole, 40_960)] {
        let layout = dwarf::layout(arch, &elf(arch), "brisc.elf").unwrap();
        let table = Layout::of_release(arch, "0.81.1").unwrap();
        assert_eq!(layout.label, "DWARF brisc.elf");
        assert_eq!(layout.mailbox, table.mailbox);
        assert_eq!(layout.memory.mailbox, table.memory.mailbox);
        assert_eq!(layout.memory.circular_buffers, table.memory.circular_buffers);
        // 0.79 and 0.81 have one mailbox, and debug information does not say where the ring starts.
        assert_eq!(layout.memory.ring_start, ring_start);
    }
}

#[test]
fn a_core_tells_where_its_ring_starts() {
    for (arch, name) in [(Arch::Wormhole, "wormhole/matmul"), (Arch::Blackhole, "blackhole/matmul")]
    {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(name);
        let mut port = ImagePort::open(&directory).unwrap().pop().unwrap();
        let layout = dwarf::layout(arch, &elf(arch), "brisc.elf").unwrap();
        let mut by_dwarf = Reader::with_layout(&mut port, layout).unwrap();
        let mut by_magic = Reader::open(&mut port).unwrap();
        assert_eq!(by_dwarf.layout().memory, by_magic.layout().memory);
        assert_eq!(by_dwarf.sample(&mut port).unwrap(), by_magic.sample(&mut port).unwrap());
    }
}

#[test]
fn firmware_of_the_other_architecture_is_taken_at_its_word_for_the_mailbox_only() {
    let layout = dwarf::layout(Arch::Blackhole, &elf(Arch::Wormhole), "brisc.elf").unwrap();
    assert_eq!(layout.memory.mailbox, 16);
    assert_eq!(layout.memory.ring_start, 16 + 13_312);
}

#[test]
fn what_is_no_firmware_is_refused_by_name() {
    let error = dwarf::layout(Arch::Wormhole, b"not an ELF file", "x.elf").unwrap_err();
    assert!(error.to_string().starts_with("unknown TT-Metal layout: x.elf"), "{error}");
    let mut headless = elf(Arch::Wormhole);
    let at = headless.windows(10).position(|bytes| bytes == b"mailboxes\0").unwrap();
    headless[at] = b'M';
    let error = dwarf::layout(Arch::Wormhole, &headless, "x.elf").unwrap_err();
    assert!(error.to_string().contains("where its mailbox is"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_firmware_is_refused_or_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = elf(Arch::Wormhole);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(layout) = dwarf::layout(Arch::Wormhole, &bytes, "x.elf") {
            prop_assert!(layout.launch_range().bytes() <= 1 << 20);
        }
    }

    #[test]
    fn truncated_firmware_is_refused_or_read(at in any::<prop::sample::Index>()) {
        let bytes = elf(Arch::Blackhole);
        let end = at.index(bytes.len());
        if let Ok(layout) = dwarf::layout(Arch::Blackhole, &bytes[..end], "x.elf") {
            prop_assert!(layout.launch_range().bytes() <= 1 << 20);
        }
    }
}
