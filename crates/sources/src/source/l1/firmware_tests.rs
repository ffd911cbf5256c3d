use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::port::image::ImagePort;
use ttmem_root::{Entry, Tree};

const PID: Pid = Pid(77);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

fn elf(arch: &str) -> Vec<u8> {
    let packed = std::fs::read(fixture(&format!("elf/brisc_{arch}_0.81.1.elf.gz"))).unwrap();
    let mut elf = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut elf).unwrap();
    elf
}

/// A host whose process 77 runs the TT-Metal of a wheel with the firmware of both architectures and a broken file.
fn host(prefix: &str) -> Root {
    let mut tree = Tree::new();
    let maps = "7f00-7f01 r-xp 0 08:01 12 /usr/lib/libc.so.6\n\
                7f02-7f03 r-xp 0 08:01 13 /opt/ttnn/build/lib/libtt_metal.so";
    tree.put_line("/proc/77/maps", maps);
    let mut put = |key: &str, bytes: Vec<u8>| {
        let path = format!("{prefix}/opt/ttnn/tt_metal/pre-compiled/{key}/brisc/brisc.elf");
        tree.put(path, Entry::file(bytes));
    };
    put("100", b"\x7fELF and no more".to_vec());
    put("200", elf("blackhole"));
    put("300", elf("wormhole"));
    Root::memory(tree)
}

fn opened(root: &Root, pids: &[Pid], capture: &str) -> String {
    let mut port = ImagePort::open(&fixture(capture)).unwrap().pop().unwrap();
    open_reader(&mut port, root, pids, None).unwrap().layout().label.to_string()
}

#[test]
fn the_firmware_of_the_chip_s_architecture_is_found_among_others() {
    for prefix in ["", "/proc/77/root"] {
        let root = host(prefix);
        let of = |capture| opened(&root, &[PID], capture);
        assert_eq!(of("l1/wormhole/add"), "DWARF brisc.elf");
        assert_eq!(of("l1/blackhole/matmul"), "DWARF brisc.elf");
    }
}

#[test]
fn without_firmware_the_table_has_to_do() {
    let table = "0.81.1 (magic)";
    assert_eq!(opened(&host(""), &[], "l1/wormhole/add"), table);
    assert_eq!(opened(&host(""), &[Pid(78)], "l1/wormhole/add"), table);
    assert_eq!(opened(&Root::memory(Tree::new()), &[PID], "l1/wormhole/add"), table);
}
