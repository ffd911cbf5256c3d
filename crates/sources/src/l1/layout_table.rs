//! The layouts of thirteen ttnn releases. Written by `scripts/generate_l1_layouts.py`: change
//! `scripts/l1_layouts.json` and run it.

use ttmem_model::Arch;

use super::layout::{CoreInfoFields, Field, KernelConfig, Mailbox, MemoryMap, Row};

const fn at(offset: u32, bytes: u32) -> Field {
    Field::new(offset, bytes)
}

#[rustfmt::skip]
const WORMHOLE_0_60_1: Mailbox = Mailbox {
    bytes: 12_576, slot_bytes: 80,
    read_pointer: at(12, 4), launch: at(16, 640),
    config: KernelConfig {
        base: at(8, 12), local_cb_offset: at(26, 2), remote_cb_offset: at(28, 2), mode: at(42, 1),
        text_offset: at(44, 20), text_size: None, local_cb_mask: at(64, 4), min_remote_cb_index: at(70, 1),
        host_assigned_id: at(72, 4), enables: at(78, 1), kernel_ids: at(0, 6), preload: at(79, 1),
    },
    go_messages: at(656, 4), go_message_index: None,
    core_info: CoreInfoFields {
        grid_x: at(2174, 1), grid_y: at(2175, 1), logical_x: at(2176, 1), logical_y: at(2177, 1),
        unreserved: at(2180, 4), magic: None,
    },
};

#[rustfmt::skip]
const WORMHOLE_0_64_5: Mailbox = Mailbox {
    bytes: 12_768, slot_bytes: 96,
    read_pointer: at(12, 4), launch: at(16, 768),
    config: KernelConfig {
        base: at(0, 12), local_cb_offset: at(18, 2), remote_cb_offset: at(20, 2), mode: at(42, 1),
        text_offset: at(44, 20), text_size: None, local_cb_mask: at(64, 4), min_remote_cb_index: at(70, 1),
        host_assigned_id: at(72, 4), enables: at(76, 4), kernel_ids: at(80, 10), preload: at(95, 1),
    },
    go_messages: at(784, 36), go_message_index: Some(at(832, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2366, 1), grid_y: at(2367, 1), logical_x: at(2368, 1), logical_y: at(2369, 1),
        unreserved: at(2372, 4), magic: None,
    },
};

#[rustfmt::skip]
const WORMHOLE_0_66_0: Mailbox = Mailbox {
    bytes: 12_768, slot_bytes: 96,
    read_pointer: at(12, 4), launch: at(16, 768),
    config: KernelConfig {
        base: at(0, 12), local_cb_offset: at(18, 2), remote_cb_offset: at(20, 2), mode: at(42, 1),
        text_offset: at(44, 20), text_size: None, local_cb_mask: at(64, 4), min_remote_cb_index: at(70, 1),
        host_assigned_id: at(72, 4), enables: at(76, 4), kernel_ids: at(80, 10), preload: at(95, 1),
    },
    go_messages: at(784, 36), go_message_index: Some(at(832, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2366, 1), grid_y: at(2367, 1), logical_x: at(2368, 1), logical_y: at(2369, 1),
        unreserved: at(2372, 4), magic: Some(at(2376, 4)),
    },
};

#[rustfmt::skip]
const WORMHOLE_0_67_4: Mailbox = Mailbox {
    bytes: 12_896, slot_bytes: 112,
    read_pointer: at(12, 4), launch: at(16, 896),
    config: KernelConfig {
        base: at(0, 12), local_cb_offset: at(18, 2), remote_cb_offset: at(20, 2), mode: at(42, 1),
        text_offset: at(44, 20), text_size: None, local_cb_mask: at(64, 8), min_remote_cb_index: at(74, 1),
        host_assigned_id: at(76, 4), enables: at(80, 4), kernel_ids: at(84, 10), preload: at(111, 1),
    },
    go_messages: at(912, 36), go_message_index: Some(at(960, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2494, 1), grid_y: at(2495, 1), logical_x: at(2496, 1), logical_y: at(2497, 1),
        unreserved: at(2500, 4), magic: Some(at(2504, 4)),
    },
};

#[rustfmt::skip]
const WORMHOLE_0_69_0: Mailbox = Mailbox {
    bytes: 12_912, slot_bytes: 112,
    read_pointer: at(12, 4), launch: at(16, 896),
    config: KernelConfig {
        base: at(0, 16), local_cb_offset: at(24, 2), remote_cb_offset: at(26, 2), mode: at(48, 1),
        text_offset: at(52, 20), text_size: None, local_cb_mask: at(72, 8), min_remote_cb_index: at(82, 1),
        host_assigned_id: at(84, 4), enables: at(88, 4), kernel_ids: at(92, 10), preload: at(111, 1),
    },
    go_messages: at(912, 36), go_message_index: Some(at(960, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2510, 1), grid_y: at(2511, 1), logical_x: at(2512, 1), logical_y: at(2513, 1),
        unreserved: at(2516, 4), magic: Some(at(2520, 4)),
    },
};

#[rustfmt::skip]
const WORMHOLE_0_74_0: Mailbox = Mailbox {
    bytes: 13_168, slot_bytes: 144,
    read_pointer: at(12, 4), launch: at(16, 1152),
    config: KernelConfig {
        base: at(0, 16), local_cb_offset: at(24, 2), remote_cb_offset: at(26, 2), mode: at(48, 1),
        text_offset: at(52, 20), text_size: Some(at(72, 20)), local_cb_mask: at(104, 8), min_remote_cb_index: at(114, 1),
        host_assigned_id: at(116, 4), enables: at(120, 4), kernel_ids: at(124, 10), preload: at(143, 1),
    },
    go_messages: at(1168, 36), go_message_index: Some(at(1216, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2774, 1), grid_y: at(2775, 1), logical_x: at(2776, 1), logical_y: at(2777, 1),
        unreserved: at(2780, 4), magic: Some(at(2784, 4)),
    },
};

#[rustfmt::skip]
const WORMHOLE_0_77_0: Mailbox = Mailbox {
    bytes: 13_296, slot_bytes: 144,
    read_pointer: at(12, 4), launch: at(16, 1152),
    config: KernelConfig {
        base: at(0, 16), local_cb_offset: at(24, 2), remote_cb_offset: at(26, 2), mode: at(48, 1),
        text_offset: at(52, 20), text_size: Some(at(72, 20)), local_cb_mask: at(104, 8), min_remote_cb_index: at(114, 1),
        host_assigned_id: at(116, 4), enables: at(120, 4), kernel_ids: at(124, 10), preload: at(143, 1),
    },
    go_messages: at(1168, 36), go_message_index: Some(at(1216, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2774, 1), grid_y: at(2775, 1), logical_x: at(2776, 1), logical_y: at(2777, 1),
        unreserved: at(2780, 4), magic: Some(at(2784, 4)),
    },
};

#[rustfmt::skip]
const WORMHOLE_0_79_0: Mailbox = Mailbox {
    bytes: 13_312, slot_bytes: 144,
    read_pointer: at(12, 4), launch: at(16, 1152),
    config: KernelConfig {
        base: at(0, 16), local_cb_offset: at(24, 2), remote_cb_offset: at(26, 2), mode: at(48, 1),
        text_offset: at(52, 20), text_size: Some(at(72, 20)), local_cb_mask: at(96, 8), min_remote_cb_index: at(106, 1),
        host_assigned_id: at(108, 4), enables: at(112, 4), kernel_ids: at(120, 10), preload: at(143, 1),
    },
    go_messages: at(1168, 36), go_message_index: Some(at(1216, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2777, 1), grid_y: at(2778, 1), logical_x: at(2779, 1), logical_y: at(2780, 1),
        unreserved: at(2784, 4), magic: Some(at(2788, 4)),
    },
};

#[rustfmt::skip]
const BLACKHOLE_0_79_0: Mailbox = Mailbox {
    bytes: 13_440, slot_bytes: 144,
    read_pointer: at(12, 4), launch: at(16, 1152),
    config: KernelConfig {
        base: at(0, 16), local_cb_offset: at(24, 2), remote_cb_offset: at(26, 2), mode: at(48, 1),
        text_offset: at(52, 20), text_size: Some(at(72, 20)), local_cb_mask: at(96, 8), min_remote_cb_index: at(106, 1),
        host_assigned_id: at(108, 4), enables: at(112, 4), kernel_ids: at(120, 10), preload: at(143, 1),
    },
    go_messages: at(1168, 36), go_message_index: Some(at(1216, 4)),
    core_info: CoreInfoFields {
        grid_x: at(2905, 1), grid_y: at(2906, 1), logical_x: at(2907, 1), logical_y: at(2908, 1),
        unreserved: at(2912, 4), magic: Some(at(2916, 4)),
    },
};

/// Every known layout, Wormhole first, oldest first.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row {
        arch: Arch::Wormhole,
        releases: &["0.60.1"],
        mailbox: WORMHOLE_0_60_1,
        memory: MemoryMap {
            mailbox: 16, ring_start: 29_232, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_672), ("brisc firmware", 14_208),
                ("ncrisc firmware", 19_840), ("trisc0 firmware", 21_888), ("trisc1 firmware", 23_424),
                ("trisc2 firmware", 24_960), ("noc counters", 26_496), ("routing tables", 26_576),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.62.2"],
        mailbox: WORMHOLE_0_60_1,
        memory: MemoryMap {
            mailbox: 16, ring_start: 29_072, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_672), ("brisc firmware", 14_208),
                ("ncrisc firmware", 19_840), ("trisc0 firmware", 21_888), ("trisc1 firmware", 23_424),
                ("trisc2 firmware", 24_960), ("noc counters", 26_496), ("routing tables", 26_576),
                ("packet headers", 28_048),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.64.5"],
        mailbox: WORMHOLE_0_64_5,
        memory: MemoryMap {
            mailbox: 16, ring_start: 31_536, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_800), ("brisc firmware", 14_336),
                ("ncrisc firmware", 20_480), ("trisc0 firmware", 22_528), ("trisc1 firmware", 24_064),
                ("trisc2 firmware", 25_600), ("noc counters", 27_136), ("routing tables", 27_248),
                ("packet headers", 30_000),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.65.1"],
        mailbox: WORMHOLE_0_64_5,
        memory: MemoryMap {
            mailbox: 16, ring_start: 31_984, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_800), ("brisc firmware", 14_336),
                ("ncrisc firmware", 20_480), ("trisc0 firmware", 22_528), ("trisc1 firmware", 24_064),
                ("trisc2 firmware", 25_600), ("noc counters", 27_136), ("routing tables", 27_248),
                ("packet headers", 30_192),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.66.0"],
        mailbox: WORMHOLE_0_66_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 32_896, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_800), ("brisc firmware", 14_336),
                ("ncrisc firmware", 20_480), ("trisc0 firmware", 22_528), ("trisc1 firmware", 24_064),
                ("trisc2 firmware", 25_600), ("noc counters", 27_136), ("routing tables", 27_392),
                ("packet headers", 30_592),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.67.4"],
        mailbox: WORMHOLE_0_67_4,
        memory: MemoryMap {
            mailbox: 16, ring_start: 33_056, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_928), ("brisc firmware", 14_464),
                ("ncrisc firmware", 20_608), ("trisc0 firmware", 22_656), ("trisc1 firmware", 24_192),
                ("trisc2 firmware", 25_728), ("noc counters", 27_264), ("routing tables", 27_520),
                ("packet headers", 30_752),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.69.0", "0.70.1"],
        mailbox: WORMHOLE_0_69_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 33_056, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_928), ("brisc firmware", 14_464),
                ("ncrisc firmware", 20_608), ("trisc0 firmware", 22_656), ("trisc1 firmware", 24_192),
                ("trisc2 firmware", 25_728), ("noc counters", 27_264), ("routing tables", 27_520),
                ("packet headers", 30_752),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.72.0"],
        mailbox: WORMHOLE_0_69_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 33_184, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 12_928), ("brisc firmware", 14_464),
                ("ncrisc firmware", 20_736), ("trisc0 firmware", 22_784), ("trisc1 firmware", 24_320),
                ("trisc2 firmware", 25_856), ("noc counters", 27_392), ("routing tables", 27_648),
                ("packet headers", 30_880),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.74.0"],
        mailbox: WORMHOLE_0_74_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 34_880, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 13_184), ("brisc firmware", 14_720),
                ("ncrisc firmware", 22_432), ("trisc0 firmware", 24_480), ("trisc1 firmware", 26_016),
                ("trisc2 firmware", 27_552), ("noc counters", 29_088), ("routing tables", 29_344),
                ("packet headers", 32_576),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.77.0"],
        mailbox: WORMHOLE_0_77_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 35_008, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 13_312), ("brisc firmware", 14_848),
                ("ncrisc firmware", 22_560), ("trisc0 firmware", 24_608), ("trisc1 firmware", 26_144),
                ("trisc2 firmware", 27_680), ("noc counters", 29_216), ("routing tables", 29_472),
                ("packet headers", 32_704),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.79.0"],
        mailbox: WORMHOLE_0_79_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 35_040, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 13_344), ("brisc firmware", 14_880),
                ("ncrisc firmware", 22_592), ("trisc0 firmware", 24_640), ("trisc1 firmware", 26_176),
                ("trisc2 firmware", 27_712), ("noc counters", 29_248), ("routing tables", 29_504),
                ("packet headers", 32_736),
            ],
        },
    },
    Row {
        arch: Arch::Wormhole,
        releases: &["0.81.1"],
        mailbox: WORMHOLE_0_79_0,
        memory: MemoryMap {
            mailbox: 16, ring_start: 35_168, l1_bytes: 1_499_136, circular_buffers: 32,
            reserved: &[
                ("mailbox", 16), ("zeros", 13_344), ("brisc firmware", 14_880),
                ("ncrisc firmware", 22_592), ("trisc0 firmware", 24_640), ("trisc1 firmware", 26_176),
                ("trisc2 firmware", 27_712), ("noc counters", 29_248), ("routing tables", 29_504),
                ("packet headers", 32_864),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.60.1"],
        mailbox: WORMHOLE_0_60_1,
        memory: MemoryMap {
            mailbox: 96, ring_start: 30_320, l1_bytes: 1_572_864, circular_buffers: 32,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_736), ("brisc firmware", 14_272),
                ("ncrisc firmware", 21_440), ("trisc0 firmware", 22_976), ("trisc1 firmware", 24_512),
                ("trisc2 firmware", 26_048), ("noc counters", 27_584), ("routing tables", 27_664),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.62.2"],
        mailbox: WORMHOLE_0_60_1,
        memory: MemoryMap {
            mailbox: 96, ring_start: 30_672, l1_bytes: 1_572_864, circular_buffers: 32,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_736), ("brisc firmware", 14_272),
                ("ncrisc firmware", 21_440), ("trisc0 firmware", 22_976), ("trisc1 firmware", 24_512),
                ("trisc2 firmware", 26_048), ("noc counters", 27_584), ("routing tables", 27_664),
                ("packet headers", 29_136),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.64.5"],
        mailbox: WORMHOLE_0_64_5,
        memory: MemoryMap {
            mailbox: 96, ring_start: 32_880, l1_bytes: 1_572_864, circular_buffers: 32,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_864), ("brisc firmware", 14_400),
                ("ncrisc firmware", 21_568), ("trisc0 firmware", 23_104), ("trisc1 firmware", 24_640),
                ("trisc2 firmware", 26_176), ("noc counters", 27_712), ("routing tables", 27_824),
                ("packet headers", 30_576),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.65.1"],
        mailbox: WORMHOLE_0_64_5,
        memory: MemoryMap {
            mailbox: 96, ring_start: 33_456, l1_bytes: 1_572_864, circular_buffers: 32,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_864), ("brisc firmware", 14_400),
                ("ncrisc firmware", 21_568), ("trisc0 firmware", 23_104), ("trisc1 firmware", 24_640),
                ("trisc2 firmware", 26_176), ("noc counters", 27_712), ("routing tables", 27_824),
                ("packet headers", 30_768),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.66.0"],
        mailbox: WORMHOLE_0_66_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 34_624, l1_bytes: 1_572_864, circular_buffers: 32,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_864), ("brisc firmware", 14_400),
                ("ncrisc firmware", 21_568), ("trisc0 firmware", 23_104), ("trisc1 firmware", 24_640),
                ("trisc2 firmware", 26_176), ("noc counters", 27_712), ("routing tables", 27_968),
                ("packet headers", 31_168),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.67.4"],
        mailbox: WORMHOLE_0_67_4,
        memory: MemoryMap {
            mailbox: 96, ring_start: 40_416, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 12_992), ("brisc firmware", 14_528),
                ("ncrisc firmware", 23_232), ("trisc0 firmware", 25_792), ("trisc1 firmware", 28_352),
                ("trisc2 firmware", 30_912), ("noc counters", 33_472), ("routing tables", 33_728),
                ("packet headers", 36_960),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.69.0", "0.70.1", "0.72.0"],
        mailbox: WORMHOLE_0_69_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 40_448, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 13_024), ("brisc firmware", 14_560),
                ("ncrisc firmware", 23_264), ("trisc0 firmware", 25_824), ("trisc1 firmware", 28_384),
                ("trisc2 firmware", 30_944), ("noc counters", 33_504), ("routing tables", 33_760),
                ("packet headers", 36_992),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.74.0"],
        mailbox: WORMHOLE_0_74_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 40_704, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 13_280), ("brisc firmware", 14_816),
                ("ncrisc firmware", 23_520), ("trisc0 firmware", 26_080), ("trisc1 firmware", 28_640),
                ("trisc2 firmware", 31_200), ("noc counters", 33_760), ("routing tables", 34_016),
                ("packet headers", 37_248),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.77.0"],
        mailbox: WORMHOLE_0_77_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 40_832, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 13_408), ("brisc firmware", 14_944),
                ("ncrisc firmware", 23_648), ("trisc0 firmware", 26_208), ("trisc1 firmware", 28_768),
                ("trisc2 firmware", 31_328), ("noc counters", 33_888), ("routing tables", 34_144),
                ("packet headers", 37_376),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.79.0"],
        mailbox: BLACKHOLE_0_79_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 40_960, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 13_536), ("brisc firmware", 15_072),
                ("ncrisc firmware", 23_776), ("trisc0 firmware", 26_336), ("trisc1 firmware", 28_896),
                ("trisc2 firmware", 31_456), ("noc counters", 34_016), ("routing tables", 34_272),
                ("packet headers", 37_504),
            ],
        },
    },
    Row {
        arch: Arch::Blackhole,
        releases: &["0.81.1"],
        mailbox: BLACKHOLE_0_79_0,
        memory: MemoryMap {
            mailbox: 96, ring_start: 41_088, l1_bytes: 1_572_864, circular_buffers: 64,
            reserved: &[
                ("mailbox", 96), ("zeros", 13_536), ("brisc firmware", 15_072),
                ("ncrisc firmware", 23_776), ("trisc0 firmware", 26_336), ("trisc1 firmware", 28_896),
                ("trisc2 firmware", 31_456), ("noc counters", 34_016), ("routing tables", 34_272),
                ("packet headers", 37_632),
            ],
        },
    },
];
