//! The host of `--demo`: four made-up chips on three boards.
//!
//! - A busy n150: a language model served from a Docker container, a test of alice's beside it, and 24 MiB of stale
//!   memory of a killed process.
//! - An n300, on both chips of which bob transcribes speech, with the agent.
//! - An idle p150a.

mod agent;
mod busy;

pub use busy::Busy;

use ttmem_model::board::Arch;
use ttmem_model::facts::RegionBytes;
use ttmem_model::id::Timestamp;

use crate::port::image::{ImageError, ImagePort};
use crate::source::l1::{L1Request, L1Source};
use ttmem_fake::{Board, Container, Host, NOW, Process, Region, Slot, Telemetry};
use ttmem_root::{Root, Tree};

/// The current time on the demonstration host.
pub(crate) const TIME: Timestamp = NOW;

const SERVER: i32 = 41_377;
/// The server's number in its container.
const SERVER_INSIDE: i32 = 88;
const TEST: i32 = 58_213;
const KILLED: i32 = 39_122;
const WHISPER: i32 = 52_110;

/// 8.5 GiB of weights and key-value cache. Circular buffers of 576 KiB on each of 72 cores.
const SERVER_BYTES: RegionBytes = RegionBytes {
    dram: 8704 << 20,
    l1: 26 << 20,
    l1_small: 72 * (24 << 10),
    trace: 56 << 20,
    circular_buffers: 72 * (576 << 10),
};

const TEST_BYTES: RegionBytes = RegionBytes {
    dram: 612 << 20,
    l1: 72 * (64 << 10),
    l1_small: 0,
    trace: 0,
    circular_buffers: 72 * (12 << 10),
};

const KILLED_BYTES: RegionBytes =
    RegionBytes { dram: 24 << 20, l1: 256 << 10, l1_small: 0, trace: 0, circular_buffers: 0 };

/// The memory of bob's process on the chip with the PCIe function, which also has the tokens.
const WHISPER_LOCAL_BYTES: RegionBytes = RegionBytes {
    dram: 3392 << 20,
    l1: 64 * (192 << 10),
    l1_small: 64 * (32 << 10),
    trace: 20 << 20,
    circular_buffers: 64 * (384 << 10),
};

const WHISPER_REMOTE_BYTES: RegionBytes = RegionBytes { dram: 3264 << 20, ..WHISPER_LOCAL_BYTES };

/// A matrix multiplication on a Wormhole with 72 cores: `fixtures/l1`.
const L1_INDEX: &[u8] =
    include_bytes!("../../../fixtures/l1/wormhole-fast-dispatch/matmul/index.json");
const L1_BYTES: &[u8] =
    include_bytes!("../../../fixtures/l1/wormhole-fast-dispatch/matmul/l1.bin.gz");
const L1_KERNELS: &[u8] =
    include_bytes!("../../../fixtures/l1/wormhole-fast-dispatch/matmul/kernels.yaml");

/// The L1 of the n150: real bytes, unlike the rest.
pub fn l1(request: L1Request) -> Result<L1Source, ImageError> {
    let ports = ImagePort::from_bytes(L1_INDEX, L1_BYTES)?;
    Ok(L1Source::of_image(ports, L1_KERNELS, request))
}

/// Returns the files of the demonstration host.
#[must_use]
pub fn root() -> Root {
    Root::memory(tree())
}

/// The files of the demonstration host. They are the same at every call.
#[must_use]
pub(crate) fn tree() -> Tree {
    let n300 = Board::n300();
    let p150 = Board::p150();
    let whisper_regions = n300.region_ids().to_vec();
    let n300_ids = whisper_regions.clone();
    let idle_regions = p150.region_ids().to_vec();
    let mut host = with_busy_n150(Host::new().name("tt-demo"))
        .board(n300.telemetry(n300_telemetry()))
        .board(p150)
        .process(whisper())
        .owner(1, WHISPER, 4);
    for ((number, id), bytes) in
        (0..).zip(whisper_regions).zip([WHISPER_LOCAL_BYTES, WHISPER_REMOTE_BYTES])
    {
        host = host
            .region_of(WHISPER, Region::new(id).device_id(number).slot(WHISPER, "python3", bytes));
    }
    host = host.segment_of(WHISPER, agent::whisper(whisper().start_ticks(), &n300_ids));
    // A region outlives the processes that wrote it.
    for id in idle_regions {
        host = host.region(Region::new(id).updated_ns(seconds_ago_ns(7200)));
    }
    host.into_tree()
}

fn with_busy_n150(host: Host) -> Host {
    let board = Board::n150().telemetry(n150_telemetry());
    let id = board.region_ids().first().copied().unwrap_or_default();
    let on_host = Region::new(id)
        .with_slot(Slot::new(KILLED, "python", KILLED_BYTES).updated_ns(seconds_ago_ns(15 * 3600)))
        .slot(TEST, "pytest", TEST_BYTES);
    let in_container = Region::new(id).slot(SERVER_INSIDE, "python3", SERVER_BYTES);
    host.board(board)
        .process(server())
        .process(test())
        .owner(0, SERVER, 4)
        .owner(0, TEST, 4)
        .region(on_host)
        .region_of(SERVER, in_container)
}

fn server() -> Process {
    Process::new(SERVER, "python3")
        .command(&[
            "python3",
            "-m",
            "vllm.entrypoints.openai.api_server",
            "--model",
            "meta-llama/Llama-3.1-8B-Instruct",
            "--max-model-len",
            "65536",
        ])
        .uid(0)
        .container(Container::Docker, SERVER_INSIDE)
        .with_own_shm()
        .started(seconds_ago(51 * 3600))
        .cpu_ticks(12_904_410, 734_120)
        .resident_bytes(11_312 << 20)
        .threads(214)
}

fn test() -> Process {
    Process::new(TEST, "pytest")
        .command(&["/usr/bin/python3", "/usr/bin/pytest", "tests/test_attention.py", "-x"])
        .started(seconds_ago(94))
        .cpu_ticks(8_120, 640)
        .resident_bytes(1_904 << 20)
        .threads(41)
}

fn whisper() -> Process {
    Process::new(WHISPER, "python3")
        .command(&["python3", "demo/whisper.py", "--model", "large-v3", "--mesh", "1x2"])
        .uid(1001)
        .started(seconds_ago(5 * 3600 + 720))
        .cpu_ticks(1_640_300, 71_200)
        .resident_bytes(4_420 << 20)
        .threads(87)
}

fn n150_telemetry() -> Telemetry {
    Telemetry {
        temperature_mc: 61_000,
        voltage_mv: 850,
        current_ma: 62_000,
        power_uw: 53_000_000,
        host_to_device_words: [3_141_592_653, 2_097_152],
        device_to_host_words: [271_828_182, 131_072],
        ..Telemetry::busy(Arch::Wormhole)
    }
}

fn n300_telemetry() -> Telemetry {
    Telemetry {
        temperature_mc: 54_000,
        voltage_mv: 820,
        current_ma: 47_000,
        power_uw: 39_000_000,
        ..Telemetry::busy(Arch::Wormhole)
    }
}

fn seconds_ago(seconds: u64) -> Timestamp {
    Timestamp(TIME.0 - seconds * 1_000_000)
}

fn seconds_ago_ns(seconds: u64) -> u64 {
    seconds_ago(seconds).0 * 1000
}

#[cfg(test)]
mod tests {
    use ttmem_model::board;

    use super::*;

    fn total(bytes: &[RegionBytes], kind: impl Fn(&RegionBytes) -> u64) -> u64 {
        bytes.iter().map(kind).sum()
    }

    #[test]
    fn no_chip_holds_more_than_it_has() {
        let chips = [
            ("n150", &[SERVER_BYTES, TEST_BYTES, KILLED_BYTES][..]),
            ("n300", &[WHISPER_LOCAL_BYTES]),
            ("n300", &[WHISPER_REMOTE_BYTES]),
        ];
        for (name, bytes) in chips {
            let board = board::Board::by_name(name).unwrap();
            let dram = total(bytes, |bytes| bytes.dram + bytes.trace);
            let l1 = total(bytes, |bytes| bytes.l1 + bytes.l1_small + bytes.circular_buffers);
            assert!(dram < board.dram_bytes().unwrap(), "{name}");
            assert!(l1 < board.l1_bytes().unwrap(), "{name}");
        }
    }

    #[test]
    fn the_demonstration_is_the_same_every_time() {
        assert_eq!(format!("{:?}", tree()), format!("{:?}", tree()));
    }

    #[test]
    fn three_boards_and_five_regions_are_there() {
        let root = root();
        assert_eq!(root.list("/sys/class/tenstorrent").unwrap().len(), 3);
        let card = |number| {
            let path = format!("/sys/class/tenstorrent/tenstorrent!{number}/tt_card_type");
            root.read_text(&path).unwrap()
        };
        assert_eq!([card(0), card(1), card(2)], ["n150", "n300", "p150a"]);
        let regions = |directory: &str| {
            let names = root.list(directory).unwrap();
            names.iter().filter(|name| name.to_string_lossy().starts_with("tt_device_")).count()
        };
        assert_eq!(regions("/dev/shm"), 4);
        assert_eq!(regions(&format!("/proc/{SERVER}/root/dev/shm")), 1);
    }

    #[test]
    fn the_killed_process_is_gone_and_its_bytes_are_not() {
        let root = root();
        assert!(root.list(&format!("/proc/{KILLED}")).unwrap_err().is_absent());
        let image = root.read("/dev/shm/tt_device_1649267441665_memory", 9000).unwrap().bytes;
        assert_eq!(image[856..860], KILLED.to_le_bytes());
        assert_eq!(image[864..872], (24_u64 << 20).to_le_bytes());
        assert_eq!(image[48..56], (636_u64 << 20).to_le_bytes());
    }

    #[test]
    fn the_demonstration_can_be_put_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        tree().write_to(directory.path()).unwrap();
        let root = Root::directory(directory.path()).unwrap();
        assert_eq!(root.read_text("/proc/sys/kernel/hostname").unwrap(), "tt-demo");
    }
}
