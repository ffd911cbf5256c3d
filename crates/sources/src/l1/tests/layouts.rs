//! The layout table against the data it is written from, without Python: a table that was changed by hand, or data
//! without a new table, fails here.

use std::collections::BTreeMap;
use std::path::Path;

use crate::l1::ROWS;
use crate::l1::layout::{DEFAULT_RING_BYTES, Field, Row};
use serde_json::{Value, json};
use ttmem_model::Arch;

fn data() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/l1_layouts.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn pair(field: Field) -> Value {
    json!([field.offset, field.bytes])
}

/// A row in the form of the data.
fn as_data(row: &Row) -> Value {
    let mailbox = &row.mailbox;
    let config = &mailbox.config;
    let info = &mailbox.core_info;
    let reserved: BTreeMap<&str, u64> = row.memory.reserved.iter().copied().collect();
    json!({
        "launch_msg_rd_ptr": pair(mailbox.read_pointer),
        "launch": pair(mailbox.launch),
        "launch_stride": mailbox.slot_bytes,
        "sizeof_mailboxes": mailbox.bytes,
        "kernel_config": {
            "kernel_config_base": pair(config.base),
            "local_cb_offset": pair(config.local_cb_offset),
            "remote_cb_offset": pair(config.remote_cb_offset),
            "mode": pair(config.mode),
            "kernel_text_offset": pair(config.text_offset),
            "kernel_text_size": config.text_size.map(pair),
            "local_cb_mask": pair(config.local_cb_mask),
            "min_remote_cb_start_index": pair(config.min_remote_cb_index),
            "host_assigned_id": pair(config.host_assigned_id),
            "enables": pair(config.enables),
            "watcher_kernel_ids": pair(config.kernel_ids),
            "preload": pair(config.preload),
        },
        "go_messages": pair(mailbox.go_messages),
        "go_message_index": mailbox.go_message_index.map(pair),
        "core_info": {
            "worker_grid_size_x": pair(info.grid_x),
            "worker_grid_size_y": pair(info.grid_y),
            "absolute_logical_x": pair(info.logical_x),
            "absolute_logical_y": pair(info.logical_y),
            "l1_unreserved_start": pair(info.unreserved),
            "core_magic_number": info.magic.map(pair),
        },
        "memory": {
            "mailbox_base": reserved["mailbox"],
            "zeros_base": reserved["zeros"],
            "brisc_firmware_base": reserved["brisc firmware"],
            "ncrisc_firmware_base": reserved["ncrisc firmware"],
            "trisc0_firmware_base": reserved["trisc0 firmware"],
            "trisc1_firmware_base": reserved["trisc1 firmware"],
            "trisc2_firmware_base": reserved["trisc2 firmware"],
            "noc_counter_base": reserved["noc counters"],
            "tensix_routing_table_base": reserved["routing tables"],
            "packet_header_pool_base": reserved.get("packet headers"),
            "map_end": row.memory.ring_start,
            "l1_size": row.memory.l1_bytes,
        },
        "circular_buffers": row.memory.circular_buffers,
    })
}

#[test]
fn layout_table_says_what_the_data_says() {
    let data = data();
    assert_eq!(data["ring_bytes"], json!(DEFAULT_RING_BYTES));
    let releases = data["releases"].as_object().unwrap();
    assert_eq!(releases.len(), 13);
    for (release, archs) in releases {
        let archs = archs.as_object().unwrap();
        assert_eq!(archs.len(), 2);
        for (arch, expected) in archs {
            let mut rows = ROWS.iter().filter(|row| {
                row.arch.as_str() == arch && row.releases.contains(&release.as_str())
            });
            let row = rows.next().unwrap_or_else(|| panic!("no row for {release} on {arch}"));
            assert!(rows.next().is_none(), "two rows for {release} on {arch}");
            let mut expected = expected.clone();
            // The table says where the mailbox starts and how long the structure is, not what is set aside.
            expected["memory"].as_object_mut().unwrap().remove("mailbox_size").unwrap();
            assert_eq!(as_data(row), expected, "{release} on {arch}");
            assert_eq!(row.memory.mailbox, expected["memory"]["mailbox_base"], "{release} {arch}");
        }
    }
    let named: usize = ROWS.iter().map(|row| row.releases.len()).sum();
    assert_eq!(named, 26, "a row names a release that the data lacks");
}

#[test]
fn releases_with_one_layout_share_a_row() {
    for (index, row) in ROWS.iter().enumerate() {
        let twin = ROWS.iter().skip(index + 1).find(|other| {
            (row.arch, row.mailbox, row.memory) == (other.arch, other.mailbox, other.memory)
        });
        assert!(twin.is_none(), "{} and {}", row.label(), twin.map(Row::label).unwrap_or_default());
    }
    let label = |arch: Arch| {
        let row = ROWS.iter().find(|row| row.arch == arch && row.releases.contains(&"0.70.1"));
        row.unwrap().label()
    };
    assert_eq!(label(Arch::Wormhole), "0.69.0–0.70.1");
    assert_eq!(label(Arch::Blackhole), "0.69.0–0.72.0");
}

#[test]
fn what_lies_below_the_ring_is_in_order() {
    for row in ROWS {
        let starts: Vec<u64> = row.memory.reserved.iter().map(|(_, start)| *start).collect();
        assert!(starts.is_sorted(), "{}", row.label());
        assert!(starts.last().is_some_and(|last| *last < row.memory.ring_start), "{}", row.label());
    }
}

#[test]
fn where_circular_buffers_begin_is_what_two_real_runs_showed() {
    let newest = |arch: Arch| ROWS.iter().rfind(|row| row.arch == arch).unwrap().unreserved();
    assert_eq!(newest(Arch::Wormhole), 105_824);
    assert_eq!(newest(Arch::Blackhole), 111_744);
}
